#!/usr/bin/python3
"""One request to the control socket of an exo; its answers on stdout, as they come.

    ctl.py HOME NAME REQUEST          exit code: that of the end line; 70 if there was none
    ctl.py HOME NAME --raw [BYTES]    sends that, without a newline, and reads to the end
"""

import json
import os
import socket
import sys


def connect(home, name):
    d = os.open(os.path.join(home, "run", name), os.O_RDONLY)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(60)
    s.connect(f"/proc/self/fd/{d}/control")
    os.close(d)
    return s


def main():
    home, name, request = sys.argv[1:4]
    s = connect(home, name)
    if request == "--raw":
        s.sendall(os.fsencode(sys.argv[4]) if len(sys.argv) > 4 else b"")
    else:
        s.sendall(request.encode() + b"\n")
    code = 70
    for line in s.makefile("r", encoding="utf-8"):
        sys.stdout.write(line)
        sys.stdout.flush()
        answer = json.loads(line)
        if answer["type"] == "end":
            code = answer["code"]
    return code


sys.exit(main())
