#!/usr/bin/python3
"""A participant's home and its workitems, by hand, for tests of exo: no bridge, no broker, no runit.

    mkwi.py home HOME NAME            directories, config.exo, code.py (if there is none)
    mkwi.py put HOME NAME [K=V ...]   one workitem per call; prints its name
    mkwi.py many HOME NAME COUNT SIZE that many at once, fields.pad filling each up to SIZE bytes
    mkwi.py retire HOME NAME ITEM     what the bridge does to a finished one: it leaves open
Values of K=V are JSON if they can be read as such.
"""

import hashlib
import json
import os
import sys
import time

DIRS = ("open", "done", "failed", "work", "work/cur", "work/result")


def spool(home, name):
    return os.path.join(home, "spool", name)


def make_home(home, name):
    for d in ("etc/conf.d", f"sv/skynet-{name}", "service", "run", "log", "lib", f"run/{name}"):
        os.makedirs(os.path.join(home, d), exist_ok=True)
    for d in DIRS:
        os.makedirs(os.path.join(spool(home, name), d), exist_ok=True)
    config = os.path.join(home, f"sv/skynet-{name}/config.exo")
    if not os.path.exists(config):
        with open(config, "w") as f:
            f.write(f"[participant]\nqueue = {name}\n")


_last = 0


def stamp():
    global _last
    _last = max(_last + 1, time.time_ns() // 1000)
    s, us = divmod(_last, 1000000)
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(s)) + f".{us:06d}"


def store(home, name, fields, wfid=None):
    t = stamp()
    wfid = wfid or "20261122-1028-renejayu-pobapeze"
    item = {
        "fields": {"params": {}, **fields}, "wf_name": "seq",
        "fei": {"engine_id": "engine", "wfid": wfid, "subid": "0" * 32, "expid": "0_0_0"},
        "participant_name": name, "re_dispatch_count": 0,
    }
    body = json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode()
    leaf = f"{t}-0000-{hashlib.sha256(body).hexdigest()[:16]}-{wfid[:40]}"
    path = os.path.join(spool(home, name), "open", leaf)
    with open(path, "xb") as f:
        f.write(body)
    return leaf


def put(home, name, pairs):
    fields, wfid = {}, None
    for pair in pairs:
        key, value = pair.split("=", 1)
        try:
            value = json.loads(value)
        except ValueError:
            pass
        if key == "wfid":
            wfid = value
        else:
            fields[key] = value
    print(store(home, name, fields, wfid))


def many(home, name, count, size):
    for i in range(int(count)):
        store(home, name, {"n": i, "pad": "x" * max(0, int(size) - 260)})


def retire(home, name, leaf):
    os.unlink(os.path.join(spool(home, name), "open", leaf))


def main(argv):
    verb, home, name, *rest = argv
    if verb == "put":
        put(home, name, rest)
    else:
        {"home": make_home, "many": many, "retire": retire}[verb](home, name, *rest)


if __name__ == "__main__":
    main(sys.argv[1:])
