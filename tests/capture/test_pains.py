"""Pains of rival systems that concern no single part: docs/pains.md has the whole list."""

import asyncio

import pytest
from msgspec.structs import replace

from p9.simulate.faults import Scope
from tests.capture.rig import Rig


@pytest.mark.parametrize("a_socket", [1, 12])
async def test_pain_09_a_dozen_instruments_on_one_socket_end_in_the_same_books_as_on_a_dozen(a_socket):
    def row_of(row):
        return replace(row, limits=replace(row.limits, instruments_per_socket=a_socket))

    async with Rig(markets=("bybit_linear",), row_of=row_of, instruments=12, seed=9) as rig:
        await rig.until_synced()
        assert len(rig.captures["bybit_linear"].feeds) == 12 // a_socket
        await asyncio.sleep(2.0)
        await rig.settle()
        assert rig.check_books() > 12 * 100


async def test_pain_15_the_best_price_does_not_wait_for_a_slow_depth_stream(run):
    now = await run("binance_spot", speed="1000ms")
    await asyncio.sleep(3.0)
    now.hear()
    for ix, row in now.capture.instruments.items():
        counters = now.pipeline.instrument_counters(ix)
        told = sum(event["conflated"] for event in now.events["book_ticker"] if event["symbol"] == row.symbol)
        assert counters["depth_frames"] <= 8, "one a second"
        assert told > 5 * counters["depth_frames"] and counters["touches"] > 5 * counters["depth_frames"]
        newest = [event for event in now.events["book_ticker"] if event["symbol"] == row.symbol][-1]
        assert newest["update_id"] > now.pipeline.book(ix)["id"] - 1, "it is of the venue's own stream, which is ahead of the book"


async def test_pain_26_two_instances_agree_on_the_ids_of_every_trade(run):
    first = await run("bybit_linear")
    second = await run("bybit_linear", simulator=first.simulator)
    await asyncio.sleep(1.0)
    first.simulator.inject("disconnect", Scope("bybit_linear"))  # each finds back by itself
    await first.settled(2)
    await second.settled(2)
    await first.end()
    second.hear()
    ids = [{(event["symbol"], event["trade_id"]): event["ts_event"] for event in each.events["trades"]} for each in (first, second)]
    since = {symbol: min(at for (name, _), at in ids[1].items() if name == symbol) for symbol in {name for name, _ in ids[1]}}
    common = {key for key, at in ids[0].items() if at > since[key[0]]}
    assert common == {key for key, at in ids[1].items() if at > since[key[0]]} and len(common) > 20
    assert [len(each.events["trades"]) for each in (first, second)] == [len(each) for each in ids], "each told each once"
