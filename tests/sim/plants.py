"""Planted faults: each breaks the appliance, a venue, Redis, or what the checker hears, and the invariant named must notice.

An invariant that no plant can make fail proves nothing. Every plant runs in a process of its own, as many of them change classes.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import SystemRandom
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec

from p9.capture.feed import Connects, Feed
from p9.capture.resync import Resync
from p9.market.rest import Priority
from tests.sim.faults import RestFault
from tests.sim.invariants import INVARIANTS
from tests.sim.seeds import apart
from tests.sim.world import World, simulate

SEED, MINUTES = 5, 3.5


class Plant(NamedTuple):
    """`kinds`: the faults that go with it."""

    invariant: str
    what: str
    do: Callable[[World], None]
    kinds: tuple[str, ...] = ()


def _rehear(world: World, kind: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """The consumer hears events of `kind` otherwise than they were published; None: not at all."""
    hear, n = world.redis.on_publish, 0

    def other(channel: bytes, payload: bytes) -> None:
        nonlocal n
        if channel.startswith(kind.encode() + b":"):
            n += 1
            if n % 40 == 0:
                event = change(msgspec.json.decode(payload))
                if event is None:
                    return
                payload = msgspec.json.encode(event)
        hear(channel, payload)

    world.redis.on_publish = other


def _reframe(world: World, kind: str, change: Callable[[bytes], bytes]) -> None:
    """Frames of `kind` say something else, and nothing in them shows it."""
    sent = world.faults.on_frame

    def other(line: Any, frame: bytes, topic: str, symbol: str, of: str) -> list[tuple[bytes, bool, float]]:
        rows = sent(line, frame, topic, symbol, of)
        return [(change(data), intact, late_s) for data, intact, late_s in rows] if of == kind and world.random.random() < 0.05 else rows

    world.faults.on_frame = other


def _another_digit(frame: bytes) -> bytes:
    """The first quantity of a level."""
    return re.sub(rb'(\["[\d.]+","\d*?)([1-8])', lambda found: found[1] + b"%d" % (int(found[2]) + 1), frame, count=1)


def wrong_quantity(world: World) -> None:
    _reframe(world, "book", _another_digit)


def wrong_touch(world: World) -> None:
    _reframe(world, "touch", lambda frame: re.sub(rb'("B":"|"bids":\[\["[\d.]+","|"b":\[\["[\d.]+",")(\d)', rb"\g<1>9\2", frame, count=1))


def snapshot_without_a_level(world: World) -> None:
    _rehear(world, "snapshots", lambda event: {**event, "asks": event["asks"][:3] + event["asks"][4:]})


def sides_swapped(world: World) -> None:
    _rehear(world, "depth", lambda event: {**event, "bids": event["asks"], "asks": event["bids"]})


def repair_told_late(world: World) -> None:
    def later(event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "ts_pub": event["ts_pub"] + (5_000_000_000 if event.get("state") == "synced" else 0)}

    hear = world.redis.on_publish
    world.redis.on_publish = lambda channel, payload: hear(
        channel, msgspec.json.encode(later(msgspec.json.decode(payload))) if channel.startswith(b"integrity:") else payload
    )
    world.checker.blame = _but("times_sane", world.checker.blame)


def _but(name: str, blame: Callable[[str, str], None]) -> Callable[[str, str], None]:
    """A plant's side effect is not what is to be caught."""
    return lambda invariant, text: None if invariant == name else blame(invariant, text)


def nobody_repairs(world: World) -> None:
    world.loop.call_later(60.0, setattr, Resync, "_advance", lambda self, now_s: None)


def never_connects_again(world: World) -> None:
    async def wait(self: Feed) -> None:
        await asyncio.sleep(3600.0 if self.losses else 0.0)

    Feed._back_off = wait
    _cut_all(world)


def _cut_all(world: World) -> None:
    """A minute from now every socket breaks."""
    world.loop.call_later(60.0, lambda: [line.cut() for line in list(world.desk.lines)])


def silent_for_good(world: World) -> None:
    """A venue's sockets go on, and tell nothing of one instrument any more; its neighbour keeps them alive."""
    sent = world.faults.on_frame
    world.faults.on_frame = lambda line, frame, topic, symbol, kind: (
        [] if symbol == "ETHUSDT" and line.market == "bybit_linear" and world.loop.now_s > 120.0 else sent(line, frame, topic, symbol, kind)
    )


def two_at_once(world: World) -> None:
    fetch = Resync._fetch

    def hasty(self: Resync, repair: Any) -> None:
        fetch(self, repair)
        repair.busy = False

    Resync._fetch = hasty
    world.faults.on_rest = lambda market, symbol, is_book: RestFault("rest_slow", 1.0)
    _cut_all(world)


def no_budget(world: World) -> None:
    client, capture = world.appliance.clients["binance"], world.appliance.captures["binance_spot"]

    async def ask() -> None:
        await asyncio.sleep(60.5)
        client._pools[capture.market.rest_budget.name].window.limit = 1e9
        for _ in range(15):
            request = capture.market.venue.image_request(capture.market, "BTCUSDT", 5000)
            await client.get(capture.market, request, Priority.RECOVERY)

    world.plants = world.loop.create_task(ask())


def hammers_the_door(world: World) -> None:
    async def at_once(self: Any) -> None:
        await asyncio.sleep(0.01)

    Feed._back_off = Connects.take = at_once
    world.faults.refuses_connect = lambda market: 60.0 < world.loop.now_s < 90.0
    _cut_all(world)


