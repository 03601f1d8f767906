"""The workitem as a participant sees it, and the two views it hands out.

`Workitem` wraps the engine's JSON object; everything it returns is a view on the
live dict, so a change through any of them is in the reply.
"""

import json
from typing import Any, Iterator, Optional, Union

from ._json import unwrap


class DictAttrProxy:
    """A dict seen as an object: `p.x` is `d["x"]`, and None where there is none.

    Borrows the dict, never copies it. Only `as_dict` and `_d` are taken from the
    data's names (`p["as_dict"]` still reaches such a key): `items`, `keys`, `get`
    are data, and so this is no dict. It is always true, even when empty.
    """

    __slots__ = ("_d",)

    def __init__(self, d: dict) -> None:
        object.__setattr__(self, "_d", d)

    def as_dict(self) -> dict:
        """The live dict behind this view."""
        return self._d

    def __getattr__(self, name: str) -> Any:
        if name == "_d":  # not constructed: do not look for it in itself
            raise AttributeError(name)
        value = self._d.get(name)
        return DictAttrProxy(value) if type(value) is dict else value

    def __setattr__(self, name: str, value: Any) -> None:
        self._d[name] = _plain(value)

    def __delattr__(self, name: str) -> None:
        if name not in self._d:
            raise AttributeError(name)
        del self._d[name]

    def __getitem__(self, key: str) -> Any:
        return self._d[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._d[key] = _plain(value)

    def __delitem__(self, key: str) -> None:
        del self._d[key]

    def __contains__(self, key: object) -> bool:
        return key in self._d

    def __iter__(self) -> Iterator[str]:
        return iter(self._d)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (DictAttrProxy, dict)):
            return self._d == _plain(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # mutable, as a dict is

    def __repr__(self) -> str:
        return repr(self._d)

    def __copy__(self) -> "DictAttrProxy":
        return DictAttrProxy(self._d.copy())

    def __deepcopy__(self, memo: dict) -> "DictAttrProxy":
        from copy import deepcopy

        return DictAttrProxy(deepcopy(self._d, memo))

    def __reduce__(self) -> tuple:
        return DictAttrProxy, (self._d,)


def _plain(value: Any) -> Any:
    return value._d if type(value) is DictAttrProxy else value


class FlowExpressionId:
    """Which piece of work this is: `wfid`, `subid`, `expid`, `engine_id`.

    Takes whatever the engine sent, a useless string included: the attributes of
    what is no object are None, and only `fei[k]` raises (KeyError).
    """

    __slots__ = ("_fei",)

    def __init__(self, fei: Any) -> None:
        self._fei = fei

    def __getitem__(self, key: str) -> Any:
        if not isinstance(self._fei, dict):
            raise KeyError(key)
        return self._fei[key]

    def _get(self, key: str) -> Any:
        return self._fei.get(key) if isinstance(self._fei, dict) else None

    @property
    def wfid(self) -> Any:
        """The process instance."""
        return self._get("wfid")

    @property
    def subid(self) -> Any:
        """Tells two visits of one expression apart."""
        return self._get("subid")

    @property
    def expid(self) -> Any:
        """Where in the process, e.g. `0_0_1`."""
        return self._get("expid")

    @property
    def engine_id(self) -> Any:
        """Which engine."""
        return self._get("engine_id")

    @property
    def sid(self) -> Optional[str]:
        """`expid!subid!wfid`; None if the fei is no object."""
        if not isinstance(self._fei, dict):
            return None
        return "!".join(str(self._get(k) or "") for k in ("expid", "subid", "wfid"))

    def to_h(self) -> Any:
        """The fei as it came, live."""
        return self._fei

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FlowExpressionId):
            return bool(self._fei == other._fei)
        return self._fei == other if isinstance(other, dict) else NotImplemented

    def __hash__(self) -> int:
        try:
            if isinstance(self._fei, dict):
                return hash((self.wfid, self.subid, self.expid, self.engine_id))
            return hash(self._fei)
        except TypeError:  # lists where strings belong
            return 0

    def __repr__(self) -> str:
        return self.sid or repr(self._fei)


