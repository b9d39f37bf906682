"""Fetches the trades that are missing.

The hot path knows what is missing (cext/tape.pxd) and which trade is a repeat; here is who asks the venue, when, and what is told. A hole has a
moment of grace, as what is late often comes by itself. Then it is published as open, asked for by id (where trades are numbered) or by what the
venue still remembers, and published again as filled, or as lost with the exact ranges that never came. After a lost socket the first trade tells
whether any are missing; where none comes, the venue is asked until it answers.

An answer counts only if it holds, or passes, the newest trade that we know ourselves: one that does not is of a memory that lags.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from cext.pipeline import Pipeline
from cext.streams.gaps import Gaps

from p9.capture.feed import Feed
from p9.capture.ledger import Gap, Ledger
from p9.errors import RestError, RestRefused
from p9.instrument import Instrument
from p9.market.rest import Priority, RestClient
from p9.venue import Market, TopicForm, Trade

TICK_S = 0.1


class BackfillSettings(msgspec.Struct, frozen=True):
    """Seconds, and how long a hole may be."""

    enabled: bool = True  # False: nothing is asked, every hole is lost
    grace_s: float = 0.25  # what is late may come by itself
    quiet_s: float = 5.0  # no trade for so long after a lost socket came back: ask whether there were any
    tries: int = 6  # of a hole; its answers may lag behind the stream, or fail
    retry_first_s: float = 0.5  # doubling
    retry_most_s: float = 30.0
    max_trades: int = 100_000  # of one hole; a longer one is lost beyond it


class _Hole(msgspec.Struct):
    """One hole on its way back."""

    ix: int
    number: int
    first_id: int | None
    last_id: int | None
    since_ns: int
    until_ns: int
    noticed_ns: int
    reason: str
    next_s: float
    reach_ns: int = 0  # the newest trade when it was first asked for
    tries: int = 0
    busy: bool = False
    fetched: int = 0
    gap: Gap | None = None  # once it is told
    left: list[tuple[int, int]] | None = None  # when it is given up


class _Quiet(msgspec.Struct):
    """An instrument of a lost socket without a trade since. `next_s`: when it is asked again, at the earliest."""

    next_s: float = 0.0
    tries: int = 0


class Backfill:
    """`form`: of the trades topics; `feed_of`: the feed that carries an instrument's trades."""

    def __init__(
        self, market: Market, form: TopicForm, pipeline: Pipeline, client: RestClient, ledger: Ledger, *, instruments: Mapping[int, Instrument],
        feed_of: Mapping[int, Feed], settings: BackfillSettings | None = None, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.market, self.form, self.pipeline, self.client, self.ledger = market, form, pipeline, client, ledger
        self.settings = settings or BackfillSettings()
        self.holes: dict[tuple[int, int], _Hole] = {}
        self.counts: Counter[str] = Counter()
        self._instruments, self._feed_of = instruments, feed_of
        self._quiet: dict[int, _Quiet] = {}
        self._log = log or (lambda *_, **__: None)
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        pipeline.on_news = self._wake.set

    async def run(self) -> None:
        """For ever, until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                self._hear()
                self._advance(self._loop.time())
                self._wake.clear()
                tick = self._loop.call_later(TICK_S if self.holes or self._quiet else 5.0, self._wake.set)
                await self._wake.wait()
                tick.cancel()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # ---- what the tapes tell

    def _hear(self) -> None:
        for news in self.pipeline.take_news():
            key = (news.ix, news.number)
            if news.news == "interrupted":
                self._quiet[news.ix] = _Quiet()
            elif news.news == "resumed":
                self._quiet.pop(news.ix, None)
            elif news.news == "hole":
                known = news.first_id >= 0
                reason = "numbers" if known else "restart" if self.market.trades_numbered else "disconnect"
                self.counts[f"hole_{reason}"] += 1
                self.holes[key] = _Hole(
                    news.ix, news.number, news.first_id if known else None, news.last_id if known else None, news.since_ns, news.until_ns,
                    news.at_ns, reason, self._loop.time() + self.settings.grace_s,
                )  # fmt: skip
            elif key in self.holes:
                self._settle(self.holes.pop(key), news.news)

    def _settle(self, hole: _Hole, state: str) -> None:
        """Filled or lost, as the tape says."""
        if hole.gap is None and state == "filled":
            self.counts["came_late"] += 1
            return
        self._open(hole)
        now_ns = self.pipeline.clock.now()
        hole.gap.fetched = hole.fetched
        if state == "lost" and hole.left is None and hole.first_id is not None:
            hole.left = [(hole.first_id, hole.last_id)]  # given up for lack of room: what had come of it is not known any more
        hole.gap.left = hole.left if state == "lost" else []
        self.counts[state] += 1
        self.counts["fetched"] += hole.fetched
        self.ledger.settle(hole.gap, state, now_ns)
        self._publish(hole, state, now_ns)
        self._log(f"trades {state}", symbol=hole.gap.symbol, fetched=hole.fetched, left=hole.gap.left, reason=hole.reason)

    def _open(self, hole: _Hole) -> None:
        """Tell of a hole, once."""
        if hole.gap is not None:
            return
        row = self._instruments[hole.ix]
        hole.gap = self.ledger.begin(
            kind="trades", exchange=row.exchange, market=row.market, symbol=row.symbol, reason=hole.reason, noticed_ns=hole.noticed_ns,
            first_id=hole.first_id, last_id=hole.last_id, since_ns=hole.since_ns, until_ns=hole.until_ns,
        )  # fmt: skip
        self._publish(hole, "open", self.pipeline.clock.now())

    def _publish(self, hole: _Hole, state: str, now_ns: int) -> None:
        stream = next((stream for stream in self.pipeline.streams(hole.ix) if isinstance(stream, Gaps)), None)
        if stream is None:
            return
        left = self._pieces(hole) if state == "open" else hole.gap.left
        stream.report(
            gap=hole.number, state=state, reason=hole.reason, first_id=hole.first_id, last_id=hole.last_id, since_ns=hole.since_ns,
            until_ns=hole.until_ns, fetched=hole.fetched, left=left, noticed_ns=hole.noticed_ns, now_ns=now_ns,
        )  # fmt: skip
        self.pipeline.outbox.wake_up()

    def _pieces(self, hole: _Hole) -> list[tuple[int, int]] | None:
        """What is still missing of it, by ids."""
        if hole.first_id is None:
            return None
        return [(first, last) for number, first, last in self.pipeline.holes(hole.ix) if number == hole.number]

    # ---- asking

    def _advance(self, now_s: float) -> None:
        for hole in list(self.holes.values()):
            if not hole.busy and now_s >= hole.next_s:
                self._open(hole)
                hole.busy = True
                self._spawn(self._fill(hole))
        for ix in [ix for ix in self._quiet if ix not in self._feed_of]:  # removed
            del self._quiet[ix]
        for ix, quiet in self._quiet.items():
            feed = self._feed_of[ix]
            if feed.up and feed.connection.settled and now_s >= max(quiet.next_s, feed.connected_s + self.settings.quiet_s):
                quiet.tries += 1
                quiet.next_s = math.inf  # while it is asked
                self._spawn(self._ask_quietly(ix, quiet))

    def _spawn(self, job: Any) -> None:
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            self.counts["faults"] += 1
            self._log("back-fill failed", error=repr(task.exception()))

    async def _ask(self, ix: int, first_id: int | None) -> list[Trade] | None:
        """The venue's trades from `first_id` on, or its newest; None where it sells none. Raises RestError."""
        if not self.settings.enabled:
            return None
        request = self.market.venue.trades_request(self.market, self.form, self._instruments[ix].venue_symbol, first_id)
        if request is None:
            return None
        self.counts["asked"] += 1
        body = await self.client.get(self.market, request, Priority.BACKFILL, attempts=1)
        try:
            return self.market.venue.read_trades(msgspec.json.decode(body))
        except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            raise RestError(f"trades that cannot be read: {type(error).__name__}: {error}", where=f"{self.market.name} {request.path}") from None

    def _take(self, ix: int, trades: list[Trade]) -> tuple[int, int]:
        """(new ones, refused ones)"""
        rows = [msgspec.structs.astuple(trade) for trade in trades]
        taken, refused = self.pipeline.backfill(ix, rows, self.pipeline.clock.now())
        self.counts["refused"] += refused
        self.pipeline.outbox.wake_up()
        return taken, refused

    async def _ask_quietly(self, ix: int, quiet: _Quiet) -> None:
        """No trade came since a lost socket is back: were there any meanwhile?"""
        try:
            answered = await self._hear_quietly(ix)
        except RestRefused as error:
            self._note(ix, error)
            answered = True
        except RestError as error:
            self._note(ix, error)
            answered = False
        if answered and self._quiet.get(ix) is quiet:
            del self._quiet[ix]
        quiet.next_s = self._loop.time() + self._pause_s(quiet.tries)

    async def _hear_quietly(self, ix: int) -> bool:
        """False: the answer does not reach what we know ourselves."""
        last_id, last_ns, interrupted = self.pipeline.last_trade(ix)
        if not interrupted:
            return True
        trades = await self._ask(ix, max(last_id, 0) if self.market.trades_numbered else None)
        if trades is None:
            return True
        self._take(ix, [trade for trade in trades if trade.ts_event_ns >= last_ns])
        return bool(trades) and trades[-1].ts_event_ns >= last_ns

    async def missed(self, ix: int, since_ns: int) -> bool:
        """Whether the venue tells a trade newer than `since_ns`, and than all that came, which has not come a moment later either: then what is missing
        is fetched, as after a lost socket. Raises RestError."""
        trades = await self._ask(ix, None)
        newest_ns = trades[-1].ts_event_ns if trades else 0
        if newest_ns <= max(since_ns, self.pipeline.last_trade(ix)[1]):
            return False
        await asyncio.sleep(self.settings.quiet_s)
        if newest_ns <= self.pipeline.last_trade(ix)[1]:
            return False  # it was on its way
        self.pipeline.interrupted([ix], self.pipeline.clock.now())
        return True

    def _pause_s(self, tries: int) -> float:
        return min(self.settings.retry_most_s, self.settings.retry_first_s * 2 ** min(tries - 1, 16)) * random.uniform(0.8, 1.0)

    async def _fill(self, hole: _Hole) -> None:
        """Ask until nothing is missing, or nothing more can be had."""
        hole.reach_ns = hole.reach_ns or self.pipeline.last_trade(hole.ix)[1]
        try:
            while (hole.ix, hole.number) in self.holes:
                try:
                    done = await (self._fill_named(hole) if hole.first_id is None else self._fill_numbered(hole))
                except RestRefused as error:
                    self._note(hole.ix, error)
                    done = True
                except RestError as error:
                    self._note(hole.ix, error)
                    done = False
                self._hear()
                if (hole.ix, hole.number) not in self.holes:
                    return
                hole.tries += 1
                if done or hole.tries >= self.settings.tries:
                    self._give_up(hole)
                    return
                await asyncio.sleep(self._pause_s(hole.tries))
        finally:
            hole.busy = False
            hole.next_s = self._loop.time() + self.settings.retry_most_s

    def _note(self, ix: int, error: RestError) -> None:
        self.counts["failed"] += 1
        self._log("trades not told", symbol=self._instruments[ix].symbol, reason=str(error))

    def _give_up(self, hole: _Hole) -> None:
        hole.left = self._pieces(hole)
        self.pipeline.close_hole(hole.ix, hole.number, False, self.pipeline.clock.now())
        self._hear()

    async def _fill_numbered(self, hole: _Hole) -> bool:
        """Page by page from the first id that is missing. True: there is nothing more to be had."""
        after = -1
        while pieces := [piece for piece in self._pieces(hole) or () if piece[0] > after]:
            first = pieces[0][0]
            trades = await self._ask(hole.ix, first)
            if trades is None:
                return True
            trades = [trade for trade in trades if first <= int(trade.id) <= hole.last_id]
            hole.fetched += self._take(hole.ix, trades)[0]
            if hole.fetched >= self.settings.max_trades:
                return True
            # what the answer leaves out is not asked for again at once
            after = int(trades[-1].id) if trades else pieces[-1][1]
        return False

    async def _fill_named(self, hole: _Hole) -> bool:
        """What the venue still remembers, if that reaches back to before the loss. True: it does not, and never will. All that it tells and we do
        not know is taken: what was lost may be newer than the trade that told of the loss."""
        if self.market.trades_numbered:
            return True  # a numbering that began anew: where the old one ended, nobody can tell
        trades = await self._ask(hole.ix, None)
        if trades is None:
            return True
        reaches = bool(trades) and trades[0].ts_event_ns < hole.since_ns
        taken, refused = self._take(hole.ix, [trade for trade in trades if trade.ts_event_ns >= hole.since_ns])
        hole.fetched += taken
        if trades and trades[-1].ts_event_ns < hole.reach_ns:
            return False  # the answer lags behind the stream
        if reaches and not refused:
            self.pipeline.close_hole(hole.ix, hole.number, True, self.pipeline.clock.now())
            return False
        return True

    def status(self) -> dict[str, Any]:
        return {"holes": len(self.holes), "quiet": len(self._quiet), "counts": dict(self.counts)}
