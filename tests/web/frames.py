"""What the main thread of a page works for a frame, measured by Chromium itself; and a yardstick, since a machine may be slow or busy."""

import json
from collections.abc import Callable
from typing import Any

from tests.web.browser import PATIENCE_MS

CATEGORIES = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"]
# Sixty frames of what a page like ours does: figures written, laid out and painted as elements, and drawn on a canvas
YARDSTICK = """() => new Promise((done) => {
  const cells = Array.from({length: 80}, () => document.body.appendChild(document.createElement("span")));
  const canvas = document.body.appendChild(document.createElement("canvas"));
  canvas.width = 300; canvas.height = 600;
  const context = canvas.getContext("2d");
  const figure = (n) => ((n * 104729) % 99991 / 1000).toFixed(3);
  let n = 0;
  const frame = () => {
    cells.forEach((cell, k) => { cell.textContent = figure(97 * n + k); });
    context.clearRect(0, 0, 300, 600);
    for (let k = 0; k < 100; k++) context.fillText(figure(n + 31 * k), 60 * (k % 5), 10 + 25 * Math.floor(k / 5));
    if (++n < 60) requestAnimationFrame(frame); else done();
  };
  requestAnimationFrame(frame);
})"""


class Work:
    """CPU of the main thread from one frame to the next, ms, ascending."""

    def __init__(self, by_frame: list[float]):
        self.by_frame = sorted(by_frame)

    def at(self, share: float) -> float:
        return self.by_frame[min(int(len(self.by_frame) * share), len(self.by_frame) - 1)]


def recorded(chrome: Any, page: Any, meanwhile: Callable[[], object]) -> Work:
    chrome.start_tracing(page=page, categories=CATEGORIES)
    meanwhile()
    return Work(work_by_frame(json.loads(chrome.stop_tracing())["traceEvents"]))


def yardstick(chrome: Any) -> Work:
    page = chrome.new_context().new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.set_content("<style>span { display: inline-block; width: 60px; text-align: right }</style>")
    work = recorded(chrome, page, lambda: page.evaluate(YARDSTICK))
    page.context.close()
    return work


def work_by_frame(events: list[dict[str, Any]]) -> list[float]:
    """A frame ends with the task that commits it; what is done before the next one, as messages that are read, is the next one's."""
    pid = next(event["args"]["data"]["frames"][0]["processId"] for event in events if event["name"] == "TracingStartedInBrowser")
    tid = next(event["tid"] for event in events if event["name"] == "thread_name" and event["pid"] == pid and event["args"]["name"] == "CrRendererMain")
    own = [event for event in events if (event["pid"], event["tid"]) == (pid, tid)]
    tasks = sorted((event for event in own if event["name"] == "RunTask" and "tdur" in event), key=lambda event: event["ts"])
    commits = sorted(event["ts"] for event in own if event["name"] == "Commit")
    work, spent_us, n = [], 0, 0
    for task in tasks:
        spent_us += task["tdur"]
        before = n
        while n < len(commits) and commits[n] <= task["ts"] + task["dur"]:
            n += 1
        if n > before:
            work.append(spent_us / 1e3)
            spent_us = 0
    return work
