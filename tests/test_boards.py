"""Funding, mark price and open interest of every market of the simulated venues, over real sockets and REST, against the simulator's truth."""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from p9.boards import Boards
from p9.capture.line import Connects, FeedSettings
from p9.config import parse
from p9.simulate.figures import truth
from tests.capture.rig import QUICK, Rig
from tests.cext.streams.published import published

CONTRACTS = ("binance_usdm", "binance_coinm", "bybit_linear", "bybit_inverse", "okx_swap", "okx_futures")
PATIENCE_S = 40.0
MS = 1_000_000


class Desk:
    """`events`: the newest event of each channel. `seen`: all of them."""

    def __init__(self, rig, text=""):
        self.rig, self.logged, self.events, self.seen = rig, [], {}, []
        config = parse(text or "analytics: {funding: {poll_interval: 1s}, mark_price: {poll_interval: 1s}, open_interest: {poll_interval: 1s}}")
        self.boards = Boards(config, rig.outbox, rig.outbox.clock, feed=QUICK.feed, log=lambda event, **more: self.logged.append((event, more)))

    async def __aenter__(self):
        self.rig._reader.cancel()
        self.boards.start()
        for capture in self.rig.captures.values():
            self.boards.open(capture, self.rig.clients[capture.market.exchange], Connects(capture.market.limits.connects))
        self.task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await self.boards.close()
        assert self.boards.faults == 0, self.logged

    async def _read(self):
        while True:
            for event in published(self.rig.outbox):
                if event["type"] in ("funding", "mark_price", "open_interest", "audits"):
                    self.events[event["channel"]] = event
                    self.seen.append(event)
            await asyncio.sleep(0.02)

    async def until(self, condition, timeout_s=PATIENCE_S):
        return await self.rig.until(condition, timeout_s)

    def instruments(self):
        return [row for name in CONTRACTS if name in self.rig.captures for row in self.rig.captures[name].instruments.values()]

    def event(self, kind, row):
        return self.events.get(f"{kind}:{row.exchange}:{row.symbol}")

    def complete(self):
        return all(
            (event := self.event(kind, row)) is not None and event[field] is not None
            for row in self.instruments()
            for kind, field in (("mark_price", "basis_bps"), ("open_interest", "quote"), ("funding", "annualised"))
            if kind != "funding" or row.kind == "perpetual"
        )

    def simulated(self, row):
        return self.rig.simulator.instruments[row.market, row.venue_symbol]


