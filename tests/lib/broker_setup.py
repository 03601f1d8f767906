#!/usr/bin/python3
"""Writes everything a private RabbitMQ reads into a directory; see broker.sh."""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import random
import re
import secrets
import shutil
import socket
import subprocess
import sys

USER = "boss"
# Of this broker alone: who comes to another one, because that took the port, cannot log in there.
PASSWORD = os.environ.get("BROKER_PASSWORD") or secrets.token_hex(8)
HOST = "127.0.0.1"
# Below Linux's range of ephemeral ports: no outgoing connection takes one of these
# while the broker is down for a restart.
PORTS = range(20000, 32000)
INSTALL_PLACES = ("/usr/lib/rabbitmq/lib", "/usr/lib64/rabbitmq/lib")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    chosen: list[int] = []
    for port in random.SystemRandom().sample(PORTS, 1000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        chosen.append(port)
        if len(chosen) == count:
            return chosen
    sys.exit("broker_setup: no free ports")


def rabbitmq_home() -> pathlib.Path:
    homes = [home for place in INSTALL_PLACES for home in pathlib.Path(place).glob("rabbitmq_server-*")]
    if not homes:
        sys.exit("broker_setup: RabbitMQ is not installed (package rabbitmq-server)")
    return max(homes)


def needed_applications(plugins: pathlib.Path) -> set[str]:
    """The directories in plugins/ that the server itself needs, without any plugin."""
    apps = {path.stem: path for path in plugins.glob("*/ebin/*.app")}
    todo, needed = ["rabbit", "rabbitmq_prelaunch"], set()
    while todo:
        app = todo.pop()
        if app in needed or app not in apps:
            continue
        needed.add(app)
        text = apps[app].read_text(encoding="utf-8")
        for names in re.findall(r"applications\s*,\s*\[(.*?)\]", text, re.DOTALL):
            todo += re.findall(r"\w+", names)
    return {apps[app].parent.parent.name for app in needed}


def link_rabbitmq(target: pathlib.Path) -> None:
    """A RabbitMQ of links, without the plugins.

    Erlang looks for each module in each directory of its path: with 70 plugin
    directories in it, starting takes twice as long.
    """
    home = rabbitmq_home()
    shutil.rmtree(target, ignore_errors=True)
    for name in ("sbin", "plugins"):
        (target / name).mkdir(parents=True)
    (target / "escript").symlink_to(home / "escript")
    for script in (home / "sbin").iterdir():
        (target / "sbin" / script.name).symlink_to(script)
    for name in needed_applications(home / "plugins"):
        (target / "plugins" / name).symlink_to(home / "plugins" / name)


def definitions(vhost: str) -> dict:
    salt = secrets.token_bytes(4)
    digest = hashlib.sha256(salt + PASSWORD.encode()).digest()
    user = {
        "name": USER,
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ["administrator"],
    }
    permission = {"user": USER, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"}
    return {"users": [user], "vhosts": [{"name": vhost}], "permissions": [permission]}


def openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"broker_setup: openssl {arguments[0]}: {done.stderr.strip()}")


def make_ca(tls: pathlib.Path, name: str) -> None:
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN=test {name}", "-keyout", f"{tls}/{name}-key.pem", "-out", f"{tls}/{name}.pem",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip


def make_certificate(tls: pathlib.Path, name: str, extensions: str) -> None:
    (tls / f"{name}.ext").write_text(extensions + "\nbasicConstraints=critical,CA:FALSE\n", encoding="utf-8")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{tls}/{name}-key.pem", "-out", f"{tls}/{name}.csr")  # fmt: skip
    openssl("x509", "-req", "-days", "2", "-in", f"{tls}/{name}.csr", "-CA", f"{tls}/ca.pem", "-CAkey",
            f"{tls}/ca-key.pem", "-CAcreateserial", "-extfile", f"{tls}/{name}.ext",
            "-out", f"{tls}/{name}.pem")  # fmt: skip


def make_tls(tls: pathlib.Path, names: str) -> None:
    """A CA, a server and a client certificate, and a CA that signed neither."""
    tls.mkdir(exist_ok=True)
    make_ca(tls, "ca")
    make_ca(tls, "other-ca")
    make_certificate(tls, "server", f"subjectAltName={names}\nextendedKeyUsage=serverAuth")
    make_certificate(tls, "client", "extendedKeyUsage=clientAuth")


def tls_configuration(tls: pathlib.Path, port: int) -> list[str]:
    required = os.environ.get("BROKER_TLS_REQUIRE_CERT", "false")
    if required not in ("true", "false"):
        sys.exit("broker_setup: BROKER_TLS_REQUIRE_CERT must be true or false")
    return [
        f"listeners.ssl.1 = {HOST}:{port}",
        f"ssl_options.cacertfile = {tls}/ca.pem",
        f"ssl_options.certfile = {tls}/server.pem",
        f"ssl_options.keyfile = {tls}/server-key.pem",
        "ssl_options.verify = verify_peer",
        f"ssl_options.fail_if_no_peer_cert = {required}",
    ]


def environment(args: argparse.Namespace, port: int, tls_port: int) -> dict[str, str]:
    values = {"HOST": HOST, "PORT": str(port), "USER": USER, "PASS": PASSWORD, "VHOST": args.vhost}
    tls = args.dir / "tls"
    files = {"CA": "ca", "CERT": "client", "KEY": "client-key", "OTHER_CA": "other-ca"}
    values["TLS_PORT"] = str(tls_port) if args.tls else ""
    for key, name in files.items():
        values[f"TLS_{key}"] = f"{tls}/{name}.pem" if args.tls else ""
    return values


def shell_quote(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def write(args: argparse.Namespace) -> None:
    port, dist_port, tls_port = free_ports(3)
    for name in ("home", "log", "conf.d", "mnesia"):
        shutil.rmtree(args.dir / name, ignore_errors=True)
        (args.dir / name).mkdir()
    link_rabbitmq(args.dir / "rabbitmq")
    configuration = [
        f"listeners.tcp.1 = {HOST}:{port}",
        "loopback_users = none",
        f"load_definitions = {args.dir}/definitions.json",
        f"vm_memory_high_watermark.absolute = {args.memory}",
        "disk_free_limit.absolute = 1MB",
        "log.file.level = info",
        "log.console = false",
    ]
    if args.tls:
        make_tls(args.dir / "tls", os.environ.get("BROKER_TLS_NAMES", "DNS:localhost,IP:127.0.0.1"))
        configuration += tls_configuration(args.dir / "tls", tls_port)
    configuration.append(os.environ.get("BROKER_EXTRA_CONF", ""))
    env = environment(args, port, tls_port)
    files = {
        "rabbitmq.conf": "\n".join(configuration) + "\n",
        "advanced.config": "[].\n",
        "enabled_plugins": "[].\n",
        "definitions.json": json.dumps(definitions(args.vhost)),
        "dist_port": f"{dist_port}\n",
        "env": "".join(f"BROKER_{key}={shell_quote(value)}\n" for key, value in env.items()),
    }
    for name, text in files.items():
        (args.dir / name).write_text(text, encoding="utf-8")
    cookie = args.dir / "home" / ".erlang.cookie"
    descriptor = os.open(cookie, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(16))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vhost", default="boss")
    parser.add_argument("--memory", default="512MB")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("dir", type=pathlib.Path)
    write(parser.parse_args())


if __name__ == "__main__":
    main()
