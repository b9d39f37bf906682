"""A consumer against a real redis-server and a real outbox and publisher: connections cut, the server killed, the writer started anew."""

import asyncio
import contextlib

import pytest
from cext.clock import Clock
from cext.outbox import Outbox
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from p9.client import Event, Missed, NewEpoch, Overflow, Reconnected, Trade, subscribe
from p9.delivery.bus import Bus
from p9.delivery.publisher import Confirmer, Publisher
from tests.delivery.redis_process import RedisProcess
from tests.patience import PATIENCE_S

CRITICAL, HIGH, MEDIUM, LOW = range(4)
TRADE = b'{"price":"1.5","quantity":"2","side":"buy","buyer_is_maker":false,"trade_id":"7"}'
FORMING = (
    b'{"open_time":0,"close_time":1,"open":"1","high":"1","low":"1","close":"1","volume":"1","quote_volume":"1","buy_volume":"0",'
    b'"buy_quote_volume":"0","trades":1,"vwap":"1","revision":0,"final":false,"complete":true}'
)
QUICK = Confirmer(retry_delay_s=0.05, confirm_timeout_s=0.5)


@pytest.fixture
def server(tmp_path):
    with RedisProcess(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as running:
        yield running


class Writer:
    """One process's outbox and publisher."""

    def __init__(self, url, epoch, settings=QUICK):
        self.outbox = Outbox(Clock(), epoch=epoch)
        self.bus = Bus(url)
        self.publisher = Publisher(self.outbox, self.bus, settings)
        self.trades = [self.outbox.channel("trades", "venue", f"S{i}-USDT", "venue_spot", f"S{i}USDT", HIGH) for i in range(3)]
        self.forming = self.outbox.channel("candles_open", "venue", "S0-USDT", "venue_spot", "S0USDT", LOW, timeframe="1m", keeps_last=True)

    async def __aenter__(self):
        await self.publisher.start()
        return self

    async def __aexit__(self, *_):
        await self.publisher.stop()
        await self.bus.close()

    async def emit(self, n, pause_s=0.001):
        for i in range(n):
            self.outbox.emit(self.trades[i % 3], TRADE)
            self.outbox.emit(self.forming, FORMING)
            await asyncio.sleep(pause_s)

    async def drain(self):
        assert await self.publisher.drain(PATIENCE_S) == 0

    def accepted(self):
        return {(channel.name.decode(), self.outbox.epoch, seq) for channel in self.trades for seq in range(1, channel.seq + 1)}


async def collect(events, condition, deadline_s=PATIENCE_S):
    """Items until `condition(items)`."""
    items = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(deadline_s):
            while not condition(items):
                items.append(await anext(events))
                items += events.ready_items(100_000)
    return items


def trades_of(items):
    return [(item.channel, item.epoch, item.seq) for item in items if isinstance(item, Trade)]


def all_of(*writers):
    wanted = set().union(*(writer.accepted() for writer in writers))
    return lambda items: len({*trades_of(items)}) >= len(wanted)


def exact(items, *writers):
    """Every accepted trade once, each channel in order."""
    got = trades_of(items)
    assert sorted(got) == sorted(set().union(*(writer.accepted() for writer in writers)))
    for name in {name for name, _, _ in got}:
        mine = [(epoch, seq) for channel, epoch, seq in got if channel == name]
        assert mine == sorted(mine)
    assert not [item for item in items if isinstance(item, Missed) and item.channel.startswith("trades")]


async def kill_subscribers(server):
    async with Redis.from_url(server.url) as client:
        await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


async def test_every_event_once_and_typed(server):
    async with Writer(server.url, 1) as writer, subscribe(server.url, "trades:venue:*", "trades:venue:S0-USDT") as events:
        await writer.emit(300)
        await writer.drain()
        items = await collect(events, all_of(writer))
        exact(items, writer)
        assert all(isinstance(item, Event) for item in items)
        assert events.repeats >= 100, "what both words name came twice"
        assert items[0].price * 2 == 3 and items[0].market == "venue_spot"


async def test_connections_that_are_cut_again_and_again(server):
    async with Writer(server.url, 1) as writer, subscribe(server.url, "*") as events:
        task = asyncio.create_task(writer.emit(1500))

        async def read() -> list:
            found = []
            while not task.done() or writer.outbox.waiting() or events.waiting:
                found += await collect(events, lambda _: False, 0.3)
            return found

        reading = asyncio.create_task(read())
        for n in range(1, 6):
            while events.connects < n:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            await kill_subscribers(server)
        items = await reading
        items += await collect(events, lambda more: all_of(writer)(items + more))
        exact(items, writer)
        assert sum(isinstance(item, Reconnected) for item in items) == 5
        forming = [item.seq for item in items if isinstance(item, Event) and item.type == "candles_open"]
        told = [seq for item in items if isinstance(item, Missed) for seq in range(item.first_seq, item.last_seq + 1)]
        assert sorted(forming + told) == list(range(forming[0], writer.forming.seq + 1)) and forming[-1] == writer.forming.seq


async def test_the_server_is_killed_and_comes_back(server):
    async with Writer(server.url, 1) as writer, subscribe(server.url, "trades:*") as events:
        task = asyncio.create_task(writer.emit(900, pause_s=0.002))
        for n in (1, 2):
            while events.connects < n or not writer.publisher.lanes[0].ready:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(server.start)
        await task
        await writer.drain()
        items = await collect(events, all_of(writer))
        exact(items, writer)
        assert sum(isinstance(item, Reconnected) for item in items) == 2


async def test_the_writer_is_started_anew_while_nobody_listens(server):
    """The end of the old epoch and the begin of the new one are both read from the stream, in their order."""
    server.client().execute_command("ACL", "SETUSER", "reader", "on", ">secret", "~stream:*", "~last:*", "&*", "+@read", "+@pubsub", "+@connection")
    async with subscribe(f"redis://reader:secret@127.0.0.1:{server.port}/0", "trades:*") as events:
        async with Writer(server.url, 1) as first:
            await first.emit(30)
            await first.drain()
            items = await collect(events, all_of(first))
            server.client().execute_command("ACL", "SETUSER", "reader", "off")
            server.client().execute_command("CLIENT", "KILL", "USER", "reader")
            await first.emit(30)
            await first.drain()
        async with Writer(server.url, 2) as second:
            await second.emit(30)
            await second.drain()
            server.client().execute_command("ACL", "SETUSER", "reader", "on")
            items += await collect(events, lambda more: all_of(first, second)(items + more))
            exact(items, first, second)
            assert sum(isinstance(item, NewEpoch) for item in items) == 3


async def test_from_the_earliest_and_on_from_where_an_earlier_one_ended(server):
    async with Writer(server.url, 1) as writer:
        await writer.emit(60)
        await writer.drain()
        async with subscribe(server.url, "trades:*", start="earliest") as events:
            exact(await collect(events, all_of(writer)), writer)
        async with subscribe(server.url, "trades:*", start="earliest") as events:
            begun = [await anext(events) for _ in range(25)]
            places = events.positions()
        await writer.emit(30)
        await writer.drain()
        async with subscribe(server.url, "trades:*", start=places) as events:
            await writer.emit(30)
            await writer.drain()
            items = await collect(events, lambda more: all_of(writer)(begun + more))
            exact(begun + items, writer)
        async with subscribe(server.url, "trades:*", "candles_open:*") as events:
            await writer.emit(3)
            items = await collect(events, lambda items: len(trades_of(items)) == 3)
            assert [item.seq for item in items if isinstance(item, Trade)] == [channel.seq for channel in writer.trades]
            newest = next(item for item in items if item.type == "candles_open")
            assert newest.refilled and newest.ts_pub <= items[-1].ts_pub


async def test_a_slow_reader_costs_bounded_memory_and_no_trade(server):
    async with Writer(server.url, 1) as writer, subscribe(server.url, "*", max_waiting=500) as events:
        payload = TRADE
        for _ in range(5000):
            writer.outbox.emit(writer.trades[0], payload)
        await writer.drain()
        await writer.emit(50)
        await writer.drain()
        await asyncio.sleep(0.2)
        assert 500 <= events.waiting < 520
        items, most, left = [], 0, sum(channel.seq for channel in writer.trades)
        async with asyncio.timeout(PATIENCE_S):
            while left:
                items.append(await anext(events))
                left -= isinstance(items[-1], Trade)
                most = max(most, events.waiting)
        exact(items, writer)
        [overflow] = [item for item in items if isinstance(item, Overflow)][:1]
        assert writer.trades[0].name.decode() in overflow.deferred and most < 500 + 2 * 1000


async def test_a_server_that_says_nothing_is_left(server, monkeypatch):
    monkeypatch.setattr("p9.client.source.PING_S", 0.1)
    monkeypatch.setattr("p9.client.source.SILENT_S", 0.3)
    async with Writer(server.url, 1) as writer, subscribe(server.url, "trades:*") as events:
        await writer.emit(30)
        server.freeze()
        await asyncio.sleep(0.8)
        server.thaw()
        await writer.emit(30)
        await writer.drain()
        items = await collect(events, all_of(writer))
        exact(items, writer)
        [notice] = [item for item in items if isinstance(item, Reconnected)]
        assert "silent" in notice.reason or "imeout" in notice.reason


async def test_who_is_not_let_in_is_told_at_once(server):
    server.client().config_set("requirepass", "right")
    with pytest.raises(AuthenticationError):  # and not tried again for ever, as one that is away is
        async with asyncio.timeout(PATIENCE_S), subscribe(f"redis://:wrong@127.0.0.1:{server.port}/0", "trades:*"):
            pass
    server.client(password="right").config_set("requirepass", "")


async def test_a_server_that_is_not_there_yet_is_waited_for(tmp_path):
    server = RedisProcess(tmp_path / "redis")
    entering = asyncio.create_task(subscribe(server.url, "trades:*").__aenter__())
    await asyncio.sleep(0.3)
    assert not entering.done()
    with server:
        events = await asyncio.wait_for(entering, PATIENCE_S)
        async with Writer(server.url, 1) as writer:
            await writer.emit(3)
            exact(await collect(events, all_of(writer)), writer)
        await events.close()
        with pytest.raises(StopAsyncIteration):
            await anext(events)
