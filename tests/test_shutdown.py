"""A stop loses nothing: what Redis did not take is on disk, the exit code says so, and the next start delivers it."""

import asyncio
import json

from p9.app import Appliance
from p9.config import parse
from tests.delivery.redis_process import RedisProcess
from tests.patience import PATIENCE_S

NO_VENUES = {venue: {line: {"enabled": False} for line in lines.split()} for venue, lines in {
    "binance": "spot usdm coinm option", "bybit": "spot linear inverse option", "okx": "spot swap futures option",
}.items()}  # fmt: skip


def config_of(server, folder, drain="300ms"):
    return parse(json.dumps({
        "data_dir": str(folder), "redis": {"url": server.url, "mode": "external"}, "http": {"enabled": False}, "venues": NO_VENUES,
        "analytics": {"redis_publish_confirmer": {"drain_timeout": drain, "max_retries": 1, "retry_delay": "10ms"}},
    }))  # fmt: skip


def channel_of(appliance):
    return appliance.outbox.channel("trades", "venue", "BTC-USDT", "venue_spot", "BTCUSDT", 1)


async def test_what_a_stop_could_not_deliver_the_next_start_does(tmp_path):
    with RedisProcess(tmp_path / "redis") as server:
        first = Appliance(config_of(server, tmp_path / "data"))
        await first.start()
        channel = channel_of(first)
        first.outbox.emit(channel, b"{}")
        assert await first.publisher.drain(PATIENCE_S) == 0
        server.kill()
        for _ in range(99):
            first.outbox.emit(channel, b"{}")
        left = await first.stop()
        assert left.exit_code == 4 and left.lost == left.unsent == 0 and left.spooled >= 99  # and what delivery says of itself
        assert left.where == str(tmp_path / "data" / "spool")
        await asyncio.to_thread(server.start)
        second = Appliance(config_of(server, tmp_path / "data", "10s"))
        await second.start()
        assert second.outbox.epoch > first.outbox.epoch
        second.outbox.emit(channel_of(second), b"{}")
        assert (await second.stop()).exit_code == 0
        found = [json.loads(fields[b"e"]) for _, fields in server.client().xrange(channel.key)]
        epochs = first.outbox.epoch, second.outbox.epoch
        assert [(event["epoch"], event["seq"]) for event in found] == [*((epochs[0], seq) for seq in range(2, 101)), (epochs[1], 1)]


async def test_two_appliances_on_one_data_directory_have_a_spool_each(tmp_path):
    with RedisProcess(tmp_path / "redis") as server:
        both = [Appliance(config_of(server, tmp_path / "data")) for _ in range(2)]
        for appliance in both:
            await appliance.start()
        assert [appliance.publisher.spool.where for appliance in both] == [str(tmp_path / "data" / name) for name in ("spool", "spool-2")]
        assert both[0].outbox.epoch < both[1].outbox.epoch
        for appliance in both:
            await appliance.stop()
