"""Delivery to the master that Sentinels name: three real ones, and a failover."""

import asyncio
import contextlib
import json

import redis.asyncio
from cext.clock import Clock
from cext.outbox import Outbox

from p9.client import Trade, subscribe
from p9.delivery.publisher import Publisher
from p9.delivery.sentinel import SentinelBus, sentinels
from tests.client.test_subscription import TRADE
from tests.delivery.redis_forms import MASTER, SentinelForm
from tests.delivery.test_publisher import QUICK, channels_of
from tests.patience import PATIENCE_S, until


async def test_a_failover_delays_and_loses_nothing_that_the_new_master_can_take(tmp_path):
    """Replication is asynchronous: what the old master confirmed and never passed on is sent again from the tail."""
    with SentinelForm(tmp_path) as form:
        outbox = Outbox(Clock(), epoch=1)
        publisher = Publisher(outbox, SentinelBus(form.hosts, MASTER), QUICK)
        await publisher.start()
        channels = channels_of(outbox)
        async with subscribe(sentinels(form.hosts).master_for(MASTER), "trades:*") as events:
            async def emit(n):
                for i in range(n):
                    outbox.emit(channels[i % 3], TRADE)
                    await asyncio.sleep(0.002)

            await emit(100)
            await until(lambda: outbox.waiting() == 0)
            replica = form.servers[1].client()
            await until(lambda: sum(replica.xlen(channel.key) for channel in channels) == 100)
            emitting = asyncio.create_task(emit(400))
            await asyncio.sleep(0.1)
            old = form.master_port()
            await asyncio.to_thread(form.servers[0].kill)
            await emitting
            await until(lambda: form.master_port() != old, pause_s=0.05)
            assert await publisher.drain(PATIENCE_S) == 0
            assert publisher.bus.where.endswith(str(form.servers[1].port))
            got = []
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    while len(got) < 500:
                        item = await anext(events)
                        if isinstance(item, Trade):
                            got.append((item.channel, item.seq))
            assert sorted(got) == sorted((channel.name.decode(), seq) for channel in channels for seq in range(1, channel.seq + 1))
        for channel in channels:
            stored = [json.loads(fields[b"e"])["seq"] for _, fields in replica.xrange(channel.key)]
            assert stored == sorted(set(stored)) and stored[-1] == channel.seq
        await publisher.stop()
        await publisher.bus.close()


async def test_no_master_is_waited_for(tmp_path):
    bus = SentinelBus([("127.0.0.1", 1)], MASTER)
    outbox = Outbox(Clock(), epoch=1)
    publisher = Publisher(outbox, bus, QUICK)
    await publisher.start()
    outbox.emit(channels_of(outbox, 1)[0], TRADE)
    await until(lambda: publisher.stats()["refusals"].get("away"))
    assert outbox.waiting() == 1 and bus.where == MASTER
    await publisher.stop()
    await bus.close()
    assert isinstance(bus.client, redis.asyncio.Redis)
