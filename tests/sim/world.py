"""One seed: the appliance, four venues, a Redis and their faults in one process, for some virtual minutes.

Two phases: chaos, then everything heals and the appliance has a bounded time to bring every book and every event home.
"""

import asyncio
import gc
import logging
import random as global_random
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import msgspec
import structlog
from cext.clock import Clock

from p9.venues import binance as binance_row
from tests.sim.appliance import Appliance
from tests.sim.desk import Desk
from tests.sim.disk import Disk
from tests.sim.exchange import Exchange, own_time
from tests.sim.faults import KINDS, Faults
from tests.sim.invariants import Checker
from tests.sim.loop import VirtualLoop, VirtualTime, Wall
from tests.sim.redis_server import RedisServer

START_NS = 1_780_000_000_000_000_000
CONVERGE_S = 90.0  # after the heal: a socket that is half open is found out after 20 s without data, then the back-off is at most 15 s
REST_S = 4.0  # markets at rest before the books are compared
COUNT_S = 5  # between two counts of tasks and sockets
MEMORY = Path("/dev/shm")  # the file of the epoch is brought to a disk with each start: nobody needs to wait for that here
HEALED_SHARE = 0.25  # of the time, at least CONVERGE_S


class Result(msgspec.Struct):
    """What one seed came to."""

    seed: int
    minutes: float
    digest: str
    failures: dict[str, int]
    examples: dict[str, list[str]]
    faults: dict[str, int]
    books_compared: int
    losses: int
    repairs: int
    converged_s: float
    published: int
    frames: int
    cpu_s: float


