"""Our clock against a venue's: by its time endpoint, and by the fastest frames, which cannot arrive before they were sent.

offset = the venue's time minus ours; positive: our clock is behind. Of the last ten answers the one with the shortest round trip is believed, and is
wrong by half of that at most. Where two answers in a row cannot be true beside those before them, a clock was set, and the older ones are forgotten. Over `suspect_s` the venue's events are flagged `suspect_time`; over `suspended_s` no delay is judged by it. Times are
never rewritten.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from p9.breaker import Breaker
from p9.errors import RestError
from p9.market.rest import Priority, RestClient
from p9.venue import Market

KEPT = 10  # answers
FIRST = 5  # answers asked for at once
DRIFT_NS = 50_000_000  # of two clocks, while an answer is kept


class VenueClockSettings(msgspec.Struct, frozen=True):
    """Seconds."""

    every_s: float = 60.0  # between two questions; each is answered a few times at the start
    suspect_s: float = 0.25
    suspended_s: float = 2.0
    one_way_s: float = 10.0  # the fastest frame of so long a time
    calm_s: float = 30.0


class VenueClock:
    """`now_ns`: our wall clock. `tell(kind, detail, **more)` publishes; `on_suspect(bool)`: the venue's events are flagged, or not any more."""

    def __init__(
        self, market: Market, client: RestClient, *, now_ns: Callable[[], int], settings: VenueClockSettings | None = None,
        tell: Callable[..., None] | None = None, on_suspect: Callable[[bool], None] | None = None, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.market, self.client, self.settings = market, client, settings or VenueClockSettings()
        self.failures = 0
        self._now_ns = now_ns
        self._wake = asyncio.Event()
        self._answers: deque[tuple[int, int]] = deque(maxlen=KEPT)  # (round trip, offset) in ns
        self._doubtful: tuple[int, int] | None = None  # the last answer, where it contradicts those before it
        self._least: deque[tuple[float, int]] = deque()  # (loop time, least one-way delay), the falling ones only
        self._breaker = Breaker((("suspect", self.settings.suspect_s), ("suspended", self.settings.suspended_s)), calm_s=self.settings.calm_s)
        self._tell = tell or (lambda kind, detail, **more: None)
        self._on_suspect = on_suspect or (lambda suspect: None)
        self._log = log or (lambda *_, **__: None)

    def tune(self, settings: VenueClockSettings) -> None:
        """Other limits and another interval from now on; with another interval it asks at once."""
        if settings.every_s != self.settings.every_s:
            self._wake.set()
        self.settings = settings
        self._breaker.tune((settings.suspect_s, settings.suspended_s), settings.calm_s)

    @property
    def state(self) -> str:
        """normal, suspect, suspended"""
        return self._breaker.state

    @property
    def offset_ns(self) -> int | None:
        """The venue's clock minus ours, as well as it is known; None: not at all."""
        behind = self._behind_ns()
        if self._answers:
            round_trip_ns, offset_ns = min(self._answers)
            if behind is None or offset_ns + round_trip_ns // 2 >= behind:
                return offset_ns
        return behind if behind is not None and behind > 0 else None

    def _behind_ns(self) -> int | None:
        """A frame that came before it was sent: our clock is behind by that at least."""
        return -min(delay for _, delay in self._least) if self._least else None

    def one_way(self, least_ns: int) -> None:
        """The fastest frame since the last time, ns; negative: it came before it was sent."""
        now_s = asyncio.get_running_loop().time()
        while self._least and (self._least[0][0] < now_s - self.settings.one_way_s):
            self._least.popleft()
        self._least.append((now_s, least_ns))

    async def run(self) -> None:
        """For ever, until cancelled."""
        while True:
            for _ in range(FIRST if len(self._answers) < FIRST else 1):
                await self._ask()
            if self._doubtful is not None:
                await self._ask()
            self._judge()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.every_s):
                    await self._wake.wait()
            self._wake.clear()

    async def _ask(self) -> None:
        venue = self.market.venue
        try:
            asked_ns = self._now_ns()
            answer = await self.client.get_json(self.market, venue.time_request(self.market), Priority.AUDIT, attempts=1)
            answered_ns = self._now_ns()
            venue_ns = venue.read_time(answer)
        except (RestError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            self.failures += 1
            self._log("no time from the venue", reason=f"{type(error).__name__}: {error}")
            return
        if answered_ns >= asked_ns:
            self._take((answered_ns - asked_ns, venue_ns - (asked_ns + answered_ns) // 2))

    def _take(self, answer: tuple[int, int]) -> None:
        if not self._answers or _agree(min(self._answers), answer):
            self._answers.append(answer)
            self._doubtful = None
        elif self._doubtful is not None and _agree(self._doubtful, answer):
            self._answers.clear()
            self._answers.extend((self._doubtful, answer))
            self._doubtful = None
        else:
            self._doubtful = answer

    def _judge(self) -> None:
        offset_ns = self.offset_ns
        if offset_ns is None:
            return
        before = self.state
        if not self._breaker.judge(abs(offset_ns) / 1e9, asyncio.get_running_loop().time()):
            return
        if (before == "normal") != (self.state == "normal"):
            self._on_suspect(self.state != "normal")
        side = "behind" if offset_ns > 0 else "ahead of"
        detail = f"{self.market.exchange}: our clock is {abs(offset_ns) / 1e6:.0f} ms {side} the venue's; {before} -> {self.state}"
        self._log("clock skew", offset_ms=round(offset_ns / 1e6, 1), state=self.state, previous=before)
        self._tell("skew", detail, source=self.market.exchange, state=self.state, previous=before)

    def status(self) -> dict[str, Any]:
        offset_ns, behind = self.offset_ns, self._behind_ns()
        return {
            "state": self.state, "offset_ms": None if offset_ns is None else round(offset_ns / 1e6, 3),
            "round_trip_ms": round(min(self._answers)[0] / 1e6, 3) if self._answers else None, "answers": len(self._answers),
            "failures": self.failures, "least_one_way_ms": None if behind is None else round(-behind / 1e6, 3),
        }  # fmt: skip


def _agree(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Both can be true: their offsets differ by no more than both can be wrong, and what clocks drift."""
    return abs(one[1] - other[1]) <= (one[0] + other[0]) // 2 + DRIFT_NS
