"""What samples of a running appliance say: bounds, and slopes where the time is long enough to tell one."""

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from cext.outbox import bucket_bounds_s

MOST_RSS_MB = 512.0
MOST_SLOPE = 0.1  # percent an hour
LEAST_SLOPE_S = 1200.0  # after the warm-up: a shorter time tells no slope of that size
LEAST_DRIFT_S = 300.0
WARM_UP = 0.25  # of the time, …
WARM_UP_S = 900.0  # … and no more
MORE_FILES, MORE_TASKS = 8, 8  # than at the end of the warm-up: a reconnect holds two sockets for a moment
DRIFT = 1.3  # times more CPU a frame in the last quarter than in the first: what neighbours do to the clock does less to it
SLOWER, SLOW_S = 3.0, 0.25  # times slower to confirm, and so slow at least: below it is the machine's mood
POINTS = 200  # of a slope


class Sample(NamedTuple):
    at_s: float
    rss: int
    files: int
    threads: int
    tasks: int
    ready: bool
    frames: int
    accepted: int
    shed: int  # CRITICAL and HIGH
    confirmed: tuple[int, ...]  # HIGH events by how long their confirmation took, ever
    late_s: float  # the loop's worst
    cpu_s: float
    redis_bytes: int
    snapshots: int
    snapshot_bytes: int
    snapshots_lost: int


def slope_a_second(rows: Sequence[tuple[float, float]]) -> float:
    """Theil and Sen's: the median of the slopes between all pairs, which no burst bends."""
    rows = rows[:: max(1, len(rows) // POINTS)]
    slopes = [(b - a) / (t - s) for n, (s, a) in enumerate(rows) for t, b in rows[n + 1 :] if t > s]
    return statistics.median(slopes) if slopes else 0.0


def quantile_s(before: Sample, after: Sample, share: float) -> float:
    """Of the confirmations between two samples: the upper edge of the bucket."""
    counts = [b - a for a, b in zip(before.confirmed, after.confirmed, strict=True)]
    left = sum(counts) * share
    for bound, count in zip(bucket_bounds_s(), counts, strict=True):
        left -= count
        if left <= 0:
            return float(bound)
    return float("inf")


def judge(samples: Sequence[Sample]) -> dict[str, Any]:
    """The figures, and what failed."""
    first, last = samples[0], samples[-1]
    span_s = last.at_s - first.at_s
    warm_s = first.at_s + min(WARM_UP_S, span_s * WARM_UP)
    warm = [sample for sample in samples if sample.at_s >= warm_s]
    after_s = last.at_s - warm[0].at_s
    quarters = [min(warm, key=lambda sample, share=share: abs(sample.at_s - (warm[0].at_s + after_s * share))) for share in (0.0, 0.25, 0.75, 1.0)]
    rss = statistics.median(sample.rss for sample in warm)
    slope = slope_a_second([(sample.at_s, sample.rss) for sample in warm]) * 3600 / rss * 100
    cpu_us = [(b.cpu_s - a.cpu_s) / max(b.frames - a.frames, 1) * 1e6 for a, b in (quarters[:2], quarters[2:])]
    early, late = (quantile_s(*pair, 0.5) for pair in (quarters[:2], quarters[2:]))
    figures = {
        "seconds": round(span_s), "frames_per_s": round((last.frames - first.frames) / span_s), "events_per_s": round((last.accepted - first.accepted) / span_s),
        "rss_mb": round(rss / 1e6, 1), "rss_most_mb": round(max(sample.rss for sample in samples) / 1e6, 1), "rss_first_mb": round(warm[0].rss / 1e6, 1),
        "rss_last_mb": round(last.rss / 1e6, 1), "rss_slope_percent_per_h": round(slope, 3), "slope_judged": after_s >= LEAST_SLOPE_S,
        "open_files": [warm[0].files, max(sample.files for sample in warm), last.files], "tasks": [warm[0].tasks, max(sample.tasks for sample in warm), last.tasks],
        "cpu_us_per_frame": [round(each, 1) for each in cpu_us], "threads": [warm[0].threads, last.threads], "confirm_p50_ms": [round(early * 1e3, 3), round(late * 1e3, 3)],
        "confirm_p99_ms": [round(quantile_s(*pair, 0.99) * 1e3, 3) for pair in (quarters[:2], quarters[2:])],
        "loop_late_worst_ms": round(max(sample.late_s for sample in samples) * 1e3, 1), "unready_share": round(sum(not sample.ready for sample in warm) / len(warm), 4),
        "redis_mb": [round(warm[0].redis_bytes / 1e6, 1), round(last.redis_bytes / 1e6, 1)], "snapshots": last.snapshots,
        "snapshot_bytes": round(last.snapshot_bytes / max(last.snapshots, 1)),
    }  # fmt: skip
    failed = [
        (figures["rss_most_mb"] >= MOST_RSS_MB, f"memory rose to {figures['rss_most_mb']} MB, bound {MOST_RSS_MB:.0f}"),
        (figures["slope_judged"] and slope >= MOST_SLOPE, f"memory grows by {slope:.2f} % an hour, bound {MOST_SLOPE}"),
        (last.files > warm[0].files + MORE_FILES, f"open files rose from {warm[0].files} to {last.files}"),
        (last.tasks > warm[0].tasks + MORE_TASKS, f"tasks rose from {warm[0].tasks} to {last.tasks}"),
        (after_s >= LEAST_DRIFT_S and cpu_us[1] > DRIFT * cpu_us[0], f"a frame costs {cpu_us[1]:.0f} µs of CPU, at first {cpu_us[0]:.0f}"),
        (after_s >= LEAST_DRIFT_S and late > max(SLOWER * early, SLOW_S), f"confirmation slowed down from {early * 1e3:.1f} to {late * 1e3:.1f} ms"),
        (last.shed > 0, f"{last.shed} CRITICAL and HIGH events were shed"),
        (last.snapshots_lost > 0, f"{last.snapshots_lost} snapshots were lost"),
        (last.frames == warm[0].frames, "no frame came any more"),
        (not any(sample.ready for sample in warm), "the appliance never was ready"),
    ]  # fmt: skip
    return {**figures, "failed": [why for is_so, why in failed if is_so]}
