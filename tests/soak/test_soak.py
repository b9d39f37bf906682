"""The soak in short, and its judge: each bound can be missed. The long form is `make soak`."""

import pytest
from cext.outbox import bucket_bounds_s

from tests.soak.judge import Sample, judge, slope_a_second
from tests.soak.soak import soak

HOUR = 3600
N = len(bucket_bounds_s())


def hour(*, grows: float = 0.0, **ends: float) -> list[Sample]:
    """An hour of samples of a steady appliance with a noisy memory that `grows` so many bytes a second; `ends`: other values of the last quarter."""
    samples, confirmed, cpu_s = [], [0] * N, 0.0
    for n in range(0, HOUR + 1, 10):
        late = n >= HOUR * 3 // 4
        confirmed[int(ends.get("bucket", 3)) if late else 3] += 100
        cpu_s += 10 * 1000 * (ends.get("cpu_us", 200) if late else 200) / 1e6
        samples.append(Sample(
            at_s=float(n), rss=int(150e6 + 2e6 * min(n, 600) / 600 + grows * n + (n * 7919 % 13) * 3e4), files=60 + n % 3 + int(ends.get("files", 0) if late else 0), threads=5,
            tasks=150 + int(ends.get("tasks", 0) if late else 0), ready=not ends.get("unready"), frames=1000 * n if not (ends.get("mute") and n > 300) else 300_000,
            accepted=3000 * n, shed=int(ends.get("shed", 0)), confirmed=tuple(confirmed), late_s=0.01, cpu_s=cpu_s, redis_bytes=10**8, snapshots=6 * n,
            snapshot_bytes=3000 * n, snapshots_lost=int(ends.get("lost", 0)),
        ))  # fmt: skip
    return samples


def test_a_steady_appliance_passes_and_its_figures_are_right():
    report = judge(hour())
    assert report["failed"] == [] and report["slope_judged"] and abs(report["rss_slope_percent_per_h"]) < 0.05
    assert (report["seconds"], report["frames_per_s"], report["events_per_s"], report["snapshot_bytes"]) == (3600, 1000, 3000, 500)
    assert report["rss_first_mb"] == pytest.approx(152, abs=0.5) and report["cpu_us_per_frame"] == [200.0, 200.0]


@pytest.mark.parametrize("grown, why", [
    ({"grows": 100.0}, "memory grows by 0.2"), ({"grows": 120_000.0}, "memory rose to"), ({"files": 20}, "open files rose from"), ({"tasks": 20}, "tasks rose from 150 to 170"),
    ({"cpu_us": 300}, "a frame costs"), ({"bucket": N - 2}, "confirmation slowed down"), ({"shed": 1}, "1 CRITICAL and HIGH events were shed"),
    ({"lost": 2}, "2 snapshots were lost"), ({"unready": 1}, "never was ready"), ({"mute": 1}, "no frame came any more"),
])  # fmt: skip
def test_whatever_grows_or_fails_is_said(grown, why):
    failed = judge(hour(**grown))["failed"]
    assert any(each.startswith(why) or why in each for each in failed), failed


def test_a_leak_of_a_thousandth_an_hour_is_the_bound():
    assert judge(hour(grows=152e6 * 0.0009 / HOUR))["failed"] == []
    assert judge(hour(grows=152e6 * 0.0011 / HOUR))["failed"] != []


def test_a_short_run_tells_no_slope():
    report = judge([sample for sample in hour(grows=500.0) if sample.at_s < 900])
    assert report["failed"] == [] and not report["slope_judged"]


def test_a_burst_bends_no_slope():
    rows = [(float(n), 100.0 + (5000.0 if 40 <= n < 60 else 0.0) + n) for n in range(200)]
    assert slope_a_second(rows) == pytest.approx(1.0, abs=0.1)


async def test_the_soak_in_short(tmp_path):
    report = await soak(tmp_path, seconds=6, instruments=2, rate=1.0)
    assert report["failed"] == [] and report["ok"], report
    assert report["exit_code"] == 0 and report["frames_per_s"] > 50 and report["events_per_s"] > 100 and 30 < report["rss_mb"] < 300
    assert report["open_files"][0] > 10 and report["tasks"][0] > 20 and report["snapshots"] > 18
