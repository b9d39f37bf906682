"""The one tap of the dashboard: which channels somebody looks at, and what went by on them. Nobody looks, nothing is copied."""

from collections.abc import Callable
from typing import Any

import msgspec
from cext.channel import Channel
from cext.outbox import Outbox
from cext.tap import Tap

MEDIUM = 2
EVENTS_BYTES = 65536  # of one channel, between two looks
Hear = Callable[[dict[str, Any]], None]


class Watch:
    """`hold` and `release` a channel, by whoever wants to hear it; `drain` hands out what went by. One Tap a channel, however many hear it.

    CRITICAL and HIGH events are heard one by one, in the moment that they are accepted, whether or not Redis takes them; MEDIUM and LOW as their
    newest value, when it is published.
    """

    def __init__(self, outbox: Outbox):
        self._outbox = outbox
        self._hearers: dict[Channel, list[Hear]] = {}
        self._by_type: dict[str, list[Channel]] = {}
        self._n_known = -1

    def channels(self, type: str, exchange: str = "", symbol: str = "", timeframe: str = "") -> list[Channel]:
        """Those of a type; of one instrument, and one timeframe, where these are given."""
        if self._outbox.n_channel_changes != self._n_known:
            self._n_known, self._by_type = self._outbox.n_channel_changes, {}
            for channel in self._outbox.channels():
                self._by_type.setdefault(channel.type, []).append(channel)
        return [
            channel
            for channel in self._by_type.get(type, ())
            if exchange in ("", channel.exchange) and symbol in ("", channel.symbol) and timeframe in ("", channel.timeframe)
        ]

    @property
    def n_channels(self) -> int:
        """Channels that are published, looked at or not."""
        return len(self._outbox.channels())

    def types(self) -> list[str]:
        """Every type that has a channel."""
        self.channels("")
        return sorted(self._by_type)

    def hold(self, channel: Channel, hear: Hear) -> None:
        hearers = self._hearers.setdefault(channel, [])
        if not hearers:
            newest = channel.cls >= MEDIUM and not channel.queued
            self._outbox.look(channel, Tap(1 << 20 if newest else EVENTS_BYTES, newest))
        hearers.append(hear)

    def release(self, channel: Channel, hear: Hear) -> None:
        hearers = self._hearers.get(channel, [])
        if hear in hearers:
            hearers.remove(hear)
        if not hearers and self._hearers.pop(channel, None) is not None:
            self._outbox.look(channel, None)

    def drain(self) -> None:
        """Hand out what went by since the last time."""
        for channel, hearers in list(self._hearers.items()):
            for payload in channel.tap.take():
                event = msgspec.json.decode(payload)
                for hear in list(hearers):
                    hear(event)

    def missed(self) -> int:
        """Events that came faster than they were looked at, of the channels that are looked at now."""
        return sum(channel.tap.n_missed for channel in self._hearers if not channel.tap.newest)

    def __len__(self) -> int:
        return len(self._hearers)

