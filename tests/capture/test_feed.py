"""A feed's life: it comes back, at a bounded pace; it is replaced without losing a frame; it notices silence."""

import asyncio
import itertools
import json

import msgspec
import pytest

from p9.budget import Budget
from p9.capture.connection import ConnectionSettings
from p9.capture.feed import Connects, Feed, FeedSettings
from p9.venue import market, topic
from tests.patience import until

from .conftest import make_pipeline

QUICK = FeedSettings(
    connection=ConnectionSettings(connect_s=2.0, ack_s=1.0), backoff_first_s=0.02, backoff_most_s=0.3, good_after_s=0.5, settle_s=0.2,
    rotate_pause_s=0.2,
)  # fmt: skip
FREELY = (Budget("c", 1000, 1.0),)


class Market:
    """A scripted venue with one book that changes every few ms, the same on every socket, and a trade with each change."""

    def __init__(self, venue):
        self.venue, self.u, self.visitors = venue, 10, []
        self.trades = []
        venue.on_message = self.on_message
        self.task = asyncio.create_task(self.run())

    def on_message(self, visitor, text):
        message = json.loads(text)
        self.venue.acknowledge(visitor, text)
        if message["op"] == "subscribe":
            visitor.send(self.frame("snapshot", [["99", "1"]], [["101", str(self.u)]]))
            self.visitors.append(visitor)

    def frame(self, kind, bids, asks):
        data = {"s": "AUSDT", "b": bids, "a": asks, "u": self.u, "seq": self.u}
        return {"topic": "orderbook.50.AUSDT", "type": kind, "ts": 1, "data": data, "cts": 1}

    def trade(self):
        row = {"i": f"id-{self.u}", "T": 1, "p": "100", "v": "1", "S": "Buy", "seq": self.u, "s": "AUSDT", "BT": False}
        return {"topic": "publicTrade.AUSDT", "ts": 1, "type": "snapshot", "data": [row]}

    async def run(self):
        while True:
            await asyncio.sleep(0.01)
            self.u += 1
            self.trades.append(f"id-{self.u}")
            for visitor in self.visitors:
                if not visitor.transport.is_disconnected:
                    visitor.send(self.frame("delta", [], [["101", str(self.u)]]))
                    visitor.send(self.trade())


class Kept:
    """A recorder: what was fed, in order."""

    def __init__(self):
        self.rows = []

    def frame(self, recv_ns, payload):
        self.rows.append((recv_ns, payload))

    def trades(self):
        frames = (json.loads(payload) for _, payload in self.rows)
        return [row["i"] for frame in frames if frame.get("topic", "").startswith("publicTrade") for row in frame["data"]]


def make_feed(row, settings=QUICK, budgets=FREELY, recorder=None, n=1):
    pipeline = make_pipeline(row)
    forms = [form for form in row.choose(depth=50) if form.kind != "best"]
    names = ["AUSDT", *(f"S{i}USDT" for i in range(n - 1))]
    for name in names:
        pipeline.add(venue_symbol=name.encode(), symbol=name, px_scale=2, qty_scale=2, tick=100)
    topics = {ix: [topic(form, name) for form in forms] for ix, name in enumerate(names)}
    said = []
    feed = Feed(
        "f",
        row,
        pipeline,
        "public",
        topics,
        Connects(budgets),
        settings=settings,
        recorder=recorder,
        log=lambda event, **more: said.append((event, more)),
    )
    feed.said = said
    return feed


@pytest.fixture
async def running():
    tasks = []

    def run(feed):
        tasks.append(asyncio.create_task(feed.run()))
        return feed

    yield run
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_book_becomes_live_and_invalid_with_its_socket(venue, linear, running):
    Market(venue)
    feed = running(make_feed(linear))
    await until(lambda: feed.state == "live" and feed.pipeline.states() == ["synced"])
    venue.visitors[0].transport.disconnect(False)
    await until(lambda: feed.losses == 1)
    assert "disconnect" in [notice.reason for notice in feed.pipeline.take_notices()]
    await until(lambda: feed.pipeline.states() == ["synced"] and len(venue.visitors) == 2)


async def test_the_first_return_is_immediate_after_a_good_spell(venue, linear, running):
    Market(venue)
    feed = running(make_feed(linear, msgspec.structs.replace(QUICK, backoff_first_s=3600.0, backoff_most_s=7200.0)))
    await until(lambda: feed._first_data_s and feed._last_data_s - feed._first_data_s > 0.6)
    venue.visitors[0].transport.disconnect(False)
    await until(lambda: len(venue.visitors) == 2)
    assert feed.failures == 0


async def test_pain_07_a_server_that_slams_the_door_is_asked_less_and_less(venue, linear, running):
    """Pain 7: reconnect loops. A subscription or an open socket is no success; data for a while is."""
    venue.slam = True
    feed = running(make_feed(linear, msgspec.structs.replace(QUICK, backoff_first_s=0.05, backoff_most_s=0.8)))
    await asyncio.sleep(4.0)
    # mean pauses 0.025 0.05 0.1 0.2 0.4 0.4 ...: about 13 in 4 s; far above it is a storm, far below it is asleep
    assert 5 <= len(venue.opened_s) <= 30
    assert feed.failures == feed.losses >= 5 and feed.state in ("waiting", "connecting", "subscribing")
    assert len([event for event, _ in feed.said if event == "socket lost"]) <= 2  # the same reason is said once


