"""Every way for a participant to go wrong, chosen by the field `mode`.

    raise   an exception with the text of the field `text`: an error reply
    file    an OSError about the file named in the field `text`: an error reply
    field   a result that JSON cannot hold: an error reply
    exit    SystemExit: an error reply too, the worker goes on
    crash   the process dies by SIGABRT: tried again, then an error reply
    hang    never comes back: until the time limit, or a cancel

Any other mode prints one line and succeeds. Use it to see what SkyNET makes of each.
"""

import os
import sys
import threading


class ParticipantHandler:
    def __init__(self):
        self._cancelled = threading.Event()

    def handle_wi_control(self, ctrl):
        if ctrl.message == "cancel":
            self._cancelled.set()

    def handle_wi(self, wid):
        self._cancelled.clear()
        mode = wid.fields.mode
        wid.fields.seen = True  # changes made before a failure are in the reply
        if mode == "raise":
            raise ValueError(wid.fields.text or "as asked")
        if mode == "file":
            raise FileNotFoundError(2, "No such file or directory", wid.fields.text or "missing")
        if mode == "field":
            wid.result = {"a set": {1, 2}}
        elif mode == "exit":
            sys.exit(3)
        elif mode == "crash":
            print("about to crash")
            os.abort()
        elif mode == "hang":
            print("hanging")
            self._cancelled.wait()
            raise RuntimeError("cancelled")
        else:
            print(f"mode {mode!r}: nothing wrong with it")
            wid.result = True
