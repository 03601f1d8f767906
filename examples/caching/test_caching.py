"""Tests of the handler and of its exoskeleton: no SkyNET runs, only its Python packages are there."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "python")]

from SkyNET.testing import Participant, workitem  # noqa: E402

CODE = HERE / "caching.py"


@pytest.fixture
def caching():
    config = {"cache": {"size": "1"}}
    with Participant(CODE, config=config, exo_class="caching:CachingExo") as caching:
        yield caching


def test_the_second_time_the_handler_is_not_asked(caching):
    first = caching.run(workitem({"host": "127.0.0.1"}))
    second = caching.run(workitem({"host": "127.0.0.1"}, other=1))
    assert first.fields.addresses == second.fields.addresses == ["127.0.0.1"]
    assert second.result is True and second.fields.other == 1
    assert first.log == ["INFO looking up 127.0.0.1"]
    assert "known" in second.log[0]


def test_the_oldest_is_forgotten(caching):
    for host in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
        reply = caching.run(workitem({"host": host}))
    assert reply.log == ["INFO looking up 127.0.0.1"]


def test_an_error_is_not_remembered(caching):
    for _ in range(2):
        reply = caching.run(workitem({"host": 5}))
        assert reply.outcome == "error" and "looking up" in reply.log[0]
