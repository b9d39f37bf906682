"""Candles of one instrument, added up from its trades in exact decimals: the truth that candles are compared with."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import takewhile

from p9.simulate.bar import Bar, Period, flat
from p9.simulate.market import Fill
from p9.simulate.past import Past

SECOND_MS, MINUTE_MS = 1_000, 60_000
SECONDS_KEPT = 3_600


class Candles:
    """`value_of(tick, lots)` gives the money of a trade. What was traded before the start is the past's, and is added up when somebody asks."""

    def __init__(self, past: Past, value_of: Callable[[int, int], Decimal]):
        self.past, self.start_ms, self.last_tick = past, past.start_ms, past.order(past.end - 1)[1]
        self._value_of = value_of
        self._minutes: dict[int, Bar] = {}  # with trades, since the start
        self._seconds: dict[int, Bar] = {}
        self._forgotten_ms = 0  # seconds before it are not kept any more
        self.listeners: list[Callable[[Bar, int, Decimal], None]] = []  # of each trade: its minute, lots and money
        for bars, length in ((self._minutes, MINUTE_MS), (self._seconds, SECOND_MS)):
            begun = past.bar(self.start_ms // length * length, length)
            if begun is not None:
                bars[begun.open_ms] = replace(begun)

    def add(self, fill: Fill) -> None:
        ms, value = fill.at_ns // 1_000_000, self._value_of(fill.tick, fill.lots)
        buys = not fill.buyer_is_maker
        for bars, length in ((self._minutes, MINUTE_MS), (self._seconds, SECOND_MS)):
            open_ms = ms // length * length
            bar = bars.get(open_ms)
            if bar is None:
                bar = bars[open_ms] = Bar(
                    open_ms, fill.tick, fill.tick, fill.tick, fill.tick, 0, Decimal(0), 0, 0, Decimal(0), fill.id, 0
                )
            bar.high, bar.low = max(bar.high, fill.tick), min(bar.low, fill.tick)
            bar.close, bar.last_id = fill.tick, fill.id
            bar.lots += fill.lots
            bar.value += value
            bar.count += 1
            if buys:
                bar.buy_lots += fill.lots
                bar.buy_value += value
        if len(self._seconds) > SECONDS_KEPT:
            gone = next(iter(self._seconds))
            del self._seconds[gone]
            self._forgotten_ms = gone + SECOND_MS
        self.last_tick = fill.tick
        minute = self._minutes[ms // MINUTE_MS * MINUTE_MS]
        for hear in self.listeners:
            hear(minute, fill.lots, value)

    def minutes(self, since_ms: int) -> Iterator[Bar]:
        """The minutes with trades, from this one on."""
        for open_ms in range(max(since_ms, self.past.first_ms), self.start_ms // MINUTE_MS * MINUTE_MS, MINUTE_MS):
            bar = self.past.bar(open_ms, MINUTE_MS)
            if bar is not None:
                yield bar
        yield from (bar for bar in self._minutes.values() if bar.open_ms >= since_ms)

    def price_at(self, ms: int) -> int:
        """The price, in ticks, with which the minute of `ms` opened; before the past there is its first one."""
        at, started = max(ms, self.past.first_ms) // MINUTE_MS * MINUTE_MS, self.start_ms // MINUTE_MS * MINUTE_MS
        if at in self._minutes:
            return self._minutes[at].open
        while at > started:
            at -= MINUTE_MS
            if at in self._minutes:
                return self._minutes[at].close
        bar = self.past.bar(at, MINUTE_MS)
        return bar.open if bar is not None else self._before(at, MINUTE_MS)

    def current(self, period: Period, now_ms: int) -> Bar:
        """The forming bar."""
        return self.between(period, now_ms, now_ms)[-1]

    def between(self, period: Period, start_ms: int, end_ms: int) -> list[Bar]:
        """Bars that open in [opens(start), end], without holes, ascending; those wholly before the past are left out."""
        grain = SECOND_MS if period.ms < MINUTE_MS else MINUTE_MS
        first, started = period.opens(start_ms), self.start_ms // grain * grain
        oldest = period.opens(max(self.past.first_ms, self._forgotten_ms if grain == SECOND_MS else 0))
        lived: dict[int, Bar] = {}
        for bar in reversed(self._kept_from(first, grain)):
            open_ms = period.opens(bar.open_ms)
            if open_ms not in lived:
                lived[open_ms] = flat(open_ms, bar.open)
            lived[open_ms].take(bar)
        answer: list[Bar] = []
        at = max(first, oldest)
        last_tick = self._before(at, grain)
        while at <= end_ms:
            closes = period.closes(at)
            bar = self._of_past(at, min(closes, started), last_tick) if at < started else None
            if at in lived:
                bar = bar or flat(at, lived[at].open)
                bar.take(lived[at])
            bar = bar or flat(at, last_tick)
            last_tick = bar.close
            answer.append(bar)
            at = closes
        return answer

    def _kept_from(self, ms: int, grain: int) -> list[Bar]:
        """What lived since, newest first."""
        bars = reversed((self._seconds if grain == SECOND_MS else self._minutes).values())
        return list(takewhile(lambda bar: bar.open_ms >= ms, bars))

    def _of_past(self, open_ms: int, end_ms: int, last_tick: int) -> Bar:
        bar = flat(open_ms, last_tick)
        found = self.past.bar(open_ms, end_ms - open_ms)
        if found is not None:
            bar.take(found)
        return bar

    def _before(self, ms: int, grain: int) -> int:
        """The newest price before `ms`, which begins a second or a minute."""
        for bar in reversed((self._seconds if grain == SECOND_MS else self._minutes).values()):
            if bar.open_ms < ms:
                return bar.close
        return self.past.order(max(self.past.first_order, self.past.order_at(ms) - 1))[1]
