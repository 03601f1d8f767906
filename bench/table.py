"""The printed result: medians over the rounds, and SkyNET in proportion to its peers."""

import statistics

SUBJECT, PEERS = "skynet", ("pika", "echo")


def dig(result: dict, path: tuple[str, ...]):
    """The number at path; a dict at its end (one entry per kind of process) is summed."""
    value = result
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return sum(value.values()) if isinstance(value, dict) else value


# heading, path in a round's result, factor
ROWS = (
    ("flood 1 KB, round trips/s", ("flood_1k", "round_trip_rate"), 1),
    ("flood 1 KB, drained/s", ("flood_1k", "drain_rate"), 1),
    ("flood 16 KB, round trips/s", ("flood_16k", "round_trip_rate"), 1),
    ("flood 16 KB, drained/s", ("flood_16k", "drain_rate"), 1),
    ("closed loop 1 KB, p50 ms", ("closed_1k", "latency_ms", "p50"), 1),
    ("closed loop 1 KB, p99 ms", ("closed_1k", "latency_ms", "p99"), 1),
    ("CPU us per workitem, flood 1 KB", ("flood_1k", "cpu_us"), 1),
    ("CPU us per workitem, flood 16 KB", ("flood_16k", "cpu_us"), 1),
    ("CPU us per workitem, closed", ("closed_1k", "cpu_us"), 1),
    ("broker's CPU us, flood 1 KB", ("flood_1k", "broker_cpu_us"), 1),
    ("broker's CPU us, closed", ("closed_1k", "broker_cpu_us"), 1),
    ("RSS MiB idle", ("idle_rss_kib",), 1 / 1024),
    ("RSS MiB loaded, 1 KB", ("flood_1k", "rss_kib"), 1 / 1024),
    ("start to first reply, ms", ("first_reply_ms",), 1),
    ("idle wake-ups per minute", ("idle_wakeups",), 1),
    ("syncs per workitem", ("syncs",), 1),
)

# heading, path to a dict of one value per kind of process, factor
DETAILS = (
    ("CPU us/workitem 1 KB", ("flood_1k", "cpu_us"), 1),
    ("RSS MiB idle", ("idle_rss_kib",), 1 / 1024),
    ("RSS MiB loaded", ("flood_1k", "rss_kib"), 1 / 1024),
    ("wake-ups/min idle", ("idle_wakeups",), 1),
)


def median(rounds: list[dict], path: tuple[str, ...], factor: float) -> "float | None":
    values = [value * factor for value in (dig(result, path) for result in rounds) if value is not None]
    return statistics.median(values) if values else None


def number(value: "float | None") -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratio(value: "float | None", other: "float | None") -> str:
    return "-" if value is None or not other else f"{value / other:.2f}"


def aligned(rows: list[list[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join([row[0].ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def main_table(results: dict[str, list[dict]]) -> str:
    names = list(results)
    peers = [name for name in PEERS if name in names and SUBJECT in names]
    rows = [["median of the rounds", *names, *(f"{SUBJECT}/{peer}" for peer in peers)]]
    for heading, path, factor in ROWS:
        values = {name: median(results[name], path, factor) for name in names}
        if any(value is not None for value in values.values()):
            ratios = [ratio(values[SUBJECT], values[peer]) for peer in peers]
            rows.append([heading, *(number(values[name]) for name in names), *ratios])
    return aligned(rows)


def detail_table(rounds: list[dict]) -> str:
    """SkyNET's processes one kind a line."""
    kinds = sorted({kind for result in rounds for _, path, _ in DETAILS for kind in find(result, path)})
    rows = [["per kind of process", *(heading for heading, _, _ in DETAILS)]]
    for kind in kinds:
        rows.append([kind, *(number(median(rounds, (*path, kind), factor)) for _, path, factor in DETAILS)])
    return aligned(rows)


def find(result: dict, path: tuple[str, ...]) -> dict:
    value = result
    for key in path:
        value = value.get(key, {})
    return value
