"""The appliance as a process of its own on simulated venues, with a real Redis: what is soaked."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from p9.simulate.process import SimulatorProcess
from tests.delivery.redis_process import RedisProcess
from tests.soak.judge import Sample

ROOT = Path(__file__).parents[2]
START_S = 60.0
STOP_S = 60.0
PAGES = re.compile(rb"pages at (http://\S+)")


class Subject:
    """`async with Subject(folder, instruments=2, rate=1.0) as subject`"""

    def __init__(self, folder: Path, *, instruments: int, rate: float, seed: int = 1):
        self.folder = folder
        self.simulator = SimulatorProcess(seed=seed, instruments=instruments, rate=rate)
        self.redis = RedisProcess(folder / "redis", "--maxmemory", "2gb", "--maxmemory-policy", "noeviction")
        self.url = ""
        self.exit_code: int | None = None
        self._all = instruments > 2
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Subject":
        await self.simulator.start()
        await asyncio.to_thread(self.redis.start)
        venues: dict[str, Any] = {}
        for name, place in self.simulator.endpoints.items():
            venue, _, line = name.partition("_")
            venues.setdefault(venue, {})[line] = {"rest_url": place["rest"], "ws_url": place["ws"]} | ({"symbols": ["*"]} if self._all and line != "option" else {})
        tree = {
            "data_dir": str(self.folder / "data"), "http": {"port": 0}, "redis": {"url": self.redis.url, "mode": "external"}, "venues": venues, "log": {"level": "warning"},
        }  # fmt: skip
        (self.folder / "config.yaml").write_text(yaml.safe_dump(tree))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "p9", "--config", str(self.folder / "config.yaml"), cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdout=(self.folder / "out").open("wb"), stderr=(self.folder / "log").open("wb"),
        )  # fmt: skip
        self._session = aiohttp.ClientSession()
        async with asyncio.timeout(START_S):
            while (found := PAGES.search((self.folder / "out").read_bytes())) is None:
                if self._process.returncode is not None:
                    raise RuntimeError(f"the appliance ended with {self._process.returncode}: {(self.folder / 'log').read_text()[-500:]}")
                await asyncio.sleep(0.05)
        self.url = found[1].decode()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self.exit_code = self._process.returncode if self._process is not None else None
        if self._session is not None:
            await self._session.close()
        await self.simulator.stop()
        self.redis.kill()

    async def sample(self, at_s: float) -> Sample:
        assert self._session is not None
        async with self._session.get(f"{self.url}/status") as answer:
            status = await answer.json()
        async with self._session.get(f"{self.url}/readyz") as answer:
            ready = answer.status == 200
        process, classes, snapshots = status["process"], status["delivery"]["classes"], status["snapshots"]
        redis = await asyncio.to_thread(lambda: self.redis.client().info("memory")["used_memory"])
        return Sample(
            at_s=at_s, rss=process["resident_bytes"], files=process["open_files"], threads=process["threads"], tasks=process["tasks"], ready=ready,
            frames=sum(row["frames"]["received"] for row in status["markets"].values()), accepted=sum(row["accepted"] for row in classes.values()),
            shed=classes["CRITICAL"]["shed"] + classes["HIGH"]["shed"], confirmed=tuple(classes["HIGH"]["confirm_s"]), late_s=status["lateness"]["worst_ms"] / 1e3, cpu_s=process["cpu_s"],
            redis_bytes=redis, snapshots=snapshots["packed"], snapshot_bytes=snapshots["packed_bytes"],
            snapshots_lost=snapshots["lost"] + snapshots["disk_lost"],
        )  # fmt: skip
