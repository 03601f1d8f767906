"""What /proc says of a set of processes: CPU time, memory, wake-ups."""

import collections
import os
import pathlib
import threading
import time

PROC = pathlib.Path("/proc")
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)


def stat_fields(pid: int) -> list[str]:
    """/proc/PID/stat from the state on: [0] state, [1] parent, [11] utime, [12] stime."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def command(pid: int) -> str:
    return (PROC / str(pid) / "comm").read_text().strip()


def alive(pid: int) -> bool:
    try:
        return stat_fields(pid)[0] != "Z"
    except GONE:
        return False


def descendants(root: int) -> list[int]:
    """root and everything below it."""
    children = collections.defaultdict(list)
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                children[int(stat_fields(int(entry.name))[1])].append(int(entry.name))
            except GONE:
                continue
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children[pid]
    return found


def cpu_ns(pid: int) -> int:
    """Of all threads: in nanoseconds from schedstat, unless threads have ended, whose time only stat keeps."""
    fields = stat_fields(pid)
    ticks = (int(fields[11]) + int(fields[12])) * TICK_NS
    try:
        tasks = (PROC / str(pid) / "task").iterdir()
        exact = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
    except GONE:
        return ticks
    return ticks if ticks - exact > 2 * TICK_NS else exact


def status_value(path: pathlib.Path, key: str) -> int:
    for line in (path / "status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def rss_kib(pid: int) -> int:
    return status_value(PROC / str(pid), "VmRSS")


def wakeups(pid: int) -> int:
    tasks = (PROC / str(pid) / "task").iterdir()
    return sum(status_value(task, "voluntary_ctxt_switches") for task in tasks)


def per_pid(pids: list[int], read) -> dict[int, tuple[str, int]]:
    """{pid: (command, value)} of those that are still there."""
    values = {}
    for pid in pids:
        try:
            values[pid] = (command(pid), read(pid))
        except GONE:
            continue
    return values


def by_kind(values: dict[int, tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = collections.Counter()
    for kind, value in values.values():
        sums[kind] += value
    return dict(sums)


def growth(before: dict[int, tuple[str, int]], after: dict[int, tuple[str, int]]) -> dict[str, int]:
    """Per kind of process, how much the values grew; a new process began at 0."""
    return by_kind({pid: (kind, value - before.get(pid, ("", 0))[1]) for pid, (kind, value) in after.items()})


class PeakMemory:
    """Samples VmRSS while in its `with` block; .kib has the largest sum per kind of process."""

    INTERVAL_S = 0.25

    def __init__(self, pids) -> None:
        self._pids = pids  # a function: processes come and go
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.kib: dict[str, int] = {}

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_exception) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        finished = False
        while not finished:
            finished = self._done.wait(self.INTERVAL_S)
            now = by_kind(per_pid(self._pids(), rss_kib))
            if sum(now.values()) > sum(self.kib.values()):
                self.kib = now


SETTLE_S = 1.0  # what the last workitem has set in motion


def idle_wakeups_per_minute(pids, window_s: float) -> dict[str, float]:
    time.sleep(SETTLE_S)
    before = per_pid(pids(), wakeups)
    begin = time.monotonic()
    time.sleep(window_s)  # the window is what is measured
    after = per_pid(pids(), wakeups)
    scale = 60 / (time.monotonic() - begin)
    return {kind: count * scale for kind, count in growth(before, after).items()}
