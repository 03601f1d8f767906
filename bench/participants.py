"""The workers that are compared: how each is started, stopped and found in /proc."""

import os
import pathlib
import subprocess
import sys

import procstat

TOP = pathlib.Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"
QUEUE = "bench_q"
STOP_LIMIT_S = 40


class Unavailable(Exception):
    """This worker cannot take part; the text says why."""


class Worker:
    """One process that answers QUEUE."""

    name = "?"

    def __init__(self, broker, home: pathlib.Path) -> None:
        self.broker = broker
        self.home = home
        self.process: "subprocess.Popen | None" = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def prepare(self) -> None:
        """Once, before the first round. Raises Unavailable."""

    def finish(self) -> None:
        """Once, after the last round."""

    def start(self) -> None:
        with open(self.home / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def pids(self) -> list[int]:
        return procstat.descendants(self.process.pid) if self.process else []


class Echo(Worker):
    name = "echo"

    def command(self) -> list[str]:
        return [str(self.broker.programs / "echo_worker"), "--host", self.broker.address,
                "--vhost", self.broker.vhost, "--prefetch", "100", QUEUE]  # fmt: skip


class Pika(Worker):
    name = "pika"

    def command(self) -> list[str]:
        return [PYTHON, str(TOP / "bench/pika_worker.py"), "--host", self.broker.host, "--port",
                str(self.broker.port), "--vhost", self.broker.vhost, "--prefetch", "1", QUEUE]  # fmt: skip


class Skynet(Worker):
    """SkyNET in local mode, from the build tree; runsvdir stays up between the rounds."""

    name = "skynet"
    UP_LIMIT_S = 20
    TRACED = ("amqp-spool", "exo", "exo-python")

    def __init__(self, broker, home: pathlib.Path) -> None:
        super().__init__(broker, home)
        self.dir = home / "skynet"
        self.supervisor: "subprocess.Popen | None" = None

    def skynet(self, *arguments: str) -> None:
        what = "skynet " + " ".join(arguments)
        command = [str(TOP / "bin/skynet"), *arguments]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=60, check=False)  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"{what}: {error}") from error
        if done.returncode != 0:
            text = done.stdout.decode(errors="replace").strip()
            raise Unavailable(f"{what}: exit {done.returncode}: {text[-500:]}")

    def prepare(self) -> None:
        if not os.access(TOP / "bin/skynet", os.X_OK):
            raise Unavailable("bin/skynet is not there")
        password = self.home / "password"
        password.write_text(self.broker.password + "\n", encoding="utf-8")
        password.chmod(0o600)
        self.skynet("local", "init", str(self.dir), "--amqp", self.broker.address, "--vhost", self.broker.vhost,
                    "--user", self.broker.user, "--password-file", str(password))  # fmt: skip
        self.up()
        self.skynet("--home", str(self.dir), "install", "-n", QUEUE, "-q", QUEUE, str(TOP / "bench/noop.py"))
        self.stop()

    def up(self) -> None:
        """Returns when everything runs: the bridge, too, which `stop` must find."""
        command = [str(TOP / "bin/skynet"), "--home", str(self.dir), "local", "up"]
        with open(self.home / "skynet.log", "ab") as log:
            self.supervisor = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            code = self.supervisor.wait(self.UP_LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"skynet local up: not up after {self.UP_LIMIT_S} s") from error
        if code != 0:
            raise Unavailable(f"skynet local up: exit {code}, see {self.home}/skynet.log")

    def finish(self) -> None:
        if self.supervisor is None:
            return
        try:
            self.skynet("--home", str(self.dir), "local", "down")
        except Unavailable as error:
            print(error, file=sys.stderr)
        self.supervisor = None

    # The bridge, too: it takes workitems from the queue also while the participant is down.
    def start(self) -> None:
        self.skynet("--home", str(self.dir), "start", "amqp-spool", QUEUE)

    def stop(self) -> None:
        if self.supervisor is not None:
            self.skynet("--home", str(self.dir), "stop", QUEUE, "amqp-spool")

    def pids(self) -> list[int]:
        try:
            root = int((self.dir / "run/runsvdir.pid").read_text())
        except (FileNotFoundError, ValueError):
            return []
        return procstat.descendants(root) if procstat.alive(root) else []

    def traced_pids(self) -> list[int]:
        kinds = procstat.per_pid(self.pids(), lambda _pid: 0)
        return [pid for pid, (kind, _) in kinds.items() if kind in self.TRACED]


ALL = (Echo, Pika, Skynet)
