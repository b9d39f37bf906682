"""Reference data that change under a running capture, on simulated venues over real sockets: who is concerned begins anew or ends, the others notice nothing."""

import asyncio

import msgspec
import pytest

from p9.capture.relisting import Relisting
from tests.capture.rig import QUICK, Rig


class Desk:
    """One market of a rig with a Relisting. `told`: its integrity events that are no book states."""

    def __init__(self, rig, name):
        self.rig, self.capture = rig, rig.captures[name]
        self.numbered = []
        self.relisting = Relisting(
            self.capture, rig.clients[self.capture.market.exchange], every_s=3600.0, on_changes=self._take, log=lambda *_, **__: None
        )

    def _take(self, changes):
        changes = [msgspec.structs.replace(change, number=len(self.numbered) + n) for n, change in enumerate(changes, 1)]
        self.numbered += changes
        return changes

    def one(self, base="BTC"):
        return next(one for (market, _), one in self.rig.simulator.instruments.items() if market == self.capture.market.name and one.listing.base == base)

    def change(self, one, **asked):
        self.rig.simulator.reference.change(one, asked, self.rig.outbox.clock.now() // 1_000_000)

    def row(self, base="BTC"):
        symbol = self.one(base).symbol
        return next((row for row in self.capture.instruments.values() if row.venue_symbol == symbol), None)

    def findings(self, kind):
        self.rig.read()
        return [(event["symbol"], event["detail"]) for event in self.rig.events["integrity"] if event.get("kind") == kind]

    def losses(self):
        return {feed.name: feed.losses for feed in self.capture.feeds}

    def books_lost(self, symbol):
        return [event for event in self.rig.events["integrity"] if event["symbol"] == symbol and event.get("previous") == "synced"]


@pytest.fixture
async def begin():
    """begin(market, instruments=, symbols=) -> the Desk of a running Rig, synced"""
    rigs = []

    async def make(name, instruments=3, symbols=("*",)):
        rig = Rig(markets=(name,), seed=21, instruments=instruments, settings=msgspec.structs.replace(QUICK, symbols=symbols))
        rigs.append(rig)
        await rig.__aenter__()
        await rig.until_synced()
        return Desk(rig, name)

    yield make
    for rig in rigs:
        await rig.__aexit__()


@pytest.mark.parametrize("name", ["binance_usdm", "okx_swap"])
async def test_pain_22_a_changed_tick_begins_that_instrument_anew_and_disturbs_no_other(begin, name):
    desk = await begin(name)
    before, other = desk.row("BTC"), desk.row("ETH")
    losses = desk.losses()
    desk.change(desk.one("BTC"), tick="0.0001")
    (change,) = await desk.relisting.look()
    assert (change.kind, change.field, change.before, change.after, change.number) == ("changed", "tick", before.tick, "0.0001", 1)
    after = desk.row("BTC")
    assert after.tick == "0.0001" and after.px_scale == 6 and len(desk.capture.instruments) == 3
    await desk.rig.until_synced()
    assert ("BTC-USDT-PERP", f"tick was {before.tick}, is 0.0001") in desk.findings("relisted")
    assert desk.losses() == losses and not desk.books_lost(other.symbol)
    # what came between the two subscriptions is missed by the next change only: it must have come before the venue falls silent
    await desk.rig.until(lambda: all(feed.connection.settled for feed in desk.capture.feeds))
    await desk.rig.until_moving()
    await desk.rig.settle()
    desk.rig.check_books()


async def test_pain_22_another_contract_size_is_counted_by_from_then_on(begin):
    desk = await begin("binance_coinm", instruments=2)
    desk.change(desk.one("BTC"), contract_value="10")
    await desk.relisting.look()
    assert desk.row("BTC").contract_value == "10"
    await desk.rig.until_synced()


@pytest.mark.parametrize("name", ["binance_spot", "bybit_linear", "okx_swap"])
async def test_pain_22_a_delisted_instrument_is_left_and_the_others_go_on(begin, name):
    desk = await begin(name)
    other, symbol = desk.row("ETH"), desk.row("BTC").symbol
    losses = desk.losses()
    desk.change(desk.one("BTC"), gone=True)
    assert await desk.relisting.look() == [], "one answer is no proof"
    (change,) = await desk.relisting.look()
    assert (change.kind, change.symbol) == ("delisted", symbol) and desk.row("BTC") is None
    assert desk.findings("delisted")[0][0] == symbol
    trades = desk.rig.counted("trades")
    await desk.rig.until(lambda: desk.rig.counted("trades") > trades)
    assert desk.capture.synced and not desk.books_lost(other.symbol)
    assert {feed: n for feed, n in desk.losses().items() if feed in losses} == {feed: n for feed, n in losses.items() if feed in desk.losses()}
    desk.change(desk.one("BTC"), gone=False)
    assert [change.kind for change in await desk.relisting.look()] == ["listed"]
    await desk.rig.until(lambda: desk.row("BTC") is not None and desk.capture.synced)


async def test_pain_22_a_renamed_instrument_goes_on_under_its_new_name(begin):
    desk = await begin("okx_swap")
    desk.change(desk.one("ETH"), rename="ETHER-USDT-SWAP")
    (change,) = await desk.relisting.look()
    assert (change.kind, change.before, change.after) == ("renamed", "ETH-USDT-SWAP", "ETHER-USDT-SWAP")
    assert [row.venue_symbol for row in desk.capture.instruments.values()].count("ETHER-USDT-SWAP") == 1
    assert desk.findings("renamed")[0][1] == "ETH-USDT-SWAP is now ETHER-USDT-SWAP"
    await desk.rig.until_synced()
    trades = {ix: desk.capture.pipeline.instrument_counters(ix)["trades"] for ix in desk.capture.instruments}
    await desk.rig.until(lambda: all(desk.capture.pipeline.instrument_counters(ix)["trades"] > n for ix, n in trades.items()))


async def test_a_new_listing_is_captured_if_the_patterns_mean_it(begin):
    desk = await begin("bybit_linear", instruments=2, symbols=("BTC-*",))
    desk.change(desk.one("ETH"), gone=True)
    await desk.relisting.look()
    await desk.relisting.look()
    desk.change(desk.one("ETH"), gone=False)
    assert [change.kind for change in await desk.relisting.look()] == ["listed"]
    assert desk.row("ETH") is None, "nobody asked for it"
    desk.capture.settings = msgspec.structs.replace(desk.capture.settings, symbols=("*-PERP",))
    desk.change(desk.one("ETH"), gone=True)
    await desk.relisting.look()
    await desk.relisting.look()
    desk.change(desk.one("ETH"), gone=False)
    await desk.relisting.look()
    assert desk.row("ETH") is not None
    await desk.rig.until_synced()


async def test_another_status_is_told_and_the_instrument_stays(begin):
    desk = await begin("binance_usdm", instruments=2)
    desk.change(desk.one("BTC"), status="BREAK")
    (change,) = await desk.relisting.look()
    assert (change.field, change.after) == ("status", "BREAK") and len(desk.capture.instruments) == 2
    assert desk.row("BTC").status == "BREAK" and not desk.row("BTC").trading and desk.capture.synced


async def test_the_announced_last_day_of_a_perpetual_is_told_and_carried_out_when_it_is_over(begin):
    desk = await begin("binance_usdm", instruments=2)
    now_ms = desk.rig.outbox.clock.now() // 1_000_000
    desk.change(desk.one("BTC"), last_day_ms=now_ms + 3_600_000)
    (change,) = await desk.relisting.look()
    assert change.field == "expires_ns" and change.after == (now_ms + 3_600_000) * 1_000_000 and desk.row("BTC") is not None
    desk.change(desk.one("BTC"), last_day_ms=now_ms - 1)
    assert [change.kind for change in await desk.relisting.look()] == ["changed", "delisted"]
    assert desk.row("BTC") is None


async def test_a_venue_that_cannot_be_asked_changes_nothing(begin):
    desk = await begin("binance_usdm", instruments=2)
    for fault in ("http_500",) * 4:
        desk.rig.inject(fault, "binance_usdm", kind="other")
    assert await desk.relisting.look() == [] and "overloaded" in desk.relisting.reason and desk.capture.synced


async def test_a_push_is_answered_by_a_reading_soon_and_a_swarm_by_one(begin, monkeypatch):
    desk = await begin("binance_usdm", instruments=2)
    monkeypatch.setattr("p9.capture.relisting.LEAST_S", 0.1)
    monkeypatch.setattr("p9.capture.relisting.SOON_S", 0.1)
    running = asyncio.create_task(desk.relisting.run())
    try:
        desk.change(desk.one("BTC"), tick="0.01")
        for _ in range(50):
            desk.relisting.nudge()
        await desk.rig.until(lambda: desk.relisting.listings.counts["reads"] == 1)
        await asyncio.sleep(0.5)
        assert desk.relisting.listings.counts["reads"] == 1 and desk.row("BTC").tick == "0.01"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
