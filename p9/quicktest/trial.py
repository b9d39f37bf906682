"""What every check of a quick test may look at, and the table that it writes into."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import ujson
from redis.exceptions import ConnectionError as RedisConnectionError

from p9.app import Appliance
from p9.instrument import Instrument
from p9.quicktest.bus_watcher import BusWatcher
from p9.quicktest.check import Check
from p9.simulate.process import SimulatorProcess

CUTS_BORNE = 20
FULL_S = 100.0
CHUNK = 1_000
# where a channel's section of the configuration has another name
SECTIONS = {
    "book_ticker": "book_ticker_aggregator", "candles_open": "candles", "snapshots": "periodic_snapshots", "options_iv": "options_iv_monitor",
    "insurance_fund": "insurance_fund_monitor", "insurance_alerts": "insurance_fund_monitor",
}  # fmt: skip


class Trial:
    """`simulator` is None on live venues; `seconds`: how long it runs. `full`: so long that every channel of docs/events.md is asked for; what a shorter run
    leaves out, and why, stands in channels.LATER."""

    def __init__(self, appliance: Appliance, simulator: SimulatorProcess | None, seconds: float):
        self.appliance, self.simulator, self.seconds = appliance, simulator, seconds
        self.full = simulator is not None and seconds >= FULL_S
        self.watcher: BusWatcher | None = None
        self.checks: list[Check] = []
        self.planted: Counter[str] = Counter()
        self.caused: set[tuple[str, str, str]] = set()  # (kind, exchange, symbol) of channels that something was planted for
        self.orders: list[tuple[Instrument, dict[str, Any]]] = []  # that were planted, with the simulator's answer
        self.stops: list[tuple[Instrument, int]] = []  # stop orders that were placed, by the simulator's number
        self.patterns: list[tuple[Instrument, int]] = []  # spoofs and runs of stops that were planted, by the simulator's number
        self.news: list[dict[str, Any]] = []  # that broke, with what momentum came to
        self.began_s = time.monotonic()
        self.declined_ns = 0  # when the insurance pools were made to lose
        self.cut_ns = 0  # when the connections to Redis were cut
        self.pauses: list[tuple[int, float]] = []  # (ns, s) in which the loop was not ours for long
        self.frames: dict[Instrument, Any] = {}  # of each book, once the simulator is frozen (frames.py)
        self.frozen_ms = 0  # when the simulator was frozen; 0: it is not

    def note(self, name: str, passed: object, figure: object) -> None:
        self.checks.append(Check(name, bool(passed), str(figure)))

    @property
    def client(self) -> Any:
        """Of the Redis that is published into."""
        assert self.appliance.publisher is not None
        return self.appliance.publisher.bus.client

    @property
    def epoch(self) -> int:
        assert self.appliance.outbox is not None
        return self.appliance.outbox.epoch

    def first(self) -> list[Instrument]:
        """Of each market the first instrument: what is planted, is planted there."""
        return [next(iter(capture.instruments.values())) for capture in self.appliance.captures.values()]

    def word(self, kind: str) -> str:
        """The first word of a kind's channels."""
        section: Any = getattr(self.appliance.config.analytics, SECTIONS.get(kind, kind))
        return (section.alerts_channel if kind == "insurance_alerts" else section.publish_channel) or kind

    def enabled(self, kind: str, exchange: str = "") -> bool:
        section = getattr(self.appliance.config.analytics, SECTIONS.get(kind, kind))
        return getattr(section, "enabled", True) and exchange in ("", "all", *getattr(section, "exchanges", (exchange,)))

    def instruments(self) -> list[Instrument]:
        return [row for capture in self.appliance.captures.values() for row in capture.instruments.values()]

    async def _asked(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Redis' answer, also when a planted cut takes the connection of the question along."""
        for _ in range(CUTS_BORNE):
            try:
                return await ask()
            except RedisConnectionError:
                await asyncio.sleep(0.1)
        return await ask()

    async def last(self, channel: str) -> dict[str, Any] | None:
        """The newest value that Redis holds of a channel; None: none of this run."""
        text = await self._asked(lambda: self.client.get(f"last:{{{channel}}}"))
        event = ujson.loads(text) if text is not None else None
        return event if event is not None and event["epoch"] == self.epoch else None

    async def stream(self, channel: str, since_ns: int = 0) -> list[dict[str, Any]]:
        """What this run wrote into a channel's stream; asked for by and by, as the appliance under test runs on the same loop."""
        found: list[dict[str, Any]] = []
        since = str(since_ns // 1_000_000).encode()
        while rows := await self._asked(lambda since=since: self.client.xrange(f"stream:{{{channel}}}", min=since, count=CHUNK)):
            events = [ujson.loads(fields[b"e"]) for _, fields in rows]
            found += [event for event in events if event["epoch"] == self.epoch]
            since = b"(" + rows[-1][0]
        return found

    async def oldest(self, channel: str) -> dict[str, Any] | None:
        """The first event that Redis holds of a channel's stream; None: none of this run."""
        rows = await self._asked(lambda: self.client.xrange(f"stream:{{{channel}}}", count=1))
        event = ujson.loads(rows[0][1][b"e"]) if rows else None
        return event if event is not None and event["epoch"] == self.epoch else None

    async def eventually(self, ask: Callable[[], Awaitable[Any]], timeout_s: float) -> Any:
        """The first answer that is something, or the last one there was: of what takes a moment to reach Redis."""
        deadline_s = time.monotonic() + timeout_s
        while not (answer := await ask()) and time.monotonic() < deadline_s:
            await asyncio.sleep(0.05)
        return answer

    async def settled(self, look: Callable[[], Awaitable[list[str]]], timeout_s: float) -> list[str]:
        """What is still wrong when `look` found nothing wrong any more, or the time is over: for what is told by and by while the market stands still."""
        deadline_s = time.monotonic() + timeout_s
        while (wrong := await look()) and time.monotonic() < deadline_s:
            await asyncio.sleep(0.25)
        return wrong

    async def hears(self, kind: str, whose: set[tuple[str, str]], timeout_s: float) -> bool:
        """Wait until the channels of a kind and of these (exchange, symbol) were heard."""
        watcher = self.watcher
        assert watcher is not None
        return await self.until(lambda: whose <= watcher.heard.get(kind, set()), timeout_s)

    async def until(self, condition: Callable[[], Any], timeout_s: float) -> bool:
        """Wait for it; whether it came."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline_s:
                return False
            await asyncio.sleep(0.02)
        return True