class Workitem:
    """One workitem.

    `msg`: JSON text (str, bytes, bytearray), or a dict, which is kept by reference.
    ValueError for text that is no JSON object, TypeError for any other type. The
    content is not looked at until it is asked for.
    """

    def __init__(self, msg: Union[str, bytes, bytearray, dict]) -> None:
        if not isinstance(msg, dict):
            if not isinstance(msg, (str, bytes, bytearray)):
                raise TypeError(f"a workitem is JSON text or a dict, not {type(msg).__name__}")
            msg = json.loads(msg)
            if not isinstance(msg, dict):
                raise ValueError("a workitem is a JSON object")
        self._h = msg

    def to_h(self) -> dict:
        """The live dict."""
        return self._h

    # -- fields

    def _fields(self) -> dict:
        return _child(self._h, "fields")

    @property
    def fields(self) -> DictAttrProxy:
        """A view on the fields. Absent or null ones become `{}`; TypeError if no object."""
        return DictAttrProxy(self._fields())

    @property
    def params(self) -> DictAttrProxy:
        """A view on `fields["params"]`, under the rules of `fields`."""
        return DictAttrProxy(_child(self._fields(), "params"))

    @property
    def result(self) -> Any:
        """`fields["__result__"]`: what the process sees as this step's result."""
        return self._fields().get("__result__")

    @result.setter
    def result(self, value: Any) -> None:
        self._fields()["__result__"] = _plain(value)

    @property
    def forget(self) -> bool:
        """Whether no reply is to be sent. Reading never raises; set it to a bool only."""
        return forgets(self._h)

    @forget.setter
    def forget(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"forget is True or False, not {type(value).__name__}")
        _child(self._fields(), "params")["forget"] = value

    def set_field(self, path: str, value: Any) -> None:
        """Set the field at a dotted path; dicts on the way are made where missing.

        TypeError if something on the way is there and is no dict.
        """
        *parents, last = path.split(".")
        node = self._fields()
        for key in parents:
            node = _child(node, key)
        node[last] = _plain(value)

    def lookup(self, path: str) -> Any:
        """The raw value of the field at a dotted path, None if there is none."""
        node: Any = self._h.get("fields")
        for key in path.split("."):
            if not isinstance(node, dict):
                return None
            node = node.get(key)
        return node

    lf = lookup

    # -- beside the fields

    @property
    def error(self) -> Any:
        """The top-level `error`. Anything but None and False makes the reply an error."""
        return self._h.get("error")

    @error.setter
    def error(self, value: Any) -> None:
        self._h["error"] = _plain(value)

    @property
    def trace(self) -> Any:
        """The top-level `trace`."""
        return self._h.get("trace")

    @trace.setter
    def trace(self, value: Any) -> None:
        self._h["trace"] = _plain(value)

    @property
    def fei(self) -> FlowExpressionId:
        """Which piece of work this is; never raises, whatever the engine sent."""
        return FlowExpressionId(self._h.get("fei"))

    @property
    def wfid(self) -> Any:
        """The process instance, None if unknown."""
        return self.fei.wfid

    @property
    def sid(self) -> Optional[str]:
        """`expid!subid!wfid`, None if unknown."""
        return self.fei.sid

    @property
    def wf_name(self) -> Optional[str]:
        """The name of the process definition."""
        return self._h.get("wf_name")

    @property
    def participant_name(self) -> Optional[str]:
        """The name under which the process called this participant."""
        return self._h.get("participant_name")

    @property
    def is_cancel(self) -> bool:
        """Whether this is a cancel item."""
        return bool(self._h.get("cancel"))

    @property
    def dispatched_at(self) -> Optional[str]:
        """When the engine sent it, in the engine's words."""
        return self.lookup("dispatched_at")

    @property
    def timed_out(self) -> Any:
        """What the engine says about an earlier time-out of this piece of work, or None."""
        return self.lookup("__timed_out__")

    # -- the whole

    def dump(self) -> str:
        """For people: sorted, indented JSON."""
        return json.dumps(self._h, sort_keys=True, indent=4, default=unwrap)

    __str__ = dump

    def dup(self) -> "Workitem":
        """A copy that shares nothing with this one."""
        from copy import deepcopy

        return type(self)(deepcopy(self._h))

    def __eq__(self, other: object) -> bool:
        return self.fei == other.fei if isinstance(other, Workitem) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fei)


def forgets(item: dict) -> bool:
    """Workitem.forget of a workitem's dict."""
    fields = item.get("fields")
    if not isinstance(fields, dict):
        return False
    params = fields.get("params")
    return isinstance(params, dict) and bool(params.get("forget"))


def _child(node: dict, key: str) -> dict:
    """The dict node[key], made if absent or null."""
    child = node.get(key)
    if isinstance(child, dict):
        return child
    if type(child) is DictAttrProxy:
        return child.as_dict()
    if child is not None:
        raise TypeError(f"{key!r} is {type(child).__name__}, not an object")
    node[key] = {}
    return node[key]
