"""Trades that a lost socket has cost, on the socket simulator: what was published is what the venue traded, or a gap says what is not."""

import asyncio
import time
from decimal import Decimal

import pytest
from cext.names import Names
from cext.streams.candles import Candles
from cext.streams.gaps import Gaps
from cext.streams.trades import Trades

from p9.capture.backfill import BackfillSettings
from p9.capture.capture import Capture, CaptureSettings
from p9.capture.feed import Connects, FeedSettings
from p9.capture.ledger import Ledger
from p9.market.instruments import Instruments
from p9.market.rest import RestClient
from p9.simulate.bybit_streams import trade_id
from p9.simulate.faults import Scope
from p9.simulate.server import Simulator
from p9.venue import market
from tests.capture.conftest import make_pipeline, until
from tests.cext.streams.published import published


class Run:
    """One market of a simulator, captured: all that it published, by channel type."""

    def __init__(self, simulator: Simulator, name: str, backfill: BackfillSettings, form: str = "default"):
        self.simulator, self.name = simulator, name
        self.row = market(name).at(simulator.endpoints[name]["rest"], simulator.endpoints[name]["ws"])
        self.pipeline = make_pipeline(self.row)
        self.client = RestClient(self.row.exchange)
        self.ledger = Ledger(None, epoch=1)
        self.capture = Capture(
            self.row, self.pipeline, client=self.client, known=Instruments(self.row.exchange), connects=Connects(self.row.limits.connects),
            streams_of=self._streams, ledger=self.ledger,
            settings=CaptureSettings(
                backfill=backfill, trades=form, depth=400, feed=FeedSettings(tick_s=0.05, backoff_first_s=0.05)
            ),
        )  # fmt: skip
        self.events: dict[str, list[dict]] = {"trades": [], "gaps": [], "candles": []}

    @staticmethod
    def _streams(row):
        names = Names(exchange=row.exchange, symbol=row.symbol, market=row.market, venue_symbol=row.venue_symbol)
        return [Gaps(names), Trades(names), Candles(names, ["1s", "1m"], forming=False)]

    async def __aenter__(self):
        await self.client.start()
        await self.capture.start()
        await until(lambda: self.capture.synced and all(self.counter("trades", ix) for ix in self.capture.instruments), 20)
        return self

    async def __aexit__(self, *_):
        await self.capture.stop()
        await self.client.stop()

    def counter(self, name: str, ix: int) -> int:
        return self.pipeline.instrument_counters(ix)[name]

    def hear(self) -> None:
        for event in published(self.pipeline.outbox):
            self.events[event["type"]].append(event)

    async def lose(self, for_s: float) -> None:
        """Everything on the market's sockets for so long, and then the sockets."""
        self.simulator.inject("mute", Scope(self.name), for_s=60.0)
        await asyncio.sleep(for_s)
        self.simulator.inject("disconnect", Scope(self.name))

    async def settled(self, n_gaps: int) -> None:
        await until(lambda: self.ledger.counts["trades_filled"] + self.ledger.counts["trades_lost"] >= n_gaps and not self.capture.backfill.holes, 30)

    async def end(self) -> None:
        """The venue falls silent, and its last frames come in."""
        self.simulator.freeze()
        await asyncio.sleep(1.2)
        self.hear()

    def fills(self, ix: int) -> tuple[list, list]:
        """(what the venue traded from the first published trade on, what was published), as ids in order of the venue's."""
        row = self.capture.instruments[ix]
        one = self.simulator.instruments[self.name, row.venue_symbol]
        ours = [event for event in self.events["trades"] if event["symbol"] == row.symbol]
        if self.row.exchange == "bybit":
            known = {trade_id(one, fill): fill.id for fill in one.tape}
            told = [known[event["trade_id"]] for event in ours]
        else:
            told = [n for event in ours for n in range(event["first_trade_id"], event["last_trade_id"] + 1)]
        first = min(told)
        return [fill.id for fill in one.tape if fill.id >= first], told


@pytest.fixture
async def run():
    running = []

    async def begin(name: str, **options) -> Run:
        simulator = Simulator(seed=7, instruments=2, rate=2.0)
        await simulator.start()
        made = Run(simulator, name, BackfillSettings(quiet_s=1.0, retry_first_s=0.2, **options.pop("backfill", {})), **options)
        running.append((simulator, made))
        return await made.__aenter__()

    yield begin
    for simulator, made in running:
        await made.__aexit__()
        await simulator.stop()


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
    states = [event["state"] for event in now.events["gaps"]]
    assert states.count("open") == states.count("filled") == len(states) // 2 and now.ledger.open == {}
    assert sum(event["fetched"] for event in now.events["gaps"]) > 0


async def test_pain_08_a_single_trade_that_was_dropped_is_fetched_by_its_number(run):
    now = await run("binance_usdm")
    now.simulator.inject("drop", Scope("binance_usdm", "*", "trade"), count=3)
    await now.settled(1)
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
    lost = [event for event in now.events["gaps"] if event["state"] == "lost"]
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


async def test_candles_that_were_amended_equal_the_venues_own(run):
    now = await run("binance_spot")
    await now.lose(1.5)
    await now.settled(2)
    now.simulator.freeze()
    last_s = time.time_ns() // 10**9
    await until(lambda: time.time_ns() > (last_s + 2) * 10**9, 5)
    now.hear()
    for row in now.capture.instruments.values():
        one = now.simulator.instruments["binance_spot", row.venue_symbol]
        newest = {}
        for event in now.events["candles"]:
            if event["symbol"] == row.symbol and event["channel"].endswith(":1s"):
                newest[event["open_time"] // 10**9] = event
        whole = [second for second, event in newest.items() if event["complete"]]
        by_second: dict[int, list] = {}
        for fill in one.tape:
            by_second.setdefault(fill.at_ns // 10**9, []).append(fill)
        assert len(whole) >= 2 and any(newest[second]["revision"] for second in whole)
        for second in whole:
            fills = by_second.get(second, [])
            assert newest[second]["trades"] == len(fills), (row.symbol, second)
            assert Decimal(newest[second]["volume"]) == one.qty.value(sum(fill.lots for fill in fills))
