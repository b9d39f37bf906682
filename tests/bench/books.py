"""CPU of parse + normalise + sequence + book, with no stream attached: the part of the road that other libraries have too."""

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9.venue import market
from tests.bench.market_stream import Frames

KINDS = ("depth", "trade", "ticker")
NOW_NS = 1_717_000_000_000_000_000


def pipeline_for(frames: Frames, outbox: Outbox, clock: Clock, streams: Sequence[Any] = (), prune: bool = False) -> Pipeline:
    """A pipeline with its book synced on the stream's own image."""
    shape = frames.shape
    row = market(shape.market)
    pipeline = Pipeline(
        market=shape.market, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=outbox, clock=clock, link=shape.link,
        rest_seeded=shape.rest_seeded, repeats_are_stale=shape.repeats_are_stale, restart_id=shape.restart_id, prune=prune,
    )  # fmt: skip
    symbol = shape.symbol.encode()
    ix = pipeline.add(
        venue_symbol=symbol, symbol="BTC-USDT", px_scale=shape.px + 2, qty_scale=shape.qty + 2, tick=100, depth=0,
        aliases=() if symbol.lower() == symbol else (symbol.lower(),), streams=streams,
    )  # fmt: skip
    if shape.rest_seeded:
        pipeline.image(ix, frames.snapshot, clock.now())
    else:
        pipeline.feed_bytes(frames.snapshot, clock.now())
    return pipeline


def cpu_us(work: Callable[[], object], n: int) -> float:
    """CPU of this process (user + system), µs for each of `n`."""
    gc.collect()
    began = time.process_time()
    work()
    return (time.process_time() - began) / n * 1e6


def measure(frames: Frames, kinds: Sequence[str], rounds: int) -> tuple[float, Pipeline]:
    """Least CPU of `rounds` runs over the frames of `kinds`, taken in turn, µs a message; and the last pipeline.

    Raises RuntimeError where a message was not taken: such a figure would be of something else.
    """
    messages, least = frames.of(kinds), float("inf")
    for _ in range(rounds):
        clock = Clock(NOW_NS)
        pipeline = pipeline_for(frames, Outbox(clock, epoch=1), clock)
        least = min(least, cpu_us(lambda p=pipeline: p.feed_all(messages, NOW_NS), len(messages)))
        counters = pipeline.instrument_counters(0)
        taken = counters["applied"] == (len(frames.depth) if "depth" in kinds else 0)
        events = pipeline.counters()["events"] - (not frames.shape.rest_seeded)
        if not taken or counters["gaps"] or counters["crossed"] or events != len(messages):
            raise RuntimeError(f"{frames.shape.venue}/{'+'.join(kinds)}: not every message was taken: {counters} {pipeline.counters()}")
    return least, pipeline
