#!/usr/bin/python3
"""Answers what is open as a fast worker does, and sees how the bridge hears of it (docs/BRIDGE.md), for tests.

    pour.py PID SPOOL mode            prints listening, polling (the watch is without IN_MODIFY) or deaf (there is none)
    pour.py PID SPOOL flood           answers all; prints polling when it does, exit 1 if it never did
    pour.py PID SPOOL other           the same; meanwhile one in a journal that is new, and that is to be seen at once
    pour.py PID SPOOL spurts COUNT    so many short floods; each is to be seen before the next one; exit 1: never polling
    pour.py PID SPOOL singly          each after the one before was seen; exit 1: not seen, or polling
"""

import fcntl
import json
import os
import pathlib
import random
import sys
import time

import answer

PATIENCE_S = 20  # less than the 30 s after which the bridge looks by itself
IN_MODIFY = 2


def mode(pid, spool):
    ino = f"ino:{os.stat(f'{spool}/work/result').st_ino:x}"
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            if os.readlink(f"/proc/{pid}/fd/{fd}") != "anon_inode:inotify":
                continue
            lines = pathlib.Path(f"/proc/{pid}/fdinfo/{fd}").read_text().splitlines()
        except FileNotFoundError:  # it was closed
            continue
        for words in map(str.split, lines):
            if words[0] == "inotify" and ino in words:
                mask = next(int(w[5:], 16) for w in words if w.startswith("mask:"))
                return "listening" if mask & IN_MODIFY else "polling"
    return "deaf"


class Writer:
    def __init__(self, spool, number):
        self.number, self.spool, self.fd = number, spool, -1

    def open(self):
        us = time.time_ns() // 1000
        leaf = time.strftime("%Y%m%dT%H%M%S", time.gmtime(us // 1000000)) + f".{us % 1000000:06d}-{self.number}.results"
        self.fd = os.open(f"{self.spool}/work/result/{leaf}", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o640)

    def add(self, text):
        if self.fd < 0:
            self.open()
        fcntl.flock(self.fd, fcntl.LOCK_EX)
        if os.fstat(self.fd).st_nlink == 0:
            os.close(self.fd)
            self.fd = -1
            self.add(text)
            return
        assert os.write(self.fd, text) == len(text)
        fcntl.flock(self.fd, fcntl.LOCK_UN)


class Pour:
    def __init__(self, pid, spool):
        self.pid, self.spool = pid, spool
        self.writer = Writer(spool, os.getpid())
        self.left, self.seen = [], False
        for name in sorted(os.listdir(f"{spool}/open"), reverse=True):
            body = json.loads(pathlib.Path(spool, "open", name).read_bytes())
            body["fields"]["answered"] = True
            self.left.append((name, answer.record("ok", name, json.dumps(body).encode())))

    def some(self, count):
        """Answers so many, 4 in a millisecond; their names."""
        names = []
        while len(names) < count and self.left:
            name, text = self.left.pop()
            self.writer.add(text)
            names.append(name)
            if len(names) % 4 == 0:
                time.sleep(0.001)
        return names

    def is_open(self, names):
        return any(os.path.exists(f"{self.spool}/open/{name}") for name in names)

    def look(self):
        if not self.seen and mode(self.pid, self.spool) == "polling":
            self.seen = True
            print("polling", flush=True)
        return self.seen

    def flood(self):
        while self.left:
            self.some(8)
            self.look()

    def other(self):
        while self.left and not self.look():
            self.some(8)
        name, text = self.left.pop()
        Writer(self.spool, 1).add(text)
        while self.left and self.is_open([name]):
            self.some(4)
        if self.is_open([name]):
            sys.exit("what is in the other journal was not seen during the flood")
        self.flood()

    def wait_for(self, names):
        until = time.monotonic() + PATIENCE_S
        while self.is_open(names):
            if time.monotonic() > until:
                sys.exit(f"not seen: {' '.join(names)}")
            time.sleep(0.001)

    def singly(self):
        while self.left:
            self.wait_for(self.some(1))
            self.look()
        sys.exit(self.seen)

    def spurts(self, count):
        for i in range(count):
            names = self.some(12 + i * 7 % 31)
            self.look()
            if i % 3:  # one more, about the moment in which it listens again
                time.sleep(random.uniform(0, 0.008))
                names += self.some(1)
            self.wait_for(names)


def main():
    pid, spool, verb, *args = sys.argv[1:]
    if verb == "mode":
        print(mode(pid, spool))
        return
    p = Pour(pid, spool)
    getattr(p, verb)(*map(int, args))
    print(f"{len(p.left)} left")
    sys.exit(not p.seen)


main()
