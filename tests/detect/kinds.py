"""What is planted, how strong, and when it counts as found: by what is published alone, as a consumer would find it."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from p9.simulate.plants import Plant
from tests.detect.world import START, S, World

NEAR_BPS = 20
SPOOF_QUOTE = 200_000
ECHO_S = 20  # for so long after a plant the market itself swings: what alarms then is neither the plant nor a false alarm


class Kind(NamedTuple):
    """`make(world, random, side)` plants one; `alarm(event)` is None, or what identifies the alarm that an event tells (one thing may be told many times);
    `finds(alarm, plant, world)` whether it is that one; `spoiled(plant, world)` that the flow made something else of it, so that it does not count. Planted once in `apart_s`; found within `within_s`, or not. `strength` says how strong."""

    name: str
    strength: str
    apart_s: float
    within_s: float
    least_recall: float
    make: Callable[[World, Random, str], Plant]
    alarm: Callable[[dict], tuple | None]
    finds: Callable[[tuple, Plant, World], bool]
    spoiled: Callable[[Plant, World], bool] = lambda plant, world: False
    once: bool = True  # it is told as one thing, never as two


def _whale(world: World, random: Random, side: str) -> Plant:
    return world.plant("whale", side=side, quote=500_000)


def _large_print(event: dict) -> tuple | None:
    last = event["last_large"] if event["type"] == "flow" else None
    return (last["first_id"], last["last_id"]) if last is not None and last["tier"] in ("whale", "mega") else None


def _same_print(alarm: tuple, plant: Plant, world: World) -> bool:
    return any(turn.fills and alarm == (turn.fills[0].id, turn.fills[-1].id) for turn in plant.played)


def _jump(world: World, random: Random, side: str) -> Plant:
    return world.plant("jump", side=side, quote=1.0, bps=25)


def _leapt(event: dict) -> tuple | None:
    last = event["last_jump"] if event["type"] == "momentum" else None
    return (last["time"],) if last is not None and last["interval"] == "1s" else None


def _just_then(alarm: tuple, plant: Plant, world: World) -> bool:
    return 0 <= alarm[0] - plant.orders[0].at_ns < 2 * S


def _wall(world: World, random: Random, side: str) -> Plant:
    return world.plant("wall", side=side, quote=30 * world.median_quote(side == "buy", 200), bps=random.uniform(15, 60), stands_ms=25_000)


def _stands(event: dict) -> tuple | None:
    """Of several the newest: there is one event for all of them."""
    walls = [wall for wall in event["walls"] if wall["state"] not in ("absorb", "pull")] if event["type"] == "liquidity" else []
    return max(((wall["number"], wall["side"], wall["price"]) for wall in walls), default=None)


def _same_level(alarm: tuple, plant: Plant, world: World) -> bool:
    first = plant.orders[0]
    return first.rests.tick is not None and alarm[1:] == ("bid" if first.is_buy else "ask", world.one.px.trim(first.rests.tick))


def _spoof(world: World, random: Random, side: str) -> Plant:
    """On the thinner side: there the imbalance has room to move."""
    bids, asks = (world.near_quote(is_bid, NEAR_BPS) for is_bid in (True, False))
    return world.plant("spoof", side="buy" if bids < asks else "sell", quote=max(SPOOF_QUOTE, 2 * (bids + asks)), bps=random.uniform(1, 10), stands_ms=random.uniform(300, 2000))


def _was_filled(plant: Plant, world: World) -> bool:
    """More than a twentieth of it was traded: that was an order like any other."""
    first, last = plant.orders[0], plant.orders[-1]
    traded = sum(fill.lots for fill in world.one.tape if fill.tick == first.rests.tick and first.at_ns <= fill.at_ns <= last.at_ns)
    return traded > first.lots / 20


def _pattern(event: dict) -> tuple | None:
    return (event["posted"], event["side"], event["price"]) if event["type"] == "spoofing" else None


def _cascade(world: World, random: Random, side: str) -> Plant:
    return world.plant("cascade", side=side, orders=20, every_ms=250, quote=8e6)


def _forced(event: dict) -> tuple | None:
    if event["type"] != "signals" or event.get("signal") != "liquidations" or event["state"] != "begins":
        return None
    return (event["since"], event["direction"])


def _same_way(alarm: tuple, plant: Plant, world: World) -> bool:
    return plant.orders[0].at_ns <= alarm[0] and alarm[1] == ("up" if plant.orders[0].is_buy else "down")


KINDS = {
    kind.name: kind
    for kind in (
        Kind("whale", "one order of 500,000 (200 median orders)", 600, 5, 0.95, _whale, _large_print, _same_print),
        Kind("jump", "the price leaps by 25 bps", 300, 5, 0.9, _jump, _leapt, _just_then, once=False),
        Kind("wall", "30 median levels, 15 to 60 bps off, for 25 s", 60, 20, 0.95, _wall, _stands, _same_level),
        Kind("spoof", "twice all that stands within 20 bps, 200,000 at least, 1 to 10 bps off on the thinner side, for 0.3 to 2 s", 45, 5, 0.9, _spoof, _pattern, _same_level, _was_filled),
        Kind("cascade", "8 million in 20 forced orders within 5 s", 120, 10, 0.95, _cascade, _forced, _same_way),
    )
}
WARM_S = 480  # by then sizes and volatility are known


class Found(NamedTuple):
    planted: int  # without what was spoiled
    found: int
    twice: int  # more than one alarm of a plant
    late_s: list[float]  # from the plant's beginning to the first event that tells of it
    echoes: int  # alarms within ECHO_S of a plant that are not its own
    others: int  # all further alarms: false ones
    hours: float

    @property
    def recall(self) -> float:
        return self.found / self.planted


def search(kind: Kind, seed: str, n: int) -> Found:
    """`n` of a kind, one after the other, sides in turn; what is found of them and what else alarms."""
    world, random = World(seed), Random(f"{seed} plants")
    known: set[tuple] = set()
    for event in world.play(WARM_S):
        known.add(kind.alarm(event))
    found = twice = spoiled = 0
    late_s: list[float] = []
    echoes: set[tuple] = set()
    others: set[tuple] = set()
    for i in range(n):
        plant, began_s = kind.make(world, random, ("buy", "sell")[i % 2]), world.at_s
        its: set[tuple] = set()
        for event in world.play(WARM_S + (i + 1) * kind.apart_s):
            alarm = kind.alarm(event)
            if alarm is None or alarm in known:
                continue
            known.add(alarm)
            if kind.finds(alarm, plant, world) and world.at_s - began_s <= kind.within_s:
                its.add(alarm)
                late_s += [world.at_s - (plant.orders[0].at_ns - START) / S] if len(its) == 1 else []
            else:
                (echoes if world.at_s - began_s <= ECHO_S else others).add(alarm)
        if kind.spoiled(plant, world):
            spoiled += 1
            continue
        found += bool(its)
        twice += len(its) > 1
    return Found(n - spoiled, found, twice, late_s, len(echoes), len(others), n * kind.apart_s / 3600)
