"""Trades that a lost socket has cost, on the socket simulator: what was published is what the venue traded, or a gap says what is not."""

import asyncio
import time
from decimal import Decimal

import pytest

from p9.simulate.faults import Scope
from tests.patience import until


@pytest.mark.parametrize("name", ["binance_spot", "binance_usdm", "binance_coinm", "bybit_linear", "okx_swap"])
async def test_pain_08_trades_of_a_lost_socket_are_fetched_and_each_is_told_once(run, name):
    now = await run(name)
    await now.lose(1.0)
    await now.settled(2)
    await now.end()
    for ix in now.capture.instruments:
        traded, told = now.fills(ix)
        assert sorted(told) == traded, f"{len(set(traded) - set(told))} missing, {len(told) - len(set(told))} twice"
    assert any("backfill" in event.get("flags", ()) for event in now.events["trades"])
    of_trades = [event for event in now.events["gaps"] if event["kind"] == "trades"]
    states = [event["state"] for event in of_trades]
    assert states.count("open") == states.count("filled") == len(states) // 2 and now.ledger.open == {}
    assert sum(event["fetched"] for event in of_trades) > 0


async def test_pain_08_a_single_trade_that_was_dropped_is_fetched_by_its_number(run):
    now = await run("binance_usdm")
    now.simulator.inject("drop", Scope("binance_usdm", "*", "trade"), count=3)

    def fetched() -> int:
        now.hear()
        return sum(event["fetched"] for event in now.events["gaps"] if event["state"] == "filled")

    await until(lambda: fetched() == 3)  # the third may be dropped long after the first
    await now.end()
    for ix in now.capture.instruments:
        traded, told = now.fills(ix)
        assert sorted(told) == traded
    assert all(event["reason"] == "numbers" and event["left"] == [] for event in now.events["gaps"] if event["state"] == "filled")


async def test_pain_08_what_cannot_be_had_is_a_gap_with_its_exact_range(run):
    """Single fills of futures are sold only against a key."""
    now = await run("binance_usdm", form="raw")
    await now.lose(0.7)
    await now.settled(2)
    await now.end()
    lost = [event for event in now.events["gaps"] if event["kind"] == "trades" and event["state"] == "lost"]
    assert len(lost) == 2
    for ix, row in now.capture.instruments.items():
        traded, told = now.fills(ix)
        missing = {n for event in lost if event["symbol"] == row.symbol for first, last in event["left"] for n in range(first, last + 1)}
        assert set(traded) - set(told) == missing and missing, "the gap covers the difference, no more and no less"
        assert len(told) == len(set(told))
    rows = now.ledger.rows()
    assert {row.state for row in rows if row.kind == "trades"} == {"lost"} and all(row.settled_ns >= row.noticed_ns for row in rows)
    incomplete = [event for event in now.events["candles"] if not event["complete"] and event["open_time"] >= lost[0]["since"] // 10**9 * 10**9]
    assert incomplete, "no candle of that time claims to be whole"


async def test_pain_08_with_back_fill_switched_off_every_gap_is_told_as_lost(run):
    now = await run("binance_spot", backfill={"enabled": False})
    await now.lose(0.5)
    await now.settled(2)
    assert now.capture.backfill.counts["asked"] == 0 and now.ledger.counts["trades_lost"] == 2


def unlike(now, row) -> str:
    """What is wrong with the newest candles of a second that say they are whole; empty: nothing."""
    one = now.simulator.instruments["binance_spot", row.venue_symbol]
    newest = {}
    for event in now.events["candles"]:
        if event["symbol"] == row.symbol and event["channel"].endswith(":1s"):
            newest[event["open_time"] // 10**9] = event
    whole = {second: event for second, event in newest.items() if event["complete"]}
    by_second: dict[int, list] = {}
    for fill in one.tape:
        by_second.setdefault(fill.at_ns // 10**9, []).append(fill)
    if len(whole) < 2 or not any(event["revision"] for event in whole.values()):
        return f"{row.symbol}: {len(whole)} whole candles of {len(newest)}, none of them amended"
    for second, event in whole.items():
        fills = by_second.get(second, [])
        if event["trades"] != len(fills) or Decimal(event["volume"]) != one.qty.value(sum(fill.lots for fill in fills)):
            return f"{row.symbol} {second}: {event['trades']} trades, {event['volume']}, the venue's {len(fills)}"
    return ""


async def test_candles_that_were_amended_equal_the_venues_own(run):
    now = await run("binance_spot")
    await asyncio.sleep(2.0)
    await now.lose(1.5)
    await now.settled(2)
    now.simulator.freeze()
    wrong = ["not looked at"]
    end_s = time.monotonic() + 20
    while any(wrong) and time.monotonic() < end_s:  # what is late amends: in the end they are the same
        await asyncio.sleep(0.5)
        now.hear()
        wrong = [unlike(now, row) for row in now.capture.instruments.values()]
    assert not any(wrong), wrong
