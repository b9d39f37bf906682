"""What happened to books, trades, clocks and circuits, remembered whether or not somebody looks: it is rare, and asked for afterwards."""

import asyncio
from typing import Any, NamedTuple

from cext.channel import Channel

from p9.ops.dashboard.history import History
from p9.ops.dashboard.payload import own_fields
from p9.ops.dashboard.watch import Watch
from p9.records import Records

TYPES = ("integrity", "gaps", "audits", "insurance_alerts", "adl")
KEPT, KEPT_BYTES = 2000, 600_000
EVERY_S = 1.0
RECALLED = 20  # events of one channel, from before we heard it


class _Heard(NamedTuple):
    """Of one channel: the numbers first to last of an epoch are remembered."""

    epoch: int
    first: int
    last: int


class Chronicle:
    """`run` for ever; `events` are the last ones, oldest first, each with its number `n`, which only grows."""

    def __init__(self, watch: Watch):
        self.events = Records(KEPT, KEPT_BYTES)
        self.n = 0
        self._watch = watch
        self._held: dict[Channel, None] = {}
        self._heard: dict[tuple[str, str, str], _Heard] = {}  # by type, exchange and symbol
        self._recalled: set[Channel] = set()

    async def run(self) -> None:
        try:
            while True:
                self.look()
                await asyncio.sleep(EVERY_S)
        finally:
            self.close()

    def close(self) -> None:
        for channel in self._held:
            self._watch.release(channel, self._hear)
        self._held = {}

    def look(self) -> None:
        there = [channel for type in TYPES for channel in self._watch.channels(type)]
        for channel in there:
            if channel not in self._held:
                self._held[channel] = None
                self._watch.hold(channel, self._hear)
        self._watch.drain()
        if len(there) < len(self._held):
            self._let_go(self._held.keys() - set(there))

    def _let_go(self, gone: set[Channel]) -> None:
        """Instruments come and go."""
        for channel in gone:
            self._watch.release(channel, self._hear)
            del self._held[channel]
            self._recalled.discard(channel)
            self._heard.pop((channel.type, channel.exchange, channel.symbol), None)

    async def recall(self, history: History) -> None:
        """Once for each channel: what its stream has from before we heard it, also of earlier runs. Somebody asks to see it, so it is worth the question."""
        fresh = [channel for channel in self._held if channel not in self._recalled]
        self._recalled.update(fresh)
        before = [event for event in await history.before(fresh, RECALLED) if not self._knows(event)]
        if not before:
            return
        for event in before:
            self._take(event)
        ordered = sorted(self.events, key=lambda event: event["at"] or 0)
        self.events.clear()
        for event in ordered:
            self.n += 1
            self.events.append(event | {"n": self.n})

    def _hear(self, event: dict[str, Any]) -> None:
        if not self._knows(event):  # recalled already
            self._take(event)

    def _knows(self, event: dict[str, Any]) -> bool:
        heard = self._heard.get(_key(event))
        return heard is not None and heard.epoch == event["epoch"] and heard.first <= event["seq"] <= heard.last

    def _take(self, event: dict[str, Any]) -> None:
        heard, epoch, seq = self._heard.get(_key(event)), event["epoch"], event["seq"]
        if heard is None or heard.epoch < epoch:
            self._heard[_key(event)] = _Heard(epoch, seq, seq)
        elif heard.epoch == epoch:
            self._heard[_key(event)] = _Heard(epoch, min(heard.first, seq), max(heard.last, seq))
        self.n += 1
        self.events.append({"n": self.n, "type": event["type"], "exchange": event["exchange"], "symbol": event["symbol"], **own_fields(event)})


def _key(event: dict[str, Any]) -> tuple[str, str, str]:
    return event["type"], event["exchange"], event["symbol"]
