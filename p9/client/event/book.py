"""What is told of a book."""

from decimal import Decimal

import msgspec

from p9.client.event.envelope import Event, Level


class VenueTop(msgspec.Struct, kw_only=True):
    """One venue's part of the best prices over all of them; prices only where it is live."""

    exchange: str
    state: str
    bid_price: Decimal | None = None
    bid_quantity: Decimal | None = None
    ask_price: Decimal | None = None
    ask_quantity: Decimal | None = None
    ts_event: int | None = None


class BookTicker(Event, kw_only=True):
    """Of one instrument; with exchange `all` the best over the venues that have the symbol, and then `venues` and what follows it are there."""

    streamed = False
    bid_price: Decimal | None
    bid_quantity: Decimal | None
    ask_price: Decimal | None
    ask_quantity: Decimal | None
    bid_contracts: Decimal | None = None
    ask_contracts: Decimal | None = None
    spread: Decimal | None
    spread_bps: float | None
    mid: Decimal | None
    micro_price: Decimal | None = None
    micro_price_stoikov: Decimal | None = None
    micro_price_fitted: bool | None = None
    imbalance: float | None
    imbalance_5: float | None = None
    imbalance_10: float | None = None
    imbalance_20: float | None = None
    imbalance_50: float | None = None
    imbalance_weighted: float | None = None
    imbalance_10bps: float | None = None
    imbalance_50bps: float | None = None
    imbalance_100bps: float | None = None
    imbalance_200bps: float | None = None
    update_id: int | None = None
    venues: list[VenueTop] | None = None
    state: str | None = None
    bid_exchange: str | None = None
    ask_exchange: str | None = None


class Depth(Event, kw_only=True):
    """Changes of a book; with flag `snapshot` the whole of it."""

    streamed = False
    first_id: int | None
    last_id: int | None
    prev_id: int | None
    bids: list[Level]
    asks: list[Level]
    contract_value: Decimal | None = None
    contract_unit: str | None = None


class Snapshot(Event, kw_only=True):
    """The book within [`valid_bid`, `valid_ask`] (None: to the end). Its last change is event (`depth_epoch`, `depth_seq`) of `depth`."""

    streamed = False
    depth_epoch: int | None
    depth_seq: int | None
    update_id: int | None
    valid_bid: Decimal | None
    valid_ask: Decimal | None
    bids: list[Level]
    asks: list[Level]
    contract_value: Decimal | None = None
    contract_unit: str | None = None
