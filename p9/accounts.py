"""The accounts whose keys are configured: their private streams, opened beside the captures."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from cext.clock import Clock
from cext.streams.gaps import Gaps
from cext.streams.stop_triggers import StopTriggers

from p9.capture.absence import Absence, Concerned
from p9.capture.capture import Capture
from p9.capture.ledger import Ledger
from p9.capture.line import Connects, FeedSettings
from p9.capture.orders import Found, Orders
from p9.config import Config
from p9.errors import ConfigError
from p9.key import PARTS, Key, key_of
from p9.market.rest import RestClient
from p9.market.venue_clock import VenueClock
from p9.ops.gate import is_loopback
from p9.stop_order import Account, accounts_of
from p9.thresholds import feed_of
from p9.venue import Market

FAULT_PAUSE_S = 5.0


def keys_of(config: Config) -> dict[str, Key]:
    """The keys that the configuration points to, by exchange. Raises ConfigError."""
    found = {}
    for exchange in config.venues.__struct_fields__:
        key = _key_of(config, exchange)
        if key is not None:
            found[exchange] = key
    return found


def _key_of(config: Config, exchange: str) -> Key | None:
    section = getattr(config.venues, exchange).account
    return key_of(section, f"venues.{exchange}.account") if section.enabled and config.analytics.stop_triggers.enabled else None


def in_the_clear(url: str) -> bool:
    """Whether what is sent there can be read on the way."""
    parts = urlsplit(url)
    return parts.scheme not in ("https", "wss") and not is_loopback(parts.hostname or "")


class Accounts:
    """`captures` are the markets by name, as they come and go. `endpoints`: simulated venues, which have a key of their own; no other is shown to them."""

    def __init__(
        self, config: Config, clock: Clock, captures: Mapping[str, Capture], *, endpoints: Mapping[str, Mapping[str, str]] | None = None,
        ledger: Ledger | None = None, feed: FeedSettings | None = None, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.config = config
        self._ledger = ledger or Ledger(None, epoch=0)
        self.orders: dict[str, Orders] = {}
        self.faults = 0  # of ours: each is a bug
        self._clock, self._captures, self._endpoints, self._feed = clock, captures, endpoints, feed or feed_of(config)
        self._log = log or (lambda *_, **__: None)
        self._tasks: list[asyncio.Task[None]] = []
        self._hosts: dict[str, tuple[str, str, str]] = {}  # of each stream: the market that lends it its addresses, and these

    def wanted(self) -> list[tuple[Account, Market]]:
        """The streams that there is a key for, each with the market that lends it its addresses. Raises ConfigError."""
        exchanges = dict.fromkeys(capture.market.exchange for capture in self._captures.values())
        keys = {exchange: self._key(exchange) for exchange in exchanges}
        rows = [account for exchange, key in keys.items() if key is not None for account in accounts_of(exchange) if account.login is None or key.signs]
        hosts = [(account, next((name for name in account.markets if name in self._captures), None)) for account in rows]
        found = [(account, self._captures[name].market) for account, name in hosts if name is not None]
        for _, market in found:
            for url in (market.rest_url, market.ws_url):
                if in_the_clear(url):
                    raise ConfigError(f"a key would go to {url} for everybody to read", where=f"venues.{market.name.replace('_', '.', 1)}", hint="https:// and wss:// addresses, or account.enabled: false")
        return found

    def as_wanted(self) -> bool:
        """What is open is what is wanted, at the same addresses. Raises ConfigError."""
        return self._hosts == {account.name: (market.name, market.rest_url, market.ws_url) for account, market in self.wanted()}

    def open(self, account: Account, market: Market, client: RestClient, connects: Connects, venue_clock: VenueClock) -> None:
        self._hosts[account.name] = (market.name, market.rest_url, market.ws_url)
        orders = self.orders[account.name] = Orders(
            account, market, client, connects, key=lambda: self._present(market.exchange), find=self._find, clock=self._clock,
            offset_ns=lambda: venue_clock.offset_ns or 0, absence=Absence(self._ledger, lambda: self._concerned(account)), settings=self._feed, log=self._log,
        )  # fmt: skip
        self._tasks.append(asyncio.create_task(self._run(orders), name=f"orders of {account.name}"))

    def tune(self, feed: FeedSettings) -> None:
        """Other thresholds of the sockets."""
        self._feed = feed
        for orders in self.orders.values():
            orders.feed.tune(feed)

    async def close(self) -> None:
        self._hosts = {}
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.orders.clear()

    async def _run(self, orders: Orders) -> None:
        while True:
            try:
                await orders.run()
            except* Exception as errors:  # a fault of ours: say it, and begin again
                self.faults += 1
                self._log("orders failed", account=orders.account.name, errors=errors.exceptions)
            await asyncio.sleep(FAULT_PAUSE_S)

    def _key(self, exchange: str) -> Key | None:
        """The simulated venue's, or the configuration's: read anew each time, so that a file may be changed. Raises ConfigError."""
        if self._endpoints is None:
            return _key_of(self.config, exchange)
        parts = next((parts for name, parts in self._endpoints.items() if name.startswith(f"{exchange}_")), {})
        wanted = getattr(self.config.venues, exchange).account.enabled and self.config.analytics.stop_triggers.enabled
        return Key(*(parts.get(part, "") for part in PARTS)) if wanted and parts.get("key") else None

    def _present(self, exchange: str) -> Key:
        key = self._key(exchange)
        if key is None:
            raise ConfigError("there is no key any more", where=f"venues.{exchange}.account")
        return key

    def _concerned(self, account: Account) -> Iterator[Concerned]:
        for name in account.markets:
            capture = self._captures.get(name)
            for ix, one in capture.instruments.items() if capture is not None else ():
                yield Concerned(one, next((stream for stream in capture.pipeline.streams(ix) if isinstance(stream, Gaps)), None))

    def _find(self, market: str, venue_symbol: str) -> Found | None:
        capture = self._captures.get(market)
        for ix, one in capture.instruments.items() if capture is not None else ():
            if one.venue_symbol == venue_symbol:
                stream = next((stream for stream in capture.pipeline.streams(ix) if isinstance(stream, StopTriggers)), None)
                return (one, stream) if stream is not None else None
        return None

    def status(self) -> dict[str, Any]:
        return {"streams": {name: orders.status() for name, orders in self.orders.items()}, "faults": self.faults}
