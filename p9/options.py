"""The options of all venues: one OptionCapture an exchange, as the configuration says."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox

from p9.analysis.options.chain import ChainSettings, Fact
from p9.capture.line import Connects, FeedSettings
from p9.capture.options import OptionCapture, OptionSettings
from p9.capture.recorder import Recorder
from p9.config import Config
from p9.market.rest import RestClient
from p9.option import options_of
from p9.thresholds import feed_of
from p9.venue import Market


class Options:
    """`open` an exchange's, `close` all. `listen` at any time: a listener hears a Fact of every event."""

    def __init__(
        self, config: Config, outbox: Outbox, clock: Clock, *, endpoints: Mapping[str, Mapping[str, str]] | None = None, recorder: Recorder | None = None,
        feed: FeedSettings | None = None, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.config = config
        self.captures: dict[str, OptionCapture] = {}  # by exchange
        self._outbox, self._clock, self._endpoints, self._recorder, self._log = outbox, clock, endpoints, recorder, log
        self._feed = feed or feed_of(config)
        self._listeners: list[Callable[[Fact], None]] = []
        self._reading = asyncio.Lock()

    def listen(self, listener: Callable[[Fact], None]) -> None:
        self._listeners.append(listener)

    def rows(self) -> list[Market]:
        """The option markets that the configuration wants, at their addresses."""
        if not self.config.analytics.options_iv_monitor.enabled:
            return []
        found = []
        for exchange, line in self.config.venues.options().items():
            row = options_of(exchange).market.at(line.rest_url, line.ws_url)
            if self._endpoints is not None:
                row = row.at(self._endpoints[row.name]["rest"], self._endpoints[row.name]["ws"])
            found.append(row)
        return found

    async def open(self, market: Market, client: RestClient, connects: Connects) -> None:
        capture = self.captures[market.exchange] = OptionCapture(
            options_of(market.exchange), market, client=client, connects=connects, outbox=self._outbox, clock=self._clock, settings=self._settings(),
            word=self.config.analytics.options_iv_monitor.publish_channel, recorder=self._recorder, log=self._log,
            reading=self._reading,
        )  # fmt: skip
        capture.listeners = self._listeners
        await capture.start()

    async def close(self) -> None:
        captures, self.captures = self.captures, {}
        await asyncio.gather(*(capture.stop() for capture in captures.values()))

    def tune(self, feed: FeedSettings) -> None:
        """Other thresholds of the sockets."""
        self._feed = feed
        for capture in self.captures.values():
            capture.tune(feed)

    def _settings(self) -> OptionSettings:
        wanted = self.config.analytics.options_iv_monitor
        return OptionSettings(
            underlyings=wanted.underlyings, publish_s=float(wanted.interval), poll_s=float(wanted.poll_interval), list_s=float(wanted.instruments_interval),
            feed=self._feed,
            chain=ChainSettings(
                maturities=tuple(sorted(set(wanted.maturities))), max_spread=wanted.max_spread_percent / 100, min_life_s=float(wanted.min_life),
                stale_s=float(wanted.stale), disagreement=wanted.disagreement, arbitrage_tolerance=wanted.arbitrage_tolerance, max_rows=wanted.max_rows,
            ),
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        return {exchange: capture.status() for exchange, capture in self.captures.items()}
