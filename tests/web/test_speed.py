"""What the dashboard costs the browser, and the appliance, while the markets send 10,000 messages a second."""

import json
import subprocess
import sys
import time

import pytest

from p9.packaging import charts
from tests.web.browser import ROOT, browser, chromium, watched
from tests.web.frames import recorded, yardstick

SECONDS = 60.0  # of market, at most
LOOKS = 3  # at most: whatever else runs on these cores only adds, so the best one counts
LOOKED_S = 5.0
MOST_BYTES_S = 50_000
MOST_UPDATES_S = 10.5
MOST_WORK_MS = 8.0  # of a frame, at the 95th percentile, with Chromium's drawing, the appliance and its venue on the same two cores
YARDSTICK_MS = 3.1  # a frame of the yardstick, in the median, on the machine that is meant by that, while nothing else runs
SLOWEST = 2.5  # the bound is as much wider as the yardstick takes longer just before, on the same cores; up to this
LOST_MB = 8.0


@pytest.fixture
def busy(tmp_path):
    chromium()
    charts.fetch(tests=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.web.busy", str(tmp_path), str(SECONDS)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def tell(process, word):
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def heap_mb(session) -> float:
    session.send("HeapProfiler.collectGarbage")
    return next(row["value"] for row in session.send("Performance.getMetrics")["metrics"] if row["name"] == "JSHeapUsedSize") / 1e6


def look(chrome, page, session) -> dict:
    """Some seconds of the desk, after the yardstick."""
    slow = min(max(1.0, yardstick(chrome).at(0.5) / YARDSTICK_MS), SLOWEST)
    before_mb, before = heap_mb(session), page.page.evaluate("document.querySelectorAll('*').length")
    page.received.clear()
    began_s = time.monotonic()
    work = recorded(chrome, page.page, lambda: page.page.wait_for_timeout(LOOKED_S * 1000))
    span_s, received = time.monotonic() - began_s, list(page.received)
    return {
        "bytes_per_s": round(sum(received) / span_s), "updates_per_s": round(len(received) / span_s, 1), "frames": len(work.by_frame),
        "work_ms": {name: round(work.at(share), 2) for name, share in (("p50", 0.5), ("p95", 0.95), ("worst", 1.0))}, "most_ms": round(MOST_WORK_MS * slow, 2),
        "heap_grown_mb": round(heap_mb(session) - before_mb, 2), "nodes": before, "more_nodes": page.page.evaluate("document.querySelectorAll('*').length") - before,
    }  # fmt: skip


@pytest.mark.speed
def test_ten_thousand_messages_a_second_are_smooth(busy):
    url = busy.stdout.readline().strip()
    with browser() as chrome:
        page = watched(chrome, url)
        page.go("desk/bybit/BTC-USDT-PERP/1s")
        page.until("() => document.querySelector('#link').innerText === 'live' && document.querySelectorAll('.ladder tbody tr').length > 20")
        session = page.page.context.new_cdp_session(page.page)
        session.send("Performance.enable")
        tell(busy, "look")
        page.until("() => document.querySelectorAll('.tape li').length >= 20")
        looks: list[dict] = []
        while len(looks) < LOOKS and not (looks and looks[-1]["work_ms"]["p95"] < looks[-1]["most_ms"]):
            looks.append(look(chrome, page, session))
        page.shoot("busy-desk")
    tell(busy, "enough")
    told = json.loads(busy.stdout.readline())
    print(json.dumps({"looks": looks, "appliance": told}))
    assert told["messages_per_s"] > 9_000 and told["left"] and told["gaps"] == 0 and told["hub"]["faults"] == 0, told
    for each in looks:
        assert each["frames"] > 30 and 3 < each["updates_per_s"] <= MOST_UPDATES_S and each["bytes_per_s"] <= MOST_BYTES_S, looks
        assert each["heap_grown_mb"] < LOST_MB and each["more_nodes"] < 100, looks
    assert looks[-1]["work_ms"]["p95"] < looks[-1]["most_ms"], looks
    assert page.complaints == []
