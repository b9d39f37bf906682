"""The options of the simulated venues, over real sockets and REST, against the surface that they are made of; and by hand what takes a day."""

import asyncio
import json
import math
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from p9.analysis.options.chain import ChainSettings, Fact
from p9.capture.cold_feed import ColdFeed
from p9.capture.line import Connects
from p9.capture.options import OptionCapture, OptionSettings
from p9.errors import RestError, RestRefused
from p9.market.rest import RestClient, RestSettings
from p9.option import options_of
from p9.simulate.binance_options import BinanceOptions, BinanceOptionsRest, Quoted
from p9.simulate.faults import Faults
from p9.simulate.index import Index
from p9.simulate.option_chain import OptionChain
from p9.simulate.schedule import Schedule
from p9.simulate.server import Simulator
from tests.capture.rig import QUICK
from tests.cext.streams.published import published
from tests.patience import until

EXCHANGES = ("binance", "bybit", "okx")
# what the venue calls an underlying, the exchange, what we call it
CHAINS = [
    ("BTCUSDT", "binance", "BTC-USDT"), ("ETHUSDT", "binance", "ETH-USDT"), ("BTC", "bybit", "BTC-USDT"), ("ETH", "bybit", "ETH-USDT"),
    ("BTC-USD", "okx", "BTC-USD"), ("BTC-USD_UM", "okx", "BTC-USD_UM"),
]  # fmt: skip
FAST = OptionSettings(underlyings=("BTC", "ETH-USDT"), publish_s=1.0, poll_s=1.0, list_soon_s=0.2, feed=QUICK.feed)


class Desk:
    """`events`: the newest event of each channel, its rows as {symbol of ours: {column: value}}. `facts`: what listeners heard."""

    def __init__(self, exchanges=EXCHANGES, *, settings=FAST, **simulated):
        self.simulator = Simulator(**({"rate": 0.01} | simulated))
        self.exchanges, self.settings = exchanges, settings
        self.outbox = Outbox(Clock(), epoch=1)
        self.captures: dict[str, OptionCapture] = {}
        self.events, self.facts, self.logged = {}, [], []

    async def __aenter__(self):
        await self.simulator.start()
        self.clients = []
        for exchange in self.exchanges:
            source = options_of(exchange)
            place = self.simulator.endpoints[source.market.name]
            client = RestClient(exchange, settings=RestSettings(share=1.0))
            await client.start()
            self.clients.append(client)
            market = source.market.at(place["rest"], place["ws"])
            capture = self.captures[exchange] = OptionCapture(
                source, market, client=client, connects=Connects(market.limits.connects), outbox=self.outbox, clock=self.outbox.clock,
                settings=self.settings, log=lambda event, **more: self.logged.append((event, more)),
            )  # fmt: skip
            capture.listeners.append(self.facts.append)
            await capture.start()
        self.reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_):
        self.reader.cancel()
        for part in (*self.captures.values(), *self.clients, self.simulator):
            await part.stop()
        assert all(capture.faults == 0 for capture in self.captures.values()), self.logged

    async def _read(self):
        while True:
            for event in published(self.outbox):
                self.events[event["channel"]] = named(event)
            await asyncio.sleep(0.02)

    async def until(self, condition):
        await until(condition)


def named(event: dict) -> dict:
    for expiry in event["expiries"]:
        expiry["rows"] = {(row[0], row[1]): dict(zip(event["columns"], row, strict=True)) for row in expiry["rows"]}
    return event


def whole(event: dict | None, fields=("mark_iv", "mark_price")) -> bool:
    """Something of everything was told of every option."""
    rows = [row for expiry in event["expiries"] for row in expiry["rows"].values()] if event else []
    return bool(rows) and all(row[field] is not None for row in rows for field in fields)


def number(text, column):
    """A venue's text as the number that it means; what stands for nothing is None."""
    nothing = (None, "", "-1.0", "5") if column in ("bid_iv", "ask_iv") else (None, "")
    return Decimal(text) if text not in nothing and (Decimal(text) or column in ANY) else None


