"""Integrity over time: when each book was lost and repaired, which trades were missing, and everything that was told of it."""

import time
from typing import Any, ClassVar

from p9.capture.ledger import Gap
from p9.ops.dashboard.chronicle import Chronicle
from p9.ops.dashboard.sources import Sources
from p9.ops.dashboard.view import View

SPAN_NS = 3600 * 1_000_000_000  # shown
MOST_GAPS = 500


class Timeline(View):
    every_s = 1.0
    kept: ClassVar[dict[str, int]] = {"events": 300}

    def __init__(self, sources: Sources, chronicle: Chronicle):
        super().__init__()
        self._sources, self._chronicle = sources, chronicle
        self._told = 0

    async def open(self) -> None:
        await self._chronicle.recall(self._sources.history)

    def look(self, now_s: float) -> dict[str, Any]:
        self.add("events", *self._chronicle.events.newest(min(self._chronicle.n - self._told, self.kept["events"])))
        self._told = self._chronicle.n
        since_ns = time.time_ns() - SPAN_NS
        gaps = [gap for gap in self._sources.ledger.rows() if (gap.settled_ns or since_ns) >= since_ns][-MOST_GAPS:]
        states: dict[str, str] = {}
        for capture in self._sources.captures().values():
            of_all = capture.pipeline.states()
            states |= {f"{row.exchange} {row.symbol}": of_all[ix] for ix, row in capture.instruments.items()}
        return {
            "states": states, "gaps": {gap.id: gap_row(gap) for gap in gaps}, "ledger": self._sources.ledger.status(),
            "missing": self._sources.not_ready()[:12],
        }  # fmt: skip


def gap_row(gap: Gap) -> dict[str, Any]:
    return {
        "kind": gap.kind, "state": gap.state, "key": f"{gap.exchange} {gap.symbol}", "reason": gap.reason, "from": gap.noticed_ns // 1_000_000,
        "to": None if gap.settled_ns is None else gap.settled_ns // 1_000_000, "missing": gap.missing, "fetched": gap.fetched,
    }  # fmt: skip
