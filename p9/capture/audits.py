"""Timed audits: each book against an image that the venue made apart from the stream, closed minutes against the venue's own candles.

A book that differs at the same update id is invalid at once and resynced. A candle that differs is told; what amends it may still come. What cannot be
told (an image too old, a book that was resynced meanwhile) is asked again, and never called a difference. Weight is the REST client's concern: audits
come after recoveries.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from cext.audit import Audit
from cext.pipeline import Pipeline
from cext.streams.candles import Candles

from p9.capture.feed import Feed
from p9.errors import RestError
from p9.instrument import Instrument
from p9.market.rest import Priority, RestClient
from p9.venue import Kline, Market

HIGH = 1
MINUTE_NS = 60 * 10**9
TICK_S = 1.0


class AuditSettings(msgspec.Struct, frozen=True):
    """Seconds. `books_s`, `candles_s`: between two audits of one instrument; 0: none."""

    books_s: float = 3600.0
    candles_s: float = 300.0
    wait_s: float = 3.0  # for the stream to come to the image's id
    again_s: float = 10.0  # after an audit that could not tell
    settle_s: float = 15.0  # after a minute's end, before it is held against the venue's
    max_minutes: int = 9  # of one question; what is older cannot be amended any more


class Audits:
    """Of one market. `feed_of`: the feed that carries a book. `folds`: trades come folded, so a candle's edge is not the venue's: none is compared."""

    def __init__(
        self, market: Market, pipeline: Pipeline, client: RestClient, *, instruments: Mapping[int, Instrument], feed_of: Mapping[int, Feed], depth: int,
        folds: bool, settings: AuditSettings | None = None, word: str = "", log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.market, self.pipeline, self.client, self.depth, self.folds = market, pipeline, client, depth, folds
        self.settings = settings or AuditSettings()
        self.counts: Counter[str] = Counter()
        self.levels = 0  # compared
        self.candles = 0
        self._instruments, self._feed_of = instruments, feed_of
        self._word = word
        self._channels: dict[int, Any] = {}
        self._told: dict[int, dict[int, str]] = {}  # {ix: {minute: what was said of it}}
        self._log = log or (lambda *_, **__: None)
        for ix in instruments:
            self.add(ix)

    def add(self, ix: int) -> None:
        """One more instrument."""
        row = self._instruments[ix]
        self._channels[ix] = self.pipeline.outbox.channel(
            "audits", row.exchange, row.symbol, row.market, row.venue_symbol, HIGH, None, "", self._word
        )
        self._told[ix] = {}

    def remove(self, ix: int) -> None:
        self.pipeline.outbox.leave(self._channels.pop(ix))
        del self._told[ix]

    async def run(self) -> None:
        """For ever, until cancelled: one question at a time, the instruments spread over the interval."""
        loop = asyncio.get_running_loop()
        due: dict[tuple[str, int], float] = {}
        while True:
            for name, ix in [(name, ix) for ix in self._channels for name in ("book", "candles")]:
                every_s = self._every_s(name)
                at_s = due.setdefault((name, ix), loop.time() + every_s * random.uniform(0.2, 1.2))
                if not every_s or at_s > loop.time() + 1.2 * every_s:  # the interval was changed
                    del due[name, ix]
                elif loop.time() >= at_s and ix in self._channels:
                    done = await (self.book(ix) if name == "book" else self.minutes(ix))
                    due[name, ix] = loop.time() + (every_s * random.uniform(0.9, 1.1) if done else min(every_s, self.settings.again_s))
            await asyncio.sleep(TICK_S)

    def _every_s(self, name: str) -> float:
        """The interval of one kind of audit; 0: there is none."""
        if name == "book":
            return self.settings.books_s
        return 0.0 if self.folds else self.settings.candles_s

    # ---- books

    async def book(self, ix: int) -> bool:
        """Audit one book now; False if it could not be told."""
        if self.pipeline.states()[ix] != "synced" or not self._feed_of[ix].up:
            return False
        audit = Audit(self.pipeline, ix)
        try:
            request = self.market.venue.image_request(self.market, self._instruments[ix].venue_symbol, self.depth)
            body = await self.client.get(self.market, request, Priority.AUDIT, attempts=1)
            compared = audit.compare(body)
            end_s = asyncio.get_running_loop().time() + self.settings.wait_s
            while compared.verdict == "ahead" and asyncio.get_running_loop().time() < end_s:
                await asyncio.sleep(0.05)
                compared = audit.compare(body)
        except RestError as error:
            self.counts["book_unanswered"] += 1
            self._log("book not audited", symbol=self._instruments[ix].symbol, reason=str(error))
            return False
        finally:
            audit.close()
        self.counts[f"book_{compared.verdict}"] += 1
        if compared.verdict == "different" and ix in self._channels:
            self.pipeline.invalidate(ix, "disagrees", self.pipeline.clock.now())
            self._tell(ix, "book", compared.detail, update_id=compared.id, levels=compared.levels)
            if self.pipeline.on_notices is not None:
                self.pipeline.on_notices()
        if compared.verdict == "equal":
            self.levels += compared.levels
        return compared.verdict in ("equal", "different")

    # ---- candles

    async def minutes(self, ix: int) -> bool:
        """Hold the closed minutes that late trades may still amend against the venue's; False if it could not be told."""
        stream = next((stream for stream in self.pipeline.streams(ix) if isinstance(stream, Candles)), None)
        if stream is None or "1m" not in stream.timeframes:
            return True
        before_ns = self.pipeline.clock.now() - MINUTE_NS - round(self.settings.settle_s * 1e9)
        ours = {row["open_time"]: row for row in stream.closed("1m") if row["complete"] and row["open_time"] <= before_ns}
        if not ours:
            return False
        first_ns = max(min(ours), max(ours) - (self.settings.max_minutes - 1) * MINUTE_NS)
        n = (max(ours) - first_ns) // MINUTE_NS + 1
        request = self.market.venue.klines_request(self.market, self._instruments[ix].venue_symbol, first_ns, n)
        try:
            body = await self.client.get(self.market, request, Priority.AUDIT, attempts=1)
            theirs = self.market.venue.read_klines(msgspec.json.decode(body))
        except (RestError, msgspec.DecodeError, KeyError, IndexError, TypeError, ValueError) as error:
            self.counts["candles_unanswered"] += 1
            self._log("candles not audited", symbol=self._instruments[ix].symbol, reason=f"{type(error).__name__}: {error}")
            return False
        for kline in theirs:
            row = ours.get(kline.open_time_ns)
            if row is not None and ix in self._channels:
                self._hold(ix, row, kline)
        return True

    def _hold(self, ix: int, row: dict[str, Any], kline: Kline) -> None:
        self.candles += 1
        unlike = [
            f"{name} {mine}, the venue's {theirs}"
            for name, mine, theirs in (
                *((name, row[name], getattr(kline, name)) for name in ("open", "high", "low", "close")),
                ("volume", row.get("contracts", row["volume"]), kline.volume), ("trades", row["trades"], kline.trades),
            )
            if theirs is not None and mine is not None and Decimal(mine) != Decimal(theirs)
        ]  # fmt: skip
        detail = "; ".join(unlike)
        told = self._told[ix]
        if detail and told.get(kline.open_time_ns) != detail:
            self.counts["candles_different"] += 1
            at = time.strftime("%H:%M", time.gmtime(kline.open_time_ns // 10**9))
            self._tell(ix, "candle", f"minute {at}: {detail}", open_time=kline.open_time_ns)
        elif not detail:
            self.counts["candles_equal"] += 1
        told.pop(kline.open_time_ns, None)
        if detail:
            told[kline.open_time_ns] = detail
        while len(told) > 60:
            del told[min(told)]

    # ----

    def tell(self, venue_symbol: str, kind: str, detail: str, **more: Any) -> None:
        """What was found elsewhere of one instrument."""
        ix = next((ix for ix, row in self._instruments.items() if row.venue_symbol == venue_symbol), None)
        if ix is not None:
            self.counts[f"{kind}_different"] += 1
            self._tell(ix, kind, detail, **more)

    def say(self, ix: int, kind: str, detail: str, **more: Any) -> None:
        """A finding of somebody who knows the instrument's index, unless it was removed meanwhile."""
        if ix in self._channels:
            self._tell(ix, kind, detail, **more)

    def _tell(self, ix: int, kind: str, detail: str, **more: Any) -> None:
        now_ns = self.pipeline.clock.now()
        self._log("audit", symbol=self._instruments[ix].symbol, kind=kind, detail=detail)
        payload = msgspec.json.encode({"kind": kind, "detail": detail, **more})
        self.pipeline.outbox.emit(self._channels[ix], payload, ts_recv=now_ns)  # no venue told it a time
        self.pipeline.outbox.wake_up()

    def status(self) -> dict[str, Any]:
        return {"levels": self.levels, "candles": self.candles, "counts": dict(self.counts)}
