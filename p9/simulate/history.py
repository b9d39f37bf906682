"""What a venue remembers beside trades and their candles: settled funding, open interest, positions, and candles of prices that nobody trades.

All of it is a function of the seed and the time, or of what was noted when it happened.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from p9.simulate.bar import DAY_MS, Period
from p9.simulate.instrument import Instrument
from p9.simulate.path import CELL_MS, mixed, number_of

POSITIONS_DAYS = 30  # for so long open interest and positions are remembered


class Prices(NamedTuple):
    """A candle of a price that is computed, not traded."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float


def mark_prices(one: Instrument, period: Period, since_ms: int, until_ms: int) -> list[Prices]:
    """Candles that open in [opens(since), until], ascending, back to where the instrument's past begins."""
    return _bars(one, period, since_ms, until_ms, lambda open_ms, end_ms: _scaled(one.index.bar(open_ms, end_ms - open_ms), 1.0 + one.premium))


def index_prices(one: Instrument, period: Period, since_ms: int, until_ms: int) -> list[Prices]:
    return _bars(one, period, since_ms, until_ms, lambda open_ms, end_ms: one.index.bar(open_ms, end_ms - open_ms))


def premiums(one: Instrument, period: Period, since_ms: int, until_ms: int) -> list[Prices]:
    """Fractions of the index, such as 0.0001."""

    def bar(open_ms: int, end_ms: int) -> tuple[float, float, float, float]:
        samples = [premium_at(one, at) for at in range(open_ms, end_ms, max(CELL_MS, (end_ms - open_ms) // 240))]
        return samples[0], max(samples), min(samples), samples[-1]

    return _bars(one, period, since_ms, until_ms, bar)


def premium_at(one: Instrument, ms: int) -> float:
    """The premium index: the instrument's own distance, and noise of the cell of 15 seconds."""
    return one.premium + (mixed(number_of(one.symbol) ^ (ms // CELL_MS)) % 2_001 - 1_000) * 1e-7


def _scaled(bar: tuple[float, float, float, float] | None, by: float) -> tuple[float, float, float, float] | None:
    return (bar[0] * by, bar[1] * by, bar[2] * by, bar[3] * by) if bar is not None else None


def _bars(one: Instrument, period: Period, since_ms: int, until_ms: int, bar_of: Callable) -> list[Prices]:
    at = max(period.opens(since_ms), period.closes(one.past.first_ms - 1))
    found = []
    while at <= until_ms:
        bar = bar_of(at, period.closes(at))
        if bar is not None:
            found.append(Prices(at, *bar))
        at = period.closes(at)
    return found


def settlements(one: Instrument, since_ms: int, until_ms: int) -> list[int]:
    """The moments in [since, until] when funding was settled, ascending; none on spot and dated contracts, none before the past."""
    if one.is_spot or one.listing.expiry_ms is not None:
        return []
    step = one.funding_interval_ms
    first = -(-max(since_ms, one.past.first_ms) // step) * step
    return list(range(first, until_ms + 1, step))


def settled_rate(one: Instrument, at_ms: int) -> Decimal:
    return one.funding_rate + Decimal(at_ms // one.funding_interval_ms % 7).scaleb(-6)


def settled_mark(one: Instrument, at_ms: int) -> float:
    bar = one.index.bar(at_ms, 60_000)
    return (bar[0] if bar is not None else one.index.path.at(at_ms)) * (1.0 + one.premium)


def moments(period_ms: int, since_ms: int, until_ms: int, now_ms: int) -> list[int]:
    """The ends of periods in [since, until] that are over and still remembered, ascending."""
    first = max(since_ms, now_ms - POSITIONS_DAYS * DAY_MS)
    return list(range(-(-first // period_ms) * period_ms, min(until_ms, now_ms) + 1, period_ms))


def long_share(one: Instrument, who: str, at_ms: int) -> Decimal:
    """Of `who`'s accounts or positions: between 0.40 and 0.60, four decimals."""
    return Decimal(4_000 + mixed(number_of(f"{one.symbol} {who}") ^ (at_ms // 300_000)) % 2_001).scaleb(-4)


def taken_lots(one: Instrument, at_ms: int, period_ms: int) -> tuple[int, int]:
    """(bought, sold) by aggressors in the period that ends at `at_ms`."""
    bar = one.candles.between(Period(period_ms), at_ms - period_ms, at_ms - period_ms)
    return (bar[0].buy_lots, bar[0].lots - bar[0].buy_lots) if bar else (0, 0)
