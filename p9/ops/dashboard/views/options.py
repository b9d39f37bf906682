"""One underlying's options: the smile of an expiry, and the term structure."""

from typing import Any

from cext.channel import Channel

from p9.ops.dashboard.payload import own_fields
from p9.ops.dashboard.sources import Sources
from p9.ops.dashboard.view import View

TYPE = "options_iv"


class Options(View):
    """`exchange` and `underlying` as the channel names them; what is not published yet is awaited."""

    every_s = 1.0

    def __init__(self, sources: Sources, exchange: str, underlying: str):
        super().__init__()
        self._sources, self._exchange, self._underlying = sources, exchange, underlying
        self._surface: dict[str, Any] | None = None
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
        self._surface = own_fields(event)

    def look(self, now_s: float) -> dict[str, Any]:
        self._hold_new()
        return {"underlyings": [f"{channel.exchange} {channel.symbol}" for channel in self._sources.watch.channels(TYPE)], "surface": self._surface}
