"""Spoofs and runs of stops: planted one after the other in every market until one is told, and whatever is told of one is what was planted.

Both are inferred from what everybody can see, and the simulated crowd trades on meanwhile: it may hide a plant, or make something else of it. So a plant may be
missed, and then there is another; but what is told must be true, and of each market something has to be.
"""

import asyncio
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from p9.instrument import Instrument
from p9.quicktest.amounts import amounts, native
from p9.quicktest.trial import Trial

MS = 1_000_000
TRIES = 8
TOLD_S = 3.0  # the first time; each further time a second more
SPOOF = {"what": "spoof", "bps": 5, "stands_ms": 700}
RUN = {"what": "stop_run", "orders": 16, "every_ms": 25, "quote": 2_000_000, "calm_ms": 1500}
TAPE = 20_000
SETTLES_NS = 3_000 * MS  # how long after a spoof is gone trades at its price may still be counted as its own
DIGITS = 1e-5  # a score has six
# docs/events.md
WEIGHTS = {"size": 1.5, "near": 1.5, "briefly": 0.5, "unexecuted": 0.5, "opposite": 2.0, "tilt": 2.0, "reverted": 1.0, "repeated": 1.5}
BIAS = -4.0

Event = dict[str, Any]


async def plant_spoofs(trial: Trial) -> None:
    await asyncio.gather(*(_until_told(trial, row, lambda n: SPOOF, spoof_of, "spoofing") for row in trial.first()))


async def plant_runs(trial: Trial) -> None:
    """Up and down in turn: beyond the one swing or the other."""
    sides = ("buy", "sell")
    await asyncio.gather(*(_until_told(trial, row, lambda n: RUN | {"side": sides[n % 2]}, run_of, "stop_triggers") for row in trial.first()))


async def _until_told(trial: Trial, row: Instrument, body: Callable[[int], dict[str, Any]], finds: Callable[[Event, Event], bool], kind: str) -> None:
    assert trial.simulator is not None
    if not trial.enabled(kind):
        return
    simulator = trial.simulator
    for n in range(TRIES):
        made = await simulator.post("/oracle/plant", body(n) | {"market": row.market, "symbol": row.venue_symbol})
        trial.patterns.append((row, made["id"]))

        async def found(id: int = made["id"]) -> bool:
            plant = next(plant for plant in await simulator.get("/oracle/plants") if plant["id"] == id)
            return any(finds(event, plant) for event in await _events(trial, kind, row, plant["begins_ns"]))

        await asyncio.sleep((made["ends_ns"] - made["begins_ns"]) / 1e9)
        if await trial.eventually(found, TOLD_S + n):
            return


async def _events(trial: Trial, kind: str, row: Instrument, since_ns: int = 0) -> list[Event]:
    return await trial.stream(f"{trial.word(kind)}:{row.exchange}:{row.symbol}", since_ns)


def spoof_of(event: Event, plant: Event) -> bool:
    """Whether it tells of this plant: of its price, and of its time."""
    rests = plant["rests"]
    same = rests["price"] is not None and event["side"] == ("bid" if plant["side"] == "buy" else "ask") and Decimal(event["price"]) == Decimal(rests["price"])
    return same and event["posted"] >= plant["begins_ns"] - MS and event["withdrawn"] >= plant["ends_ns"] - MS


