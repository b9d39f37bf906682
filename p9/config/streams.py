"""What is published of each instrument: one section a stream."""

from typing import Annotated, Literal

import msgspec

from p9.config.section import Bytes, Seconds, Section, between, text

MAJORS = ("BTC", "ETH")
FLOOR_QUOTES = ("USD", "USDT", "USDC", "FDUSD", "TUSD", "DAI", "USDE", "USD1", "USD_UM")  # amounts in them are dollars, near enough


class Audits(Section):
    """Timed audits against what the venue made apart from its streams."""

    books: Annotated[Seconds, text("between two audits of one book against a REST image at an equal update id; 0s: none")] = Seconds("1h")
    candles: Annotated[Seconds, text("between two comparisons of closed minutes with the venue's own candles; 0s: none")] = Seconds("5m")
    publish_channel: Annotated[str, text("another first word of the channel; empty: audits")] = ""
    wait: Annotated[Seconds, text("for the stream to come to the image's id")] = Seconds("3s")
    again: Annotated[Seconds, text("after an audit that could not tell")] = Seconds("10s")
    settle: Annotated[Seconds, text("after a minute's end, before it is held against the venue's")] = Seconds("15s")

    _bounds = {
        "books": (Seconds("0s"), Seconds("24h")), "candles": (Seconds("0s"), Seconds("9m")), "wait": (Seconds("100ms"), Seconds("1m")),
        "again": (Seconds("1s"), Seconds("1h")), "settle": (Seconds("0s"), Seconds("5m")),
    }  # fmt: skip


class Stream(Section):
    """One stream of events."""

    enabled: Annotated[bool, text("publish this stream")] = True
    publish_channel: Annotated[str, text("another first word of the channel; empty: the stream's own name")] = ""


class MicroPrice(Section):
    """Stoikov's micro-price, learnt from the quotes of each instrument."""

    enabled: Annotated[bool, text("learn and publish it")] = True
    buckets: Annotated[int, between(2, 20, "of the imbalance, an even number; others begin to learn anew")] = 10
    spread_ticks: Annotated[int, between(1, 8, "the widest spread that is learnt from; another one begins to learn anew")] = 4
    max_move_ticks: Annotated[int, between(1, 10_000, "a longer move of the mid from one quote to the next is left out")] = 20
    samples: Annotated[int, between(1_000, 100_000_000, "quotes that a fit needs; with fewer the weighted mid stands in, and the event says so")] = 50_000
    refit: Annotated[Seconds, text("between two fits; what was learnt before the last one counts half")] = Seconds("24h")
    save: Annotated[Seconds, text("between two writings of what was learnt into the data directory; at the end it is written too")] = Seconds("5m")

    _bounds = {"refit": (Seconds("1m"), Seconds("7d")), "save": (Seconds("10s"), Seconds("24h"))}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.buckets % 2:
            raise ValueError(f"buckets: found {self.buckets}, allowed is an even number")


class BookTicker(Stream):
    imbalance_tracking: Annotated[bool, text("add the imbalance of the book's top 5 levels, and of the depths below")] = True
    imbalance_levels: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1, le=200)], ...], msgspec.Meta(min_length=1, max_length=8, description="imbalance of the best n levels a side; up to 8 depths of 1 to 200")
    ] = (10, 20, 50)
    imbalance_decay: Annotated[float, between(0.0, 10.0, "of imbalance_weighted, over the deepest of these: level i counts exp(-decay * (i - 1))")] = 0.5
    imbalance_bands_bps: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1, le=1000)], ...], msgspec.Meta(max_length=8, description="imbalance of all within so many basis points of the mid; up to 8 bands of 1 to 1000")
    ] = (10, 50, 100, 200)
    stale_after: Annotated[Seconds, text("a venue of which nothing came for so long counts for nothing in book_ticker:all")] = Seconds("5s")
    micro_price: MicroPrice = MicroPrice()

    _bounds = {"stale_after": (Seconds("100ms"), Seconds("10m"))}


