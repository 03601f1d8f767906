"""The exoskeleton around a participant's code, step by step.

A service may name a class of its own (`exo_class = module:Class`, the module beside the
participant's code, or that code itself): a subclass of Exo that changes one of these steps.
skynet-exo(3) tells what each may do.
"""

import os
import sys
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence

from RuoteAMQP._json import encode
from RuoteAMQP.workitem import Workitem

from ._control import ParticipantCtrl, WorkItemCtrl

if TYPE_CHECKING:
    import logging
    from configparser import ConfigParser

LOG_HANDLER = "SkyNET"
NO_ANSWER = object()  # of cancel() and status(): the handler has no such method


class Exo:
    """Runs one ParticipantHandler.

    The worker calls, in this order and on its main thread: `configure()`,
    `load_handler()` once, `start()` once, `handle(wid)` per workitem; and on its
    control thread, at any time after `start()`: `cancel`, `status`, `stop`, `die`.
    An exception from one of the first three ends the worker; one from `handle`
    becomes an error reply; one from the others is logged.

    name, code      the participant's name, the path of its Python file
    config          ConfigParser, after configure()
    log             Logger named after the participant, after configure()
    handler         the ParticipantHandler, after load_handler()
    """

    config: "ConfigParser"
    log: "logging.Logger"
    handler: Any = None

    def __init__(
        self,
        name: str,
        code: str,
        config_files: Sequence[str] = (),
        emit: Optional[Callable[[str, bytes], None]] = None,
    ) -> None:
        self.name = name
        self.code = os.path.abspath(code)
        self.config_files = list(config_files)
        self._emit = emit

    def configure(self) -> None:
        """Read the configuration and make the logger, at the level that it says."""
        from . import _config

        self.log = make_logger(self.name)
        self.config = _config.load(self.config_files, self.log)
        level = _config.log_level(self.config)
        self.log.setLevel(level)
        catch_all(level)

    def load_handler(self) -> Any:
        """Import the code, construct its ParticipantHandler, inject log and send_to_engine.

        Returns the handler, also in `self.handler`. Whatever the code raises propagates;
        ImportError if it defines no ParticipantHandler.
        """
        self.handler = self._import()()
        self.handler.log = self.log
        self.handler.send_to_engine = self.send_to_engine
        return self.handler

    def check(self) -> None:
        """Would the code load? In a process of its own, before a reload: import, no more.

        After configure(). The handler is neither constructed nor started: the one that
        runs has what it would want for itself. What this raises refuses the reload.
        """
        self._import()

    def start(self) -> None:
        """Tell the handler "start". An exception here is fatal."""
        self.lifecycle("start")

    def handle(self, wid: Workitem) -> None:
        """Work on one workitem. What this raises is the error reply."""
        self.handler.handle_wi(wid)

    def stop(self) -> None:
        """Tell the handler "stop": no more work comes after what is running."""
        self.lifecycle("stop")

    def die(self) -> None:
        """Tell the handler "die": the process ends in a few seconds."""
        self.lifecycle("die")

    def cancel(self, wid: Optional[Workitem]) -> Any:
        """Tell the handler that a workitem is not wanted any more.

        wid: the very object that handle_wi works on, if it does; None if it is not
        known which workitem is meant. Returns the handler's answer or NO_ANSWER.
        """
        return self._enquire("cancel", wid)

    def status(self, wid: Optional[Workitem]) -> Any:
        """Ask the handler how a workitem is doing. As cancel()."""
        return self._enquire("status", wid)

    def send_to_engine(self, wid: Any) -> None:
        """Send a workitem (Workitem or dict) before the reply.

        TypeError, ValueError: not JSON. OSError: it cannot be stored.
        """
        if isinstance(wid, Workitem):
            wid = wid.to_h()
        if not isinstance(wid, dict):
            raise TypeError(f"a workitem is sent to the engine, not {type(wid).__name__}")
        body = encode(wid)
        if self._emit is None:
            raise RuntimeError("send_to_engine works only inside a running participant")
        self._emit("message", body)

    def _import(self) -> Any:
        """The class ParticipantHandler of the code."""
        module = sys.modules.get(type(self).__module__)
        if not same_file(getattr(module, "__file__", None), self.code):
            module = import_file(self.code)  # else the code brought its own Exo along
        if not hasattr(module, "ParticipantHandler"):
            raise ImportError(f"{self.code} defines no class ParticipantHandler")
        return getattr(module, "ParticipantHandler")

    def lifecycle(self, message: str) -> None:
        """Hand a lifecycle message to the handler, if it listens to them."""
        listen = getattr(self.handler, "handle_lifecycle_control", None)
        if listen is not None:
            listen(ParticipantCtrl(message, self.config))

    def _enquire(self, message: str, wid: Optional[Workitem]) -> Any:
        method = getattr(self.handler, message, None)
        if callable(method):
            return method(wid)
        method = getattr(self.handler, "handle_wi_control", None)
        if method is None:
            return NO_ANSWER
        return method(WorkItemCtrl(message, wid))


def make_logger(name: str) -> "logging.Logger":
    """The participant's logger: to stderr, which exo tags and hands to the log."""
    import logging

    log = logging.getLogger(name)
    others = [h for h in log.handlers if h.get_name() != LOG_HANDLER]
    log.handlers[:] = [_to_stderr("%(levelname)s %(message)s"), *others]
    log.propagate = False
    log.setLevel(logging.INFO)
    return log


def catch_all(level: int) -> None:
    """Loggers that nobody gave a handler, as modules have them: to stderr from `level` on.

    They are not configured for that: logging.basicConfig() in the code still works,
    and wins.
    """
    import logging

    logging.getLogger().setLevel(level)
    logging.lastResort = _to_stderr("%(levelname)s %(name)s: %(message)s")


def _to_stderr(form: str) -> Any:
    import logging

    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(logging.Formatter(form))
    out.set_name(LOG_HANDLER)
    return out


def same_file(one: Optional[str], other: str) -> bool:
    """Are these two paths one file? False if there is no such file."""
    try:
        return one is not None and os.path.samefile(one, other)
    except OSError:
        return False


def import_file(path: str) -> Any:
    """Import a Python file under its own name; its directory must be on sys.path.

    A name that is taken (a participant in json.py) leaves the other module in place.
    """
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_loader

    name = os.path.splitext(os.path.basename(path))[0]
    if name in sys.modules:
        name = f"participant_{name}"
    spec = spec_from_loader(name, SourceFileLoader(name, path))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def find_class(name: str) -> type[Exo]:
    """The exo class: "" is Exo, "module:Class" a subclass of it. ValueError, TypeError."""
    if not name:
        return Exo
    from importlib import import_module

    module, _, cls = name.partition(":")
    if not module or not cls:
        raise ValueError(f"exo_class is module:Class, not {name!r}")
    found = getattr(import_module(module), cls)
    if not (isinstance(found, type) and issubclass(found, Exo)):
        raise TypeError(f"exo_class {name} is no subclass of SkyNET.Exo")
    return found
