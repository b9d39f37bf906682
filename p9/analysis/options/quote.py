"""One option: the newest texts that its venue told of it, and whether its mark agrees with the volatility that the venue says it has."""

import math
from collections import Counter

from cext.amount import amount
from cext.black76 import implied_vol, price, vega

from p9.analysis.options.surface import YEAR_S
from p9.instrument import Instrument, places, product
from p9.option import FIELDS, Told

IN_CONTRACTS = frozenset(("bid_quantity", "ask_quantity", "open_interest"))
GREEKS = tuple(field for field in FIELDS if field.partition("_")[0] in ("delta", "gamma", "vega", "theta"))


class Quote:
    """`texts` by field of p9.option.FIELDS, sizes in coins. `mark` is the venue's volatility as a number, `own` what its mark price implies.

    `recv_ns` is the newest row's that tells a volatility: what else is told cannot keep it fresh.
    """

    __slots__ = ("agrees", "call", "discount", "forward", "heard", "in_coin", "instrument", "mark", "own", "recv_ns", "strike", "texts", "times_ms")

    def __init__(self, instrument: Instrument):
        self.instrument = instrument
        self.strike = float(instrument.strike)
        self.call = instrument.option_type == "C"
        self.in_coin = instrument.settle == instrument.base  # the premium is
        self.texts: dict[str, str | None] = {}
        self.times_ms: dict[str, int] = {}  # of the newest row, by source
        self.heard: dict[str, tuple[int, tuple[str, ...]]] = {}  # when that was received, and what it tells
        self.recv_ns = 0
        self.forward: float | None = None
        self.discount = 1.0
        self.mark: float | None = None
        self.own: float | None = None
        self.agrees: bool | None = None  # None: it was not compared

    def hear(self, told: Told, at_ms: int, row: tuple, recv_ns: int, counts: Counter[str]) -> None:
        """Take a row; what is no number is counted and taken for unknown, a row that is older than the last of its source is passed over."""
        if at_ms < self.times_ms.get(told.source, 0):
            counts["older"] += 1
            return
        self.times_ms[told.source] = at_ms
        self.heard[told.source] = (recv_ns, told.fields)
        if "mark_iv" in told.fields:
            self.recv_ns = recv_ns
        contract = self.instrument.contract_value
        texts = self.texts
        for field, text in zip(told.fields, row, strict=True):
            try:
                text = amount(text, FIELDS[field])
                if contract != "1" and field in IN_CONTRACTS and text is not None and text != "0":
                    text = product(text, contract)
            except ValueError:
                counts["malformed"] += 1
                text = None
            texts[field] = text
        self._model(at_ms)

    def fresh(self, since_ns: int) -> dict[str, str | None]:
        """The texts that were received since then."""
        old = [fields for recv_ns, fields in self.heard.values() if recv_ns < since_ns]
        if not old:
            return self.texts
        dropped = {field for fields in old for field in fields}
        return {field: text for field, text in self.texts.items() if field not in dropped}

    def years(self, at_ms: float) -> float:
        return (self.instrument.expires_ns / 1e6 - at_ms) / (1e3 * YEAR_S)

    def _model(self, at_ms: int) -> None:
        """The numbers that the surface is made of. A venue that tells no forward tells the index and the rate at which it grows."""
        texts = self.texts
        mark = texts.get("mark_iv")
        self.mark = float(mark) if mark is not None else None
        if mark is None:  # of a volatility that is not known there are no greeks, whatever zeros stand there
            texts.update({field: None for field in GREEKS if field in texts})
        forward, index, rate = texts.get("forward"), texts.get("index_price"), texts.get("rate")
        if forward is not None:
            self.forward, self.discount = float(forward), 1.0
        elif index is not None and rate is not None and "forward" not in texts:
            growth = math.exp(float(rate) * max(0.0, self.years(at_ms)))
            self.forward, self.discount = float(index) * growth, 1 / growth
        else:
            self.forward = None

    def check(self, tolerance: float, decimals: int) -> None:
        """Hold the venue's volatility against its mark price, at the time of the mark: it disagrees where an error of `tolerance` in the volatility and the
        rounding of the price (`decimals`) do not explain the difference. An option in the money is its sibling's mirror, and is left out."""
        self.own = self.agrees = None
        text, at_ms = self.texts.get("mark_price"), max(self.times_ms.values(), default=0)
        years = self.years(at_ms)
        if text is None or self.mark is None or self.forward is None or years <= 0 or self.call != (self.strike >= self.forward):
            return
        unit = 10.0**-decimals * (self.forward if self.in_coin else 1.0)
        premium = float(text) * (self.forward if self.in_coin else 1.0)
        expected = price(self.forward, self.strike, self.mark, years, self.call, self.discount)
        worth = 100 * vega(self.forward, self.strike, self.mark, years, self.discount)
        if math.isnan(expected) or math.isnan(worth):
            return
        self.agrees = abs(expected - premium) <= unit / 2 + worth * tolerance
        if unit / 2 <= worth * tolerance:  # else its last digit alone moves the volatility by more
            own = implied_vol(premium, self.forward, self.strike, years, self.call, self.discount)
            self.own = None if math.isnan(own) else own

    def mark_places(self) -> int:
        text = self.texts.get("mark_price")
        return places(text) if text is not None else 0
