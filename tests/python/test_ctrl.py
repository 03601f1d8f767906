"""The control objects that a handler gets, as its unit tests make them."""

from configparser import ConfigParser

import pytest
from SkyNET import ParticipantCtrl, Workitem, WorkItemCtrl


@pytest.mark.parametrize("cls", [WorkItemCtrl, ParticipantCtrl])
@pytest.mark.parametrize("message", ["start", "stop", "die", "cancel", "status"])
def test_message_and_predicates(cls, message):
    ctrl = cls(message)
    assert ctrl.message == message
    assert ctrl.start() is (message == "start")
    assert ctrl.stop() is (message == "stop")
    assert ctrl.die() is (message == "die")
    assert repr(ctrl) == f"ctrl: {message}"


@pytest.mark.parametrize("cls", [WorkItemCtrl, ParticipantCtrl])
def test_can_be_filled_in_later(cls):
    ctrl = cls()
    ctrl.message = "stop"
    assert ctrl.stop() is True


def test_workitem_and_wfid():
    wid = Workitem({"fei": {"wfid": "w"}})
    ctrl = WorkItemCtrl("cancel", wid)
    assert ctrl.workitem is wid
    assert ctrl.wfid == "w"
    assert WorkItemCtrl("cancel").workitem is None
    assert WorkItemCtrl("cancel").wfid is None


def test_config():
    config = ConfigParser()
    assert ParticipantCtrl("start", config).config is config
    assert ParticipantCtrl("start").config is None
