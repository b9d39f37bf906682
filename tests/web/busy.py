"""A dashboard over markets that never rest: 10,000 messages a second through real pipelines into a real Redis, as the appliance would have them.

    python -m tests.web.busy FOLDER SECONDS        prints its address, begins at a line of input, ends at the next or after SECONDS, tells in JSON what was taken
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9 import loop
from p9.capture.ledger import Ledger
from p9.delivery.bus import Bus
from p9.delivery.publisher import Publisher
from p9.ops import logs
from p9.ops.dashboard.dashboard import Dashboard
from p9.ops.dashboard.history import History
from p9.ops.dashboard.sources import Sources
from p9.ops.dashboard.watch import Watch
from p9.ops.memory import resident_bytes
from p9.ops.pages import Pages
from tests.bench.market_stream import SHAPES, generate
from tests.bench.rig import instrument_of, named, pipeline_of
from tests.delivery.redis_process import RedisProcess

RATE = 10_000  # messages a second
INSTRUMENTS = 5
KINDS = ("depth", "trade", "ticker")
STEP_S = 0.01
TIMER_S = 0.05


class Market:
    """A Capture as far as views look at one."""

    feeds = ()

    def __init__(self, pipeline: Pipeline, venue: str):
        self.pipeline = pipeline
        self.instruments = {number: instrument_of(SHAPES[venue], number) for number in range(INSTRUMENTS)}

    def status(self) -> dict[str, Any]:
        frames = self.pipeline.counters()
        return {
            "exchange": self.pipeline.exchange, "state": "running", "reason": "", "faults": 0,
            "frames": {"received": frames.pop("frames"), "bytes": frames.pop("bytes"), "outcomes": frames}, "books": {"synced": INSTRUMENTS}, "sockets": {"live": 1},
            "counters": self.pipeline.totals(), "delay": {"topics": {}}, "resync": {}, "liveness": {},
        }  # fmt: skip


async def run(folder: Path, seconds: float) -> None:
    clock = Clock()
    outbox = Outbox(clock, epoch=time.time_ns() // 1_000_000)
    venue = "bybit"
    frames = generate(venue, int(RATE * seconds / INSTRUMENTS / len(KINDS)) + 1, start_ms=time.time_ns() // 1_000_000)
    messages = [named(frame, number) for frame in frames.of(KINDS) for number in range(INSTRUMENTS)]
    with RedisProcess(folder) as server:
        bus = Bus(server.url)
        publisher = Publisher(outbox, bus)
        await publisher.start()
        pipeline = pipeline_of(frames, outbox, clock, n_instruments=INSTRUMENTS)
        markets: dict[str, Any] = {SHAPES[venue].market: Market(pipeline, venue)}
        sources = Sources(
            captures=lambda: markets, status=lambda: status(markets, publisher), not_ready=list, config=dict, budgets=dict,
            ledger=Ledger(None, epoch=1), watch=Watch(outbox), history=History(lambda: bus.client),
        )  # fmt: skip
        dashboard = Dashboard(sources, most=8, simulated=True, pages=dict)
        pages = Pages(host="127.0.0.1", port=0, status=dict, ready=list, book=lambda *_: None, gaps=list, dashboard=dashboard)
        await pages.start()
        print(pages.url, flush=True)
        await line()  # until somebody looks
        before, began_s, used_s = resident_bytes(), time.perf_counter(), time.process_time()
        n_taken = await pump(pipeline, outbox, clock, messages, enough := asyncio.ensure_future(line()))
        spent_s, used_s = time.perf_counter() - began_s, time.process_time() - used_s
        stats, gaps = outbox.stats()["classes"], pipeline.totals()["gaps"]
        print(json.dumps({
            "messages_per_s": round(n_taken / spent_s), "left": len(messages) - n_taken, "cores": round(used_s / spent_s, 3), "gaps": gaps, "hub": dashboard.hub.status(),
            "shed": {name: row["shed"] for name, row in stats.items()}, "grown_mb": round((resident_bytes() - before) / 1e6, 1),
        }), flush=True)  # fmt: skip
        await enough
        await pages.stop()
        await publisher.drain(5)
        await publisher.stop()
        await bus.close()


async def line() -> str:
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def pump(pipeline: Pipeline, outbox: Outbox, clock: Clock, messages: list[bytes], enough: asyncio.Future[str]) -> int:
    """All of them, at RATE, or as many as are taken until it is enough."""
    began_s, at, timer_s = time.perf_counter(), 0, 0.0
    while at < len(messages) and not enough.done():
        now_s = time.perf_counter() - began_s
        until = min(int(now_s * RATE), len(messages))
        if until > at:
            pipeline.feed_all(messages[at:until], clock.now())
            at = until
        if now_s >= timer_s:
            timer_s = now_s + TIMER_S
            pipeline.on_timer(clock.now())
        outbox.wake_up()
        await asyncio.sleep(STEP_S)
    return at


def status(markets: dict[str, Any], publisher: Publisher) -> dict[str, Any]:
    return {
        "uptime_s": 1.0, "redis": None, "markets": {name: market.status() for name, market in markets.items()}, "delivery": publisher.stats(),
        "clocks": {"local": {}}, "lateness": {}, "gaps": {},
    }  # fmt: skip


if __name__ == "__main__":
    logs.configure("warning")
    loop.run(run(Path(sys.argv[1]), float(sys.argv[2])))
