"""The machine room: the configuration in force, the log, sockets and REST budgets, and who looks at all this."""

from collections.abc import Callable
from typing import Any, ClassVar

from p9.ops import logs
from p9.ops.dashboard.sources import Sources
from p9.ops.dashboard.view import View

MOST_FEEDS = 200


class System(View):
    every_s = 1.0
    kept: ClassVar[dict[str, int]] = {"log": 300}

    def __init__(self, sources: Sources, pages: Callable[[], dict[str, Any]]):
        super().__init__()
        self._sources, self._pages = sources, pages
        self._told = 0

    def look(self, now_s: float) -> dict[str, Any]:
        self.add("log", *logs.RECENT.lines.newest(min(logs.RECENT.n - self._told, self.kept["log"])))
        self._told = logs.RECENT.n
        feeds = {
            feed.name: {
                "state": feed.state, "books": len(feed.books), "failures": feed.failures, "losses": feed.losses, "rotations": feed.rotations,
                "last_loss": feed.last_loss or None, "topics": len(feed.connection.topics) if feed.connection is not None else None,
                "age_s": int(feed.status().get("age_s", 0)) // 10 * 10,
            }
            for capture in self._sources.captures().values()
            for feed in capture.feeds
        }  # fmt: skip
        return {
            "config": self._sources.config(), "feeds": dict(list(feeds.items())[:MOST_FEEDS]), "pages": self._pages(),
            "budgets": self._sources.budgets(), "channels": self._sources.watch.n_channels, "published": self._sources.watch.types(),
        }  # fmt: skip
