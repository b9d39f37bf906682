"""What the appliance knows beside books and trades: one board, the insurance funds, the reference data of each venue, and for each
market a poller and its live topics."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox
from cext.streams.liquidations import Liquidations

from p9.analysis.balances import Balances
from p9.analysis.insurance import InsuranceFunds, InsuranceSettings
from p9.capture.capture import Capture
from p9.capture.handover import hand_over
from p9.capture.line import Connects, FeedSettings
from p9.capture.live import LiveFacts
from p9.capture.recorder import Recorder
from p9.capture.relisting import Relisting
from p9.config import Config
from p9.fact import InsurancePool, Reading, Relisted, Roster
from p9.instrument import Instrument
from p9.market.adl import AdlBoard
from p9.market.board import Board, BoardSettings
from p9.market.funding import FundingSheet
from p9.market.mark_price import MarkPriceSheet
from p9.market.open_interest import OpenInterestSheet
from p9.market.poller import Poller
from p9.market.reference import Reference
from p9.market.rest import RestClient
from p9.market.sheet import POLL, STREAM, Sheet
from p9.thresholds import feed_of
from p9.venue import Market, Poll

INSURANCE, REFERENCE = "insurance_fund_monitor", "reference"
BALANCES = "insurance.jsonl"
FAULT_PAUSE_S = 5.0
WEIGH_S = 10.0  # between two looks at what was liquidated
REFER_S = 1.0  # between two looks at what changed of reference data
FOLLOW_S = 0.5  # how soon an instrument that came or went is followed


def sections_of(config: Config) -> dict[str, Any]:
    """{kind: its section}, of what is asked on timers."""
    wanted = config.analytics
    return {
        "funding": wanted.funding, "mark_price": wanted.mark_price, "open_interest": wanted.open_interest, "adl": wanted.adl,
        INSURANCE: wanted.insurance_fund_monitor, REFERENCE: wanted.reference,
    }  # fmt: skip


class MarketBoard:
    """One market's part: whom it is about, who asks, who listens. It follows the capture, whose instruments come and go."""

    def __init__(self, capture: Capture, forget: Callable[[str, str], None], every_s: dict[str, float]):
        self.capture, self.market, self.roster, self.every_s = capture, capture.market, Roster(()), every_s
        self.poller: Poller | None = None
        self.live: LiveFacts | None = None
        self.relisting: Relisting | None = None
        self.reference: Reference | None = None
        self._forget = forget  # (market, venue symbol): an instrument is gone

    async def run(self, make: Callable[["MarketBoard"], None]) -> None:
        """`make(self)` sets the poller and the live topics, once the instruments are known."""
        await self.capture.listed.wait()
        self.roster.change(self.capture.instruments.values())
        make(self)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.poller.run())
            group.create_task(self._follow())
            for job in (self.live, self.relisting):
                if job is not None:
                    group.create_task(job.run())

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(FOLLOW_S)
            here = {row.venue_symbol: row for row in self.capture.instruments.values()}
            if here != self.roster.by_symbol:
                for row in self.roster.change(here.values()):
                    self._forget(row.market, row.venue_symbol)
                if self.live is not None:
                    self.live.align()
                if self.reference is not None:
                    self.reference.touch()

    def leave(self) -> None:
        """Its channels can be taken again."""
        for row in self.roster.change(()):
            self._forget(row.market, row.venue_symbol)
        if self.reference is not None:
            self.reference.rosters.pop(self.market.name, None)
            self.reference.touch()

    def status(self) -> dict[str, Any]:
        return {
            "polls": self.poller.status() if self.poller is not None else {"rows": [], "counts": {}, "bad": {}},
            "live": self.live.status() if self.live is not None else {},
            "relisting": self.relisting.status() if self.relisting is not None else {},
        }  # fmt: skip


