"""What the appliance knows beside books and trades: one board, and for each market a poller and its live topics."""

import asyncio
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox

from p9.capture.capture import Capture
from p9.capture.line import Connects, FeedSettings
from p9.capture.live import LiveFacts
from p9.capture.recorder import Recorder
from p9.config import Config
from p9.fact import Reading, Roster
from p9.instrument import Instrument
from p9.market.board import Board, BoardSettings
from p9.market.funding import FundingSheet
from p9.market.mark_price import MarkPriceSheet
from p9.market.open_interest import OpenInterestSheet
from p9.market.poller import Poller
from p9.market.rest import RestClient
from p9.market.sheet import POLL, STREAM, Sheet
from p9.venue import Poll

FAULT_PAUSE_S = 5.0
FOLLOW_S = 0.5  # how soon an instrument that came or went is followed


class MarketBoard:
    """One market's part: whom it is about, who asks, who listens. It follows the capture, whose instruments come and go."""

    def __init__(self, capture: Capture, board: Board, every_s: dict[str, float]):
        self.capture, self.market, self.roster, self.every_s = capture, capture.market, Roster(()), every_s
        self.poller: Poller | None = None
        self.live: LiveFacts | None = None
        self._board = board

    async def run(self, make: Callable[["MarketBoard"], None]) -> None:
        """`make(self)` sets the poller and the live topics, once the instruments are known."""
        await self.capture.listed.wait()
        self.roster.change(self.capture.instruments.values())
        make(self)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.poller.run())
            group.create_task(self._follow())
            if self.live is not None:
                group.create_task(self.live.run())

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(FOLLOW_S)
            here = {row.venue_symbol: row for row in self.capture.instruments.values()}
            if here != self.roster.by_symbol:
                for row in self.roster.change(here.values()):
                    self._board.forget(row.market, row.venue_symbol)
                if self.live is not None:
                    self.live.align()

    def leave(self) -> None:
        """Its channels can be taken again."""
        for row in self.roster.change(()):
            self._board.forget(row.market, row.venue_symbol)

    def status(self) -> dict[str, Any]:
        return {
            "polls": self.poller.status() if self.poller is not None else {"rows": [], "counts": {}, "bad": {}},
            "live": self.live.status() if self.live is not None else {},
        }  # fmt: skip


class Boards:
    """`open` a market beside its capture, `shut` it before the capture is gone. `board` is what others in the process listen to."""

    def __init__(
        self, config: Config, outbox: Outbox, clock: Clock, *, recorder: Recorder | None = None, feed: FeedSettings | None = None,
        log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.markets: dict[str, MarketBoard] = {}
        self.faults = 0  # of ours: each is a bug
        self._opened: dict[str, tuple[Capture, RestClient, Connects]] = {}
        self._outbox, self._clock, self._recorder, self._feed = outbox, clock, recorder, feed
        self._log = log or (lambda *_, **__: None)
        self._task: asyncio.Task[None] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._configure(config)
        self.board = Board(outbox, self._sheets(config), settings=self._settings(config), words=self._words(), on_finding=self._disagreement, log=log)

    def _configure(self, config: Config) -> None:
        wanted = config.analytics
        self.sections = {"funding": wanted.funding, "mark_price": wanted.mark_price, "open_interest": wanted.open_interest}
        self.every_s = {kind: float(section.poll_interval) for kind, section in self.sections.items() if section.enabled}
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

    def start(self) -> None:
        self._task = asyncio.create_task(self.board.run(), name="board")

    async def close(self) -> None:
        for name in list(self._opened):
            await self.shut(name)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def open(self, capture: Capture, client: RestClient, connects: Connects) -> None:
        """Begin with a market as soon as its instruments are known; a market that has nothing to ask is left out."""
        market = capture.market
        self._opened[market.name] = (capture, client, connects)
        if any(poll.kind in self.every_s for poll in market.polls):
            self._tasks[market.name] = asyncio.create_task(self._run(market.name), name=f"facts of {market.name}")

    async def shut(self, name: str) -> None:
        """End with a market."""
        self._opened.pop(name, None)
        task, part = self._tasks.pop(name, None), self.markets.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if part is not None:
            part.leave()

    async def reconfigure(self, config: Config) -> None:
        """Other intervals, thresholds or names: every market's part begins anew, no capture notices."""
        opened = dict(self._opened)
        for name in opened:
            await self.shut(name)
        self._configure(config)
        self.board.change(self._sheets(config), self._settings(config), self._words())
        for parts in opened.values():
            self.open(*parts)

    async def _run(self, name: str) -> None:
        while True:
            capture, client, connects = self._opened[name]
            part = self.markets[name] = MarketBoard(capture, self.board, self.every_s)
            try:
                await part.run(lambda part, client=client, connects=connects: self._make(part, client, connects))
            except* Exception as errors:  # a fault of ours: say it, and begin again
                self.faults += 1
                self._log("facts failed", market=name, errors=errors.exceptions)
            await asyncio.sleep(FAULT_PAUSE_S)
            part.leave()

    def _make(self, part: MarketBoard, client: RestClient, connects: Connects) -> None:
        market, roster = part.market, part.roster

        def polled(poll: Poll, reading: Reading, recv_ns: int) -> None:
            self.board.take(roster, reading.facts, POLL, recv_ns, self._keep_s(poll.kind) * poll.every)

        def streamed(reading: Reading, recv_ns: int) -> None:
            self.board.take(roster, reading.facts, STREAM, recv_ns)

        def lost(kinds: Collection[str]) -> None:
            self.board.interrupted(market.name, kinds, self._clock.now(), max(map(self._keep_s, kinds), default=0.0))

        part.poller = Poller(market, client, roster, polls=market.polls, every_s=self.every_s, take=polled, now_ns=self._clock.now, log=self._log)
        kinds = {kind for kind in self.every_s if self.sections[kind].live}
        if any(kinds & set(form.kinds) for form in market.live):
            part.live = LiveFacts(
                market, roster, connects, forms=market.live, kinds=kinds, clock=self._clock, take=streamed, on_lost=lost, settings=self._feed,
                recorder=self._recorder.of(market.name) if self._recorder is not None else None, log=self._log,
            )  # fmt: skip

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
            "board": self.board.status(), "markets": {name: part.status() for name, part in self.markets.items()}, "faults": self.faults,
        }  # fmt: skip
