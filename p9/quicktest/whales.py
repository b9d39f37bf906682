"""One order of one taker, as large as nobody overlooks: it is told as the one block that it was.

Its fills come one by one, and a print ends when none came for a while: on a machine that is busy one may be cut in pieces. Then another is planted; of every
market one must be told as it was, and the pieces of the others are no more than there was.
"""

import asyncio
from decimal import Decimal
from typing import Any

from p9.instrument import Instrument
from p9.quicktest.amounts import native
from p9.quicktest.rails import MAJOR_FLOOR, OTHER_FLOOR
from p9.quicktest.trial import Trial

MS, SECOND = 1_000_000, 1_000_000_000
WHALE = 600_000  # quote coins: more than what a block begins at
TRIES = 5
TOLD_S = 3.0
TAPE = 20_000

Print = tuple[str, int, Decimal, Decimal]  # side, ms, quantity in the venue's unit, quote coins


async def plant(trial: Trial, row: Instrument) -> None:
    assert trial.simulator is not None
    body = {"what": "whale", "market": row.market, "symbol": row.venue_symbol, "side": "buy", "quote": WHALE}
    trial.orders.append((row, await trial.simulator.post("/oracle/plant", body)))


async def again(trial: Trial) -> None:
    """Where none was told as it was, another."""
    for _ in range(TRIES):
        missing: list[Instrument] = []

        async def look(missing: list[Instrument] = missing) -> list[str]:
            assert trial.simulator is not None
            plants = {plant["id"]: plant for plant in await trial.simulator.get("/oracle/plants")}
            its = _by_market(trial, plants)
            missing[:] = [row for row, some in its.items() if not any([(await _told(trial, row, one))[0] for one in some])]
            return [row.market for row in missing]

        if not await trial.settled(look, TOLD_S):
            return
        await asyncio.gather(*(plant(trial, row) for row in missing))


def _by_market(trial: Trial, plants: dict[int, dict[str, Any]]) -> dict[Instrument, list[dict[str, Any]]]:
    found: dict[Instrument, list[dict[str, Any]]] = {}
    for row, answer in trial.orders:
        if plants[answer["id"]]["what"] == "whale":
            found.setdefault(row, []).append(plants[answer["id"]])
    return found


async def judged(trial: Trial, plants: dict[int, dict[str, Any]]) -> tuple[int, int, list[str]]:
    """How many were told as they were, how many in pieces, and what is not as it should be."""
    n_told = n_pieces = 0
    wrong: list[str] = []
    if not trial.enabled("block_trades"):
        return 0, 0, ["nobody tells blocks"]
    for row, its in _by_market(trial, plants).items():
        found = [await _told(trial, row, one) for one in its]
        n_told, n_pieces = n_told + sum(told for told, _ in found), n_pieces + sum(not told for told, _ in found)
        texts = [text for told, text in found if text and not told]
        if not any(told for told, _ in found):
            wrong += [f"{row.market} {row.symbol}: {text}" for text in texts]
        wrong += [f"{row.market} {row.symbol}: {text}" for text in texts if "more than" in text or "threshold" in text]
    return n_told, n_pieces, wrong


async def _told(trial: Trial, row: Instrument, plant: dict[str, Any]) -> tuple[bool, str]:
    """Whether it is told with its side, quantity and worth to the last digit, over the threshold that was configured while it ran; and what is told instead."""
    since_ns = plant["begins_ns"] - SECOND
    events = [event for event in await trial.stream(f"{trial.word('block_trades')}:{row.exchange}:{row.symbol}", since_ns) if event["kind"] == "print"]
    floors = {Decimal(str(event["threshold"])) for event in events if event["threshold_reason"] == "floor" and event["ts_event"] >= plant["begins_ns"]}
    if floors - {Decimal(MAJOR_FLOOR), Decimal(OTHER_FLOOR)}:
        return False, f"a threshold of {max(floors)}"
    if not plant["played"]:
        return False, "the whale was not played"
    true = await prints_of(trial, row, plant)
    told = [(event["side"], event["ts_event"] // MS, native(event), Decimal(event["quote_quantity"])) for event in events]
    if true & set(told):
        return True, ""
    moments = {(each[0], each[1]) for each in true}
    pieces = [each[2] for each in told if (each[0], each[1]) in moments]
    whole = max(each[2] for each in true)
    return False, f"a whale of {whole} was not told, but {'more than that: ' if sum(pieces) > whole else ''}{', '.join(map(str, pieces)) or 'nothing'}"


async def prints_of(trial: Trial, row: Instrument, plant: dict[str, Any]) -> set[Print]:
    """(side, ms, quantity, quote quantity) of the print that a planted order is. Another order of its side within the millisecond, right before it or behind it,
    is one with it for whoever looks from outside."""
    assert trial.simulator is not None
    (played,) = plant["played"]
    side, at_ms = plant["side"], played["at_ns"] // MS
    if trial.appliance.captures[row.market].folds_ms:
        found = await _folded(trial, row, played, side)
    else:
        tape = await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/trades?limit={TAPE}&since={at_ms - 1000}")
        its = [fill for fill in tape if fill[4] == played["at_ns"]]
        found = [(at_ms, its), (at_ms, [fill for fill in tape if fill[3] == side and fill[4] // MS == at_ms])]
    worth = Decimal(row.contract_value)
    return {
        (side, ms, sum(Decimal(fill[2]) for fill in fills), sum((Decimal(fill[2]) * worth * (1 if row.contract == "inverse" else Decimal(fill[1])) for fill in fills), Decimal(0)))
        for ms, fills in found
    }  # fmt: skip


async def _folded(trial: Trial, row: Instrument, played: dict[str, Any], side: str) -> list[tuple[int, list[Any]]]:
    """The rows that the venue itself made of it, one print for each millisecond; the last row, which others may still add to, comes later than the rest and may
    be a print of its own."""
    assert trial.simulator is not None
    at_ms = played["at_ns"] // MS
    prints: dict[int, list[Any]] = {}
    for each in await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/folded?since={at_ms - 1000}"):
        if each["first_id"] <= played["last_id"] and each["last_id"] >= played["first_id"] and each["side"] == side:
            prints.setdefault(each["at_ms"], []).append((each["id"], each["price"], each["quantity"]))
    return [*prints.items(), *((ms, its[:-1]) for ms, its in prints.items() if len(its) > 1)]
