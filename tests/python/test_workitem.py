"""Workitem and FlowExpressionId: every row of PROTOCOL 3.2."""

import json

import pytest
from RuoteAMQP import DictAttrProxy, FlowExpressionId, Workitem

FEI = {"engine_id": "e", "wfid": "w", "subid": "s", "expid": "0_1"}


@pytest.mark.parametrize("kind", [str, bytes, bytearray])
def test_text_is_parsed(kind):
    text = '{"fields":{"x":"ä"}}'
    assert Workitem(text if kind is str else kind(text.encode())).fields.x == "ä"


def test_a_dict_is_kept_by_reference(item):
    assert Workitem(item).to_h() is item


@pytest.mark.parametrize("fei", [1, "#<Ruote::HashWrapper:0x0>", None, [], {}, {"wfid": []}])
def test_fei_is_not_validated(fei):
    wid = Workitem({"fei": fei})
    assert wid.fei.to_h() == fei
    assert wid.fei.subid is None
    assert isinstance(hash(wid), int)
    repr(wid.fei)


@pytest.mark.parametrize("text", ["[1]", "1", "null", "not JSON", ""])
def test_what_is_no_object_is_a_value_error(text):
    with pytest.raises(ValueError):
        Workitem(text)


@pytest.mark.parametrize("value", [None, 1, []])
def test_other_types_are_a_type_error(value):
    with pytest.raises(TypeError):
        Workitem(value)


def test_fields_and_params_are_fresh_views(item):
    wid = Workitem(item)
    assert type(wid.fields) is DictAttrProxy
    assert wid.fields is not wid.fields
    assert wid.fields.as_dict() is item["fields"]
    assert wid.params.as_dict() is item["fields"]["params"]
    wid.params.task = "z"
    assert item["fields"]["params"]["task"] == "z"


@pytest.mark.parametrize("h", [{}, {"fields": None}, {"fields": {}}, {"fields": {"params": None}}])
def test_absent_fields_and_params_can_be_written(h):
    wid = Workitem(h)
    wid.params.x = 1
    assert h["fields"]["params"] == {"x": 1}


@pytest.mark.parametrize("fields", [1, "s", [], {"params": 3}])
def test_fields_that_are_no_object(fields):
    with pytest.raises(TypeError):
        Workitem({"fields": fields}).params


def test_result():
    wid = Workitem({"fields": {}})
    assert wid.result is None
    wid.result = [1]
    assert wid.to_h()["fields"]["__result__"] == [1]
    assert wid.result == [1]


@pytest.mark.parametrize(
    "h, forget",
    [
        ({}, False),
        ({"fields": None}, False),
        ({"fields": 1}, False),
        ({"fields": {"forget": True}}, False),
        ({"fields": {"params": None}}, False),
        ({"fields": {"params": []}}, False),
        ({"fields": {"params": {}}}, False),
        ({"fields": {"params": {"forget": False}}}, False),
        ({"fields": {"params": {"forget": ""}}}, False),
        ({"fields": {"params": {"forget": 1}}}, True),
        ({"fields": {"params": {"forget": "yes"}}}, True),
        ({"fields": {"params": {"forget": True}}}, True),
    ],
)
def test_forget_reads_truthiness_and_never_raises(h, forget):
    before = json.dumps(h)
    assert Workitem(h).forget is forget
    assert json.dumps(h) == before


@pytest.mark.parametrize("value", [True, False])
def test_forget_is_set(value):
    wid = Workitem({"fields": {}})
    wid.forget = value
    assert wid.to_h() == {"fields": {"params": {"forget": value}}}


@pytest.mark.parametrize("value", [1, 0, None, "true"])
def test_forget_is_set_to_bool_only(value):
    with pytest.raises(TypeError):
        Workitem({"fields": {}}).forget = value


@pytest.mark.parametrize("name", ["error", "trace"])
def test_top_level_keys(name):
    wid = Workitem({"fields": {}})
    assert getattr(wid, name) is None
    setattr(wid, name, "v")
    assert wid.to_h() == {"fields": {}, name: "v"}
    assert getattr(wid, name) == "v"


