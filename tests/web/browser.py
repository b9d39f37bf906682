"""A real Chromium, and what it had to complain of."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "build" / "screenshots"  # to be looked at
CHECKER = ROOT / "build" / "axe.js"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip
PATIENCE_MS = 60_000  # the machine may be slow and busy


def chromium() -> str:
    """Where Chromium is. Without one the test says so, and in CI, which installs it, it fails."""
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if found is None:
        told = "no Chromium on this machine: apt-get install chromium"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    return found


class Watched:
    """A page, and everything about it that should not have been: errors, complaints, requests to anybody else."""

    def __init__(self, page: Any, base: str):
        self.page, self.base = page, base
        self.complaints: list[str] = []
        self.received: list[int] = []  # bytes of each message
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: message.type in ("error", "warning") and self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", self._asked)
        page.on("websocket", lambda one: one.on("framereceived", lambda data: self.received.append(len(data))))

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.base, self.base.replace("http", "ws"), "data:", "blob:")):
            self.complaints.append(f"asked somebody else: {request.url}")

    def go(self, view: str) -> None:
        self.page.goto(f"{self.base}/#/{view}")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def until(self, script: str, *words: Any) -> Any:
        """Until the script is true in the page."""
        return self.page.wait_for_function(script, arg=list(words), timeout=PATIENCE_MS)

    def changes(self, selector: str) -> None:
        """Wait until the text there is another."""
        before = self.text(selector)
        self.until("([selector, before]) => document.querySelector(selector)?.innerText !== before", selector, before)

    def shoot(self, name: str, whole: bool = False) -> Path:
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{name}.png"
        self.page.screenshot(path=path, full_page=whole)
        return path

    def told(self) -> set[tuple[str, str]]:
        """Role and name of all that a screen reader hears of."""
        session = self.page.context.new_cdp_session(self.page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        session.detach()
        return {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]}

    def barriers(self) -> list[str]:
        """What axe finds that keeps somebody from using the page. The script is given to the page's world from outside: its policy allows no other."""
        self.page.evaluate(CHECKER.read_text())
        found = self.page.evaluate("() => axe.run({resultTypes: ['violations']})")
        return [
            f"{rule['id']}: {node['target']} {node['failureSummary'][:200]}" for rule in found["violations"] for node in rule["nodes"][:3]
        ]


@contextlib.contextmanager
def browser(**more: Any) -> Iterator[Any]:
    """A new Chromium with a profile of its own."""
    from playwright.sync_api import sync_playwright

    path = chromium()
    with tempfile.TemporaryDirectory(prefix="p9-chromium-", ignore_cleanup_errors=True) as folder, sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=path, args=FLAGS, headless=True, env={**os.environ, "HOME": folder}, **more)
        try:
            yield one
        finally:
            one.close()


def watched(one: Any, base: str, **more: Any) -> Watched:
    return Watched(one.new_context(**{"viewport": {"width": 1600, "height": 1000}, "color_scheme": "dark", **more}).new_page(), base)
