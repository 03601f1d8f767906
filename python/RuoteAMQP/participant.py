"""The older, class-based shape of a participant, for code and tests that import it."""

from typing import Any, Optional, Union

from .launcher import Launcher
from .workitem import Workitem

_REGISTER = "Ruote.process_definition do sequence do boss_register end end"


class Participant:
    """Derive, define `consume()`, and read `self.workitem` in it.

    Nothing here connects to a broker: the connection arguments are accepted and
    ignored, and a test calls `receive()` where a broker would deliver.
    """

    def __init__(
        self,
        ruote_queue: str = "",
        amqp_host: str = "localhost",
        amqp_user: str = "",
        amqp_pass: str = "",
        amqp_vhost: str = "",
        conn: Any = None,
    ) -> None:
        self.queue = ruote_queue
        self._workitem: Optional[Workitem] = None

    @property
    def workitem(self) -> Optional[Workitem]:
        """The workitem being worked on; None before the first."""
        return self._workitem

    def consume(self) -> None:
        """Do the work. For the subclass to define."""
        raise NotImplementedError(f"{type(self).__name__} defines no consume()")

    def receive(self, msg: Union[Workitem, str, bytes, bytearray, dict]) -> Workitem:
        """Make `msg` the current workitem, consume() it, and return it as changed."""
        self._workitem = msg if isinstance(msg, Workitem) else Workitem(msg)
        self.consume()
        return self._workitem

    def register(self, name: str, queue: str = "") -> None:
        """Ask the engine to send work for `name` to `queue` (default: ours).

        A launch item: see Launcher.launch for where that works and what it raises.
        """
        Launcher().launch(_REGISTER, {"name": name, "queue": queue or self.queue or name})
