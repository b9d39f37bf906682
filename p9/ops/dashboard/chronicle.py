"""What happened to books, trades, clocks and circuits, remembered whether or not somebody looks: it is rare, and asked for afterwards."""

import asyncio
from collections import deque
from typing import Any

from cext.channel import Channel

from p9.ops.dashboard.history import History
from p9.ops.dashboard.payload import own_fields
from p9.ops.dashboard.watch import Watch

TYPES = ("integrity", "gaps", "audits", "insurance_alerts", "adl")
KEPT = 2000
EVERY_S = 1.0
RECALLED = 20  # events of one channel, from before we heard it


class Chronicle:
    """`run` for ever; `events` are the last ones, oldest first, each with its number `n`, which only grows."""

    def __init__(self, watch: Watch):
        self.events: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.n = 0
        self._watch = watch
        self._held: dict[Channel, None] = {}
        self._seen: set[tuple[str, str, str, int, int]] = set()  # what is remembered, by channel, epoch and number
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
        for type in TYPES:
            for channel in self._watch.channels(type):
                if channel not in self._held:
                    self._held[channel] = None
                    self._watch.hold(channel, self._hear)
        self._watch.drain()

    async def recall(self, history: History) -> None:
        """Once for each channel: what its stream has from before we heard it, also of earlier runs. Somebody asks to see it, so it is worth the question."""
        fresh = [channel for channel in self._held if channel not in self._recalled]
        self._recalled.update(fresh)
        before = [event for event in await history.before(fresh, RECALLED) if _key(event) not in self._seen]
        if not before:
            return
        for event in before:
            self._hear(event)
        ordered = sorted(self.events, key=lambda event: event["at"] or 0)
        self.events.clear()
        for event in ordered:
            self.n += 1
            self.events.append(event | {"n": self.n})

    def _hear(self, event: dict[str, Any]) -> None:
        if _key(event) in self._seen:
            return  # recalled already
        self.n += 1
        self._seen.add(_key(event))
        if len(self._seen) > 4 * KEPT:
            self._seen.clear()
        self.events.append({"n": self.n, "type": event["type"], "exchange": event["exchange"], "symbol": event["symbol"], **own_fields(event)})


def _key(event: dict[str, Any]) -> tuple[str, str, str, int, int]:
    return event["type"], event["exchange"], event["symbol"], event["epoch"], event["seq"]