class Snapshots(Stream):
    """Full books, published and stored (docs/snapshots.md)."""

    interval: Annotated[Seconds, text("one full book each")] = Seconds("1s")
    storage: Annotated[
        Literal["disk", "redis", "none"],
        text("where they are kept: disk, in the data directory; redis, in memory, and nowhere else; none: they are only published"),
    ] = "disk"
    storage_duration: Annotated[Seconds, text("how long snapshots are kept; every interval of it can be shown")] = Seconds("24h")
    key_interval: Annotated[Seconds, text("a whole frame each; what stands between are changes")] = Seconds("1m")
    max_bytes: Annotated[Bytes, text("of storage disk; over it the oldest go")] = Bytes("16GB")
    min_free: Annotated[Bytes, text("of storage disk: so much of the disk is left to others, the spool among them; the oldest go before that")] = Bytes("2GB")
    redis_newest: Annotated[Seconds, text("of storage disk: the newest are in Redis too, for so long; 0s: they are not")] = Seconds("60s")
    waiting_bytes: Annotated[Bytes, text("what may wait in memory for the disk, and again for Redis; over it snapshots are lost, and counted")] = Bytes("16MB")

    _bounds = {
        "interval": (Seconds("100ms"), Seconds("1h")), "storage_duration": (Seconds("1m"), Seconds("48h")), "key_interval": (Seconds("1s"), Seconds("1h")),
        "max_bytes": (Bytes("16MB"), Bytes("16384GB")), "min_free": (Bytes("0B"), Bytes("16384GB")), "redis_newest": (Seconds("0s"), Seconds("1h")), "waiting_bytes": (Bytes("1MB"), Bytes("1GB")),
    }  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("interval", "key_interval"):
            if round(getattr(self, field) * 1e3, 6) % 1:
                raise ValueError(f"{field}: found {getattr(self, field)}, allowed are whole milliseconds")
        if self.key_interval < self.interval:
            raise ValueError(f"key_interval: found {self.key_interval}, allowed is the interval ({self.interval}) or more")


class Candles(Stream):
    close_delay: Annotated[Seconds, text("wait after a candle's end for trades that are on their way")] = Seconds("250ms")

    _bounds = {"close_delay": (Seconds("0ms"), Seconds("10s"))}


class BlockTrades(Stream):
    """Negotiated trades, and prints (one taker's burst) over a threshold of the instrument's own, at least the floor. Both are a convention."""

    quantile: Annotated[float, between(0.5, 0.999999, "of the prints of the last day: a larger print is a block")] = 0.999
    majors: Annotated[tuple[str, ...], text("base coins with the floor of majors")] = MAJORS
    major_floor: Annotated[float, between(0, 1e12, "quote coins: no smaller print of a major is a block; 0: no floor")] = 250_000
    other_floor: Annotated[float, between(0, 1e12, "the same of all others")] = 50_000
    floor_quotes: Annotated[tuple[str, ...], text("quote coins that floors are counted in; with another there are none")] = FLOOR_QUOTES


class StopTriggers(Stream):
    """Stop orders that were triggered: those of configured accounts, and runs of stops inferred from public data, by a convention of our own."""

    inferred: Annotated[bool, text("infer runs of stops")] = True
    prints: Annotated[int, between(3, 32, "of one side in one window that are a burst")] = 5
    window: Annotated[Seconds, text("in which they fall, and in which one must follow another")] = Seconds("200ms")
    swing_bar: Annotated[Seconds, text("a swing high or low is one of bars so long")] = Seconds("10s")
    swing_bars: Annotated[int, between(1, 30, "bars on either side that are lower (or higher)")] = 6
    swing_lookback: Annotated[Seconds, text("an older swing is none any more")] = Seconds("4h")
    settle: Annotated[Seconds, text("after the burst, until it is judged: what was a liquidation is known by then")] = Seconds("2s")
    liquidation_guard: Annotated[Seconds, text("a liquidation of the same side so near to the burst explains it")] = Seconds("1s")
    confidence: Annotated[float, between(0.0, 1.0, "what is less sure is not told")] = 0.4

    _bounds = {
        "window": (Seconds("10ms"), Seconds("10s")), "swing_bar": (Seconds("100ms"), Seconds("1h")), "swing_lookback": (Seconds("1s"), Seconds("7d")),
        "settle": (Seconds("0s"), Seconds("1m")), "liquidation_guard": (Seconds("0s"), Seconds("1m")),
    }  # fmt: skip


class Derived(Stream):
    """A stream of scores: its newest value, as often as that, and only when it changed."""

    interval: Annotated[Seconds, text("between two events at least")] = Seconds("250ms")

    _bounds = {"interval": (Seconds("50ms"), Seconds("1m"))}


class Cvd(Derived):
    """Cumulative volume delta: bought less sold, by timeframe."""


