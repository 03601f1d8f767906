"""The control messages that a handler gets."""

from typing import TYPE_CHECKING, Any, Optional

from RuoteAMQP.workitem import Workitem

if TYPE_CHECKING:
    from configparser import ConfigParser


class _Ctrl:
    def __init__(self, message: str = "") -> None:
        self.message = message

    def start(self) -> bool:
        """Is the message "start"?"""
        return self.message == "start"

    def stop(self) -> bool:
        """Is the message "stop"?"""
        return self.message == "stop"

    def die(self) -> bool:
        """Is the message "die"?"""
        return self.message == "die"

    def __repr__(self) -> str:
        return f"ctrl: {self.message}"


class WorkItemCtrl(_Ctrl):
    """About one workitem: "cancel" or "status".

    `workitem`: the one in question, None if it is not known which is meant.
    """

    def __init__(self, message: str = "", workitem: Optional[Workitem] = None) -> None:
        super().__init__(message)
        self.workitem = workitem

    @property
    def wfid(self) -> Any:
        """The process of that workitem, None if unknown."""
        return None if self.workitem is None else self.workitem.wfid


class ParticipantCtrl(_Ctrl):
    """About the participant: "start", "stop", or "die" (the end is near).

    `config`: the participant's configuration, the same object each time.
    """

    def __init__(self, message: str = "", config: "Optional[ConfigParser]" = None) -> None:
        super().__init__(message)
        self.config = config
