"""Which topics live. Heartbeats do not count, and a quiet market is no alarm: a topic is held against its own pace and that of its siblings,
the other topics of its instrument: each trade changes the book, most changes of the book change its best prices. That a book changes does not mean
that anybody trades, so trades that are silent for long are no alarm yet: the venue is asked whether there were any.

The hot path counts by instrument; here the counts are looked at once a second.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from cext.pipeline import Pipeline

from p9.capture.feed import Feed
from p9.errors import RestError
from p9.venue import Topic, TopicKind

COUNTED: dict[TopicKind, tuple[str, ...]] = {"depth": ("depth_frames", "images", "keepalives"), "best": ("touches",), "trades": ("trades",)}


class LivenessSettings(msgspec.Struct, frozen=True):
    """Seconds, and how sure we want to be."""

    tick_s: float = 1.0  # between two looks
    first_data_s: float = 15.0  # after an acknowledgement, which proves nothing on some venues
    silent_s: float = 5.0  # and
    silent_times: float = 8.0  # so many times its longest pause of late: then a depth or best bid/ask topic is silent
    pace_half_life_s: float = 600.0  # of what "of late" is: a night's pauses are forgotten in the day
    trades_silent_s: float = 30.0  # and for trades, twice as long each time that the venue had none
    sibling_events: int = 20  # that its siblings brought meanwhile: then silence is a fault, not a quiet market
    again_s: float = 60.0  # between two new subscriptions of one topic
    recycle_after: int = 3  # of them that brought nothing: then its socket is doubted


def _count(kind: TopicKind, counters: Mapping[str, int]) -> int:
    """What came by the topic; trades that were fetched did not."""
    return sum(counters[field] for field in COUNTED[kind]) - (counters["backfilled_trades"] if kind == "trades" else 0)


class _Pulse(msgspec.Struct):
    """One topic's counts over time."""

    ix: int
    topic: Topic
    feed: Feed
    n: int = 0
    changed_s: float = 0.0
    longest_s: float = 0.0  # pause between two events, while alive; fades with time
    sibling_n: int = 0  # the siblings' count when ours last changed
    ahead_s: float = 0.0  # when the siblings were first seen ahead of that; 0: they are not
    doubt_s: float = 0.0  # trades: after so long a silence the venue is asked
    asked_s: float = 0.0  # when we last subscribed anew for its sake
    asked: int = 0  # how often, since it last lived
    state: str = "waiting"


