"""How late a market's frames are, held against their own past: the venue's latency breaker.

Venues differ by nature (a futures aggregate is 150 ms old when it is sent, a best price 5 ms), so each topic's median of the last second is judged by
what it is over its own median of ten minutes. A topic that is degraded or stale is published, shown in /readyz (stale) and counted; the data go on.
"""

import asyncio
import statistics
from array import array
from collections.abc import Callable
from typing import Any

import msgspec
from cext.pipeline import Pipeline

from p9.breaker import Breaker
from p9.market.venue_clock import VenueClock

TICK_S = 1.0
REFRESH = 5  # ticks between two looks at the median of all


class VenueDelaySettings(msgspec.Struct, frozen=True):
    """Seconds over a topic's own median."""

    degraded_s: float = 0.25
    stale_s: float = 2.0
    window_s: float = 600.0
    learn_s: float = 20.0  # of data, before anything is judged
    over_times: int = 3  # seconds in a row
    calm_s: float = 30.0


class _Medians:
    """The newest `most` figures, in memory that is there from the first one on."""

    def __init__(self, most: int):
        self._ring, self._next, self.n = array("d", bytes(8 * most)), 0, 0

    def append(self, each: float) -> None:
        self._ring[self._next] = each
        self._next = (self._next + 1) % len(self._ring)
        self.n = min(self.n + 1, len(self._ring))

    def middle(self) -> float:
        return statistics.median(self._ring[: self.n])

    def sized(self, most: int) -> "_Medians":
        """As many of them as the other size takes, the newest."""
        made = _Medians(most)
        for back in range(min(self.n, most), 0, -1):
            made.append(self._ring[self._next - back])
        return made


def _most(settings: VenueDelaySettings) -> int:
    return max(2, round(settings.window_s / TICK_S))


class _Topic:
    def __init__(self, settings: VenueDelaySettings):
        self.medians = _Medians(_most(settings))
        self.usual_s: float | None = None
        self.now_s = 0.0
        self.p99_s = 0.0
        self.n = 0
        self.breaker = Breaker(
            (("degraded", settings.degraded_s), ("stale", settings.stale_s)), calm_s=settings.calm_s, over_times=settings.over_times
        )

    def tune(self, settings: VenueDelaySettings) -> None:
        self.breaker.tune((settings.degraded_s, settings.stale_s), settings.calm_s, settings.over_times)
        self.medians = self.medians.sized(_most(settings))


class VenueDelay:
    """`clock` is told the least delays, and says whether ours can be believed; `tell(kind, detail, **more)` publishes."""

    def __init__(
        self, pipeline: Pipeline, *, clock: VenueClock | None = None, settings: VenueDelaySettings | None = None,
        tell: Callable[..., None] | None = None, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.settings = settings or VenueDelaySettings()
        self._pipeline, self._clock = pipeline, clock
        self._topics: dict[str, _Topic] = {}
        self._tell = tell or (lambda kind, detail, **more: None)
        self._log = log or (lambda *_, **__: None)
        self._n_ticks = 0

    def tune(self, settings: VenueDelaySettings) -> None:
        """Other limits from now on."""
        self.settings = settings
        for topic in self._topics.values():
            topic.tune(settings)

    async def run(self) -> None:
        """For ever, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_S)
            self.look(loop.time())

    def look(self, now_s: float) -> None:
        """Read what the pipeline measured since the last time, and judge it."""
        self._n_ticks += 1
        for name, (n, least_ns, median_ns, p99_ns) in self._pipeline.take_delays().items():
            topic = self._topics.setdefault(name, _Topic(self.settings))
            topic.now_s, topic.p99_s, topic.n = median_ns / 1e9, p99_ns / 1e9, topic.n + n
            if self._clock is not None:
                self._clock.one_way(least_ns)
            topic.medians.append(topic.now_s)
            if topic.usual_s is None or self._n_ticks % REFRESH == 0:
                topic.usual_s = topic.medians.middle()
            if topic.medians.n * TICK_S < self.settings.learn_s or (self._clock is not None and self._clock.state == "suspended"):
                continue
            before = topic.breaker.state
            if topic.breaker.judge(topic.now_s - topic.usual_s, now_s):
                self._changed(name, topic, before)

    def _changed(self, name: str, topic: _Topic, before: str) -> None:
        market = self._pipeline.market
        more = {  # without the market: whoever hands us `log` adds it
            "topic": name, "state": topic.breaker.state, "previous": before, "delay_ms": round(topic.now_s * 1e3, 1),
            "usual_ms": round(topic.usual_s * 1e3, 1),
        }  # fmt: skip
        detail = f"{market} {name}: {before} -> {topic.breaker.state}, {more['delay_ms']:g} ms on the way, usually {more['usual_ms']:g} ms"
        self._log("venue delay", **more)
        self._tell("venue_delay", detail, source=market, topic=name, state=topic.breaker.state, previous=before)

    def stale(self) -> list[str]:
        """The topics whose data are too late to be called live."""
        return [name for name, topic in self._topics.items() if topic.breaker.state == "stale"]

    def status(self) -> dict[str, Any]:
        future, ancient = self._pipeline.impossible_times()
        topics = {
            name: {
                "state": topic.breaker.state, "delay_ms": round(topic.now_s * 1e3, 3), "p99_ms": round(topic.p99_s * 1e3, 3),
                "usual_ms": round((topic.usual_s or 0.0) * 1e3, 3), "trips": topic.breaker.trips,
            }
            for name, topic in self._topics.items()
        }  # fmt: skip
        return {"topics": topics, "future_times": future, "ancient_times": ancient}
