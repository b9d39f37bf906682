"""Which streams an instrument has, as the configuration says: one row a stream.

When the configuration changes, a stream whose section did not change is kept, with all that it remembers; one whose row has a `configure` takes new
thresholds without losing anything; any other is made anew.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from cext.consolidated import Consolidated
from cext.measures.imbalance import Imbalances
from cext.measures.micro_price import MicroPrice
from cext.names import Names
from cext.streams.block_trades import BlockTrades
from cext.streams.book_ticker import BookTicker
from cext.streams.candles import Candles
from cext.streams.cvd import Cvd
from cext.streams.depth import Depth
from cext.streams.flow import Flow
from cext.streams.gaps import Gaps
from cext.streams.integrity import Integrity
from cext.streams.liquidations import Liquidations
from cext.streams.liquidity import Liquidity
from cext.streams.momentum import Momentum
from cext.streams.signals import Signals
from cext.streams.snapshots import Snapshots
from cext.streams.spoofing import Spoofing
from cext.streams.stop_triggers import StopTriggers
from cext.streams.trades import Trades

from p9.config import Config
from p9.instrument import Instrument
from p9.venue import market


class Row(msgspec.Struct, frozen=True):
    """`section` of analytics says whether the stream is there; `make(names, its section, {type: stream} of the rows above)`."""

    kind: type
    section: str
    make: Callable[[Names, Any, dict[type, Any]], Any]
    uses: tuple[type, ...] = ()  # other streams that it holds on to
    configure: Callable[[Any, Any], bool | None] | None = None  # (stream, its new section): new thresholds, nothing forgotten; False: it cannot
    of: Callable[[Instrument], bool] = lambda instrument: True  # whether an instrument can have it at all


def _tells_liquidations(name: str) -> bool:
    return any(form.kind == "liquidations" for form in market(name).topics)


# Gaps and Integrity come first: they say what the others then show.
ROWS = (
    Row(Gaps, "gaps", lambda names, wanted, made: Gaps(names, word=wanted.publish_channel)),
    Row(Integrity, "integrity", lambda names, wanted, made: Integrity(names, word=wanted.publish_channel)),
    Row(Depth, "depth", lambda names, wanted, made: Depth(names, word=wanted.publish_channel)),
    Row(BookTicker, "book_ticker_aggregator", lambda names, wanted, made: _book_ticker(names, wanted), configure=lambda stream, wanted: _configure_ticker(stream, wanted)),
    Row(Trades, "trades", lambda names, wanted, made: Trades(names, word=wanted.publish_channel)),
    Row(
        BlockTrades, "block_trades", lambda names, wanted, made: BlockTrades(names, word=wanted.publish_channel, **_blocks(names, wanted)),
        configure=lambda stream, wanted: stream.configure(**_blocks(stream.names, wanted)),
    ),
    Row(Liquidations, "liquidations", lambda names, wanted, made: Liquidations(names, word=wanted.publish_channel), of=lambda instrument: _tells_liquidations(instrument.market)),
    Row(
        StopTriggers, "stop_triggers",
        lambda names, wanted, made: StopTriggers(names, word=wanted.publish_channel, liquidations_told=_tells_liquidations(names.market), **_stops(wanted)),
        configure=lambda stream, wanted: stream.configure(**_stops(wanted)),
    ),
    Row(Candles, "candles", lambda names, wanted, made: Candles(names, close_delay_ns=_ns(wanted.close_delay), word=wanted.publish_channel)),
    Row(
        Cvd, "cvd", lambda names, wanted, made: Cvd(names, every_ns=_ns(wanted.interval), word=wanted.publish_channel),
        configure=lambda stream, wanted: stream.configure(every_ns=_ns(wanted.interval)),
    ),
    Row(
        Flow, "flow", lambda names, wanted, made: Flow(names, word=wanted.publish_channel, **_flow(names, wanted)),
        configure=lambda stream, wanted: stream.configure(**_flow(stream.names, wanted)),
    ),
    Row(
        Momentum, "momentum", lambda names, wanted, made: Momentum(names, word=wanted.publish_channel, **_momentum(wanted)),
        configure=lambda stream, wanted: stream.configure(**_momentum(wanted)),
    ),
    Row(
        Liquidity, "liquidity", lambda names, wanted, made: Liquidity(names, word=wanted.publish_channel, **_liquidity(wanted)),
        configure=lambda stream, wanted: stream.configure(**_liquidity(wanted)),
    ),
    Row(
        Spoofing, "spoofing", lambda names, wanted, made: Spoofing(names, made.get(Liquidity), word=wanted.publish_channel, **_spoofing(wanted)),
        uses=(Liquidity,), configure=lambda stream, wanted: stream.configure(**_spoofing(wanted)),
    ),
    Row(
        Signals, "signals",
        lambda names, wanted, made: Signals(
            names, flow=made.get(Flow), momentum=made.get(Momentum), liquidity=made.get(Liquidity), spoofing=made.get(Spoofing),
            word=wanted.publish_channel, **_signals(wanted),
        ),
        uses=(Flow, Momentum, Liquidity, Spoofing), configure=lambda stream, wanted: stream.configure(**_signals(wanted)),
    ),
    Row(
        Snapshots, "periodic_snapshots",
        lambda names, wanted, made: Snapshots(names, made.get(Depth), interval_ns=_ns(wanted.interval), word=wanted.publish_channel), uses=(Depth,),
    ),
)  # fmt: skip


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _stops(wanted: Any) -> dict[str, Any]:
    return {
        "prints": wanted.prints, "window_ns": _ns(wanted.window), "swing_bar_ns": _ns(wanted.swing_bar), "swing_bars": wanted.swing_bars,
        "swing_lookback_ns": _ns(wanted.swing_lookback), "settle_ns": _ns(wanted.settle), "guard_ns": _ns(wanted.liquidation_guard),
        "confidence": wanted.confidence, "inferred": wanted.inferred,
    }  # fmt: skip


def _blocks(names: Names, wanted: Any) -> dict[str, Any]:
    floor = 0.0 if names.quote not in wanted.floor_quotes else wanted.major_floor if names.base in wanted.majors else wanted.other_floor
    return {"floor": floor, "share": wanted.quantile}


def _flow(names: Names, wanted: Any) -> dict[str, Any]:
    """Settings of `cext.streams.flow` for one instrument."""
    floors = (0.0, 0.0, 0.0) if names.quote not in wanted.floor_quotes else wanted.major_floors if names.base in wanted.majors else wanted.other_floors
    return {
        "every_ns": _ns(wanted.interval), "ofi_levels_n": wanted.ofi_levels, "vpin_buckets_n": wanted.vpin_buckets,
        "vpin_buckets_a_day": wanted.vpin_buckets_a_day, "vpin_warm_ns": _ns(wanted.vpin_warm_up), "vpin_bulk": wanted.vpin_bulk,
        "impact_minutes": wanted.impact_minutes, "floors": floors,
        "shares": (wanted.mid_quantile, wanted.large_quantile, wanted.whale_quantile, wanted.mega_quantile), "cluster_prints": wanted.cluster_prints,
        "cluster_gap_ns": _ns(wanted.cluster_gap),
    }  # fmt: skip


def _momentum(wanted: Any) -> dict[str, Any]:
    """Settings of `cext.streams.momentum`."""
    return {
        "every_ns": _ns(wanted.interval), "threshold": wanted.threshold, "volatility_horizons": wanted.volatility_horizons,
        "jump_window": wanted.jump_window, "jump_significance": wanted.jump_significance, "spike_sigmas": wanted.spike_sigmas,
        "spike_volume_z": wanted.spike_volume_z,
    }  # fmt: skip


def _liquidity(wanted: Any) -> dict[str, Any]:
    """Settings of `cext.streams.liquidity`."""
    walls = wanted.walls
    return {
        "every_ns": _ns(wanted.interval), "profile": ((wanted.near_step_bps, wanted.near_bps), (wanted.far_step_bps, wanted.far_bps)),
        "bands_bps": wanted.bands_bps, "sizes": wanted.order_sizes, "shift_baseline_ns": _ns(wanted.shift_baseline), "wall_times": walls.times,
        "wall_neighbours": walls.neighbours, "wall_quantile": walls.quantile, "wall_day_ns": _ns(walls.day), "wall_least_sizes": walls.least_sizes,
        "wall_bps": walls.distance_bps, "wall_persist_ns": _ns(walls.persist), "wall_grow_share": walls.grow_share, "wall_gone_share": walls.gone_share,
        "wall_absorbed_share": walls.absorbed_share, "wall_settle_ns": _ns(walls.settle), "wall_keep_ns": _ns(walls.keep),
    }  # fmt: skip


def _signals(wanted: Any) -> dict[str, Any]:
    """Settings of `cext.streams.signals`."""
    return {
        "enter": wanted.enter, "leave": wanted.leave, "step": wanted.step, "pause_ns": _ns(wanted.pause), "total_enter": wanted.total_enter,
        "total_leave": wanted.total_leave, "ofi_ticks": wanted.ofi_ticks, "wall_bps": wanted.wall_bps, "cascade": wanted.cascade,
        "divergence_z": wanted.divergence_z, "weights": {name: getattr(wanted.weights, name) for name in wanted.weights.__struct_fields__},
    }  # fmt: skip


def _spoofing(wanted: Any) -> dict[str, Any]:
    """Settings of `cext.streams.spoofing`."""
    weights = msgspec.structs.asdict(wanted.weights)
    return {
        "quantile": wanted.quantile, "times": wanted.times, "least_adds": wanted.least_adds, "max_bps": wanted.distance_bps, "bias": weights.pop("bias"),
        "removed_share": wanted.removed_share, "executed_share": wanted.executed_share, "market_wide_share": wanted.market_wide_share,
        "least_tilt": wanted.least_tilt, "least_reverted": wanted.least_reverted,
        "life_ns": _ns(wanted.life), "settle_ns": _ns(wanted.settle), "repeat_ns": _ns(wanted.repeat), "least_score": wanted.least_score, "weights": weights,
    }  # fmt: skip


def _book_ticker(names: Names, wanted: Any) -> BookTicker:
    learnt, wide = wanted.micro_price, wanted.imbalance_tracking
    ticker = BookTicker(
        names, stale_ns=_ns(wanted.stale_after), word=wanted.publish_channel, imbalances=Imbalances() if wide else None,
        micro_price=MicroPrice(buckets=learnt.buckets, spreads=learnt.spread_ticks, max_move=learnt.max_move_ticks) if learnt.enabled else None,
    )  # fmt: skip
    _configure_ticker(ticker, wanted)
    return ticker


def _configure_ticker(ticker: BookTicker, wanted: Any) -> bool:
    """False: what it is made of is others."""
    learnt = wanted.micro_price
    if (ticker.imbalances is not None) != wanted.imbalance_tracking or (ticker.micro_price is not None) != learnt.enabled:
        return False
    ticker.configure(
        imbalance=wanted.imbalance_tracking, stale_ns=_ns(wanted.stale_after), depths=wanted.imbalance_levels, decay=wanted.imbalance_decay,
        bands_bps=wanted.imbalance_bands_bps,
    )  # fmt: skip
    if ticker.micro_price is not None:
        ticker.micro_price.configure(buckets=learnt.buckets, spreads=learnt.spread_ticks, max_move=learnt.max_move_ticks)
    return True


class Publication:
    """What one configuration publishes of an instrument. `groups`: the symbols that several venues have, from one configuration to the next. `film_of`
    (snapshots.Keeper's) makes what its snapshots are stored with; None: they are not."""

    def __init__(self, config: Config, groups: dict[str, Consolidated] | None = None, film_of: Callable[[Instrument], Any] | None = None):
        self.wanted, self.film_of = config.analytics, film_of
        self.groups = groups if groups is not None else {}

    def streams(self, instrument: Instrument, before: Sequence[Any] = (), was: "Publication | None" = None) -> list[Any]:
        """The instrument's streams. `before`: those that it has now, made by `was`; what did not change is among the answer as it is."""
        names = Names(exchange=instrument.exchange, symbol=instrument.symbol, market=instrument.market, venue_symbol=instrument.venue_symbol,
                      base=instrument.base, quote=instrument.quote)  # fmt: skip
        old = {type(stream): stream for stream in before}
        made: dict[type, Any] = {}
        for row in ROWS:
            section = getattr(self.wanted, row.section)
            if not section.enabled or not row.of(instrument):
                continue
            stream = old.get(row.kind)
            if stream is None or any(made.get(kind) is not old.get(kind) for kind in row.uses) or not _kept(row, stream, section, getattr(was.wanted, row.section)):
                stream = row.make(names, section, made)
                if row.kind is BookTicker and instrument.base and instrument.quote:  # a replay may not know what it is of
                    stream.group = self.groups.setdefault(instrument.symbol, Consolidated(instrument.symbol, word=section.publish_channel))
                if row.kind is Snapshots and self.film_of is not None:
                    stream.store(self.film_of(instrument))
            made[row.kind] = stream
        return list(made.values())


def _kept(row: Row, stream: Any, section: Any, was: Any) -> bool:
    """Whether a stream goes on under its new section; where that needs nothing but new thresholds, it has them then."""
    if section == was:
        return True
    if row.configure is None or not was.enabled or section.publish_channel != was.publish_channel:
        return False
    return row.configure(stream, section) is not False


def streams_of(config: Config, film_of: Callable[[Instrument], Any] | None = None) -> Callable[[Instrument], list[Any]]:
    """A function that makes the streams of one instrument."""
    return Publication(config, film_of=film_of).streams
