"""Where log lines go: every logger of a participant reaches standard error, and so the log."""

import subprocess
import sys

from conftest import ROOT

LOAD = f"""
import logging, sys
sys.path.insert(0, {str(ROOT / "python")!r})
from SkyNET._runtime import Worker
open("p.py", "w").write(sys.argv[1])
open("p.conf", "w").write("[skynet]\\nlog_level = " + sys.argv[2])
w = Worker("p", "p.py", ["p.conf"], None)
w.load()
w.run(b'{{"fields":{{}},"fei":{{}}}}')
"""


def logged(tmp_path, code, level="info"):
    done = subprocess.run(
        [sys.executable, "-c", LOAD, code, level],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == ""
    return done.stderr.splitlines()


SEVERAL = """
import logging
log = logging.getLogger("of.a.module")
class ParticipantHandler:
    def handle_wi(self, wid):
        self.log.info("mine")
        self.log.debug("fine")
        log.info("a module's")
        log.debug("a module's fine")
        logging.getLogger().warning("the root's")
"""


def test_every_logger_reaches_the_log(tmp_path):
    assert logged(tmp_path, SEVERAL) == [
        "INFO mine",
        "INFO of.a.module: a module's",
        "WARNING root: the root's",
    ]


def test_the_level_holds_for_all(tmp_path):
    lines = logged(tmp_path, SEVERAL, "warning")
    assert lines == ["WARNING root: the root's"]
    assert "DEBUG of.a.module: a module's fine" in logged(tmp_path, SEVERAL, "debug")


def test_basic_config_of_the_code_wins(tmp_path):
    code = SEVERAL + "logging.basicConfig(format='own %(message)s', level=logging.ERROR)\n"
    lines = logged(tmp_path, code + "logging.error('set up')\n")
    assert lines == ["own set up", "INFO mine"]
