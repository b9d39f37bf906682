"""Funding, mark price and open interest of every market of the simulated venues, over real sockets and REST, against the simulator's truth."""

import asyncio
from collections import Counter, defaultdict
from decimal import Decimal

import msgspec
import pytest
from cext.names import Names
from cext.streams.block_trades import BlockTrades
from cext.streams.liquidations import Liquidations

from p9.boards import Boards
from p9.capture.line import Connects, FeedSettings
from p9.config import parse
from p9.market.reference import Reference
from p9.simulate.figures import truth
from p9.simulate.reference import Work
from tests.capture.rig import QUICK, Rig
from tests.cext.streams.published import published

CONTRACTS = ("binance_usdm", "binance_coinm", "bybit_linear", "bybit_inverse", "okx_swap", "okx_futures")
MS = 1_000_000


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """What is spread over seconds at a venue's door begins at once here."""
    monkeypatch.setattr("p9.market.poller.FIRST_WITHIN_S", 0.1)
    monkeypatch.setattr("p9.boards.FOLLOW_S", 0.1)
    monkeypatch.setattr("p9.boards.REFER_S", 0.1)


class Desk:
    """`events`: the newest event of each channel. `seen`: all of them."""

    def __init__(self, rig, text="", folder=None, tell=None):
        self.rig, self.logged, self.events, self.seen = rig, [], {}, []
        config = parse(text or "analytics: {funding: {poll_interval: 1s}, mark_price: {poll_interval: 1s}, open_interest: {poll_interval: 1s}, reference: {enabled: false}}")
        self.boards = Boards(config, rig.outbox, rig.outbox.clock, folder=folder, tell=tell, feed=QUICK.feed, log=lambda event, **more: self.logged.append((event, more)))

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

    async def until(self, condition):
        return await self.rig.until(condition)

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
        back_ms = 10_000 if row.exchange == "okx" else 1_000  # its mark and index come apart; a REST answer is stamped after it was made
        times = range(event["ts_event"] // MS - back_ms, event["ts_event"] // MS + 1, 10)
        assert any(abs(path(at_ms * MS) - Decimal(event[name])) <= step / 2 for at_ms in times), f"{row.symbol} {name}"


async def test_every_published_value_is_the_simulator_s_truth():
    async with Rig(markets=CONTRACTS, seed=5, instruments={"binance_usdm": 7, "bybit_linear": 5, "okx_swap": 5}) as rig, Desk(rig) as desk:
        await desk.until(lambda: all(capture.listed.is_set() for capture in rig.captures.values()) and desk.complete())
        rig.simulator.freeze()  # open interest stands still from here on: the next poll tells it
        frozen_ns = rig.outbox.clock.now()
        await desk.until(lambda: all(desk.event("open_interest", row)["ts_recv"] > frozen_ns + 10**8 for row in desk.instruments()))
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
        assert {desk.event("funding", row)["interval_seconds"] for row in desk.instruments() if row.kind == "perpetual"} == {8 * 3600, 4 * 3600}
        assert not any(client.counts["rate_limited"] for client in rig.clients.values()), "polls keep within the venues' limits"


async def test_without_streams_the_polls_alone_tell_the_same():
    text = "analytics: {funding: {poll_interval: 1s, live: false}, mark_price: {poll_interval: 1s, live: false}, open_interest: {poll_interval: 1s, live: false}, adl: {live: false}, block_trades: {enabled: false}, insurance_fund_monitor: {live: false}, reference: {live: false}}"
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
    text = "boards: {disagreements: 1}\nanalytics: {open_interest: {poll_interval: 1s}, reference: {enabled: false}}"
    async with Rig(markets=("bybit_linear",), seed=8, instruments=1) as rig, Desk(rig, text) as desk:
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
        assert [feed.route for feed in live.feeds] == ["public", "business"] and live.feeds[0].losses == losses
        assert len(live.feeds[0].topics) == 2 * 4 + 1, "four of each, and what the venue says of deleveraging"
        capture.choose(["ETH-USDT-PERP"])
        await desk.until(lambda: len(live.feeds[0].topics) == 4 + 1)
        await desk.until(lambda: live.feeds[0].connection.settled)
        seen = len(desk.seen)
        await desk.until(lambda: len(desk.seen) > seen + 5)
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


INSURED = ("binance_usdm", "binance_coinm", "bybit_linear", "bybit_inverse", "okx_swap", "okx_futures")


class InsuranceDesk(Desk):
    async def _read(self):
        while True:
            for event in published(self.rig.outbox):
                if event["type"] in ("insurance_fund", "insurance_alerts"):
                    self.events[event["channel"]] = event
                    self.seen.append(event)
            await asyncio.sleep(0.02)


async def test_insurance_funds_are_the_simulator_s_truth_by_pool_and_asset_and_a_planted_decline_is_an_alert():
    text = "analytics: {insurance_fund_monitor: {poll_interval: 1s}, reference: {enabled: false}}"
    async with Rig(markets=INSURED, seed=11, instruments=3) as rig, InsuranceDesk(rig, text) as desk:

        def truth_of(venue, asset):
            rows = rig.simulator.insurance.truth(int(desk.events[f"insurance_fund:{venue}:{asset}"]["ts_recv"] // MS))
            return {row["pool"]: row["balance"] for row in rows if (row["venue"], row["asset"]) == (venue, asset)}

        def published_of(venue, asset):
            event = desk.events.get(f"insurance_fund:{venue}:{asset}", {"pools": []})
            return {row["pool"]: row["balance"] for row in event["pools"]}

        keys = {(row["venue"], row["asset"]) for row in rig.simulator.insurance.truth(0)}
        assert len(keys) == 7
        await desk.until(lambda: all(published_of(*key) and published_of(*key).keys() == truth_of(*key).keys() for key in keys))
        for key in keys:
            event, told = desk.events[f"insurance_fund:{key[0]}:{key[1]}"], published_of(*key)
            assert Decimal(event["total"]) == sum(map(Decimal, told.values())) and event["stress"] is None
            rows = rig.simulator.insurance.of(key[0], asset=key[1])
            for row in event["pools"]:
                one = next(pool for pool in rows if pool.name == row["pool"])
                assert Decimal(row["balance"]) in {one.balance(row["as_of"] // MS + n) for n in (0, 999)}, "as it was when the venue told it"
                assert row["symbols"] == one.symbols or set(row["symbols"]) <= set(one.symbols)
        owners = {exchange: name for (exchange, _), name in desk.boards._owners.items()}
        assert set(owners) == {"binance", "bybit"} and owners["binance"] == "binance_usdm"
        rig.simulator.insurance.plant(int(rig.outbox.clock.now() // MS), Decimal(12), 0, venue="bybit", asset="USDT", name="BTCUSDT")
        await desk.until(lambda: "insurance_alerts:bybit:USDT" in desk.events)
        alert = desk.events["insurance_alerts:bybit:USDT"]
        assert (alert["kind"], alert["pool"], alert["stress"]) == ("fast_decline", "BTCUSDT", None) and 11.9 < alert["decline_1h_percent"] < 12.1
        assert [event["channel"] for event in desk.seen if event["type"] == "insurance_alerts"] == ["insurance_alerts:bybit:USDT"]
        first = owners["bybit"]
        await desk.boards.shut(first)
        seen = len(desk.seen)
        await desk.until(lambda: any(event["channel"] == "insurance_fund:bybit:BTC" for event in desk.seen[seen:]))
        assert {exchange: name for (exchange, _), name in desk.boards._owners.items()}["bybit"] != first, "another market asks now"


async def test_yesterday_s_balances_on_disk_give_the_level_at_once(tmp_path):
    text = "analytics: {insurance_fund_monitor: {poll_interval: 1s}, reference: {enabled: false}}"
    async with Rig(markets=("binance_usdm",), seed=12, instruments=2) as rig:
        truth_now = rig.simulator.insurance.of("binance", asset="USDT")[0]
        now_ns = rig.outbox.clock.now()
        day_ago = now_ns - 24 * 3600 * 10**9
        line = ["binance", "USDT", truth_now.name, day_ago, str(truth_now.base / Decimal("0.93"))]
        (tmp_path / "insurance.jsonl").write_bytes(msgspec.json.encode(line) + b"\n")
        async with InsuranceDesk(rig, text, folder=tmp_path) as desk:
            await desk.until(lambda: "insurance_alerts:binance:USDT" in desk.events)
            event, alert = desk.events["insurance_fund:binance:USDT"], desk.events["insurance_alerts:binance:USDT"]
            assert (event["stress"], event["change_24h_percent"]) == ("HIGH", pytest.approx(-7.0, abs=0.01))
            assert (alert["kind"], alert["previous"], alert["stress"]) == ("level", None, "HIGH")
            seen = len(desk.seen)
            await desk.boards.reconfigure(parse("analytics: {insurance_fund_monitor: {poll_interval: 2s}, funding: {poll_interval: 7s}, reference: {enabled: false}}"))
            await desk.until(lambda: sum(event["channel"] == "insurance_fund:binance:USDT" for event in desk.seen[seen:]) >= 2)
            assert [event for event in desk.seen[seen:] if event["type"] == "insurance_alerts"] == [], "another interval once told the same level again"
            await desk.boards.reconfigure(parse("analytics: {insurance_fund_monitor: {exchanges: [bybit]}, reference: {enabled: false}}"))
            assert desk.boards.insurance.status()["funds"] == {}
        assert len((tmp_path / "insurance.jsonl").read_text().splitlines()) == 3, "yesterday's, and what this run saw of two assets"


class AdlDesk(Desk):
    """`told`: what was told of each channel, in order."""

    def __init__(self, *args):
        super().__init__(*args)
        self.told = defaultdict(list)

    async def _read(self):
        while True:
            for event in published(self.rig.outbox):
                if event["type"] == "adl":
                    self.told[event["channel"].removeprefix("adl:")].append(event)
            await asyncio.sleep(0.02)


async def test_deleveraging_is_told_as_the_pools_of_each_venue_have_it():
    """Pools lose what the simulator is asked to: a tenth and a third (warned of, or likely), and all of it."""
    text = "analytics: {adl: {poll_interval: 1s}, funding: {enabled: false}, mark_price: {enabled: false}, open_interest: {enabled: false}, reference: {enabled: false}}"
    async with Rig(markets=("binance_usdm", "bybit_linear", "bybit_inverse", "okx_swap"), seed=15, instruments=2) as rig, AdlDesk(rig, text) as desk:
        told, pools = desk.told, rig.simulator.insurance

        def states(channel, field="state"):
            return [event[field] for event in told[channel]]

        await desk.until(lambda: states("binance:BTC-USDT-PERP", "risk") == ["low"] and states("bybit:BTC-USDT-PERP") == states("bybit:BTC-USD-PERP") == ["normal"])
        now_ms = rig.outbox.clock.now() // MS
        assert pools.plant(now_ms, Decimal(35), 0, venue="binance") + pools.plant(now_ms, Decimal(35), 0, venue="bybit") + pools.plant(now_ms, Decimal(15), 0, venue="okx")
        await desk.until(lambda: states("binance:BTC-USDT-PERP", "risk")[-1] == "high" and states("okx:BTC-USDT-PERP") == ["warning"])
        for symbol in ("BTC-USDT-PERP", "BTC-USD-PERP"):
            await desk.until(lambda symbol=symbol: states(f"bybit:{symbol}") == ["normal", "adl"])
            event = told[f"bybit:{symbol}"][-1]
            pool = next(pool for pool in pools.of("bybit") if event["venue_symbol"] in pool.symbols)
            assert event["reason"] == "pnl_drawdown" and event["pool"] == pool.asset and Decimal(event["pnl_ratio"]) <= Decimal("-0.3")
            at_ms = event["ts_event"] // MS
            assert any(Decimal(event["balance"]) == pool.balance(ms) for ms in (at_ms, at_ms - 1000, at_ms + 1000)), "the pool's own figure"
        okx = told["okx:BTC-USDT-PERP"][-1]
        family = next(pool for pool in pools.of("okx") if okx["venue_symbol"] in pool.symbols)
        assert Decimal(okx["balance"]) == family.balance(okx["ts_event"] // MS)
        pools.plant(now_ms, Decimal(100), 0, venue="bybit", asset="USDT")
        await desk.until(lambda: states("bybit:BTC-USDT-PERP", "reason")[-1] == "pool_empty")
        for pool in pools.of("okx"):
            pool.declines.clear()
        await desk.until(lambda: states("okx:BTC-USDT-PERP") == ["warning", "normal"])  # five seconds of silence
        assert told["okx:BTC-USDT-PERP"][-1]["reason"] == "silence"


class BlockRig(Rig):
    def _streams(self, row):
        names = Names(exchange=row.exchange, symbol=row.symbol, market=row.market, venue_symbol=row.venue_symbol)
        return [*super()._streams(row), BlockTrades(names, floor=1e15, share=0.999999)]


class BlockDesk(Desk):
    """`told`: the blocks that were told, and the trades."""

    def __init__(self, *args):
        super().__init__(*args)
        self.told, self.trades = [], []

    async def _read(self):
        while True:
            for event in published(self.rig.outbox):
                if event["type"] == "block_trades":
                    self.told.append(event)
                if event["type"] == "trades":
                    self.trades.append(event)
            await asyncio.sleep(0.02)


async def test_negotiated_trades_of_each_venue_that_tells_them_are_told_once_as_they_were():
    """In the tape on one venue, on topics of their own on the others; and a line that was lost tells none again."""
    text = "analytics: {adl: {enabled: false}, funding: {enabled: false}, mark_price: {enabled: false}, open_interest: {enabled: false}, reference: {enabled: false}}"
    names = ("binance_spot", "bybit_linear", "bybit_inverse", "bybit_spot", "okx_spot", "okx_swap", "okx_futures")
    async with BlockRig(markets=names, seed=16, instruments=1, trades=True) as rig, BlockDesk(rig, text) as desk:
        await rig.until_synced()
        ones = [next(one for (market, _), one in rig.simulator.instruments.items() if market == name) for name in names]
        await desk.until(lambda: all(any(hasattr(stream, "on_block") for stream in one.streams) for one in ones))
        made = [rig.simulator.blocks.make(one, is_buy=n % 2 == 0, lots=(n + 1) * one.listing.median_lots()) for n in range(3) for one in ones]
        await desk.until(lambda: len(desk.told) >= len(made))
        rig.inject("disconnect", "okx")
        made += [rig.simulator.blocks.make(one, is_buy=True, lots=77) for one in ones[:4]]
        await desk.until(lambda: len(desk.told) >= len(made))
        found = {(event["market"], event["trade_id"]): event for event in desk.told}
        assert len(found) == len(desk.told) == len(made), "each once"
        for block in made:
            truth, one = block.truth(), block.one
            event, value = found[truth["market"], truth["id"]], one.listing.contract_value
            assert (event["kind"], event["venue_symbol"], event["side"], event["ts_event"]) == ("venue", truth["symbol"], truth["side"], truth["at_ms"] * MS)
            price, amount = Decimal(truth["price"]), Decimal(truth["quantity"]) * value
            assert Decimal(event["price"]) == price
            if one.is_inverse:
                assert Decimal(event["quote_quantity"]) == amount and abs(Decimal(event["quantity"]) - amount / price) <= Decimal("0.000000005")
            else:
                assert Decimal(event["quantity"]) == amount and Decimal(event["quote_quantity"]) == amount * price
            told_apart = [trade for trade in desk.trades if trade["market"] == truth["market"] and trade["trade_id"] == truth["id"]]
            assert all(trade.get("block") for trade in told_apart), "where it stands in the tape, it is marked"
            assert bool(told_apart) == truth["market"].startswith("bybit")
        assert desk.boards.refused_blocks == 0


class ForcedRig(Rig):
    def _streams(self, row):
        return [*super()._streams(row), Liquidations(Names(exchange=row.exchange, symbol=row.symbol, market=row.market, venue_symbol=row.venue_symbol))]


class ForcedDesk(InsuranceDesk):
    """`forced`: quote and base coins of the liquidations published, by venue symbol."""

    async def _read(self):
        self.forced = Counter()
        while True:
            for event in published(self.rig.outbox):
                if event["type"] == "insurance_fund":
                    self.events[event["channel"]] = event
                if event["type"] == "liquidations":
                    self.forced[event["venue_symbol"]] += Decimal(event["quantity" if event["venue_symbol"] == "BTCUSD" else "quote_quantity"])
            await asyncio.sleep(0.02)


async def test_what_is_liquidated_weighs_on_the_pool_that_answers_for_it(monkeypatch):
    monkeypatch.setattr("p9.boards.WEIGH_S", 0.1)
    text = "analytics: {insurance_fund_monitor: {poll_interval: 1s, live: false}, reference: {enabled: false}}"
    async with ForcedRig(markets=("bybit_linear", "bybit_inverse"), seed=14, instruments=2) as rig, ForcedDesk(rig, text) as desk:
        await rig.until_synced()
        for market, symbol, asset in (("bybit_linear", "BTCUSDT", "USDT"), ("bybit_inverse", "BTCUSD", "BTC")):
            one = rig.simulator.instruments[market, symbol]
            pool = next(pool for pool in rig.simulator.insurance.of("bybit", asset=asset) if symbol in pool.symbols)
            worth = 0.3 * float(pool.base * (one.px.value(one.model.best[0]) if asset == "BTC" else 1))
            rig.simulator.plants.plant("cascade", one, side="sell", orders=4, every_ms=20, quote=worth)

            def score(asset=asset, symbol=symbol):
                event = desk.events.get(f"insurance_fund:bybit:{asset}", {"pools": []})
                return next(((row["score"], Decimal(row["balance"])) for row in event["pools"] if symbol in row["symbols"]), (None, Decimal(1)))

            def told(score=score, symbol=symbol):
                found, balance = score()
                return found is not None and found > 0.005 and abs(found - float(desk.forced[symbol] / balance)) < 0.001

            await desk.until(told)


class ReferenceDesk(Desk):
    async def _read(self):
        while True:
            for event in published(self.rig.outbox):
                if event["type"] in ("reference", "integrity"):
                    self.events[event["channel"]] = event
                    self.seen.append(event)
            await asyncio.sleep(0.02)


async def test_reference_data_of_every_venue_with_status_risk_and_what_changes(monkeypatch):
    monkeypatch.setattr("p9.capture.relisting.LEAST_S", 0.2)
    monkeypatch.setattr("p9.capture.relisting.SOON_S", 0.2)
    text = "analytics: {funding: {enabled: false}, mark_price: {enabled: false}, open_interest: {enabled: false}, insurance_fund_monitor: {enabled: false}, reference: {poll_interval: 1s}}"
    names = ("binance_spot", "bybit_spot", "okx_spot", *CONTRACTS)
    told = []
    async with Rig(markets=names, seed=13, instruments=2) as rig, ReferenceDesk(rig, text, tell=lambda kind, detail, **more: told.append((kind, more["source"], more["state"]))) as desk:

        def document(exchange):
            return desk.events.get(f"reference:{exchange}:-", {"instruments": [], "risk": [], "status": [], "changes": []})

        await desk.until(lambda: all(len(document(exchange)["instruments"]) == 6 for exchange in ("binance", "bybit", "okx")))
        await desk.until(lambda: all(len(document(exchange)["risk"]) == n for exchange, n in (("binance", 2), ("bybit", 6), ("okx", 6))))
        await desk.until(lambda: all(row["highest_bid"] for row in document("bybit")["risk"] + document("okx")["risk"]))
        await desk.until(lambda: all(row["tiers"] for row in document("okx")["risk"] + document("bybit")["risk"] if "spot" not in row["market"]))
        await desk.until(lambda: {row["adl_risk"] for row in document("binance")["risk"]} == {"low"})
        await desk.until(lambda: {row["fee_group"] for row in document("bybit")["risk"] if row["market"] == "bybit_linear"} == {"Major-Assets"})
        for exchange in ("binance", "bybit", "okx"):
            for row in document(exchange)["instruments"]:
                one = rig.simulator.instruments[row["market"], row["venue_symbol"]]
                assert Decimal(row["tick"]) == Decimal(one.listing.tick)
                assert row["contract"] == "base" or Decimal(row["contract_value"]) == one.listing.contract_value
        # the venue pushes what changed, and works on itself: over REST on one venue, over sockets on the others
        now_ms = int(rig.outbox.clock.now() // MS)
        for venue in ("binance", "bybit", "okx"):
            rig.simulator.reference.announce(Work(venue, "w1", f"upgrade of {venue}", "ongoing", now_ms, now_ms + 60_000), now_ms)
        await desk.until(lambda: {source for _, source, _ in told} == {"binance", "bybit", "okx"})
        await desk.until(lambda: all(document(exchange)["status"] for exchange in ("binance", "bybit", "okx")))
        for market_name, symbol in (("binance_usdm", "BTCUSDT"), ("okx_swap", "ETH-USDT-SWAP")):
            rig.simulator.reference.change(rig.simulator.instruments[market_name, symbol], {"tick": "0.0001"}, now_ms)
        await desk.until(lambda: all(any(change["after"] == "0.0001" for change in document(exchange)["changes"]) for exchange in ("binance", "okx")))
        assert {change["venue_symbol"] for exchange in ("binance", "okx") for change in document(exchange)["changes"]} == {"BTCUSDT", "ETH-USDT-SWAP"}
        await desk.until(lambda: any(event.get("kind") == "relisted" and event["symbol"] == "ETH-USDT-PERP" for event in desk.seen))
        await rig.until_synced()
        status = desk.boards.status()
        assert not any(part["polls"]["bad"] or part["live"].get("bad") for part in status["markets"].values())
        assert all(not row["reason"] for part in status["markets"].values() for row in part["polls"]["rows"]), status["markets"]


async def test_a_stop_publishes_no_reference_data_without_the_markets_that_it_ends(monkeypatch):
    """Each market's end empties its part of the document, which was then published within the second that a stop may take."""
    monkeypatch.setattr("p9.boards.REFER_S", 0.0)
    names = ("binance_spot", "binance_usdm", "binance_coinm")
    async with Rig(markets=names, seed=15, instruments=2) as rig, ReferenceDesk(rig, "analytics: {reference: {poll_interval: 1s}}") as desk:
        await desk.until(lambda: len(desk.events.get("reference:binance:-", {"instruments": []})["instruments"]) == 6)
        reference = desk.boards.references["binance"]
        told = reference.counts["published"]
        await desk.boards.close()
        assert reference.counts["published"] == told


async def test_another_configuration_publishes_no_reference_data_without_the_markets_that_begin_anew(monkeypatch):
    monkeypatch.setattr("p9.boards.REFER_S", 0.0)
    sizes, document = [], Reference.document
    monkeypatch.setattr(Reference, "document", lambda self, rows: (sizes.append(len(rows)), document(self, rows))[1])
    names = ("binance_spot", "binance_usdm", "binance_coinm")
    async with Rig(markets=names, seed=16, instruments=2) as rig, ReferenceDesk(rig, "analytics: {reference: {poll_interval: 1s}}") as desk:
        await desk.until(lambda: 6 in sizes)
        before = len(sizes)
        await desk.boards.reconfigure(parse("analytics: {reference: {poll_interval: 2s}}"))
        await desk.until(lambda: len(sizes) > before)
        await asyncio.sleep(0.3)
        assert set(sizes[before:]) == {6}
