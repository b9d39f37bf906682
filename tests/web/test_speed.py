"""What the dashboard costs the browser, and the appliance, while the markets send 10,000 messages a second."""

import json
import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from p9.packaging import charts
from tests.web.browser import ROOT, browser, chromium, watched

SECONDS = 12.0  # of market
LOOKED_S = 6.0  # of them: measured
MOST_BYTES_S = 50_000
MOST_UPDATES_S = 10.5
MOST_WORK_MS = 12.0  # of a frame, at the 95th percentile, with Chromium's drawing, the appliance and its venue on the same two cores; the aim is 8
MOST_NOISE = 4.0  # others on the same cores cost caches and clock: the bound is as much wider as there is more work than cores, up to this
FRAME_US = 1_000_000 / 60
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


def work_by_frame(trace: bytes) -> list[float]:
    """CPU of the page's main thread in each sixtieth of a second in which it drew, ms; measured by Chromium itself."""
    events = json.loads(trace)["traceEvents"]
    threads = {(event["pid"], event["tid"]) for event in events if event.get("name") == "thread_name" and event["args"]["name"] == "CrRendererMain"}
    tasks = [event for event in events if event.get("name") == "RunTask" and (event["pid"], event["tid"]) in threads and "tdur" in event]
    busiest = Counter((event["pid"], event["tid"]) for event in tasks).most_common(1)[0][0]
    tasks = [event for event in tasks if (event["pid"], event["tid"]) == busiest]
    drawn = {int(event["ts"] // FRAME_US) for event in events if event.get("name") in ("FireAnimationFrame", "Paint") and (event["pid"], event["tid"]) == busiest}
    spent: Counter[int] = Counter()
    for event in tasks:
        spent[int(event["ts"] // FRAME_US)] += event["tdur"]
    return [spent[frame] / 1e3 for frame in sorted(drawn)]


def heap_mb(session) -> float:
    session.send("HeapProfiler.collectGarbage")
    return next(row["value"] for row in session.send("Performance.getMetrics")["metrics"] if row["name"] == "JSHeapUsedSize") / 1e6


@pytest.mark.speed
def test_ten_thousand_messages_a_second_are_smooth(busy):
    url = busy.stdout.readline().strip()
    with browser() as chrome:
        page = watched(chrome, url)
        page.go("desk/bybit/BTC-USDT-PERP/1s")
        page.until("() => document.querySelector('#link').innerText === 'live' && document.querySelectorAll('.ladder .row').length > 20")
        session = page.page.context.new_cdp_session(page.page)
        session.send("Performance.enable")
        busy.stdin.write("look\n")
        busy.stdin.flush()
        page.until("() => document.querySelectorAll('.tape li').length >= 20")
        before_mb, nodes = heap_mb(session), page.page.evaluate("document.querySelectorAll('*').length")
        chrome.start_tracing(page=page.page, categories=["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"])
        page.received.clear()
        began_s = time.monotonic()
        page.page.wait_for_timeout(LOOKED_S * 1000)
        span_s, received = time.monotonic() - began_s, list(page.received)
        work = sorted(work_by_frame(chrome.stop_tracing()))
        grown_mb, more_nodes = heap_mb(session) - before_mb, page.page.evaluate("document.querySelectorAll('*').length") - nodes
        page.shoot("busy-desk")
    told = json.loads(busy.stdout.readline())
    noise = min(max(1.0, (os.getloadavg()[0] - 1) / (os.cpu_count() or 1)), MOST_NOISE)
    figures = {
        "bytes_per_s": round(sum(received) / span_s), "updates_per_s": round(len(received) / span_s, 1), "frames": len(work),
        "work_ms": {"p50": work[len(work) // 2], "p95": work[int(len(work) * 0.95)], "worst": work[-1]}, "noise": round(noise, 1), "heap_grown_mb": round(grown_mb, 2), "nodes": nodes,
        "appliance": told,
    }  # fmt: skip
    print(json.dumps(figures))
    assert told["messages_per_s"] > 9_000 and told["gaps"] == 0 and told["hub"]["faults"] == 0, figures
    assert len(received) > 30 and figures["updates_per_s"] <= MOST_UPDATES_S and figures["bytes_per_s"] <= MOST_BYTES_S, figures
    assert len(work) > 30 and figures["work_ms"]["p95"] < MOST_WORK_MS * noise, figures
    assert grown_mb < LOST_MB and more_nodes < 100, figures
    assert page.complaints == []
