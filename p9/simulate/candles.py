"""Candles of one instrument, added up from its tape in exact decimals: the truth that candles are compared with."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from p9.simulate.market import Fill

SECOND_MS, MINUTE_MS, DAY_MS = 1_000, 60_000, 86_400_000
HISTORY_BARS = 1_500
SECONDS_KEPT = 3_600


@dataclass(slots=True)
class Bar:
    """Prices in ticks, `lots` in lots; `value` is the quote amount (the coin amount of an inverse contract)."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    value: Decimal
    count: int
    buy_lots: int
    buy_value: Decimal
    first_id: int
    last_id: int

    def take(self, other: "Bar") -> None:
        """Add a later bar of the same period to this one."""
        if not other.count:
            self.close = other.close if not self.count else self.close
            return
        if not self.count:
            self.open, self.high, self.low, self.first_id = other.open, other.high, other.low, other.first_id
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        self.close, self.last_id = other.close, other.last_id
        self.lots += other.lots
        self.value += other.value
        self.count += other.count
        self.buy_lots += other.buy_lots
        self.buy_value += other.buy_value


def flat(open_ms: int, tick: int) -> Bar:
    return Bar(open_ms, tick, tick, tick, tick, 0, Decimal(0), 0, 0, Decimal(0), -1, -1)


@dataclass(frozen=True, slots=True)
class Period:
    """The length of a bar; `offset_ms` moves its edges (weeks open on Monday, one venue's days at 16:00 UTC).
    `months` stands for calendar months, and then the length is nominal."""

    ms: int
    offset_ms: int = 0
    months: int = 0

    def opens(self, at_ms: int) -> int:
        if not self.months:
            return (at_ms - self.offset_ms) // self.ms * self.ms + self.offset_ms
        day = datetime.fromtimestamp((at_ms - self.offset_ms) / 1000, UTC)
        first = (day.month - 1) // self.months * self.months + 1
        return int(datetime(day.year, first, 1, tzinfo=UTC).timestamp() * 1000) + self.offset_ms

    def closes(self, open_ms: int) -> int:
        """The opening of the next bar."""
        if not self.months:
            return open_ms + self.ms
        return self.opens(open_ms + self.ms * 31 // 30 + 3 * DAY_MS)


class Candles:
    """`value_of(tick, lots)` gives the money of a trade. Before the first trade there is an invented past of
    1,500 minutes, so that a client finds a history; it is made when first asked for."""

    def __init__(self, seed: str, start_ms: int, tick: int, lot: int, first_trade_id: int, value_of):
        self._seed, self.start_ms, self._tick, self._lot = seed, start_ms, tick, lot
        self._first_trade_id, self._value_of = first_trade_id, value_of
        self._minutes: dict[int, Bar] = {}
        self._seconds: dict[int, Bar] = {}
        self._past: list[Bar] | None = None
        self.last_tick = tick
        self.listeners: list[Callable[[Bar, int, Decimal], None]] = []  # of each trade: its minute, lots and money

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
            del self._seconds[next(iter(self._seconds))]
        self.last_tick = fill.tick
        minute = self._minutes[ms // MINUTE_MS * MINUTE_MS]
        for hear in self.listeners:
            hear(minute, fill.lots, value)

    def minutes(self) -> Iterator[Bar]:
        """The minutes with trades, the invented past first."""
        return self._bars(self._minutes, MINUTE_MS, True)

    def price_at(self, ms: int) -> int:
        """The price, in ticks, with which the minute of `ms` opened; before the invented past there is its first one."""
        at, started = ms // MINUTE_MS * MINUTE_MS, self.start_ms // MINUTE_MS * MINUTE_MS
        if at in self._minutes:
            return self._minutes[at].open
        while at > started:
            at -= MINUTE_MS
            if at in self._minutes:
                return self._minutes[at].close
        if self._past is None:
            self._past = self._invent()
        back = (started - at) // MINUTE_MS
        return self._past[max(0, len(self._past) - back)].open if back else self._past[-1].close

    def current(self, period: Period, now_ms: int) -> Bar:
        """The forming bar."""
        return self.between(period, now_ms, now_ms, history=False)[-1]

    def between(self, period: Period, start_ms: int, end_ms: int, history: bool = True) -> list[Bar]:
        """Bars that open in [opens(start), end], without holes, ascending; those wholly before the past are left out."""
        fine = self._seconds if period.ms < MINUTE_MS else self._minutes
        grain = SECOND_MS if period.ms < MINUTE_MS else MINUTE_MS
        first = period.opens(start_ms)
        merged: dict[int, Bar] = {}
        last_before = self._tick
        for bar in self._bars(fine, grain, history):
            if bar.open_ms < first:
                last_before = bar.close
                continue
            if bar.open_ms > end_ms:
                break
            open_ms = period.opens(bar.open_ms)
            if open_ms not in merged:
                merged[open_ms] = flat(open_ms, bar.open)
            merged[open_ms].take(bar)
        answer, at = [], first
        oldest = period.opens(self._oldest_ms(grain, history))
        while at <= end_ms:
            bar = merged.get(at)
            if bar is None:
                bar = flat(at, last_before)
            last_before = bar.close
            if at >= oldest:
                answer.append(bar)
            at = period.closes(at)
        return answer

    def _oldest_ms(self, grain: int, history: bool) -> int:
        at = self.start_ms // grain * grain
        return at - HISTORY_BARS * MINUTE_MS if history and grain == MINUTE_MS else at

    def _bars(self, fine: dict[int, Bar], grain: int, history: bool) -> Iterator[Bar]:
        if history and grain == MINUTE_MS:
            if self._past is None:
                self._past = self._invent()
            yield from self._past
        yield from fine.values()

    def _invent(self) -> list[Bar]:
        draw = random.Random(f"{self._seed} past")
        bars, tick, last_id = [], self._tick, self._first_trade_id - 1
        open_ms = self.start_ms // MINUTE_MS * MINUTE_MS
        for _ in range(HISTORY_BARS):
            open_ms -= MINUTE_MS
            opened = max(1, tick + round(draw.gauss(0, tick * 4e-4)))
            high = max(tick, opened) + int(draw.expovariate(1.0) * tick * 1e-4)
            low = max(1, min(tick, opened) - int(draw.expovariate(1.0) * tick * 1e-4))
            count = min(draw.randint(20, 120), max(1, last_id - 1))
            lots = count * self._lot + draw.randrange(self._lot + 1)
            bought = int(lots * draw.uniform(0.35, 0.65))
            money, spent = self._value_of((high + low) // 2, lots), self._value_of((high + low) // 2, bought)
            bars.append(
                Bar(open_ms, opened, high, low, tick, lots, money, count, bought, spent, last_id - count + 1, last_id)
            )
            tick, last_id = opened, last_id - count
        bars.reverse()
        return bars
