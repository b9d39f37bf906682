"""What the planted orders came to: every liquidation that was told is a true one, each market's cascade and whale were found, the blocks by the new threshold."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from p9.instrument import Instrument
from p9.quicktest import whales
from p9.quicktest.amounts import amounts, native
from p9.quicktest.trial import Trial

MS, SECOND = 1_000_000, 1_000_000_000
TOLD_S = 5.0


async def check(trial: Trial) -> None:
    assert trial.simulator is not None
    wrong: list[str] = []
    n_forced = 0
    plants = {plant["id"]: plant for plant in await trial.simulator.get("/oracle/plants")}
    for row, answer in trial.orders:
        plant = plants[answer["id"]]
        if plant["what"] == "cascade":
            n, unlike = await _cascade(trial, row, plant)
            n_forced += n
            wrong += [f"{row.market} {row.symbol}: {text}" for text in unlike]
    told, n_pieces, unlike = await whales.judged(trial, plants)
    wrong += unlike
    figure = f"{n_forced:,} liquidations; of {told} whales each as the one order that it was" + (f", {n_pieces} more in pieces" if n_pieces else "")
    trial.note("planted orders are found, as they were", not wrong and n_forced and told, "; ".join(wrong[:3]) or figure)
    await check_stops(trial)
    await check_blocks(trial)


async def _told(trial: Trial, kind: str, rows: Iterable[Instrument]) -> list[dict[str, Any]]:
    return [event for row in rows for event in await trial.stream(f"{trial.word(kind)}:{row.exchange}:{row.symbol}")]


async def check_stops(trial: Trial) -> None:
    """Each stop order that triggered is told once, as it was, also those that the account places by itself, and those that the venue had to be asked for; but for
    what was triggered within a gap that was not filled. And none is told that was not."""
    assert trial.simulator is not None
    if not trial.stops or not trial.appliance.config.analytics.stop_triggers.enabled:
        return
    here = {id for _, id in trial.stops}
    true: dict[str, tuple[Instrument, dict[str, Any]]] = {}
    rows = {(row.market, row.venue_symbol): row for row, _ in trial.stops}
    for order in await trial.simulator.get("/oracle/stop_orders"):
        if order["triggered_ms"] and (order["market"], order["symbol"]) in rows:
            true[order["client_id"]] = (rows[order["market"], order["symbol"]], order)
    planted = [order for _, order in true.values() if order["id"] in here]
    lost = {row.market: await _gaps(trial, row) for row in rows.values()}

    async def look() -> list[str]:
        events = [event for event in await _told(trial, "stop_triggers", rows.values()) if event["kind"] == "stop_order_triggered"]
        names = [event["client_id"] for event in events]
        wrong = ["one was told twice"] if len(names) != len(set(names)) else []
        wrong += [f"{name} was not told" for name, (row, order) in true.items() if name not in names and order["state"] != "triggered" and not _in_a_gap(order, lost[row.market])]
        for event in events:
            unlike = _unlike(event, *true[event["client_id"]]) if event["client_id"] in true else "nobody's"
            if unlike:
                wrong.append(f"{event['market']} {event['client_id']} is told otherwise than it was: {unlike}")
        return wrong

    wrong = await trial.settled(look, TOLD_S)
    n_lost = sum(_in_a_gap(order, lost[row.market]) for row, order in true.values())
    figure = f"{len(planted)} of {len(here)} were triggered, {len(true) - len(planted)} others, in {len(FIELDS)} fields; {n_lost} in gaps that stay"
    trial.note("stop orders of one's own are told, as they were", not wrong and planted, "; ".join(wrong[:3]) or figure)


FIELDS = (
    "ts_event", "side", "position", "order_kind", "order_type", "trigger_price", "trigger_price_type", "order_price", "quantity", "quote_quantity", "contracts",
    "contract_value", "contract_unit", "order_id", "placed_order_id", "reduce_only", "failure",
)  # fmt: skip


async def _gaps(trial: Trial, row: Instrument) -> list[dict[str, Any]]:
    """Those in which triggers stay unknown."""
    newest = {gap["gap"]: gap for gap in await _told(trial, "gaps", [row]) if gap["kind"] == "stop_triggers"}
    return [gap for gap in newest.values() if gap["state"] != "filled"]


def _in_a_gap(order: dict[str, Any], gaps: list[dict[str, Any]]) -> bool:
    at_ns = order["triggered_ms"] * MS
    return any((gap["since"] or 0) - SECOND <= at_ns and (gap["until"] is None or at_ns <= gap["until"] + SECOND) for gap in gaps)


def _unlike(event: dict[str, Any], row: Instrument, order: dict[str, Any]) -> str:
    """The first field that is not the order's; empty: none."""
    amount, price = Decimal(order["quantity"]), Decimal(order["trigger_price"])
    coins, quote = amounts(row, amount, price)
    contracts = row.contract != "base"
    fetched = "backfill" in event.get("flags", ())
    true = {
        "ts_event": order["triggered_ms"] * MS, "side": order["side"], "position": None, "order_type": order["venue_type"], "trigger_price": price,
        "order_kind": order["kind_told"], "trigger_price_type": order["price_type"], "order_price": None,
        "quantity": coins, "quote_quantity": quote, "contracts": amount if contracts else None, "contract_value": Decimal(row.contract_value) if contracts else None,
        "contract_unit": None if not contracts else "quote" if row.contract == "inverse" else "base", "order_id": order["venue_id"], "reduce_only": order["reduce_only"], "failure": None,
        "placed_order_id": order["placed_id"] if order["placed_when_told"] else None,
    }  # fmt: skip
    for name in FIELDS:
        value = event.get(name)
        if fetched and ((name == "ts_event" and value is None) or (name == "placed_order_id" and value == order["placed_id"])):
            continue  # one venue's history does not tell the time; all of them tell what was placed since
        if (Decimal(value) if isinstance(true[name], Decimal) and value is not None else value) != true[name]:
            return f"{name} is {value}, not {true[name]}"
    return ""


