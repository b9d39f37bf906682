"""An appliance on simulated markets with a real Redis: what it stores is what it publishes, while it runs, after it, and under another configuration."""

import asyncio
import json

import aiohttp
from redis.asyncio import Redis

from p9.client import stored_snapshot
from p9.snapshots import library
from tests.test_hot_reload import Run

FIELDS = ("exchange", "symbol", "market", "venue_symbol", "ts_event", "ts_recv", "depth_epoch", "depth_seq", "update_id", "valid_bid", "valid_ask", "bids", "asks")
CONTRACT = ("contract_value", "contract_unit")


async def heard(redis: Redis, n: int) -> list[dict]:
    """The next `n` snapshots of each book that are published."""
    found: dict[str, list[dict]] = {}
    async with redis.pubsub() as bus:
        await bus.psubscribe("snapshots:*")
        async with asyncio.timeout(60):
            while len(found) < 6 or min(map(len, found.values())) < n:
                message = await bus.get_message(ignore_subscribe_messages=True, timeout=5)
                if message is not None:
                    found.setdefault(message["channel"].decode(), []).append(json.loads(message["data"]))
    return [event for events in found.values() for event in events]


def told(event: dict) -> dict:
    return {name: event.get(name) for name in (*FIELDS, *CONTRACT)}


async def test_what_is_stored_is_what_was_published(tmp_path):
    async with Run(tmp_path) as run:
        redis = Redis.from_url(run.redis.url)
        events = await heard(redis, 3)
        keeper, root = run.appliance.snapshots, tmp_path / "data" / "snapshots"
        await keeper.flush()
        assert {event["market"] for event in events} == {"binance_usdm", "bybit_linear", "okx_swap"}
        assert any("contract_value" in event for event in events) and max(len(event["bids"]) for event in events) > 300
        for event in events:
            # taken when it was announced, which is a tick of the timer before it was sent at most
            at_ns = event["ts_pub"]
            for snapshot in (
                await asyncio.to_thread(library.find, root, event["exchange"], event["symbol"], at_ns),
                await stored_snapshot(redis, event["exchange"], event["symbol"], at_ns),
                await run.appliance.snapshot(event["exchange"], event["venue_symbol"], at_ns),
            ):
                assert told(snapshot.plain()) == told(event)
        async with aiohttp.ClientSession() as session, session.get(f"{run.appliance.pages.url}/snapshots/okx/BTC-USDT-PERP?depth=1&at={at_ns}") as answer:
            assert answer.status == 200 and len((await answer.json())["bids"]) == 1
        status = run.appliance.status()["snapshots"]
        assert status["books"] == 6 and status["lost"] == status["disk_lost"] == status["redis_lost"] == 0 < status["disk"]["bytes"]

        run.tree["analytics"] = {"periodic_snapshots": {"interval": "250ms", "storage_duration": "2h", "max_bytes": "64MB", "redis_newest": "0s", "storage": "redis"}}
        said = await run.reload()
        assert said["needs_restart"] == ["analytics.periodic_snapshots.storage: disk -> redis"], "the rest is in force"
        assert (keeper.settings.interval_ms, keeper.settings.keep_ms, keeper.settings.redis_keep_ms, keeper.shelf.max_bytes) == (250, 7_200_000, 0, 64 << 20)
        before = len(await redis.keys("snapshot:*"))
        packed = keeper.status()["packed"]
        async with asyncio.timeout(60):
            while keeper.status()["packed"] < packed + 60:
                await asyncio.sleep(0.05)
        assert len(await redis.keys("snapshot:*")) <= before
        newest = await run.appliance.snapshot("okx", "BTC-USDT-PERP", None)
        assert newest.at_ms % 250 == 0 and keeper.status()["books"] == 6
        spans = library.spans(root, "okx", "BTC-USDT-PERP")
        # a busy machine may have missed a quarter of a second now and then
        assert spans[0][0] <= events[0]["ts_pub"] and spans[-1][1] == newest.taken_ns and all(first <= last for first, last in spans)
        await redis.aclose()
    after = library.find(root, "okx", "BTC-USDT-PERP")
    assert after.taken_ns >= newest.taken_ns, "the last ones were kept at the stop"
