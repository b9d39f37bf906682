"""`make chaos`: real processes killed, frozen, starved and cut, and the account of every event afterwards. Ends with one line of JSON; exits 1 when a
bound fails. `--quick`: a minute of it. `--only PHASE`: one phase."""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog

from tests.chaos import appliance, faults
from tests.chaos.arena import Counts

Phase = Callable[[Path], Awaitable[Counts]]


def phases(quick: bool) -> dict[str, Phase]:
    """In their order."""

    def n(long: int, short: int) -> int:
        return short if quick else long

    window = {"median_window_ms": 1000} if quick else {}  # the short form runs beside other tests
    chosen: dict[str, Phase] = {
        "redis_kills_aof": lambda folder: faults.redis_kills(folder, "redis_kills_aof", n(50, 2), *faults.AOF),
        "redis_kills_no_aof": lambda folder: faults.redis_kills(folder, "redis_kills_no_aof", n(50, 3), seed=3),
        "appliance_kills": lambda folder: faults.appliance_kills(folder, n(100, 4), **window),
        "appliance": lambda folder: appliance.kills(folder, 8),
        "disk_full": lambda folder: faults.disk_full(folder, n(3, 1)),
        "frozen": lambda folder: faults.frozen(folder, n(10, 1)),
        "out_of_memory": lambda folder: faults.out_of_memory(folder, n(10, 1)),
        "read_only": lambda folder: faults.read_only(folder, n(10, 1)),
        "cut_connections": lambda folder: faults.cut_connections(folder, n(100, 10)),
        "latency": lambda folder: faults.latency(folder, n(15, 2)),
        "redis_kills_without_replay": lambda folder: faults.redis_kills(
            folder, "redis_kills_without_replay", n(20, 2), seed=4, replay_tail=False
        ),
    }  # fmt: skip
    if quick:
        del chosen["appliance"]
    return chosen


MUST_LOSE = {"redis_kills_without_replay"}  # it shows that the check can fail


def failures(counts: Counts) -> list[str]:
    if counts.name in MUST_LOSE:
        return [] if counts.n_lost else [f"{counts.name}: nothing was lost: the check cannot fail"]
    return counts.failures()


def report(done: list[Counts], seconds: float) -> dict[str, Any]:
    counted = [counts for counts in done if counts.name not in MUST_LOSE]
    failed = [text for counts in done for text in failures(counts)]
    return {
        "ok": not failed, "failed": failed, "seconds": round(seconds, 1),
        "redis_kills": sum(counts.kills for counts in counted if counts.name.startswith("redis_kills")),
        "appliance_kills": sum(counts.kills for counts in counted if counts.name.startswith("appliance")),
        "accepted": sum(counts.accepted for counts in counted), "delivered": sum(counts.delivered for counts in counted),
        "lost": sum(counts.n_lost for counts in counted), "in_fsync_window": sum(counts.in_window for counts in counted),
        "duplicates": sum(counts.duplicates for counts in counted), "disorders": sum(counts.disorders for counts in counted),
        "largest_rss_mb": round(max((counts.rss_mb for counts in done), default=0), 1),
        "longest_recovery_s": round(max((s for counts in counted for s in counts.recoveries_s), default=0), 2),
        "lost_without_replay": sum(counts.n_lost for counts in done if counts.name in MUST_LOSE),
        "phases": {counts.name: counts.row() for counts in done},
    }  # fmt: skip


async def run(names: list[str], chosen: dict[str, Phase], folder: Path) -> list[Counts]:
    done = []
    for name in names:
        counts = await chosen[name](folder)
        done.append(counts)
        wrong = failures(counts)
        print(f"{'FAIL' if wrong else 'pass'}  {name:28} {counts.row()}", file=sys.stderr, flush=True)
    return done


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", default=[], metavar="PHASE")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    chosen = phases(options.quick)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="p9-chaos-") as folder:
        done = asyncio.run(run(options.only or list(chosen), chosen, Path(folder)))
    account = report(done, time.monotonic() - began_s)
    print(json.dumps(account))
    return 0 if account["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
