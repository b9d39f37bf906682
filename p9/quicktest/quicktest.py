"""The run itself: start, plant, freeze, check, report."""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from p9 import data_dir
from p9.app import Appliance
from p9.config import Config
from p9.delivery.publisher import Left
from p9.errors import P9Error
from p9.quicktest import (
    books,
    candles,
    channels,
    deleveraging,
    delivery,
    figures,
    flow,
    gaps,
    integrity,
    losses,
    momentum,
    news,
    notices,
    options,
    orders,
    patterns,
    plants,
    pools,
    rails,
    reference,
    signals,
    tape,
    views,
)
from p9.quicktest.bus_watcher import BusWatcher
from p9.quicktest.trial import Trial
from p9.simulate.process import SimulatorProcess

READY_S = 5.0  # to the first moment when every book is synced, on simulated venues
LIVE_READY_S = 60.0
SETTLE_S = 1.5
PAUSE_S = 0.1  # of the loop: that is noted
LAST_S = 15.0  # what the last plants of a full run take


class QuickTest:
    """`simulator` is None on live venues. `stop` ends it early, and then it has failed."""

    def __init__(self, config: Config, path: Path | None, simulator: SimulatorProcess | None, seconds: float, stop: asyncio.Event, *,
                 record_to: Path | None = None):  # fmt: skip
        self.simulator, self.seconds, self.stop = simulator, seconds, stop
        self._folder = tempfile.TemporaryDirectory(prefix="p9 quick test ")
        # its own free port, and its own file: an appliance that already runs on this machine is not disturbed, nor the user's configuration
        folder = str(data_dir.resolve(config.data_dir, path))
        config = msgspec.structs.replace(config, http=msgspec.structs.replace(config.http, port=0), data_dir=folder)
        self.file = rails.ConfigFile(Path(self._folder.name) / "config.yaml", config)
        for key in [key for key in os.environ if key.startswith("P9__")]:
            del os.environ[key]  # what they say stands in that file now
        endpoints = simulator.endpoints if simulator else None
        self.appliance = Appliance(config, config_path=self.file.path, endpoints=endpoints, record_to=record_to)
        self.trial = Trial(self.appliance, simulator, seconds)
        self._loop_lag_s = 0.0
        self._gaps: dict[str, Any] = {}
        self._rss_start_mb = 0.0

    async def run(self) -> int:
        """The exit code."""
        trial = self.trial
        with self._folder:
            rails.name_mistakes(trial)
            await self.appliance.start()
            assert self.appliance.redis is not None
            watcher = trial.watcher = BusWatcher(self.appliance.redis.url)
            lag = asyncio.create_task(self._watch_lag())
            try:
                await watcher.start()
                await self._until_ready()
                self._rss_start_mb = delivery.rss_mb()
                await rails.refuse(trial, self.file)
                await rails.change(trial, self.file)
                await self._capture()
                await self._check_truth()
                await delivery.check(trial)
                await channels.check(trial)
                delivery.check_speed(trial, self._loop_lag_s, self._rss_start_mb)
            except P9Error as error:
                trial.note("no error", False, error)
            finally:
                lag.cancel()
                await watcher.stop()
                left = await self.appliance.stop()
        trial.note("stopped with nothing left behind", left == Left(), f"{left.spooled} events in the spool, {left.unsent} unsent, {left.lost} lost")
        return self._report(watcher)

    # ---- the run

    async def _until_ready(self) -> None:
        trial = self.trial
        most_s = READY_S if self.simulator else LIVE_READY_S
        while self.appliance.not_ready() and time.monotonic() - trial.began_s < most_s and not self.stop.is_set():
            await asyncio.sleep(0.02)
        missing = self.appliance.not_ready()
        ready_s = time.monotonic() - trial.began_s
        trial.note("every book synced", not missing, "; ".join(missing) or f"{ready_s:.2f} s after the start")

    async def _capture(self) -> None:
        """Let it run; plant in the first two thirds, then leave it in peace."""
        trial, first_s = self.trial, time.monotonic()
        beside = [asyncio.create_task(job) for job in plants.beside(trial)] if self.simulator else []
        waiting = [*plants.orders(trial), *plants.faults(trial), *plants.last(trial)] if self.simulator else []
        ends_s = first_s + max(self.seconds - (time.monotonic() - trial.began_s) - SETTLE_S, 3.0)
        next_s = first_s + 1.0

        def gap_s() -> float:
            """Until the next plant: some of them take their time."""
            left_s = ends_s - gaps.REPAIR_S - (LAST_S if trial.full else 0.0) - time.monotonic()
            return max(0.2, left_s * 0.9 / max(len(waiting), 1))

        while (now_s := time.monotonic()) < ends_s or waiting:
            if self.stop.is_set():
                trial.note("ran its time", False, f"stopped after {now_s - trial.began_s:.0f} s")
                break
            if waiting and now_s >= next_s:
                name, plant = waiting.pop(0)
                await plant()
                trial.planted[name] += 1
                next_s = time.monotonic() + gap_s()
                if not waiting:
                    ends_s = max(ends_s, time.monotonic() + gaps.REPAIR_S)
            self._progress(ends_s)
            await asyncio.sleep(min(0.25, max(0.02, next_s - time.monotonic())) if waiting else 0.25)
        sys.stderr.write("\r\x1b[2K" if sys.stderr.isatty() else "")
        for job in beside:
            if self.stop.is_set():
                job.cancel()
            await asyncio.wait([job])
            if not job.cancelled():
                job.result()

    def _progress(self, ends_s: float) -> None:
        if not sys.stderr.isatty():
            return
        status = self.appliance.status()
        frames = sum(row["frames"]["received"] for row in status["markets"].values())
        left_s = max(ends_s - time.monotonic(), 0.0)
        planted = sum(self.trial.planted.values())
        sys.stderr.write(f"\r\x1b[2Kquick test: {left_s:4.0f} s to go · {frames:,} frames · {planted} faults and orders planted")
        sys.stderr.flush()

    async def _watch_lag(self) -> None:
        """The longest time that the loop was not ours."""
        loop = asyncio.get_running_loop()
        while True:
            before_s = loop.time()
            await asyncio.sleep(0.005)
            lag_s = loop.time() - before_s - 0.005
            self._loop_lag_s = max(self._loop_lag_s, lag_s)
            if lag_s > PAUSE_S:
                self.trial.pauses.append((time.time_ns(), lag_s))

    # ---- the checks

    async def _check_truth(self) -> None:
        trial, markets = self.trial, self.appliance.status()["markets"]
        frames = {name: row["frames"]["received"] for name, row in markets.items()}
        trial.note("every market speaks", min(frames.values()) > 0, f"{sum(frames.values()):,} frames, fewest {min(frames.values()):,}")
        counters: Counter[str] = Counter()
        for row in markets.values():
            counters.update(row["counters"])
        trial.note(
            "best bid/ask agrees with the book at equal ids", counters["touches_compared"] == counters["touches_agreed"] > 0,
            f"{counters['touches_agreed']:,} of {counters['touches_compared']:,}",
        )  # fmt: skip
        unreadable = sum(row["frames"]["outcomes"].get(kind, 0) for row in markets.values() for kind in ("unknown_topic", "unknown_symbol", "overflow"))
        trial.note("every frame is known", unreadable == 0, f"{unreadable} strange ones")
        self._gaps = await gaps.check(trial, counters["gaps"])
        candles.check_history(trial)
        if self.simulator is None:
            self._check_synced()
            return
        trial.frozen_ms = time.time_ns() // 1_000_000
        await self.simulator.post("/oracle/freeze")
        await asyncio.sleep(SETTLE_S)
        self._check_synced()
        for part in (books, views, flow, momentum, candles, tape, figures, pools, deleveraging, options, orders, patterns, news, losses, signals, reference, notices, integrity):
            await part.check(trial)

    def _check_synced(self) -> None:
        missing = self.appliance.not_ready()
        self.trial.note("every book synced at the end", not missing, "; ".join(missing) or "all")

    # ---- the end

    def _report(self, watcher: BusWatcher) -> int:
        trial = self.trial
        failed = [check for check in trial.checks if not check.passed]
        width = max(len(check.name) for check in trial.checks)
        for check in trial.checks:
            print(f"{'PASS' if check.passed else 'FAIL'}  {check.name:{width}}  {check.figure}")
        later = channels.not_asked(trial)
        for channel, why in later.items():
            print(f"----  {channel + ': not asked of so short a run':{width}}  {why}")
        redis = self.appliance.redis
        print(json.dumps({
            "ok": not failed, "passed": len(trial.checks) - len(failed), "failed": [check.name for check in failed],
            "seconds": round(time.monotonic() - trial.began_s, 1), "simulated": self.simulator is not None, "redis": redis.kind if redis else None,
            "ready_s": round(self.appliance.ready_s, 3) if self.appliance.ready_s else None, "rss_start_mb": round(self._rss_start_mb, 1),
            "rss_mb": round(delivery.rss_mb(), 1), "heard": sum(watcher.events.values()), "loop_lag_ms": round(self._loop_lag_s * 1000, 1),
            "planted": dict(trial.planted), "not_asked": later, **self._gaps, "checks": {check.name: check.figure for check in trial.checks},
        }))  # fmt: skip
        return 1 if failed else 0
