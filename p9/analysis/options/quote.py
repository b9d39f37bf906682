"""One option: the newest texts that its venue told of it, and whether its mark agrees with the volatility that the venue says it has."""

import math
from collections import Counter
from functools import cache
from typing import NamedTuple

from cext.amount import amounts
from cext.black76 import implied_vol, price, vega

from p9.analysis.options.surface import YEAR_S
from p9.instrument import Instrument, places, product
from p9.option import FIELDS, Told

IN_CONTRACTS = frozenset(("bid_quantity", "ask_quantity", "open_interest"))
ODD_NS = 86_400 * 10**9  # a venue's time that is so far from ours is in another unit, or of nobody's clock
GREEKS = tuple(field for field in FIELDS if field.partition("_")[0] in ("delta", "gamma", "vega", "theta"))


class Plan(NamedTuple):
    """What is to be done with a row of certain fields."""

    wanted: tuple[int, ...]
    contracts: tuple[str, ...]  # that count contracts
    tells_vol: bool
    tells_mark: bool
    tells_coin_greeks: bool


@cache
def plan_of(fields: tuple[str, ...]) -> Plan:
    contracts = tuple(field for field in fields if field in IN_CONTRACTS)
    return Plan(tuple(FIELDS[field] for field in fields), contracts, "mark_iv" in fields, "mark_price" in fields, "delta_coin" in fields)


class Row(NamedTuple):
    """The newest of a source: the venue's time of it, when it was received, and what it tells."""

    at_ms: int
    recv_ns: int
    fields: tuple[str, ...]


class Quote:
    """`texts` by field of p9.option.FIELDS, sizes in coins. `mark` is the venue's volatility as a number, `own` what its mark price implies.

    `recv_ns` is the newest row's that tells a volatility: what else is told cannot keep it fresh.
    """

    __slots__ = ("agrees", "call", "discount", "forward", "heard", "in_coin", "instrument", "mark", "oldest_ns", "own", "recv_ns", "strike", "texts")

    def __init__(self, instrument: Instrument):
        self.instrument = instrument
        self.strike = float(instrument.strike)
        self.call = instrument.option_type == "C"
        self.in_coin = instrument.settle == instrument.base  # the premium is
        self.texts: dict[str, str | None] = {}
        self.heard: dict[str, Row] = {}  # by source
        self.oldest_ns = 0  # of the times when these were received
        self.recv_ns = 0
        self.forward: float | None = None
        self.discount = 1.0
        self.mark: float | None = None
        self.own: float | None = None
        self.agrees: bool | None = None  # None: it was not compared

    def hear(self, told: Told, plan: Plan, at_ms: int, row: tuple, recv_ns: int, counts: Counter[str]) -> int:
        """Take a row; the answer is its time in ms, 0 if it was passed over for being older than the last of its source.

        What is no number is counted and taken for unknown. A time that cannot be is ours instead: taken at its word, it would make all that follow old.
        """
        if abs(at_ms * 1_000_000 - recv_ns) > ODD_NS:
            counts["odd_time"] += 1
            at_ms = recv_ns // 1_000_000
        before = self.heard.get(told.source)
        if before is not None and at_ms < before.at_ms:
            counts["older"] += 1
            return 0
        self.heard[told.source] = Row(at_ms, recv_ns, told.fields)
        self.oldest_ns = recv_ns if len(self.heard) == 1 else min(one.recv_ns for one in self.heard.values())
        if plan.tells_vol:
            self.recv_ns = recv_ns
        found, ill = amounts(row, plan.wanted)
        self.texts.update(zip(told.fields, found, strict=True))
        if ill:
            counts["malformed"] += ill
        if plan.contracts and self.instrument.contract_value != "1":
            for field in plan.contracts:
                self.texts[field] = self._coins(self.texts[field], counts)
        self._model(at_ms)
        return at_ms

    def _coins(self, contracts: str | None, counts: Counter[str]) -> str | None:
        try:
            return product(contracts, self.instrument.contract_value) if contracts not in (None, "0") else contracts
        except ValueError:  # more than there can be
            counts["malformed"] += 1
            return None

    def fresh(self, since_ns: int) -> dict[str, str | None]:
        """The texts that were received since then."""
        if self.oldest_ns >= since_ns:
            return self.texts
        dropped = {field for one in self.heard.values() if one.recv_ns < since_ns for field in one.fields}
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
        text, at_ms = self.texts.get("mark_price"), self.newest_ms()
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

    def newest_ms(self) -> int:
        """The venue's time of what it told last; 0: nothing yet."""
        return max((one.at_ms for one in self.heard.values()), default=0)

    def mark_places(self) -> int:
        text = self.texts.get("mark_price")
        return places(text) if text is not None else 0
