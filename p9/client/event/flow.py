"""Who moves the price, and how it moved."""

from decimal import Decimal

import msgspec

from p9.client.event.envelope import Event, Side


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
