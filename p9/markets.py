"""The markets that are captured, and what their venues' markets share: the REST client, the reference data, the venue's clock, the budget of sockets."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9.accounts import Accounts
from p9.boards import Boards
from p9.capture.capture import Capture
from p9.capture.feed import Connects
from p9.capture.ledger import Ledger
from p9.capture.recorder import Recorder
from p9.config import Config
from p9.instrument import Instrument
from p9.market.instruments import Instruments
from p9.market.rest import RestClient
from p9.market.venue_clock import VenueClock
from p9.ops import logs
from p9.options import Options
from p9.publication import Publication
from p9.thresholds import capture_of, clock_of, feed_of, rest_of
from p9.venue import Market, market


class Markets:
    """`folder`: where state is kept over restarts; None: nowhere. `endpoints`: other addresses for the venues, {market: {"rest", "ws"}}; `symbols`: other instruments than the configuration's, by market.

    `tell(kind, detail, **more)` publishes what concerns no single book, `on_notice(market, notice)` hears every change of a book's state,
    `begin(name, job)` runs a task for as long as the appliance lives, `note(**change)` hears every change of reference data, `film_of(instrument)` makes what
    its snapshots are stored with (None: they are not).
    """

    def __init__(
        self, config: Config, outbox: Outbox, clock: Clock, *, folder: Path | None, endpoints: Mapping[str, Mapping[str, str]] | None, symbols: Mapping[str, tuple[str, ...]],
        recorder: Recorder | None, ledger: Ledger, tell: Callable[..., None], on_notice: Callable[[str, Any], None],
        begin: Callable[[str, Coroutine[Any, Any, None]], None], note: Callable[..., None], film_of: Callable[[Instrument], Any] | None = None,
    ):  # fmt: skip
        self.config, self.outbox, self.clock = config, outbox, clock
        self.boards = Boards(config, outbox, clock, folder=folder, recorder=recorder, tell=tell, note=note, log=_said("boards"))
        self.publication = Publication(config, film_of=film_of)
        self.options = Options(config, outbox, clock, endpoints=endpoints, recorder=recorder, log=_said("options"))
        self.captures: dict[str, Capture] = {}
        self.clients: dict[str, RestClient] = {}
        self.venue_clocks: dict[str, VenueClock] = {}
        self._endpoints, self._symbols, self._recorder, self._ledger = endpoints, symbols, recorder, ledger
        self._tell, self._on_notice, self._begin = tell, on_notice, begin
        self.accounts = Accounts(config, clock, self.captures, endpoints=endpoints, ledger=ledger, log=_said("accounts"))
        self._known: dict[str, Instruments] = {}
        self._connects: dict[str, Connects] = {}

    async def start(self) -> None:
        self.boards.start()
        for name in self.config.venues.markets():
            await self.open(name)
        await self._open_options()
        self._open_accounts()

    async def stop(self) -> None:
        await asyncio.gather(self.boards.close(), self.options.close(), self.accounts.close())
        await asyncio.gather(*(capture.stop() for capture in self.captures.values()))
        await asyncio.gather(*(client.stop() for client in self.clients.values()))

    async def open(self, name: str) -> None:
        """Begin to capture one market. Raises ConfigError for what it does not offer."""
        row = self._row(name)
        exchange, rule, settings = row.exchange, row.sequence, self.config.capture
        await self._meet(row)
        pipeline = Pipeline(
            market=name, exchange=exchange, normalizer=row.venue.normalizer(row), outbox=self.outbox, clock=self.clock, link=rule.link,
            rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id,
            trades_numbered=row.trades_numbered, max_held_bytes=int(settings.max_held_bytes), max_held_frames=settings.max_held_frames,
        )  # fmt: skip
        self.captures[name] = Capture(
            row, pipeline, client=self.clients[exchange], known=self._known[exchange], connects=self._connects[exchange],
            streams_of=self.publication.streams, settings=capture_of(self.config, name, self._symbols.get(name)), recorder=self._recorder, ledger=self._ledger,
            clock=self.venue_clocks[exchange], tell=self._tell, on_notice=lambda notice: self._on_notice(name, notice), log=_said("capture"),
        )  # fmt: skip
        await self.captures[name].start()
        self.boards.open(self.captures[name], self.clients[exchange], self._connects[exchange])

    async def close(self, name: str) -> None:
        """End the capture of one market: its channels fall silent and can be taken again."""
        capture = self.captures.pop(name)
        await self.boards.shut(name)
        await capture.stop()
        capture.retire()

    async def _open_options(self) -> None:
        for row in self.options.rows():
            await self._meet(row)
            await self.options.open(row, self.clients[row.exchange], self._connects[row.exchange])

    def _open_accounts(self) -> None:
        for account, row in self.accounts.wanted():
            self.accounts.open(account, row, self.clients[row.exchange], self._connects[row.exchange], self.venue_clocks[row.exchange])

    async def _meet(self, row: Market) -> None:
        """What the markets of a venue share is made with the first of them."""
        exchange = row.exchange
        if exchange in self.clients:
            return
        client = RestClient(
            exchange, settings=rest_of(self.config), now_ns=self.clock.now, recorder=self._recorder
        )
        self.clients[exchange] = client
        await client.start()
        clock = self.venue_clocks[exchange] = VenueClock(
            row, client, now_ns=self.clock.now, tell=self._tell, log=_said("clock"), settings=clock_of(self.config),
            on_suspect=lambda suspect: self.outbox.suspect(exchange, suspect),
        )  # fmt: skip
        self._begin(f"clock of {exchange}", clock.run())
        self._known[exchange] = Instruments(exchange)
        self._connects[exchange] = Connects(row.limits.connects)

    def _row(self, name: str) -> Market:
        section = self.config.venues.markets()[name]
        row = market(name).at(section.rest_url, section.ws_url)
        if self._endpoints is not None:
            row = row.at(self._endpoints[name]["rest"], self._endpoints[name]["ws"])
        return row

    # ---- under another configuration

    async def reopen(self, config: Config, names: set[str]) -> None:
        """The markets `names` under another configuration: those that were enabled, disabled, or are to be captured otherwise. Raises ConfigError
        before anything is changed."""
        for name in names & set(config.venues.markets()):
            section = config.venues.markets()[name]
            market(name).choose(depth=section.depth, speed=section.speed, trades=section.trades)
        self.accounts.wanted()  # raises where a key cannot be had any more
        self.config = config
        for name in sorted(names):
            if name in self.captures:
                await self.close(name)
            if name in config.venues.markets():
                await self.open(name)
        self.accounts.config = config
        if not self.accounts.as_wanted():
            await self.reopen_accounts(config)

    async def choose(self, config: Config, names: set[str]) -> None:
        """Other instruments in the markets `names`; a market that had none is opened anew."""
        self.config = config
        for name in names:
            capture = self.captures[name]
            if capture.state == "running":
                capture.choose(capture_of(config, name, self._symbols.get(name)).symbols)
            else:
                await self.reopen(config, {name})

    def republish(self, config: Config) -> None:
        """Other streams, or the same with other thresholds."""
        was, self.publication, self.config = self.publication, Publication(config, self.publication.groups, self.publication.film_of), config
        for capture in self.captures.values():
            capture.republish(lambda row, before=(): self.publication.streams(row, before, was if before else None))

    async def rebase(self, config: Config) -> None:
        """Other polls, or the same with other intervals and thresholds."""
        self.config = config
        await self.boards.reconfigure(config)

    async def reopen_accounts(self, config: Config) -> None:
        """Other keys, or none. Raises ConfigError."""
        self.config = self.accounts.config = config
        await self.accounts.close()
        self._open_accounts()

    async def reopen_options(self, config: Config) -> None:
        """Other options, intervals or thresholds: they begin anew, no book notices."""
        self.config = self.options.config = config
        await self.options.close()
        await self._open_options()

    def tune(self, config: Config) -> None:
        """Other thresholds and intervals of what looks after books and clocks."""
        self.config = config
        for name, capture in self.captures.items():
            capture.tune(capture_of(config, name, self._symbols.get(name)))
        for part in (self.boards, self.options, self.accounts):
            part.tune(feed_of(config))
        for clock in self.venue_clocks.values():
            clock.tune(clock_of(config))
        for client in self.clients.values():
            client.tune(rest_of(config))


def _said(part: str) -> Callable[..., None]:
    speaker = logs.get(part)
    return lambda event, **more: speaker.info(event, **more)
