"""The appliance as p9.app composes it, on a simulated network, clock and Redis. Its parts are the product's own."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from cext.clock import Clock
from cext.names import Names
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.streams.book_ticker import BookTicker
from cext.streams.candles import Candles
from cext.streams.depth import Depth
from cext.streams.integrity import Integrity
from cext.streams.snapshots import Snapshots
from cext.streams.trades import Trades

from p9.capture.capture import Capture, CaptureSettings
from p9.capture.feed import Connects, FeedSettings
from p9.delivery.bus import Bus
from p9.delivery.epoch import next_epoch
from p9.delivery.findings import Findings
from p9.delivery.publisher import Publisher
from p9.delivery.spool import Spool, SpoolSettings
from p9.instrument import Instrument
from p9.market.instruments import Instruments
from p9.market.rest import RestClient
from p9.venue import market
from tests.sim.desk import NETWORK, Desk
from tests.sim.disk import Disk
from tests.sim.exchange import MARKETS

DEPTHS = {"binance_spot": 100, "binance_usdm": 50, "bybit_linear": 50, "okx_swap": 400}
SYMBOLS = {"binance_spot": ("BTCUSDT", "ETHUSDT"), "binance_usdm": ("BTCUSDT", "ETHUSDT"), "bybit_linear": ("BTCUSDT", "ETHUSDT")}
TIMEFRAMES = ("1s", "15s", "1m", "5m")
SNAPSHOTS_S = 5
# Slower ticks than live, as nothing waits for them but the simulation; a quarter of the back-off, so that healing can be waited for; rotations.
FEED = FeedSettings(tick_s=1.0, backoff_most_s=15.0, silent_s=45.0, rotate_s=150.0, rotate_jitter_s=60.0)
TIMER_S = 1.0
SPOOL_S = 0.2


class Appliance:
    """`start`, `stop`; in between nothing it does is slower than the virtual clock."""

    def __init__(self, clock: Clock, desk: Desk, folder: Path, disk: Disk):
        self.clock, self.desk, self._folder = clock, desk, folder
        self.spool = Spool(disk, SpoolSettings(fsync_interval_s=SPOOL_S))
        self.captures: dict[str, Capture] = {}
        self.pipelines: dict[str, Pipeline] = {}
        self.clients: dict[str, RestClient] = {}
        self.said: Counter[str] = Counter()
        self.outbox: Outbox
        self.publisher: Publisher

    def _log(self, event: str, **more: Any) -> None:
        self.said[event] += 1

    async def start(self) -> None:
        bus = Bus("redis://redis:6379")
        await self.spool.recover()
        epoch = await next_epoch(max(self.clock.now() // 1_000_000, self.spool.newest_epoch + 1), self._folder / "epoch", bus.client)
        self.outbox = Outbox(self.clock, epoch=epoch, journals=self.spool.journals)
        findings = Findings(self.outbox)
        self.spool.tell = findings.tell
        self.publisher = Publisher(self.outbox, bus, spool=self.spool, tell=findings.tell)
        await self.publisher.start()
        known: dict[str, Instruments] = {}
        connects: dict[str, Connects] = {}
        for name in MARKETS:
            row = market(name).at(NETWORK + name, NETWORK + name)
            if row.exchange not in self.clients:
                self.clients[row.exchange] = RestClient(row.exchange, now_ns=self.clock.now, session=self.desk.session)
                await self.clients[row.exchange].start()
                known[row.exchange], connects[row.exchange] = Instruments(row.exchange), Connects(row.limits.connects)
            rule = row.sequence
            self.pipelines[name] = Pipeline(
                market=name, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=self.outbox, clock=self.clock, link=rule.link,
                rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, trades_numbered=row.trades_numbered,
            )  # fmt: skip
            self.captures[name] = Capture(
                row, self.pipelines[name], client=self.clients[row.exchange], known=known[row.exchange], connects=connects[row.exchange],
                streams_of=streams_of, dial=self.desk.dial, tell=findings.tell, log=self._log,
                settings=CaptureSettings(symbols=SYMBOLS.get(name, ()), depth=DEPTHS[name], timer_s=TIMER_S, retry_most_s=10.0, feed=FEED),
            )  # fmt: skip
            await self.captures[name].start()

    async def stop(self, drain_s: float) -> int:
        """How many events were left behind."""
        await asyncio.gather(*(capture.stop() for capture in self.captures.values()))
        await asyncio.gather(*(client.stop() for client in self.clients.values()))
        left = await self.publisher.drain(drain_s)
        await self.publisher.stop()
        await self.publisher.bus.client.aclose()
        return left

    def kill(self) -> None:
        """As SIGKILL: nothing more is written, sent or said; the caller ends its tasks and its connections."""
        self.outbox.wake = None

    @property
    def synced(self) -> bool:
        return all(capture.synced for capture in self.captures.values())

    def unsynced(self) -> list[str]:
        """What is not in order, one line each."""
        missing = []
        for name, capture in self.captures.items():
            if capture.state != "running":
                missing.append(f"{name}: {capture.state} {capture.reason}")
            elif not capture.synced:
                missing.append(f"{name}: {capture.pipeline.states()} {capture.resync.status()['broken'] if capture.resync else ''}")
        return missing


def streams_of(instrument: Instrument) -> list[Any]:
    """As p9.publication makes them, with fewer timeframes and rarer snapshots: what they lack is more of the same."""
    names = Names(exchange=instrument.exchange, symbol=instrument.symbol, market=instrument.market, venue_symbol=instrument.venue_symbol)
    depth = Depth(names)
    return [
        Integrity(names), depth, BookTicker(names), Trades(names), Candles(names, timeframes=TIMEFRAMES, forming=False),
        Snapshots(names, depth, interval_ns=SNAPSHOTS_S * 1_000_000_000),
    ]  # fmt: skip
