"""The product's own parts put together as p9.app does, without its venues: pipelines with their streams, one outbox."""

import gc
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec
from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9.config import Config
from p9.instrument import Instrument, canonical
from p9.publication import ROWS, streams_of
from p9.venue import market
from tests.bench.market_stream import START_MS, Frames, Shape

NOW_NS = START_MS * 1_000_000
STREAMS = tuple(row.section for row in ROWS)


def cpu_us(work: Callable[[], object], n: int) -> float:
    """CPU of this process (user + system), µs for each of `n`."""
    gc.collect()
    began = time.process_time()
    work()
    return (time.process_time() - began) / n * 1e6


def config_with(streams: Iterable[str]) -> Config:
    """The default configuration with only these sections of `analytics` on."""
    config, wanted = Config(), set(streams)
    sections = {name: msgspec.structs.replace(getattr(config.analytics, name), enabled=name in wanted) for name in STREAMS}
    return msgspec.structs.replace(config, analytics=msgspec.structs.replace(config.analytics, **sections))


def named(text: bytes, number: int) -> bytes:
    """A frame of instrument `number`: the same frame under another name of the same length. Number 0 is BTC itself."""
    if number == 0:
        return text
    return text.replace(b"BTC", b"X%02d" % number).replace(b"btc", b"x%02d" % number)


def instrument_of(shape: Shape, number: int) -> Instrument:
    base = named(b"BTC", number).decode()
    spot = shape.market.endswith("_spot")
    return Instrument(
        exchange=market(shape.market).exchange, market=shape.market, symbol=canonical(base, "USDT", perpetual=not spot), base=base, quote="USDT",
        settle="USDT", venue_symbol=named(shape.symbol.encode(), number).decode(), kind="spot" if spot else "perpetual",
        tick=f"0.{'0' * (shape.px - 1)}1", step=f"0.{'0' * (shape.qty - 1)}1",
    )  # fmt: skip


def pipeline_of(frames: Frames, outbox: Outbox, clock: Clock, *, n_instruments: int = 1, streams: Sequence[str] = STREAMS) -> Pipeline:
    """One market with `n_instruments` books, each synced on the stream's own image under its own name (`named`)."""
    shape = frames.shape
    row, make = market(shape.market), streams_of(config_with(streams))
    rule = row.sequence
    pipeline = Pipeline(
        market=shape.market, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=outbox, clock=clock, link=rule.link,
        rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, trades_numbered=row.trades_numbered, prune=False,
    )  # fmt: skip
    for number in range(n_instruments):
        each = instrument_of(shape, number)
        symbol = each.venue_symbol.encode()
        ix = pipeline.add(
            venue_symbol=symbol, symbol=each.symbol, px_scale=each.px_scale, qty_scale=each.qty_scale, tick=each.scaled_tick, depth=0,
            contract=each.contract, contract_value=each.contract_value, streams=make(each),
            aliases=() if symbol.lower() == symbol else (symbol.lower(),),
        )  # fmt: skip
        if shape.rest_seeded:
            pipeline.image(ix, named(frames.snapshot, number), clock.now())
        else:
            pipeline.feed_bytes(named(frames.snapshot, number), clock.now())
    return pipeline


def check_taken(frames: Frames, pipeline: Pipeline, n_frames: int) -> None:
    """All `n_frames` became events, every change was applied in sequence, and no book was lost on the way. Raises RuntimeError."""
    counters, books = pipeline.counters(), [pipeline.instrument_counters(ix) for ix in range(len(pipeline.states()))]
    images = 0 if frames.shape.rest_seeded else len(books)
    lost = sum(book[name] for book in books for name in ("gaps", "crossed", "stale", "unseeded", "lost_frames", "too_old"))
    unready = any(book["applied"] for book in books) and set(pipeline.states()) != {"synced"}
    if counters["events"] - images != n_frames or lost or unready:
        raise RuntimeError(f"{frames.shape.venue}: not every message was taken: {counters} {books[0]}")