def test_dump_and_str(item):
    text = json.dumps(item, sort_keys=True, indent=4)
    assert Workitem(item).dump() == text
    assert str(Workitem(item)) == text


def test_dup_is_deep(item):
    wid = Workitem(item)
    twin = wid.dup()
    assert type(twin) is Workitem
    twin.params.h.a.b = 1
    assert wid.params.h.a.b is None
    assert twin == wid


def test_set_field_creates_dicts():
    wid = Workitem({"fields": {"a": {"k": 1}, "null": None}})
    wid.set_field("a.b.c", 2)
    wid.set_field("top", 3)
    wid.set_field("null.x", 4)
    wid.set_field("proxy", wid.fields.a)
    fields = wid.to_h()["fields"]
    assert fields == {
        "a": {"k": 1, "b": {"c": 2}},
        "null": {"x": 4},
        "top": 3,
        "proxy": {"k": 1, "b": {"c": 2}},
    }
    assert type(fields["proxy"]) is dict


def test_set_field_does_not_overwrite_a_value_on_the_way():
    with pytest.raises(TypeError):
        Workitem({"fields": {"a": 1}}).set_field("a.b", 2)


@pytest.mark.parametrize("method", ["lookup", "lf"])
def test_lookup_is_raw_or_none(method):
    h = {"fields": {"a": {"b": {"c": 1}}, "s": "text"}}
    lookup = getattr(Workitem(h), method)
    assert lookup("a.b") is h["fields"]["a"]["b"]
    assert lookup("a.b.c") == 1
    for missing in ("x", "a.x", "a.b.c.d", "s.t", ""):
        assert lookup(missing) is None


def test_lookup_without_fields():
    assert Workitem({}).lookup("a.b") is None


def test_fei():
    wid = Workitem({"fei": FEI})
    assert wid.wfid == "w"
    assert wid.sid == "0_1!s!w"
    assert type(wid.fei) is FlowExpressionId
    assert wid.fei["wfid"] == "w"
    assert (wid.fei.wfid, wid.fei.subid, wid.fei.expid, wid.fei.engine_id) == ("w", "s", "0_1", "e")
    with pytest.raises(KeyError):
        wid.fei["nothing"]


def test_fei_that_is_a_string():
    wid = Workitem({"cancel": True, "fei": "#<Ruote>"})
    assert wid.wfid is None
    assert wid.sid is None
    with pytest.raises(KeyError):
        wid.fei["wfid"]


def test_headers():
    wid = Workitem(
        {
            "wf_name": "seq",
            "participant_name": "p1",
            "cancel": True,
            "fields": {"dispatched_at": "then", "__timed_out__": ["fei", "at"]},
        }
    )
    assert wid.wf_name == "seq"
    assert wid.participant_name == "p1"
    assert wid.is_cancel is True
    assert wid.dispatched_at == "then"
    assert wid.timed_out == ["fei", "at"]


@pytest.mark.parametrize("h", [{}, {"fields": None}, {"fields": {}}])
def test_headers_when_absent(h):
    wid = Workitem(h)
    assert wid.is_cancel is False
    for name in ("wf_name", "participant_name", "dispatched_at", "timed_out", "wfid", "sid"):
        assert getattr(wid, name) is None


def test_an_unknown_attribute():
    wid = Workitem({"fields": {}})
    with pytest.raises(AttributeError, match="^'Workitem' object has no attribute 'qa'$"):
        wid.qa
    wid.qa = 1
    assert wid.qa == 1
    assert wid.to_h() == {"fields": {}}


def test_equality_and_hash_are_by_fei():
    one = Workitem({"fei": dict(FEI), "fields": {"x": 1}})
    same = Workitem({"fei": dict(FEI), "fields": {"x": 2}})
    other = Workitem({"fei": {**FEI, "expid": "0_2"}})
    assert one == same and hash(one) == hash(same)
    assert one != other
    assert len({one, same, other}) == 2
    assert one != "0_1!s!w"
    assert one.fei == FEI
    assert one.fei == same.fei and hash(one.fei) == hash(same.fei)
