"""Walking through what a venue remembers: page by page from the oldest row to the newest, each page held against the one before it.

A page that repeats rows is cut, one that skips some is asked for again, and only what the venue leaves out twice is a hole. Rows come out in order, each
once, within the span that was asked for; where they stop, the walk can be taken up again from its position.
"""

import contextlib
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from p9.errors import RestError
from p9.history import DAY_NS, SECONDS, Ask, Row, Series, TradeRow, told
from p9.instrument import Instrument
from p9.market.rest import Priority, RestClient
from p9.number import decoded
from p9.venue import Market, Request

HOUR_NS = 3600 * 10**9
TRIES = 3  # what is left out so often is not there
NEVER = 1 << 62
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


class Position(msgspec.Struct):
    """Where a walk goes on: the first moment, and for trades the first id, that it has not given yet."""

    time: int
    id: int | None = None


class Hole(msgspec.Struct, frozen=True):
    """What the venue left out: moments first..last, or ids."""

    first: int
    last: int
    by_id: bool = False

    def __str__(self) -> str:
        return f"ids {self.first} to {self.last}" if self.by_id else f"{told(self.first)} to {told(self.last)}"


class Walk:
    """Over one series of one instrument in [since, until). `timeframe` where it has intervals; `start`: where an earlier walk ended."""

    def __init__(
        self, client: RestClient, market: Market, series: Series, instrument: Instrument, *, since_ns: int, until_ns: int, now_ns: Callable[[], int],
        timeframe: str = "", start: Position | None = None, priority: Priority = Priority.BACKFILL, attempts: int = 6,
    ):  # fmt: skip
        self.client, self.market, self.series, self.instrument = client, market, series, instrument
        self.step_ns = SECONDS[timeframe] * 10**9 if timeframe and series.steps else 0
        self.word = series.steps.get(timeframe, "")
        self.until_ns = until_ns
        self.position = start or Position(-(-since_ns // self.step_ns) * self.step_ns if self.step_ns else since_ns)
        self.holes: list[Hole] = []
        self.counts: Counter[str] = Counter()  # pages, rows, and what was wrong with them: repeated, outside, again, empty
        self._now_ns, self._priority, self._attempts = now_ns, priority, attempts
        self._begin_within_reach()

    async def pages(self) -> AsyncIterator[list[Row]]:
        """The rows, oldest first. Raises RestError where the venue cannot be asked."""
        if self.series.newest_only:
            walk = self._newest()
        elif self.series.locate is not None:
            walk = self._by_id()
        else:
            walk = self._by_step() if self.step_ns else self._by_time()
        async with contextlib.aclosing(walk):
            async for rows in walk:
                self.counts["rows"] += len(rows)
                yield rows

    def _begin_within_reach(self) -> None:
        """What the venue has forgotten is a hole from the first."""
        oldest_ns = self.position.time
        if self.series.reach_rows and self.step_ns:
            oldest_ns = (self._now_ns() // self.step_ns - self.series.reach_rows + 1) * self.step_ns
        elif self.series.reach_s != math.inf:
            step_ns = self.step_ns or 1
            oldest_ns = -(-(self._now_ns() - int(self.series.reach_s * 1e9)) // step_ns) * step_ns
        if oldest_ns > self.position.time and self.position.id is None:
            end_ns = min(oldest_ns, self.until_ns)
            self._hole(self.position.time, end_ns - (self.step_ns or 1))
            self.position = Position(end_ns)

    async def _get(self, request: Request) -> list[Any]:
        """The rows of one answer as they are, oldest first. Raises RestError for an answer that has none."""
        self.counts["pages"] += 1
        body = await self.client.get(self.market, request, self._priority, attempts=self._attempts)
        try:
            return self.series.rows(decoded(body))
        except UNREADABLE as error:
            raise RestError(f"{self.series.kind} without a list: {type(error).__name__}: {error}", where=self.market.name) from None

    async def _ask(self, ask: Ask) -> list[Row]:
        """One page, oldest first, within reason: rows that cannot be read are counted, and then missing."""
        found = await self._get(self.series.request(self.market, self.instrument, ask))
        rows = []
        latest_ns = self._now_ns() + DAY_NS
        for row in found:
            try:
                read = self.series.read(self.instrument, row)
            except UNREADABLE:
                self.counts["unreadable"] += 1  # and then missing
                continue
            if read is None:
                continue
            if read.time > latest_ns:
                self.counts["impossible"] += 1
            else:
                rows.append(read)
        return rows

    def _hole(self, first: int, last: int, by_id: bool = False) -> None:
        before = self.holes[-1] if self.holes else None
        if before is not None and before.by_id == by_id and first == before.last + (1 if by_id else self.step_ns or 1):
            first = before.first
            self.holes.pop()
        self.holes.append(Hole(first, last, by_id))

    # ---- rows with a step: each interval once

    async def _by_step(self) -> AsyncIterator[list[Row]]:
        step, narrowed = self.step_ns, 0
        most = max(1, int(min(self.series.page, self.series.span_s * 1e9 / step)))
        until_ns = min(self.until_ns, self._settled_ns()) // step * step  # what still forms is left out
        while (expected := self.position.time) < until_ns:
            end = narrowed or min(expected + most * step, until_ns)
            rows = self._in_order(await self._ask(Ask(expected, end - 1, self.word)), expected, end)
            whole = []
            at = expected
            for row in rows:
                if row.time != at and not self.series.sparse:
                    break
                whole.append(row)
                at = row.time + step
            if whole:
                narrowed = 0
                # a sparse page that was not full tells of the rest of its window too
                self.position = Position(end if self.series.sparse and len(rows) < self.series.page else at)
                yield whole
            elif self.series.sparse:
                self.position = Position(end)
            elif rows or not narrowed:  # it skipped, or lags behind: ask for what is missing by itself
                narrowed = rows[0].time if rows else end
                self.counts["again"] += 1
            else:
                self._hole(expected, end - step)
                self.position = Position(end)
                narrowed = 0

    def _settled_ns(self) -> int:
        return self._now_ns() - int(self.series.settle_s * 1e9)

    def _in_order(self, rows: list[Row], first: int, end: int) -> list[Row]:
        """Those of [first, end), each moment once, on the grid, ascending."""
        kept: dict[int, Row] = {}
        for row in rows:
            if not first <= row.time < end or (self.step_ns and row.time % self.step_ns):
                self.counts["outside"] += 1
            elif row.time in kept:
                self.counts["repeated"] += 1
            else:
                kept[row.time] = row
        return [kept[at] for at in sorted(kept)]

    # ---- rows that come when they come

    async def _by_time(self) -> AsyncIterator[list[Row]]:
        width = self.series.page * HOUR_NS
        until_ns = min(self.until_ns, self._now_ns())
        while (expected := self.position.time) < until_ns:
            end = min(expected + width, until_ns)
            rows = self._in_order(await self._ask(Ask(expected, end - 1)), expected, end)
            if len(rows) >= self.series.page and width > 1:
                width //= 2  # so full a page may have been cut, and which end of it the venue would cut is its own affair
                self.counts["again"] += 1
                continue
            self.position = Position(end)
            if rows:
                yield rows

    # ---- trades

    async def _by_id(self) -> AsyncIterator[list[Row]]:
        if self.position.id is None:
            first = await self._start()
            if first is None:
                return
            self.position = Position(self.position.time, first)
        again, earliest = 0, NEVER
        since_ns, until_ns = self.position.time, min(self.until_ns, self._now_ns())
        while True:
            expected = self.position.id
            assert expected is not None
            rows = self._ids(await self._ask(Ask(since_ns, until_ns - 1, first_id=expected)), expected)
            if not rows or rows[0][0] > expected:
                earliest = min(earliest, rows[0][0] if rows else NEVER)
                again += 1
                if again < TRIES:
                    self.counts["again"] += 1
                    continue
                if earliest == NEVER:
                    return  # the venue knows no further
                self._hole(expected, earliest - 1, by_id=True)
                self.position = Position(self.position.time, earliest)
                again, earliest = 0, NEVER
                continue
            again, earliest = 0, NEVER
            over = False
            wanted: list[Row] = []
            for id, row in rows:
                over = id == expected and row.time >= until_ns
                if id != expected or over:
                    break
                if row.time >= since_ns:
                    wanted.append(row)
                expected = id + 1
            self.position = Position(wanted[-1].time if wanted else self.position.time, expected)
            if wanted:
                yield wanted
            if over:
                return

    async def _start(self) -> int | None:
        """The id of the first trade that is wanted; None if there is none."""
        if not self.series.locates_older:
            return await self._located(self.position.time)
        at_ns, ahead_ns = self.position.time, HOUR_NS
        while (older := await self._located(at_ns)) is None:  # nothing is older: it was listed later
            if at_ns >= self.until_ns:
                return None
            at_ns, ahead_ns = min(at_ns + ahead_ns, self.until_ns), 2 * ahead_ns
        first = older + 1
        while at_ns > self.position.time and (page := await self._ask(Ask(0, 0, first_id=max(0, first - self.series.page)))):
            earliest = min(int(row.id) for row in page if isinstance(row, TradeRow))
            if earliest >= first:
                break
            first = earliest
        return first

    async def _located(self, at_ns: int) -> int | None:
        assert self.series.locate is not None
        found = await self._get(self.series.locate(self.market, self.instrument, at_ns))
        if not found:
            return None
        try:
            row = self.series.read(self.instrument, found[-1])
        except UNREADABLE as error:
            raise RestError(f"the first trade cannot be read: {type(error).__name__}: {error}", where=self.market.name) from None
        assert isinstance(row, TradeRow)
        return int(row.id)

    def _ids(self, rows: list[Row], expected: int) -> list[tuple[int, TradeRow]]:
        """(id, row), ascending, each once, none before the expected one."""
        kept: dict[int, TradeRow] = {}
        for row in rows:
            assert isinstance(row, TradeRow)
            if int(row.id) < expected or int(row.id) in kept:
                self.counts["repeated"] += 1
            else:
                kept[int(row.id)] = row
        return sorted(kept.items())

    async def _newest(self) -> AsyncIterator[list[Row]]:
        """The one page there is. What it does not reach back to is a hole."""
        start_ns, start_id = self.position.time, self.position.id
        until_ns = min(self.until_ns, self._now_ns())
        rows = await self._ask(Ask(start_ns, until_ns - 1))
        wanted = [row for row in rows if start_ns <= row.time < until_ns]
        if len(rows) >= self.series.page and rows[0].time > start_ns:
            self._hole(start_ns, min(rows[0].time, until_ns) - 1)
        self.position = Position(until_ns, start_id)
        if wanted:
            yield wanted
