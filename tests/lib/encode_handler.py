"""Runs inside exo-python: its JSON encoder against json's own, on random and on awkward values."""

import collections
import enum
import json
import random

from RuoteAMQP import _json

ORACLE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Text(str):
    pass


class Number(enum.IntEnum):
    ONE = 1


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def cyclic():
    value = {"a": [1]}
    value["a"].append(value)
    return value


def awkward():
    """Value, and whether the fast encoder may answer."""
    shared = [1, 2]
    yield from ((v, True) for v in (
        {}, [], (), "", [[], {}, ()], True, False, None, 0, -1, 2**63 - 1, -(2**63), 0.1, 1.0, -0.0, 1e22, 1e-7, 1e16,
        123456789.123456789, 5e-324, 1.7976931348623157e308, "".join(map(chr, range(0x80))), "äöü ☃ 日本語 😀\u2028\x7f\x85",
        {"": "", "a.b": 1, 'q"\\': "\\"}, [shared, shared], nested(150), "x" * 100000, {"k" * 5000: ["y"] * 3000}))  # fmt: skip
    yield from ((v, False) for v in (
        2**63, -(2**63) - 1, 10**400, float("nan"), float("inf"), [float("-inf")], {1: 2}, {None: 1}, {True: 1}, {1.5: 1},
        Text("s"), {Text("k"): 1}, Number.ONE, collections.OrderedDict(a=1), b"bytes", {1, 2}, object(), "\ud800",
        {"\udfff": 1}, nested(250), cyclic()))  # fmt: skip


def random_value(r, depth=0):
    kind = r.randrange(9 if depth < 5 else 6)
    if kind == 0:
        return "".join(chr(r.choice((r.randrange(0x20), r.randrange(0x80), r.randrange(0x80, 0xD800),
                                     r.randrange(0x10000, 0x110000)))) for _ in range(r.randrange(20)))  # fmt: skip
    if kind < 3:
        return r.choice((r.randrange(-(2**70), 2**70), r.randrange(-100, 100)))
    if kind == 3:
        return r.choice((r.random(), r.uniform(-1e300, 1e300), float(r.randrange(100)), r.random() * 1e-300))
    if kind < 6:
        return r.choice((True, False, None, "plain"))
    if kind == 6:
        return [random_value(r, depth + 1) for _ in range(r.randrange(6))]
    if kind == 7:
        return tuple(random_value(r, depth + 1) for _ in range(r.randrange(4)))
    return {random_value_key(r): random_value(r, depth + 1) for _ in range(r.randrange(6))}


def random_value_key(r):
    return "".join(chr(r.randrange(0x20, 0x3000)) for _ in range(r.randrange(6)))


class ParticipantHandler:
    def handle_wi(self, wid):
        assert _json.fast_encode is not None, "exo-python did not bring its encoder"
        for value, may in awkward():
            got = _json.fast_encode(value)
            assert (got is not None) == may, f"{value!r:.100}: {got!r:.100}"
            if may:
                assert got == ORACLE.encode(value).encode(), f"{value!r:.100}: {got!r:.100}"
        r = random.Random(4711)
        fast = 0
        for _ in range(3000):
            value = random_value(r)
            got = _json.fast_encode(value)
            fast += got is not None
            assert got is None or got == ORACLE.encode(value).encode(), repr(value)[:500]
        assert fast > 1000
        wid.fields.compared = fast
