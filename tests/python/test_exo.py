"""SkyNET.Exo: the steps, and a class of the service's own in its place."""

import json

import pytest
from conftest import body_of
from SkyNET import Exo, WorkItemCtrl

MINE = """
from SkyNET import Exo
class Mine(Exo):
    steps = []
    def configure(self):
        super().configure()
        self.steps.append("configure")
    def load_handler(self):
        self.steps.append("load_handler")
        return super().load_handler()
    def start(self):
        self.steps.append("start")
        super().start()
    def handle(self, wid):
        wid.fields.before = True
        super().handle(wid)
    def status(self, wid):
        return ["mine", super().status(wid)]
    def stop(self):
        self.steps.append("stop")
NotOne = dict
"""


@pytest.fixture
def beside(tmp_path):
    (tmp_path / "mine_exo.py").write_text(MINE)


def test_a_subclass_overrides_the_steps(worker, beside):
    made = worker("def handle_wi(self, wid): pass\ndef status(self, wid): return 1",
                  exo_class="mine_exo:Mine")  # fmt: skip
    assert type(made._exo).__name__ == "Mine" and isinstance(made._exo, Exo)
    assert made._exo.steps == ["configure", "load_handler", "start"]
    assert json.loads(made.run(body_of())[2])["fields"] == {"before": True}
    assert json.loads(made.control("status", None)) == {"answer": ["mine", 1]}
    assert made.control("stop", None) is None
    assert made._exo.steps[-1] == "stop"


def test_the_empty_name_is_exo_itself(worker):
    assert type(worker("pass")._exo) is Exo


@pytest.mark.parametrize(
    "name, error",
    [
        ("mine_exo:NotOne", TypeError),
        ("mine_exo:steps", AttributeError),
        ("no_such_exo:X", ImportError),
        ("mine_exo", ValueError),
        (":Mine", ValueError),
        ("mine_exo:", ValueError),
    ],
)
def test_a_bad_exo_class_is_fatal(worker, beside, name, error):
    with pytest.raises(error):
        worker("pass", exo_class=name)


def test_used_step_by_step_without_a_worker(tmp_path):
    code = tmp_path / "steps_code.py"
    code.write_text(
        "class ParticipantHandler:\n"
        "    def handle_wi(self, wid): wid.result = 1\n"
        "    def handle_wi_control(self, ctrl): return ctrl\n"
    )
    exo = Exo("p1", str(code))
    exo.configure()
    handler = exo.load_handler()
    assert exo.handler is handler and handler.log is exo.log
    exo.start()
    from SkyNET import Workitem

    wid = Workitem({"fields": {}})
    exo.handle(wid)
    assert wid.result == 1
    ctrl = exo.cancel(wid)
    assert isinstance(ctrl, WorkItemCtrl) and ctrl.workitem is wid
    with pytest.raises(RuntimeError, match="running participant"):
        handler.send_to_engine(wid)
    exo.stop()
    exo.die()
