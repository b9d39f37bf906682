"""The spool: what Redis has not confirmed survives a full memory, the end of the process, and most of what disks do."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from cext.clock import Clock
from cext.journal import entries
from cext.outbox import Outbox

from p9.delivery.bus import Bus
from p9.delivery.disk import Disk
from p9.delivery.publisher import Confirmer, Publisher
from p9.delivery.spool import Spool, SpoolSettings
from tests.delivery.redis_process import RedisProcess
from tests.patience import PATIENCE_S, until

CRITICAL, HIGH, MEDIUM, LOW = range(4)
QUICK = Confirmer(retry_delay_s=0.02, confirm_timeout_s=0.5)
GROUP = SpoolSettings(fsync_interval_s=0.02)


@pytest.fixture
def server(tmp_path):
    process = RedisProcess(tmp_path / "redis")
    try:
        yield process
    finally:
        process.kill()


class Run:
    """One life of an appliance's delivery."""

    def __init__(self, url, folder, epoch, *, settings=GROUP, confirmer=QUICK, files=None, **bounds):
        self.url, self.epoch, self.bounds, self.confirmer = url, epoch, bounds, confirmer
        self.told = []
        self.spool = Spool(files or Disk(folder), settings, tell=lambda kind, detail, **more: self.told.append((kind, more)))
        self.n_found = 0

    async def __aenter__(self):
        self.n_found = await self.spool.recover()
        self.outbox = Outbox(Clock(), epoch=self.epoch, journals=self.spool.journals, **self.bounds)
        self.bus = Bus(self.url)
        self.publisher = Publisher(self.outbox, self.bus, self.confirmer, spool=self.spool)
        await self.publisher.start()
        return self

    async def __aexit__(self, *_):
        await self.publisher.stop()
        await self.bus.close()

    def channels(self, n=3, cls=HIGH, type="trades"):
        return [self.outbox.channel(type, "venue", f"S{i}-USDT", "venue_spot", f"S{i}USDT", cls) for i in range(n)]

    async def back(self, server):
        """Redis comes, and is found."""
        await asyncio.to_thread(server.start)
        await until(lambda: self.publisher.lanes[0].n_connects and self.publisher.lanes[0].circuit.state == "closed")

    def adds_up(self):
        for name, n in self.outbox.stats()["classes"].items():
            assert n["accepted"] == n["confirmed"] + n["conflated"] + n["shed"] + n["quarantined"] + n["waiting"], (name, n)


def stored(server, channel):
    return [(event["epoch"], event["seq"]) for event in (json.loads(fields[b"e"]) for _, fields in server.client().xrange(channel.key))]


def spool_files(folder):
    return sorted(path.name for path in folder.glob("*.spool"))


async def test_what_a_stop_leaves_is_delivered_by_the_next_start_in_its_order(server, tmp_path):
    folder = tmp_path / "spool"
    async with Run(server.url, folder, epoch=1000) as first:
        channels = first.channels()
        for n in range(300):
            first.outbox.emit(channels[n % 3], b'{"n":%d}' % n)
        await first.publisher.drain(0.1)
        left = await first.publisher.put_by()
        assert (left.spooled, left.lost) == (300, 0)
    await asyncio.to_thread(server.start)
    async with Run(server.url, folder, epoch=2000) as second:
        assert second.n_found == 300 and second.spool.newest_epoch == 1000
        channels = second.channels()
        for n in range(30):
            second.outbox.emit(channels[n % 3], b"{}")  # behind what waits of their channels
        assert await second.publisher.drain(PATIENCE_S) == 0
        second.adds_up()
        for channel in channels:
            assert stored(server, channel) == [(1000, n) for n in range(1, 101)] + [(2000, n) for n in range(1, 11)]
        assert second.outbox.stats()["classes"]["HIGH"]["recovered"] == 300
        await until(lambda: spool_files(folder) == [])


async def test_a_channel_that_nobody_writes_to_any_more_is_delivered_too(server, tmp_path):
    async with Run(server.url, tmp_path / "spool", epoch=1000) as first:
        [gone] = first.channels(1, type="delisted")
        first.outbox.emit(gone, b"{}")
        await first.publisher.put_by()
    await asyncio.to_thread(server.start)
    async with Run(server.url, tmp_path / "spool", epoch=2000) as second:
        assert await second.publisher.drain(PATIENCE_S) == 0
        assert stored(server, gone) == [(1000, 1)]
        second.adds_up()