# our column: the simulated venue's own text
TEXTS = {
    "mark_iv": "vol", "bid_iv": "bid_vol", "ask_iv": "ask_vol", "mark_price": "mark", "bid_price": "bid", "ask_price": "ask", "delta": "delta", "gamma": "gamma",
    "vega": "vega", "theta": "theta", "delta_coin": "delta_coin", "gamma_coin": "gamma_coin", "vega_coin": "vega_coin", "theta_coin": "theta_coin",
}  # fmt: skip
SIZES = {"bid_quantity": "bid_size", "ask_quantity": "ask_size", "open_interest": "interest"}
ANY = ["open_interest", *(column for column in TEXTS if column.partition("_")[0] in ("delta", "gamma", "vega", "theta"))]  # 0 is a value


async def test_every_row_is_the_venue_s_text_and_every_figure_the_surface_s():
    """The market stands still; all that is published is then held against what was sent, and against the formula that it was made from."""
    async with Desk(seed=11) as desk:
        channels = [f"options_iv:{exchange}:{underlying}" for _, exchange, underlying in CHAINS]
        await desk.until(lambda: all(whole(desk.events.get(channel), ("mark_iv", "mark_price", "open_interest")) for channel in channels))
        desk.simulator.freeze()
        at_ms = desk.simulator.chains["BTC"].held_ms
        polled = {exchange: desk.captures[exchange].poller.counts.copy() for exchange in EXCHANGES}
        await asyncio.sleep(1.5)  # whatever was under way has arrived
        seen = {channel: desk.events[channel]["seq"] for channel in channels}
        await desk.until(
            lambda: all(desk.events[channel]["seq"] >= seen[channel] + 2 for channel in channels)
            and all(desk.captures["okx"].poller.counts[kind, "answered"] >= polled["okx"][kind, "answered"] + 4 for kind in ("option_tickers", "option_marks"))
        )
        for name, exchange, underlying in CHAINS:
            event = desk.events[f"options_iv:{exchange}:{underlying}"]
            venue = {"binance": desk.simulator.binance["binance_option"], "bybit": desk.simulator.bybit.options, "okx": desk.simulator.okx.options}[exchange]
            coin = underlying.partition("-")[0]
            check_rows(event, venue.texts(name if exchange == "okx" else coin, at_ms), desk.captures[exchange].chains[underlying])
            check_figures(event, desk.simulator.chains[coin].truth(at_ms), exchange)
            assert (event["market"], event["venue_symbol"], event["type"]) == (f"{exchange}_option", name, "options_iv")
            assert event["price_unit"] == {"BTC-USD": "BTC", "BTC-USD_UM": "USD"}.get(underlying, "USDT")
            assert event["checked"] > 0 and event["disagreeing"] == 0 and event["arbitrage"] == {"butterfly": 0, "calendar": 0}
        for exchange, capture in desk.captures.items():
            assert set(capture.counts) <= {"rows_refused"} and capture.counts["rows_refused"] == 0, exchange
            assert all(set(chain.counts) <= {"older"} for chain in capture.chains.values())
        heard = {(fact.exchange, fact.underlying) for fact in desk.facts}
        assert heard == {(exchange, underlying) for _, exchange, underlying in CHAINS} and isinstance(desk.facts[0], Fact)


def check_rows(event: dict, texts: dict[str, dict[str, str]], chain) -> None:
    rows = {(expiry["expiry"], *key): row for expiry in event["expiries"] for key, row in expiry["rows"].items()}
    assert len(rows) == len(texts) == event["options"]
    for symbol, quote in chain.options.items():
        one, sent = quote.instrument, texts[symbol]
        row = rows[one.expires_ns, one.strike, one.option_type]
        contract = Decimal(one.contract_value)
        for column, key in TEXTS.items():
            if key in sent:
                told = row[column]
                assert (Decimal(told) if told is not None else None) == number(sent[key], column), f"{symbol} {column}: {told} of {sent[key]!r}"
        for column, key in SIZES.items():
            if key in sent:
                expected = number(sent[key], column)
                assert (Decimal(row[column]) / contract if row[column] is not None else None) == expected, f"{symbol} {column}"


BETWEEN = 0.012  # what is lost of a volatility between strikes half a deviation apart, some of which are not used


