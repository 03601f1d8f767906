"""Workitems and launch items of the BOSS workflow engine.

Pure Python, stdlib only, no broker: importable alone, so that a participant's
unit tests need no running SkyNET.
"""

from .launcher import Launcher
from .participant import Participant
from .workitem import DictAttrProxy, FlowExpressionId, Workitem

__all__ = ["DictAttrProxy", "FlowExpressionId", "Launcher", "Participant", "Workitem"]
