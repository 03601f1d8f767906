"""One round of measurements of one worker."""

import json
import pathlib
import signal
import subprocess
import tempfile
import time

import procstat
from participants import QUEUE

SYNC_CALLS = ("fsync", "fdatasync", "syncfs")
FIRST_REPLY_LIMIT_S = 30


class Failed(Exception):
    """A measurement that cannot be trusted; the text says why."""


class Load:
    """wiload against the broker of this run."""

    def __init__(self, broker) -> None:
        self.broker = broker

    def _command(self, *arguments: str) -> list[str]:
        return [str(self.broker.programs / "wiload"), "--host", self.broker.address, "--vhost", self.broker.vhost,
                "--json", "--quiet", "--check-result", *arguments, QUEUE]  # fmt: skip

    def begin(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(self._command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @staticmethod
    def result(process: subprocess.Popen) -> dict:
        out, err = process.communicate()
        try:
            found = json.loads(out)
        except ValueError as error:
            raise Failed(f"wiload: exit {process.returncode}: {err.decode().strip()}") from error
        if not found["ok"]:
            raise Failed(f"wiload: not answered exactly once: {out.decode().strip()} {err.decode().strip()}")
        return found

    def run(self, mode: str, count: int, size: int) -> dict:
        return self.result(self.begin("--mode", mode, "--count", str(count), "--size", str(size)))


def first_reply_ms(load: Load, worker) -> float:
    """From the start command to the reply to a workitem that waits already. Starts the worker."""
    waiting = load.begin("--count", "1", "--linger", "0", "--timeout", str(FIRST_REPLY_LIMIT_S))
    try:
        load.broker.await_message(QUEUE, 10)
        begin = time.clock_gettime(time.CLOCK_MONOTONIC)
        worker.start()
        return (load.result(waiting)["first_answer_monotonic"] - begin) * 1000
    finally:
        waiting.kill()
        waiting.wait()


def loaded(load: Load, worker, mode: str, count: int, size: int) -> dict:
    """wiload's result with "cpu_us", "rss_kib" per kind of process, and "broker_cpu_us"."""
    broker_before = load.broker.cpu_ns()
    before = procstat.per_pid(worker.pids(), procstat.cpu_ns)
    with procstat.PeakMemory(worker.pids) as memory:
        result = load.run(mode, count, size)
    used = procstat.growth(before, procstat.per_pid(worker.pids(), procstat.cpu_ns))
    result["cpu_us"] = {kind: ns / 1000 / count for kind, ns in used.items()}
    result["rss_kib"] = memory.kib
    result["broker_cpu_us"] = (load.broker.cpu_ns() - broker_before) / 1000 / count
    return result


def count_syncs(load: Load, worker, count: int) -> dict[str, float]:
    """Calls per workitem of each sync call, from strace."""
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / "strace"
        pids = [argument for pid in worker.traced_pids() for argument in ("-p", str(pid))]
        command = ["strace", "-f", "-c", "-e", "trace=" + ",".join(SYNC_CALLS), "-o", str(out), *pids]
        strace = subprocess.Popen(command, stderr=subprocess.PIPE)
        try:
            # It says "Process N attached" for each; before that the load would go uncounted.
            for _ in pids[1::2]:
                if not strace.stderr.readline():
                    raise Failed("strace could not attach")
            load.run("flood", count, 1024)
        finally:
            strace.send_signal(signal.SIGINT)
            strace.communicate()
        lines = [line.split() for line in out.read_text().splitlines()]
    calls = {line[-1]: int(line[3]) for line in lines if line and line[-1] in SYNC_CALLS}
    return {call: calls.get(call, 0) / count for call in SYNC_CALLS}


def measure_round(load: Load, worker, args, first: bool) -> dict:
    """Everything of one worker in one round. It is stopped, and the queues are gone, afterwards."""
    result: dict = {}
    try:
        result["first_reply_ms"] = first_reply_ms(load, worker)
        result["idle_rss_kib"] = procstat.by_kind(procstat.per_pid(worker.pids(), procstat.rss_kib))
        if first:
            result["idle_wakeups"] = procstat.idle_wakeups_per_minute(worker.pids, args.idle)
        result["flood_1k"] = loaded(load, worker, "flood", args.count, 1024)
        result["flood_16k"] = loaded(load, worker, "flood", args.count_16k, 16384)
        result["closed_1k"] = loaded(load, worker, "closed", args.count_closed, 1024)
        if first and hasattr(worker, "traced_pids"):
            result["syncs"] = count_syncs(load, worker, args.count_strace)
    finally:
        worker.stop()
        load.broker.delete_queues(QUEUE, "ruote_workitems")
    return result
