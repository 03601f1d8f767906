"""The packages as they stand in the tree, and what the tests of the runtime share."""

import json
import logging
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "data" / "workitems"
sys.path.insert(0, str(ROOT / "python"))

from RuoteAMQP import launcher  # noqa: E402
from SkyNET._runtime import Worker  # noqa: E402

FEI = {"engine_id": "engine", "wfid": "20261122-1052-gomo", "subid": "9c3a", "expid": "0_0_1"}


def body_of(**fields):
    """The bytes of a workitem with these fields."""
    item = {"fields": fields, "fei": FEI, "wf_name": "seq", "participant_name": "p1"}
    return json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.fixture
def item():
    """A parsed workitem, fresh for each test."""
    return json.loads((SAMPLES / "params.json").read_bytes())


@pytest.fixture(autouse=True)
def _restored():
    """What loading a worker changes in this process is put back."""
    path, modules = list(sys.path), set(sys.modules)
    root = logging.getLogger()
    level, last = root.level, logging.lastResort
    yield
    root.setLevel(level)
    logging.lastResort = last
    sys.path[:] = path
    launcher.set_emit(None)
    for name in set(sys.modules) - modules:
        if "/pytest-" in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture
def records():
    """A logging handler's records, attached by `worker` to the participant's logger."""
    return []


@pytest.fixture
def worker(tmp_path, records):
    """worker(methods, config="", **kw): a loaded Worker whose handler has these methods."""

    def make(methods, config="", exo_class="", emit=None, before=""):
        code = tmp_path / "p1_code.py"
        methods = textwrap.indent(textwrap.dedent(methods), "    ")
        code.write_text(f"{textwrap.dedent(before)}\nclass ParticipantHandler:\n{methods}\n")
        ini = tmp_path / "config.exo"
        ini.write_text(config)
        made = Worker("p1", str(code), [str(ini)], emit or (lambda kind, body: None), exo_class)
        made.load()

        class Keep(logging.Handler):
            def emit(self, record):
                records.append(record)

        made._exo.log.addHandler(Keep())
        return made

    return make