class Walls(Section):
    """Levels far larger than their neighbours and than the day's, that stay; and what becomes of them."""

    times: Annotated[float, between(1.0, 1000.0, "a wall is at least so many times the median of its neighbours")] = 8.0
    neighbours: Annotated[int, between(2, 50, "levels on either side of it that are its neighbours")] = 25
    quantile: Annotated[float, between(0.5, 0.99999, "and at least this quantile of the day's levels")] = 0.995
    day: Annotated[Seconds, text("how long a size counts among the day's")] = Seconds("24h")
    least_sizes: Annotated[int, between(100, 1_000_000_000, "sizes that must be seen before anything is called large")] = 2_000
    distance_bps: Annotated[int, between(1, 1000, "and no further than so many basis points from the mid")] = 200
    persist: Annotated[Seconds, text("it appears once it has been all that for so long")] = Seconds("10s")
    grow_share: Annotated[float, between(0.01, 100.0, "more than when it was last told: it grows")] = 0.25
    gone_share: Annotated[float, between(0.01, 0.99, "left of the most that it held: with less it is gone")] = 0.5
    absorbed_share: Annotated[float, between(0.01, 1.0, "of what is missing that was traded at its price: it was absorbed, with less it was pulled")] = 0.5
    settle: Annotated[Seconds, text("wait so long for trades that come after the change of the book, and whether it comes back")] = Seconds("1s")
    keep: Annotated[Seconds, text("a wall that is gone is told for so long")] = Seconds("10s")

    _bounds = {
        "day": (Seconds("1m"), Seconds("7d")), "persist": (Seconds("0ms"), Seconds("1h")), "settle": (Seconds("0ms"), Seconds("1m")),
        "keep": (Seconds("0ms"), Seconds("1h")),
    }  # fmt: skip


class SpoofingWeights(Section):
    """What each feature, which is in [0, 1], adds to the score: 1 / (1 + exp(-(bias + sum of weight * feature)))."""

    bias: Annotated[float, between(-100.0, 100.0, "the score's logit without any feature")] = -4.0
    size: Annotated[float, between(-100.0, 100.0, "how much larger than what is large; 1: eight times")] = 1.5
    near: Annotated[float, between(-100.0, 100.0, "how near to the mid; 0 at distance_bps")] = 1.5
    briefly: Annotated[float, between(-100.0, 100.0, "how soon it was withdrawn; 0 after life")] = 0.5
    unexecuted: Annotated[float, between(-100.0, 100.0, "how little of it was executed; 0 at executed_share")] = 0.5
    opposite: Annotated[float, between(-100.0, 100.0, "what aggressors took from the other side meanwhile; 1: twice what is typical")] = 2.0
    tilt: Annotated[float, between(-100.0, 100.0, "how far it moved the imbalance of the book; 1: by 0.4")] = 2.0
    reverted: Annotated[float, between(-100.0, 100.0, "how much of that went with it")] = 1.0
    repeated: Annotated[float, between(-100.0, 100.0, "patterns told on that side within repeat; 1: five")] = 1.5


class Spoofing(Stream):
    """Spoof-like patterns: large orders posted near the touch and withdrawn unexecuted. What was seen, never who did it or why."""

    quantile: Annotated[float, between(0.5, 0.9999, "of the day's additions near the touch: a large one is at least that")] = 0.99
    times: Annotated[float, between(1.0, 1000.0, "and at least so many times the median level near the touch")] = 5.0
    least_adds: Annotated[int, between(100, 1_000_000_000, "additions that must be seen before anything is called large")] = 1_000
    distance_bps: Annotated[int, between(1, 200, "from the mid: what is near the touch")] = 20
    removed_share: Annotated[float, between(0.1, 1.0, "of an addition that must go for it to be withdrawn")] = 0.8
    life: Annotated[Seconds, text("within so long")] = Seconds("5s")
    executed_share: Annotated[float, between(0.001, 1.0, "of what went that may have been traded; with more the score is 0")] = 0.05
    market_wide_share: Annotated[float, between(0.05, 1.0, "of the other side's depth that went too without being traded: then the score is 0")] = 0.5
    least_tilt: Annotated[float, between(0.0, 1.0, "how far it must have moved the imbalance of all depth near the touch; with less the score is 0")] = 0.2
    least_reverted: Annotated[float, between(0.0, 1.0, "what part of that must have gone with it; with less the score is 0")] = 0.5
    settle: Annotated[Seconds, text("wait so long for trades that come after the change of the book")] = Seconds("1s")
    repeat: Annotated[Seconds, text("how long a pattern counts as a repeat")] = Seconds("10m")
    least_score: Annotated[float, between(0.0, 1.0, "from which on a pattern is told")] = 0.5
    weights: SpoofingWeights = SpoofingWeights()

    _bounds = {"life": (Seconds("10ms"), Seconds("10m")), "settle": (Seconds("0ms"), Seconds("1m")), "repeat": (Seconds("1s"), Seconds("24h"))}


