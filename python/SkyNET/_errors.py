"""Error replies: what an exception says to the engine.

The engine hangs a process on an error reply that it cannot read, so everything
here ends in bytes it accepts, whatever the exception or the workitem is.
"""

import sys
from types import TracebackType
from typing import Any, Optional

from RuoteAMQP._json import decode, encode

from . import _exo

FRAMES_MAX = 100  # of a trace: the outermost and the innermost half


def message(exc: BaseException) -> str:
    """One line about an exception. Never raises."""
    name = type(exc).__name__
    try:
        return _message(exc, name)
    except BaseException:  # a broken __str__, .msg, …: user code
        return f"{name}: (its text cannot be had)"


def _message(exc: BaseException, name: str) -> str:
    urllib_error = sys.modules.get("urllib.error")  # an HTTPError without it there is none
    if urllib_error is not None and isinstance(exc, urllib_error.HTTPError):
        return f"HTTPError: {exc.code} {exc.filename}"
    if isinstance(exc, OSError):
        if exc.filename is not None:
            return f"{name}({exc.errno}): {exc.filename} {exc.strerror}"
        if exc.errno is not None:
            return f"{name}({exc.errno}): {exc.strerror}"
        return f"{name}: {exc}"
    if hasattr(exc, "msg"):
        return f"{name}: {exc.msg}"
    return f"{name}: {exc}"


def trace(tb: Optional[TracebackType]) -> list[str]:
    """The frames of a traceback, outermost first, without SkyNET's own at its head."""
    import linecache

    from . import _runtime

    ours = {_runtime.__file__, _exo.__file__}
    while tb is not None and tb.tb_frame.f_code.co_filename in ours:
        tb = tb.tb_next
    frames = []
    while tb is not None:
        frames.append((tb.tb_frame.f_code, tb.tb_lineno, tb.tb_frame.f_globals))
        tb = tb.tb_next
    if len(frames) > FRAMES_MAX:
        frames[FRAMES_MAX // 2 : -FRAMES_MAX // 2] = []
    lines = []
    for code, line, names in frames:
        text = linecache.getline(code.co_filename, line, names).strip()
        lines.append(f"{code.co_filename}:{line}: in `{f'{code.co_name} {text}'.rstrip()}'")
    return lines


def from_exception(exc: BaseException, error_class: str) -> dict:
    """{"class": str, "message": str, "trace": [str]} for an exception. Never raises."""
    try:
        lines = trace(exc.__traceback__)
    except BaseException:  # out of memory, a hostile loader: the message matters more
        lines = []
    return {"class": error_class, "message": message(exc), "trace": lines}


def from_handler(value: Any, error_class: str) -> dict:
    """The error that a handler put into its workitem itself, in a shape the engine takes."""
    from ._config import ERROR_CLASSES

    given = value if isinstance(value, dict) else {"message": value}
    text = given.get("message")
    lines = given.get("trace")
    return {
        **given,
        "class": given["class"] if given.get("class") in ERROR_CLASSES else error_class,
        "message": text if isinstance(text, str) else str(text),
        "trace": [str(x) for x in lines] if isinstance(lines, (list, tuple)) else [],
    }


def reply(item: Optional[dict], body: bytes, error: dict) -> bytes:
    """The error reply: `item` if it can be sent, else what `body` held. Never raises.

    `item` is the workitem as the handler left it, None if it never got one.
    """
    if item is not None:
        try:
            if isinstance(item.get("fields"), dict):
                item["error"] = error
                return encode(item)
        except BaseException:  # what the handler left cannot be sent
            pass
    try:
        return _unchanged(body, error)
    except BaseException as exc:
        text = body.strip()
        if isinstance(exc, (RecursionError, MemoryError)) and text[:1] + text[-1:] == b"{}":
            # Valid, but too much for Python: leave it as it is.
            return text[:-1] + b',"error":' + encode(error) + b"}"
        return _salvaged(body, error)


def _unchanged(body: bytes, error: dict) -> bytes:
    item = decode(body)
    if item.get("fields") is None:
        item["fields"] = {}
    if not isinstance(item["fields"], dict):
        raise TypeError("fields is not an object")
    item["error"] = error
    return encode(item)


def _salvaged(body: bytes, error: dict) -> bytes:
    """fei and the error are all that the engine needs; the last fei is the top-level one."""
    import json

    text = body.decode("utf-8", "replace")
    item = {"fields": {}, "error": error}
    at = text.rfind('"fei"')
    while at >= 0:
        try:
            colon = text.index(":", at + 5)
            rest = text[colon + 1 : colon + 4096].lstrip()
            fei = json.JSONDecoder().raw_decode(rest)[0]
            if isinstance(fei, dict):
                return encode({"fei": fei, **item})
        except (ValueError, RecursionError):
            pass
        at = text.rfind('"fei"', 0, at)
    return encode(item)