class Liveness:
    """`topics`: (index, topic, the feed that carries it); liquidations and block trades, which some never have, are not watched.

    `missed(ix, since_ns)` asks the venue whether it tells trades newer than that, and than all that came; it raises RestError.
    """

    def __init__(
        self, pipeline: Pipeline, topics: Sequence[tuple[int, Topic, Feed]], *, missed: Callable[[int, int], Awaitable[bool]],
        settings: LivenessSettings | None = None, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.settings = settings or LivenessSettings()
        self.counts: Counter[str] = Counter()
        self._pipeline = pipeline
        self._pulses: dict[tuple[int, str], _Pulse] = {}
        self._missed = missed
        self._asking: set[asyncio.Task[None]] = set()
        self._log = log or (lambda *_, **__: None)
        for ix, topic, feed in topics:
            self.add(ix, topic, feed)

    def add(self, ix: int, topic: Topic, feed: Feed) -> None:
        """One more topic, if it is of a kind that is watched."""
        if topic.kind in COUNTED:
            self._pulses[ix, topic.kind] = _Pulse(ix, topic, feed)

    def remove(self, ix: int) -> None:
        for key in [key for key in self._pulses if key[0] == ix]:
            del self._pulses[key]

    async def run(self) -> None:
        """For ever, until cancelled."""
        try:
            while True:
                self.look(asyncio.get_running_loop().time())
                await asyncio.sleep(self.settings.tick_s)
        finally:
            for task in self._asking:
                task.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)

    def look(self, now_s: float) -> None:
        """Take every topic's pulse. Silent topics are subscribed anew; a book whose sibling goes on without it is invalid at once."""
        counters = {ix: self._pipeline.instrument_counters(ix) for ix in {ix for ix, _ in self._pulses}}
        for pulse in self._pulses.values():
            self._take(pulse, counters[pulse.ix], now_s)
        for pulse in self._pulses.values():
            if pulse.topic.kind == "trades":
                self._doubt(pulse, counters[pulse.ix], now_s)
            elif pulse.state == "live":
                self._judge(pulse, counters[pulse.ix], now_s)

    def _take(self, pulse: _Pulse, counters: Mapping[str, int], now_s: float) -> None:
        feed, name = pulse.feed, pulse.topic.name
        n = _count(pulse.topic.kind, counters)
        if not feed.up:
            pulse.state, pulse.n, pulse.changed_s = "down", n, now_s
            return
        if feed.refused(name):
            pulse.state = "refused"
            return
        if n != pulse.n:
            if pulse.state == "live":
                pause_s = now_s - pulse.changed_s
                pulse.longest_s = max(pause_s, pulse.longest_s * 0.5 ** (pause_s / self.settings.pace_half_life_s))
            elif pulse.state == "silent":
                self._log("topic is back", topic=name, feed=feed.name, silent_s=round(now_s - pulse.changed_s, 1))
            pulse.n, pulse.changed_s, pulse.state, pulse.asked = n, now_s, "live", 0
            pulse.sibling_n, pulse.ahead_s, pulse.doubt_s = self._sibling_n(pulse, counters), 0.0, 0.0
        elif pulse.state == "silent" and pulse.topic.kind != "trades":
            self._ask_again(pulse, now_s, "still silent")
        elif pulse.state in ("down", "waiting"):
            pulse.state = "waiting"
            since_s = max(feed.connected_s, pulse.asked_s)
            if pulse.topic.kind != "trades" and now_s - since_s > self.settings.first_data_s:
                self.counts["no_first_data"] += 1
                self._ask_again(pulse, now_s, "no first data")

    def _sibling_n(self, pulse: _Pulse, counters: Mapping[str, int]) -> int:
        others = [kind for kind in COUNTED if kind != pulse.topic.kind and (pulse.ix, kind) in self._pulses]
        return sum(_count(kind, counters) for kind in others)

    def _judge(self, pulse: _Pulse, counters: Mapping[str, int], now_s: float) -> None:
        """Silence counts from when the siblings went on without it: one order may bring twenty trades a moment before the book tells of it."""
        ahead = self._sibling_n(pulse, counters) - pulse.sibling_n
        if ahead <= 0:
            return
        pulse.ahead_s = pulse.ahead_s or now_s
        silence_s = now_s - pulse.ahead_s
        if ahead < self.settings.sibling_events or silence_s <= max(self.settings.silent_s, self.settings.silent_times * pulse.longest_s):
            return
        pulse.state = "silent"
        self.counts[f"silent_{pulse.topic.kind}"] += 1
        if pulse.topic.kind == "depth":
            self._pipeline.invalidate(pulse.ix, "stale", self._pipeline.clock.now())
        self._ask_again(pulse, now_s, f"silent for {silence_s:.1f} s while its siblings go on")

    def _doubt(self, pulse: _Pulse, counters: Mapping[str, int], now_s: float) -> None:
        """Trades that are silent, or never spoke, while the book goes on. One question at a time: many instruments have none for hours."""
        speaks = pulse.state in ("down", "refused") or self._sibling_n(pulse, counters) - pulse.sibling_n < self.settings.sibling_events
        if speaks or self._asking:
            return
        silence_s = now_s - max(pulse.changed_s, pulse.feed.connected_s, pulse.asked_s)
        if silence_s <= max(self.settings.trades_silent_s, self.settings.silent_times * pulse.longest_s, pulse.doubt_s):
            return
        pulse.doubt_s = math.inf  # while it is asked
        task = asyncio.create_task(self._ask_venue(pulse, silence_s, now_s))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask_venue(self, pulse: _Pulse, silence_s: float, now_s: float) -> None:
        n = pulse.n
        try:
            missed = await self._missed(pulse.ix, self._pipeline.clock.now() - round(silence_s * 1e9))
        except RestError as error:
            self._log("trades in doubt", topic=pulse.topic.name, feed=pulse.feed.name, reason=str(error))
            pulse.doubt_s = silence_s + self.settings.again_s
            return
        self.counts["trades_doubted"] += 1
        if pulse.n != n or pulse.state in ("down", "refused"):  # it spoke meanwhile, or its socket is gone
            pulse.doubt_s = 0.0
        elif missed:
            self.counts["silent_trades"] += 1
            pulse.state, pulse.doubt_s = "silent", 0.0
            self._ask_again(pulse, now_s, f"silent for {silence_s:.0f} s, and the venue tells of trades")
        else:
            pulse.state, pulse.doubt_s = "live" if pulse.n else "waiting", 2 * silence_s

    def _ask_again(self, pulse: _Pulse, now_s: float, reason: str) -> None:
        if now_s - pulse.asked_s < self.settings.again_s and pulse.asked_s:
            return
        self._log("topic silent", topic=pulse.topic.name, feed=pulse.feed.name, reason=reason)
        if pulse.asked >= self.settings.recycle_after:
            pulse.asked = 0
            pulse.feed.recycle(f"{pulse.topic.name} stays silent")
            return
        pulse.asked_s = now_s
        pulse.asked += 1
        pulse.feed.renew([pulse.topic.name])

    def status(self) -> dict[str, Any]:
        """Topics by state, and those that are neither live nor merely quiet."""
        states = Counter(pulse.state for pulse in self._pulses.values())
        odd = [f"{pulse.topic.name}: {pulse.state}" for pulse in self._pulses.values() if pulse.state in ("silent", "refused")]
        return {"topics": dict(states), "odd": odd[:50], "counts": dict(self.counts)}
