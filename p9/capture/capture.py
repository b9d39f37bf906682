"""One market, captured: its instruments from REST into a pipeline, its sockets, and the repair of its books."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from cext.pipeline import Pipeline
from picows import ws_connect

from p9.capture.audits import Audits, AuditSettings
from p9.capture.backfill import Backfill, BackfillSettings
from p9.capture.connection import Dial
from p9.capture.feed import Connects, Feed, FeedSettings
from p9.capture.ledger import Ledger
from p9.capture.liveness import Liveness, LivenessSettings
from p9.capture.recorder import Recorder
from p9.capture.resync import Resync, ResyncSettings
from p9.capture.seeding import Seeding, SeedingSettings
from p9.capture.sockets import Sockets
from p9.capture.unheard import Unheard
from p9.capture.venue_delay import VenueDelay, VenueDelaySettings
from p9.errors import MarketRefused, RestError
from p9.instrument import Instrument, Refused
from p9.market.instruments import Instruments, load
from p9.market.rest import RestClient
from p9.market.venue_clock import VenueClock
from p9.venue import Market, Topic, TopicKind

FAULT_PAUSE_S = 2.0
_SUMMED = (
    "depth_frames", "applied", "stale", "gaps", "images", "too_old", "crossed", "lost_frames", "checksums", "checksums_matched",
    "touches_compared", "touches_agreed", "trades", "repeated_trades", "backfilled_trades", "trade_gaps", "prints", "lost_prints", "liquidations",
    "repeated_liquidations", "blocks", "repeated_blocks",
)  # fmt: skip


class CaptureSettings(msgspec.Struct, frozen=True):
    """What is captured of a market, and how."""

    symbols: tuple[str, ...] = ()  # ours, the venue's, or patterns; empty: the row's own
    depth: int = 1000
    speed: str = ""
    trades: str = "default"
    timer_s: float = 0.05  # tick of what is published by the clock
    retry_most_s: float = 60.0  # between two attempts to read the instruments
    feed: FeedSettings = FeedSettings()
    resync: ResyncSettings = ResyncSettings()
    liveness: LivenessSettings = LivenessSettings()
    backfill: BackfillSettings = BackfillSettings()
    seeding: SeedingSettings = SeedingSettings()
    delay: VenueDelaySettings = VenueDelaySettings()
    audits: AuditSettings = AuditSettings()
    audits_word: str = ""  # another first word of their channel
    also: tuple[TopicKind, ...] = ("liquidations", "blocks")  # topics beside book, best price and trades, where the market has them


class Capture:
    """`client`, `known` and `connects` are shared by the markets of a venue; `streams_of(instrument)` makes what is published of one.

    What was missing goes into `ledger` (None: one of its own, in memory). `clock` is the venue's; `tell(kind, detail, **more)` publishes what concerns
    the whole market. `on_notice` hears every change of a book's state, `on_refused` every instrument that is left out.
    """

    def __init__(
        self, market: Market, pipeline: Pipeline, *, client: RestClient, known: Instruments, connects: Connects,
        streams_of: Callable[[Instrument], Sequence[Any]], settings: CaptureSettings | None = None, recorder: Recorder | None = None,
        ledger: Ledger | None = None, clock: VenueClock | None = None, tell: Callable[..., None] | None = None,
        dial: Dial = ws_connect, on_notice: Callable[[Any], None] | None = None,
        on_refused: Callable[[Refused], None] | None = None, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.market, self.pipeline, self.known = market, pipeline, known
        self.settings = settings or CaptureSettings()
        self.forms = market.choose(depth=self.settings.depth, speed=self.settings.speed, trades=self.settings.trades, also=self.settings.also)
        self._prints = next(form for form in self.forms if form.kind == "trades")
        self.depth = self.forms[0].levels or market.image_levels(self.settings.depth)
        self.instruments: dict[int, Instrument] = {}
        self.sockets = Sockets(market, self.forms, self._make_feed)
        self.listed = asyncio.Event()  # `instruments` are those that are captured
        self.refused: list[Refused] = []
        self.resync: Resync | None = None
        self.liveness: Liveness | None = None
        self.backfill: Backfill | None = None
        self.audits: Audits | None = None
        self.seeding: Seeding | None = None
        self.unheard: Unheard | None = None
        self.ledger = ledger or Ledger(None, epoch=pipeline.outbox.epoch)
        self.delay = VenueDelay(pipeline, clock=clock, settings=self.settings.delay, tell=tell, log=self._log)
        self.state = "idle"  # then starting, running or refused, stopped
        self.reason = ""
        self.faults = 0  # of ours: each is a bug
        self._client, self._connects, self._streams_of = client, connects, streams_of
        self._recorder, self._dial = recorder, dial
        self._on_notice, self._on_refused = on_notice, on_refused or (lambda refused: None)
        self._log_to = log or (lambda *_, **__: None)
        self._rows: dict[int, Instrument] = {}  # those that were removed too: what is under way still asks for their names
        self._task: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._feeds_run: dict[str, asyncio.Task[None]] = {}

    def _log(self, event: str, **more: Any) -> None:
        self._log_to(event, market=self.market.name, **more)

    async def start(self) -> None:
        """Begin; what fails is tried again, and `status` tells. Never raises for what a venue does."""
        self.state = "starting"
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Close every socket. The books stay as they were."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self.state = "stopped"

    async def _run(self) -> None:
        try:
            await self._read_instruments()
        except MarketRefused as error:
            self.state, self.reason = "refused", str(error)
            self._log("market refused", reason=self.reason)
            return
        self._add_instruments()
        self._make_parts()
        self.listed.set()
        self.state = "running" if self.instruments else "refused"
        self._log("capturing", instruments=len(self.instruments), sockets=len(self.feeds), refused=len(self.refused))
        while True:
            try:
                async with asyncio.TaskGroup() as self._group:
                    for job in (self._tick, self.resync.run, self.liveness.run, self.backfill.run, self.delay.run, self.audits.run, self.seeding.run, self.unheard.run):
                        self._group.create_task(job())
                    for feed in self.feeds:
                        self._run_feed(feed)
            except* Exception as errors:  # a fault of ours: say it, show no book that nobody tends, and begin again
                self.reason = "; ".join(f"{type(error).__name__}: {error}" for error in errors.exceptions)
                self.faults += 1
                self._log("capture failed", reason=self.reason, errors=errors.exceptions)
            now_ns = self.pipeline.clock.now()
            self.pipeline.disconnected(None, now_ns)
            self.pipeline.interrupted(self.instruments, now_ns)
            await asyncio.sleep(FAULT_PAUSE_S)

    async def _read_instruments(self) -> None:
        """Ask until the venue answers. Raises MarketRefused where it will not."""
        attempt = 0
        while True:
            try:
                await load(self._client, self.market, self.known)
                self.reason = ""
                return
            except RestError as error:
                self.reason = str(error)
                self._log("no instruments yet", reason=self.reason)
                wait_s = min(self.settings.retry_most_s, 2.0**attempt)
                await asyncio.sleep(max(error.retry_after_s or 0.0, random.uniform(0.5, 1.0) * wait_s))
                attempt += 1

    def _add_instruments(self) -> None:
        chosen, refused = self.known.select(self.market.name, self.settings.symbols or self.market.default_symbols)
        for row in chosen:
            try:
                ix = self._add(row)
                self.instruments[ix] = self._rows[ix] = row
            except ValueError as error:
                refused.append(Refused(self.market.name, row.venue_symbol, str(error)))
        for row in refused:
            self._log("instrument refused", symbol=row.venue_symbol, reason=row.reason)
            self._on_refused(row)
        self.refused = refused
        if not self.instruments:
            self.reason = "no instrument left: " + "; ".join(f"{row.venue_symbol}: {row.reason}" for row in refused[:5])

    def _add(self, row: Instrument) -> int:
        lower = row.venue_symbol.lower()
        aliases = [lower.encode()] if lower != row.venue_symbol and any("{lower}" in form.template for form in self.forms) else []
        return self.pipeline.add(
            venue_symbol=row.venue_symbol.encode(), symbol=row.symbol, px_scale=row.px_scale, qty_scale=row.qty_scale, tick=row.scaled_tick,
            contract=row.contract, contract_value=row.contract_value, depth=self.depth, folds_ms=self.folds_ms, aliases=aliases, streams=list(self._streams_of(row)),
        )  # fmt: skip

    def _make_parts(self) -> None:
        """The sockets, and who looks after what comes through them."""
        self.sockets.spread(self.instruments)
        feed_of = self.sockets.feed_of
        self.resync = Resync(
            self.market, self.pipeline, self._client, self.ledger, instruments=self._rows, feed_of=feed_of, topic_of=self.sockets.topic_of,
            depth=self.depth, settings=self.settings.resync, on_notice=self._on_notice, log=self._log,
        )  # fmt: skip
        self.audits = Audits(
            self.market, self.pipeline, self._client, instruments=self._rows, feed_of=feed_of, depth=self.depth, folds=self.folds_ms > 0,
            settings=self.settings.audits, word=self.settings.audits_word, log=self._log,
        )  # fmt: skip
        self.backfill = Backfill(
            self.market, self._prints, self.pipeline, self._client, self.ledger,
            instruments=self._rows, feed_of=self.sockets.trades_of, settings=self.settings.backfill, log=self._log,
        )  # fmt: skip
        self.seeding = Seeding(
            self.market, self.pipeline, self._client, instruments=self.instruments, tell=self.audits.say, settings=self.settings.seeding, log=self._log
        )
        self.unheard = Unheard(self.pipeline, self.sockets, self.ledger, instruments=self.instruments, log=self._log)
        watched = [(ix, topic, feed) for ix in self.instruments for topic, feed in self.sockets.topics(ix)]
        self.liveness = Liveness(self.pipeline, watched, missed=self.backfill.missed, settings=self.settings.liveness, log=self._log)

    def _make_feed(self, name: str, route: str, topics: Mapping[int, Sequence[Topic]]) -> Feed:
        return Feed(
            name, self.market, self.pipeline, route, topics, self._connects, settings=self.settings.feed,
            recorder=self._recorder.of(self.market.name) if self._recorder is not None else None, dial=self._dial, log=self._log,
        )  # fmt: skip

    # ---- while it runs

    def choose(self, symbols: Sequence[str]) -> None:
        """Capture these instruments (patterns and names as in the settings; none: the row's own): what is new is added, what is left out removed.
        Nothing else is touched."""
        self.settings = msgspec.structs.replace(self.settings, symbols=tuple(symbols))
        chosen, self.refused = self.known.select(self.market.name, self.settings.symbols or self.market.default_symbols)
        wanted = {row.venue_symbol for row in chosen}
        for ix in [ix for ix, row in self.instruments.items() if row.venue_symbol not in wanted]:
            self.remove(ix)
        here = {row.venue_symbol for row in self.instruments.values()}
        for row in chosen:
            if row.venue_symbol not in here:
                self.add(row)
        for row in self.refused:
            self._log("instrument refused", symbol=row.venue_symbol, reason=row.reason)
            self._on_refused(row)

    def add(self, row: Instrument) -> bool:
        """One more instrument, on a socket that has room. False: it was refused, as `refused` says."""
        try:
            ix = self._add(row)
        except ValueError as error:
            self.refused.append(Refused(self.market.name, row.venue_symbol, str(error)))
            return False
        self.instruments[ix] = self._rows[ix] = row
        for feed in self.sockets.add(ix, row):
            self._run_feed(feed)
        self.resync.add(ix)
        self.audits.add(ix)
        for topic, feed in self.sockets.topics(ix):
            self.liveness.add(ix, topic, feed)
        self._log("instrument added", symbol=row.symbol)
        return True

    def remove(self, ix: int) -> None:
        """One instrument less: it is unsubscribed, and its channels fall silent."""
        row = self.instruments.pop(ix)
        self.liveness.remove(ix)
        self.audits.remove(ix)
        for feed in self.sockets.remove(ix):
            self._feeds_run.pop(feed.name).cancel()  # (of a capture that was stopped it is over already)
        self.pipeline.retire(ix, self.pipeline.clock.now())
        self._log("instrument removed", symbol=row.symbol)

    def republish(self, streams_of: Callable[..., Sequence[Any]]) -> None:
        """Other streams from now on: `streams_of(instrument, its streams now)`; `streams_of(instrument)` for those that come later."""
        self._streams_of = streams_of
        for ix, row in self.instruments.items():
            self.pipeline.replace_streams(ix, streams_of(row, self.pipeline.streams(ix)), self.pipeline.clock.now())

    def retire(self) -> None:
        """Every instrument is gone: their channels fall silent and can be taken again. After `stop`."""
        for ix in list(self.instruments):
            self.remove(ix)

    def tune(self, settings: CaptureSettings) -> None:
        """Other thresholds and intervals. What is subscribed stays as it is: `choose`, or another Capture, changes that."""
        here = self.settings
        self.settings = msgspec.structs.replace(settings, symbols=here.symbols, depth=here.depth, speed=here.speed, trades=here.trades)
        self.delay.tune(settings.delay)
        if self.resync is not None:
            self.resync.settings, self.liveness.settings, self.backfill.settings = settings.resync, settings.liveness, settings.backfill
            self.audits.settings, self.seeding.settings = settings.audits, settings.seeding
            for feed in self.sockets.feeds:
                feed.tune(settings.feed)

    def _run_feed(self, feed: Feed) -> None:
        self._feeds_run[feed.name] = self._group.create_task(feed.run())

    async def _tick(self) -> None:
        """What is published by the clock. Late ticks are not made up for."""
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        while True:
            next_s = max(next_s + self.settings.timer_s, loop.time())
            await asyncio.sleep(next_s - loop.time())
            self.pipeline.on_timer(self.pipeline.clock.now())
            self.pipeline.outbox.wake_up()

    @property
    def folds_ms(self) -> int:
        """Fills of one price may stand in one row of trades for so long; 0: each has its own."""
        return self._prints.folds_ms

    @property
    def synced(self) -> bool:
        """Every book is."""
        return bool(self.instruments) and self.books() == {"synced": len(self.instruments)}

    @property
    def whole(self) -> bool:
        """Every book is synced, and no topic is stale."""
        return self.synced and not self.delay.stale()

    @property
    def feeds(self) -> list[Feed]:
        return self.sockets.feeds

    def symbol_of(self, ix: int) -> str:
        """Also of an instrument that was removed."""
        return self._rows[ix].symbol

    def books(self) -> dict[str, int]:
        """How many books are in which state."""
        states = self.pipeline.states()
        return dict(Counter(states[ix] for ix in self.instruments))

    def _stream_counters(self) -> dict[str, Counter[str]]:
        """{stream: what it counted, over all instruments}, of those that count."""
        counted: dict[str, Counter[str]] = {}
        for ix in self.instruments:
            for stream in self.pipeline.streams(ix):
                if hasattr(stream, "counters"):
                    counted.setdefault(type(stream).__name__.lower(), Counter()).update(stream.counters())
        return counted

    def status(self) -> dict[str, Any]:
        """The whole state as plain data, for /status and the metrics."""
        counters = self.pipeline.totals()
        frames = self.pipeline.counters()
        received, n_bytes = frames.pop("frames"), frames.pop("bytes")
        unknown_enums = frames.pop("unknown_enums", 0)
        return {
            "exchange": self.market.exchange, "state": self.state, "reason": self.reason, "faults": self.faults, "instruments": len(self.instruments),
            "refused": [{"symbol": row.venue_symbol, "reason": row.reason} for row in self.refused],
            "frames": {"received": received, "bytes": n_bytes, "unknown_enums": unknown_enums, "outcomes": frames},
            "books": self.books(),
            "sockets": dict(Counter(feed.state for feed in self.feeds)),
            "counters": {name: counters[name] for name in _SUMMED},
            "streams": self._stream_counters(),
            "feeds": [feed.status() for feed in self.feeds],
            "resync": self.resync.status() if self.resync is not None else {},
            "liveness": self.liveness.status() if self.liveness is not None else {},
            "delay": self.delay.status(),
            "audits": self.audits.status() if self.audits is not None else {},
            "backfill": self.backfill.status() if self.backfill is not None else {},
            "seeding": self.seeding.status() if self.seeding is not None else {},
            "unheard": self.unheard.status() if self.unheard is not None else {},
        }  # fmt: skip
