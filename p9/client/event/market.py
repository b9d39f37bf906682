"""What the venues say of their contracts."""

from decimal import Decimal
from typing import Any

import msgspec

from p9.client.event.envelope import Event, Stress


class MarkPrice(Event, kw_only=True):
    streamed = False
    mark: Decimal | None
    index: Decimal | None
    basis_bps: float | None


class Funding(Event, kw_only=True):
    """`rate` settles at `next_time`, if nothing changes until then."""

    streamed = False
    rate: Decimal | None
    predicted_rate: Decimal | None
    last_rate: Decimal | None
    interval_seconds: int | None
    next_time: int | None
    annualised: Decimal | None
    cap: Decimal | None
    floor: Decimal | None


class OpenInterest(Event, kw_only=True):
    """Each contract counted once. `change` is of `contracts`, since `change_since`."""

    streamed = False
    contracts: Decimal | None
    base: Decimal | None
    quote: Decimal | None
    sides: str
    change: Decimal | None
    change_since: int | None


class InsurancePool(msgspec.Struct, kw_only=True):
    """What a venue holds for the losses of some contracts. `stale`: it was not told anew for long, and raises no stress."""

    pool: str
    balance: Decimal
    symbols: tuple[str, ...]
    change_24h_percent: float | None
    stress: Stress | None
    score: float
    as_of: int | None
    stale: bool


class InsuranceFund(Event, kw_only=True):
    """Of one asset, which is the event's symbol. `stress` is that of its worst pool, None until a day is known."""

    streamed = False
    total: Decimal
    pools: list[InsurancePool]
    change_24h_percent: float | None
    stress: Stress | None
    worst_pool: str | None
    score: float | None
    as_of: int | None


class InsuranceAlert(Event, kw_only=True):
    """Another level of stress (`kind` level), or a pool that lost a share of its balance within the hour (fast_decline)."""

    streamed = True
    kind: str
    pool: str
    previous: Stress | None
    stress: Stress | None
    balance: Decimal
    change_24h_percent: float | None
    decline_1h_percent: float
    score: float
    as_of: int | None


class Reference(Event, kw_only=True):
    """What a venue's reference data say of the captured instruments, and the newest hundred of its changes, numbered."""

    streamed = False
    instruments: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    risk: list[dict[str, Any]]
    status: list[dict[str, Any]]
    calendar: list[dict[str, Any]]