def vega(sigma: float, expiry: dict, strike: float, exchange: str) -> float:
    """Of the price as the venue writes it, by Black's formula: what its last digit is worth in volatility is the reciprocal of it."""
    years = expiry["days"] / 365
    d1 = (math.log(expiry["forward_used"] / strike) + sigma * sigma * years / 2) / (sigma * math.sqrt(years))
    paid_in = 1.0 if exchange == "okx" else expiry["forward_used"]  # coins, or dollars
    return paid_in * math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi) * math.sqrt(years)


def check_figures(event: dict, truth: dict, exchange: str) -> None:
    rounding = 0.0005 if exchange == "binance" else 0.00005 if exchange == "bybit" else 0.0  # of the volatilities that they write
    for expiry, true in zip(event["expiries"], truth["expiries"], strict=True):
        assert expiry["expiry"] == true["expiry_ms"] * 10**6
        assert expiry["forward_used"] == pytest.approx(true["forward"], rel=2e-7)
        assert expiry["in_smile"] + sum(expiry["not_used"].values()) == expiry["strikes"]
        if expiry["days"] <= 0.5:
            assert expiry["atm_iv"] is None and expiry["not_used"] == {"ending": expiry["strikes"]}
            continue
        points = smile_of(expiry, true["forward"])
        assert expiry["atm_iv"] == pytest.approx(line_at_the_money(points, true["forward"]), abs=2e-5)
        assert expiry["atm_iv"] == pytest.approx(true["atm"], abs=BETWEEN + rounding)
        for ours, theirs, call_delta in (("call_25_iv", "call_25", 0.25), ("put_25_iv", "put_25", 0.75)):
            if expiry[ours] is not None:
                low, high = neighbours(points, true["forward"], true["years"], call_delta)
                assert low - 2e-5 <= expiry[ours] <= high + 2e-5, "a monotone curve stays between its two points"
                assert expiry[ours] == pytest.approx(true[theirs], abs=BETWEEN + rounding), f"{expiry['days']} {ours}"
        if None not in (expiry["call_25_iv"], expiry["put_25_iv"]):
            assert expiry["risk_reversal_25"] == pytest.approx(expiry["call_25_iv"] - expiry["put_25_iv"], abs=2e-6)
            assert expiry["butterfly_25"] == pytest.approx((expiry["call_25_iv"] + expiry["put_25_iv"]) / 2 - expiry["atm_iv"], abs=2e-6)
            assert expiry["malz_error"] is not None
    for row in event["maturities"]:
        true = truth["maturities"][str(row["days"])]
        for ours, theirs in (("atm_iv", "atm"), ("call_25_iv", "call_25"), ("put_25_iv", "put_25")):
            assert row[ours] == pytest.approx(true[theirs], abs=BETWEEN + rounding), f"{row['days']} {ours}"
    for expiry in event["expiries"]:
        for key, row in expiry["rows"].items():
            if row["own_iv"] is not None:
                step = 10.0 ** Decimal(row["mark_price"]).as_tuple().exponent / vega(row["own_iv"], expiry, float(key[0]), exchange)
                assert row["own_iv"] == pytest.approx(float(row["mark_iv"]), abs=0.002 + rounding + step), key
            if row["own_delta"] is not None and exchange != "okx":
                assert row["own_delta"] == pytest.approx(float(row["delta"]), abs=0.002), key


def smile_of(expiry: dict, forward: float) -> list[tuple[float, float]]:
    """The strikes that were used, and their volatilities as they were told."""
    used = [row for row in expiry["rows"].values() if row["use"] == "smile"]
    assert all((row["type"] == "C") == (float(row["strike"]) >= forward) for row in used), "options out of the money alone"
    return [(float(row["strike"]), float(row["mark_iv"])) for row in used]


def line_at_the_money(points: list[tuple[float, float]], forward: float) -> float:
    """Linear in variance over the logarithm of the strike."""
    (k0, v0), (k1, v1) = next((a, b) for a, b in pairwise(points) if a[0] <= forward <= b[0])
    share = math.log(forward / k0) / math.log(k1 / k0)
    return math.sqrt((1 - share) * v0 * v0 + share * v1 * v1)


def neighbours(points: list[tuple[float, float]], forward: float, years: float, call_delta: float) -> tuple[float, float]:
    """The volatilities of the two points between whose deltas this one lies."""
    deltas = [phi(math.log(forward / strike) / (vol * math.sqrt(years)) + vol * math.sqrt(years) / 2) for strike, vol in points]
    right = next(i for i in range(1, len(points)) if deltas[i] <= call_delta + 1e-4)
    return tuple(sorted((points[right - 1][1], points[right][1])))


