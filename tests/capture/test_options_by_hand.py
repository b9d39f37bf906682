"""The options of a venue by hand: a clock that is set, and a venue that answers at once."""

import asyncio
import json

import msgspec
import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from p9.analysis.options.chain import Fact
from p9.capture.cold_feed import ColdFeed
from p9.capture.line import Connects
from p9.capture.options import OptionCapture, OptionSettings
from p9.errors import RestError, RestRefused
from p9.option import options_of
from p9.simulate.binance_options import BinanceOptions, BinanceOptionsRest, Quoted
from p9.simulate.faults import Faults
from p9.simulate.index import Index
from p9.simulate.option_chain import OptionChain
from p9.simulate.schedule import Schedule
from tests.capture.test_options import named, whole
from tests.cext.streams.published import published

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
