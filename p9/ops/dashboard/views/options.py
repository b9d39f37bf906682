"""One underlying's options: the smile of an expiry, and the term structure."""

from typing import Any

from cext.channel import Channel

from p9.ops.dashboard.payload import own_fields, without_rows
from p9.ops.dashboard.sources import Sources
from p9.ops.dashboard.view import View

TYPE = "options_iv"
SHOWN = ("strike", "type", "use", "mark_iv", "bid_iv", "ask_iv", "own_iv", "open_interest")  # columns of a row
IN_SMILE = "smile"


class Options(View):
    """`exchange` and `underlying` as the channel names them, `expiry` in ns ("": the nearest that has a smile); what is not published yet is awaited."""

    every_s = 1.0

    def __init__(self, sources: Sources, exchange: str, underlying: str, expiry: str):
        super().__init__()
        self._sources, self._exchange, self._underlying, self._expiry = sources, exchange, underlying, expiry
        self._event: dict[str, Any] = {}
        self._held: list[Channel] = []

    async def open(self) -> None:
        self._hold_new()
        for _, event in await self._sources.history.newest(self._held):
            self._hear(event)

    def close(self) -> None:
        for channel in self._held:
            self._sources.watch.release(channel, self._hear)
        self._held = []

    def _hold_new(self) -> None:
        for channel in self._sources.watch.channels(TYPE, self._exchange, self._underlying):
            if channel not in self._held:
                self._sources.watch.hold(channel, self._hear)
                self._held.append(channel)

    def _hear(self, event: dict[str, Any]) -> None:
        self._event = own_fields(event)

    def look(self, now_s: float) -> dict[str, Any]:
        self._hold_new()
        expiries = self._event.get("expiries") or []
        chosen = next((row for row in expiries if str(row["expiry"]) == self._expiry), None) or next((row for row in expiries if row.get("in_smile")), None)
        known = {"underlyings": [f"{channel.exchange} {channel.symbol}" for channel in self._sources.watch.channels(TYPE)], "known": bool(self._event)}
        if not self._event:
            return known
        return known | {
            "at": self._event["at"], "surface": without_rows({name: value for name, value in self._event.items() if name not in ("expiries", "columns", "maturities", "at")}),
            "maturities": {str(row.get("days")): row for row in self._event.get("maturities") or []},
            "expiries": {str(row["expiry"]): without_rows(row) for row in expiries},
            "chosen": str(chosen["expiry"]) if chosen else None, "smile": smile_of(chosen, self._event.get("columns") or []) if chosen else [],
        }  # fmt: skip


def smile_of(expiry: dict[str, Any], columns: list[str]) -> list[list[Any]]:
    """The rows of an expiry, by strike, cut to the columns SHOWN."""
    places = [columns.index(name) if name in columns else None for name in SHOWN]
    return [[None if place is None or place >= len(row) else row[place] for place in places] for row in expiry.get("rows") or []]
