"""A participant with long work: it can be asked how far it is, and told to stop.

status() and cancel() are called on another thread while handle_wi() runs, with the very
workitem that it works on. Both are optional.
"""

import threading


class ParticipantHandler:
    def __init__(self):
        self.step = 0
        self.unwanted = threading.Event()

    def handle_wi(self, wid):
        self.unwanted.clear()
        steps = wid.fields.steps or 100
        for self.step in range(1, steps + 1):
            self.log.info("step %d of %d", self.step, steps)
            if self.unwanted.wait(1):
                wid.result = False
                return
        wid.result = True

    def status(self, wid):
        return {"step": self.step, "of": wid.fields.steps or 100}

    def cancel(self, wid):
        self.unwanted.set()
        return "stopping behind step %d" % self.step
