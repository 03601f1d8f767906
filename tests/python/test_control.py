"""Worker.control: lifecycle, cancel and status, while a workitem runs and without."""

import json
import threading

import pytest
from conftest import body_of

NOTHING = "def handle_wi(self, wid): pass"
OLD_STYLE = """
def handle_wi_control(self, ctrl):
    self.seen = ctrl
    return ctrl.wfid
"""
NEW_STYLE = """
def cancel(self, wid):
    self.seen = wid
    return ["cancelled", wid and wid.wfid]
def status(self, wid):
    self.seen = wid
    return {"status": wid and wid.wfid}
def handle_wi_control(self, ctrl):
    raise AssertionError("not asked")
"""


@pytest.mark.parametrize("message", ["stop", "die"])
def test_lifecycle(worker, message):
    made = worker("def handle_lifecycle_control(self, ctrl): self.seen = ctrl", "[a]\nx = 1\n")
    started = made._exo.handler.seen
    assert made.control(message, None) is None
    seen = made._exo.handler.seen
    assert seen.message == message
    assert seen.config is started.config
    assert type(seen).__name__ == "ParticipantCtrl"


@pytest.mark.parametrize("message", ["cancel", "status"])
def test_old_style(worker, message):
    made = worker(OLD_STYLE)
    answer = json.loads(made.control(message, body_of(x=1)))
    seen = made._exo.handler.seen
    assert answer == {"answer": "20261122-1052-gomo"}
    assert seen.message == message
    assert seen.workitem.fields.x == 1
    assert seen.wfid == "20261122-1052-gomo"
    assert type(seen).__name__ == "WorkItemCtrl"


@pytest.mark.parametrize("message", ["cancel", "status"])
def test_old_style_without_a_workitem(worker, message):
    made = worker(OLD_STYLE)
    assert json.loads(made.control(message, None)) == {"answer": None}
    assert made._exo.handler.seen.workitem is None


def test_new_style(worker):
    made = worker(NEW_STYLE)
    wfid = "20261122-1052-gomo"
    assert json.loads(made.control("cancel", body_of())) == {"answer": ["cancelled", wfid]}
    assert json.loads(made.control("status", body_of())) == {"answer": {"status": wfid}}
    assert json.loads(made.control("status", None)) == {"answer": {"status": None}}
    assert made._exo.handler.seen is None


def test_one_new_method_leaves_the_other_to_the_old_one(worker):
    made = worker("def status(self, wid): return 1\n" + OLD_STYLE)
    assert json.loads(made.control("status", None)) == {"answer": 1}
    made.control("cancel", None)
    assert made._exo.handler.seen.message == "cancel"


@pytest.mark.parametrize("message", ["stop", "die", "cancel", "status"])
@pytest.mark.parametrize("body", [None, body_of()])
def test_a_handler_without_these_methods(worker, records, message, body):
    assert worker(NOTHING).control(message, body) is None
    assert records == []


def test_the_very_workitem_that_handle_wi_works_on(worker):
    made = worker(
        NEW_STYLE
        + """
def handle_wi(self, wid):
    self.wid = wid
    self.entered.set()
    self.go_on.wait(10)
"""
    )
    handler = made._exo.handler
    handler.entered, handler.go_on = threading.Event(), threading.Event()
    body = body_of(x=1)
    runner = threading.Thread(target=made.run, args=(body,))
    runner.start()
    try:
        assert handler.entered.wait(10)
        made.control("status", bytes(bytearray(body)))  # equal bytes, another object
        assert handler.seen is handler.wid
        made.control("cancel", body_of(x=2))
        assert handler.seen is not handler.wid and handler.seen.fields.x == 2
        made.control("cancel", None)
        assert handler.seen is None
    finally:
        handler.go_on.set()
        runner.join()
    made.control("status", body)
    assert handler.seen is not handler.wid  # it is not working on it any more


@pytest.mark.parametrize(
    "code, text",
    [
        ("raise ValueError('boo')", "ValueError: boo"),
        ("raise SystemExit(1)", "SystemExit: 1"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
        ("raise OSError(28, 'full', 'f')", "OSError(28): f full"),
        ("return {1}", "TypeError: Object of type set is not JSON serializable"),
        ("return float('nan')", "ValueError: Out of range float"),
    ],
)
@pytest.mark.parametrize("message", ["cancel", "status"])
def test_failures_are_logged_and_answered(worker, records, message, code, text):
    made = worker(f"def {message}(self, wid): {code}")
    assert json.loads(made.control(message, None))["error"].startswith(text)
    assert records[0].levelname == "ERROR"
    assert records[0].getMessage().startswith(f"{message}: {text}")


@pytest.mark.parametrize("message", ["stop", "die"])
def test_lifecycle_failures_are_logged_not_raised(worker, records, message):
    made = worker(
        """
        def handle_lifecycle_control(self, ctrl):
            if not ctrl.start(): raise SystemExit(message_of(ctrl))
        """,
        before="def message_of(ctrl): return ctrl.message",
    )
    assert json.loads(made.control(message, None)) == {"error": f"SystemExit: {message}"}
    assert len(records) == 1


def test_a_body_that_is_no_workitem(worker):
    answer = json.loads(worker(NEW_STYLE).control("status", b"not JSON"))
    assert answer["error"].startswith("JSONDecodeError: ")


def test_an_unknown_message(worker):
    assert "unknown control message" in json.loads(worker(NOTHING).control("reload", None))["error"]


def test_answers_hold_any_text(worker):
    made = worker("def status(self, wid): return 'ä\\ud800'")
    assert json.loads(made.control("status", None)) == {"answer": "ä\ud800"}
