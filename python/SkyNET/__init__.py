"""What a participant of the BOSS workflow engine is written with.

    class ParticipantHandler:
        def handle_lifecycle_control(self, ctrl): ...   # "start", "stop", "die"
        def handle_wi_control(self, ctrl): ...          # "cancel", "status"
        def handle_wi(self, wid): ...                   # the work

Importable without a running SkyNET; stdlib only.
"""

from RuoteAMQP.workitem import Workitem

from ._control import ParticipantCtrl, WorkItemCtrl
from ._exo import Exo

__all__ = ["Exo", "ParticipantCtrl", "WorkItemCtrl", "Workitem"]