class Liquidity(Derived):
    """What stands in the book by distance, what an order would cost, and walls."""

    near_bps: Annotated[int, between(1, 500, "the profile's fine part reaches so many basis points from the mid")] = 50
    near_step_bps: Annotated[int, between(1, 500, "in such steps; near_bps is a multiple of it")] = 1
    far_bps: Annotated[int, between(1, 1000, "its coarse part reaches so far")] = 200
    far_step_bps: Annotated[int, between(1, 500, "in such steps beyond near_bps; 150 steps at most in all")] = 5
    bands_bps: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1, le=1000)], ...], msgspec.Meta(max_length=16, description="the depth within so many basis points of the mid; up to 16 bands of 1 to 1000")
    ] = (10, 25, 50, 100, 200)
    order_sizes: Annotated[
        tuple[Annotated[float, msgspec.Meta(gt=0)], ...], msgspec.Meta(max_length=8, description="quote coins of the market orders whose slippage is told; up to 8")
    ] = (10_000, 100_000, 1_000_000)
    shift_baseline: Annotated[Seconds, text("of the mean depth that the present one is held against")] = Seconds("1h")
    walls: Walls = Walls()

    _bounds = {**Derived._bounds, "shift_baseline": (Seconds("1s"), Seconds("24h"))}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.near_bps % self.near_step_bps or self.far_bps <= self.near_bps or (self.far_bps - self.near_bps) % self.far_step_bps:
            raise ValueError("near_bps, far_bps: near_bps must be whole steps of near_step_bps, and far_bps whole steps of far_step_bps beyond it")
        if self.near_bps // self.near_step_bps + (self.far_bps - self.near_bps) // self.far_step_bps + len(self.bands_bps) > 150:
            raise ValueError("near_step_bps, far_step_bps: allowed are 150 steps and bands in all")


class Flow(Derived):
    """Order flow: its imbalance, VPIN, price impact, flow by size of print, large prints. Floors and quantiles of sizes are a convention."""

    ofi_levels: Annotated[int, between(1, 10, "levels a side whose order-flow imbalance is measured")] = 10
    vpin_buckets: Annotated[int, between(1, 250, "buckets in one VPIN")] = 50
    vpin_buckets_a_day: Annotated[int, between(1, 10_000, "a bucket is a day's volume divided by this")] = 50
    vpin_warm_up: Annotated[Seconds, text("trading that must be seen before a day's volume is known from it")] = Seconds("1h")
    vpin_bulk: Annotated[bool, text("guess who was the aggressor by the price, as in the paper; false: the venue tells")] = False
    impact_minutes: Annotated[int, between(10, 240, "minutes in Kyle's lambda and Amihud's illiquidity")] = 60
    mid_quantile: Annotated[float, between(0.01, 0.999999, "of a day's prints: below it a print is retail")] = 0.5
    large_quantile: Annotated[float, between(0.01, 0.999999, "a print beyond it, and beyond the floor, is large")] = 0.99
    whale_quantile: Annotated[float, between(0.01, 0.999999, "a whale")] = 0.999
    mega_quantile: Annotated[float, between(0.01, 0.999999, "a mega print")] = 0.9999
    majors: Annotated[tuple[str, ...], text("base coins with the floors of majors")] = MAJORS
    major_floors: Annotated[tuple[float, float, float], text("quote coins, of a large print, a whale and a mega print of a major")] = (50_000, 250_000, 1_000_000)
    other_floors: Annotated[tuple[float, float, float], text("the same of all others")] = (10_000, 50_000, 250_000)
    floor_quotes: Annotated[tuple[str, ...], text("quote coins that floors are counted in; with another there are none")] = FLOOR_QUOTES
    cluster_prints: Annotated[int, between(2, 1000, "large prints of one side in a row that are a cluster")] = 3
    cluster_gap: Annotated[Seconds, text("between two of them at most")] = Seconds("5s")

    _bounds = {**Derived._bounds, "vpin_warm_up": (Seconds("1m"), Seconds("24h")), "cluster_gap": (Seconds("1ms"), Seconds("10m"))}

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.mid_quantile < self.large_quantile < self.whale_quantile < self.mega_quantile:
            raise ValueError("mid_quantile, large_quantile, whale_quantile and mega_quantile: each must be above the one before it")
        for name in ("major_floors", "other_floors"):
            floors = getattr(self, name)
            if floors[0] < 0 or list(floors) != sorted(floors):
                raise ValueError(f"{name}: found {list(floors)}, allowed are three amounts, none below the one before it")


