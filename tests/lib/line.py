#!/usr/bin/python3
"""A bad line to a broker: line.py HOST PORT [--withhold FLAG] [--cut BYTES]

Prints its own port, and passes on what it gets. --withhold: while the file FLAG is there, a channel.close-ok of the broker, and what follows
it on that connection, waits. --cut: a connection ends when so many bytes of the client have passed, or been swallowed.
"""

import argparse
import os
import socket
import struct
import threading
import time

CLOSE_OK = (20, 41)


def pieces(s):
    while got := s.recv(65536):
        yield got


def frames(s):
    """Whole frames, as bytes."""
    data = b""
    for got in pieces(s):
        data += got
        while len(data) >= 7 and len(data) >= (size := struct.unpack(">I", data[3:7])[0] + 8):
            yield data[:size]
            data = data[size:]


def withhold(s, flag):
    for frame in frames(s):
        while frame[0] == 1 and struct.unpack(">HH", frame[7:11]) == CLOSE_OK and os.path.exists(flag):
            time.sleep(0.01)
        yield frame


def cut(s, left):
    for got in pieces(s):
        left -= len(got)
        if left < 0:
            return
        yield got


def pass_on(s, to, source):
    try:
        for piece in source:
            to.sendall(piece)
    except OSError:
        pass
    for one in (s, to):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--withhold", metavar="FLAG")
    parser.add_argument("--cut", metavar="BYTES", type=int)
    args = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client = listener.accept()[0]
        broker = socket.create_connection((args.host, args.port))
        up = cut(client, args.cut) if args.cut else pieces(client)
        down = withhold(broker, args.withhold) if args.withhold else pieces(broker)
        threading.Thread(target=pass_on, args=(client, broker, up), daemon=True).start()
        threading.Thread(target=pass_on, args=(broker, client, down), daemon=True).start()


main()
