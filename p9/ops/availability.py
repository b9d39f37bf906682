"""How much of the time each market was whole: every book synced and no topic stale. By day, for thirty days, over restarts.

A time in which the appliance did not run counts for nothing: it is neither up nor down (`observed_s` says how much was seen).
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

TICK_S = 1.0
SAVE_S = 60.0
DAYS = 30
DAY_NS = 86_400 * 10**9
LONGEST_TICK_S = 5.0  # a machine that slept saw nothing


class Day(msgspec.Struct):
    """Seconds of one UTC day, `number` counted since 1970."""

    number: int
    available_s: float = 0.0
    observed_s: float = 0.0


class Availability:
    """`whole()` says of each market whether it is. `path` None: in memory only."""

    def __init__(self, whole: Callable[[], Mapping[str, bool]], *, now_ns: Callable[[], int], path: Path | None = None, log: Callable[..., None] | None = None):
        self.path = path
        self.now: dict[str, bool] = {}
        self.days: dict[str, list[Day]] = {}
        self.total: dict[str, Day] = {}  # of this process; counters never fall
        self._whole, self._now_ns = whole, now_ns
        self._log = log or (lambda *_, **__: None)
        self._unwritten = False
        if path is not None:
            self.days = self._load(path)

    def _load(self, path: Path) -> dict[str, list[Day]]:
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, list[Day]])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._log("availability cannot be read, and begins anew", file=str(path), reason=str(error))
            return {}

    async def run(self) -> None:
        """For ever, until cancelled."""
        loop = asyncio.get_running_loop()
        before_s, saved_s = loop.time(), loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            now_s = loop.time()
            self.look(min(now_s - before_s, LONGEST_TICK_S))
            before_s = now_s
            if now_s - saved_s >= SAVE_S:
                saved_s = now_s
                await loop.run_in_executor(None, self.save)

    def look(self, seconds: float) -> None:
        """Take what was seen for the last `seconds`."""
        number = self._now_ns() // DAY_NS
        self.now = dict(self._whole())
        for market, whole in self.now.items():
            days = self.days.setdefault(market, [])
            if not days or days[-1].number != number:
                days.append(Day(number))
                self.days[market] = days = [day for day in days if day.number > number - DAYS]
            for day in (days[-1], self.total.setdefault(market, Day(0))):
                day.observed_s += seconds
                day.available_s += seconds if whole else 0.0

    def save(self) -> None:
        """Whole or not at all. What cannot be written is said once."""
        if self.path is None:
            return
        fresh = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(msgspec.json.encode(self.days))
            os.replace(fresh, self.path)
            self._unwritten = False
        except OSError as error:
            if not self._unwritten:
                self._log("availability not written", file=str(self.path), reason=str(error))
            self._unwritten = True

    def ratio(self, market: str) -> float | None:
        """Of what was observed in thirty days; None: nothing was."""
        observed_s = sum(day.observed_s for day in self.days.get(market, ()))
        return sum(day.available_s for day in self.days[market]) / observed_s if observed_s else None

    def status(self) -> dict[str, Any]:
        return {
            market: {
                "now": whole, "ratio_30d": self.ratio(market), "observed_30d_s": round(sum(day.observed_s for day in self.days[market]), 1),
                "available_s": self.total[market].available_s, "observed_s": self.total[market].observed_s,
            }
            for market, whole in self.now.items()
        }  # fmt: skip
