#!/usr/bin/python3
"""A broker whose answers to channel.close are late: withhold.py HOST PORT FLAG

Prints its own port, and passes on what it gets. While the file FLAG is there, a channel.close-ok of the broker, and what follows it on that
connection, waits.
"""

import os
import socket
import struct
import sys
import threading
import time

CLOSE_OK = (20, 41)


def frames(s):
    """Whole frames, as bytes."""
    data = b""
    while True:
        while len(data) >= 7 and len(data) >= (size := struct.unpack(">I", data[3:7])[0] + 8):
            yield data[:size]
            data = data[size:]
        got = s.recv(65536)
        if not got:
            return
        data += got


def pass_on(s, to, pieces, flag):
    try:
        for piece in pieces:
            while flag and piece[0] == 1 and struct.unpack(">HH", piece[7:11]) == CLOSE_OK and os.path.exists(flag):
                time.sleep(0.01)
            to.sendall(piece)
    except OSError:
        pass
    for one in (s, to):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    host, port, flag = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client = listener.accept()[0]
        broker = socket.create_connection((host, int(port)))
        for args in (client, broker, iter(lambda s=client: s.recv(65536), b""), None), (broker, client, frames(broker), flag):
            threading.Thread(target=pass_on, args=args, daemon=True).start()


main()