async def test_an_address_never_opens_more_sockets_than_the_venue_allows(venue, linear, running):
    venue.slam = True
    connects = Connects((Budget("c", 3, 0.5),))
    for _ in range(4):
        feed = make_feed(linear, msgspec.structs.replace(QUICK, backoff_most_s=0.001))
        feed._connects = connects
        running(feed)
    await asyncio.sleep(1.6)
    times = venue.opened_s
    assert max(sum(1 for t in times if start <= t < start + 0.45) for start in times) <= 4  # 3, and what the loop's own delay shifts
    assert connects.count <= 12


async def test_pain_27_rotation_costs_no_frame_and_no_book_its_state(venue, linear, running):
    kept = Kept()
    source = Market(venue)
    feed = running(make_feed(linear, recorder=kept))
    await until(lambda: feed.pipeline.states() == ["synced"])
    feed.pipeline.take_notices()
    feed._rotate_at_s = 0.0
    await until(lambda: feed.rotations == 1)
    await asyncio.sleep(0.2)
    assert feed.pipeline.states() == ["synced"] and [row.state for row in feed.pipeline.take_notices()] == []
    counters = feed.pipeline.instrument_counters(0)
    assert counters["gaps"] == counters["unseeded"] == 0
    recorded = kept.trades()
    got = list(dict.fromkeys(recorded))
    first = source.trades.index(got[0])
    assert got == source.trades[first : first + len(got)], "none is left out"
    assert len(recorded) > len(got), "both sockets told the trades of the overlap"
    assert counters["trades"] == len(got) and counters["repeated_trades"] == len(recorded) - len(got), "and each was taken once"
    assert [recv_ns for recv_ns, _ in kept.rows] == sorted(recv_ns for recv_ns, _ in kept.rows)
    assert feed.losses == 0 and venue.visitors[0].transport.is_disconnected
    book = feed.pipeline.book(0)
    assert book["id"] == int(book["asks"][0][1])


async def test_pain_27_an_announced_shutdown_rotates_at_once(venue, running):
    row = market("binance_spot").at("http://127.0.0.1:1", venue.url)

    def acknowledge(visitor, text):
        visitor.send({"result": None, "id": json.loads(text)["id"]})

    def trade(number):
        data = {"e": "trade", "E": 1, "s": "AUSDT", "t": number, "p": "1", "q": "1", "T": 1, "m": True, "M": True}
        for visitor in venue.visitors:
            visitor.send({"stream": "ausdt@trade", "data": data})

    venue.on_message = acknowledge
    pipeline = make_pipeline(row)
    pipeline.add(venue_symbol=b"AUSDT", symbol="A-USDT", px_scale=2, qty_scale=2, tick=1)
    topics = {0: [topic(row.choose(depth=10)[2], "AUSDT")]}
    feed = running(Feed("f", row, pipeline, "public", topics, Connects(FREELY), settings=QUICK))
    await until(lambda: feed.connection)
    trade(1)
    await until(lambda: feed.state == "live")
    venue.visitors[0].send({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}})
    await until(lambda: len(venue.visitors) == 2 and len(venue.visitors[1].said) == 1)
    trade(2)
    await until(lambda: feed.rotations == 1 and feed.state == "live")
    assert feed.losses == 0 and len(venue.visitors) == 2
    assert pipeline.instrument_counters(0)["trades"] == 2  # both sockets told the second one


async def test_without_a_successor_the_old_socket_goes_on(venue, linear, running):
    source = Market(venue)
    feed = running(make_feed(linear))
    await until(lambda: feed.pipeline.states() == ["synced"])
    venue.slam = True
    feed._rotate_at_s = 0.0
    await until(lambda: any(event == "no successor" for event, _ in feed.said))
    before = feed.pipeline.instrument_counters(0)["applied"]
    await asyncio.sleep(0.1)
    assert feed.losses == feed.rotations == 0 and feed.pipeline.instrument_counters(0)["applied"] > before
    assert source.visitors[0].transport.is_disconnected is False


async def test_pain_06_a_socket_that_only_answers_pings_is_dead(venue, linear, running):
    venue.on_message = venue.acknowledge
    feed = running(make_feed(linear, msgspec.structs.replace(QUICK, silent_s=0.4)))
    await until(lambda: feed.losses >= 1)
    assert "no data for 0.4 s" in feed.last_loss


async def test_a_doubted_socket_is_replaced(venue, linear, running):
    Market(venue)
    feed = running(make_feed(linear))
    await until(lambda: feed.state == "live")
    feed.recycle("a reason")
    assert not feed.up
    await until(lambda: feed.losses == 1 and feed.up)
    assert feed.pipeline.states() == ["invalid"] or len(venue.visitors) == 2


async def test_pain_07_there_are_never_two_sockets_for_one_slot(venue, linear, running):
    Market(venue)
    feed = running(make_feed(linear))
    for n in itertools.count(1):
        await until(lambda: feed.state == "live" and feed.pipeline.states() == ["synced"])
        alive = [visitor for visitor in venue.visitors if not visitor.transport.is_disconnected]
        assert len(alive) == 1
        if n == 4:
            break
        alive[0].transport.disconnect(False)
        await until(lambda n=n: feed.losses == n)


async def test_cancelled_it_leaves_no_socket(venue, linear):
    Market(venue)
    feed = make_feed(linear)
    task = asyncio.create_task(feed.run())
    await until(lambda: feed.state == "live")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: venue.visitors[0].transport.is_disconnected)
    assert feed.state == "stopped"
