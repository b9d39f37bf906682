"""A venue's candles as the hot path counts: whole numbers at the instrument's scales (cext/seeding.pyx), exact or not at all."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from cext.seeding import Piece

from p9.history import CandleRow
from p9.instrument import Instrument, places
from p9.number import EXACT, exact

S = 10**9


def scaled(value: Decimal, scale: int) -> int:
    """Raises ValueError where that is not whole."""
    number = value.scaleb(scale, EXACT)
    whole = int(number)
    if whole != number:
        raise ValueError(f"{value} has more than {scale} decimals")
    return whole


class Sizes:
    """How the amounts of one instrument's candles become native amounts and counter values."""

    def __init__(self, instrument: Instrument, scales: tuple[int, int, int]):
        self._instrument, (self.px, self._qty, self._cross) = instrument, scales
        self._value = exact(instrument.contract_value)
        self._digits = places(instrument.tick) + places(instrument.step)

    def sums(self, base: str | None, quote: str | None, contracts: str | None) -> tuple[int, int, bool]:
        """(native amount, counter value, whether the venue rounded). Raises ValueError for what it does not tell, or what does not fit."""
        kind = self._instrument.contract
        native = base if kind == "base" else contracts
        if native is None or base is None or quote is None:
            raise ValueError("an amount is not told")
        if kind == "inverse":
            return scaled(exact(native), self._qty), scaled(exact(base), self._cross), False  # rounded, and flagged so, by its kind
        if kind == "base":
            rounded = 8 <= places(quote) < self._digits
            return scaled(exact(native), self._qty), scaled(exact(quote), self._cross), rounded
        counter = Fraction(exact(quote)) * 10**self._cross / Fraction(self._value)
        return scaled(exact(native), self._qty), int(counter), counter.denominator != 1


def piece_of(rows: Sequence[CandleRow], instrument: Instrument, scales: tuple[int, int, int], step_s: Mapping[int, int] | int) -> Piece:
    """One piece of candles that follow each other; `step_s`: how long they are (by opening in ns, where they differ). Raises ValueError."""
    sizes = Sizes(instrument, scales)
    bought, rest, count = [0, 0], [0, 0], 0
    split = counted = True
    rounded = False
    prices: list[int] = []
    open_at = close_at = 0
    for row in rows:
        native, cross, odd = sizes.sums(row.volume, row.quote_volume, row.contracts)
        if native == 0:
            continue
        opened, high, low, close = (scaled(exact(text), sizes.px) for text in (row.open, row.high, row.low, row.close))
        if not prices:
            prices, open_at = [opened, high, low, close], row.time
        prices[1], prices[2], prices[3] = max(prices[1], high), min(prices[2], low), close
        close_at = row.time + (step_s if isinstance(step_s, int) else step_s[row.time]) * S - 1
        rounded |= odd
        mine = (0, 0)
        if row.buy_volume is None and row.buy_contracts is None:
            split = False
        else:
            mine = sizes.sums(row.buy_volume, row.buy_quote_volume, row.buy_contracts)[:2]
        for i, (all_of_it, part) in enumerate(zip((native, cross), mine, strict=True)):
            bought[i] += part
            rest[i] += all_of_it - part
        counted &= row.trades is not None
        count += row.trades or 0
    if not prices:  # quiet from end to end
        flat = scaled(exact(rows[-1].close), sizes.px)
        return Piece(flat, flat, flat, flat, rows[0].time, rows[0].time, (0, 0), (0, 0), 0)
    if not split:
        bought, rest = [0, 0], [bought[0] + rest[0], bought[1] + rest[1]]
    return Piece(*prices, open_at, close_at, tuple(bought), tuple(rest), count if counted else 1, split, counted, rounded)
