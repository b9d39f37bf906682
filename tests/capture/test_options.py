"""The options of the simulated venues, over real sockets and REST, against the surface that they are made of."""

import asyncio
import math
from decimal import Decimal
from itertools import pairwise
from statistics import NormalDist

import msgspec
import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from p9.analysis.options.chain import ChainSettings, Fact
from p9.capture.line import Connects
from p9.capture.options import OptionCapture, OptionSettings
from p9.market.rest import RestClient, RestSettings
from p9.option import options_of
from p9.simulate.server import Simulator
from tests.capture.rig import QUICK
from tests.cext.streams.published import published
from tests.patience import until

EXCHANGES = ("binance", "bybit", "okx")
phi = NormalDist().cdf
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
    """Something of everything was told of every option. One that ends today may be worth less than its price has decimals: zero, which is told as unknown."""
    rows = [row for expiry in event["expiries"] for row in expiry["rows"].values()] if event else []
    return bool(rows) and all(row[field] is not None or (row["use"] == "ending" and field.endswith("price")) for row in rows for field in fields)


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
            if row["own_iv"] is not None and expiry["days"] > 1 / 24:  # later on a second of the row's age is worth more than the tolerance
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
