"""What the hot path costs on this machine.  `make bench`  [--n 20000] [--rounds 5] [--section NAME]...

    book      CPU of parse + normalise + sequence + book, by venue and kind, and of one more level
    streams   CPU with every stream on, and each stream's own share
    redis     messages a second through WebSockets, books and streams into a real redis-server, every reply confirmed
    delivery  CPU of an event from accept to confirmation, and what a burst of 300 snapshots adds to an urgent one's way
    outage    memory while Redis is away at 10,000 events a second, and how much faster than they come they are then delivered
    latency   frame read -> confirmed by Redis, at 10,000 messages a second
    snapshots CPU and bytes of a stored snapshot, of generated books and of the recordings that are here
    options   CPU of a second of a chain of 744 options, and the longest pause of the loop for it
    memory    of 300 instruments with 1000 levels a side, all streams on

Each section runs in a process of its own. Figures are the best of the rounds: noise only ever adds. CPU is this process's, user + system. What the
machine itself is good for now is measured before and after each section (yardstick.py), and bounds of time are for the machine as it is then. A figure
worse than its bound by more than the noise allowance makes the exit code 1. The last line is one JSON object with everything.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

from tests.bench import books, delivery, memory, options, publish, snapshots, streams, yardstick
from tests.bench.yardstick import Speed

SECTIONS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "book": books.measure, "streams": streams.measure, "redis": delivery.measure_redis, "latency": delivery.measure_latency,
    "memory": memory.measure, "delivery": publish.measure, "outage": publish.measure_outage,
    "snapshots": snapshots.measure,
    "options": options.measure,
}  # fmt: skip
ANY = "*"
NOISE = 1.5  # a shared machine's neighbours may cost that much beside what the yardstick shows
TURNS = 3  # of processors that an event waits for on its way: the reader's, Redis's, the reader's once more


class Bound(NamedTuple):
    """`path` of a figure in its section's report (ANY: under every key); `limit`: the most, or the `least` where it is a rate; what the design aims at.

    `by`: what a slower machine makes of the limit. "cpu" and "wall": it grows as the yardstick does; "p90" and the like: by the turns that a confirmed
    event waits for, each as late as a sleeper of that percentile; "": nothing.
    """

    path: tuple[str, ...]
    limit: float
    goal: float
    least: bool = False
    by: str = "cpu"

    def missed(self, value: float, limit: float, noise: float) -> bool:
        return value < limit / noise if self.least else value > limit * noise

    def now(self, speed: Speed) -> float:
        """The limit on a machine of this speed."""
        if self.by in speed.late_us:
            return self.limit + TURNS * speed.late_us[self.by]
        factor = {"cpu": speed.cpu, "wall": speed.wall, "": 1.0}[self.by]
        return self.limit / factor if self.least else self.limit * factor


# The one place of bounds. Ratios to other libraries have theirs in bench_peers.py.
BOUNDS = {
    "book": (Bound((ANY, "depth"), 0.75, 0.62), Bound((ANY, "mixed"), 0.4, 0.27), Bound((ANY, "level_ns"), 42, 42)),
    "streams": (Bound((ANY, "all"), 2.0, 3.0),),
    "redis": (Bound(("messages_per_core_s",), 200_000, 200_000, True), Bound(("messages_per_s",), 100_000, 200_000, True, "wall")),
    "latency": (
        Bound(("high_us", "p50"), 300, 150, by="p50"), Bound(("high_us", "p99"), 5_000, 1_000, by="p99"), Bound(("high_us", "p999"), 10_000, 2_000, by="p999"),
    ),
    "delivery": (Bound(("cpu_us_per_event",), 1.5, 1.5), Bound(("added_us",), 2_000, 2_000, by="p90")),
    "outage": (Bound(("grown_mb",), 64, 64, by=""), Bound(("drain_to_live",), 5, 5, True, "wall")),
    "memory": (Bound(("resident_mb",), 512, 512, by=""),),
    "snapshots": (Bound(("share_300",), 0.05, 0.02), Bound(("generated_bytes",), 700, 500, by="")),
    "options": (Bound((ANY, "cpu_ms"), 30, 15), Bound((ANY, "pause_ms"), 5, 3)),
}  # fmt: skip


def figures(report: dict[str, Any], path: tuple[str, ...], name: str = "") -> dict[str, float]:
    """{dotted name: value} of what `path` points at."""
    if not path:
        return {name.strip("."): report}  # type: ignore[dict-item]
    keys = report if path[0] == ANY else (path[0],)
    return {each: value for key in keys for each, value in figures(report[key], path[1:], f"{name}.{key}").items()}


def judge(section: str, report: dict[str, Any], speed: Speed) -> tuple[list[str], list[str]]:
    """What fails its bound beyond the noise, and what misses the design's goal; as words."""
    failed, short = [], []
    for bound in BOUNDS[section]:
        limit = bound.now(speed)
        for name, value in figures(report, bound.path).items():
            if bound.missed(value, limit, NOISE):
                failed.append(f"{section}.{name} is {value}, bound {bound.limit}, {limit:.4g} on the machine as it is now, with an allowance of {NOISE}x for noise")
            if bound.missed(value, bound.goal, 1.0):
                short.append(f"{section}.{name} is {value}, goal {bound.goal}")
    return failed, short


def show(section: str, report: dict[str, Any]) -> None:
    """One line a venue where the report has venues, else one line."""
    rows = report if all(isinstance(value, dict) for value in report.values()) else {"": report}
    for name, row in rows.items():
        flat = {key: value for key, value in row.items() if not isinstance(value, dict)}
        inner = [f"{key} ({', '.join(f'{each} {figure}' for each, figure in value.items())})" for key, value in row.items() if isinstance(value, dict)]
        print("  " + "  ".join([*([f"{name:16}"] if name else []), *(f"{key} {value}" for key, value in flat.items()), *inner]), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=20_000, help="frames of each kind; the sections that need more take multiples of it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--section", action="append", choices=SECTIONS, help="only this one; may be repeated")
    wanted = parser.parse_args()
    result: dict[str, Any] = {"n": wanted.n, "rounds": wanted.rounds, "noise": NOISE, "machine": {}}
    failed, short = [], []
    before = yardstick.measure()
    for section in wanted.section or SECTIONS:
        began_s = time.perf_counter()
        print(f"\n{section}", flush=True)
        with yardstick.Sleeper() as sleeper, ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                report = result[section] = pool.submit(SECTIONS[section], wanted.n, wanted.rounds).result()
            except Exception as error:  # whatever went wrong in it, the others have their figures
                failed.append(f"{section} came to no figures: {error!r}")
                print(f"  {failed[-1]}", flush=True)
                continue
        after = yardstick.measure()
        speed, before = before.worse(after)._replace(late_us=sleeper.late_us), after
        show(section, report)
        print(f"  {time.perf_counter() - began_s:.0f} s; the machine: {speed.cpu}x the CPU, {speed.wall}x the time, wakes up {speed.late_us} µs late", flush=True)
        result["machine"][section] = speed._asdict()
        more = judge(section, report, speed)
        failed += more[0]
        short += more[1]
    for line in short:
        print(f"short of the goal: {line}", file=sys.stderr)
    for line in failed:
        print(f"error: {line}", file=sys.stderr)
    print(json.dumps({**result, "short_of_goal": short, "failed": failed, "ok": not failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
