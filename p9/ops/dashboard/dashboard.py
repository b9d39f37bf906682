"""The live dashboard's server side: which views there are, the page's files, and the hub that everybody looks through."""

import asyncio
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from p9 import __version__
from p9.ops.dashboard.chronicle import Chronicle
from p9.ops.dashboard.hub import Hub
from p9.ops.dashboard.sources import Sources
from p9.ops.dashboard.view import View
from p9.ops.dashboard.views.boards import Boards
from p9.ops.dashboard.views.desk import Desk
from p9.ops.dashboard.views.options import Options
from p9.ops.dashboard.views.overview import Overview
from p9.ops.dashboard.views.system import System
from p9.ops.dashboard.views.timeline import Timeline

TYPES = {"html": "text/html", "js": "text/javascript", "mjs": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "txt": "text/plain"}
CHARTS = ("vendor/uplot.js", "vendor/uplot.css", "vendor/lightweight-charts.mjs")  # fetched at build: packaging/charts.py
TIMEFRAMES = ("1s", "5s", "10s", "15s", "30s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "12h", "1d")
TIMEFRAME = "5s"


class Dashboard:
    """`pages`: figures of the pages themselves, for the machine room. `most`: pages that may look at the same time."""

    def __init__(self, sources: Sources, *, most: int, simulated: bool, pages: Callable[[], dict[str, Any]] = dict):
        self._sources, self._simulated, self._pages = sources, simulated, pages
        self.chronicle = Chronicle(sources.watch)
        self.hub = Hub(self._make, self._hello, most=most, before_tick=sources.watch.drain)
        self._task: asyncio.Task[None] | None = None
        self.files = static_files()
        self.charts = all(name in self.files for name in CHARTS)

    def start(self) -> None:
        self._task = asyncio.create_task(self.chronicle.run(), name="chronicle")

    async def stop(self) -> None:
        await self.hub.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _hello(self) -> dict[str, Any]:
        watch = self._sources.watch
        return {
            "version": __version__, "simulated": self._simulated, "charts": self.charts, "timeframes": TIMEFRAMES,
            "instruments": [[row.exchange, row.symbol, row.market] for _, _, row in self._sources.instruments()],
            "underlyings": [[channel.exchange, channel.symbol] for channel in watch.channels("options_iv")],
            "published": watch.types(),
        }  # fmt: skip

    def _make(self, look: dict[str, str]) -> View | None:
        match look.get("view"):
            case "overview":
                return Overview(self._sources)
            case "desk":
                found = self._sources.find(look.get("exchange", ""), look.get("symbol", ""))
                timeframe = look.get("timeframe", TIMEFRAME)
                return Desk(self._sources, *found, timeframe) if found and timeframe in TIMEFRAMES else None
            case "boards":
                return Boards(self._sources)
            case "options":
                return Options(self._sources, look.get("exchange", ""), look.get("underlying", ""), look.get("expiry", ""))
            case "timeline":
                return Timeline(self._sources, self.chronicle)
            case "system":
                return System(self._sources, lambda: self._pages() | {"dashboard": self.hub.status()})
        return None


def static_files() -> dict[str, Any]:
    """{path below /static/: where it lies}: what is not in here is not served, whatever it is called."""
    found: dict[str, Any] = {}

    def walk(folder: Any, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                walk(entry, f"{prefix}{entry.name}/")
            elif entry.name.rpartition(".")[2] in TYPES:
                found[prefix + entry.name] = entry

    walk(files("p9.ops.dashboard").joinpath("static"), "")
    return found
