"""Launcher and Participant: PROTOCOL 3.5, and the launch item of 1.6."""

import inspect
import json

import pytest
from RuoteAMQP import DictAttrProxy, Launcher, Participant, Workitem, launcher


@pytest.fixture
def sent():
    items = []
    launcher.set_emit(lambda kind, body: items.append((kind, body)))
    return items


def test_signature():
    names = list(inspect.signature(Launcher.__init__).parameters)
    assert names == ["self", "amqp_host", "amqp_user", "amqp_pass", "amqp_vhost", "conn"]
    assert inspect.signature(Launcher.__init__).parameters["conn"].default is None


def test_launch_hands_over_a_launch_item(sent):
    args = dict(amqp_host="h:5673", amqp_user="u", amqp_pass="secret", amqp_vhost="v")
    boss = Launcher(**args)
    boss.launch("Ruote.define {}", {"a": "ä"}, {"v": 1})
    text = '{"definition":"Ruote.define {}","fields":{"a":"ä"},"variables":{"v":1}}'
    assert sent == [("launch", text.encode())]
    assert "secret" not in repr(vars(boss))


def test_definition_may_be_a_tree(sent):
    Launcher().launch(["define", {}, []])
    assert json.loads(sent[0][1])["definition"] == ["define", {}, []]


@pytest.mark.parametrize("empty", [None, {}, [], "", 0])
@pytest.mark.parametrize("name", ["fields", "variables"])
def test_empty_values_become_objects(sent, name, empty):
    Launcher().launch("d", **{name: empty})
    assert json.loads(sent[0][1]) == {"definition": "d", "fields": {}, "variables": {}}


@pytest.mark.parametrize("bad", ["x", [1], 1, True])
@pytest.mark.parametrize("name", ["fields", "variables"])
def test_what_is_no_dict_is_a_type_error(sent, name, bad):
    with pytest.raises(TypeError, match=name):
        Launcher().launch("d", **{name: bad})
    assert sent == []


def test_proxies_are_taken_as_their_dicts(sent):
    Launcher().launch("d", DictAttrProxy({"a": 1}), DictAttrProxy({}))
    assert json.loads(sent[0][1]) == {"definition": "d", "fields": {"a": 1}, "variables": {}}


@pytest.mark.parametrize("value, error", [({1}, TypeError), (float("nan"), ValueError)])
def test_what_json_cannot_hold_is_the_callers_error(sent, value, error):
    with pytest.raises(error):
        Launcher().launch("d", {"x": value})
    assert sent == []


def test_emit_errors_reach_the_caller():
    def full(kind, body):
        raise OSError(28, "No space left on device")

    launcher.set_emit(full)
    with pytest.raises(OSError):
        Launcher().launch("d")


def test_outside_a_participant_it_says_so():
    with pytest.raises(RuntimeError, match="inside a participant"):
        Launcher().launch("d")


def test_participant_consumes_what_a_test_gives_it():
    class Mine(Participant):
        def consume(self):
            self.workitem.result = self.workitem.fields.x

    mine = Mine("q", amqp_host="h", amqp_user="u", amqp_pass="p", amqp_vhost="v")
    assert mine.workitem is None
    out = mine.receive('{"fields":{"x":4}}')
    assert isinstance(out, Workitem)
    assert out.result == 4
    assert mine.workitem is out
    assert mine.receive(out) is out


def test_participant_without_consume():
    with pytest.raises(NotImplementedError):
        Participant().receive({})


@pytest.mark.parametrize("queue, expected", [("", "mine"), ("other", "other")])
def test_register_is_a_launch(sent, queue, expected):
    Participant("mine").register("name", queue)
    kind, body = sent[0]
    assert kind == "launch"
    item = json.loads(body)
    assert item["fields"] == {"name": "name", "queue": expected}
    assert "boss_register" in item["definition"]
    assert "fei" not in item
