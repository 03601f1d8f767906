"""Which names come from where, and that they come without anything else."""

import subprocess
import sys

import pytest
import RuoteAMQP
import SkyNET
from conftest import ROOT


def python(code):
    prologue = f"import sys; sys.path.insert(0, {str(ROOT / 'python')!r})\n"
    return subprocess.run(
        [sys.executable, "-I", "-c", prologue + code],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("name", ["WorkItemCtrl", "ParticipantCtrl", "Workitem", "Exo"])
def test_skynet_exports(name):
    assert python(f"from SkyNET import {name}; print({name}.__name__)") == f"{name}\n"


@pytest.mark.parametrize(
    "name", ["Workitem", "Launcher", "Participant", "FlowExpressionId", "DictAttrProxy"]
)
def test_ruoteamqp_exports(name):
    assert python(f"from RuoteAMQP import {name}; print({name}.__name__)") == f"{name}\n"


@pytest.mark.parametrize(
    "module, name",
    [
        ("workitem", "Workitem"),
        ("workitem", "FlowExpressionId"),
        ("workitem", "DictAttrProxy"),
        ("launcher", "Launcher"),
        ("participant", "Participant"),
    ],
)
def test_submodules_export_the_same_objects(module, name):
    submodule = getattr(RuoteAMQP, module)
    assert getattr(submodule, name) is getattr(RuoteAMQP, name)


def test_one_workitem_class():
    assert SkyNET.Workitem is RuoteAMQP.Workitem


def test_exo_is_a_class():
    assert isinstance(SkyNET.Exo, type)


def test_importing_is_cheap():
    heavy = "logging configparser traceback urllib copy linecache subprocess".split()
    out = python(
        "before = set(sys.modules)\n"
        "import SkyNET, RuoteAMQP\n"
        f"print(sorted((set(sys.modules) - before) & set({heavy!r})))"
    )
    assert out == "[]\n"


def test_only_the_standard_library_is_imported():
    out = python(
        "before = set(sys.modules)\n"
        "import SkyNET._runtime, SkyNET._config, SkyNET._errors, RuoteAMQP\n"
        "tops = {m.partition('.')[0] for m in set(sys.modules) - before}\n"
        "tops -= {'SkyNET', 'RuoteAMQP'}\n"
        "print(sorted(tops - set(getattr(sys, 'stdlib_module_names', tops))))"
    )
    assert out == "[]\n"
