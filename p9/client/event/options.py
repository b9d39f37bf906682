"""The options of an underlying."""

from decimal import Decimal

import msgspec

from p9.client.event.envelope import Event


class Worst(msgspec.Struct, frozen=True):
    """Strikes that would allow an arbitrage: how many, and the worst."""

    strikes: int
    worst_strike: float
    worst_excess: float


class Expiry(msgspec.Struct, kw_only=True):
    """What is told of the options that end at one time. `rows`: their values, in the order of the event's `columns`."""

    expiry: int
    days: float
    forward: Decimal | None
    forward_used: float | None
    atm_iv: float | None
    call_25_iv: float | None
    put_25_iv: float | None
    risk_reversal_25: float | None
    butterfly_25: float | None
    malz_error: float | None
    forward_iv: float | None
    strikes: int
    in_smile: int
    not_used: dict[str, int]
    checked: int
    disagreeing: int
    butterfly: Worst | None
    calendar: Worst | None
    rows: list[list[str | float | None]]
    left_out: int


class Maturity(msgspec.Struct, kw_only=True):
    days: int
    atm_iv: float | None
    call_25_iv: float | None
    put_25_iv: float | None
    risk_reversal_25: float | None
    butterfly_25: float | None


class OptionsIv(Event, kw_only=True):
    """The options of an underlying. A row's texts are the venue's figures, its numbers ours."""

    streamed = False
    price_unit: str
    index_price: Decimal | None
    options: int
    maturities: list[Maturity]
    term_slope: float | None
    arbitrage: dict[str, int]
    checked: int
    disagreeing: int
    columns: tuple[str, ...]
    expiries: list[Expiry]
