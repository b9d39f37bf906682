"""Candles out of trades, exactly: what a venue does not sell as candles, and what its candles are held against."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from p9.history import CandleRow, TradeRow
from p9.instrument import Instrument
from p9.number import EXACT, exact, plain, rounded

TIMEFRAMES = {
    "1s": 1, "5s": 5, "10s": 10, "15s": 15, "30s": 30, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "4h": 14400,
    "6h": 21600, "12h": 43200, "1d": 86400,
}  # fmt: skip
NOTHING = Decimal(0)


class Sums:
    """What was traded of one side, in the venue's unit and in its counter value. Base coins of inverse contracts are rounded once, at the end."""

    __slots__ = ("base", "contracts", "quote")

    def __init__(self) -> None:
        self.base = self.quote = self.contracts = NOTHING

    def add(self, trade: TradeRow, instrument: Instrument) -> None:
        price = exact(trade.price)
        if instrument.contract == "inverse":
            contracts = exact(trade.contracts)
            value = EXACT.multiply(contracts, exact(instrument.contract_value))
            self.contracts = EXACT.add(self.contracts, contracts)
            self.quote = EXACT.add(self.quote, value)
            self.base = EXACT.add(self.base, EXACT.divide(value, price))
            return
        quantity = exact(trade.quantity)
        self.base = EXACT.add(self.base, quantity)
        self.quote = EXACT.add(self.quote, EXACT.multiply(quantity, price))
        if trade.contracts is not None:
            self.contracts = EXACT.add(self.contracts, exact(trade.contracts))

    def texts(self, instrument: Instrument) -> tuple[str, str, str | None]:
        """(base, quote, contracts)"""
        base = rounded(self.base, 8) if instrument.contract == "inverse" else plain(self.base)
        return base, plain(self.quote), plain(self.contracts) if instrument.contract != "base" else None


class Forming:
    """The candle of one interval, as its trades come in the order of time."""

    def __init__(self, open_ns: int, instrument: Instrument):
        self.open_ns, self._instrument = open_ns, instrument
        self._prices: list[str] = []
        self._all, self._bought = Sums(), Sums()
        self._count = 0

    def add(self, trade: TradeRow) -> None:
        prices = self._prices
        if not prices:
            prices += [trade.price] * 4
        elif exact(trade.price) > exact(prices[1]):
            prices[1] = trade.price
        elif exact(trade.price) < exact(prices[2]):
            prices[2] = trade.price
        prices[3] = trade.price
        self._all.add(trade, self._instrument)
        if trade.side == "buy":
            self._bought.add(trade, self._instrument)
        self._count += trade.last_id - trade.first_id + 1 if trade.first_id is not None and trade.last_id is not None else 1

    def candle(self) -> CandleRow:
        base, quote, contracts = self._all.texts(self._instrument)
        buy_base, buy_quote, buy_contracts = self._bought.texts(self._instrument)
        return CandleRow(self.open_ns, *self._prices, base, quote, contracts, self._count, buy_base, buy_quote, buy_contracts)


def fold(trades: Iterable[TradeRow], timeframe: str, instrument: Instrument) -> Iterator[CandleRow]:
    """The candles of intervals with trades, which come in the order of time. Block trades are left out, as the venues leave them out of their own."""
    step_ns = TIMEFRAMES[timeframe] * 10**9
    forming: Forming | None = None
    for trade in trades:
        if trade.block:
            continue
        open_ns = trade.time // step_ns * step_ns
        if forming is None or forming.open_ns != open_ns:
            if forming is not None:
                yield forming.candle()
            forming = Forming(open_ns, instrument)
        forming.add(trade)
    if forming is not None:
        yield forming.candle()