async def test_a_socket_that_is_cut_and_frames_that_are_spoiled_cost_what_they_held():
    settings = msgspec.structs.replace(FAST, underlyings=("BTC",))
    async with Desk(("binance", "bybit"), seed=12, settings=settings, faults="malformed:0.3@binance_option,drop:0.2@bybit_option") as desk:
        channel = "options_iv:binance:BTC-USDT"
        await desk.until(lambda: whole(desk.events.get(channel)))
        spoiled = desk.captures["binance"]
        await desk.until(lambda: spoiled.counts["unreadable"] + sum(feed.connection.counts["control_unknown"] for feed in spoiled.feeds if feed.connection) > 1)
        for exchange in ("binance", "bybit"):
            feed = desk.captures[exchange].feeds[0]
            lost = feed.losses
            for connection in desk.simulator._connections():
                if connection.market == f"{exchange}_option":
                    connection.cut()
            await desk.until(lambda feed=feed, lost=lost: feed.losses > lost and feed.state == "live")
        desk.simulator.faults.set("")
        for each in (channel, "options_iv:bybit:BTC-USDT"):
            seq = desk.events[each]["seq"]
            await desk.until(lambda seq=seq, each=each: desk.events[each]["seq"] > seq + 2 and whole(desk.events[each]))
        assert sum(event == "frame refused" for event, _ in desk.logged) <= 2, "said once"


async def test_what_nobody_tells_any_more_is_told_to_be_unknown_once():
    settings = msgspec.structs.replace(FAST, chain=ChainSettings(stale_s=2.0))
    async with Desk(("binance",), seed=13, settings=settings) as desk:
        channel = "options_iv:binance:ETH-USDT"
        await desk.until(lambda: whole(desk.events.get(channel)))
        for stream in desk.simulator.binance["binance_option"]._streams.values():
            stream.publish = lambda payload: None
        await desk.until(lambda: desk.events[channel]["index_price"] is None)
        event = desk.events[channel]
        assert {row["use"] for expiry in event["expiries"] for row in expiry["rows"].values()} == {"stale"}
        assert all(row["mark_iv"] is None and row["mark_price"] is None for expiry in event["expiries"] for row in expiry["rows"].values())
        assert [row["atm_iv"] for row in event["maturities"]] == [None] * 3
        rounds = desk.captures["binance"].rounds
        await desk.until(lambda: desk.captures["binance"].rounds > rounds + 3)
        assert desk.events[channel]["seq"] == event["seq"], "said once"


async def test_a_mistake_of_ours_is_counted_and_the_options_begin_again(monkeypatch):
    monkeypatch.setattr("p9.capture.options.FAULT_PAUSE_S", 0.1)
    async with Desk(("binance",), seed=15, settings=msgspec.structs.replace(FAST, underlyings=("ETH",))) as desk:
        capture, channel = desk.captures["binance"], "options_iv:binance:ETH-USDT"
        await desk.until(lambda: whole(desk.events.get(channel)))
        monkeypatch.setattr(capture.chains["ETH-USDT"], "compose", lambda now_ns: 1 / 0)
        await desk.until(lambda: capture.faults)
        assert "ZeroDivisionError" in next(more["reason"] for event, more in desk.logged if event == "options failed")
        monkeypatch.undo()
        seq = desk.events[channel]["seq"]
        await desk.until(lambda: desk.events[channel]["seq"] > seq + 1 and whole(desk.events[channel]) and capture.feeds[0].state == "live")
        capture.faults = 0


async def test_reference_data_are_asked_for_until_they_are_had():
    async with Desk(("okx",), seed=14, faults="http_500:1@okx") as desk:
        await desk.until(lambda: "503" in desk.captures["okx"].reason)
        assert desk.captures["okx"].state == "starting"
        desk.simulator.faults.set("")
        await desk.until(lambda: whole(desk.events.get("options_iv:okx:BTC-USD")))
        assert desk.captures["okx"].state == "running" and desk.captures["okx"].reason == ""


# ---- by hand: a clock that is set, and a venue that answers at once

