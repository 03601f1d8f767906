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


LEAF = "20261122T105443.865116-0000-9f86d081884c7d65-20261122-1052-gomo,a1"


def while_it_runs(made, ask):
    """What ask() returns while handle_wi of the worker is on a workitem called LEAF."""
    handler = made._exo.handler
    entered, go_on = threading.Event(), threading.Event()

    def handle_wi(wid):
        handler.wid = wid
        entered.set()
        go_on.wait(10)

    handler.handle_wi = handle_wi
    runner = threading.Thread(target=made.run, args=(body_of(x=1), LEAF))
    runner.start()
    try:
        assert entered.wait(10)
        return ask()
    finally:
        go_on.set()
        runner.join()


@pytest.mark.parametrize("message", ["cancel", "status"])
def test_old_style(worker, message):
    made = worker(OLD_STYLE)
    answer = json.loads(while_it_runs(made, lambda: made.control(message, LEAF)))
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
    answers = while_it_runs(made, lambda: [made.control(m, LEAF) for m in ("cancel", "status")])
    assert [json.loads(a)["answer"] for a in answers] == [["cancelled", wfid], {"status": wfid}]
    assert json.loads(made.control("status", None)) == {"answer": {"status": None}}
    assert made._exo.handler.seen is None


def test_one_new_method_leaves_the_other_to_the_old_one(worker):
    made = worker("def status(self, wid): return 1\n" + OLD_STYLE)
    assert json.loads(made.control("status", None)) == {"answer": 1}
    made.control("cancel", None)
    assert made._exo.handler.seen.message == "cancel"


@pytest.mark.parametrize("message", ["stop", "die"])
def test_a_handler_without_lifecycle(worker, records, message):
    assert worker(NOTHING).control(message, None) is None
    assert records == []


@pytest.mark.parametrize("message", ["cancel", "status"])
def test_a_handler_without_these_methods(worker, records, message):
    made = worker(NOTHING)
    absent = {"absent": f"no {message}() in the handler"}
    assert json.loads(made.control(message, None)) == absent
    assert json.loads(while_it_runs(made, lambda: made.control(message, LEAF))) == absent
    assert records == []


def test_the_very_workitem_that_handle_wi_works_on(worker):
    made = worker(NEW_STYLE)
    handler = made._exo.handler

    def ask():
        made.control("status", LEAF)
        assert handler.seen is handler.wid
        made.control("cancel", None)
        assert handler.seen is None
        handler.seen = "not asked"
        for leaf in (LEAF[:-1] + "2", "", "x" * 10):
            assert json.loads(made.control("cancel", leaf)) == {"absent": "finished meanwhile"}
        assert handler.seen == "not asked"

    while_it_runs(made, ask)
    assert json.loads(made.control("status", LEAF)) == {"absent": "finished meanwhile"}


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


def test_an_unknown_message(worker):
    assert "unknown control message" in json.loads(worker(NOTHING).control("reload", None))["error"]


def test_answers_hold_any_text(worker):
    made = worker("def status(self, wid): return 'ä\\ud800'")
    assert json.loads(made.control("status", None)) == {"answer": "ä\ud800"}
