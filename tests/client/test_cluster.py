"""A consumer of a Cluster of three real masters: sharded channels by patterns, connections cut, a slot that moves."""

import asyncio

import pytest
from redis.asyncio.cluster import ClusterNode, RedisCluster

from p9.client import Event, Missed, Reconnected, subscribe
from tests.client.test_subscription import FORMING, collect, trades_of
from tests.delivery.redis_forms import ClusterForm
from tests.delivery.test_cluster import Delivering
from tests.delivery.test_publisher import LOW
from tests.patience import PATIENCE_S


@pytest.fixture(scope="module")
def form(tmp_path_factory):
    with ClusterForm(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(form):
    for server in form.masters:
        server.client().flushall()


def client_of(form):
    return RedisCluster(startup_nodes=[ClusterNode(host, port) for host, port in form.hosts])


def accepted(writer):
    return sorted((channel.name.decode(), 1, seq) for channel in writer.channels for seq in range(1, channel.seq + 1))


async def all_of(events, writer, items=()):
    wanted = accepted(writer)
    items = list(items)
    items += await collect(events, lambda more: len(trades_of(items + more)) >= len(wanted))
    got = trades_of(items)
    assert sorted(got) == wanted
    for channel in writer.channels:
        mine = [seq for name, _, seq in got if name == channel.name.decode()]
        assert mine == sorted(mine)
    assert not [item for item in items if isinstance(item, Missed) and item.channel.startswith("trades")]
    return items


async def test_channels_that_begin_later_are_found_and_read_from_their_begin(form):
    async with subscribe(client_of(form), "trades:*", "candles_open:venue:*") as events, Delivering(form) as writer:
        forming = writer.outbox.channel("candles_open", "venue", "S0-USDT", "venue_spot", "S0USDT", LOW, None, "1m", keeps_last=True)
        for _ in range(4):
            writer.outbox.emit(forming, FORMING)
            await writer.emit(60)
        assert await writer.publisher.drain(PATIENCE_S) == 0
        items = await all_of(events, writer)
        async with asyncio.timeout(PATIENCE_S):
            while not any(isinstance(item, Event) and item.type == "candles_open" for item in items):
                writer.outbox.emit(forming, FORMING)
                await asyncio.sleep(0.1)
                items += events.ready_items()


async def test_connections_are_cut_and_a_slot_moves(form):
    async with Delivering(form) as writer:
        await writer.emit(24)
        assert await writer.publisher.drain(PATIENCE_S) == 0
        async with subscribe(client_of(form), "trades:*", start="earliest") as events:
            task = asyncio.create_task(writer.emit(600))
            await asyncio.sleep(0.2)
            for server in form.masters:
                server.client().execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            while events.connects < 2:
                await asyncio.sleep(0.01)
            channel = writer.channels[0]
            source = form.owner_of(channel.name)
            with form.moving(channel.name, next(server for server in form.masters if server is not source), [channel.key]):
                await asyncio.sleep(0.1)
            await task
            assert await writer.publisher.drain(PATIENCE_S) == 0
            items = await all_of(events, writer)
            assert sum(isinstance(item, Reconnected) for item in items) >= 2
