"""SkyNET.testing: what a developer's own tests use."""

import logging
import threading

import pytest
from conftest import SAMPLES
from RuoteAMQP import Workitem
from SkyNET.testing import NoAnswer, Participant, run, workitem

CODE = """
import logging, threading
from RuoteAMQP import Launcher

class ParticipantHandler:
    def __init__(self):
        self.go, self.cancelled = threading.Event(), None
    def handle_lifecycle_control(self, ctrl):
        if ctrl.start():
            self.greeting = ctrl.config.get("greeting", "text", fallback="hello")
        self.log.info("told %s", ctrl.message)
    def handle_wi(self, wid):
        f = wid.fields
        f.greeting = f"{self.greeting} {f.name}"
        self.log.info("greeting %s", f.name)
        logging.getLogger("some.module").info("heard of %s", f.name)
        t = threading.Thread(target=lambda: self.log.warning("aside"))
        t.start(); t.join()
        if f.send:
            self.send_to_engine(wid)
            Launcher().launch("define x", {"of": f.name})
        if f.wait:
            self.go.wait(20)
        if self.cancelled is wid:
            raise RuntimeError("cancelled")
        if f.bad:
            f.bad = {1, 2}
        wid.result = f.name
    def status(self, wid):
        if wid is None:
            raise ValueError("of which?")
        return {"name": wid.fields.name}
    def cancel(self, wid):
        self.cancelled = wid
        self.go.set()
        return "soon"
"""


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "greet.py"
    path.write_text(CODE)
    return path


def test_three_lines(code):
    reply = run(code, SAMPLES / "simple.json")
    assert reply.outcome == "ok" and reply.send == "reply" and reply.error is None
    assert reply.fields.greeting == "hello None"
    assert reply.fields.x == 1 and reply.params.ref == "p1"


@pytest.mark.parametrize(
    "item",
    [workitem(name="w"), b'{"fields":{"name":"w"}}', {"fields": {"name": "w"}}],
)
def test_every_kind_of_workitem(code, item):
    assert run(code, item).result == "w"


def test_configuration_as_text_or_dict(code, tmp_path):
    file = tmp_path / "c.conf"
    file.write_text("[greeting]\ntext = moin\n")
    assert run(str(code), workitem(name="w"), config=file).fields.greeting == "moin w"
    assert run(code, workitem(name="w"), {"greeting": {"text": "100%%"}}).fields.greeting == "100% w"
    with pytest.raises(FileNotFoundError):
        run(code, workitem(), config=tmp_path / "missing.conf")


def test_log_lines_of_any_logger_and_thread(code, capsys):
    reply = run(code, workitem(name="w"))
    assert reply.log == ["INFO greeting w", "INFO heard of w", "WARNING aside"]
    level = logging.getLogger().level
    with Participant(code) as greet:
        greet.run(workitem(name="w"))
    assert greet.log[0] == "INFO told start" and greet.log[-1] == "INFO told stop"
    assert logging.getLogger().level == level


def test_error_replies(code):
    reply = run(code, workitem(name="w", bad=True))
    assert reply.outcome == "error"
    assert reply.error["message"] == "TypeError: Object of type set is not JSON serializable"
    assert reply.error["class"] == "RuntimeError"


def test_messages_on_the_way(code):
    reply = run(code, workitem(name="w", send=True))
    assert [w.fields.greeting for w in reply.sent] == ["hello w"]
    assert isinstance(reply.sent[0], Workitem) and reply.sent[0].result is None
    assert reply.launched == [{"definition": "define x", "fields": {"of": "w"}, "variables": {}}]


def test_forget(code):
    assert run(code, workitem({"forget": True})).send == "nothing"


def test_status_and_cancel_while_it_works(code):
    with Participant(code) as greet:
        work = greet.begin(workitem(name="w", wait=True))
        with pytest.raises(TimeoutError):
            work.reply(timeout=0.05)
        while True:  # until its thread has begun
            try:
                assert work.status() == {"name": "w"}
                break
            except NoAnswer:
                pass
        assert work.cancel() == "soon"
        assert work.reply().error["message"] == "RuntimeError: cancelled"
        with pytest.raises(NoAnswer, match="finished meanwhile"):
            work.status()
        assert greet.run(workitem(name="next")).result == "next"
        assert greet.cancel() == "soon"


def test_a_start_that_fails_propagates_and_leaves_nothing(code):
    code.write_text("class ParticipantHandler:\n def handle_lifecycle_control(self, c): 1/0\n")
    handlers = list(logging.getLogger().handlers)
    with pytest.raises(ZeroDivisionError):
        Participant(code)
    assert logging.getLogger().handlers == handlers


def test_no_answers(code):
    code.write_text("class ParticipantHandler:\n def handle_wi(self, wid): self.go()\n")
    with Participant(code) as bare:
        going, go = threading.Event(), threading.Event()
        bare.handler.go = lambda: (going.set(), go.wait(20))
        work = bare.begin(workitem())
        assert going.wait(20)
        with pytest.raises(NoAnswer, match="no status"):
            work.status()
        go.set()
        assert work.reply().outcome == "ok"
        bare.die()


def test_outside_a_workitem_nothing_is_sent(code):
    with Participant(code) as greet, pytest.raises(OSError):
        greet.handler.send_to_engine(workitem())
