"""Frames over real WebSockets on loopback, through every stream, into a real redis-server, every reply confirmed: `redis` as fast as it goes,
`latency` at a steady rate.

Three processes: the talking venue, redis-server, and ours, whose CPU is measured. Four markets, INSTRUMENTS each, one socket a market. Where
Redis is slower than the sockets, reading is paused while too much waits, so that nothing is shed: what is measured is what goes through.
"""

import asyncio
import gc
import logging
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from cext.clock import Clock
from cext.listener import Listener
from cext.outbox import Outbox, bucket_bounds_s
from cext.pipeline import Pipeline
from picows import WSTransport, ws_connect

from p9 import loop
from p9.delivery.bus import Bus
from p9.delivery.publisher import Publisher
from tests.bench.books import KINDS
from tests.bench.market_stream import SHAPES, Frames, generate
from tests.bench.progress import progress
from tests.bench.rig import check_taken, named, pipeline_of
from tests.bench.wire import Wire
from tests.delivery.redis_process import RedisProcess

INSTRUMENTS = 10  # a market
TOO_MANY, FEW_ENOUGH = 8_000, 2_000  # events waiting: pause the sockets, go on. All of them may be changes of books, of which the bus takes 16 MB
TIMER_S = 0.05
RATE = 10_000  # messages a second of `latency`
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


class Owner:
    """What a Listener tells of its socket."""

    def __init__(self) -> None:
        self.recorder = None
        self.transport: WSTransport | None = None
        self.oddities: list[str] = []

    def on_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_disconnected(self, transport: WSTransport) -> None:
        self.oddities.append("disconnected")

    def on_control(self, payload: bytes) -> None:
        self.oddities.append(f"control {payload!r}")

    def on_refused(self, outcome: str, payload: bytes) -> None:
        self.oddities.append(f"{outcome} {payload!r}")


def percentiles_us(counts: list[int]) -> dict[str, float]:
    """Upper ends of the histogram's buckets (four to an octave), µs; and of the slowest one."""
    bounds, total = bucket_bounds_s(), sum(counts)
    found, below = {}, 0
    for count, bound in zip(counts, bounds, strict=True):
        below += count
        for name, share in PERCENTILES.items():
            if name not in found and below >= share * total:
                found[name] = round(bound * 1e6)
        if count:
            found["max"] = round(bound * 1e6)
    return found


async def tick(pipelines: dict[str, Pipeline], clock: Clock, outbox: Outbox) -> None:
    while True:
        await asyncio.sleep(TIMER_S)
        for pipeline in pipelines.values():
            pipeline.on_timer(clock.now())
        outbox.wake_up()


async def pump(listeners: list[Listener], owners: list[Owner], outbox: Outbox, n: int) -> None:
    """Until `n` frames have come; pauses the sockets while too much waits."""
    paused = False
    while sum(listener.frames for listener in listeners) < n:
        if any(owner.oddities for owner in owners):
            raise RuntimeError(str(next(owner.oddities[0] for owner in owners if owner.oddities)))
        if paused != (outbox.waiting() > (FEW_ENOUGH if paused else TOO_MANY)):
            paused = not paused
            for owner in owners:
                assert owner.transport is not None
                transport = owner.transport.underlying_transport
                transport.pause_reading() if paused else transport.resume_reading()
        await asyncio.sleep(0.001)


async def through(streams: dict[str, tuple[Frames, list[bytes]]], wire: Wire, url: str) -> dict[str, Any]:
    """All frames of all markets into Redis. Raises RuntimeError where one was not taken, or an event was not confirmed."""
    clock = Clock()
    outbox = Outbox(clock, epoch=time.time_ns() // 1_000_000)
    bus = Bus(url)
    publisher = Publisher(outbox, bus)
    await publisher.start()
    pipelines = {venue: pipeline_of(frames, outbox, clock, n_instruments=INSTRUMENTS) for venue, (frames, _) in streams.items()}
    await publisher.drain(10)
    owners, listeners = [], []
    for venue, pipeline in pipelines.items():
        owners.append(Owner())
        listeners.append(Listener(pipeline, owners[-1]))
        await ws_connect(lambda listener=listeners[-1]: listener, wire.url(venue))
    timer = asyncio.create_task(tick(pipelines, clock, outbox))
    n = sum(len(messages) for _, messages in streams.values())
    gc.collect()
    gc.freeze()
    before, used_s, began_s = events(outbox), time.process_time(), time.perf_counter()
    wire.go()
    await pump(listeners, owners, outbox, n)
    left = await publisher.drain(60)
    wall_s, used_s = time.perf_counter() - began_s, time.process_time() - used_s
    after = events(outbox)
    timer.cancel()
    stats = outbox.stats()
    await publisher.stop()
    await bus.close()
    gc.unfreeze()
    for venue, (frames, messages) in streams.items():
        check_taken(frames, pipelines[venue], len(messages))
    bad = {cls: counts["shed"] for cls, counts in stats["classes"].items() if counts["shed"] or counts["quarantined"]}
    if left or bad or stats["errors"]:
        raise RuntimeError(f"not every event was confirmed: {left} wait, shed {bad}, errors {stats['errors']}")
    n_events = after - before
    return {
        "messages": n, "wall_s": round(wall_s, 3), "cpu_s": round(used_s, 3), "messages_per_s": round(n / wall_s),
        "cpu_us_per_message": round(used_s / n * 1e6, 3), "messages_per_core_s": round(n / used_s), "events": n_events,
        "cpu_us_per_event": round(used_s / n_events * 1e6, 3), "events_per_s": round(n_events / wall_s),
        "high_us": percentiles_us(stats["classes"]["HIGH"]["age_s"]),
    }  # fmt: skip


def events(outbox: Outbox) -> int:
    """Confirmed so far."""
    return sum(counts["confirmed"] for counts in outbox.stats()["classes"].values())


def run(n: int, rate: int) -> dict[str, Any]:
    """About `n` messages in all, a third of each kind, spread over all markets and instruments."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    streams = {}
    for venue in SHAPES:
        frames = generate(venue, max(1, n // (len(SHAPES) * INSTRUMENTS * len(KINDS))), start_ms=time.time_ns() // 1_000_000)
        streams[venue] = (frames, [named(frame, number) for frame in frames.of(KINDS) for number in range(INSTRUMENTS)])
    with (
        tempfile.TemporaryDirectory() as name,
        RedisProcess(Path(name)) as server,
        Wire(Path(name), {venue: messages for venue, (_, messages) in streams.items()}, rate) as wire,
    ):
        return loop.run(through(streams, wire, server.url))


def several(n: int, rate: int, rounds: int) -> Iterator[dict[str, Any]]:
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}: {n} messages")
        yield run(n, rate)


def measure_redis(n: int, rounds: int) -> dict[str, Any]:
    """As fast as it goes; the best of the rounds by CPU."""
    return min(several(10 * n, 0, rounds), key=lambda report: report["cpu_s"])


def measure_latency(n: int, rounds: int) -> dict[str, Any]:
    """At RATE messages a second; frame read -> confirmed by Redis. The best of the rounds by its p99."""
    return min(several(5 * n, RATE, rounds), key=lambda report: report["high_us"]["p99"])