class Boards:
    """`open` a market beside its capture, `shut` it before the capture is gone. `board` is what others in the process listen to.

    `folder`: where balances are kept over restarts; None: nowhere. `tell(kind, detail, **more)` publishes what concerns a whole venue, `note(**change)`
    hears every change of reference data.
    """

    def __init__(
        self, config: Config, outbox: Outbox, clock: Clock, *, folder: Path | None = None, recorder: Recorder | None = None, feed: FeedSettings | None = None,
        tell: Callable[..., None] | None = None, note: Callable[..., None] | None = None, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.references: dict[str, Reference] = {}
        self._tell, self._note = tell, note
        self.markets: dict[str, MarketBoard] = {}
        self.faults = 0  # of ours: each is a bug
        self.refused_blocks = 0  # negotiated trades whose numbers do not fit their instrument
        self._opened: dict[str, tuple[Capture, RestClient, Connects]] = {}
        self._outbox, self._clock, self._recorder, self._feed = outbox, clock, recorder, feed or feed_of(config)
        self._log = log or (lambda *_, **__: None)
        self._owners: dict[tuple[str, str], str] = {}  # (exchange, kind): the market that asks for all markets of the exchange
        self._changing = False  # under another configuration
        self._lasting: list[asyncio.Task[None]] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._configure(config)
        self.board = Board(outbox, self._sheets(config), settings=self._settings(config), words=self._words(), on_finding=self._disagreement, log=log)
        self.balances = Balances(folder / BALANCES if folder is not None else None, log=log)
        self.insurance = InsuranceFunds(outbox, self.balances, settings=self._insurance_settings(config), words=self._insurance_words(config), log=log)
        self.adl = AdlBoard(outbox, word=config.analytics.adl.publish_channel, log=self._log)

    def _configure(self, config: Config) -> None:
        wanted = config.analytics
        self.sections = sections_of(config)
        self._insured = set(wanted.insurance_fund_monitor.exchanges)
        self.every_s = {kind: float(section.poll_interval) for kind, section in self.sections.items() if section.enabled}
        self._live = {kind for kind in self.every_s if self.sections[kind].live} | ({"block_trades"} if wanted.block_trades.enabled else set())
        self._stale_intervals = config.boards.stale_intervals

    def _words(self) -> dict[str, str]:
        return {kind: section.publish_channel for kind, section in self.sections.items()}

    def _sheets(self, config: Config) -> list[Sheet]:
        wanted = config.analytics
        sheets: list[Sheet] = [
            MarkPriceSheet(Decimal(str(wanted.mark_price.disagreement_bps)) / 10_000),
            FundingSheet(Decimal(str(wanted.funding.disagreement))),
            OpenInterestSheet(Decimal(str(wanted.open_interest.disagreement_percent)) / 100),
        ]
        return [sheet for sheet in sheets if sheet.kind in self.every_s]

    @staticmethod
    def _settings(config: Config) -> BoardSettings:
        return BoardSettings(publish_s=float(config.boards.publish), in_a_row=config.boards.disagreements)

    @staticmethod
    def _insurance_settings(config: Config) -> InsuranceSettings:
        wanted = config.analytics.insurance_fund_monitor
        levels = wanted.stress_thresholds
        return InsuranceSettings(
            medium=levels.medium, high=levels.high, critical=levels.critical, fast_decline=wanted.fast_decline, recovery=wanted.recovery,
            tolerance_s=float(wanted.tolerance), stale_s=float(wanted.stale_after), poll_s=float(wanted.poll_interval),
        )  # fmt: skip

    @staticmethod
    def _insurance_words(config: Config) -> tuple[str, str]:
        return config.analytics.insurance_fund_monitor.publish_channel, config.analytics.insurance_fund_monitor.alerts_channel

    def start(self) -> None:
        self.balances.load(self._clock.now())
        jobs = {
            "board": self.board.run, "balances": lambda: self.balances.run(self._clock.now), "reference": self._refer, "liquidations": self._weigh, "adl": lambda: self.adl.run(self._clock.now),
        }  # fmt: skip
        self._lasting = [asyncio.create_task(self._keep_up(name, job), name=name) for name, job in jobs.items()]

    async def _keep_up(self, name: str, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A fault of ours: say it, and begin again."""
        while True:
            try:
                await job()
            except Exception as error:
                self.faults += 1
                self._log("facts failed", part=name, errors=(error,))
            await asyncio.sleep(FAULT_PAUSE_S)

    async def _refer(self) -> None:
        while True:
            await asyncio.sleep(REFER_S)
            for exchange, reference in self.references.items():
                if self._whole(exchange):
                    reference.publish(self._clock.now())

    def _whole(self, exchange: str) -> bool:
        """Every market of it whose instruments are known has its part in the document: none is missing there for a moment because it begins anew."""
        known = {name for name, (capture, *_) in self._opened.items() if capture.market.exchange == exchange and capture.listed.is_set()}
        return not self._changing and known <= self.references[exchange].rosters.keys()

    async def _weigh(self) -> None:
        """What is liquidated weighs on the pool that answers for it. What is not captured, or not told by the venue, does not."""
        while True:
            await asyncio.sleep(WEIGH_S)
            if INSURANCE not in self.every_s:
                continue
            for capture, *_ in list(self._opened.values()):
                await asyncio.sleep(0)
                for ix, one in capture.instruments.items():
                    stream = next((stream for stream in capture.pipeline.streams(ix) if isinstance(stream, Liquidations)), None)
                    base, quote = stream.take() if stream is not None else (0.0, 0.0)
                    if base > 0:
                        amount = Decimal(base if one.settle == one.base else quote)
                        self.insurance.liquidated(one.exchange, one.settle, one.venue_symbol, amount, self._clock.now())

    def _forget(self, market: str, venue_symbol: str) -> None:
        self.board.forget(market, venue_symbol)
        self.adl.forget(market, venue_symbol)

    async def close(self) -> None:
        for task in self._lasting:  # first of all: nobody shall read that the markets are gone because we go
            task.cancel()
        await asyncio.gather(*self._lasting, return_exceptions=True)
        for name in list(self._opened):
            await self.shut(name)
        await self.balances.flush(self._clock.now())

    def open(self, capture: Capture, client: RestClient, connects: Connects) -> None:
        """Begin with a market as soon as its instruments are known; one of which nothing is wanted is left out."""
        market = capture.market
        self._opened[market.name] = (capture, client, connects)
        if self._every_s(market) or self._live_kinds(market):
            self._tasks[market.name] = asyncio.create_task(self._run(market.name), name=f"facts of {market.name}")

    async def shut(self, name: str) -> None:
        """End with a market. What it asked for all markets of its exchange, another one asks from now on."""
        await self._end(name)
        for key in [key for key, owner in self._owners.items() if owner == name]:
            del self._owners[key]
            heirs = [other for other, (capture, *_) in self._opened.items() if capture.market.exchange == key[0]]
            for heir in heirs[:1]:
                parts = self._opened[heir]
                await self._end(heir)
                self.open(*parts)
        self._leave_venues()

    def _leave_venues(self) -> None:
        """Of whom no market is open, nothing more is said."""
        here = {capture.market.exchange for capture, *_ in self._opened.values()}
        self._close_references(here)
        self.insurance.keep(here & self._insured if INSURANCE in self.every_s else ())

    def _close_references(self, left: Collection[str] = ()) -> None:
        for exchange in [exchange for exchange in self.references if exchange not in left]:
            self.references.pop(exchange).close()

    async def _end(self, name: str) -> None:
        self._opened.pop(name, None)
        task, part = self._tasks.pop(name, None), self.markets.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if part is not None:
            part.leave()

    async def reconfigure(self, config: Config) -> None:
        """Other intervals, thresholds or names: every market's part begins anew, no capture notices."""
        self._changing = True
        try:
            await self._begin_anew(config)
        finally:
            self._changing = False

    async def _begin_anew(self, config: Config) -> None:
        opened = dict(self._opened)
        for name in opened:
            await self._end(name)
        self._owners.clear()
        self._close_references()
        self._configure(config)
        words = self._insurance_words(config)
        if words != self.insurance.words:
            self.insurance.keep(())
        self.insurance.settings, self.insurance.words = self._insurance_settings(config), words
        self.adl.word = config.analytics.adl.publish_channel
        self.board.change(self._sheets(config), self._settings(config), self._words())
        for parts in opened.values():
            self.open(*parts)
        self._leave_venues()

    async def _run(self, name: str) -> None:
        while True:
            capture, client, connects = self._opened[name]
            part = self.markets[name] = MarketBoard(capture, self._forget, self._every_s(capture.market))
            try:
                await part.run(lambda part, client=client, connects=connects: self._make(part, client, connects))
            except* Exception as errors:  # a fault of ours: say it, and begin again
                self.faults += 1
                self._log("facts failed", market=name, errors=errors.exceptions)
            await asyncio.sleep(FAULT_PAUSE_S)
            part.leave()

    def tune(self, feed: FeedSettings) -> None:
        """Other thresholds of the sockets."""
        self._feed = feed
        for part in self.markets.values():
            if part.live is not None:
                part.live.tune(feed)

    def _make(self, part: MarketBoard, client: RestClient, connects: Connects) -> None:
        market, roster = part.market, part.roster

        if REFERENCE in part.every_s:
            self._refer_to(part, client)

        def polled(poll: Poll, reading: Reading, recv_ns: int) -> None:
            self.board.take(roster, reading.facts, POLL, recv_ns, self._keep_s(poll.kind) * poll.every)
            self._hand_on(part, reading, recv_ns, polled=True)

        def streamed(reading: Reading, recv_ns: int) -> None:
            self.board.take(roster, reading.facts, STREAM, recv_ns)
            self._hand_on(part, reading, recv_ns, polled=False)

        def lost(kinds: Collection[str]) -> None:
            if "adl" in kinds:
                self.adl.interrupted(market.name, self._clock.now())
            self.board.interrupted(market.name, kinds, self._clock.now(), max(map(self._keep_s, kinds), default=0.0))

        polls = [poll for poll in market.polls if poll.kind in part.every_s and (not poll.of_exchange or self._owns(market, poll.kind))]
        part.poller = Poller(market, client, roster, polls=polls, every_s=part.every_s, take=polled, now_ns=self._clock.now, log=self._log)
        kinds = self._live_kinds(market)
        forms = [form for form in market.live if kinds & set(form.kinds) and (not form.of_exchange or self._owns(market, form.kinds[0]))]
        if forms:
            part.live = LiveFacts(
                market, roster, connects, forms=forms, kinds=kinds, clock=self._clock, take=streamed, on_lost=lost, settings=self._feed,
                recorder=self._recorder.of(market.name) if self._recorder is not None else None, log=self._log,
            )  # fmt: skip

    def _every_s(self, market: Market) -> dict[str, float]:
        """What is wanted of a market that it has, and how often."""
        has = {REFERENCE, *(poll.kind for poll in market.polls)} - (set() if market.exchange in self._insured else {INSURANCE})
        return {kind: every_s for kind, every_s in self.every_s.items() if kind in has}

    def _live_kinds(self, market: Market) -> set[str]:
        """What is wanted of a market that one of its streams tells."""
        has = {kind for form in market.live for kind in form.kinds} - (set() if market.exchange in self._insured else {INSURANCE})
        return self._live & has

    def _owns(self, market: Market, kind: str) -> bool:
        return self._owners.setdefault((market.exchange, kind), market.name) == market.name

    def _refer_to(self, part: MarketBoard, client: RestClient) -> None:
        """The part's instruments stand in its venue's reference data, and are read again."""
        exchange, section = part.market.exchange, self.sections[REFERENCE]
        if exchange not in self.references:
            self.references[exchange] = Reference(exchange, self._outbox, word=section.publish_channel, tell=self._tell, note=self._note)
        reference = part.reference = self.references[exchange]
        reference.rosters[part.market.name] = part.roster
        reference.touch()
        part.relisting = Relisting(
            part.capture, client, every_s=float(section.instruments_interval), on_changes=reference.changed, log=self._log
        )

    def _hand_on(self, part: MarketBoard, reading: Reading, recv_ns: int, *, polled: bool) -> None:
        """What is not the board's."""
        self.adl.take(part.roster, reading.facts, POLL if polled else STREAM, recv_ns)
        self.refused_blocks += hand_over(part.capture.pipeline, reading.facts, recv_ns)
        pools = [fact for fact in reading.facts if isinstance(fact, InsurancePool)]
        if pools:
            self.insurance.take(part.market.exchange, pools, recv_ns, polled=polled)
        if part.reference is not None:
            part.reference.take(part.market.name, reading.facts, recv_ns)
        if part.relisting is not None and any(isinstance(fact, Relisted) for fact in reading.facts):
            part.relisting.nudge()

    def _keep_s(self, kind: str) -> float:
        return self._stale_intervals * self.every_s.get(kind, 60.0)

    def _disagreement(self, one: Instrument, kind: str, detail: str, field: str) -> None:
        """Tell it, and ask the venue's stream for a new image."""
        part = self.markets.get(one.market)
        self._log("sources disagree", market=one.market, symbol=one.symbol, kind=kind, detail=detail)
        if part is None:
            return
        if part.capture.audits is not None:
            part.capture.audits.tell(one.venue_symbol, kind, detail, field=field)
        if part.live is not None:
            part.live.renew(kind, one.venue_symbol)

    def status(self) -> dict[str, Any]:
        return {
            "board": self.board.status(), "adl": self.adl.status(), "markets": {name: part.status() for name, part in self.markets.items()},
            "insurance": self.insurance.status(), "reference": {exchange: each.status() for exchange, each in self.references.items()},
            "refused_blocks": self.refused_blocks, "faults": self.faults,
        }  # fmt: skip
