"""One market of the socket simulator, captured, and all that it publishes."""

import asyncio

from cext.names import Names
from cext.streams.book_ticker import BookTicker
from cext.streams.candles import Candles
from cext.streams.gaps import Gaps
from cext.streams.liquidations import Liquidations
from cext.streams.trades import Trades

from p9.capture.backfill import BackfillSettings
from p9.capture.capture import Capture, CaptureSettings
from p9.capture.feed import Connects, FeedSettings
from p9.capture.ledger import Ledger
from p9.capture.seeding import SeedingSettings
from p9.market.instruments import Instruments
from p9.market.rest import RestClient
from p9.simulate.bybit_streams import trade_id
from p9.simulate.faults import Scope
from p9.simulate.server import Simulator
from p9.venue import market
from tests.capture.conftest import make_pipeline
from tests.cext.streams.published import published
from tests.patience import until


class Captured:
    """One market of a simulator, captured: all that it published, by channel type. `also`: more streams, as functions of Names."""

    def __init__(self, simulator: Simulator, name: str, backfill: BackfillSettings, *, form: str = "default", speed: str = "",
                 timeframes: tuple[str, ...] = ("1s", "1m"), seeding: SeedingSettings | None = None, also=()):  # fmt: skip
        self.simulator, self.name = simulator, name
        self.row = market(name).at(simulator.endpoints[name]["rest"], simulator.endpoints[name]["ws"])
        self.pipeline, self._timeframes, self._also = make_pipeline(self.row), timeframes, also
        self.client = RestClient(self.row.exchange)
        self.ledger = Ledger(None, epoch=1)
        self.capture = Capture(
            self.row, self.pipeline, client=self.client, known=Instruments(self.row.exchange), connects=Connects(self.row.limits.connects),
            streams_of=self._streams, ledger=self.ledger,
            settings=CaptureSettings(
                speed=speed, backfill=backfill, trades=form, depth=400, feed=FeedSettings(tick_s=0.05, backoff_first_s=0.05),
                seeding=seeding or SeedingSettings(enabled=False),
            ),
        )  # fmt: skip
        self.events: dict[str, list[dict]] = {"trades": [], "gaps": [], "candles": [], "audits": [], "book_ticker": [], "liquidations": [], "stop_triggers": []}

    def _streams(self, row):
        names = Names(exchange=row.exchange, symbol=row.symbol, market=row.market, venue_symbol=row.venue_symbol)
        return [Gaps(names), BookTicker(names), Trades(names), Candles(names, self._timeframes, forming=False), Liquidations(names), *(one(names) for one in self._also)]

    async def __aenter__(self):
        await self.client.start()
        await self.capture.start()
        await until(lambda: self.capture.synced and all(self.counter("trades", ix) for ix in self.capture.instruments))
        return self

    async def __aexit__(self, *_):
        await self.capture.stop()
        await self.client.stop()

    def counter(self, name: str, ix: int) -> int:
        return self.pipeline.instrument_counters(ix)[name]

    def hear(self) -> None:
        for event in published(self.pipeline.outbox):
            self.events[event["type"]].append(event)

    async def lose(self, for_s: float) -> None:
        """Everything on the market's sockets for so long, and then the sockets."""
        self.simulator.inject("mute", Scope(self.name), for_s=60.0)
        await asyncio.sleep(for_s)
        self.simulator.inject("disconnect", Scope(self.name))

    async def settled(self, n_gaps: int) -> None:
        await until(lambda: self.ledger.counts["trades_filled"] + self.ledger.counts["trades_lost"] >= n_gaps and not self.capture.backfill.holes)

    async def end(self) -> None:
        """The venue falls silent, and its last frames come in."""
        self.simulator.freeze()
        await asyncio.sleep(1.2)
        self.hear()

    def fills(self, ix: int) -> tuple[list, list]:
        """(what the venue traded from the first published trade on, what was published), as ids in order of the venue's."""
        row = self.capture.instruments[ix]
        one = self.simulator.instruments[self.name, row.venue_symbol]
        ours = [event for event in self.events["trades"] if event["symbol"] == row.symbol]
        if self.row.exchange == "bybit":
            known = {trade_id(one, fill): fill.id for fill in one.tape}
            told = [known[event["trade_id"]] for event in ours]
        else:
            told = [n for event in ours for n in range(event["first_trade_id"], event["last_trade_id"] + 1)]
        first = min(told)
        return [fill.id for fill in one.tape if fill.id >= first], told
