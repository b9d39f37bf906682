"""Which streams an instrument has, as the configuration says."""

from collections.abc import Callable
from typing import Any

from cext.names import Names
from cext.streams.book_ticker import BookTicker
from cext.streams.candles import Candles
from cext.streams.depth import Depth
from cext.streams.gaps import Gaps
from cext.streams.integrity import Integrity
from cext.streams.snapshots import Snapshots
from cext.streams.trades import Trades

from p9.config import Config
from p9.instrument import Instrument


def streams_of(config: Config) -> Callable[[Instrument], list[Any]]:
    """A function that makes the streams of one instrument. Integrity comes first: it says what the others then show."""
    wanted = config.analytics

    def make(instrument: Instrument) -> list[Any]:
        names = Names(
            exchange=instrument.exchange, symbol=instrument.symbol, market=instrument.market, venue_symbol=instrument.venue_symbol
        )
        streams: list[Any] = []
        if wanted.gaps.enabled:
            streams.append(Gaps(names, word=wanted.gaps.publish_channel))
        depth = None
        if wanted.integrity.enabled:
            streams.append(Integrity(names, word=wanted.integrity.publish_channel))
        if wanted.depth.enabled:
            depth = Depth(names, word=wanted.depth.publish_channel)
            streams.append(depth)
        if wanted.book_ticker_aggregator.enabled:
            settings = wanted.book_ticker_aggregator
            streams.append(BookTicker(names, imbalance=settings.imbalance_tracking, word=settings.publish_channel))
        if wanted.trades.enabled:
            streams.append(Trades(names, word=wanted.trades.publish_channel))
        if wanted.candles.enabled:
            delay_ns = round(wanted.candles.close_delay * 1e9)
            streams.append(Candles(names, close_delay_ns=delay_ns, word=wanted.candles.publish_channel))
        if wanted.periodic_snapshots.enabled:
            interval_ns = round(wanted.periodic_snapshots.interval * 1e9)
            streams.append(Snapshots(names, depth, interval_ns=interval_ns, word=wanted.periodic_snapshots.publish_channel))
        return streams

    return make
