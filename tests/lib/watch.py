#!/usr/bin/python3
"""watch.py DIR FILE: what happens to the names in DIR, as the kernel tells it, into FILE: "made NAME", "gone NAME" (renames
too), in order, until it is killed. The first line is "watching".
"""

import ctypes
import os
import struct
import sys

MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
HEAD = struct.Struct("iIII")


def main():
    top, path = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    if fd < 0 or libc.inotify_add_watch(fd, os.fsencode(top), MOVED_FROM | MOVED_TO | CREATE | DELETE) < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    with open(path, "w", buffering=1) as out:
        print("watching", file=out)
        while True:
            data, at = os.read(fd, 1 << 20), 0
            while at < len(data):
                _, mask, _, length = HEAD.unpack_from(data, at)
                name = data[at + HEAD.size:at + HEAD.size + length].rstrip(b"\0").decode()
                at += HEAD.size + length
                print("made" if mask & (CREATE | MOVED_TO) else "gone", name, file=out)


main()
