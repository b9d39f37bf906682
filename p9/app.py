"""The composition root: every part is made here, handed what it needs, started in order and stopped in the other.

    Redis -> epoch -> outbox -> publisher -> one Capture a market -> pages
"""

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9 import __version__, data_dir
from p9.capture.audits import AuditSettings
from p9.capture.backfill import BackfillSettings
from p9.capture.capture import Capture, CaptureSettings
from p9.capture.feed import Connects
from p9.capture.ledger import Ledger
from p9.capture.recorder import Recorder
from p9.capture.venue_delay import VenueDelaySettings
from p9.config import Config
from p9.confirmation import delivery_of, redis_of
from p9.delivery import embedded
from p9.delivery.publisher import Left, Publisher
from p9.market.instruments import Instruments
from p9.market.rest import RestClient, RestSettings
from p9.market.venue_clock import VenueClock, VenueClockSettings
from p9.ops import logs
from p9.ops.lateness import Lateness, LatenessSettings
from p9.ops.local_clock import LocalClock
from p9.ops.pages import Pages
from p9.publication import streams_of
from p9.venue import Market, market

LEDGER = "gaps.jsonl"

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
        self.captures: dict[str, Capture] = {}
        self.pipelines: dict[str, Pipeline] = {}
        self.redis: embedded.RedisServer | None = None
        self.outbox: Outbox | None = None
        self.publisher: Publisher | None = None
        self.pages: Pages | None = None
        self.ready_s: float | None = None
        self._config_path = config_path
        self._record_to = record_to
        self._symbols = symbols or {}
        self._clients: dict[str, RestClient] = {}
        self._recorder: Recorder | None = None
        self._started_s = time.monotonic()
        self.ledger: Ledger | None = None
        self.venue_clocks: dict[str, VenueClock] = {}
        self.local_clock: LocalClock | None = None
        self.lateness: Lateness | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Raises P9Error with remedy STOP where the appliance cannot run."""
        config = self.config
        folder = data_dir.resolve(config.data_dir, self._config_path)
        self.redis = await redis_of(config, folder, simulated=self.endpoints is not None)
        log.info("redis chosen", **self.redis.status())
        bus = self.redis.bus()
        self.publisher = await delivery_of(config, self.clock, bus, folder, simulated=self.endpoints is not None)
        self.outbox = self.publisher.outbox
        self.ledger = Ledger(folder / LEDGER, epoch=self.outbox.epoch, log=_said("ledger"))
        self._begin("gap ledger", self.ledger.run())
        wanted = config.monitors
        self.local_clock = LocalClock(self.clock.now, self._tell)
        self._begin("local clock", self.local_clock.run())
        self.lateness = Lateness(
            self.outbox, tell=self._tell,
            settings=LatenessSettings(low_s=float(wanted.late_shed_low), medium_s=float(wanted.late_shed_medium), calm_s=float(wanted.calm)),
        )  # fmt: skip
        self._begin("lateness", self.lateness.run())
        await self.publisher.start()
        if self._record_to is not None:
            self._recorder = Recorder(self._record_to)
            log.info("recording", folder=str(self._record_to))
        await self._start_captures()
        if config.http.enabled:
            self.pages = Pages(host=config.http.host, port=config.http.port, status=self.status, ready=self.not_ready, book=self.book, gaps=self.ledger.rows)
            await self.pages.start()
            log.info("pages", url=self.pages.url)
        self._begin("readiness", self._watch_readiness())

    def _begin(self, name: str, job: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(job, name=name))

    def _tell(self, kind: str, detail: str, **more: Any) -> None:
        """A finding that is no single book's: into the log, and to consumers."""
        log.warning(kind, detail=detail, **more)
        assert self.publisher is not None
        self.publisher.tell(kind, detail, **more)

    def _row(self, name: str) -> Market:
        section = self.config.venues.markets()[name]
        row = market(name).at(section.rest_url, section.ws_url)
        if self.endpoints is not None:
            row = row.at(self.endpoints[name]["rest"], self.endpoints[name]["ws"])
        return row

    async def _start_captures(self) -> None:
        known: dict[str, Instruments] = {}
        connects: dict[str, Connects] = {}
        make_streams = streams_of(self.config)
        settings, monitors, audits = self.config.capture, self.config.monitors, self.config.analytics.audits
        for name, section in self.config.venues.markets().items():
            row = self._row(name)
            exchange = row.exchange
            if exchange not in self._clients:
                self._clients[exchange] = RestClient(
                    exchange, settings=RestSettings(share=settings.rest_share), now_ns=self.clock.now, recorder=self._recorder
                )
                await self._clients[exchange].start()
                self.venue_clocks[exchange] = self._venue_clock(row)
                known[exchange] = Instruments(exchange)
                connects[exchange] = Connects(row.limits.connects)
            rule = row.sequence
            pipeline = Pipeline(
                market=name, exchange=exchange, normalizer=row.venue.normalizer(row), outbox=self.outbox, clock=self.clock, link=rule.link,
                rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id,
                trades_numbered=row.trades_numbered, max_held_bytes=int(settings.max_held_bytes), max_held_frames=settings.max_held_frames,
            )  # fmt: skip
            self.pipelines[name] = pipeline
            self.captures[name] = Capture(
                row, pipeline, client=self._clients[exchange], known=known[exchange], connects=connects[exchange], streams_of=make_streams,
                settings=CaptureSettings(
                    symbols=self._symbols.get(name, section.symbols), depth=section.depth, speed=section.speed, trades=section.trades,
                    timer_s=float(settings.timer), backfill=BackfillSettings(enabled=settings.backfill),
                    audits=AuditSettings(books_s=float(audits.books), candles_s=float(audits.candles)), audits_word=audits.publish_channel,
                    delay=VenueDelaySettings(
                        degraded_s=float(monitors.venue_delay_degraded), stale_s=float(monitors.venue_delay_stale), calm_s=float(monitors.calm)
                    ),
                ),
                recorder=self._recorder, ledger=self.ledger, clock=self.venue_clocks[exchange], tell=self._tell, log=_said("capture"),
            )  # fmt: skip
            await self.captures[name].start()

    def _venue_clock(self, row: Market) -> VenueClock:
        wanted = self.config.monitors
        clock = VenueClock(
            row, self._clients[row.exchange], now_ns=self.clock.now, tell=self._tell, log=_said("clock"),
            on_suspect=lambda suspect: self.outbox.suspect(row.exchange, suspect),
            settings=VenueClockSettings(
                every_s=float(wanted.clock_interval), suspect_s=float(wanted.clock_suspect), suspended_s=float(wanted.clock_suspended),
                calm_s=float(wanted.calm),
            ),
        )  # fmt: skip
        self._begin(f"clock of {row.exchange}", clock.run())
        return clock

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
        await asyncio.gather(*(capture.stop() for capture in self.captures.values()))
        await asyncio.gather(*(client.stop() for client in self._clients.values()))
        left = Left()
        if self.publisher is not None:
            await self.publisher.drain(float(self.config.analytics.redis_publish_confirmer.drain_timeout))
            left = await self.publisher.put_by()
            await self.publisher.stop()
            await self.publisher.bus.client.aclose()
        if self.ledger is not None:
            await self.ledger.flush()
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
            "gaps": self.ledger.status() if self.ledger is not None else {},
            "recorder": self._recorder.status() if self._recorder is not None else None,
        }

    def book(self, exchange: str, symbol: str, n: int) -> dict[str, Any] | None:
        """The best `n` levels of one book; None if it is not captured."""
        for capture in self.captures.values():
            for ix, row in capture.instruments.items():
                if row.exchange == exchange and symbol in (row.symbol, row.venue_symbol):
                    return capture.pipeline.book(ix, n)
        return None


def _said(part: str) -> Callable[..., None]:
    speaker = logs.get(part)
    return lambda event, **more: speaker.info(event, **more)
