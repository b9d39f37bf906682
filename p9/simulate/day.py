"""The figures of the last 24 hours of one instrument, kept up with every trade and never added up again."""

from collections import deque
from decimal import Decimal
from typing import NamedTuple

from p9.simulate.bar import DAY_MS, Bar
from p9.simulate.candles import MINUTE_MS, Candles


class Figures(NamedTuple):
    """Prices in ticks, `lots` in lots, `value` as in a Bar; the window begins at `open_ms`, on a whole minute."""

    open: int
    high: int
    low: int
    close: int
    lots: int
    value: Decimal
    count: int
    first_id: int
    last_id: int
    open_ms: int


class Day:
    """A window of 1,440 minutes that moves by whole minutes. A trade and a minute that leaves cost the same whatever the window holds: sums are
    added to and taken from, highs and lows are queues whose front is the extreme."""

    def __init__(self, candles: Candles):
        self._candles = candles
        candles.listeners.append(self._hear)
        self._bars: deque[Bar] = deque()  # minutes with trades, oldest first
        self._highs: deque[tuple[int, int]] = deque()  # (minute, its high), falling
        self._lows: deque[tuple[int, int]] = deque()  # (minute, its low), rising
        self._lots = self._count = 0
        self._value = Decimal(0)
        self._before: int | None = None  # the close of what left last
        self._begun = False

    def at(self, now_ms: int) -> Figures:
        """The window that ends now."""
        if not self._begun:
            self._begun = True
            for bar in self._candles.minutes((now_ms - DAY_MS) // MINUTE_MS * MINUTE_MS):
                self._enter(bar)
        first_ms = (now_ms - DAY_MS) // MINUTE_MS * MINUTE_MS + MINUTE_MS
        self._leave(first_ms)
        bars, close = self._bars, self._candles.last_tick
        if not bars:
            flat = self._before if self._before is not None else close
            return Figures(flat, flat, flat, flat, 0, Decimal(0), 0, -1, -1, first_ms)
        opened = bars[0].open if bars[0].open_ms == first_ms or self._before is None else self._before
        return Figures(
            opened, max(self._highs[0][1], opened), min(self._lows[0][1], opened), close, self._lots, self._value, self._count,
            bars[0].first_id, bars[-1].last_id, first_ms,
        )  # fmt: skip

    def _enter(self, bar: Bar) -> None:
        self._bars.append(bar)
        self._lots += bar.lots
        self._value += bar.value
        self._count += bar.count
        self._stretch(bar)

    def _stretch(self, bar: Bar) -> None:
        """The newest minute's high and low are these."""
        while self._highs and self._highs[-1][1] <= bar.high:
            self._highs.pop()
        while self._lows and self._lows[-1][1] >= bar.low:
            self._lows.pop()
        self._highs.append((bar.open_ms, bar.high))
        self._lows.append((bar.open_ms, bar.low))

    def _hear(self, bar: Bar, lots: int, value: Decimal) -> None:
        """A trade of `lots` has just been added to the minute `bar`."""
        if not self._begun:
            return
        if not self._bars or self._bars[-1] is not bar:
            self._enter(bar)
            return
        self._lots += lots
        self._value += value
        self._count += 1
        if bar.high > self._highs[-1][1] or bar.low < self._lows[-1][1] or self._highs[-1][0] != bar.open_ms or self._lows[-1][0] != bar.open_ms:
            self._stretch(bar)

    def _leave(self, first_ms: int) -> None:
        while self._bars and self._bars[0].open_ms < first_ms:
            gone = self._bars.popleft()
            self._lots -= gone.lots
            self._value -= gone.value
            self._count -= gone.count
            self._before = gone.close
        for extremes in (self._highs, self._lows):
            while extremes and extremes[0][0] < first_ms:
                extremes.popleft()