class Momentum(Derived):
    """Momentum by horizon, jumps of the price (Lee, Mykland 2008), spikes with their volume."""

    threshold: Annotated[float, between(0.1, 100, "|z| beyond which a horizon has a trend")] = 3.0
    volatility_horizons: Annotated[float, between(2, 10_000, "horizons that the volatility of a z-score remembers")] = 60.0
    jump_window: Annotated[int, between(30, 600, "returns that tell the volatility beside which a jump is one")] = 270
    jump_significance: Annotated[float, between(1e-9, 0.5, "share of days with a false alarm")] = 0.01
    spike_sigmas: Annotated[float, between(0.1, 1000, "return of a second, in its volatility, that is a spike")] = 6.0
    spike_volume_z: Annotated[float, between(-100, 1000, "on a volume so many deviations above the mean")] = 3.0


class SignalWeights(Section):
    """How much each base signal counts in the aggregate; 0 leaves it out. Of signals that see the same thing only the strongest counts."""

    imbalance: Annotated[float, between(0, 100, "of the best levels' sizes")] = 1.0
    flow: Annotated[float, between(0, 100, "order-flow imbalance")] = 1.0
    cvd_divergence: Annotated[float, between(0, 100, "net volume against the price")] = 0.5
    momentum: Annotated[float, between(0, 100, "returns of ten seconds and a minute")] = 1.0
    walls: Annotated[float, between(0, 100, "standing walls near the price")] = 0.5
    liquidations: Annotated[float, between(0, 100, "forced orders of the last minute")] = 1.0
    spoofing: Annotated[float, between(0, 100, "spoof-like patterns")] = 0.5
    funding: Annotated[float, between(0, 100, "what holders pay each other")] = 0.5
    basis: Annotated[float, between(0, 100, "the contract over its index")] = 0.5
    insurance: Annotated[float, between(0, 100, "stress of the venue's insurance fund")] = 0.5
    iv_skew: Annotated[float, between(0, 100, "shift of the options' skew")] = 0.5


class Signals(Stream):
    """Base signals of each instrument, what they come to together, and over all venues."""

    enter: Annotated[float, between(0.01, 1, "a base signal begins at this strength")] = 0.5
    leave: Annotated[float, between(0, 1, "and ends under this one, which is smaller")] = 0.3
    step: Annotated[float, between(0.01, 2, "it is told again when it moved by so much")] = 0.2
    pause: Annotated[Seconds, text("but not more often than this")] = Seconds("1s")
    total_enter: Annotated[float, between(0.01, 1, "the aggregate begins at this strength, an instrument's and over all venues")] = 0.3
    total_leave: Annotated[float, between(0, 1, "and ends under this one")] = 0.15
    ofi_ticks: Annotated[float, between(0.001, 1000000, "ticks that the flow of ten seconds should have moved the mid, for a strength of 0.76")] = 3.0
    wall_bps: Annotated[float, between(0.1, 10000, "walls within so much of the mid count")] = 50.0
    cascade: Annotated[float, between(1, 1e15, "quote coins of forced orders in about a minute, for a strength of 0.76")] = 1_000_000.0
    divergence_z: Annotated[float, between(0, 100, "the price must have gone so many deviations in five minutes")] = 1.0
    funding_annualised: Annotated[float, between(0.001, 100, "funding a year as a share of the position, for a strength of 0.76")] = 0.5
    basis_bps: Annotated[float, between(0.1, 10000, "basis for a strength of 0.76")] = 30.0
    skew_shift: Annotated[float, between(0.0001, 10, "shift of the 25-delta risk reversal against its mean of a day, for a strength of 0.76")] = 0.05
    weights: SignalWeights = SignalWeights()

    _bounds = {"pause": (Seconds("0ms"), Seconds("1h"))}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.leave > self.enter or self.total_leave > self.total_enter:
            raise ValueError("leave: a signal ends under a smaller strength than it begins at")
