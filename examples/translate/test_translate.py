"""Tests of the handler alone: no SkyNET runs, only its Python packages are there."""

import logging
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "python")]

from SkyNET import ParticipantCtrl, Workitem  # noqa: E402
from SkyNET.testing import run, workitem as fresh  # noqa: E402
from translate import ParticipantHandler  # noqa: E402

CONFIG = """
[translate]
default = de
[glossary de]
build failed = Build fehlgeschlagen
half done = zu 50% fertig
[glossary fr]
build failed = la construction a échoué
"""


@pytest.fixture
def handler():
    config = ConfigParser()
    config.read_string(CONFIG)
    handler = ParticipantHandler()
    handler.log = logging.getLogger("translate")
    handler.handle_lifecycle_control(ParticipantCtrl("start", config))
    return handler


def workitem(phrases, **params):
    return Workitem({"fei": {"wfid": "w1"}, "fields": {"phrases": phrases, "params": params}})


def test_a_whole_reply():
    glossary = {"translate": {"default": "de"}, "glossary de": {"build failed": "Build fehlgeschlagen"}}
    reply = run(HERE / "translate.py", fresh(phrases=["Build failed", "new"]), config=glossary)
    assert reply.fields.translations["Build failed"] == "Build fehlgeschlagen"
    assert reply.result is False
    assert "de does not know 'new'" in reply.log[-1]


def test_translates_into_the_default_language(handler):
    wid = workitem(["Build failed", "half done"])
    handler.handle_wi(wid)
    assert wid.fields.translations.as_dict() == {
        "Build failed": "Build fehlgeschlagen",
        "half done": "zu 50% fertig",
    }
    assert wid.result is True


def test_param_to_chooses_the_language(handler):
    wid = workitem(["build failed"], to="fr")
    handler.handle_wi(wid)
    assert wid.fields.translations["build failed"] == "la construction a échoué"


def test_unknown_phrases_are_listed_and_make_the_result_false(handler):
    wid = workitem(["build failed", "new words"])
    handler.handle_wi(wid)
    assert wid.fields.unknown == ["new words"]
    assert wid.result is False


@pytest.mark.parametrize("phrases", [None, "build failed", [1]])
def test_a_bad_workitem_is_an_error(handler, phrases):
    with pytest.raises(TypeError, match="phrases"):
        handler.handle_wi(workitem(phrases))


def test_an_unknown_language_is_an_error(handler):
    with pytest.raises(LookupError, match="tlh"):
        handler.handle_wi(workitem([], to="tlh"))


def test_a_default_without_glossary_stops_the_start():
    config = ConfigParser()
    config.read_string("[translate]\ndefault = xx\n")
    with pytest.raises(ValueError, match="xx"):
        ParticipantHandler().handle_lifecycle_control(ParticipantCtrl("start", config))


def test_status_and_cancel_while_it_works(handler):
    wid = workitem(["build failed"] * 3)
    seen = []
    translate = handler.translate

    def and_cancel(*args):
        translate(*args)
        seen.append(handler.status(wid))
        handler.cancel(wid)

    handler.translate = and_cancel
    handler.handle_wi(wid)
    assert seen == [{"done": 0, "of": 3}]
    assert handler.status(wid) == {"done": 1, "of": 3}
    assert wid.result is False


def test_the_next_workitem_is_not_cancelled(handler):
    handler.cancel(workitem(["build failed"]))  # of the same fei, but not this one
    wid = workitem(["build failed"])
    handler.handle_wi(wid)
    assert wid.result is True
    assert handler.status(None) == {"done": 1, "of": 0}
