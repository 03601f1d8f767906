#!/usr/bin/python3
"""What is answered in the journals (docs/SPOOL.md, section 6), for tests; written from the page, not from the code.

    answer.py DIR NAME              the body of the answer to NAME in the journals below DIR; exit 1: there is none
    answer.py --head DIR NAME       its header
    answer.py --message N DIR NAME  message N that was sent on the way, or with --head its header
    answer.py --names DIR ...       the workitem of each answer, one line each: twice what is there twice
    answer.py --add OUTCOME DIR NAME BODY   appends an answer to a journal of its own
    answer.py --bucket COUNT DONE   that many finished workitems, fields.i counting up from 0, in one minute of done/
A record that is cut short at the end of a journal is none; anything else that is wrong is an error.
"""

import argparse
import hashlib
import os
import pathlib
import re
import sys
import time

JOURNAL = re.compile(r"\d{8}T\d{6}\.\d{6}-\d{1,10}\.results")


def records(data):
    """(header as a dict, header as bytes, body as bytes) of each whole record."""
    at = 0
    while at < len(data):
        end = data.find(b"\n\n", at)
        if end < 0:
            return
        head = data[at:end + 1]
        fields = dict(line.split(": ", 1) for line in head.decode("ascii").splitlines())
        body = end + 2
        at = body + int(fields["length"]) + 1
        if at > len(data):
            return
        if data[at - 1:at] != b"\n":
            raise ValueError(f"no newline behind the record of {fields['workitem']}")
        yield fields, head, data[body:at - 1]


def journals(top):
    """All journals below a directory, oldest first."""
    found = [p for p in pathlib.Path(top).rglob("*.results") if JOURNAL.fullmatch(p.name)]
    return sorted(found, key=lambda p: p.name)


def all_records(top):
    for path in journals(top):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # the bridge was done with it
            continue
        yield from records(data)


def find(top, name, message=None):
    for fields, head, body in all_records(top):
        if fields["workitem"] == name and fields.get("message") == message:
            return head, body
    return None


def names(*tops):
    return [f["workitem"] for top in tops for f, _, _ in all_records(top) if "message" not in f]


def record(outcome, name, body):
    head = "".join(f"{key}: {value}\n" for key, value in (
        ("outcome", outcome), ("attempt", 2), ("started", "2026-11-22T10:54:43.865116Z"),
        ("finished", "2026-11-22T10:54:44.115116Z"), ("send", "reply"), ("length", len(body)),
        ("sha256", hashlib.sha256(body).hexdigest()), ("workitem", name)))
    return head.encode() + b"\n" + body + b"\n"


def add(outcome, top, name, body):
    us = time.time_ns() // 1000
    leaf = time.strftime("%Y%m%dT%H%M%S", time.gmtime(us // 1000000)) + f".{us % 1000000:06d}-{os.getpid()}.results"
    with open(os.path.join(top, leaf), "ab") as f:
        f.write(record(outcome, name, os.fsencode(body)))


def bucket(count, done):
    top = os.path.join(done, "20261122", "1054")
    os.makedirs(top)
    with open(os.path.join(top, "20261122T105400.000000-1.results"), "ab") as f:
        for i in range(count):
            body = b'{"fields":{"i":%d},"fei":{"wfid":"w%d","expid":"0"}}' % (i, i)
            name = f"20261122T1054{i // 1000000:02d}.{i % 1000000:06d}-0000-{hashlib.sha256(body).hexdigest()[:16]}-w{i}"
            f.write(record("ok", name, body))
            pathlib.Path(top, f"{name}.json").write_bytes(body)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--head", action="store_true")
    p.add_argument("--message")
    p.add_argument("--names", action="store_true")
    p.add_argument("--add", metavar="OUTCOME")
    p.add_argument("--bucket", type=int, metavar="COUNT")
    p.add_argument("args", nargs="+")
    a = p.parse_args()
    if a.names:
        for name in names(*a.args):
            print(name)
    elif a.bucket:
        bucket(a.bucket, *a.args)
    elif a.add:
        add(a.add, *a.args)
    else:
        found = find(*a.args, message=a.message)
        if found is None:
            sys.exit(1)
        sys.stdout.buffer.write(found[0 if a.head else 1])


if __name__ == "__main__":
    main()
