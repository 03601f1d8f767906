#!/usr/bin/python3
"""fake_exo.py HOME NAME MODE [FILE]: what answers on a control socket as no exo would.

Holds run/NAME/lock and says in run/NAME/status that it is ready. Each request is appended to HOME/requests.

    say FILE    sends FILE and closes; a line `pause` waits for half a second, `hold` until the client is gone
    deaf        accepts nobody
    mute        accepts, and says nothing
    line        one line without end
    flood       lines without end
    close       closes at once
"""

import fcntl
import os
import socket
import sys
import time


def talk(client: socket.socket, mode: str, path: str) -> None:
    request = client.makefile("rb").readline(8192) if mode != "close" else b""
    with open(os.path.join(home, "requests"), "ab") as f:
        f.write(request)
    if mode == "say":
        for line in open(path, "rb"):
            if line == b"pause\n":
                time.sleep(0.5)
            elif line == b"hold\n":
                client.recv(1)
            else:
                client.sendall(line)
    while mode == "mute" and client.recv(1):
        pass
    while mode == "line":
        client.sendall(b"x" * 65536)
    while mode == "flood":
        client.sendall(b'{"type":"nonsense","text":"%s"}\n' % (b"x" * 1000) * 50)


home, name, mode = sys.argv[1:4]
run = os.path.join(home, "run", name)
os.makedirs(run, exist_ok=True)
os.chdir(run)  # a path of any length
lock = open("lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
with open("status.new", "w") as f:
    f.write(f"state: ready\npid: {os.getpid()}\nsince: 2026-11-22T10:54:43.865116Z\nworkers: 1\nrestarts: 0\n")
if os.path.lexists("control"):
    os.unlink("control")
server = socket.socket(socket.AF_UNIX)
server.bind("control")
os.chmod("control", 0o666)
server.listen(0 if mode == "deaf" else 32)
os.rename("status.new", "status")
while mode == "deaf":
    time.sleep(60)
while True:
    conn, _ = server.accept()
    try:
        talk(conn, mode, sys.argv[4] if len(sys.argv) > 4 else "")
    except OSError:
        pass  # the client has seen enough
    conn.close()
