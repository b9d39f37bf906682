"""What Redis may answer instead of a confirmation, each by the real server: what is waited for, what is set aside, what opens the circuit."""

import asyncio
import contextlib
import json
import time

import pytest
from cext.clock import Clock
from cext.outbox import Outbox
from redis.exceptions import RedisError

from p9.delivery import publisher as publishing
from p9.delivery.bus import Bus
from p9.delivery.publisher import Confirmer, Publisher
from tests.delivery.redis_process import RedisProcess
from tests.patience import PATIENCE_S, until

CRITICAL, HIGH, MEDIUM, LOW = range(4)


class Run:
    def __init__(self, url, **settings):
        self.told = []
        self.outbox = Outbox(Clock(), epoch=1)
        self.bus = Bus(url)
        self.publisher = Publisher(
            self.outbox, self.bus, Confirmer(**{"retry_delay_s": 0.02, "confirm_timeout_s": 1.0, **settings}),
            tell=lambda kind, detail, **more: self.told.append((kind, more)),
        )  # fmt: skip
        self.circuit = self.publisher.lanes[0].circuit

    async def __aenter__(self):
        await self.publisher.start()
        return self

    async def __aexit__(self, *_):
        await self.publisher.stop()
        await self.bus.close()

    def channel(self, name="S", cls=HIGH):
        return self.outbox.channel("trades", "venue", name, "venue_spot", "", cls)


@pytest.fixture
def server(tmp_path):
    with RedisProcess(tmp_path / "redis") as running:
        yield running


def stored(server, channel):
    return [json.loads(fields[b"e"])["seq"] for _, fields in server.client().xrange(channel.key)]


def misconf(server):
    """A snapshot that cannot be written: its name is a folder's."""
    client = server.client()
    (server.folder / "dump.rdb").mkdir()
    client.config_set("save", "3600 1")
    client.set("a", "b")
    client.bgsave()
    while client.info("persistence")["rdb_last_bgsave_status"] != "err":
        time.sleep(0.01)

    def heal():
        client.config_set("stop-writes-on-bgsave-error", "no")

    return "MISCONF", heal


def busy(server):
    """A script that never ends."""
    client = server.client(socket_timeout=0.3)
    client.config_set("busy-reply-threshold", "20")
    with contextlib.suppress(RedisError):
        client.eval("while true do end", 0)

    def heal():
        server.client().script_kill()

    return "BUSY", heal


def no_replicas(server):
    client = server.client()
    client.config_set("min-replicas-to-write", 1)
    return "NOREPLICAS", lambda: client.config_set("min-replicas-to-write", 0)


def out_of_memory(server):
    client = server.client()
    client.config_set("maxmemory", "1mb")
    return "OOM", lambda: client.config_set("maxmemory", 0)


@pytest.mark.parametrize("refuse", [misconf, busy, no_replicas, out_of_memory])
async def test_what_passes_is_waited_for_with_the_circuit_open_and_nothing_is_lost(server, refuse):
    async with Run(server.url) as run:
        channel = run.channel()
        run.outbox.emit(channel, b"{}")
        assert await run.publisher.drain(PATIENCE_S) == 0
        kind, heal = await asyncio.to_thread(refuse, server)
        for _ in range(20):
            run.outbox.emit(channel, b"{}")
        await until(lambda: run.circuit.state == "open")
        assert run.circuit.reason == kind and run.publisher.errors[kind] >= 4 and run.publisher.lanes[0].n_connects == 1
        await asyncio.to_thread(heal)
        assert await run.publisher.drain(PATIENCE_S) == 0
        assert stored(server, channel) == list(range(1, 22)) and run.circuit.state == "closed"
        assert [more["state"] for kind, more in run.told if more.get("lane") == "urgent"] == ["open", "half_open", "closed"]


async def test_a_quarantined_channel_is_tried_again_and_heals(server, monkeypatch):
    monkeypatch.setattr(publishing, "RELEASE_S", 0.2)
    async with Run(server.url) as run:
        channel = run.channel()
        server.client().set(channel.key, "not a stream")
        run.outbox.emit(channel, b"{}")
        await until(lambda: channel.quarantined)
        assert run.publisher.stats()["quarantined"] == [channel.name.decode()]
        assert run.told[0] == ("quarantine", {"channel": channel.name.decode()})
        server.client().delete(channel.key)
        await until(lambda: not channel.quarantined)
        seq = run.outbox.emit(channel, b"{}")
        assert await run.publisher.drain(PATIENCE_S) == 0
        assert stored(server, channel) == [seq]


async def test_who_wants_no_retries_gets_none_and_every_event_is_counted(server):
    async with Run(server.url, enabled=False) as run:
        channel = run.channel()
        await asyncio.to_thread(out_of_memory, server)
        await until(lambda: run.publisher.lanes[0].ready)
        for _ in range(20):
            run.outbox.emit(channel, b"{}")
        assert await run.publisher.drain(PATIENCE_S) == 0
        n = run.outbox.stats()["classes"]["HIGH"]
        assert (n["shed"], n["retries"], n["accepted"]) == (20, 0, 20) and run.circuit.state == "closed"


async def test_trouble_on_one_lane_is_not_the_other_lanes(server):
    """Snapshots that may not be stored never stop a trade."""
    server.client().execute_command("ACL", "SETUSER", "default", "-set")
    async with Run(server.url) as run:
        snapshots, trades = run.outbox.channel("snapshots", "venue", "S", "venue_spot", "", MEDIUM), run.channel()
        for _ in range(10):
            run.outbox.emit(snapshots, b"{}")
            run.outbox.emit(trades, b"{}")
            await asyncio.sleep(0.01)
        await until(lambda: len(stored(server, trades)) == 10)
        assert run.circuit.state == "closed" and snapshots.quarantined


def test_a_class_is_changed_by_configuration_within_its_lane():
    outbox = Outbox(Clock(), epoch=1, classes={"trades": CRITICAL, "snapshots": LOW, "candles": LOW})
    assert outbox.channel("trades", "venue", "S", "venue_spot", "", HIGH).cls == CRITICAL
    assert outbox.channel("snapshots", "venue", "S", "venue_spot", "", MEDIUM).cls == LOW
    with pytest.raises(ValueError, match="candles is HIGH: it may be CRITICAL or HIGH"):
        outbox.channel("candles", "venue", "S", "venue_spot", "", HIGH)