async def check_blocks(trial: Trial) -> None:
    """What was negotiated is told once, as it was."""
    assert trial.simulator is not None
    made = {(block["market"], block["id"]): block for block in await trial.simulator.get("/oracle/blocks") if block["heard"]}
    if not made or not trial.appliance.config.analytics.block_trades.enabled:
        return
    by_market = {row.market: row for row in trial.first()}  # where they were made
    rows = [row for row in trial.instruments() if any(row.market == market for market, _ in made)]

    async def look() -> list[str]:
        events = [event for event in await _told(trial, "block_trades", rows) if event["kind"] == "venue"]
        names = [(event["market"], event["trade_id"]) for event in events]
        wrong = [f"{' '.join(name)} was not told" for name in made.keys() - set(names)] + ([] if len(names) == len(set(names)) else ["one was told twice"])
        for name, event in zip(names, events, strict=True):
            block = made.get(name)
            figures = (event["side"], event["ts_event"] // MS, Decimal(event["price"]), native(event), Decimal(event["quantity"]), Decimal(event["quote_quantity"]))
            if block is None or figures != (block["side"], block["at_ms"], Decimal(block["price"]), amount := Decimal(block["quantity"]), *amounts(by_market[name[0]], amount, Decimal(block["price"]))):
                wrong.append(f"{' '.join(name)} is told otherwise than it was")
        return wrong

    wrong = await trial.settled(look, TOLD_S)
    trial.note("negotiated trades are told, as they were", not wrong, "; ".join(wrong[:3]) or f"{len(made)} on {len({market for market, _ in made})} markets")


async def _cascade(trial: Trial, row: Instrument, plant: dict[str, Any]) -> tuple[int, list[str]]:
    """Some venues tell a sample; what they tell is true, and of a cascade it is something."""
    assert trial.simulator is not None
    forced = await trial.simulator.get(f"/oracle/{row.market}/{row.venue_symbol}/liquidations?limit=20000")
    true = {(each["at_ms"], each["side"], each["position"], Decimal(each["quantity"])) for each in forced}
    events = await trial.stream(f"{trial.word('liquidations')}:{row.exchange}:{row.symbol}")
    ours = [(event["ts_event"] // MS, event["side"], event["position"], native(event)) for event in events]
    wrong = [f"nobody was liquidated like {each}" for each in ours if each not in true]
    if len(ours) != len(set(ours)):
        wrong.append("told twice")
    if not any(plant["begins_ns"] <= event["ts_event"] + MS and event["side"] == plant["side"] for event in events):
        wrong.append("the cascade was not told")
    return len(ours), wrong
