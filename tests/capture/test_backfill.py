"""Trades that a lost socket has cost, on the socket simulator: what was published is what the venue traded, or a gap says what is not."""

import asyncio
import json
import time
from decimal import Decimal
from types import SimpleNamespace

import pytest
from aiohttp import web

from p9.capture.backfill import Backfill, BackfillSettings
from p9.capture.ledger import Ledger
from p9.instrument import Instrument
from p9.market.rest import RestClient
from p9.simulate.faults import Scope
from p9.venue import market
from tests.capture.conftest import make_pipeline
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


class Memory:
    """Trades of names, fed frame by frame, and a venue on loopback that remembers what it is told to: `answers` in turn, the last one for ever."""

    def __init__(self):
        self.answers, self.asked = [], 0
        self.start_ms = time.time_ns() // 1_000_000 - 60_000

    async def __aenter__(self):
        app = web.Application()
        app.router.add_get("/v5/market/recent-trade", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.row = market("bybit_linear").at(f"http://127.0.0.1:{self._runner.addresses[0][1]}", "ws://127.0.0.1:1")
        self.pipeline, self.ledger = make_pipeline(self.row), Ledger(None, epoch=1)
        self.ix = self.pipeline.add(venue_symbol=b"BTCUSDT", symbol="BTC-USDT-PERP", px_scale=2, qty_scale=3)
        one = Instrument(
            exchange="bybit", market="linear", symbol="BTC-USDT-PERP", venue_symbol="BTCUSDT", base="BTC", quote="USDT", settle="USDT", kind="perpetual",
            tick="0.01", step="0.001",
        )  # fmt: skip
        self.client = RestClient("bybit")
        await self.client.start()
        feed = SimpleNamespace(up=True, connection=SimpleNamespace(settled=True), connected_s=asyncio.get_running_loop().time())
        self.backfill = Backfill(
            self.row, next(form for form in self.row.topics if form.kind == "trades"), self.pipeline, self.client, self.ledger, instruments={self.ix: one}, feed_of={self.ix: feed},
            settings=BackfillSettings(grace_s=0.05, quiet_s=0.05, retry_first_s=0.05),
        )  # fmt: skip
        self._task = asyncio.create_task(self.backfill.run())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.client.stop()
        await self._runner.cleanup()

    async def _answer(self, _):
        self.asked += 1
        trades = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if trades is None:
            return web.Response(status=500, text="")
        rows = [
            {"execId": name, "symbol": "BTCUSDT", "price": "100.5", "size": "1", "side": "Buy", "time": str(self.start_ms + at), "isBlockTrade": False}
            for name, at in reversed(trades)
        ]
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": {"category": "linear", "list": rows}})

    def live(self, *trades: tuple[str, int]) -> None:
        rows = [{"T": self.start_ms + at, "s": "BTCUSDT", "S": "Buy", "v": "1", "p": "100.5", "L": "PlusTick", "i": name, "BT": False} for name, at in trades]
        frame = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": self.start_ms, "data": rows}
        assert self.pipeline.feed_bytes(json.dumps(frame).encode(), time.time_ns()) == "events"

    def tear(self) -> None:
        assert self.pipeline.feed_bytes(b'{"topic":"publicTrade.BTCUSDT","type":"snap', time.time_ns()) == "malformed"

    @property
    def n(self) -> int:
        return self.pipeline.instrument_counters(self.ix)["trades"]


async def test_trades_of_a_torn_frame_are_fetched_although_an_older_frame_came_after_it():
    """Its trades were newer than the one that told of the loss, and were left in the answer: a minute lacked seven fills and said it was complete."""
    async with Memory() as venue:
        venue.answers = [[("long ago", -9000), ("a", 0), ("late", 1000), ("torn", 1500), ("next", 2500)]]
        venue.live(("a", 0))
        venue.tear()
        venue.live(("late", 1000))
        await until(lambda: venue.ledger.counts["trades_filled"] == 1)
        assert venue.n == 4 and venue.pipeline.holes(venue.ix) == []
        venue.live(("next", 2500))
        assert venue.n == 4


async def test_an_answer_that_does_not_reach_what_we_know_ourselves_fills_no_hole():
    async with Memory() as venue:
        venue.answers = [[("a", 0), ("late", 1000)], [("long ago", -9000), ("a", 0), ("late", 1000), ("torn", 1500), ("next", 1700)]]
        venue.live(("a", 0))
        venue.tear()
        venue.live(("late", 1000))
        venue.live(("next", 1700))
        await until(lambda: venue.ledger.counts["trades_filled"] == 1)
        assert (venue.asked, venue.n) == (2, 4)


async def test_a_quiet_instrument_is_asked_again_where_the_venue_did_not_answer():
    """It was asked once: where that failed, the next live trade was to tell, and none came for minutes (simulation, seed 623400960)."""
    async with Memory() as venue:
        venue.answers = [None, [], [("long ago", -9000), ("a", 0), ("b", 1000)]]
        venue.live(("a", 0))
        venue.pipeline.interrupted([venue.ix], time.time_ns())
        await until(lambda: venue.ledger.counts["trades_filled"] == 1)
        assert venue.n == 2 and venue.asked >= 3 and venue.backfill.status()["quiet"] == 0