def check_prices(desk, row, event):
    """Mark and index as they were at the venue's time of the event, to the decimals that this venue writes. The two may be of different moments."""
    one = desk.simulated(row)
    step = Decimal(1).scaleb(-8) if row.exchange == "binance" else one.px.step
    for name, path in (("mark", one.mark_price), ("index", one.index_price)):
        times = range(event["ts_event"] // MS - 10_000, event["ts_event"] // MS + 1, 10) if row.exchange == "okx" else [event["ts_event"] // MS]
        assert any(abs(path(at_ms * MS) - Decimal(event[name])) <= step / 2 for at_ms in times), f"{row.symbol} {name}"


async def test_every_published_value_is_the_simulator_s_truth():
    async with Rig(markets=CONTRACTS, seed=5, instruments=3) as rig, Desk(rig) as desk:
        await desk.until(lambda: all(capture.listed.is_set() for capture in rig.captures.values()) and desk.complete())
        rig.simulator.freeze()
        await asyncio.sleep(4.0)  # open interest stands still from here on: the next events of stream and poll both tell it
        for row in desk.instruments():
            one = desk.simulated(row)
            mark, interest = desk.event("mark_price", row), desk.event("open_interest", row)
            check_prices(desk, row, mark)
            told = truth(one, interest["ts_event"] // MS)
            assert Decimal(interest["contracts"]) == Decimal(told["open_interest"]) and interest["sides"] == "one"
            amount = Decimal(told["open_interest"]) * Decimal(told["contract_value"])
            exact, derived = ("quote", "base") if row.contract == "inverse" else ("base", "quote")
            assert Decimal(interest[exact]) == amount
            price = Decimal(mark["mark"])
            near = amount / price if row.contract == "inverse" else amount * price
            assert abs(Decimal(interest[derived]) / near - 1) < Decimal("0.002"), "at a mark price of about the same time"
            if row.kind == "perpetual":
                funding = desk.event("funding", row)
                told = truth(one, funding["ts_event"] // MS)["funding"]
                assert Decimal(funding["rate"]) == Decimal(told["rate"]), row.symbol
                assert (funding["next_time"], funding["interval_seconds"]) == (told["next_ms"] * MS, told["interval_ms"] // 1000)
                assert Decimal(funding["annualised"]) == Decimal(told["rate"]) * 365 * 24 / (told["interval_ms"] // 3_600_000)
            else:
                assert desk.event("funding", row) is None, "a dated contract pays none"
        await desk.until(lambda: all(desk.boards.board.status()[kind]["agreed"] for kind in ("mark_price", "open_interest")))
        status = desk.boards.status()
        assert all(not kind["differed"] for kind in status["board"].values()), status["board"]
        assert not any(part["polls"]["bad"] for part in status["markets"].values())


async def test_without_streams_the_polls_alone_tell_the_same():
    text = "analytics: {funding: {poll_interval: 1s, live: false}, mark_price: {poll_interval: 1s, live: false}, open_interest: {poll_interval: 1s, live: false}}"
    async with Rig(markets=("bybit_linear", "okx_swap"), seed=6, instruments=2) as rig, Desk(rig, text) as desk:
        await desk.until(lambda: all(capture.listed.is_set() for capture in rig.captures.values()) and desk.complete())
        assert all(part.live is None for part in desk.boards.markets.values())
        for row in desk.instruments():
            check_prices(desk, row, desk.event("mark_price", row))


async def test_a_stream_that_is_cut_comes_back_and_the_polls_go_on_meanwhile():
    async with Rig(markets=("bybit_linear",), seed=7, instruments=2) as rig, Desk(rig) as desk:
        await desk.until(lambda: rig.captures["bybit_linear"].listed.is_set() and desk.complete())
        feed = desk.boards.markets["bybit_linear"].live.feeds[0]
        rig.inject("disconnect", "bybit_linear")
        await desk.until(lambda: feed.losses == 1 and feed.state == "live")
        taken = desk.boards.board.counts["mark_price", "stream"]
        await desk.until(lambda: desk.boards.board.counts["mark_price", "stream"] > taken + 5)
        for row in desk.instruments():
            check_prices(desk, row, desk.event("mark_price", row))


async def test_a_difference_lost_on_its_way_is_found_by_the_poll_told_in_audits_and_mended_by_a_new_image():
    """Bybit's ticker differences have no numbering: one that is lost can only be seen by asking."""
    async with Rig(markets=("bybit_linear",), seed=8, instruments=1) as rig, Desk(rig) as desk:
        await desk.until(lambda: rig.captures["bybit_linear"].listed.is_set() and desk.complete())
        (row,) = desk.instruments()
        part = desk.boards.markets["bybit_linear"]
        before = part.live.feeds[0].connection.counts["sent"]
        one = desk.simulated(row)
        # the stream goes on to say what it said; the venue's figure is another one now
        rig.simulator.freeze()
        rig.simulator.bybit.categories["linear"].topics[f"tickers.{row.venue_symbol}"].flush = lambda now_ms: None
        one.open_interest_lots = one.open_interest_lots * 2
        await desk.until(lambda: any(event["type"] == "audits" for event in desk.seen))
        finding = next(event for event in desk.seen if event["type"] == "audits")
        assert (finding["kind"], finding["field"], finding["symbol"]) == ("open_interest", "contracts", "BTC-USDT-PERP")
        assert "by poll" in finding["detail"]
        await desk.until(lambda: part.live.feeds[0].connection.counts["sent"] >= before + 2)  # subscribed anew
        await desk.until(lambda: Decimal(desk.event("open_interest", row)["contracts"]) == Decimal(truth(one, 0)["open_interest"]))


@pytest.mark.parametrize("name", ["binance_usdm", "okx_swap"])
async def test_live_topics_are_spread_over_sockets_within_the_limits(name):
    from p9.capture.live import LiveFacts
    from p9.fact import Roster
    from p9.venue import market
    from tests.venues.facts import instrument

    row = market(name)
    some = Roster([instrument(name, f"COIN{n}USDT", symbol=f"S-{n}", index=f"C{n}-USDT") for n in range(450)])
    live = LiveFacts(
        row, some, Connects(row.limits.connects), forms=row.live, kinds={"mark_price"}, clock=None, take=lambda *_: None, on_lost=lambda kinds: None,
        settings=msgspec.structs.replace(FeedSettings()),
    )  # fmt: skip
    topics = [topic for feed in live.feeds for topic in feed.topics]
    assert len(topics) == len(set(topics)) == (450 if name == "binance_usdm" else 900)
    assert max(len(feed.topics) for feed in live.feeds) <= 200
    assert all(sum(map(len, feed.topics)) <= row.limits.socket_chars for feed in live.feeds)


async def test_instruments_that_come_and_go_are_followed_and_the_others_notice_nothing():
    async with Rig(markets=("okx_swap",), seed=9, instruments=2, settings=msgspec.structs.replace(QUICK, symbols=("BTC-USDT-PERP",))) as rig, Desk(rig) as desk:
        capture = rig.captures["okx_swap"]
        await desk.until(lambda: capture.listed.is_set() and desk.complete())
        live = desk.boards.markets["okx_swap"].live
        losses = live.feeds[0].losses
        capture.choose(["*-PERP"])
        await desk.until(lambda: len(desk.instruments()) == 2 and desk.complete())
        assert len(live.feeds) == 1 and live.feeds[0].losses == losses and len(live.feeds[0].topics) == 8
        capture.choose(["ETH-USDT-PERP"])
        await desk.until(lambda: len(live.feeds[0].topics) == 4)
        await desk.until(lambda: live.feeds[0].connection.settled)
        seen = len(desk.seen)
        await desk.until(lambda: len(desk.seen) > seen + 20)
        assert {event["symbol"] for event in desk.seen[seen:]} == {"ETH-USDT-PERP"}
        capture.choose(["*-PERP"])
        await desk.until(lambda: desk.boards.board.fields("funding", next(row for row in desk.instruments() if row.base == "BTC")) is not None if len(desk.instruments()) == 2 else False)


async def test_other_intervals_and_names_take_effect_while_it_runs():
    async with Rig(markets=("bybit_linear",), seed=10, instruments=1) as rig, Desk(rig) as desk:
        await desk.until(lambda: rig.captures["bybit_linear"].listed.is_set() and desk.complete())
        await desk.boards.reconfigure(parse("analytics: {funding: {enabled: false}, mark_price: {publish_channel: marks, live: false}, open_interest: {poll_interval: 1s}}"))
        await desk.until(lambda: "marks:bybit:BTC-USDT-PERP" in desk.events)
        seen = len(desk.seen)
        await desk.until(lambda: len(desk.seen) > seen + 5)
        assert {event["channel"].partition(":")[0] for event in desk.seen[seen:]} <= {"marks", "open_interest"}
        assert desk.events["marks:bybit:BTC-USDT-PERP"]["type"] == "mark_price"
