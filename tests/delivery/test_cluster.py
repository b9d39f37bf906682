"""Delivery into a Cluster of three real masters: sharded channels, slots that move, a master that is killed."""

import asyncio
import json

import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from p9.delivery.cluster import ClusterBus
from p9.delivery.epoch import next_epoch
from p9.delivery.publisher import Publisher
from tests.client.test_subscription import TRADE
from tests.delivery.redis_forms import ClusterForm
from tests.delivery.test_publisher import LOW, MEDIUM, QUICK, adds_up, channels_of
from tests.patience import PATIENCE_S, until


class Delivering:
    def __init__(self, form, n=12):
        self.form = form
        self.outbox = Outbox(Clock(), epoch=1, sharded=True)
        self.publisher = Publisher(self.outbox, ClusterBus(form.hosts[:1]), QUICK)
        self.channels = channels_of(self.outbox, n)

    async def __aenter__(self):
        await self.publisher.start()
        return self

    async def __aexit__(self, *_):
        await self.publisher.stop()
        await self.publisher.bus.close()

    async def emit(self, n, pause_s=0.002):
        for i in range(n):
            self.outbox.emit(self.channels[i % len(self.channels)], TRADE)
            await asyncio.sleep(pause_s)

    async def complete(self):
        assert await self.publisher.drain(PATIENCE_S) == 0
        adds_up(self.outbox)
        for channel in self.channels:
            entries = await self.publisher.bus.client.xrange(channel.key)
            assert [json.loads(fields[b"e"])["seq"] for _, fields in entries] == list(range(1, channel.seq + 1)), channel


@pytest.fixture(scope="module")
def form(tmp_path_factory):
    with ClusterForm(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(request):
    if "form" in request.fixturenames:
        for server in request.getfixturevalue("form").masters:
            server.client().flushall()


async def test_every_event_is_stored_once_on_its_slots_owner_and_heard_there(form):
    listeners = {}
    async with Delivering(form) as writer:
        for channel in writer.channels:
            owner = form.owner_of(channel.name)
            listener = owner.client().pubsub()
            listener.execute_command("SSUBSCRIBE", channel.name)
            listener.parse_response()
            listeners[channel.name] = listener
        assert len({form.owner_of(channel.name).port for channel in writer.channels}) == 3, "the channels are on all masters"
        slots = [writer.outbox.channel("funding", "venue", f"S{n}-USDT", "venue_spot", "", MEDIUM) for n in range(4)]
        queue = writer.outbox.channel("depth", "venue", "S0-USDT", "venue_spot", "", LOW, queued=True)
        for n in range(300):
            for channel in (*writer.channels, *slots, queue):
                writer.outbox.emit(channel, b'{"n":%d}' % n)
            if n % 50 == 0:
                await asyncio.sleep(0.01)
        await writer.complete()
        for slot in slots:
            assert form.owner_of(slot.name).port == form.owner_of(slot.key).port, "channel and key live on one slot"
            assert json.loads(form.owner_of(slot.key).client().get(slot.key))["n"] == 299
        for channel in writer.channels:
            heard = [json.loads(listeners[channel.name].parse_response()[2])["seq"] for _ in range(300)]
            assert heard == list(range(1, 301))
        assert not writer.outbox.stats()["errors"]


async def test_a_slot_that_moves_is_followed(form):
    """ASK while its keys are there and the slot is not; MOVED afterwards."""
    async with Delivering(form) as writer:
        await writer.emit(60)
        await writer.complete()
        channel = writer.channels[0]
        source = form.owner_of(channel.name)
        target = next(server for server in form.masters if server is not source)
        with form.moving(channel.name, target, [channel.key]):
            await writer.emit(120)
            assert await writer.publisher.drain(PATIENCE_S) == 0
        await writer.emit(120)
        await writer.complete()
        assert form.owner_of(channel.name) is target
        assert writer.publisher.lanes[0].n_connects == 1, "following a slot costs no connection"


async def test_connections_that_are_cut_are_made_again(form):
    async with Delivering(form) as writer:
        task = asyncio.create_task(writer.emit(300))
        for n in range(3):
            await until(lambda n=n: writer.publisher.lanes[0].ready and writer.publisher.lanes[0].n_connects >= n + 1)
            await asyncio.sleep(0.1)
            form.masters[n].client().execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await task
        await writer.complete()
        assert writer.publisher.lanes[0].n_connects >= 3


async def test_a_master_that_comes_back_empty_gets_the_tail_again(form):
    """A restart quicker than any failover, without a disk."""
    async with Delivering(form) as writer:
        await writer.emit(120)
        await writer.complete()
        owner = form.owner_of(writer.channels[0].name)
        await asyncio.to_thread(owner.kill)
        await asyncio.to_thread(owner.start)
        await writer.emit(60)
        await writer.complete()
        assert writer.publisher.n_replays == 1


async def test_a_master_without_memory_delays_and_reorders_nothing(form):
    """Its slots' transactions are refused, the others' of the same batch are confirmed, and what was refused goes first again."""
    async with Delivering(form) as writer:
        await writer.emit(60)
        await writer.complete()
        full = form.owner_of(writer.channels[0].name)
        full.client().config_set("maxmemory", "1mb")
        for channel in 5 * writer.channels:  # one batch
            writer.outbox.emit(channel, TRADE)
        await until(lambda: writer.outbox.stats()["errors"].get("OOM"))
        stuck = {channel for channel in writer.channels if form.owner_of(channel.name) is full}
        for channel in set(writer.channels) - stuck:
            assert await writer.publisher.bus.client.xlen(channel.key) == 10
        assert writer.outbox.waiting() == 5 * len(stuck)
        full.client().config_set("maxmemory", "0")
        await writer.complete()


async def test_the_epoch_is_kept_in_a_cluster_too(form, tmp_path):
    bus = ClusterBus(form.hosts)
    first = await next_epoch(1000, tmp_path / "a", bus.client)
    assert await next_epoch(1000, tmp_path / "b", bus.client) == first + 1
    await bus.close()


async def test_a_master_is_killed_and_its_replica_takes_its_place(tmp_path):
    with ClusterForm(tmp_path, True) as form:
        async with Delivering(form) as writer:
            await writer.emit(60)
            assert await writer.publisher.drain(PATIENCE_S) == 0
            victim = form.owner_of(writer.channels[0].name)
            replicas = [server.client() for server in form.replicas]
            await until(lambda: sum(replica.dbsize() for replica in replicas) == len(writer.channels))
            await asyncio.sleep(0.2)
            task = asyncio.create_task(writer.emit(300))
            await asyncio.to_thread(victim.kill)
            await task
            assert await writer.publisher.drain(PATIENCE_S) == 0
            await writer.complete()
            assert form.owner_of  # the account above was read from the new master
