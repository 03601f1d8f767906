"""Every message that a real engine sent, through Workitem and through a worker."""

import json

import pytest
from conftest import SAMPLES
from RuoteAMQP import Workitem

BODIES = sorted(p for p in SAMPLES.glob("*.json") if not p.name.endswith(".props.json"))
CANCELS = [p for p in BODIES if p.read_bytes().startswith(b'{"cancel"')]
NO_JSON = [p for p in BODIES if not p.read_bytes().startswith(b"{")]
WORK = [p for p in BODIES if p not in CANCELS and p not in NO_JSON]


def ids(paths):
    return {"argvalues": paths, "ids": [p.stem for p in paths]}


def test_the_samples_are_there():
    assert len(WORK) == 34
    assert len(CANCELS) == 5
    assert [p.stem for p in NO_JSON] == ["field_message_string"]


@pytest.mark.parametrize("path", **ids(BODIES))
def test_properties_fit_the_body(path):
    props = json.loads(path.with_suffix(".props.json").read_bytes())
    assert props["body_bytes"] == len(path.read_bytes())


@pytest.mark.parametrize("path", **ids(WORK))
def test_workitem(path):
    h = json.loads(path.read_bytes())
    wid = Workitem(path.read_bytes())
    assert wid.to_h() == h
    fei = h["fei"]
    assert wid.sid == f"{fei['expid']}!{fei['subid']}!{fei['wfid']}"
    assert wid.wfid == fei["wfid"]
    assert wid.wf_name == h["wf_name"]
    assert wid.participant_name == h["participant_name"]
    assert wid.dispatched_at == h["fields"]["dispatched_at"]
    assert wid.timed_out == h["fields"].get("__timed_out__")
    assert wid.forget == h["fields"]["params"].get("forget", False)
    assert wid.params.as_dict() == h["fields"]["params"]
    assert wid.is_cancel is False
    assert json.loads(wid.dump()) == h
    assert wid.dup() == wid and wid.dup().to_h() == h
    assert wid.result is None and wid.error is None


@pytest.mark.parametrize("path", **ids(CANCELS))
def test_cancel_item(path):
    wid = Workitem(path.read_bytes())
    assert wid.is_cancel is True
    assert wid.sid is None
    assert wid.forget is False


@pytest.mark.parametrize("path", **ids(WORK))
def test_a_handler_that_does_nothing_echoes_it(worker, path):
    body = path.read_bytes()
    outcome, send, reply = worker("def handle_wi(self, wid): pass").run(body)
    assert (outcome, send) == ("ok", "nothing" if path.stem == "forget" else "reply")
    assert json.loads(reply) == json.loads(body)
    if path.stem != "unicode":  # its control characters come back in the other spelling
        assert reply == body


@pytest.mark.parametrize("path", **ids(WORK))
def test_a_handler_that_fails_keeps_all_fields(worker, path):
    body = path.read_bytes()
    outcome, send, reply = worker("def handle_wi(self, wid): raise KeyError('x')").run(body)
    assert (outcome, send) == ("error", "nothing" if path.stem == "forget" else "reply")
    item = json.loads(reply)
    assert item.pop("error")["message"] == "KeyError: 'x'"
    assert item == json.loads(body)


@pytest.mark.parametrize("path", **ids(NO_JSON))
def test_what_is_no_json(worker, path):
    with pytest.raises(ValueError):
        Workitem(path.read_bytes())
    outcome, send, reply = worker("def handle_wi(self, wid): pass").run(path.read_bytes())
    assert (outcome, send) == ("error", "reply")
    assert json.loads(reply)["error"]["message"].startswith("JSONDecodeError: ")
