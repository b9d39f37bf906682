"""The signals across venues and those of polled figures, as the configuration says: who is asked, and who is listened to."""

import asyncio
from collections.abc import Mapping
from typing import Any

from cext.streams.signals import Signals

from p9.analysis.options.chain import Fact
from p9.analysis.venue_signals import VenueSignals, VenueSignalsSettings
from p9.config import Config
from p9.instrument import Instrument
from p9.markets import Markets

FIND_S = 1.0  # how soon an instrument that came or went is counted
SKEW_DAYS = 30


def settings_of(config: Config) -> VenueSignalsSettings:
    wanted = config.analytics.signals
    return VenueSignalsSettings(
        enter=wanted.total_enter, leave=wanted.total_leave, step=wanted.step, pause_s=float(wanted.pause), funding_annualised=wanted.funding_annualised,
        basis_bps=wanted.basis_bps, skew_shift=wanted.skew_shift,
    )  # fmt: skip


class SignalDesk:
    """Joins the markets' streams, boards and options to VenueSignals."""

    def __init__(self, config: Config, markets: Markets):
        self.markets = markets
        self.venues = VenueSignals(markets.outbox, self._sources, settings_of(config), word=config.analytics.signals.publish_channel)
        self._found: list[tuple[str, str, Any]] = []
        self._found_at_s = -FIND_S
        board = markets.boards.board
        board.listen("funding", lambda row, fields: self._told(row, fields, self.venues.on_funding))
        board.listen("mark_price", lambda row, fields: self._told(row, fields, self.venues.on_mark_price))
        markets.boards.insurance.listen(self.venues.on_insurance)
        markets.options.listen(self._on_options)

    async def run(self) -> None:
        await self.venues.run()

    def streams(self) -> list[Any]:
        """Every instrument's Signals."""
        return [stream for _, _, stream in self._sources()]

    def _sources(self) -> list[tuple[str, str, Any]]:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._found_at_s >= FIND_S:
            self._found_at_s = now_s
            self._found = [
                (row.exchange, row.symbol, stream)
                for capture in self.markets.captures.values()
                for ix, row in capture.instruments.items()
                for stream in capture.pipeline.streams(ix)
                if isinstance(stream, Signals)
            ]
        return self._found

    @staticmethod
    def _told(row: Instrument, fields: Mapping[str, Any], hear: Any) -> None:
        hear(row.exchange, row.symbol, fields)

    def _on_options(self, fact: Fact) -> None:
        """The skew of a month's maturity; of the nearest there is where a month's is not known."""
        figures = fact.maturities.get(SKEW_DAYS)
        value = figures.risk_reversal if figures is not None else None
        self.venues.on_skew(fact.exchange, fact.underlying.split("-", 1)[0], value, asyncio.get_running_loop().time())

    def status(self) -> dict[str, Any]:
        begun: dict[str, int] = {}
        base = [0] * 128
        total = [0] * 128
        for stream in self.streams():
            counters = stream.tally()
            for name, n in counters["begun"].items():
                begun[name] = begun.get(name, 0) + n
            base = [a + b for a, b in zip(base, counters["base_ns"], strict=True)]
            total = [a + b for a, b in zip(total, counters["total_ns"], strict=True)]
        return {**self.venues.status(), "base": begun, "base_ns": base, "total_ns": total}
