"""An amount in the venue's unit and in ours, as the contract with consumers says (docs/events.md)."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from p9.instrument import Instrument

PLACES = Decimal("1e-8")


def amounts(row: Instrument, amount: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
    """Base coins and quote coins of an amount in the venue's unit, at a price: an inverse contract's coins are rounded to eight decimals, half to the even one."""
    worth = amount * Decimal(row.contract_value)
    return ((worth / price).quantize(PLACES, ROUND_HALF_EVEN), worth) if row.contract == "inverse" else (worth, worth * price)


def native(event: dict[str, Any]) -> Decimal:
    """In the unit that the venue counts in."""
    return Decimal(event.get("contracts", event["quantity"]))
