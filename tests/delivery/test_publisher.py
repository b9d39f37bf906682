"""Delivery into a real Redis: every event in its stream once and in order, whatever happens to the server."""

import asyncio
import contextlib
import json
import subprocess

import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from p9.delivery.bus import Bus
from p9.delivery.publisher import Confirmer, Publisher
from tests.delivery.redis_process import RedisProcess
from tests.patience import PATIENCE_S, until

CRITICAL, HIGH, MEDIUM, LOW = range(4)
QUICK = Confirmer(retry_delay_s=0.05, confirm_timeout_s=0.5)


@pytest.fixture
def server(tmp_path):
    with RedisProcess(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as running:
        yield running


@contextlib.asynccontextmanager
async def publishing(url, settings=QUICK, outbox=None, **options):
    outbox = outbox or Outbox(Clock(), epoch=1)
    bus = Bus(url, **options)
    publisher = Publisher(outbox, bus, settings)
    await publisher.start()
    try:
        yield outbox, publisher
    finally:
        await publisher.stop()
        await bus.close()


def channels_of(outbox, n=3, cls=HIGH):
    return [outbox.channel("trades", "venue", f"S{i}-USDT", "venue_spot", f"S{i}USDT", cls) for i in range(n)]


def stored_seqs(server, channel):
    return [json.loads(fields[b"e"])["seq"] for _, fields in server.client().xrange(channel.key)]


def adds_up(outbox):
    for name, n in outbox.stats()["classes"].items():
        assert n["accepted"] == n["confirmed"] + n["conflated"] + n["shed"] + n["quarantined"] + n["waiting"], (name, n)


async def emit_steadily(channels, outbox, n, pause_s=0.001, per_turn=5):
    for i in range(n):
        for _ in range(per_turn):
            outbox.emit(channels[i % len(channels)], b'{"price":"1.5","quantity":"2"}', ts_recv=outbox.clock.now())
        await asyncio.sleep(pause_s)


def complete(server, outbox, channels):
    adds_up(outbox)
    for channel in channels:
        assert stored_seqs(server, channel) == list(range(1, channel.seq + 1))


async def test_every_event_is_stored_once_and_in_order_and_heard(server):
    heard = []
    listener = server.client().pubsub()
    listener.psubscribe("*")
    listener.get_message(timeout=1)
    async with publishing(server.url) as (outbox, publisher):
        channels = [*channels_of(outbox), outbox.channel("liquidations", "venue", "-", "venue_spot", "", CRITICAL)]
        slot = outbox.channel("funding", "venue", "S0-USDT", "venue_spot", "", MEDIUM)
        for n in range(500):
            for channel in channels:
                outbox.emit(channel, b'{"price":"1"}')
            outbox.emit(slot, b'{"n":%d}' % n)
            if n % 50 == 0:
                await asyncio.sleep(0)
        assert await publisher.drain(PATIENCE_S) == 0
        complete(server, outbox, channels)
        assert json.loads(server.client().get(slot.key))["n"] == 499
        while (message := listener.get_message(timeout=0.1)) is not None:
            heard.append((message["channel"], json.loads(message["data"])["seq"]))
        for channel in channels:
            assert [seq for name, seq in heard if name == channel.name] == list(range(1, 501))
        assert outbox.stats()["classes"]["HIGH"]["confirmed"] == 1500


async def test_a_killed_server_comes_back_to_all_that_was_accepted(server):
    async with publishing(server.url) as (outbox, publisher):
        channels = channels_of(outbox)
        task = asyncio.create_task(emit_steadily(channels, outbox, 600))
        for n in range(1, 4):
            await until(lambda n=n: publisher.lanes[0].ready and publisher.lanes[0].n_connects >= n)
            await asyncio.sleep(0.1)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(0.05)
            await asyncio.to_thread(server.start)
        await task
        assert await publisher.drain(PATIENCE_S) == 0
        complete(server, outbox, channels)
        await until(lambda: publisher.lanes[0].n_connects == 4)


async def test_a_frozen_server_is_left_and_found_again(server):
    async with publishing(server.url) as (outbox, publisher):
        channels = channels_of(outbox)
        await emit_steadily(channels, outbox, 20)
        server.freeze()
        await emit_steadily(channels, outbox, 400, pause_s=0.002)
        assert publisher.stats()["refusals"].get("timeout")
        server.thaw()
        assert await publisher.drain(PATIENCE_S) == 0
        complete(server, outbox, channels)


async def test_out_of_memory_delays_and_loses_nothing(server):
    async with publishing(server.url) as (outbox, publisher):
        channels = channels_of(outbox)
        await emit_steadily(channels, outbox, 20)
        await publisher.drain(5)
        server.client().config_set("maxmemory", "1mb")
        await emit_steadily(channels, outbox, 100, pause_s=0.002)
        await until(lambda: outbox.stats()["errors"].get("OOM"))
        assert outbox.waiting() > 0
        server.client().config_set("maxmemory", "0")
        assert await publisher.drain(PATIENCE_S) == 0
        complete(server, outbox, channels)


async def test_a_read_only_server_is_waited_for(server):
    async with publishing(server.url) as (outbox, publisher):
        channels = channels_of(outbox)
        await emit_steadily(channels, outbox, 20)
        await publisher.drain(5)
        server.client().replicaof("127.0.0.1", 1)
        await emit_steadily(channels, outbox, 100, pause_s=0.002)
        await until(lambda: outbox.stats()["errors"].get("READONLY"))
        server.client().replicaof("NO", "ONE")
        assert await publisher.drain(PATIENCE_S) == 0
        complete(server, outbox, channels)


async def test_a_key_of_another_type_is_set_aside_and_delays_nobody(server):
    async with publishing(server.url) as (outbox, publisher):
        bad, good, other = channels_of(outbox)
        server.client().set(bad.key, "not a stream")
        await emit_steadily([bad, good, other], outbox, 90)
        assert await publisher.drain(PATIENCE_S) == 0
        complete(server, outbox, [good, other])
        assert bad.quarantined and outbox.stats()["classes"]["HIGH"]["quarantined"] == 150


async def test_a_key_that_the_user_may_not_write_is_set_aside(server):
    server.client().execute_command("ACL", "SETUSER", "desk", "on", ">secret", "+@all", "resetkeys", "~stream:{trades:venue:S1-USDT}", "&*")
    async with publishing(f"redis://desk:secret@127.0.0.1:{server.port}/0") as (outbox, publisher):
        channels = channels_of(outbox)
        await emit_steadily(channels, outbox, 60)
        assert await publisher.drain(PATIENCE_S) == 0
        complete(server, outbox, channels[1:2])
        assert [channel.quarantined for channel in channels] == [True, False, True]


async def test_a_stream_ahead_of_our_clock_still_takes_every_event_in_order(server):
    async with publishing(server.url) as (outbox, publisher):
        [channel] = channels_of(outbox, 1)
        server.client().xadd(channel.key, {"e": '{"seq":0}'}, id="99999999999999-5")
        await emit_steadily([channel], outbox, 30)
        assert await publisher.drain(PATIENCE_S) == 0
        assert stored_seqs(server, channel) == list(range(0, channel.seq + 1))
        adds_up(outbox)


async def test_a_connection_cut_in_the_answers_leaves_no_event_twice_in_its_stream(server):
    """A proxy lets the commands through and cuts the connection inside the answers: the batch was carried out and is sent again."""
    n_cut, cut_after = 0, [20, 400, 3000]

    async def pipe(client_reader, client_writer):
        nonlocal n_cut
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", server.port)

        async def forth():
            while data := await client_reader.read(65536):
                upstream_writer.write(data)

        pump = asyncio.create_task(forth())
        left = 1000 + cut_after[n_cut] if n_cut < len(cut_after) else 1 << 40  # the greeting passes
        with contextlib.suppress(ConnectionError):
            while data := await upstream_reader.read(4096):
                if len(data) >= left and left < 1 << 39 and b"QUEUED" in data:
                    client_writer.write(data[: len(data) // 2])
                    n_cut += 1
                    break
                left -= len(data)
                client_writer.write(data)
        pump.cancel()
        client_writer.close()
        upstream_writer.close()

    proxy = await asyncio.start_server(pipe, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    async with publishing(f"redis://127.0.0.1:{port}/0") as (outbox, publisher):
        channels = channels_of(outbox)
        await emit_steadily(channels, outbox, 400)
        assert await publisher.drain(PATIENCE_S) == 0
        complete(server, outbox, channels)
        assert n_cut == 3 and outbox.stats()["classes"]["HIGH"]["retries"] > 0
        assert outbox.stats()["errors"].get("SMALLER")
    proxy.close()


async def test_a_server_that_loads_its_data_is_waited_for(tmp_path):
    with RedisProcess(tmp_path / "redis", "--appendonly", "yes", "--enable-debug-command", "yes") as server:
        pipe = server.client().pipeline(transaction=False)
        for n in range(20_000):
            pipe.set(f"filler:{n}", "x" * 100)
        pipe.execute()
        async with publishing(server.url) as (outbox, publisher):
            channels = channels_of(outbox)
            await emit_steadily(channels, outbox, 20)
            await publisher.drain(5)
            server.client().config_set("key-load-delay", "50")
            server.client().config_set("loading-process-events-interval-bytes", "1024")
            reload = asyncio.create_task(asyncio.to_thread(server.client().execute_command, "DEBUG", "LOADAOF"))
            await emit_steadily(channels, outbox, 200, pause_s=0.002)
            assert await publisher.drain(PATIENCE_S) == 0
            await reload
            assert outbox.stats()["errors"].get("LOADING")
            complete(server, outbox, channels)


async def test_unix_socket_and_password_and_database(tmp_path):
    with RedisProcess(tmp_path / "redis") as server:
        server.client().config_set("requirepass", "p@ss word")
        async with publishing(f"unix://{server.unix_path}?db=3", password="p@ss word") as (outbox, publisher):
            channels = channels_of(outbox)
            await emit_steadily(channels, outbox, 20)
            assert await publisher.drain(PATIENCE_S) == 0
        client = server.client(password="p@ss word", db=3)
        assert client.xlen(channels[0].key) == channels[0].seq > 0


async def test_tls(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True,
    )
    process = RedisProcess(tmp_path / "redis", tls_port=True)
    options = ("--tls-port", str(process.tls_port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key),
               "--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "no")
    process.options = options
    with process as server:
        async with publishing(f"rediss://localhost:{server.tls_port}/0", ssl_ca_certs=str(certificate)) as (outbox, publisher):
            channels = channels_of(outbox)
            await emit_steadily(channels, outbox, 50)
            assert await publisher.drain(PATIENCE_S) == 0
            complete(server, outbox, channels)
        async with publishing(f"rediss://localhost:{server.tls_port}/0") as (outbox, publisher):  # an authority that nobody here knows
            outbox.emit(channels_of(outbox, 1)[0], b"{}")
            await until(lambda: publisher.stats()["refusals"].get("away"))
            assert outbox.waiting() == 1


async def test_a_wrong_password_is_said_and_waited_out(server):
    server.client().config_set("requirepass", "right")
    async with publishing(f"redis://:wrong@127.0.0.1:{server.port}/0") as (outbox, publisher):
        channels = channels_of(outbox)
        outbox.emit(channels[0], b"{}")
        await until(lambda: publisher.stats()["refusals"].get("refused", 0) >= 2)
        server.client(password="right").config_set("requirepass", "wrong")
        assert await publisher.drain(PATIENCE_S) == 0
        server.client(password="wrong").config_set("requirepass", "")
        complete(server, outbox, channels)


async def test_nothing_is_written_while_nobody_reads(server):
    """Backpressure: a frozen Redis leaves one batch in flight a lane; the rest waits in the outbox, in its bounds."""
    outbox = Outbox(Clock(), epoch=1, items=(1000, 1000, 0, 1000))
    async with publishing(server.url, Confirmer(confirm_timeout_s=60), outbox=outbox) as (_, publisher):
        [channel] = channels_of(outbox, 1)
        await until(lambda: publisher.lanes[0].ready)
        server.freeze()
        for _ in range(3000):
            outbox.emit(channel, b"{}")
        await asyncio.sleep(0.2)
        n = outbox.stats()["classes"]["HIGH"]
        assert n["waiting"] == 1000 and n["shed"] == 2000 and channel.seq == 1000
        server.thaw()
        assert await publisher.drain(PATIENCE_S) == 0
        complete(server, outbox, [channel])
