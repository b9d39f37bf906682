"""A Redis that comes back without what it had confirmed gets it again, once and in order."""

import asyncio
import contextlib
import json

import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from p9.delivery.bus import Bus
from p9.delivery.publisher import Confirmer, Publisher
from tests.delivery.redis_process import RedisProcess
from tests.patience import PATIENCE_S, until

CRITICAL, HIGH = range(2)


@contextlib.asynccontextmanager
async def publishing(url, told, *, replay_tail=True, **settings):
    outbox = Outbox(Clock(), epoch=1, **settings)
    bus = Bus(url)
    confirmer = Confirmer(retry_delay_s=0.02, confirm_timeout_s=0.5, replay_tail=replay_tail)
    publisher = Publisher(outbox, bus, confirmer, tell=lambda kind, detail, **more: told.append((kind, more)))
    await publisher.start()
    try:
        yield outbox, publisher
    finally:
        await publisher.stop()
        await bus.close()


def channels_of(outbox):
    return [outbox.channel("trades", "venue", f"S{i}-USDT", "venue_spot", "", cls) for i, cls in enumerate((CRITICAL, HIGH, HIGH))]


def stored(server, channel):
    return [json.loads(fields[b"e"])["seq"] for _, fields in server.client().xrange(channel.key)]


async def emptied(server, publisher):
    """kill -9 of a server without a file, and a new one in its place."""
    connects = publisher.lanes[0].n_connects
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    await until(lambda: publisher.lanes[0].n_connects > connects and publisher.lanes[0].ready)


@pytest.mark.parametrize("replay_tail", [True, False])
async def test_a_server_without_a_file_gets_the_tail_again_unless_told_otherwise(tmp_path, replay_tail):
    told = []
    with RedisProcess(tmp_path / "redis") as server:
        async with publishing(server.url, told, replay_tail=replay_tail) as (outbox, publisher):
            channels = channels_of(outbox)
            for n in range(300):
                outbox.emit(channels[n % 3], b"{}")
                await asyncio.sleep(0)
            assert await publisher.drain(PATIENCE_S) == 0
            for _ in range(2):  # forgotten twice
                await emptied(server, publisher)
                outbox.emit(channels[0], b"{}")
                assert await publisher.drain(PATIENCE_S) == 0
            everything = list(range(1, 101))
            found = [stored(server, channel) for channel in channels]
            assert found == ([[*everything, 101, 102], everything, everything] if replay_tail else [[102], [], []])
            n = outbox.stats()["classes"]
            assert [n[name]["replayed"] for name in ("CRITICAL", "HIGH")] == ([201, 400] if replay_tail else [0, 0])
            assert n["CRITICAL"]["confirmed"] == n["CRITICAL"]["accepted"] == 102 and n["HIGH"]["confirmed"] == 200
            assert [kind for kind, _ in told if kind == "replay"] == (["replay"] * 2 if replay_tail else [])


async def test_a_server_that_kept_its_file_gets_nothing_twice(tmp_path):
    told = []
    with RedisProcess(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as server:
        async with publishing(server.url, told) as (outbox, publisher):
            channels = channels_of(outbox)
            for n in range(300):
                outbox.emit(channels[n % 3], b"{}")
            assert await publisher.drain(PATIENCE_S) == 0
            await emptied(server, publisher)
            outbox.emit(channels[0], b"{}")
            assert await publisher.drain(PATIENCE_S) == 0
            assert stored(server, channels[0]) == list(range(1, 102))
            assert publisher.n_replays == 0 and outbox.stats()["classes"]["CRITICAL"]["replayed"] == 0
            assert "SMALLER" not in outbox.stats()["errors"]


async def test_what_waits_goes_behind_what_was_forgotten(tmp_path):
    told = []
    with RedisProcess(tmp_path / "redis") as server:
        async with publishing(server.url, told) as (outbox, publisher):
            [channel, *_] = channels_of(outbox)
            for n in range(400):
                outbox.emit(channel, b"{}")
                if n == 150:
                    server.freeze()
                    await asyncio.sleep(0.05)
                await asyncio.sleep(0)
            assert outbox.waiting() > 0
            server.thaw()
            await emptied(server, publisher)
            assert await publisher.drain(PATIENCE_S) == 0
            assert stored(server, channel) == list(range(1, 401))
