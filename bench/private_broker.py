"""The broker of a bench run: tests/lib/broker.sh, and its queues through pika."""

import logging
import os
import pathlib
import subprocess
import time

import pika
import pika.exceptions
import procstat

LIB = pathlib.Path(__file__).resolve().parent.parent / "tests/lib"


class Broker:
    """A context manager: the broker runs inside the `with` block."""

    def __init__(self, home: pathlib.Path, programs: pathlib.Path) -> None:
        self.home = home
        self.programs = programs
        self.env: dict[str, str] = {}
        logging.getLogger("pika").setLevel(logging.CRITICAL)

    def __enter__(self) -> "Broker":
        try:
            self._shell("broker_start")
        except BaseException:
            self._shell("broker_kill")
            raise
        lines = (self.home / "env").read_text().splitlines()
        self.env = {key: value.strip("'") for key, _, value in (line.partition("=") for line in lines)}
        return self

    def __exit__(self, *_exception) -> None:
        self._shell("broker_kill")

    def _shell(self, function: str) -> None:
        # Two schedulers and memory for a flood of 16 KB workitems; tests make do with less. The load's password is fixed.
        settings = {"BROKER_SCHEDULERS": "2", "BROKER_MEMORY": "2GB", "BROKER_VHOST": "bench", "BROKER_PASSWORD": "boss"}
        subprocess.run(["sh", "-c", f'. "$BROKER_LIB/broker.sh" && {function} "$1"', "sh", str(self.home)],
                       env={**os.environ, "BROKER_LIB": str(LIB), **settings}, check=True)  # fmt: skip

    def cpu_ns(self) -> int:
        """Of the Erlang machine."""
        # The first: what it forks bears its name until it is another program.
        pid = next(child for child in procstat.descendants(int((self.home / "pid").read_text().split()[0]))
                   if procstat.command(child).startswith("beam"))  # fmt: skip
        return procstat.cpu_ns(pid)

    host = property(lambda self: self.env["BROKER_HOST"])
    port = property(lambda self: int(self.env["BROKER_PORT"]))
    vhost = property(lambda self: self.env["BROKER_VHOST"])
    user = property(lambda self: self.env["BROKER_USER"])
    password = property(lambda self: self.env["BROKER_PASS"])
    address = property(lambda self: f"{self.host}:{self.port}")

    def _connect(self) -> pika.BlockingConnection:
        credentials = pika.PlainCredentials(self.user, self.password)
        return pika.BlockingConnection(pika.ConnectionParameters(self.host, self.port, self.vhost, credentials))

    def delete_queues(self, *names: str) -> None:
        with self._connect() as connection:
            for name in names:
                connection.channel().queue_delete(name)

    def await_message(self, queue: str, limit_s: float) -> None:
        """Returns when `queue` exists and holds a message."""
        deadline = time.monotonic() + limit_s
        with self._connect() as connection:
            while time.monotonic() < deadline:
                try:
                    if connection.channel().queue_declare(queue, passive=True).method.message_count:
                        return
                except pika.exceptions.ChannelClosedByBroker:
                    pass  # not declared yet
                time.sleep(0.02)
        raise TimeoutError(f"nothing arrived in {queue}")
