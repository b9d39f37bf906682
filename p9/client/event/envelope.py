"""The envelope of every event, and an event that is nothing but it."""

from decimal import Decimal
from typing import Any, ClassVar, Literal

import msgspec

Side = Literal["buy", "sell"]
Stress = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
Level = tuple[Decimal, Decimal]  # price, quantity


class Origin(msgspec.Struct, frozen=True):
    """The event that another one corrects."""

    epoch: int
    seq: int


class Event(msgspec.Struct, kw_only=True):
    """The envelope. `channel`, `refilled` and `late` are told by the consumer library, the rest by the event."""

    streamed: ClassVar[bool | None] = None  # whether a stream stands beside the channel; None: it must be looked up
    v: int
    type: str
    exchange: str
    symbol: str
    market: str
    venue_symbol: str
    epoch: int
    seq: int
    conflated: int
    ts_event: int | None
    ts_recv: int | None
    ts_pub: int | None
    flags: tuple[str, ...] = ()
    amends: Origin | None = None
    channel: str = msgspec.field(default="", name=" channel")  # no field of any event can have these names
    refilled: bool = msgspec.field(default=False, name=" refilled")  # read from the stream, not heard
    late: bool = msgspec.field(default=False, name=" late")  # comes after newer ones of its channel: it was told as missed, or an older epoch's spool drained late


class Other(Event, kw_only=True):
    """An event of a type without a struct here; `fields` is all that it says."""

    fields: dict[str, Any] = msgspec.field(default_factory=dict)
