"""Confirmed delivery alone, into a real redis-server on loopback: `delivery` what an event costs, and how long an urgent one waits behind a burst of
snapshots; `outage` what a Redis that is away costs in memory, and how fast it is caught up with.

The events of the first and the last are trades of 100 channels, written at once as a stream writes them; the clock runs from the first event to the
last confirmation, so what is measured is accept, pack, send, scan and settle.
"""

import asyncio
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog
from cext.clock import Clock
from cext.outbox import Outbox

from p9 import loop
from p9.delivery.bus import Bus
from p9.delivery.disk import Disk
from p9.delivery.lane import Lane
from p9.delivery.publisher import Confirmer, Publisher
from p9.delivery.spool import Spool
from p9.ops.memory import resident_bytes
from tests.bench.progress import progress
from tests.delivery.redis_process import RedisProcess

CRITICAL, HIGH, MEDIUM = range(3)
WAITING = 20_000  # at most, where the bus is the brake
BURST, SNAPSHOT_BYTES = 300, 56_000
RATE = 10_000  # events a second of `outage`
MEMORY_BYTES = 8 << 20  # for HIGH in `outage`: most of it has to go to disk
PAYLOAD = (
    b'{"price":"61837.63","quantity":"0.00321","side":"buy","buyer_is_maker":false,"trade_id":"3201847562","first_id":"3201847562",'
    b'"last_id":"3201847562"}'
)


class Fed(Publisher):
    """Says when something was confirmed, so that a feeder need not spin: its turns would be measured as ours."""

    def __init__(self, *args: Any, **more: Any):
        super().__init__(*args, **more)
        self.confirmed = asyncio.Event()

    def on_confirmed(self, lane: Lane) -> None:
        super().on_confirmed(lane)
        self.confirmed.set()


def trades_of(outbox: Outbox) -> list[Any]:
    return [outbox.channel("trades", "venue", f"S{i}-USDT", "venue_spot", f"S{i}USDT", HIGH) for i in range(100)]


async def flat_out(n: int, url: str) -> dict[str, Any]:
    """`n` events as fast as the bus takes them."""
    outbox = Outbox(Clock(), epoch=1)
    channels = trades_of(outbox)
    bus = Bus(url)
    publisher = Fed(outbox, bus)
    await publisher.start()
    outbox.sample(channels, PAYLOAD, 2000)
    await publisher.drain(10)
    before_s, began_s, done = time.process_time(), time.perf_counter(), 0
    while done < n:
        room = min(n - done, WAITING - outbox.waiting())
        if room > WAITING // 4 or room == n - done:
            outbox.sample(channels, PAYLOAD, room)
            done += room
            outbox.wake_up()
        else:
            publisher.confirmed.clear()
            await publisher.confirmed.wait()
    left = await publisher.drain(60)
    wall_s, used_s = time.perf_counter() - began_s, time.process_time() - before_s
    await publisher.stop()
    await bus.close()
    if left or outbox.stats()["classes"]["HIGH"]["confirmed"] != n + 2000:
        raise RuntimeError(f"{left} events were not confirmed")
    return {"cpu_us_per_event": round(used_s / n * 1e6, 3), "events_per_s": round(n / wall_s)}


async def burst(turns: int, url: str) -> dict[str, float]:
    """From accept to confirmation of one CRITICAL event, alone and right behind 300 snapshots; ms."""
    outbox = Outbox(Clock(), epoch=2)
    alarms = outbox.channel("liquidations", "venue", "-", "venue_spot", "", CRITICAL)
    snapshots = [outbox.channel("snapshots", "venue", f"S{i}-USDT", "venue_spot", "", MEDIUM) for i in range(BURST)]
    payload = b'{"bids":"%b"}' % (b"x" * SNAPSHOT_BYTES)
    bus = Bus(url)
    publisher = Fed(outbox, bus)
    await publisher.start()

    async def confirm_ms() -> float:
        wanted = outbox.stats()["classes"]["CRITICAL"]["confirmed"] + 1
        began_s = time.perf_counter()
        outbox.emit(alarms, b"{}")
        while outbox.stats()["classes"]["CRITICAL"]["confirmed"] < wanted:
            publisher.confirmed.clear()
            await publisher.confirmed.wait()
        return (time.perf_counter() - began_s) * 1e3

    await confirm_ms()
    alone, behind = [], []
    for _ in range(turns):
        alone.append(await confirm_ms())
        for channel in snapshots:
            outbox.emit(channel, payload)
        await asyncio.sleep(0)  # the first of them are on their way
        behind += [await confirm_ms() for _ in range(5)]
        await publisher.drain(30)
    await publisher.stop()
    await bus.close()
    return {"alone_ms": p90(alone), "behind_ms": p90(behind), "added_us": round((p90(behind) - p90(alone)) * 1e3), "behind_max_ms": round(max(behind), 3)}


