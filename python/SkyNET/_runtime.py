"""What the C worker program calls: one Worker per process. Not for participants.

run() is on the path of every workitem: no logging, no import, no copy there unless
something went wrong.
"""

import os
import sys
from os import getpid
from typing import Any, Callable, NoReturn, Optional

from RuoteAMQP import launcher
from RuoteAMQP._json import decode, encode
from RuoteAMQP.workitem import Workitem, forgets

from . import _exo

Outcome = tuple[str, str, bytes]


class Worker:
    """Runs one participant's handler on one workitem at a time.

    name          the participant's
    code          path of its Python file
    config_files  ini files, low precedence first; missing ones are skipped
    emit          emit(kind, body): takes a "message" or "launch" item into the spool;
                  raises OSError, which goes to the handler
    exo_class     "" or "module:Class", a subclass of SkyNET.Exo
    """

    def __init__(
        self,
        name: str,
        code: str,
        config_files: list[str],
        emit: Callable[[str, bytes], None],
        exo_class: str = "",
    ) -> None:
        self._args = (name, code, config_files, emit)
        self._exo_class = exo_class
        self._current: Optional[tuple[str, Workitem]] = None
        self._pid = 0
        self._error_class = ""

    def load(self, check: bool = False) -> None:
        """Import and start the handler. Every exception propagates and is fatal.

        check: only see whether the code loads; no handler is made.
        """
        self._pid = getpid()
        try:
            self._load(check)
        except BaseException as exc:
            if getpid() != self._pid:
                _end_child(exc)
            raise
        if getpid() != self._pid:
            _end_child(None)
        _flush()

    def _load(self, check: bool) -> None:
        from . import _config

        _set_streams()
        if hasattr(sys, "set_int_max_str_digits"):
            sys.set_int_max_str_digits(0)  # the engine knows no such limit
        _, code, _, emit = self._args
        directory = os.path.dirname(os.path.abspath(code))
        if sys.path[:1] != [directory]:
            sys.path.insert(0, directory)
        origin = os.path.dirname(os.path.realpath(code))  # install makes a link
        if origin not in sys.path:
            sys.path.append(origin)
        self._exo = _exo.find_class(self._exo_class)(*self._args)
        launcher.set_emit(emit)
        self._exo.configure()
        self._error_class = _config.error_class(self._exo.config, self._exo.log)
        if check:
            self._exo.check()
            return
        self._exo.load_handler()
        self._exo.start()

    def run(self, body: bytes, leaf: str = "", parsed: Any = None) -> Outcome:
        """Work on one workitem; returns (outcome, send, reply).

        leaf: what control() calls this workitem: NAME,aN.
        parsed: what body holds; None if that is not known yet. It is changed.

        outcome "ok" or "error"; send "reply", or "nothing" if the engine does not
        wait for one; reply is the body in either case. Never raises.
        """
        item = None
        forget = False
        try:
            item = _checked(decode(body) if parsed is None else parsed)
            wid = Workitem(item)
            forget = forgets(item)
            self._current = (leaf, wid)
            fields = item["fields"]
            if "debug_trace" in fields or _dump_wanted(fields):
                self._debug(wid)
            self._exo.handle(wid)
            if getpid() != self._pid:
                _end_child(None)
            outcome, reply = self._finish(item)
        except BaseException as exc:
            if getpid() != self._pid:
                _end_child(exc)
            outcome, reply = "error", self._fail(exc, item, body)
        self._current = None
        _flush()
        if forget or (item is not None and forgets(item)):
            return outcome, "nothing", reply
        return outcome, "reply", reply

    def control(self, message: str, leaf: Optional[str] = None) -> Optional[bytes]:
        """Serve a control message, on another thread than run(); returns a JSON answer.

        message  "stop", "die": the answer is None, or {"error": "Cls: text"};
                 "cancel", "status" about the workitem `leaf` (as run() was given it), or
                 None where it is not known which: {"answer": …}, {"error": "Cls: text"},
                 or {"absent": why} where there is none. Never raises.
        """
        reply = None
        try:
            reply = self._control(message, leaf)
            if getpid() != self._pid:
                _end_child(None)
        except BaseException as exc:
            if getpid() != self._pid:
                _end_child(exc)
            reply = self._control_failed(message, exc)
        _flush()
        return reply

    # -- a workitem

    def _finish(self, item: dict) -> tuple[str, bytes]:
        """What the handler left, as a reply. Raises what serialising it raises."""
        error = item.get("error")
        if not isinstance(item.get("fields"), dict):
            raise TypeError("the handler left fields that are no object")
        if error is None or error is False:
            return "ok", encode(item)
        from . import _errors

        item["error"] = _errors.from_handler(error, self._error_class)
        return "error", encode(item)

    def _fail(self, exc: BaseException, item: Optional[dict], body: bytes) -> bytes:
        from . import _errors

        error = _errors.from_exception(exc, self._error_class)
        try:
            self._exo.log.error("handle_wi: %s", error["message"], exc_info=exc)
        except BaseException:  # the reply matters more than the log
            pass
        return _errors.reply(item, body, error)

    def _debug(self, wid: Workitem) -> None:
        """What the workitem itself asks to see in the log, whatever the log level."""
        log = self._exo.log
        level = max(20, log.getEffectiveLevel())
        try:
            fields = wid.to_h()["fields"]
            if fields.get("debug_trace"):
                log.log(level, "workitem %s", _summary(wid))
            if _dump_wanted(fields):
                log.log(level, "%s", wid.dump())
        except Exception as exc:  # too deep to indent: not the handler's fault
            log.warning("debug_dump: %s: %s", type(exc).__name__, exc)

    # -- control

    def _control(self, message: str, leaf: Optional[str]) -> Optional[bytes]:
        if message in ("stop", "die"):
            getattr(self._exo, message)()
            return None
        if message not in ("cancel", "status"):
            raise ValueError(f"unknown control message {message!r}")
        wid = None
        if leaf is not None:
            current = self._current
            if current is None or current[0] != leaf:
                return encode({"absent": "finished meanwhile"})  # exo knows this very text
            wid = current[1]  # the very object that handle_wi works on
        answer = getattr(self._exo, message)(wid)
        if answer is _exo.NO_ANSWER:
            return encode({"absent": f"no {message}() in the handler"})
        return encode({"answer": answer})

    def _control_failed(self, message: str, exc: BaseException) -> bytes:
        from . import _errors

        text = _errors.message(exc)
        try:
            self._exo.log.error("%s: %s", message, text, exc_info=exc)
        except BaseException:  # a log that fails is no reason to lose the answer
            pass
        return encode({"error": text})


