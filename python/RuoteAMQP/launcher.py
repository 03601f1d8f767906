"""Start a process on the engine from inside a participant."""

from typing import Any, Callable, Optional

from ._json import encode
from .workitem import DictAttrProxy

Emit = Callable[[str, bytes], None]

_emit: Optional[Emit] = None


def set_emit(emit: Optional[Emit]) -> None:
    """Say where launch items go: `emit("launch", body)`. None: nowhere (the default)."""
    global _emit
    _emit = emit


class Launcher:
    """Launches processes.

    The connection arguments are accepted and ignored, the password not even kept:
    a participant holds no broker credentials, its launch items travel through the
    spool like its replies.
    """

    def __init__(
        self,
        amqp_host: str = "localhost",
        amqp_user: str = "",
        amqp_pass: str = "",
        amqp_vhost: str = "",
        conn: Any = None,
    ) -> None:
        pass

    def launch(
        self, process: Any, fields: Optional[dict] = None, variables: Optional[dict] = None
    ) -> None:
        """Hand one launch item over; it is sent after handle_wi, before the reply.

        `process`: a definition (Ruby, XML or radial text, or a JSON tree).
        TypeError: `fields` or `variables` is neither empty nor a dict.
        TypeError, ValueError: they hold what JSON cannot. OSError: it cannot be stored.
        RuntimeError: not inside a participant.
        """
        item = {
            "definition": process,
            "fields": _dict("fields", fields),
            "variables": _dict("variables", variables),
        }
        body = encode(item)
        if _emit is None:
            raise RuntimeError(
                "launch works only inside a participant that SkyNET runs;"
                " in a unit test replace Launcher.launch"
            )
        _emit("launch", body)


def _dict(name: str, value: Any) -> dict:
    if isinstance(value, DictAttrProxy):
        return value.as_dict()
    if not value:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"{name} is a dict, not {type(value).__name__}")
    return value
