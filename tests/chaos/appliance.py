"""The whole appliance on simulated venues, killed at random points. There is no ledger here: within an epoch `seq` has no holes, so a number that is
missing below another one is lost. (The last ones of an epoch cannot be told from outside; the driver's phases tell them.)"""

import asyncio
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from tests.chaos.arena import RECOVERY_LIMIT_S, ROOT, Counts
from tests.chaos.watcher import LiveReader, StreamReader
from tests.delivery.redis_process import RedisProcess

MARKETS = {"binance": ("spot", "usdm", "coinm", "option"), "bybit": ("spot", "linear", "inverse", "option"), "okx": ("spot", "swap", "futures", "option")}
USED = ("binance_usdm", "bybit_linear")
SETTLE_S = 3.0


class Appliance:
    """`python -m p9` with a configuration that leads to the simulator and to `url`."""

    def __init__(self, folder: Path, url: str, endpoints: dict[str, Any]):
        self.folder = folder
        self.process: asyncio.subprocess.Process | None = None
        lines: dict[str, Any] = {}
        for venue, names in MARKETS.items():
            for line in names:
                place, used = endpoints[f"{venue}_{line}"], f"{venue}_{line}" in USED
                lines.setdefault(venue, {})[line] = {"rest_url": place["rest"], "ws_url": place["ws"]} if used else {"enabled": False}
        tree = {"data_dir": str(folder / "data"), "http": {"enabled": False}, "redis": {"url": url, "mode": "external"}, "venues": lines}
        (folder / "config.yaml").write_text(yaml.safe_dump(tree))

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "p9", "--config", str(self.folder / "config.yaml"), cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=(self.folder / "out").open("ab"), stderr=(self.folder / "log").open("ab"),
        )  # fmt: skip

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), 30)

    def rss_mb(self) -> float:
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1000
        return 0.0


async def kills(folder: Path, n: int, seed: int = 5) -> Counts:
    """kill -9 of the appliance while it captures, every second time with Redis frozen."""
    folder, counts, chance = folder / "appliance", Counts("appliance"), random.Random(seed)
    folder.mkdir()
    began_s = time.monotonic()
    simulator = await asyncio.create_subprocess_exec(sys.executable, "-m", "p9", "simulate", cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert simulator.stdout is not None
    endpoints = json.loads(await asyncio.wait_for(simulator.stdout.readline(), 30))["endpoints"]
    redis = RedisProcess(folder / "redis", "--appendonly", "yes", "--appendfsync", "always")
    await asyncio.to_thread(redis.start)
    live, streams = LiveReader(redis.url, [], "*:*:*"), StreamReader(redis.url, [])
    appliance = Appliance(folder, redis.url, endpoints)
    watched = ["trades:binance:BTC-USDT-PERP", "trades:bybit:BTC-USDT-PERP"]
    try:
        await live.start()
        await streams.start()
        for turn in range(n + 1):
            since_ns = time.time_ns()
            await appliance.start()
            took_s = await live.awaiting(since_ns, RECOVERY_LIMIT_S, watched)
            if took_s is None:
                counts.stuck += 1
            else:
                counts.recoveries_s.append(took_s)
            await asyncio.sleep(chance.uniform(0.3, 2.5))
            counts.rss_mb = max(counts.rss_mb, appliance.rss_mb())
            if turn == n:
                break
            if turn % 2:
                redis.freeze()
                await asyncio.sleep(chance.uniform(0.1, 0.8))
            await appliance.kill()
            redis.thaw()
            counts.kills += 1
        code = await appliance.stop()
        counts.notes["wrong"] = [] if code == 0 else [f"the appliance ended with {code}: {(folder / 'log').read_text()[-1000:]}"]
        await asyncio.sleep(SETTLE_S)
    finally:
        if appliance.process is not None and appliance.process.returncode is None:
            await appliance.kill()
        await live.stop()
        await streams.stop()
        redis.__exit__()
        simulator.terminate()
        await simulator.wait()
    for tally in (live.tally, streams.tally):
        counts.lost[tally.name] = {"CRITICAL and HIGH": holes} if (holes := tally.holes()) else {}
        counts.duplicates += tally.duplicates
        counts.disorders += tally.disorders
    counts.accepted = counts.delivered = live.tally.events
    counts.notes["channels"] = len(live.tally.channels)
    counts.notes["examples"] = live.tally.examples + streams.tally.examples
    counts.notes["client"] = live.stats
    counts.seconds = time.monotonic() - began_s
    return counts
