"""The one place that decides how a workitem becomes bytes and back.

Both directions sit on the path of every workitem, so the codecs are made once.
"""

import json
from typing import Any, Callable, Optional


def unwrap(value: Any) -> Any:
    """`default` of the encoders: a proxy counts as its dict, the rest is TypeError."""
    from .workitem import DictAttrProxy

    if isinstance(value, DictAttrProxy):
        return value.as_dict()
    name = type(value).__name__
    raise TypeError(f"Object of type {name} is not JSON serializable")


_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=unwrap
).encode
_encode_ascii = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=unwrap
).encode


# exo-python puts its own codec here; None and NotImplemented: it leaves that value to us.
fast_encode: Optional[Callable[[Any], Optional[bytes]]] = None
fast_decode: Optional[Callable[[bytes], Any]] = None


def decode(body: bytes) -> Any:
    """Parse a message body. ValueError (bad UTF-8, bad JSON) or RecursionError."""
    if fast_decode is not None:
        value = fast_decode(body)
        if value is not NotImplemented:
            return value
    return _decode(body.decode())


def encode(value: Any) -> bytes:
    """Compact JSON, raw UTF-8; a string that UTF-8 cannot hold goes out in \\u escapes.

    TypeError, ValueError (NaN, a cycle) or RecursionError for what JSON cannot hold.
    """
    if fast_encode is not None:
        body = fast_encode(value)
        if body is not None:
            return body
    text = _encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _encode_ascii(value).encode()
