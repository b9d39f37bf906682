"""funding: the rate that will settle, when, how often, and what it comes to in a year."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from p9.fact import Funding
from p9.market.agreement import Tolerance
from p9.market.sheet import Other, Record
from p9.number import EXACT, rounded

YEAR_S = 365 * 86400
ANNUAL_PLACES = 12


class FundingSheet:
    """The annualised rate is the simple sum of a year's settlements at this rate and this interval, which is the live one: it changes."""

    kind = "funding"
    fact = Funding

    def __init__(self, rate_absolute: Decimal):
        self.tolerances: Mapping[str, Tolerance] = {
            "rate": Tolerance(within_s=120.0, absolute=rate_absolute), "next_ns": Tolerance(within_s=120.0), "interval_s": Tolerance(within_s=120.0),
        }  # fmt: skip

    def write(self, record: Record, other: Other, now_ns: int) -> tuple[dict[str, Any], int] | None:
        rate, interval_s, next_ns = record.value("rate"), record.value("interval_s"), record.value("next_ns")
        if rate is None and record.fields is None:
            return None
        annualised = None
        if rate is not None and interval_s is not None:
            annualised = rounded(EXACT.divide(Decimal(rate) * YEAR_S, interval_s), ANNUAL_PLACES)
        return {
            "rate": rate, "predicted_rate": record.value("predicted_rate"), "last_rate": record.value("last_rate"), "interval_seconds": interval_s,
            "next_time": next_ns, "annualised": annualised, "cap": record.value("cap"), "floor": record.value("floor"),
        }, 0  # fmt: skip
