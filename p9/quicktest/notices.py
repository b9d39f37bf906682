"""What venues announce while it runs: work on them, which begins and ends, and the last day of a perpetual contract. Nothing that is captured notices either."""

import asyncio
import time
from typing import Any

from p9.quicktest.trial import Trial

MS, DAY_MS = 1_000_000, 86_400_000
TOLD_S = 40.0
LAST_DAYS = 30
WORK = {"id": "rails", "title": "the rails are oiled", "data": True}


async def plant(trial: Trial) -> None:
    """Beside everything else."""
    assert trial.simulator is not None
    if not trial.enabled("reference") or not trial.enabled("integrity"):
        return
    now_ms = time.time_ns() // MS
    for row in trial.first():
        if row.kind == "perpetual":
            await trial.simulator.post(f"/oracle/listing/{row.market}/{row.venue_symbol}", {"last_day_ms": (now_ms // DAY_MS + LAST_DAYS) * DAY_MS})
    await asyncio.gather(*(_work(trial, venue, now_ms) for venue in sorted({row.exchange for row in trial.instruments()})))


async def _work(trial: Trial, venue: str, now_ms: int) -> None:
    assert trial.simulator is not None
    for state in ("ongoing", "completed"):
        await trial.simulator.post("/oracle/maintenance", WORK | {"venue": venue, "state": state, "begin_ms": now_ms, "end_ms": now_ms + DAY_MS // 24})

        async def told(state: str = state) -> list[Any]:
            events = await trial.stream(f"{trial.word('integrity')}:all:-")
            return [event for event in events if (event["kind"], event.get("source"), event.get("state")) == ("maintenance", venue, state)]

        await trial.eventually(told, TOLD_S)


async def check(trial: Trial) -> None:
    """Each venue's reference document has it: the work, that it is over, and the contract's last day, as a change, of the instrument and in the calendar."""
    assert trial.simulator is not None
    incidents = await trial.simulator.get("/oracle/incidents")
    works = {(each["venue"], each["id"]): each for each in incidents if each["fault"] == "maintenance"}  # the newest state of each
    days = {(each["market"], each["symbol"]): each["asked"]["last_day_ms"] * MS for each in incidents if each["fault"] == "listing" and "last_day_ms" in each["asked"]}
    if not works and not days:
        return
    wrong: list[str] = []
    for venue in sorted({row.exchange for row in trial.instruments()}):
        document = await trial.last(f"{trial.word('reference')}:{venue}:-")
        if document is None:
            wrong.append(f"{venue} has no reference document")
            continue
        states = [row["state"] for row in document["status"] if row["market_data"]]
        wrong += [f"{venue}: work is {states}, not {each['state']}" for (name, _), each in works.items() if name == venue and states != [each["state"]]]
        for row in trial.instruments():
            day = days.get((row.market, row.venue_symbol))
            if row.exchange != venue or day is None:
                continue
            changes = [each["after"] for each in document["changes"] if (each["market"], each["venue_symbol"], each["field"]) == (row.market, row.venue_symbol, "expires_ns")]
            ends = [each["expires_time"] for each in document["instruments"] if (each["market"], each["venue_symbol"]) == (row.market, row.venue_symbol)]
            calendar = [each["time"] for each in document["calendar"] if (each["kind"], each.get("market"), each.get("symbol")) == ("delisting", row.market, row.symbol)]
            wrong += [f"{row.market} {row.symbol}: the last day by its {name} is {found}, not {day}" for name, found in (("changes", changes), ("instrument", ends), ("calendar", calendar)) if found != [day]]
    trial.note("what venues announce is in their reference data", not wrong, "; ".join(wrong[:3]) or f"{len(works)} times work on a venue, the last days of {len(days)} contracts")