async def test_a_redis_that_keeps_up_costs_no_write(server, tmp_path):
    await asyncio.to_thread(server.start)
    async with Run(server.url, tmp_path / "spool", epoch=1) as run:
        [channel] = run.channels(1)
        await until(lambda: run.publisher.lanes[0].ready)
        for _ in range(50):
            run.outbox.emit(channel, b"{}")
            await asyncio.sleep(0.002)
        assert await run.publisher.drain(PATIENCE_S) == 0
        assert run.outbox.stats()["classes"]["HIGH"]["spooled"] <= 5  # a busy machine may be late once


async def test_beyond_memory_events_live_on_disk_and_come_back_in_order(server, tmp_path):
    folder = tmp_path / "spool"
    settings = SpoolSettings(fsync_interval_s=0.02, segment_bytes=65536)
    async with Run(server.url, folder, epoch=1, settings=settings, items=(50, 100, 0, 100)) as run:
        channels = [*run.channels(), *run.channels(2, CRITICAL, "liquidations")]
        for n in range(6000):
            run.outbox.emit(channels[n % 5], b'{"n":%d}' % n)
            if n % 200 == 0:
                await asyncio.sleep(0.005)
        run.adds_up()
        n = run.outbox.stats()["classes"]
        assert n["HIGH"]["shed"] == n["CRITICAL"]["shed"] == 0 and n["HIGH"]["waiting"] == 3600
        assert n["HIGH"]["waiting_on_disk"] == 3500 and n["CRITICAL"]["waiting_on_disk"] == 2350
        assert n["HIGH"]["memory_bytes"] <= 2 << 20
        await until(lambda: len(spool_files(folder)) > 2)
        await run.back(server)
        fed = asyncio.create_task(keep_emitting(run, channels, 500))
        await fed
        assert await run.publisher.drain(PATIENCE_S) == 0
        run.adds_up()
        for channel in channels:
            assert stored(server, channel) == [(1, n) for n in range(1, channel.seq + 1)] and channel.seq == 1300
        await until(lambda: spool_files(folder) == [])


async def keep_emitting(run, channels, turns):
    for n in range(turns):
        run.outbox.emit(channels[n % len(channels)], b"{}")
        await asyncio.sleep(0.001)


async def test_a_channel_without_spooled_events_does_not_wait_behind_those_that_have_them(server, tmp_path):
    async with Run(server.url, tmp_path / "spool", epoch=1, items=(50, 100, 0, 100)) as run:
        busy, quiet = run.channels(2)
        for n in range(20_000):
            run.outbox.emit(busy, b"{}")
            if n % 1000 == 0:
                await asyncio.sleep(0.01)
        await asyncio.to_thread(server.start)
        listener = server.client().pubsub()
        listener.psubscribe("trades:*")
        listener.get_message(timeout=1)
        await until(lambda: run.outbox.stats()["classes"]["HIGH"]["confirmed"] > 1000)
        assert run.outbox.stats()["classes"]["HIGH"]["waiting_on_disk"] > 10_000
        assert run.outbox.emit(quiet, b"{}") == 1
        assert await run.publisher.drain(PATIENCE_S) == 0
        heard = []
        while (message := listener.get_message(timeout=0.2)) is not None:
            heard.append(message["channel"])
        # the listener may come a batch later than the publisher: what it heard tells the order, the stream that all is there
        assert stored(server, busy) == [(1, n) for n in range(1, 20_001)]
        assert len(heard) > 15_000 and heard.index(quiet.name) < 12_000


