"""The examples, each as a worker runs it."""

import json
import os
import subprocess
import sys
import threading

import pytest
from conftest import ROOT, body_of
from SkyNET._runtime import Worker


@pytest.fixture
def example(tmp_path):
    def make(name, config=""):
        ini = tmp_path / "c.ini"
        ini.write_text(config)
        code = ROOT / "examples" / name / f"{name}.py"
        made = Worker(name, str(code), [str(ini)], lambda kind, body: None)
        sys.modules.pop(name, None)
        made.load()
        return made

    return make


def test_minimal(example):
    outcome, _, reply = example("minimal").run(body_of(x=1))
    assert outcome == "ok"
    assert json.loads(reply)["fields"] == {"x": 1, "__result__": True}


def test_patient(example):
    made = example("patient")
    done = []
    work = threading.Thread(target=lambda: done.append(made.run(body_of(steps=300), "leaf")), daemon=True)
    work.start()
    for _ in range(2000):  # until handle_wi has begun
        answer = json.loads(made.control("status", "leaf"))
        if answer.get("answer", {}).get("step", 0) > 0:
            break
        work.join(0.01)
    assert json.loads(made.control("cancel", "leaf")) == {"answer": "stopping behind step 1"}
    work.join(20)
    outcome, _, reply = done[0]
    assert outcome == "ok"
    assert json.loads(reply)["fields"]["__result__"] is False


def test_translate(example):
    made = example("translate", "[translate]\ndefault = de\n[glossary de]\nyes = ja, zu 100%\n")
    outcome, _, reply = made.run(body_of(phrases=["Yes"]))
    assert outcome == "ok"
    assert json.loads(reply)["fields"]["translations"] == {"Yes": "ja, zu 100%"}
    assert json.loads(made.control("status", None)) == {"answer": {"done": 1, "of": 0}}


@pytest.mark.parametrize("name", ["translate", "caching"])
def test_an_examples_own_unit_tests(name):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"examples/{name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"mode": "raise"}, "ValueError: as asked"),
        ({"mode": "raise", "text": "boo"}, "ValueError: boo"),
        ({"mode": "file", "text": "/f"}, "FileNotFoundError(2): /f No such file or directory"),
        ({"mode": "field"}, "TypeError: Object of type set is not JSON serializable"),
        ({"mode": "exit"}, "SystemExit: 3"),
    ],
)
def test_failing_modes(example, fields, message):
    outcome, _, reply = example("failing").run(body_of(**fields))
    item = json.loads(reply)
    assert outcome == "error"
    assert item["error"]["message"] == message
    assert item["fields"].get("seen", fields["mode"] == "field")


def test_failing_otherwise_prints(example, capsys):
    assert example("failing").run(body_of(mode="fine"))[0] == "ok"
    assert "mode 'fine'" in capsys.readouterr().out


def test_failing_hangs_until_cancelled(example):
    made, body, out = example("failing"), body_of(mode="hang"), []
    runner = threading.Thread(target=lambda: out.append(made.run(body, "leaf")), daemon=True)
    runner.start()
    runner.join(0.2)
    assert runner.is_alive()
    while runner.is_alive():
        made.control("cancel", "leaf")
        runner.join(0.05)
    assert json.loads(out[0][2])["error"]["message"] == "RuntimeError: cancelled"


def test_failing_crashes_the_process():
    code = (
        f"import sys, resource; sys.path.insert(0, {str(ROOT / 'python')!r})\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "from SkyNET._runtime import Worker\n"
        f"w = Worker('f', {str(ROOT / 'examples/failing/failing.py')!r}, [], None)\n"
        "w.load(); w.run(b'{\"fields\":{\"mode\":\"crash\"}}')"
    )
    env = {**os.environ, "PYTHONUNBUFFERED": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env)
    assert (done.returncode, done.stdout) == (-6, b"about to crash\n")
