"""When nobody could have told us of liquidations: no venue tells them again, and silence alone says nothing, as there may be none for hours.

While every socket that carries an instrument's liquidations is lost, a gap of kind `liquidations` is open; when one of them is heard again, it is
settled as lost, with the times between which they are missing. A socket that was replaced before it closed leaves no gap.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from cext.pipeline import Pipeline
from cext.streams.gaps import Gaps

from p9.capture.feed import Feed
from p9.capture.ledger import Gap, Ledger
from p9.capture.sockets import Sockets
from p9.instrument import Instrument

TICK_S = 1.0


class _Ear(msgspec.Struct):
    """One topic, by the sockets that carry it. `hears`: (socket's name, how often it was lost) of those that did at the last look, `listeners` theirs."""

    hears: frozenset[tuple[str, int]] = frozenset()
    listeners: tuple[Any, ...] = ()  # what knows when the last frame of any kind came on such a socket
    gap: Gap | None = None


class Unheard:
    def __init__(
        self, pipeline: Pipeline, sockets: Sockets, ledger: Ledger, *, instruments: Mapping[int, Instrument], log: Callable[..., None] | None = None
    ):
        self.counts: Counter[str] = Counter()
        self._pipeline, self._sockets, self._ledger, self._instruments = pipeline, sockets, ledger, instruments
        self._ears: dict[int, _Ear] = {}
        self._numbers: Counter[int] = Counter()
        self._log = log or (lambda *_, **__: None)

    async def run(self) -> None:
        """For ever, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(TICK_S)

    def look(self) -> None:
        """Which topics are heard now, and which were not since the last look."""
        names: dict[int, str] = {}  # an instrument's topic, which may be that of others too
        carriers: dict[str, dict[Feed, None]] = {}
        for feed in self._sockets.feeds:
            for ix, topics in feed.topics.items():
                for topic in topics:
                    if topic.kind == "liquidations":
                        names[ix] = topic.name
                        carriers.setdefault(topic.name, {})[feed] = None
        for ix in [ix for ix in self._ears if ix not in self._instruments]:
            self._forget(ix)
        for ix, name in names.items():
            if ix in self._instruments:
                self._look(ix, name, carriers[name])

    def _look(self, ix: int, name: str, feeds: Iterable[Feed]) -> None:
        ear = self._ears.setdefault(ix, _Ear())
        hearing = [feed for feed in feeds if feed.up and name in feed.connection.acknowledged]
        hears = frozenset((feed.name, feed.losses) for feed in hearing)
        now_ns = self._pipeline.clock.now()
        if ear.hears and not ear.hears & hears and ear.gap is None:
            self._open(ix, ear, now_ns)
        if hears and ear.gap is not None:
            self._settle(ix, ear, now_ns)
        if hears or ear.gap is None:
            ear.hears = hears
        if hearing:
            ear.listeners = tuple(feed.connection.listener for feed in hearing)

    def _open(self, ix: int, ear: _Ear, now_ns: int) -> None:
        row = self._instruments[ix]
        self._numbers[ix] += 1
        self.counts["opened"] += 1
        ear.gap = self._ledger.begin(
            kind="liquidations", exchange=row.exchange, market=row.market, symbol=row.symbol, reason="disconnect", noticed_ns=now_ns,
            since_ns=max((listener.last_recv_ns for listener in ear.listeners), default=0) or now_ns,
        )  # fmt: skip
        self._publish(ix, ear.gap, now_ns)

    def _settle(self, ix: int, ear: _Ear, now_ns: int) -> None:
        gap, ear.gap = ear.gap, None
        gap.until_ns = now_ns
        self._ledger.settle(gap, "lost", now_ns)
        self.counts["lost"] += 1
        self._log("liquidations unheard", symbol=gap.symbol, for_s=round((gap.until_ns - gap.since_ns) / 1e9, 3))
        self._publish(ix, gap, now_ns)

    def _forget(self, ix: int) -> None:
        """The instrument is not captured any more."""
        ear = self._ears.pop(ix)
        if ear.gap is not None:
            self._ledger.settle(ear.gap, "lost", self._pipeline.clock.now())

    def _publish(self, ix: int, gap: Gap, now_ns: int) -> None:
        stream = next((stream for stream in self._pipeline.streams(ix) if isinstance(stream, Gaps)), None)
        if stream is None:
            return
        stream.report(
            kind="liquidations", gap=self._numbers[ix], state=gap.state, reason=gap.reason, first_id=None, last_id=None, since_ns=gap.since_ns,
            until_ns=-1 if gap.until_ns is None else gap.until_ns, fetched=0, left=None, noticed_ns=gap.noticed_ns, now_ns=now_ns,
        )  # fmt: skip
        self._pipeline.outbox.wake_up()

    def status(self) -> dict[str, Any]:
        return {"open": sum(ear.gap is not None for ear in self._ears.values()), "counts": dict(self.counts)}
