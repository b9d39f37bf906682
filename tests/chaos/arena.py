"""One Redis, one driver, two consumers, and what can be done to them."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tests.chaos import ledger
from tests.chaos.driver import Orders
from tests.chaos.plan import CLASS_OF, DURABLE, NAMES
from tests.chaos.tally import compare, safe_until_ns
from tests.chaos.watcher import LiveReader, StreamReader
from tests.delivery.redis_process import RedisProcess

ROOT = Path(__file__).parents[2]
MEDIAN_WINDOW_MS = 250  # most: the fsync interval of 100 ms, a tick, and what a busy machine adds
RECOVERY_LIMIT_S = 30.0
SETTLE_S = 10.0  # so long after the heal an event may still be on its way
STEADY_S = 3.0  # all is drained, and nothing more has come for so long


@dataclass
class Counts:
    """One phase's figures."""

    name: str
    kills: int = 0
    accepted: int = 0
    delivered: int = 0
    lost: dict[str, dict[str, int]] = field(default_factory=dict)  # {consumer: {class: events}}
    in_window: int = 0
    unlogged: int = 0
    duplicates: int = 0
    disorders: int = 0
    recoveries_s: list[float] = field(default_factory=list)
    stuck: int = 0  # recoveries that took longer than the limit
    rss_mb: float = 0.0
    seconds: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def n_lost(self) -> int:
        return sum(sum(row.values()) for row in self.lost.values())

    def failures(self) -> list[str]:
        found = []
        if self.n_lost:
            found.append(f"{self.name}: lost {self.lost}")
        for what in ("duplicates", "disorders", "stuck"):
            if getattr(self, what):
                found.append(f"{self.name}: {getattr(self, what)} {what}")
        found += [f"{self.name}: {text}" for text in self.notes.get("wrong", ())]
        if not self.accepted:
            found.append(f"{self.name}: nothing was accepted")
        return found

    def row(self) -> dict[str, Any]:
        return {
            "kills": self.kills, "accepted": self.accepted, "delivered": self.delivered, "lost": self.lost, "in_fsync_window": self.in_window,
            "duplicates": self.duplicates, "disorders": self.disorders, "longest_recovery_s": round(max(self.recoveries_s, default=0), 2),
            "median_recovery_s": round(sorted(self.recoveries_s)[len(self.recoveries_s) // 2], 2) if self.recoveries_s else 0,
            "stuck": self.stuck, "rss_mb": round(self.rss_mb, 1), "seconds": round(self.seconds, 1), **self.notes,
        }  # fmt: skip


class Arena:
    """`async with Arena("name", folder, …) as arena: …; arena.counts` afterwards."""

    def __init__(self, name: str, folder: Path, *redis_options: str, rate: int = 2000, seed: int = 1, port: int | None = None, median_window_ms: int = MEDIAN_WINDOW_MS, **orders: Any):
        self.folder = folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.redis = RedisProcess(self.folder / "redis", *redis_options)
        self.counts = Counts(name)
        self.random = random.Random(seed)
        self.driver: asyncio.subprocess.Process | None = None
        self.epoch = 0
        self.kills_ns: dict[int, int] = {}
        self._orders = {"folder": str(self.folder / "state"), "ledger": str(self.folder / "ledger"), "rate": rate, **orders}
        self._median_window_ms = median_window_ms
        self._port = port  # a proxy's, for the driver
        self._began_s = time.monotonic()
        channels = [NAMES[n] for n in DURABLE]
        self.live = LiveReader(self.redis.url, channels, "*:venue:*")
        self.streams = StreamReader(self.redis.url, channels)

    async def __aenter__(self) -> "Arena":
        await asyncio.to_thread(self.redis.start)
        await self.live.start()
        await self.streams.start()
        await self.start_driver()
        return self

    async def __aexit__(self, kind: Any, *_: Any) -> None:
        try:
            if kind is None:
                await self._finish()
        finally:
            if self.driver is not None and self.driver.returncode is None:
                self.driver.kill()
                await self.driver.wait()
            await self.live.stop()
            await self.streams.stop()
            self.redis.__exit__()
            self.counts.seconds = time.monotonic() - self._began_s

    # ---- the appliance

    def order(self, **orders: Any) -> None:
        """More for the driver, before it is started."""
        self._orders |= orders

    async def start_driver(self) -> None:
        """Until it says that it stands."""
        url = f"redis://127.0.0.1:{self._port}/0" if self._port else self.redis.url
        orders = msgspec.convert({"url": url, **self._orders}, Orders)
        self.driver = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.chaos.driver", msgspec.json.encode(orders).decode(), stdout=asyncio.subprocess.PIPE, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=(self.folder / "driver.log").open("ab"),
        )  # fmt: skip
        assert self.driver.stdout is not None
        line = await asyncio.wait_for(self.driver.stdout.readline(), 30)
        if not line:
            raise RuntimeError(f"the driver does not start: {(self.folder / 'driver.log').read_text()[-2000:]}")
        self.epoch = json.loads(line)["epoch"]

    async def kill_driver(self) -> None:
        self.measure()
        assert self.driver is not None
        self.kills_ns[self.epoch] = time.time_ns()
        self.driver.kill()
        await self.driver.wait()
        self.counts.kills += 1

    async def stop_driver(self) -> None:
        """As a service manager stops it; its own account of the events must add up."""
        self.measure()
        assert self.driver is not None and self.driver.stdout is not None
        self.driver.send_signal(signal.SIGTERM)
        line = await asyncio.wait_for(self.driver.stdout.readline(), 60)
        await self.driver.wait()
        if not line:
            raise RuntimeError(f"the driver died: {(self.folder / 'driver.log').read_text()[-2000:]}")
        said = json.loads(line)
        self.counts.notes.setdefault("errors", {})
        for kind, n in said["stats"]["errors"].items():
            self.counts.notes["errors"][kind] = self.counts.notes["errors"].get(kind, 0) + n
        wrong = self.counts.notes.setdefault("wrong", [])
        if any(said["sums"].values()):
            wrong.append(f"the ends do not add up: {said['sums']}")
        self.counts.notes["disk_errors"] = self.counts.notes.get("disk_errors", 0) + said["stats"]["spool"]["errors"]
        for name in ("CRITICAL", "HIGH"):
            if said["stats"]["classes"][name]["shed"]:
                self.counts.notes["shed"] = self.counts.notes.get("shed", 0) + said["stats"]["classes"][name]["shed"]

    def measure(self) -> None:
        """The largest resident set that the driver ever had."""
        assert self.driver is not None
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.driver.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.counts.rss_mb = max(self.counts.rss_mb, int(line.split()[1]) / 1000)

    # ---- Redis

    async def kill_redis(self, away_s: float) -> None:
        await asyncio.to_thread(self.redis.kill)
        self.counts.kills += 1
        await asyncio.sleep(away_s)
        await asyncio.to_thread(self.redis.start)

    async def recovered(self, since_ns: int = 0) -> None:
        """From now (`since_ns`) until every durable channel brings what was accepted after that."""
        took_s = await self.live.awaiting(since_ns or time.time_ns(), RECOVERY_LIMIT_S)
        if took_s is None:
            self.counts.stuck += 1
        else:
            self.counts.recoveries_s.append(took_s)

    async def pause(self, least_s: float, most_s: float) -> None:
        await asyncio.sleep(self.random.uniform(least_s, most_s))

    # ---- the account

    async def _finish(self) -> None:
        await self.stop_driver()
        began_s = changed_s = time.monotonic()
        rows = list(ledger.read(Path(self._orders["ledger"])))
        missing = None
        while True:
            verdicts = {
                reader.tally.name: compare(reader.tally, rows, NAMES, CLASS_OF, self.kills_ns) for reader in (self.live, self.streams)
            }
            before, missing = missing, sum(sum(verdict.lost.values()) + verdict.in_window for verdict in verdicts.values())
            now_s = time.monotonic()
            if missing != before:
                changed_s = now_s
            if not missing or now_s - changed_s > STEADY_S or now_s - began_s > SETTLE_S:
                break
            await asyncio.sleep(0.5)
        counts = self.counts
        for name, verdict in verdicts.items():
            counts.accepted = verdict.accepted
            counts.lost[name] = verdict.lost
            counts.in_window = max(counts.in_window, verdict.in_window)
            counts.unlogged = max(counts.unlogged, verdict.unlogged)
        counts.delivered = self.live.tally.events
        for tally in (self.live.tally, self.streams.tally):
            counts.duplicates += tally.duplicates
            counts.disorders += tally.disorders
        examples = [text for verdict in verdicts.values() for text in verdict.examples] + self.live.tally.examples + self.streams.tally.examples
        if examples:
            counts.notes["examples"] = examples[:10]
        if self.kills_ns:
            safe = safe_until_ns(rows)
            windows_ms = sorted((kill_ns - safe.get(epoch, epoch * 1_000_000)) // 1_000_000 for epoch, kill_ns in self.kills_ns.items())
            median_ms = windows_ms[len(windows_ms) // 2]
            counts.notes["fsync_window_ms"] = {"median": median_ms, "longest": windows_ms[-1]}
            if median_ms > self._median_window_ms:
                counts.notes["wrong"].append(f"the median window of what no disk has is {median_ms} ms, allowed are {self._median_window_ms}")
        if counts.unlogged:
            counts.notes["unlogged"] = counts.unlogged
        counts.notes["client"] = self.live.stats
