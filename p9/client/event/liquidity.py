"""What stands in a book by distance, and what was only shown there."""

from decimal import Decimal
from typing import Literal

import msgspec

from p9.client.event.envelope import Event


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
