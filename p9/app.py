"""The composition root: every part is made here, handed what it needs, started in order and stopped in the other.

    Redis -> epoch -> outbox -> publisher -> one Capture a market -> pages
"""

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
from cext.clock import Clock
from cext.outbox import Outbox
from cext.streams.book_ticker import BookTicker

from p9 import __version__, data_dir, storage
from p9.analysis.micro_price import MicroPrices
from p9.capture.capture import Capture
from p9.capture.ledger import Ledger
from p9.capture.recorder import Recorder
from p9.client.film import Snapshot
from p9.config import Config
from p9.config.streams import Snapshots
from p9.confirmation import delivery_of, redis_of
from p9.delivery import embedded
from p9.delivery.publisher import Left, Publisher
from p9.hot_reload import HotReload
from p9.instrument import Instrument
from p9.market import full_book
from p9.market.full_book import FullBook
from p9.market.venue_clock import VenueClock
from p9.markets import Markets
from p9.ops import logs
from p9.ops.audit_trail import AuditTrail
from p9.ops.availability import Availability
from p9.ops.dashboard.watch import Watch
from p9.ops.lateness import Lateness
from p9.ops.local_clock import LocalClock
from p9.ops.memory import give_back
from p9.ops.pages import Pages
from p9.ops.usage import usage
from p9.presentation import pages_of
from p9.reconfiguration import reconfigure
from p9.signals import SignalDesk
from p9.snapshots.keeper import Keeper
from p9.thresholds import lateness_of

LEDGER = "gaps.jsonl"
AUDIT_TRAIL = "audit.jsonl"
MICRO_PRICES = "micro_price.bin"
AVAILABILITY = "availability.json"

log = logs.get("app")


