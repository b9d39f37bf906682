"""What the planted orders came to: every liquidation that was told is a true one, each market's cascade and whale were found, the blocks by the new threshold."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from p9.instrument import Instrument
from p9.quicktest.channels import word_of
from p9.quicktest.rails import MAJOR_FLOOR, OTHER_FLOOR
from p9.quicktest.trial import Trial

MS = 1_000_000
TOLD_S = 5.0


async def check(trial: Trial) -> None:
    assert trial.simulator is not None
    wrong: list[str] = []
    n_forced = n_blocks = 0
    plants = {plant["id"]: plant for plant in await trial.simulator.get("/oracle/plants")}
    for row, answer in trial.orders:
        plant = plants[answer["id"]]
        if plant["what"] == "cascade":
            n, unlike = await _cascade(trial, row, plant)
            n_forced += n
        else:
            n, unlike = await _whale(trial, row, plant)
            n_blocks += n
        wrong += [f"{row.market} {row.symbol}: {text}" for text in unlike]
    figure = f"{n_forced:,} liquidations, {n_blocks:,} blocks"
    trial.note("planted orders are found, as they were", not wrong and n_forced and n_blocks, "; ".join(wrong[:3]) or figure)
    await check_stops(trial)
    await check_blocks(trial)


async def _told(trial: Trial, kind: str, rows: Iterable[Instrument]) -> list[dict[str, Any]]:
    return [event for row in rows for event in await trial.stream(f"{word_of(trial, kind)}:{row.exchange}:{row.symbol}")]


async def check_stops(trial: Trial) -> None:
    """Each stop order that was placed here and triggered is told once, as it was; and none that was not. Those that the account places by itself may have been
    triggered while its stream was lost."""
    assert trial.simulator is not None
    if not trial.stops or not trial.appliance.config.analytics.stop_triggers.enabled:
        return
    rows = [row for row, _ in trial.stops]
    markets = {(row.market, row.venue_symbol) for row in rows}
    placed = [order for order in await trial.simulator.get("/oracle/stop_orders") if (order["market"], order["symbol"]) in markets]
    true = {order["client_id"]: order for order in placed if order["triggered_ms"]}
    here = {id for _, id in trial.stops}
    ours = {name for name, order in true.items() if order["id"] in here}

    async def told() -> list[dict[str, Any]]:
        return [event for event in await _told(trial, "stop_triggers", rows) if event["kind"] == "stop_order_triggered"]

    async def look() -> list[str]:
        events = await told()
        names = [event["client_id"] for event in events]
        wrong = [f"{name} was not told" for name in ours - set(names)] + ([] if len(names) == len(set(names)) else ["one was told twice"])
        for event in events:
            order = true.get(event["client_id"])
            at_ms = event["ts_event"] // MS if event["ts_event"] is not None else None  # not every history of a venue tells it
            figures = (event["side"], at_ms, Decimal(event["trigger_price"]), _native(event))
            if order is None or figures != (order["side"], None if at_ms is None and "backfill" in event.get("flags", ()) else order["triggered_ms"], Decimal(order["trigger_price"]), Decimal(order["quantity"])):
                wrong.append(f"{event['market']} {event['client_id']} is told otherwise than it was")
        return wrong

    wrong = await trial.settled(look, TOLD_S)
    trial.note("stop orders of one's own are told, as they were", not wrong and ours, "; ".join(wrong[:3]) or f"{len(ours)} of {len(here)} were triggered, {len(true) - len(ours)} others")


async def check_blocks(trial: Trial) -> None:
    """What was negotiated is told once, as it was."""
    assert trial.simulator is not None
    made = {(block["market"], block["id"]): block for block in await trial.simulator.get("/oracle/blocks") if block["heard"]}
    if not made or not trial.appliance.config.analytics.block_trades.enabled:
        return
    rows = [row for row in trial.instruments() if any(row.market == market for market, _ in made)]

    async def look() -> list[str]:
        events = [event for event in await _told(trial, "block_trades", rows) if event["kind"] == "venue"]
        names = [(event["market"], event["trade_id"]) for event in events]
        wrong = [f"{' '.join(name)} was not told" for name in made.keys() - set(names)] + ([] if len(names) == len(set(names)) else ["one was told twice"])
        for name, event in zip(names, events, strict=True):
            block = made.get(name)
            figures = (event["side"], event["ts_event"] // MS, Decimal(event["price"]), _native(event))
            if block is None or figures != (block["side"], block["at_ms"], Decimal(block["price"]), Decimal(block["quantity"])):
                wrong.append(f"{' '.join(name)} is told otherwise than it was")
        return wrong

    wrong = await trial.settled(look, TOLD_S)
    trial.note("negotiated trades are told, as they were", not wrong, "; ".join(wrong[:3]) or f"{len(made)} on {len({market for market, _ in made})} markets")


def _native(event: dict[str, Any]) -> Decimal:
    """In the unit that the venue counts in."""
    return Decimal(event.get("contracts", event["quantity"]))


async def _cascade(trial: Trial, row: Instrument, plant: dict[str, Any]) -> tuple[int, list[str]]:
    """Some venues tell a sample; what they tell is true, and of a cascade it is something."""
    assert trial.simulator is not None
    forced = await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/liquidations?limit=20000")
    true = {(each["at_ms"], each["side"], each["position"], Decimal(each["quantity"])) for each in forced}
    events = await trial.stream(f"{word_of(trial, 'liquidations')}:{row.exchange}:{row.symbol}")
    ours = [(event["ts_event"] // MS, event["side"], event["position"], _native(event)) for event in events]
    wrong = [f"nobody was liquidated like {each}" for each in ours if each not in true]
    if len(ours) != len(set(ours)):
        wrong.append("told twice")
    if not any(plant["begins_ns"] <= event["ts_event"] + MS and event["side"] == plant["side"] for event in events):
        wrong.append("the cascade was not told")
    return len(ours), wrong


async def _whale(trial: Trial, row: Instrument, plant: dict[str, Any]) -> tuple[int, list[str]]:
    """Most of the one order at least is told as a block, over the threshold that was configured while it ran: on a machine that is busy its fills may come
    too far apart for one print, and where trades are folded over 100 ms somebody else's among them cut it in pieces."""
    events = await trial.stream(f"{word_of(trial, 'block_trades')}:{row.exchange}:{row.symbol}")
    wrong = [
        f"a threshold of {event['threshold']}"
        for event in events
        if event["kind"] == "print" and event["threshold_reason"] == "floor" and event["ts_event"] >= plant["begins_ns"]
        and Decimal(str(event["threshold"])) not in (Decimal(MAJOR_FLOOR), Decimal(OTHER_FLOOR))
    ]  # fmt: skip
    for played in plant["played"]:
        size = Decimal(played["quantity"])
        told = [_native(event) for event in events if event["side"] == plant["side"] and abs(event["ts_event"] - played["at_ns"]) < 1000 * MS]
        if sum(told) < size / 2:
            wrong.append(f"a whale of {size} was not told, but {', '.join(map(str, told)) or 'nothing'}")
    return len(events), wrong or ([] if plant["played"] else ["the whale was not played"])
