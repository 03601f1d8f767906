"""Tests of a handler, with pytest or unittest, without SkyNET running.

    from SkyNET.testing import run
    reply = run("hello.py", "workitem.json")
    assert reply.fields.greeting == "hello world"

The handler is loaded, started and called as its worker would do it, and the reply has
been JSON in between. A workitem is a file (one that the spool kept, say), bytes, a dict,
a Workitem, or what workitem() makes. To see more than one, or to ask it while it works:

    with Participant("hello.py", config={"greeting": {"text": "hi"}}) as hello:
        work = hello.begin(workitem(name="world"))
        print(work.status())
        work.cancel()
        assert work.reply().error["message"] == "RuntimeError: cancelled"
"""

import errno
import json
import logging
import os
import tempfile
import threading
from configparser import ConfigParser
from types import TracebackType
from typing import Any, Optional, Union

from RuoteAMQP import launcher
from RuoteAMQP._json import encode
from RuoteAMQP.workitem import DictAttrProxy, Workitem

from ._runtime import Worker

Path = Union[str, "os.PathLike[str]"]
Item = Union[Path, bytes, dict, Workitem]
Config = Union[None, Path, dict, ConfigParser]

FEI = {
    "engine_id": "engine",
    "wfid": "20261122-1052-gomozuni-pebugure",
    "subid": "9c3a0f951a14a8bdf4df93bfb78c3fec",
    "expid": "0_0_0",
}
TIMEOUT_S = 30.0


class NoAnswer(LookupError):
    """The handler has no such method, or its work is finished."""


class Reply:
    """What came of one workitem.

    outcome    "ok" or "error"
    send       "reply", or "nothing" (the workitem said forget)
    body       the bytes that would be sent
    sent       the workitems that went to send_to_engine, in order
    launched   the items that went to Launcher.launch: dicts
    log        the log lines meanwhile, "LEVEL text", from any thread and any logger
    """

    def __init__(
        self,
        result: tuple[str, str, bytes],
        emitted: list[tuple[str, dict]],
        log: list[str],
    ) -> None:
        self.outcome, self.send, self.body = result
        self.sent = [Workitem(item) for kind, item in emitted if kind == "message"]
        self.launched = [item for kind, item in emitted if kind == "launch"]
        self.log = log
        self.workitem = Workitem(self.body)

    @property
    def fields(self) -> DictAttrProxy:
        """The fields of the reply."""
        return self.workitem.fields

    @property
    def params(self) -> DictAttrProxy:
        """The params of the reply."""
        return self.workitem.params

    @property
    def result(self) -> Any:
        """The result of the reply."""
        return self.workitem.result

    @property
    def error(self) -> Optional[dict]:
        """{"class", "message", "trace"} of an error reply, else None."""
        return self.workitem.error if self.outcome == "error" else None

    def __repr__(self) -> str:
        return f"<Reply {self.outcome} {self.body.decode()}>"


class Work:
    """A workitem that is being worked on, on a thread of its own (a worker uses its main one)."""

    def __init__(self, participant: "Participant", body: bytes, leaf: str) -> None:
        self._participant = participant
        self._leaf = leaf
        self._reply: Optional[Reply] = None
        self._thread = threading.Thread(target=self._run, args=(body,), daemon=True)
        self._thread.start()

    def _run(self, body: bytes) -> None:
        self._reply = self._participant._run(body, self._leaf)

    def status(self) -> Any:
        """What the handler's status() answers. NoAnswer; RuntimeError for what it raised."""
        return self._participant._ask("status", self._leaf)

    def cancel(self) -> Any:
        """What the handler's cancel() answers. As status()."""
        return self._participant._ask("cancel", self._leaf)

    def reply(self, timeout: float = TIMEOUT_S) -> Reply:
        """Waits for the end. TimeoutError after `timeout` seconds."""
        self._thread.join(timeout)
        if self._reply is None:
            raise TimeoutError(f"handle_wi has not ended after {timeout} s")
        return self._reply


