"""Every accepted event's end, what a consumer reads of it, and how long it takes."""

import asyncio
import time

import ujson
from cext.outbox import bucket_bounds_s

from p9.ops.memory import resident_bytes
from p9.quicktest.spread import quantile_ms
from p9.quicktest.trial import Trial


async def check(trial: Trial) -> None:
    publisher, watcher = trial.appliance.publisher, trial.watcher
    assert publisher is not None and watcher is not None
    deadline_s = time.monotonic() + 3.0
    while publisher.outbox.waiting() and time.monotonic() < deadline_s:
        await asyncio.sleep(0.05)
    stats = publisher.stats()
    classes = stats["classes"]
    sums = {
        name: row["accepted"] - row["confirmed"] - row["conflated"] - row["shed"] - row["quarantined"] - row["waiting"]
        for name, row in classes.items()
    }
    accepted = sum(row["accepted"] for row in classes.values())
    trial.note("every accepted event has one end", not any(sums.values()), f"{accepted:,} events" if not any(sums.values()) else sums)
    lost = {f"{name} {end}": n for name in ("CRITICAL", "HIGH", "MEDIUM") for end in ("shed", "quarantined") if (n := classes[name][end])}
    confirmed = sum(row["confirmed"] for row in classes.values())
    figure = f"{confirmed:,} confirmed, errors {stats['errors'] or 'none'}"
    trial.note("nothing shed", not lost, lost or figure)
    await asyncio.sleep(0.3)
    # while the connections were cut a subscriber may miss PUBLISHes of LOW and MEDIUM: they are confirmed on the next connection, not repeated
    bad = watcher.unreadable + (0 if trial.planted else watcher.holes)
    trial.note("a consumer can read all of it", bad == 0, watcher.examples[:2] if bad else f"{sum(watcher.events.values()):,} heard, {watcher.repeats} repeats dropped")
    holes = await _holes(trial)
    trial.note("no hole in any stream", not holes, "; ".join(holes[:3]) or "CRITICAL and HIGH")


async def _holes(trial: Trial) -> list[str]:
    """In each stream's sequence, as a consumer that missed something would read it."""
    holes = []
    async for key in trial.client.scan_iter("stream:{*}", count=1000):
        expected = None
        for _, fields in await trial.client.xrange(key):
            event = ujson.loads(fields[b"e"])
            if event["epoch"] != trial.epoch:
                continue
            if expected is not None and event["seq"] != expected:
                holes.append(f"{key.decode()}: {expected} missing")
                break
            expected = event["seq"] + 1
    return holes


def check_speed(trial: Trial, loop_lag_s: float, rss_start_mb: float) -> None:
    assert trial.appliance.publisher is not None
    classes = trial.appliance.publisher.stats()["classes"]
    bounds_s = bucket_bounds_s()
    ages = [sum(column) for column in zip(*(classes[name]["age_s"] for name in ("CRITICAL", "HIGH")), strict=True)]
    p50, p99 = (quantile_ms(ages, bounds_s, q) for q in (0.5, 0.99))
    trial.note("frame to confirmation, CRITICAL and HIGH", p50 is not None and p50 < 100, f"p50 {p50} ms, p99 {p99} ms")
    trial.note("the loop breathes", loop_lag_s < 0.5, f"longest pause {loop_lag_s * 1000:.1f} ms")
    trial.note("memory", rss_mb() < 512, f"{rss_mb():.0f} MB, {rss_start_mb:.0f} MB at the start")


def rss_mb() -> float:
    return resident_bytes() / 1e6
