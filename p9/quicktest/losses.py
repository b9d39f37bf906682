"""Trades that were lost on the way, and what it took to have them: each gap against the simulator's tape; and since when candles are whole."""

from typing import Any

from p9.instrument import Instrument
from p9.quicktest.trial import Trial

SETTLED_S = 20.0
TAPE = 20_000


async def check(trial: Trial) -> None:
    """Of a full run, in which something was lost on every market."""
    if not trial.full:
        return
    n = 0

    async def look() -> list[str]:
        nonlocal n
        n, wrong = 0, []
        for row in trial.first():
            some, unlike = await _gaps(trial, row)
            n += some
            wrong += [f"{row.market} {row.symbol}: {text}" for text in unlike]
        return wrong

    wrong = await trial.settled(look, SETTLED_S) if trial.enabled("gaps") else []
    trial.note("what was lost is told, and found again", not wrong and n, "; ".join(wrong[:3]) or f"{n} gaps")
    wrong = [f"{row.market} {row.symbol}: {text}" for row in trial.instruments() for text in await _watermark(trial, row)]
    trial.note("since when candles are whole is told", not wrong, "; ".join(wrong[:3]) or f"{len(trial.instruments())} instruments")


async def _gaps(trial: Trial, row: Instrument) -> tuple[int, list[str]]:
    """Where trades have numbers: as many are missing as lie between, and all of them were fetched. Where they have none, that a line was cut is told."""
    assert trial.simulator is not None
    newest = {event["gap"]: event for event in await trial.stream(f"{trial.word('gaps')}:{row.exchange}:{row.symbol}") if event["kind"] == "trades"}
    found: list[str] = []
    if trial.appliance.captures[row.market].market.trades_numbered and not newest:
        found.append("nobody missed trades")
    tape = {fill[0] for fill in await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/trades?limit={TAPE}")}
    folded = {str(each["id"]) for each in await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/folded")}
    folds = trial.appliance.captures[row.market].folds_ms
    for event in newest.values():
        if event["state"] != "filled" or event["left"]:
            found.append(f"gap {event['gap']} is {event['state']}, {event['left']} never came")
        if event["missing"] is not None and event["first_id"] is not None:
            ids = {str(n) for n in range(event["first_id"], event["last_id"] + 1)}
            if event["missing"] != len(ids) or event["fetched"] != len(ids) or not ids <= (folded if folds else tape):
                found.append(f"gap {event['gap']}: {event['missing']} missing and {event['fetched']} fetched of {event['first_id']} to {event['last_id']}")
    return len(newest), found


async def _watermark(trial: Trial, row: Instrument) -> list[str]:
    """What is forming, and began since then, is whole."""
    events: list[dict[str, Any]] = [event for event in await trial.stream(f"{trial.word('audits')}:{row.exchange}:{row.symbol}") if event["kind"] == "watermark"]
    if not events:
        return ["nobody told it"]
    found = []
    for timeframe, since in events[-1]["whole_since"].items():
        candle = await trial.last(f"{trial.word('candles_open')}:{row.exchange}:{row.symbol}:{timeframe}")
        if since is not None and candle is not None and since <= candle["open_time"] and not candle["complete"] and "maybe_bad" not in candle.get("flags", ()):
            found.append(f"{timeframe} since {since}, but that of {candle['open_time']} is not")
    return found