def talks_too_much(world: World) -> None:
    def talk() -> None:
        connection = world.appliance.captures["binance_spot"].feeds[0].connection
        if connection is not None and connection._transport is not None and not connection.lost.done():
            for _ in range(9):
                connection._write(b'{"method":"LIST_SUBSCRIPTIONS","id":1}', world.loop.now_s)

    world.loop.call_later(20.0, talk)


def an_event_vanishes(world: World) -> None:
    _rehear(world, "trades", lambda event: None)


def stores_nothing(world: World) -> None:
    store, n = world.redis._xadd, 0

    def forgetful(args: list[bytes]) -> bytes:
        nonlocal n
        n += 1
        return b"$3\r\n1-1\r\n" if n % 100 == 0 else store(args)

    world.redis._xadd = forgetful


def miscounts(world: World) -> None:
    outbox = world.appliance.outbox

    def stats() -> dict[str, Any]:
        found = outbox.stats()
        found["classes"]["HIGH"]["confirmed"] -= world.loop.now_s > 100.0
        return found

    world.checker.appliance = SimpleNamespace(captures=world.appliance.captures, publisher=world.appliance.publisher, outbox=SimpleNamespace(stats=stats))


def leaks_tasks(world: World) -> None:
    world.plants = [world.loop.create_task(asyncio.sleep(1e6)) for _ in range(100)]


def a_trade_is_invented(world: World) -> None:
    _reframe(world, "trade", lambda frame: re.sub(rb'("i":")(.)', lambda found: found[1] + (b"0" if found[2] != b"0" else b"1"), frame, count=1))


def a_candle_is_wrong(world: World) -> None:
    _rehear(world, "candles", lambda event: {**event, "volume": event["volume"] + ("1" if "." in event["volume"] else ".1")})


def from_the_future(world: World) -> None:
    _rehear(world, "depth", lambda event: {**event, "ts_pub": event["ts_pub"] + 60_000_000_000})


def a_task_dies(world: World) -> None:
    def look(now_s: float) -> None:
        raise RuntimeError("planted")

    world.loop.call_later(30.0, lambda: setattr(world.appliance.captures["okx_swap"].liveness, "look", look))


def true_randomness(world: World) -> None:
    world.desk.random = SystemRandom()


PLANTS = (
    Plant("book_true", "a quantity in a depth frame is another one", wrong_quantity),
    Plant("window_true", "a snapshot lacks a level", snapshot_without_a_level),
    Plant("ticker_true", "a best bid's quantity is another one", wrong_touch),
    Plant("not_crossed", "the sides of a depth event are swapped", sides_swapped),
    Plant("broken_silent", "the repair of a book is dated 5 s late, as if depth had been written before it", repair_told_late, ("gap", "drop", "disconnect")),
    Plant("gap_repaired", "nobody repairs a book any more", nobody_repairs, ("gap", "disconnect")),
    Plant("converges", "a lost socket is never opened again", never_connects_again),
    Plant("final_truth", "a venue falls silent on one instrument, both its book and its best prices", silent_for_good),
    Plant("one_recovery", "a question on its way is not remembered", two_at_once),
    Plant("rest_budget", "the REST budget is not waited for", no_budget),
    Plant("connect_budget", "a refused connection is tried again at once", hammers_the_door),
    Plant("message_budget", "nine messages at once on a socket that takes five a second", talks_too_much),
    Plant("seq_gapless", "a published event never arrives", an_event_vanishes),
    Plant("stream_order", "Redis confirms an entry and does not store it", stores_nothing),
    Plant("conservation", "a confirmed event is not counted", miscounts),
    Plant("memory_bounded", "a hundred tasks are left behind", leaks_tasks),
    Plant("trades_once", "a trade gets an id that the venue never gave", a_trade_is_invented),
    Plant("candles_true", "a candle's volume has a digit more", a_candle_is_wrong),
    Plant("times_sane", "an event is dated a minute ahead", from_the_future),
    Plant("no_task_died", "a watcher of one market raises", a_task_dies),
    Plant("deterministic", "latencies are truly random", true_randomness),
)


def _run(ix: int) -> dict[str, int]:
    plant = PLANTS[ix]
    result = simulate(SEED, MINUTES, plant.do, plant.kinds)
    if plant.invariant == "deterministic" and simulate(SEED, MINUTES, plant.do, plant.kinds).digest != result.digest:
        result.failures["deterministic"] = 1
    return result.failures


def show(jobs: int) -> int:
    """A table of all plants; 1 if one was not caught by its invariant, or an invariant has no plant, or fails without any."""
    sound = simulate(SEED, MINUTES, None, ("gap", "drop", "disconnect", "refuse_connect", "rest_slow"))
    missed = [f"{name} fails without a plant" for name in sound.failures]
    with ThreadPoolExecutor(jobs) as pool:
        for plant, failures in zip(PLANTS, pool.map(partial(apart, _run), range(len(PLANTS))), strict=True):
            caught = plant.invariant in failures
            also = ", ".join(name for name in failures if name != plant.invariant)
            print(f"{'caught' if caught else 'MISSED':7} {plant.invariant:15} {plant.what}{f' (also {also})' if also else ''}", flush=True)
            if not caught:
                missed.append(plant.invariant)
    missed += [f"{name} has no plant" for name in INVARIANTS if name not in {plant.invariant for plant in PLANTS}]
    print(json.dumps({"plants": len(PLANTS), "caught": len(PLANTS) - sum(name in INVARIANTS for name in missed), "missed": missed}))
    sys.stdout.flush()
    return 1 if missed else 0