class World:
    """`plant(world)`, if given, spoils something once everything is made: it shows that an invariant can fail."""

    def __init__(self, seed: int, minutes: float, plant: Callable[["World"], None] | None = None, kinds: tuple[str, ...] | None = None):
        self.seed, self.minutes, self.plant = seed, minutes, plant
        self.loop = VirtualLoop()
        self.wall = Wall(self.loop, START_NS)
        self.clock = Clock(self.wall.now_ns())
        self.loop.on_advance = self._on_advance
        time = VirtualTime(self.wall, self.loop)
        own_time(time)
        binance_row.time = time
        random = Random(f"world {seed}")
        self.random = random
        self.exchange = Exchange(seed, self.loop, time, Random(f"exchange {seed}"), rate=random.choice((0.4, 0.8, 1.4)))
        self.redis = RedisServer(self.loop, Random(f"redis {seed}"))
        self.loop.connect = self.redis.connect
        self.checker = Checker(self.loop, self.wall, self.exchange)
        self.desk = Desk(self.exchange, self.loop, Random(f"desk {seed}"), self.checker.blame)
        self.disk = Disk(self.loop, Random(f"disk {seed}"))
        if kinds is None:
            kinds = tuple(random.sample(list(KINDS), len(KINDS) // 2))
        self.faults = Faults(
            self.loop, self.wall, self.exchange, self.desk, self.redis, self.disk, Random(f"faults {seed}"), kinds=kinds,
            pace=random.choice((0.4, 1.0, 3.0)), kill=self.kill,
        )  # fmt: skip
        self.desk.on_arrival, self.desk.observe = self.checker.on_arrival, self.checker.observe
        self.redis.on_publish, self.redis.on_store = self.checker.on_publish, self.checker.on_store
        self.appliance: Appliance | None = None
        self.converged_s = -1.0
        self._folder = Path()
        self._ours: set[asyncio.Task[Any]] = set()  # tasks that are not the appliance's
        self._dying = False

    def _on_advance(self) -> None:
        self.clock.set(self.wall.now_ns())

    def run(self) -> Result:
        global_random.seed(self.seed)
        self.loop.set_exception_handler(self._on_exception)
        asyncio.set_event_loop(self.loop)
        try:
            with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
                self.loop.run_until_complete(self._live(Path(folder)))
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()
        checker, appliance = self.checker, self.appliance
        repaired = sum(len(capture.resync.repaired) for capture in appliance.captures.values() if capture.resync is not None)
        return Result(
            self.seed, self.minutes, checker.digest.hexdigest(), dict(checker.failures), dict(checker.examples), dict(sorted(self.faults.counts.items())),
            checker.books_compared, checker.losses, repaired, round(self.converged_s, 3), checker.published.total(),
            sum(capture.pipeline.counters()["frames"] for capture in appliance.captures.values()), 0.0,
        )  # fmt: skip

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        where = "".join(traceback.format_tb(error.__traceback__)[-2:]) if error is not None else ""
        self.checker.blame("no_task_died", f"{context['message']}: {type(error).__name__}: {error} {where}")

    def kill(self) -> None:
        """End the appliance as SIGKILL would, when this turn of the loop is over; it starts again after a moment."""
        if not self._dying and self.appliance is not None and not self.faults.healed:
            self._dying = True
            self.loop.call_soon(self._kill)

    def _kill(self) -> None:
        self.checker.on_kill(self.disk.bad_since_s)
        self.appliance.kill()
        self.desk.drop_all()
        self.redis.cut_all()
        for task in sorted(asyncio.all_tasks(self.loop) - self._ours, key=asyncio.Task.get_name):
            task.cancel()
        task = self.loop.create_task(self._start_again(self.random.uniform(0.3, 5.0)))
        self._ours.add(task)

    async def _start_again(self, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.redis.cut_all()
        self.desk.drop_all()
        appliance = Appliance(self.clock, self.desk, self._folder, self.disk)
        starting = asyncio.create_task(appliance.start())
        await starting
        self.appliance = self.checker.appliance = appliance
        self.checker.on_start()
        self._dying = False

    async def _live(self, folder: Path) -> None:
        self._folder = folder
        self._ours.add(asyncio.current_task())
        total_s = self.minutes * 60.0
        chaos_s = total_s - max(HEALED_SHARE * total_s, min(CONVERGE_S + 10.0, total_s / 2))
        self.exchange.start()
        self.faults.start()
        self.appliance = self.checker.appliance = Appliance(self.clock, self.desk, folder, self.disk)
        await self.appliance.start()
        watch = asyncio.create_task(self._watch())
        self._ours.add(watch)
        if self.plant is not None:
            self.plant(self)
        await asyncio.sleep(chaos_s)
        self.faults.heal()
        await self._converge()
        await asyncio.sleep(max(0.0, total_s - self.loop.now_s - REST_S))
        await self._rest()
        watch.cancel()
        self.checker.check_final_books()
        left = await self.appliance.stop(20.0)
        await asyncio.sleep(1.0)
        self.checker.tick(running=False)
        self.checker.finish(left, self.redis.streams)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if not self._dying:
                self.checker.tick()
            if round(self.loop.now_s) % COUNT_S == 0:  # asyncio looks through all tasks that ever were
                self.checker.count_bounds(len(asyncio.all_tasks()), len(self.desk.lines))

    async def _rest(self) -> None:
        """The markets stop. A book that was just being repaired would wait for its next change for ever: then they go on for a while."""
        for _ in range(5):
            self.exchange.frozen = True
            await asyncio.sleep(REST_S)
            if self.appliance.synced:
                return
            self.exchange.resume()
            await asyncio.sleep(REST_S)
        self.exchange.frozen = True
        await asyncio.sleep(REST_S)

    async def _converge(self) -> None:
        healed_s = self.loop.now_s
        while self.loop.now_s - healed_s < CONVERGE_S:
            if not self._dying and self.appliance.synced and self.appliance.outbox.waiting() < 100 and all(lane.ready for lane in self.appliance.publisher.lanes):
                self.converged_s = self.loop.now_s - healed_s
                return
            await asyncio.sleep(0.1)
        self.checker.blame("converges", f"{CONVERGE_S:g} s after the heal: {'; '.join(self.appliance.unsynced()) or 'events wait'}")


def simulate(seed: int, minutes: float, plant: Callable[[World], None] | None = None, kinds: tuple[str, ...] | None = None) -> Result:
    """Run one seed. Needs a process of its own, or at least one in which nobody reads the venues' clocks."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.set_threshold(50_000, 20, 20)  # else it looks through the true books again and again
    began_s = process_time()
    result = World(seed, minutes, plant, kinds).run()
    result.cpu_s = round(process_time() - began_s, 3)
    return result