def run_of(event: Event, plant: Event) -> bool:
    """Whether it tells of this plant: it goes on from its first order to its last."""
    times = [played["at_ns"] // MS * MS for played in plant["played"]]
    return event["kind"] == "stop_run_inferred" and event["side"] == plant["side"] and bool(times) and event["since"] <= times[0] and event["until"] >= times[-1]


async def check(trial: Trial) -> None:
    assert trial.simulator is not None
    if not trial.patterns:
        return
    plants = {plant["id"]: plant for plant in await trial.simulator.get("/oracle/plants")}
    for what, kind, name in (("spoof", "spoofing", "planted spoofs are told, as they were"), ("stop_run", "stop_triggers", "planted runs of stops are inferred, as they were")):
        some = [(row, plants[id]) for row, id in trial.patterns if plants[id]["what"] == what]
        if not some:
            continue
        wrong: list[str] = []
        n_told = n_others = 0
        for row in dict.fromkeys(row for row, _ in some):
            its = [plant for one, plant in some if one is row]
            judge = _spoofs if what == "spoof" else _runs
            told, others, unlike = await judge(trial, row, its, await _events(trial, kind, row))
            n_told, n_others = n_told + told, n_others + others
            wrong += [f"{row.market} {row.symbol}: {text}" for text in [*unlike, *([] if told else [f"{len(its)} were planted, none was told"])]]
        trial.note(name, not wrong, "; ".join(wrong[:3]) or f"{n_told} of {len(some)} in {len({row.market for row, _ in some})} markets, {n_others} others")


async def _spoofs(trial: Trial, row: Instrument, plants: list[Event], events: list[Event]) -> tuple[int, int, list[str]]:
    """How many were told, how many events tell of something else, and what is not as it was planted."""
    assert trial.simulator is not None
    wrong: list[str] = []
    hits: list[bool] = []
    told = 0
    began_ms = min(plant["begins_ns"] for plant in plants) // MS - 1000
    tape = await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/trades?limit={TAPE}&since={began_ms}")
    scores = {event["score"] for event in events}
    signals = [event for event in await _events(trial, "signals", row) if event.get("signal") == "spoofing" and event["state"] != "ends"]
    wrong += [f"a signal of a score of {event['inputs']['score']}, which nothing has" for event in signals if event["inputs"]["score"] not in scores]
    if events and trial.enabled("signals") and not signals:
        wrong.append("no signal was made of it")
    for event in events:
        plant = next((plant for plant in plants if spoof_of(event, plant)), None)
        z = BIAS + sum(WEIGHTS[name] * value for name, value in event["features"].items())
        if abs(event["score"] - 1 / (1 + math.exp(-z))) > 10 * DIGITS:
            wrong.append(f"a score of {event['score']} is not what its features make")
        if plant is None:
            continue
        told += 1
        rests, hit = plant["rests"], sum(Decimal(played["quantity"]) for played in plant["played"])
        size = Decimal(rests["quantity"])
        coins, _ = amounts(row, size, Decimal(rests["price"]))
        if Decimal(event["quantity"]) != coins:
            wrong.append(f"{event['quantity']} coins were posted, not {coins}")
        least, most = (_taken(tape, rests["price"], plant, after_ns) / size for after_ns in (0, SETTLES_NS))
        if not float(least) - DIGITS <= event["executed_share"] <= float(most) + DIGITS:
            wrong.append(f"a share of {event['executed_share']} was executed, not {least}")
        hits.append(event["opposite_volume"] >= float(hit) * (1 - DIGITS))
    if hits and not any(hits):  # of one alone it may have been heard too late
        wrong.append("what was taken from the other side was not counted")
    return told, len(events) - told, wrong


def _taken(tape: list[list[Any]], price: str, plant: Event, after_ns: int) -> Decimal:
    """What was traded at its price while it stood, and so long after."""
    side = "sell" if plant["side"] == "buy" else "buy"
    return sum((Decimal(fill[2]) for fill in tape if fill[1] == price and fill[3] == side and plant["begins_ns"] <= fill[4] <= plant["ends_ns"] + after_ns), Decimal(0))


async def _runs(trial: Trial, row: Instrument, plants: list[Event], events: list[Event]) -> tuple[int, int, list[str]]:
    """Every run that was told, planted or not, is what the tape says: exactly, but where the venue folds fills of some time into one row."""
    assert trial.simulator is not None
    wrong: list[str] = []
    runs = [event for event in events if event["kind"] == "stop_run_inferred"]
    tape = await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/trades?limit={TAPE}")
    fold_ns = trial.appliance.captures[row.market].folds_ms * MS
    for run in runs:
        rises = run["side"] == "buy"
        wide, narrow = ([fill for fill in tape if fill[3] == run["side"] and run["since"] - by <= fill[4] // MS * MS <= run["until"] + by] for by in (fold_ns, -fold_ns))
        most, least = (sum(Decimal(fill[2]) for fill in fills) for fills in (wide, narrow))
        if not least <= native(run) <= most:
            wrong.append(f"{native(run)} were traded in a run, not {least}{f' to {most}' if fold_ns else ''}")
        prices = [Decimal(fill[1]) for fill in wide]
        start, end, level = (Decimal(run[name]) for name in ("start_price", "end_price", "level"))
        furthest = max(prices, default=None) if rises else min(prices, default=None)
        if end != furthest or (not fold_ns and start != prices[0]) or start not in prices:
            wrong.append(f"a run went from {start} to {end}, not from {prices[:1]} to {furthest}")
        if not (start <= level < end if rises else end < level <= start) and run["level_kind"] != "round":
            wrong.append(f"a level of {level} does not lie between {start} and {end}")
        if not 0 < run["confidence"] < 1 or run["level_kind"] not in ("round", "swing_high" if rises else "swing_low"):
            wrong.append(f"a confidence of {run['confidence']}, beyond a {run['level_kind']}")
    found = [plant for plant in plants if any(run_of(run, plant) for run in runs)]
    return len(found), sum(not any(run_of(run, plant) for plant in plants) for run in runs), wrong
