"""What is polled, of all instruments side by side: funding, basis, open interest, insurance funds."""

from typing import Any, ClassVar

from cext.channel import Channel

from p9.ops.dashboard.payload import own_fields
from p9.ops.dashboard.sources import Sources
from p9.ops.dashboard.view import View

SHOWN = ("funding", "mark_price", "open_interest", "insurance_fund")
TOLD = ("insurance_alerts",)
MOST_ROWS = 600  # of one board
MOST_TEXT = 2000  # of one row: what is longer is a list that no board shows


class Boards(View):
    every_s = 1.0
    kept: ClassVar[dict[str, int]] = {"events": 60}

    def __init__(self, sources: Sources):
        super().__init__()
        self._sources = sources
        self._rows: dict[str, dict[str, dict[str, Any]]] = {type: {} for type in SHOWN}
        self._held: dict[Channel, Any] = {}
        self._sought_s = float("-inf")

    def _hold_new(self, now_s: float) -> list[Channel]:
        if now_s - self._sought_s < 2.0:
            return []
        self._sought_s = now_s
        fresh = []
        for types, hear in ((SHOWN, self._hear), (TOLD, self._hear_told)):
            for type in types:
                for channel in self._sources.watch.channels(type)[:MOST_ROWS]:
                    if channel not in self._held:
                        self._sources.watch.hold(channel, hear)
                        self._held[channel] = hear
                        fresh.append(channel)
        return fresh

    async def open(self) -> None:
        for channel, event in await self._sources.history.newest(self._hold_new(0.0)):
            self._held[channel](event)

    def close(self) -> None:
        for channel, hear in self._held.items():
            self._sources.watch.release(channel, hear)
        self._held = {}

    def _hear(self, event: dict[str, Any]) -> None:
        fields = {name: value for name, value in own_fields(event).items() if not isinstance(value, list | dict) or len(str(value)) < MOST_TEXT}
        self._rows[event["type"]][f"{event['exchange']} {event['symbol']}"] = fields

    def _hear_told(self, event: dict[str, Any]) -> None:
        self.add("events", {"type": event["type"], "exchange": event["exchange"], "symbol": event["symbol"], **own_fields(event)})

    def look(self, now_s: float) -> dict[str, Any]:
        self._hold_new(now_s)
        return {type: dict(rows) for type, rows in self._rows.items()} | {"published": [type for type in (*SHOWN, *TOLD) if self._sources.watch.channels(type)]}