class Participant:
    """A handler, loaded and started; `with` stops it at the end.

    code        its Python file
    config      its configuration: a file, {section: {key: value}} as a file has them, or a
                ConfigParser
    name        the participant's, default: the file's
    exo_class   as in config.exo
    handler     the ParticipantHandler

    What its import or its start raises propagates.
    """

    def __init__(
        self, code: Path, config: Config = None, name: str = "", exo_class: str = ""
    ) -> None:
        code = os.path.abspath(code)
        self.name = name or os.path.splitext(os.path.basename(code))[0]
        self._emitted: Optional[list[tuple[str, dict]]] = None
        self._count = 0
        self._log = _Log(self.name)
        try:
            with tempfile.TemporaryDirectory() as directory:
                files = _config_files(config, directory)
                self._worker = Worker(self.name, code, files, self._emit, exo_class)
                self._worker.load()
        except BaseException:
            self._log.close()
            raise
        self.handler: Any = self._worker._exo.handler

    def run(self, item: Item) -> Reply:
        """Has the handler work on one workitem."""
        return self._run(_body(item), self._next())

    def begin(self, item: Item) -> Work:
        """The same on another thread, without waiting: one at a time."""
        return Work(self, _body(item), self._next())

    def cancel(self) -> Any:
        """A cancel that does not say of which workitem. What the handler's cancel(None) answers."""
        return self._ask("cancel", None)

    def stop(self) -> None:
        """Tells it "stop"."""
        self._worker.control("stop")

    def die(self) -> None:
        """Tells it "die"."""
        self._worker.control("die")

    @property
    def log(self) -> list[str]:
        """All log lines so far."""
        return self._log.lines

    def __enter__(self) -> "Participant":
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        exc: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.stop()
        self._log.close()
        launcher.set_emit(None)

    def _next(self) -> str:
        self._count += 1
        return f"{self.name}.{self._count},a1"

    def _run(self, body: bytes, leaf: str) -> Reply:
        launcher.set_emit(self._emit)
        start = len(self._log.lines)
        emitted = self._emitted = []
        try:
            result = self._worker.run(body, leaf)
        finally:
            self._emitted = None
        return Reply(result, emitted, self._log.lines[start:])

    def _emit(self, kind: str, body: bytes) -> None:
        if self._emitted is None:  # as the worker has it: nothing would send it
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._emitted.append((kind, json.loads(body)))

    def _ask(self, message: str, leaf: Optional[str]) -> Any:
        answer = json.loads(self._worker.control(message, leaf) or b"{}")
        if "error" in answer:
            raise RuntimeError(answer["error"])
        if "answer" not in answer:
            raise NoAnswer(answer.get("absent", "no answer"))
        return answer["answer"]


def run(
    code: Path, item: Item, config: Config = None, name: str = "", exo_class: str = ""
) -> Reply:
    """Loads and starts the handler, has it work on one workitem, stops it: the reply."""
    with Participant(code, config, name, exo_class) as participant:
        return participant.run(item)


def workitem(params: Optional[dict] = None, **fields: Any) -> Workitem:
    """A workitem as an engine would send it, with these fields."""
    return Workitem(
        {
            "fields": {**fields, "params": params or {}},
            "fei": dict(FEI),
            "wf_name": "test",
            "participant_name": "test",
            "re_dispatch_count": 0,
        }
    )


class _Log(logging.Handler):
    """Keeps the lines of the participant's logger and of all that have no handler of their own."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self._root = logging.getLogger()
        self._before = (self._root.level, logging.lastResort)
        self._loggers = [self._root, logging.getLogger(name)]
        for logger in self._loggers:
            logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def close(self) -> None:
        for logger in self._loggers:
            logger.removeHandler(self)
        level, logging.lastResort = self._before
        self._root.setLevel(level)
        super().close()


def _body(item: Item) -> bytes:
    if isinstance(item, Workitem):
        item = item.to_h()
    if isinstance(item, dict):
        return encode(item)
    if isinstance(item, bytes):
        return item
    with open(item, "rb") as file:
        return file.read()


def _config_files(config: Config, directory: str) -> list[str]:
    if config is None:
        return []
    if isinstance(config, (str, os.PathLike)):
        os.stat(config)  # a worker skips what is missing; a test means it
        return [os.path.abspath(config)]
    if isinstance(config, dict):
        parser = ConfigParser(interpolation=None)
        parser.read_dict(config)
        config = parser
    path = os.path.join(directory, "test.conf")
    with open(path, "w", encoding="utf-8") as file:
        config.write(file)
    return [path]
