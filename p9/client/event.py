"""The events of docs/events.md as typed structs, and what reads them. Prices and quantities are exact Decimals, times whole nanoseconds.

A field that the contract says may be null, or that not every market sends, is None. What a later version adds is not lost on the way: an
event of a type that is not known here is an `Other` with all of its fields.
"""

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


class Candle(Event, kw_only=True):
    streamed = True
    open_time: int
    close_time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal | None
    quote_volume: Decimal | None
    buy_volume: Decimal | None
    buy_quote_volume: Decimal | None
    contracts: Decimal | None = None
    buy_contracts: Decimal | None = None
    trades: int | None
    vwap: Decimal | None
    revision: int
    final: bool
    complete: bool = True


class OpenCandle(Candle, kw_only=True):
    """The forming one."""

    streamed = False


class Cvd(Event, kw_only=True):
    """Bought less sold: of the forming interval, the one before, a sliding span and the session."""

    streamed = False
    open_time: int
    close_time: int
    delta: Decimal | None
    quote_delta: Decimal | None
    previous_delta: Decimal | None
    previous_quote_delta: Decimal | None
    rolling: Decimal | None
    quote_rolling: Decimal | None
    rolling_since: int
    session: Decimal | None
    quote_session: Decimal | None
    since: int | None
    contracts_delta: Decimal | None = None
    contracts_previous: Decimal | None = None
    contracts_rolling: Decimal | None = None
    contracts_session: Decimal | None = None
    complete: bool
    previous_complete: bool
    rolling_complete: bool
    session_complete: bool


class OfiWindow(msgspec.Struct, kw_only=True):
    changes: int
    ofi: float | None
    depth: float | None
    normalised: float | None
    levels: list[float | None]


class PrintSizes(msgspec.Struct, kw_only=True):
    """From which size on a print is of a class; None: too few were seen."""

    mid: float | None
    large: float | None
    whale: float | None
    mega: float | None


class ClassFlow(msgspec.Struct, kw_only=True):
    net: Decimal | None
    volume: Decimal | None
    prints: int


class Cluster(msgspec.Struct, kw_only=True):
    prints: int
    quote_quantity: Decimal | None
    since: int
    until: int


class LargePrint(msgspec.Struct, kw_only=True):
    tier: str
    side: Side
    time: int
    price: Decimal
    quote_quantity: Decimal | None
    rows: int
    first_id: int | None
    last_id: int | None
    threshold: float | None
    backfill: bool


class Flow(Event, kw_only=True):
    """Order flow: its imbalance, its toxicity, what it moves, and who makes it by size."""

    streamed = False
    ofi: dict[str, OfiWindow] | None
    ofi_since: int | None
    vpin: float | None
    vpin_buckets: int
    vpin_bucket_volume: float | None
    kyle_lambda: float | None
    kyle_t: float | None
    kyle_r2: float | None
    amihud: float | None
    impact_minutes: int
    thresholds: PrintSizes
    classes: dict[str, dict[str, ClassFlow]]
    clusters: dict[str, Cluster | None]
    prints: int
    large_prints: int
    whale_prints: int
    mega_prints: int
    cluster_count: int
    last_large: LargePrint | None


class DepthProfile(msgspec.Struct, kw_only=True):
    """Quote coins in each step of distance; `steps_bps` [[1, 50], [5, 200]]: steps of 1 up to 50, then of 5 up to 200."""

    steps_bps: list[tuple[int, int]]
    bids: list[float | None]
    asks: list[float | None]


class Wall(msgspec.Struct, kw_only=True):
    number: int
    side: Literal["bid", "ask"]
    price: Decimal
    quantity: Decimal | None
    quote_quantity: float | None
    distance_bps: float | None
    state: str
    since: int
    state_since: int
    peak: Decimal | None
    traded: Decimal | None


class Liquidity(Event, kw_only=True):
    """What stands in a book by distance, what an order would cost, and walls."""

    streamed = False
    mid: Decimal | None
    known_bps_bid: int | None
    known_bps_ask: int | None
    bands_bps: list[int]
    bid_depth: list[float | None]
    ask_depth: list[float | None]
    sizes: list[float]
    buy_slippage_bps: list[float | None]
    sell_slippage_bps: list[float | None]
    shift_bps_bid: float | None
    shift_bps_ask: float | None
    profile: DepthProfile | None
    wall_quote_quantity: float | None
    walls: list[Wall]


class PostingFeatures(msgspec.Struct, kw_only=True):
    """What a score is made of, each in [0, 1]."""

    size: float
    near: float
    briefly: float
    unexecuted: float
    opposite: float
    tilt: float
    reverted: float
    repeated: float


class Spoofing(Event, kw_only=True):
    """A spoof-like pattern with its evidence: what was seen, never who did it or why."""

    streamed = True
    pattern: str
    score: float
    features: PostingFeatures
    side: Literal["bid", "ask"]
    price: Decimal
    quantity: Decimal | None
    quote_quantity: float | None
    threshold: float
    distance_bps: float
    posted: int
    withdrawn: int
    executed_share: float
    imbalance_before: float | None
    imbalance_posted: float | None
    imbalance_withdrawn: float | None
    opposite_volume: float
    opposite_typical: float
    repeats: int
    shift_bps: float | None


