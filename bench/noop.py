"""The participant of the benchmark: says yes and does nothing."""


class ParticipantHandler:
    def handle_wi_control(self, ctrl):
        pass

    def handle_lifecycle_control(self, ctrl):
        pass

    def handle_wi(self, wid):
        wid.result = True