class Appliance:
    """`endpoints`: other addresses for the venues, {market: {"rest", "ws"}} (the simulator's); then the embedded Redis is always used."""

    def __init__(
        self, config: Config, *, config_path: Path | None = None, endpoints: dict[str, dict[str, str]] | None = None,
        record_to: Path | None = None, symbols: dict[str, tuple[str, ...]] | None = None,
    ):  # fmt: skip
        self.config = config
        self.clock = Clock()
        self.endpoints = endpoints
        self.folder: Path | None = None  # of our state; known from the start on
        self.markets: Markets | None = None
        self.redis: embedded.RedisServer | None = None
        self.outbox: Outbox | None = None
        self.publisher: Publisher | None = None
        self.pages: Pages | None = None
        self.watch: Watch | None = None  # what they look at
        self._http: Any = None  # what they were opened with
        self.ready_s: float | None = None
        self._config_path = config_path
        self._record_to = record_to
        self._symbols = symbols or {}
        self._recorder: Recorder | None = None
        self._started_s = time.monotonic()
        self.ledger: Ledger | None = None
        self.snapshots: Keeper | None = None
        self._storage = config.analytics.periodic_snapshots.storage
        self.audit_trail: AuditTrail | None = None
        self.availability: Availability | None = None
        self.reload: HotReload | None = None
        self.signals: SignalDesk | None = None
        self.local_clock: LocalClock | None = None
        self.lateness: Lateness | None = None
        self.micro_prices: MicroPrices | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Raises P9Error with remedy STOP where the appliance cannot run."""
        config = self.config
        folder = self.folder = data_dir.resolve(config.data_dir, self._config_path)
        self.redis = await redis_of(config, folder, simulated=self.endpoints is not None)
        log.info("redis chosen", **self.redis.status())
        bus = self.redis.bus()
        await storage.check_start(config, bus, f"the {self.redis.kind} one")
        self.publisher = await delivery_of(config, self.clock, bus, folder, simulated=self.endpoints is not None)
        self.outbox = self.publisher.outbox
        self.watch = Watch(self.outbox)
        self.ledger = Ledger(folder / LEDGER, epoch=self.outbox.epoch, log=_said("ledger"))
        self._begin("gap ledger", self.ledger.run())
        self.audit_trail = AuditTrail(folder / AUDIT_TRAIL, run_id=self.outbox.epoch, now_ns=self.clock.now, log=_said("audit trail"))
        self._begin("audit trail", self.audit_trail.run())
        self.snapshots = storage.keeper_of(config, folder, bus, epoch=self.outbox.epoch, now_ns=self.clock.now, simulated=self.endpoints is not None)
        if self.snapshots is not None:
            self._begin("snapshots", self.snapshots.run())
        self.audit_trail.note("start", version=__version__, config=str(self._config_path or "defaults"), redis=self.redis.status())
        self.local_clock = LocalClock(self.clock.now, self._tell)
        self._begin("local clock", self.local_clock.run())
        self.lateness = Lateness(self.outbox, tell=self._tell, settings=lateness_of(config))
        self._begin("lateness", self.lateness.run())
        self._begin("memory", give_back())
        await self.publisher.start()
        if self._record_to is not None:
            self._recorder = Recorder(self._record_to)
            log.info("recording", folder=str(self._record_to))
        self.markets = Markets(
            config, self.outbox, self.clock, folder=folder, endpoints=self.endpoints, symbols=self._symbols, recorder=self._recorder, ledger=self.ledger,
            tell=self._tell, on_notice=self._on_book, begin=self._begin, note=lambda **change: self.audit_trail.note("reference", **change),
            film_of=self.snapshots.film_of if self.snapshots is not None else None,
        )  # fmt: skip
        await self.markets.start()
        self.micro_prices = MicroPrices(
            folder / MICRO_PRICES, tickers=self._tickers, wanted=lambda: self.config.analytics.book_ticker_aggregator.micro_price, now_ns=self.clock.now,
            log=_said("micro-price"),
        )  # fmt: skip
        self._begin("micro-prices", self.micro_prices.run())
        if config.analytics.signals.enabled:
            self.signals = SignalDesk(config, self.markets)
            self._begin("signals", self.signals.run())
        await self.open_pages(config)
        if self._config_path is not None:
            self.reload = HotReload(self._config_path, config, self.reconfigure, self._note_reload)
            self._begin("hot reload", self.reload.run())
        self._begin("readiness", self._watch_readiness())
        self.availability = Availability(
            lambda: {name: capture.whole for name, capture in self.captures.items()}, now_ns=self.clock.now, log=_said("availability"),
            path=folder / AVAILABILITY if self.endpoints is None else None,
        )  # fmt: skip
        self._begin("availability", self.availability.run())

    async def open_pages(self, config: Config) -> None:
        """Serve the pages as `config` says; the old ones go on where the new cannot be. Raises ConfigError."""
        pages = None
        if self.pages is not None and config.http == self._http:
            return
        if config.http.enabled:
            pages = pages_of(self, config.http)
            await pages.start()
            log.info("pages", url=pages.url)
        old, self.pages, self._http = self.pages, pages, config.http
        if old is not None:
            await old.stop()

    @property
    def captures(self) -> dict[str, Capture]:
        return self.markets.captures if self.markets is not None else {}

    @property
    def venue_clocks(self) -> dict[str, VenueClock]:
        return self.markets.venue_clocks if self.markets is not None else {}

    async def reconfigure(self, config: Config) -> list[str]:
        """Carry on under another configuration; what of it needs a restart. Raises ConfigError where something cannot be had."""
        applied, restart = await reconfigure(self, self.config, config)
        self.config = config
        self._note_reload("configuration applied", applied=[str(change) for change in applied], needs_restart=[str(change) for change in restart])
        return [str(change) for change in restart]

    def _note_reload(self, event: str, **more: Any) -> None:
        refused = "reason" in more
        (log.error if refused else log.info)(event, **more)
        self.audit_trail.note(event, **more)
        if refused:
            self.publisher.tell("configuration", f"{event}: {more['reason']}; the last good one stays in force", state="refused")

    def _on_book(self, market_name: str, notice: Any) -> None:
        """A book was lost, or is back."""
        row = self.captures[market_name].symbol_of(notice.ix) if market_name in self.captures else "-"
        self.audit_trail.note("book", market=market_name, symbol=row, state=notice.state, reason=notice.reason)

    def _tickers(self) -> Iterator[tuple[Instrument, BookTicker]]:
        for capture in self.captures.values():
            for ix, row in capture.instruments.items():
                yield from ((row, stream) for stream in capture.pipeline.streams(ix) if isinstance(stream, BookTicker))

    def _begin(self, name: str, job: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(job, name=name))

    def _tell(self, kind: str, detail: str, **more: Any) -> None:
        """A finding that is no single book's: into the log, and to consumers."""
        log.warning(kind, detail=detail, **more)
        self.audit_trail.note(kind, detail=detail, **more)
        self.publisher.tell(kind, detail, **more)

    async def _watch_readiness(self) -> None:
        """Say it when every book is synced for the first time, and each time that changes."""
        ready = False
        while True:
            missing = self.not_ready()
            if (not missing) != ready:
                ready = not missing
                if ready and self.ready_s is None:
                    self.ready_s = time.monotonic() - self._started_s
                    gc.collect()
                    gc.freeze()  # what lives until the end is not looked at again: a full collection would be a pause
                log.info("ready" if ready else "not ready", after_s=round(time.monotonic() - self._started_s, 3), missing=missing[:5])
            await asyncio.sleep(0.05 if self.ready_s is None else 0.5)

    async def stop(self) -> Left:
        """Close the sockets, let what is accepted reach Redis, put the rest by, stop what we started; what was left behind."""
        for task in self._tasks:
            task.cancel()
        if self.pages is not None:
            await self.pages.stop()
        if self.markets is not None:
            await self.markets.stop()
        if self.snapshots is not None:
            await self.snapshots.stop()
        left = Left()
        if self.publisher is not None:
            await self.publisher.drain(float(self.config.analytics.redis_publish_confirmer.drain_timeout))
            left = await self.publisher.put_by()
            await self.publisher.stop()
            await self.publisher.bus.client.aclose()
        if self.ledger is not None:
            await self.ledger.flush()
        if self.micro_prices is not None:
            await self.micro_prices.save()
        if self.availability is not None:
            self.availability.save()
        if self.audit_trail is not None:
            self.audit_trail.note("stop", spooled=left.spooled, unsent=left.unsent, lost=left.lost)
            await self.audit_trail.flush()
        if self._recorder is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._recorder.close)
        if self.redis is not None:
            await self.redis.stop()
        log.info("stopped", spooled=left.spooled, spool=left.where, unsent=left.unsent, lost=left.lost)
        return left

    def not_ready(self) -> list[str]:
        """What keeps the appliance from being ready, one line each."""
        missing = []
        for name, capture in self.captures.items():
            if capture.state == "refused":
                missing.append(f"{name}: {capture.reason}")
            elif not capture.synced:
                missing.append(f"{name}: {capture.books().get('synced', 0)} of {len(capture.instruments)} books are synced {capture.reason}".rstrip())
            missing += [f"{name}: {topic} is stale, its data come too late" for topic in capture.delay.stale()]
        stats = self.publisher.stats() if self.publisher is not None else {"lanes": {}}
        missing += [f"bus: connection {lane} is down" for lane, state in stats["lanes"].items() if not state["connected"]]
        missing += [
            f"bus: circuit {lane} is {state['circuit']['state']}: {state['circuit']['reason']}"
            for lane, state in stats["lanes"].items()
            if state["circuit"]["state"] != "closed"
        ]
        if self.publisher is not None and self.publisher.spool is not None and self.publisher.spool.warning():
            missing.append(self.publisher.spool.warning())
        return missing

    def status(self) -> dict[str, Any]:
        """The whole state as plain data."""
        assert self.publisher is not None
        markets = {name: capture.status() for name, capture in self.captures.items()}
        return {
            "version": __version__,
            "uptime_s": time.monotonic() - self._started_s,
            "ready_s": self.ready_s,
            "simulated": self.endpoints is not None,
            "process": usage(),
            "redis": self.redis.status() if self.redis is not None else None,
            "markets": markets,
            "instruments": [
                {"exchange": row.exchange, "symbol": row.symbol, "market": row.market, "venue_symbol": row.venue_symbol}
                for capture in self.captures.values()
                for row in capture.instruments.values()
            ],
            "delivery": self.publisher.stats(),
            "clocks": {
                **{exchange: clock.status() for exchange, clock in self.venue_clocks.items()},
                "local": self.local_clock.status() if self.local_clock is not None else {},
            },
            "lateness": self.lateness.status() if self.lateness is not None else {},
            "signals": self.signals.status() if self.signals is not None else {},
            "options": self.markets.options.status() if self.markets is not None else {},
            "accounts": self.markets.accounts.status() if self.markets is not None else {},
            "boards": self.markets.boards.status() if self.markets is not None else {},
            "gaps": self.ledger.status() if self.ledger is not None else {},
            "snapshots": self.snapshots.status() if self.snapshots is not None else None,
            "micro_prices": self.micro_prices.status() if self.micro_prices is not None else {},
            "availability": self.availability.status() if self.availability is not None else {},
            "audit_trail": self.audit_trail.status() if self.audit_trail is not None else {},
            "reload": self.reload.status() if self.reload is not None else None,
            "recorder": self._recorder.status() if self._recorder is not None else None,
        }

    def budgets(self) -> dict[str, Any]:
        """What each venue's REST allows, and what of it is used."""
        return {exchange: client.status() for exchange, client in self.markets.clients.items()} if self.markets is not None else {}

    def book(self, exchange: str, symbol: str, n: int) -> dict[str, Any] | None:
        """The best `n` levels of one book; None if it is not captured."""
        capture, ix = self._find(exchange, symbol)
        return capture.pipeline.book(ix, n) if capture is not None else None

    async def full_book(self, exchange: str, symbol: str) -> FullBook | None:
        """The deepest book that the venue gives, asked for now; None if the instrument is not captured. Raises RestError."""
        capture, ix = self._find(exchange, symbol)
        if capture is None or self.markets is None:
            return None
        return await full_book.fetch(self.markets.clients[exchange], capture.market, capture.instruments[ix], self.clock.now)

    async def snapshot(self, exchange: str, symbol: str, at_ns: int | None) -> Snapshot:
        """A stored book; `at_ns` None: the newest. Raises what storage.look_up does."""
        assert self.publisher is not None
        capture, ix = self._find(exchange, symbol)
        if capture is not None:
            symbol = capture.instruments[ix].symbol
        if self.snapshots is not None:
            await self.snapshots.flush()
        return await storage.look_up(
            self.snapshots_wanted(self.config), self.folder, self.publisher.bus.client, exchange, symbol, at_ns, simulated=self.endpoints is not None
        )  # fmt: skip

    def snapshots_wanted(self, config: Config) -> Snapshots:
        """The section of snapshots as far as it can be in force: another place to keep them needs a restart."""
        return msgspec.structs.replace(config.analytics.periodic_snapshots, storage=self._storage)

    def _find(self, exchange: str, symbol: str) -> tuple[Capture | None, int]:
        """Who captures it, under our name or the venue's, and its index there."""
        for capture in self.captures.values():
            for ix, row in capture.instruments.items():
                if row.exchange == exchange and symbol in (row.symbol, row.venue_symbol):
                    return capture, ix
        return None, -1


def _said(part: str) -> Callable[..., None]:
    speaker = logs.get(part)
    return lambda event, **more: speaker.info(event, **more)