def p90(samples: list[float]) -> float:
    """On a shared machine the slowest tenth tells of its neighbours."""
    return round(sorted(samples)[len(samples) * 9 // 10], 3)


def measure(n: int, rounds: int) -> dict[str, Any]:
    """The best of the rounds, each figure for itself."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as name, RedisProcess(Path(name)) as server:
        costs, waits = [], []
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}: {10 * n} events flat out, then bursts of {BURST} snapshots")
            costs.append(loop.run(flat_out(10 * n, server.url)))
            waits.append(loop.run(burst(max(1, n // 2000), server.url)))
    return {
        "events": 10 * n, "cpu_us_per_event": min(row["cpu_us_per_event"] for row in costs),
        "events_per_s": max(row["events_per_s"] for row in costs), **min(waits, key=lambda row: row["behind_ms"]),
    }  # fmt: skip


async def away(seconds: float, server: RedisProcess, folder: Path) -> dict[str, Any]:
    """RATE events a second into nothing for `seconds`, then into a server, without a pause."""
    spool = Spool(Disk(folder))
    await spool.recover()
    outbox = Outbox(Clock(), epoch=3, journals=spool.journals, items=(100_000, 400_000, 0, 1000), bytes=(1 << 20, MEMORY_BYTES, 0, 1 << 20))
    channels = trades_of(outbox)
    bus = Bus(server.url)
    publisher = Publisher(outbox, bus, Confirmer(), spool=spool)
    await publisher.start()
    progress(f"{seconds:g} s without Redis")
    began_s, done, before = time.perf_counter(), 0, resident_bytes()

    async def feed(enough: Any) -> None:
        nonlocal done
        while not enough():
            due = int((time.perf_counter() - began_s) * RATE) - done
            outbox.sample(channels, PAYLOAD, due)
            done += due
            outbox.wake_up()
            await asyncio.sleep(0.001)

    used_s = time.process_time()
    await feed(lambda: time.perf_counter() - began_s > seconds)
    used_s = time.process_time() - used_s
    grown = resident_bytes() - before
    waiting, on_disk = outbox.waiting(), spool.n_bytes
    progress(f"{waiting} events wait; Redis comes back")
    await asyncio.to_thread(server.start)
    await feed(lambda: publisher.lanes[0].circuit.state == "closed" and outbox.stats()["classes"]["HIGH"]["confirmed"] > 0)
    back_s, confirmed = time.perf_counter(), outbox.stats()["classes"]["HIGH"]["confirmed"]
    await feed(lambda: outbox.waiting() < RATE / 50)
    drained_s = time.perf_counter() - back_s
    rate = (outbox.stats()["classes"]["HIGH"]["confirmed"] - confirmed) / drained_s
    left = await publisher.drain(10)
    await publisher.stop()
    await bus.close()
    counts = outbox.stats()["classes"]["HIGH"]
    if left or counts["shed"] or counts["confirmed"] != done:
        raise RuntimeError(f"{left} events wait, {counts['shed']} are shed, {counts['confirmed']} of {done} are confirmed")
    return {
        "seconds": seconds, "rate": RATE, "waiting": waiting, "disk_mb": round(on_disk / 1e6, 1), "grown_mb": round(grown / 1e6, 1),
        "away_cpu_share": round(used_s / seconds, 3), "drained_s": round(drained_s, 2), "drain_per_s": round(rate),
        "drain_to_live": round(rate / RATE, 2),
    }  # fmt: skip


def measure_outage(n: int, rounds: int) -> dict[str, Any]:
    """n / 1000 seconds of it, once."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as name:
        server = RedisProcess(Path(name) / "redis")
        try:
            return loop.run(away(n / 1000, server, Path(name) / "spool"))
        finally:
            server.kill()
