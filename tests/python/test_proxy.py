"""DictAttrProxy: every row of PROTOCOL 3.3."""

import copy
import json
import pickle
from collections import OrderedDict

import pytest
from RuoteAMQP import DictAttrProxy


@pytest.fixture
def d():
    return {"x": 1, "sub": {"y": 2, "deep": {}}, "list": [{"a": 1}, 2]}


@pytest.fixture
def p(d):
    return DictAttrProxy(d)


def test_missing_is_none(p):
    assert p.missing is None
    assert hasattr(p, "anything")


def test_exactly_a_dict_is_a_proxy(p, d):
    assert type(p.sub) is DictAttrProxy
    assert p.sub.as_dict() is d["sub"]
    assert p.sub.y == 2


@pytest.mark.parametrize("value", [OrderedDict(a=1), "s", 1, 1.5, None, True, ("t",)])
def test_any_other_type_comes_as_it_is(p, d, value):
    d["v"] = value
    assert p.v is value


def test_lists_are_live_and_their_dicts_plain(p, d):
    assert p.list is d["list"]
    assert type(p.list[0]) is dict
    p.list.append(3)
    assert d["list"][-1] == 3


def test_attributes_are_written_through(p, d):
    value = ["kept"]
    p.new = value
    p.sub.y = 5
    p.sub.deep.z = 6
    assert d["new"] is value
    assert d["sub"] == {"y": 5, "deep": {"z": 6}}


@pytest.mark.parametrize("key", ["Core:Testing", "", "a.b", "with space", "ключ", "__result__"])
def test_any_string_is_a_key(p, d, key):
    setattr(p, key, 1)
    assert d[key] == 1
    assert getattr(p, key) == 1


def test_always_true_and_without_length(p):
    assert bool(p)
    assert bool(DictAttrProxy({}))
    with pytest.raises(TypeError):
        len(p)


def test_membership_and_iteration_are_over_keys(p):
    assert "x" in p
    assert "y" not in p
    assert list(p) == ["x", "sub", "list"]
    assert [k for k in p] == ["x", "sub", "list"]


def test_subscript_is_raw(p, d):
    assert p["sub"] is d["sub"]
    assert type(p["sub"]) is dict
    p["new"] = 7
    assert d["new"] == 7
    with pytest.raises(KeyError):
        p["missing"]


def test_as_dict_is_live(p, d):
    assert p.as_dict() is d


@pytest.mark.parametrize("name", "items keys get values pop update copy clear".split())
def test_dict_method_names_are_data(p, d, name):
    assert getattr(p, name) is None
    setattr(p, name, "data")
    assert getattr(p, name) == "data"
    assert d[name] == "data"


def test_is_no_dict(p):
    assert not isinstance(p, dict)


def test_only_two_names_are_taken():
    public = {n for n in dir(DictAttrProxy) if not (n.startswith("__") and n.endswith("__"))}
    assert public == {"as_dict", "_d"}


@pytest.mark.parametrize("name", ["as_dict", "_d"])
def test_a_taken_name_is_still_a_key(p, d, name):
    setattr(p, name, 1)
    assert p[name] == 1
    assert p.as_dict() is d


def test_repr_and_str_as_the_dict(p, d):
    assert repr(p) == repr(d)
    assert str(p) == str(d)
    assert f"{p}" == str(d)


def test_json_through_as_dict(p, d):
    assert json.loads(json.dumps(p.as_dict())) == d
    assert json.loads(json.dumps({"p": p}, default=DictAttrProxy.as_dict)) == {"p": d}


def test_copy_is_shallow(p, d):
    q = copy.copy(p)
    assert type(q) is DictAttrProxy
    q.x = 2
    assert p.x == 1
    assert q["sub"] is d["sub"]


def test_deepcopy_shares_nothing(p, d):
    q = copy.deepcopy(p)
    assert type(q) is DictAttrProxy
    q.sub.y = 9
    assert d["sub"]["y"] == 2


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(p, d, protocol):
    q = pickle.loads(pickle.dumps(p, protocol))
    assert type(q) is DictAttrProxy
    assert q.as_dict() == d


def test_a_proxy_is_stored_as_its_dict(p, d):
    p.again = p.sub
    p["once_more"] = p.sub
    assert type(d["again"]) is dict
    assert d["again"] is d["sub"]
    assert d["once_more"] is d["sub"]


def test_delete(p, d):
    del p.x
    del p["list"]
    assert list(d) == ["sub"]
    with pytest.raises(AttributeError):
        del p.x
    with pytest.raises(KeyError):
        del p["x"]


def test_equality(p, d):
    assert p == d
    assert p == DictAttrProxy(dict(d))
    assert p != {"x": 2}
    assert p != 1


def test_unconstructed_does_not_recurse():
    with pytest.raises(AttributeError):
        DictAttrProxy.__new__(DictAttrProxy).x
