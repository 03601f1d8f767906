"""Runs inside exo-python: its JSON decoder against json's own, on random and on awkward texts."""

import json
import random

from RuoteAMQP import _json

from encode_handler import nested, random_value

ORACLE = json.JSONDecoder().decode

GOOD = (
    "{}", "[]", '""', "0", "-0", "-1", "12345", "999999999999999999", "1234567890123456789", "-" + "9" * 39, "1.5", "-0.0",
    "1e5", "1E+5", "1e-5", "0.1", "0e0", "1e999", "-1e999", "5e-324", "123456789.123456789", "true", "false", "null",
    ' \t\r\n[ 1 , 2 ,{ "a" : [ ] , "b" : { } } ] \t\r\n', '{"a":1,"b":2,"a":3}', '{"":{"":""}}', '"a"', '"ä"', '"日本語 😀 \x7f"',
    r'"\"\\\/\b\f\n\r\t"', r'"\u0041\u00e4\u65e5\ud83d\ude00\uD83D\uDE00\u0000"', r'{"\u0061":1,"a":2,"ä":3,"\n":4}', r'"\\"',
    '"' + "x" * 100000 + '"', '{"' + "k" * 64 + '":1,"' + "k" * 65 + '":2}', json.dumps(nested(190)),
    *('"' + "x" * n + end + '"' for n in range(40) for end in ("", "é", r"\n", r"\u00e9")))  # fmt: skip
LEFT = (
    "", " ", "NaN", "[Infinity]", "-Infinity", r'"\ud800"', r'"\udc00\ud800"', r'"\ud800x"', r'"\ud800\u0041"', "9" * 41, "0." + "1" * 40,
    json.dumps(nested(250)), "[" * 100000, "{", "[", "[1", "[1,", "[1,]", "[,1]", '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', "{1:2}", '{"a" 1}',
    "{a:1}", '"', '"a', '"\\', '"\\"', r'"\x"', r'"\u12"', r'"\u12g4"', r'"\u+123"', r'"\u 123"', '"\n"', '"\x00"', '"\x1f"', '"\\\n"', '"\\é"', "01", "-", "-01", "+1", ".5", "1.", "1.e5",
    "1e", "1e+", "0x1", "1 2", "[1 2]", "[1]]", "tru", "trux", "True", "nul", "nulll", "truefalse", "'a'", "\ufeff{}", "{}x", "\x0c1", "\xa01",
    *(f'"{chr(c)}"' for c in range(0x20)), *(f'"\\{chr(c)}"' for c in range(0x80) if chr(c) not in '"\\/bfnrt'))  # fmt: skip
BAD_UTF8 = (b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'{"\xe4":1}', b"\xff", b'"x\\n\xe4"')


def same(a, b):
    """Equal, of equal types, in the same order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)  # -0.0


def outcome(decode, body):
    try:
        return decode(body)
    except (ValueError, RecursionError) as exc:
        return f"{type(exc).__name__}: {exc}"


def compare(body):
    """Whether the fast decoder answered; whatever it says must be what json says."""
    got = _json.fast_decode(body)
    want = outcome(lambda b: ORACLE(b.decode()), body)
    assert got is NotImplemented or same(got, want), f"{body!r:.100}: {got!r:.100}"
    assert same(outcome(_json.decode, body), want), f"{body!r:.100}: not as json has it"
    return got is not NotImplemented


def damaged(r, body):
    """A few bytes of it changed, doubled or lost."""
    body = bytearray(body)
    for _ in range(r.randrange(1, 4)):
        at = r.randrange(len(body) + 1)
        body[at : at + r.randrange(3)] = bytes(r.choice(b'"\\{}[]:,0-.eu \x00\x1f\x80\xff') for _ in range(r.randrange(3)))
    return bytes(body)


def many_keys():
    """Large texts with the same keys again and again: umlauts, escapes, long ones, more than are kept."""
    for row in ('{"größe":1,"höhe":2}', r'{"gr\u00f6\u00dfe":1}', '{"' + "k" * 65 + '":1}', json.dumps({f"k{i}": i for i in range(600)})):
        yield ("[" + ",".join([row] * (100000 // len(row))) + "]").encode()


class ParticipantHandler:
    def handle_wi(self, wid):
        assert _json.fast_decode is not None, "exo-python did not bring its decoder"
        for text in GOOD:
            assert compare(text.encode()), text[:100]
        for body in [text.encode() for text in LEFT] + list(BAD_UTF8):
            assert not compare(body), body[:100]
        for body in many_keys():
            assert compare(body), body[:100]
            keys = [key for row in _json.fast_decode(body) for key in row]
            assert len(set(map(id, keys))) == len(set(keys)), f"{body[:100]}: equal keys take memory each"
        r = random.Random(4711)
        fast = 0
        for _ in range(3000):
            value = random_value(r)
            body = json.dumps(value, ensure_ascii=r.random() < 0.5, indent=r.choice((None, None, 1))).encode()
            fast += compare(body)
            compare(damaged(r, body))
        assert fast > 1000, fast
        wid.fields.compared = fast
