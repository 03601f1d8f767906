"""The smallest participant: one method. Its return value is ignored; what it
changes in the workitem is the reply."""


class ParticipantHandler:
    def handle_wi(self, wid):
        wid.result = True
