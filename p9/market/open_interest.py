"""open_interest: contracts that are open, each counted once, in the venue's unit, in base coins and in the quote coin.

What the contract fixes is exact: base coins of a linear one, the quote amount of an inverse one. The other one takes the mark price.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from p9.fact import OpenInterest
from p9.market.agreement import Tolerance
from p9.market.sheet import MARKS, Other, Record
from p9.number import EXACT, plain, rounded
from p9.samples import Samples

COIN_PLACES = QUOTE_PLACES = 8
WINDOW_NS = 3600 * 10**9
SAMPLE_NS = 10 * 10**9
SAMPLES = WINDOW_NS // SAMPLE_NS + 2  # one of them older than the window


class OpenInterestSheet:
    """`change` is in contracts, since `change_since`: the oldest value that we know of the last hour."""

    kind = "open_interest"
    fact = OpenInterest

    def __init__(self, share: Decimal):
        self.tolerances: Mapping[str, Tolerance] = {"contracts": Tolerance(within_s=5.0, share=share)}

    def write(self, record: Record, other: Other, now_ns: int) -> tuple[dict[str, Any], int] | None:
        contracts = record.value("contracts")
        if contracts is None:
            if record.fields is None:
                return None
            record.past = None
            return {"contracts": None, "base": None, "quote": None, "sides": "one", "change": None, "change_since": None}, 0
        one = record.one
        price = (other("mark_price", one) or {}).get("mark")
        amount = EXACT.multiply(Decimal(contracts), Decimal(one.contract_value))
        marks = 0
        if one.contract == "inverse":
            base = rounded(EXACT.divide(amount, Decimal(price)), COIN_PLACES) if price is not None else None
            quote = plain(amount)
            marks = MARKS["rounded"] if base is not None else 0
        else:
            base = plain(amount)
            quote = rounded(EXACT.multiply(amount, Decimal(price)), QUOTE_PLACES) if price is not None else None
        at_ns = record.said["contracts"].at_ns
        if record.past is None:
            record.past = Samples(SAMPLES)
        past = record.past
        while len(past) > 1 and past.time(1) <= at_ns - WINDOW_NS:
            past.drop(1)
        if not past or at_ns - past.time(len(past) - 1) >= SAMPLE_NS:
            past.append(at_ns, Decimal(contracts))
        since_ns, before = past.time(0), past.value(0)
        change = plain(EXACT.subtract(Decimal(contracts), before)) if since_ns < at_ns else None
        return {
            "contracts": contracts, "base": base, "quote": quote, "sides": "one", "change": change,
            "change_since": since_ns if since_ns < at_ns else None,
        }, marks  # fmt: skip