KILLED = """
import asyncio, sys, time
from pathlib import Path
from cext.clock import Clock
from cext.outbox import Outbox
from p9.delivery.bus import Bus
from p9.delivery.disk import Disk
from p9.delivery.publisher import Publisher
from p9.delivery.spool import Spool, SpoolSettings

async def main(url, folder, epoch):
    spool = Spool(Disk(Path(folder)), SpoolSettings())
    await spool.recover()
    outbox = Outbox(Clock(), epoch=epoch, journals=spool.journals)
    publisher = Publisher(outbox, Bus(url), spool=spool)
    await publisher.start()
    channel = outbox.channel("trades", "venue", "S0-USDT", "venue_spot", "S0USDT", 1)
    while True:
        for _ in range(10):
            outbox.emit(channel, b"{}")
        print("accepted", channel.seq, time.time_ns(), flush=True)
        await asyncio.sleep(0.001)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


async def test_a_kill_loses_at_most_what_was_accepted_within_the_fsync_window(server, tmp_path):
    for life in range(1, 4):
        process = subprocess.Popen([sys.executable, "-c", KILLED, server.url, str(tmp_path / "spool"), str(life)], stdout=subprocess.PIPE, text=True)
        lines = [process.stdout.readline()]
        began = time.monotonic()
        while time.monotonic() - began < 0.4 + 0.13 * life:
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        killed_ns = time.time_ns()
        lines += process.stdout.readlines()
        process.wait()
        accepted = [tuple(map(int, line.split()[1:])) for line in lines if line.startswith("accepted") and line.endswith("\n")]
        folder = tmp_path / "spool"
        safe = max(seq for name in spool_files(folder) for _, epoch, seq, *_ in entries((folder / name).read_bytes()) if epoch == life)
        lost_ages_ms = [(killed_ns - at_ns) / 1e6 for seq, at_ns in accepted if seq > safe]
        assert max(lost_ages_ms, default=0) < 400  # 100 ms and the fsync, on a machine that may be busy
    await asyncio.to_thread(server.start)
    async with Run(server.url, folder, epoch=9) as run:
        assert await run.publisher.drain(PATIENCE_S) == 0
        found = [json.loads(fields[b"e"]) for _, fields in server.client().xrange(b"stream:{trades:venue:S0-USDT}")]
        for life in range(1, 4):
            seqs = [event["seq"] for event in found if event["epoch"] == life]
            assert seqs == list(range(1, len(seqs) + 1)) and len(seqs) > 100
        assert len(found) == run.n_found


class BadDisk(Disk):
    """`full` refuses to write, half of it done."""

    full = False

    def write(self, name, offset, data):
        if self.full:
            super().write(name, offset, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        super().write(name, offset, data)


async def test_a_full_disk_is_said_and_survived_and_sheds_only_beyond_memory(server, tmp_path):
    files = BadDisk(tmp_path / "spool")
    async with Run(server.url, None, epoch=1, files=files, items=(50, 100, 0, 100)) as run:
        run.outbox.journals[HIGH].max_pending_bytes = 100_000
        [channel] = run.channels(1)
        run.outbox.emit(channel, b"{}")
        await until(lambda: run.spool.n_bytes > 0)
        files.full = True
        for _ in range(3000):
            run.outbox.emit(channel, b"{}")
            await asyncio.sleep(0)
        await until(lambda: run.spool.error)
        assert run.spool.warning() and ("spool", {"state": "disk_refuses"}) in run.told
        n = run.outbox.stats()["classes"]["HIGH"]
        assert n["shed"] > 1000 and n["waiting"] == channel.seq
        run.adds_up()
        files.full = False
        await until(lambda: not run.spool.error)
        await run.back(server)
        assert await run.publisher.drain(PATIENCE_S) == 0
        assert stored(server, channel) == [(1, n) for n in range(1, channel.seq + 1)]
        run.adds_up()


async def test_over_its_bound_the_oldest_high_events_are_shed_and_no_critical_ones(server, tmp_path):
    settings = SpoolSettings(fsync_interval_s=0.02, segment_bytes=20_000, max_bytes=200_000)
    async with Run(server.url, tmp_path / "spool", epoch=1, settings=settings, items=(10, 10, 0, 100)) as run:
        [trades], [alarms] = run.channels(1), run.channels(1, CRITICAL, "liquidations")
        for n in range(3000):
            run.outbox.emit(trades, b"{}")
            if n % 20 == 0:
                run.outbox.emit(alarms, b"{}")
                await asyncio.sleep(0.002)
            if n % 100 == 0:
                await run.spool.flush()  # what waits on a slow machine is one segment otherwise, and goes as one
        await until(lambda: run.spool.n_shed > 500 and run.spool.n_bytes <= 200_000)
        run.adds_up()
        assert any(kind == "spool" and more["state"] == "full" for kind, more in run.told)
        await run.back(server)
        assert await run.publisher.drain(PATIENCE_S) == 0
        run.adds_up()
        assert stored(server, alarms) == [(1, n) for n in range(1, 151)]
        seqs = [seq for _, seq in stored(server, trades)]
        assert seqs == sorted(set(seqs)) and len(seqs) == 3000 - run.outbox.stats()["classes"]["HIGH"]["shed"]
        assert seqs[:10] == list(range(1, 11)) and seqs[-1] == 3000  # what was in memory, and the newest


@pytest.mark.parametrize("damage", ["torn", "flipped", "header"])
async def test_damage_costs_the_damaged_events_and_no_other(server, tmp_path, damage):
    folder = tmp_path / "spool"
    async with Run(server.url, folder, epoch=1) as first:
        [channel] = first.channels(1)
        for n in range(100):
            first.outbox.emit(channel, b'{"n":%d}' % n)
        await first.publisher.put_by()
    [name] = spool_files(folder)
    data = bytearray((folder / name).read_bytes())
    size = len(data) // 100
    if damage == "torn":
        os.truncate(folder / name, len(data) - 40)
    else:
        data[50 * size + (150 if damage == "flipped" else 5)] ^= 16
        (folder / name).write_bytes(data)
    await asyncio.to_thread(server.start)
    async with Run(server.url, folder, epoch=2) as second:
        assert second.n_found == 99
        assert (second.spool.n_torn, second.spool.stats()["damaged"]) == ((1, 0) if damage == "torn" else (0, 1))
        [channel] = second.channels(1)
        second.outbox.emit(channel, b"{}")
        assert await second.publisher.drain(PATIENCE_S) == 0
        missing = 100 if damage == "torn" else 51
        assert len(stored(server, channel)) == 100
        assert [seq for epoch, seq in stored(server, channel) if epoch == 1] == [n for n in range(1, 101) if n != missing]


async def test_damage_while_we_run_is_counted_and_the_channel_goes_on(server, tmp_path):
    folder = tmp_path / "spool"
    async with Run(server.url, folder, epoch=1, items=(10, 10, 0, 10)) as run:
        [channel] = run.channels(1)
        for _ in range(100):
            run.outbox.emit(channel, b"{}")
        await until(lambda: run.spool.n_bytes > 0 and run.outbox.journals[HIGH].pending_bytes == 0)
        [name] = spool_files(folder)
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)
        await run.back(server)
        assert await run.publisher.drain(PATIENCE_S) == 0
        run.adds_up()
        assert run.outbox.stats()["classes"]["HIGH"]["shed"] == 1 and run.spool.stats()["damaged"] == 1
        assert len(stored(server, channel)) == 99
        run.outbox.emit(channel, b"{}")
        assert await run.publisher.drain(PATIENCE_S) == 0
        await until(lambda: spool_files(folder) == [])


async def test_always_writes_ahead_of_the_confirmation(server, tmp_path):
    server.start()
    async with Run(server.url, tmp_path / "spool", epoch=1, settings=SpoolSettings(fsync="always", fsync_interval_s=3600.0)) as run:
        [channel] = run.channels(1)
        await until(lambda: run.publisher.lanes[0].ready)
        server.freeze()
        run.outbox.emit(channel, b"{}")
        await until(lambda: run.spool.n_safe == 1)
        server.thaw()
        assert await run.publisher.drain(PATIENCE_S) == 0


async def test_the_circuit_opens_probes_and_closes_and_each_is_an_event(server, tmp_path):
    from p9.delivery.findings import Findings

    async with Run(server.url, tmp_path / "spool", epoch=1) as run:
        run.publisher.tell = Findings(run.outbox).tell
        [channel] = run.channels(1)
        run.outbox.emit(channel, b"{}")
        circuit = run.publisher.lanes[0].circuit
        await until(lambda: circuit.state == "open")
        await asyncio.to_thread(server.start)
        assert await asyncio.wait_for(_closed(circuit), PATIENCE_S)
        with contextlib.suppress(TimeoutError):
            await run.publisher.drain(5)
        events = [json.loads(fields[b"e"]) for _, fields in server.client().xrange(b"stream:{integrity:all:-}")]
        states = [event["state"] for event in events if event["kind"] == "circuit" and event["lane"] == "urgent"]
        assert states == ["open", "half_open", "closed"] and events[-1]["type"] == "integrity"


async def _closed(circuit):
    await until(lambda: circuit.state == "closed")
    return True