class Horizon(msgspec.Struct, kw_only=True):
    return_bps: float | None
    z: float | None
    trend: int | None


class Jumps(msgspec.Struct, kw_only=True):
    l: float | None  # noqa: E741  (Lee and Mykland's letter)
    limit: float
    sigma_bps: float | None
    count: int


class Move(msgspec.Struct, kw_only=True):
    """A jump, or a spike with its volume."""

    interval: str | None = None
    time: int
    return_bps: float
    l: float | None = None  # noqa: E741
    volume_z: float | None = None


class Momentum(Event, kw_only=True):
    """Returns of the mid by horizon, jumps and spikes."""

    streamed = False
    horizons: dict[str, Horizon] | None
    jumps: dict[str, Jumps]
    last_jump: Move | None
    spikes: int
    last_spike: Move | None


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


class SignalPart(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one signal, or one venue, gives to an aggregate."""

    signal: str | None = None
    exchange: str | None = None
    strength: float
    confidence: float
    weight: float | None = None
    counted: bool | None = None


class Signal(Event, kw_only=True):
    """`kind` base: one signal with its `inputs`; aggregate: what an instrument's, or a symbol's over its venues, come to together."""

    streamed = True
    kind: str
    signal: str | None = None
    state: Literal["begins", "changes", "ends"]
    direction: Literal["up", "down", "none"]
    strength: float
    confidence: float
    since: int
    duration_ns: int | None
    horizon_seconds: int | None = None
    decay_seconds: float | None = None
    inputs: dict[str, Any] | None = None
    parts: list[SignalPart] | None = None
    excluded: list[str] | None = None
    latency_ns: int


class Integrity(Event, kw_only=True):
    """What became of a book (`kind` is `book_state`), what delivery says of itself, and other findings (`detail`)."""

    streamed = True
    kind: str
    state: str | None = None
    previous: str | None = None
    reason: str | None = None
    expected_id: int | None = None
    got_id: int | None = None
    last_good_id: int | None = None
    last_good_time: int | None = None
    duration_ns: int | None = None
    count: int | None = None
    detail: str | None = None
    lane: str | None = None
    probes: int | None = None
    shed: int | None = None
    quarantined: str | None = msgspec.field(default=None, name="channel")
    channels: int | None = None
    events: int | None = None
    source: str | None = None
    topic: str | None = None
    step_ns: int | None = None


class Gap(Event, kw_only=True):
    """Trades that are missing (`state` open), came after all (filled), or never will (lost; `left` says which); and when liquidations or one's
    own stop orders, which have no ids, could not be heard (`kind`)."""

    streamed = True
    kind: str
    gap: int
    state: str
    reason: str
    first_id: int | None
    last_id: int | None
    missing: int | None
    since: int | None
    until: int | None
    fetched: int
    left: list[tuple[int, int]] | None
    duration_ns: int


class Audit(Event, kw_only=True):
    """A book, a candle or a figure differs from what the venue made apart from its streams; `watermark` is no difference."""

    streamed = True
    kind: str
    update_id: int | None = None
    levels: int | None = None
    open_time: int | None = None
    timeframe: str | None = None
    field: str | None = None
    timeframe: str | None = None


    what: str | None = None
    source: str | None = None
    whole_since: dict[str, int] | None = None
    detail: str


class Other(Event, kw_only=True):
    """An event of a type without a struct here; `fields` is all that it says."""

    fields: dict[str, Any] = msgspec.field(default_factory=dict)


TYPES: dict[str, type[Event]] = {
    "insurance_fund": InsuranceFund, "insurance_alerts": InsuranceAlert, "reference": Reference,
    "book_ticker": BookTicker, "depth": Depth, "snapshots": Snapshot, "trades": Trade, "candles": Candle, "candles_open": OpenCandle,
    "block_trades": BlockTrade, "liquidations": Liquidation, "stop_triggers": StopTrigger, "adl": Adl, "cvd": Cvd, "flow": Flow,
    "liquidity": Liquidity, "spoofing": Spoofing, "momentum": Momentum, "signals": Signal,
    "mark_price": MarkPrice, "funding": Funding, "open_interest": OpenInterest, "options_iv": OptionsIv, "gaps": Gap, "audits": Audit, "integrity": Integrity,
}  # fmt: skip
KINDS: list[type[Event]] = [*TYPES.values(), Other]


class _Named(msgspec.Struct):
    type: str


class EventReader:
    """Payloads of one channel into events. A channel has one type, so it is looked up once."""

    _decoders: ClassVar[dict[type[Event], msgspec.json.Decoder[Any]]] = {kind: msgspec.json.Decoder(kind) for kind in KINDS}
    _named: ClassVar[msgspec.json.Decoder[_Named]] = msgspec.json.Decoder(_Named)

    def __init__(self, channel: str):
        self.channel = channel
        self.kind: type[Event] | None = None

    def read(self, payload: bytes | str) -> Event:
        """Raises msgspec.MsgspecError on what is no event."""
        if self.kind is None:
            self.kind = TYPES.get(self._named.decode(payload).type, Other)
        event: Event = self._decoders[self.kind].decode(payload)
        if self.kind is Other:
            event.fields = msgspec.json.decode(payload, type=dict[str, Any])  # type: ignore[attr-defined]
        event.channel = self.channel
        return event
