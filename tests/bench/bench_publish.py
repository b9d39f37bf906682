"""Confirmed delivery into a real redis-server on loopback: CPU of this process per HIGH event, and events per second. One JSON line.

The events are trades of 100 channels, written at once as a stream writes them; the clock runs from the first event to the last confirmation,
so what is measured is accept, pack, send, scan and settle. `--rate` feeds at that many events a second instead of as fast as the bus takes
them, for the latencies from accept to confirmation.
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from pathlib import Path

import uvloop
from cext.clock import Clock
from cext.outbox import Outbox, bucket_bounds_s

from p9.delivery.bus import Bus
from p9.delivery.publisher import Publisher
from tests.delivery.redis_process import RedisProcess

PAYLOAD = (
    b'{"price":"61837.63","quantity":"0.00321","side":"buy","buyer_is_maker":false,"trade_id":"3201847562","first_id":"3201847562",'
    b'"last_id":"3201847562"}'
)


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def percentile_s(counts: list[int], share: float) -> float:
    wanted, bounds = share * sum(counts), bucket_bounds_s()
    for count, bound in zip(counts, bounds, strict=True):
        wanted -= count
        if wanted <= 0:
            return bound
    return bounds[-2]


async def feed(outbox: Outbox, channels: list, n: int, rate: int) -> None:
    """As fast as the bus takes them, 20,000 waiting at most; or `rate` a second, in the bursts that a socket read brings."""
    began, done = time.perf_counter(), 0
    while done < n:
        now_s = time.perf_counter()
        burst = min(n - done, int((now_s - began) * rate) - done if rate else max(0, 20_000 - outbox.waiting()))
        outbox.sample(channels, PAYLOAD, burst)
        done += burst
        outbox.wake_up()
        await asyncio.sleep(0.0005 if rate else 0)


async def measure(n: int, rate: int, url: str) -> dict:
    outbox = Outbox(Clock(), epoch=int(time.time() * 1000))
    channels = [outbox.channel("trades", "venue", f"S{i}-USDT", "venue_spot", f"S{i}USDT", 1) for i in range(100)]
    bus = Bus(url)
    publisher = Publisher(outbox, bus)
    await publisher.start()
    outbox.sample(channels, PAYLOAD, 2000)
    await publisher.drain(10)
    before_s, began = cpu_s(), time.perf_counter()
    await feed(outbox, channels, n, rate)
    left = await publisher.drain(60)
    wall_s, used_s = time.perf_counter() - began, cpu_s() - before_s
    counts = outbox.stats()["classes"]["HIGH"]
    await publisher.stop()
    await bus.close()
    assert left == 0 and counts["confirmed"] == n + 2000
    shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
    return {
        "events": n, "rate": rate or "flat out", "cpu_us_per_event": round(used_s / n * 1e6, 3), "events_per_s": round(n / wall_s),
        **{f"confirm_{name}_us": round(percentile_s(counts["confirm_s"], share) * 1e6) for name, share in shares.items()},
        "retries": counts["retries"], "payload_bytes": counts["confirmed_bytes"] // counts["confirmed"],
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=500_000)
    options.add_argument("--rate", type=int, default=0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, RedisProcess(Path(folder)) as server:
        print(json.dumps({"bench": "publish", **uvloop.run(measure(chosen.events, chosen.rate, server.url))}))


if __name__ == "__main__":
    main()
