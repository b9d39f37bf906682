"""The outbox, its journals and the spool against models of Redis and of a disk: whatever order things happen in, and whenever we are killed."""

import asyncio
import json
from random import Random

import pytest
from cext.clock import Clock
from cext.outbox import BATCH_FAILED, Outbox
from hypothesis import given, settings
from hypothesis import strategies as st

from p9.delivery.spool import Spool, SpoolSettings
from tests.cext.model_redis import START_NS, ModelRedis, adds_up

CRITICAL, HIGH = range(2)
CHANNELS = (("liquidations", CRITICAL), ("signals", CRITICAL), ("trades", HIGH), ("candles", HIGH), ("audits", HIGH))


class ModelDisk:
    """Files in memory; while `full`, a write stops after a third."""

    folder = "model"

    def __init__(self):
        self.files, self.full = {}, False

    def names(self):
        return sorted(self.files)

    def read(self, name, offset=0, size=-1):
        data = bytes(self.files[name])
        return data[offset:] if size < 0 else data[offset : offset + size]

    def write(self, name, offset, data):
        if self.full:
            self.files.setdefault(name, bytearray())[offset:] = data[: len(data) // 3]
            raise OSError(28, "No space left on device")
        self.files.setdefault(name, bytearray())[offset:] = data

    def sync(self, name):
        pass

    def remove(self, name):
        self.files.pop(name, None)

    def release(self, name):
        pass

    def close(self):
        pass


class Life:
    """One process: what it accepted, and what of that it had promised to keep when it was killed."""

    def __init__(self, disk, redis, epoch):
        self.disk, self.redis, self.epoch = disk, redis, epoch

    async def begin(self):
        self.spool = Spool(self.disk, SpoolSettings(segment_bytes=1500))
        await self.spool.recover()
        assert self.spool.newest_epoch < self.epoch and not self.spool.n_errors
        self.outbox = Outbox(
            Clock(START_NS + self.epoch * 1_000_000_000), epoch=self.epoch, journals=self.spool.journals, items=(8, 8, 0, 10), batch_items=6,
            tail_ns=1 << 60,
        )
        self.spool.attach(self.outbox)
        self.channels = [self.outbox.channel(kind, "venue", "S-USDT", "venue_spot", "SUSDT", cls) for kind, cls in CHANNELS]
        return self

    def emit(self, channel, n):
        for _ in range(n):
            self.outbox.emit(self.channels[channel], b'{"x":1}')

    def round_trip(self, how):
        data = self.outbox.take(0)
        if data is None:
            return
        if how == "lost":
            self.outbox.disconnected(0)
            return
        self.redis.refuse = {b"XADD": b"OOM no memory"} if how == "oom" else {}
        answer = self.redis.answer(data)
        if how == "cut":
            self.outbox.replies(0, answer[: len(answer) // 2])
            self.outbox.disconnected(0)
        elif self.outbox.replies(0, answer) == BATCH_FAILED:
            for failure in self.outbox.failures(0)[1]:
                if failure.error == "SMALLER":
                    assert failure.id.encode() in [id for id, _ in self.redis.streams[failure.key]], "refused, and not there"
                    self.outbox.was_stored(0, failure.index)
            self.outbox.sweep(0)

    def forget(self, share):
        """Redis is killed: each stream loses its end, of what this life wrote. Then it is found again."""
        self.outbox.disconnected(0)
        for key, stream in self.redis.streams.items():
            older = sum(json.loads(payload)["epoch"] < self.epoch for _, payload in stream)
            self.redis.streams[key] = stream[: older + (len(stream) - older) * share // 4]
        behind = []
        for channel, confirmed in self.outbox.tails():
            stream = self.redis.streams.get(channel.key)
            last = tuple(map(int, stream[-1][0].split(b"-"))) if stream else (0, 0)
            if last < confirmed:
                behind.append((channel, last))
        if behind:
            self.outbox.replay(behind)

    async def end(self):
        """Everything out."""
        self.disk.full = False
        for _ in range(1000):
            if not self.outbox.waiting():
                break
            self.round_trip("ok")
            await self.spool.flush()
            for cls in (CRITICAL, HIGH):
                if self.outbox.unread(cls) and self.outbox.has_room(cls, 1 << 20):
                    await self.spool.read(cls)
        assert not self.outbox.waiting()
        await self.spool.flush()
        assert not self.disk.files


def order_of(stream):
    return [(event["epoch"], event["seq"]) for event in (json.loads(payload) for _, payload in stream)]


OPERATION = st.one_of(
    st.tuples(st.just("emit"), st.integers(0, len(CHANNELS) - 1), st.integers(1, 12)),
    st.tuples(st.just("round trip"), st.sampled_from(["ok", "lost", "cut", "oom"]), st.just(0)),
    st.tuples(st.just("flush"), st.booleans(), st.just(0)),
    st.tuples(st.just("read"), st.integers(CRITICAL, HIGH), st.just(0)),
    st.tuples(st.just("full"), st.booleans(), st.just(0)),
    st.tuples(st.just("forget"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("kill"), st.just(0), st.just(0)),
)


async def run(operations):
    loop = asyncio.get_running_loop()

    def inline(executor, work, *args):
        future = loop.create_future()
        try:
            future.set_result(work(*args))
        except OSError as error:
            future.set_exception(error)
        return future

    loop.run_in_executor = inline
    disk, redis = ModelDisk(), ModelRedis()
    life = await Life(disk, redis, 1).begin()
    lives = [(1, {})]
    for word, first, second in operations:
        if word == "emit":
            life.emit(first, second)
        elif word == "round trip":
            life.round_trip(first)
        elif word == "flush":
            await life.spool.flush(everything=first)
        elif word == "read":
            if life.outbox.unread(first) and life.outbox.has_room(first, 1 << 20):
                await life.spool.read(first)
        elif word == "full":
            disk.full = first
        elif word == "forget":
            life.forget(first)
        elif not life.outbox.stats()["classes"]["HIGH"]["replaying"] + life.outbox.stats()["classes"]["CRITICAL"]["replaying"]:
            disk.full = False
            await life.spool.flush(everything=True)  # what is on disk, or confirmed, survives
            await life.spool.flush(everything=True)
            lives[-1] = (life.epoch, {channel.name: channel.seq for channel in life.channels})
            life = await Life(disk, redis, life.epoch + 1).begin()
            lives.append((life.epoch, {}))
        adds_up(life.outbox)
    await life.end()
    adds_up(life.outbox)
    lives[-1] = (life.epoch, {channel.name: channel.seq for channel in life.channels})
    for channel in life.channels:
        expected = [(epoch, seq) for epoch, seqs in lives for seq in range(1, seqs[channel.name] + 1)]
        assert order_of(redis.streams.get(channel.key, [])) == expected


@given(st.lists(OPERATION, max_size=60))
@settings(max_examples=200)
def test_every_event_with_a_seq_is_in_its_stream_once_and_in_order_whatever_happens(operations):
    asyncio.run(run(operations))


@pytest.mark.parametrize("seed", range(60))
def test_long_lives(seed):
    random = Random(seed)
    operations = []
    for _ in range(400):
        word = random.choices(["emit", "round trip", "flush", "read", "full", "forget", "kill"], [30, 30, 15, 15, 2, 2, 1])[0]
        first = {
            "emit": random.randrange(len(CHANNELS)), "round trip": random.choice(["ok", "ok", "ok", "lost", "cut", "oom"]),
            "flush": random.random() < 0.2, "read": random.choice([CRITICAL, HIGH]), "full": random.random() < 0.3, "forget": random.randrange(4),
            "kill": 0,
        }[word]  # fmt: skip
        operations.append((word, first, random.randint(1, 12)))
    asyncio.run(run(operations))
