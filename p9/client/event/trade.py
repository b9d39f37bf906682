"""What was traded, and who was made to trade."""

from decimal import Decimal
from typing import Literal

from p9.client.event.envelope import Event, Side


class Trade(Event, kw_only=True):
    streamed = True
    price: Decimal
    quantity: Decimal
    side: Side | None
    buyer_is_maker: bool | None
    trade_id: str
    first_trade_id: int | None = None
    last_trade_id: int | None = None
    off_book: bool = False
    block: bool = False
    contracts: Decimal | None = None
    quote_quantity: Decimal | None = None
    contract_value: Decimal | None = None
    contract_unit: str | None = None


class BlockTrade(Event, kw_only=True):
    """`kind` venue: negotiated; print: one taker's burst, larger than the `threshold`."""

    streamed = True
    kind: str
    side: Side | None
    price: Decimal | None
    quantity: Decimal | None
    quote_quantity: Decimal | None
    contracts: Decimal | None = None
    contract_value: Decimal | None = None
    contract_unit: str | None = None
    trade_id: str | None
    first_trade_id: int | None
    last_trade_id: int | None
    first_price: Decimal | None
    last_price: Decimal | None
    rows: int | None
    threshold: float | None
    threshold_reason: str | None


class Liquidation(Event, kw_only=True):
    """A forced order. `side` is the order's, `position` what it closed; `price_type` says what kind of price `price` is."""

    streamed = True
    side: Side
    position: Literal["long", "short"]
    price: Decimal
    price_type: str
    bankruptcy_price: Decimal | None
    order_price: Decimal | None
    quantity: Decimal | None
    quote_quantity: Decimal | None
    contracts: Decimal | None = None
    contract_value: Decimal | None = None
    contract_unit: str | None = None
    venue_side: str


class StopTrigger(Event, kw_only=True):
    """`kind` stop_run_inferred: nobody told it, so there is a `confidence`. stop_order_triggered: one's own order, as the venue told it."""

    streamed = True
    kind: str
    confidence: float | None = None
    side: Side
    since: int | None = None
    until: int | None = None
    prints: int | None = None
    start_price: Decimal | None = None
    end_price: Decimal | None = None
    level: Decimal | None = None
    level_kind: str | None = None
    quantity: Decimal | None
    quote_quantity: Decimal | None = None
    contracts: Decimal | None = None
    contract_value: Decimal | None = None
    contract_unit: str | None = None
    open_interest_change: float | None = None
    liquidations_told: bool | None = None
    position: Literal["long", "short"] | None = None
    order_kind: str | None = None
    order_type: str | None = None
    trigger_price: Decimal | None = None
    trigger_price_type: str | None = None
    order_price: Decimal | None = None
    order_id: str | None = None
    client_id: str | None = None
    placed_order_id: str | None = None
    reduce_only: bool | None = None
    failure: str | None = None


class Adl(Event, kw_only=True):
    """Whether a venue deleverages, why, or how likely it is: what it tells."""

    streamed = True
    state: str | None
    previous: str | None
    reason: str | None
    risk: str | None
    source: str
    balance: Decimal | None
    balance_threshold: Decimal | None
    pool: str | None
    pnl_ratio: Decimal | None
    trigger_ratio: Decimal | None
    stop_ratio: Decimal | None