def _checked(item: Any) -> dict:
    if type(item) is not dict:
        raise ValueError("a workitem is a JSON object")
    if item.get("fields") is None:
        item["fields"] = {}  # a reply without them hangs the process
    if type(item["fields"]) is not dict:
        raise TypeError("fields is not an object")
    return item


def _dump_wanted(fields: dict) -> Any:
    params = fields.get("params")
    return fields.get("debug_dump") or (type(params) is dict and params.get("debug_dump"))


def _summary(wid: Workitem) -> str:
    """One line: which workitem, and the names of its fields, not their values."""
    import json

    words = {
        "wfid": wid.wfid,
        "expid": wid.fei.expid,
        "subid": wid.fei.subid,
        "wf_name": wid.wf_name,
        "participant": wid.participant_name,
        "fields": list(wid.fields),
        "params": list(wid.params),
    }
    return " ".join(f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in words.items())


def _set_streams() -> None:
    """Line by line, and never an encoding error that the code did not ask for."""
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        reconfigure = getattr(stream, "reconfigure", None)  # None, or a test's stand-in
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors=errors, line_buffering=True)


def _flush() -> None:
    """What was printed belongs to the workitem that is ending."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # closed or replaced by the handler, or nobody reads: not our error
            pass


def _end_child(exc: Optional[BaseException]) -> NoReturn:
    """A fork of the handler's came out of it: it must not answer a second time."""
    try:
        if exc is not None and not isinstance(exc, SystemExit):
            import traceback

            traceback.print_exception(type(exc), exc, exc.__traceback__)
        _flush()
    finally:
        os._exit(0)