MS = 10**6


class Hand:
    """A capture of the first venue whose frames and answers are given to it: the simulated venue's own, at any time."""

    def __init__(self, at_ms: int, *, settings=None, coins=("BTC",)):
        self.clock = Clock(at_ms * MS)
        self.chains = {coin: OptionChain(coin, Index("hand", (at_ms - 1000) * MS, {"BTC": 86_000.0, "ETH": 2_900.0}[coin]), "hand") for coin in coins}
        self.venue = BinanceOptions(self.chains, Schedule(), Faults())
        self.rest = BinanceOptionsRest(self.venue, None)
        self.asked, self.error = 0, None
        self.outbox = Outbox(self.clock, epoch=1)
        source = options_of("binance")
        self.capture = OptionCapture(
            source, source.market, client=self, connects=Connects(source.market.limits.connects), outbox=self.outbox, clock=self.clock,
            settings=settings or OptionSettings(underlyings=tuple(coins)),
        )  # fmt: skip

    async def get(self, market, request, priority, *, attempts=None):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.rest._exchange_info({}, self.clock.now() // MS).encode()

    def tell(self, at_ms: int, coin: str = "BTC") -> None:
        self.clock.set(at_ms * MS)
        rows = ",".join(Quoted(self.chains[coin], mark, at_ms).text(at_ms) for mark in self.chains[coin].marks(at_ms))
        self.capture._hold(f'{{"stream":"{coin.lower()}usdt@optionMarkPrice","data":[{rows}]}}'.encode(), at_ms * MS)

    async def event(self) -> dict:
        await self.capture.round()
        (event,) = published(self.outbox)
        return named(event)

    def topics(self) -> list[str]:
        return [name for feed in self.capture.feeds for name in feed.topics]


EIGHT_MS = 1_790_236_800_000  # 2026-09-24 08:00 UTC
DAY_MS = 86_400_000


async def test_an_expiry_rolls_over_at_eight():
    """A second before, its options are told; at eight they are gone, their topics too, and what is listed in their stead is asked for and taken."""
    hand = Hand(EIGHT_MS - 2000)
    assert await hand.capture._list()
    hand.tell(EIGHT_MS - 1000)
    before = await hand.event()
    assert before["expiries"][0]["expiry"] == EIGHT_MS * MS and before["expiries"][0]["not_used"] == {"ending": 11}
    assert before["expiries"][0]["days"] == pytest.approx(1 / 86_400, abs=1e-6)
    assert "btcusdt@openInterest@260924" in hand.topics() and "btcusdt@openInterest@260928" not in hand.topics()
    hand.tell(EIGHT_MS)  # the venue tells of the new day at once; nobody has told us of it
    after = await hand.event()
    assert [one["expiry"] for one in after["expiries"]] == [one["expiry"] for one in before["expiries"][1:]]
    assert after["options"] == before["options"] - 22 and all(one["in_smile"] for one in after["expiries"])
    assert "btcusdt@openInterest@260924" not in hand.topics() and "btcusdt@optionMarkPrice" in hand.topics()
    assert after["maturities"][1]["atm_iv"] == pytest.approx(before["maturities"][1]["atm_iv"], abs=1e-3)
    assert hand.capture._list_now.is_set() and hand.capture.counts["unknown"] == 22
    ended = f"BTC-260924-{before['expiries'][0]['rows'].popitem()[0][0]}-P"
    hand.capture._hold(json.dumps({"stream": "btcusdt@optionMarkPrice", "data": [{"s": ended, "E": EIGHT_MS}]}).encode(), hand.clock.now())
    await hand.capture.round()
    assert hand.capture.counts["unknown"] == 22, "what has ended is no stranger"
    assert await hand.capture._list()
    hand.tell(EIGHT_MS + 30_000)
    listed = await hand.event()
    new_ms = EIGHT_MS + 3 * DAY_MS
    assert new_ms * MS in {one["expiry"] for one in listed["expiries"]} - {one["expiry"] for one in after["expiries"]}
    assert whole(listed, ("mark_iv",)) and hand.capture.counts["unknown"] == 22
    assert "btcusdt@openInterest@260927" in hand.topics() and len(hand.capture.feeds) == 1


async def test_an_option_that_no_reference_data_know_is_looked_for_once():
    hand = Hand(EIGHT_MS + 5000)
    await hand.capture._list()
    frame = {"stream": "btcusdt@optionMarkPrice", "data": [{"s": "BTC-990101-1-C", "E": 1}, {"s": "BTC-990101-2-C", "E": 1}]}
    for _ in range(3):
        hand.capture._hold(json.dumps(frame).encode(), hand.clock.now())
        await hand.capture.round()
    assert hand.capture.counts["unknown"] == 2 and hand.capture._list_now.is_set()
    await hand.capture._list()
    hand.capture._list_now.clear()
    hand.capture._hold(json.dumps(frame).encode(), hand.clock.now())
    await hand.capture.round()
    assert hand.capture.counts["unknown"] == 2 and not hand.capture._list_now.is_set()


async def test_options_of_other_underlyings_are_no_strangers():
    hand = Hand(EIGHT_MS + 5000, coins=("BTC", "ETH"), settings=OptionSettings(underlyings=("ETH-USDT",)))
    await hand.capture._list()
    hand.tell(EIGHT_MS + 6000, "BTC")
    await hand.capture.round()
    assert list(hand.capture.chains) == ["ETH-USDT"] and not hand.capture.counts["unknown"] and not published(hand.outbox)


@pytest.mark.parametrize(
    "error, reason", [(RestRefused("400 -1121 Invalid symbol."), "Invalid symbol"), (RestError("503 overloaded"), "overloaded"), (None, "no option of these")]
)
async def test_without_options_the_reason_is_told(error, reason):
    hand = Hand(EIGHT_MS + 5000, settings=OptionSettings(underlyings=("SOL",)))
    hand.error = error
    assert not await hand.capture._list()
    assert reason in hand.capture.status()["reason"]


async def test_what_could_be_had_in_part_is_used_and_asked_for_again():
    """One of a venue's questions fails: the options of the other answer are captured, and the reason is told."""
    hand = Hand(EIGHT_MS + 5000)
    source = hand.capture.source
    both = [*source.instrument_requests(source.market, "BTC"), msgspec.structs.replace(source.instrument_requests(source.market, "BTC")[0], path="/other")]
    hand.capture.source = msgspec.structs.replace(source, instrument_requests=lambda market, coin: both)
    answer = hand.get

    async def get(market, request, priority, *, attempts=None):
        if request.path == "/other":
            raise RestError("503 overloaded")
        return await answer(market, request, priority)

    hand.capture._client = hand
    hand.get = get
    assert await hand.capture._list() and "overloaded" in hand.capture.reason and hand.capture._list_now.is_set()
    assert len(hand.capture.chains["BTC-USDT"].options) == len(hand.chains["BTC"].options(EIGHT_MS + 5000))


async def test_a_venue_that_answers_no_more_keeps_what_is_listed():
    hand = Hand(EIGHT_MS + 5000)
    assert await hand.capture._list()
    n = len(hand.capture.chains["BTC-USDT"].options)
    hand.error = RestError("503")
    assert await hand.capture._list() and len(hand.capture.chains["BTC-USDT"].options) == n
    assert "503" in hand.capture.reason


async def test_the_newest_of_whole_frames_is_read_and_each_of_the_others():
    hand = Hand(EIGHT_MS + 5000)
    await hand.capture._list()
    for n in range(5):
        hand.tell(EIGHT_MS + 6000 + 200 * n)
    hand.capture._hold(b'{"stream":"btcusdt@openInterest@260925","data":[]}', hand.clock.now())
    assert {name: len(frames) for name, frames in hand.capture._held.items()} == {"btcusdt@optionMarkPrice": 1, "btcusdt@openInterest@260925": 1}
    event = await hand.event()
    assert event["ts_event"] == (EIGHT_MS + 6800) * MS == event["ts_recv"]
    hand.capture.source = msgspec.structs.replace(hand.capture.source, whole=lambda frame: False)
    for n in range(1005):
        hand.capture._hold(b'{"stream":"btcusdt@optionMarkPrice","data":[]}', n)
    assert len(hand.capture._held["btcusdt@optionMarkPrice"]) == 1000 and hand.capture.counts["frames_dropped"] == 5


async def test_others_have_their_turns_while_a_chain_is_read_and_told():
    """With slices of no time, a turn between every sixteen rows and every two pieces of the event."""
    hand = Hand(EIGHT_MS + 5000, settings=OptionSettings(underlyings=("BTC",), slice_s=0.0))
    await hand.capture._list()
    hand.tell(EIGHT_MS + 6000)
    turns = 0

    async def turn():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(turn())
    await hand.capture.round()
    other.cancel()
    options = len(hand.capture.chains["BTC-USDT"].options)
    assert turns >= options // 16 + 2 * len(hand.capture.chains["BTC-USDT"].expiries)
    assert hand.capture.busy_s > 0 and hand.capture.longest_slice_s <= hand.capture.busy_s


async def test_a_listener_that_fails_costs_itself():
    hand = Hand(EIGHT_MS + 5000)
    heard: list[Fact] = []
    hand.capture.listeners += [lambda fact: 1 / 0, heard.append]
    await hand.capture._list()
    hand.tell(EIGHT_MS + 6000)
    event = await hand.event()
    assert hand.capture.counts["listener_faults"] == 1
    (fact,) = heard
    assert fact.maturities[30].risk_reversal == pytest.approx(event["maturities"][1]["risk_reversal_25"], abs=1e-6)


async def test_topics_are_spread_over_sockets_within_the_venue_s_limits_and_stay_where_they_are():
    """A thousand contracts do not fit into 21,000 signs: three sockets. What ends leaves its socket, what comes takes the room."""
    source = options_of("bybit")
    outbox = Outbox(Clock(), epoch=1)
    capture = OptionCapture(source, source.market, client=None, connects=Connects(()), outbox=outbox, clock=outbox.clock)
    rows = [
        {
            "symbol": f"BTC-25DEC37-{strike}-{kind[0]}-USDT", "status": "Trading", "baseCoin": "BTC", "settleCoin": "USDT", "optionsType": kind,
            "deliveryTime": "2145254400000", "priceFilter": {"tickSize": "5"}, "lotSizeFilter": {"qtyStep": "0.01"},
        }
        for strike in range(100_000, 100_500) for kind in ("Call", "Put")
    ]  # fmt: skip
    some = source.parse(source.market, [{"result": {"list": rows}}]).instruments
    assert capture._add(some[:990]) == 990
    capture._carry()
    limits = source.market.limits
    assert len(capture.feeds) == 2 and all(isinstance(feed, ColdFeed) for feed in capture.feeds)
    assert all(sum(map(len, feed.topics)) <= limits.socket_chars and len(feed.topics) <= limits.instruments_per_socket for feed in capture.feeds)
    before = {name: feed.name for feed in capture.feeds for name in feed.topics}
    assert len(before) == 990
    assert capture._add(some[990:]) == 10
    capture._carry()
    after = {name: feed.name for feed in capture.feeds for name in feed.topics}
    assert len(after) == 1000 and before.items() <= after.items()


def test_the_simulated_surface_allows_no_arbitrage_and_says_what_its_formula_says():
    """The oracle's own check: densities are positive, variance grows, and the smile at its own 25-delta strike is what the oracle tells."""
    chain = OptionChain("BTC", Index("x", EIGHT_MS * MS, 86_000.0), "x")
    now_ms = EIGHT_MS + 1000
    years = [chain.years(end, now_ms) for end in sorted({option.expiry_ms for option in chain.options(now_ms)})]
    for near, far in pairwise(years):
        for k in (-0.3, 0.0, 0.3):
            assert chain.vol(k, near, now_ms) ** 2 * near < chain.vol(k, far, now_ms) ** 2 * far
    for t in years:
        calls = []
        for i in range(-20, 21):
            strike = 100 * math.exp(0.1 * i * math.sqrt(t))
            k = math.log(strike / 100)
            s = chain.vol(k, t, now_ms) * math.sqrt(t)
            calls.append((strike, 100 * phi(-k / s + s / 2) - strike * phi(-k / s - s / 2)))
        for (k0, c0), (k1, c1), (k2, c2) in zip(calls, calls[1:], calls[2:], strict=False):
            assert c1 < ((k2 - k1) * c0 + (k1 - k0) * c2) / (k2 - k0) and c1 < c0


def phi(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))
