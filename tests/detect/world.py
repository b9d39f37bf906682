"""A simulated market on virtual time: its venue's own frames, through our decoder, book and streams, as the configuration's defaults have them.

The order flow and the frames are those of p9.simulate, which share no code with the decoders. No sockets, no waiting: a second of it costs about a
millisecond.
"""

import json
from collections.abc import Iterator
from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9.config import parse
from p9.instrument import Instrument as Row
from p9.publication import streams_of
from p9.simulate.binance_streams import DiffDepth, ForceOrders, Trade
from p9.simulate.catalogue import listings
from p9.simulate.index import Index
from p9.simulate.instrument import Instrument
from p9.simulate.plants import Plant, Plants
from p9.venue import market
from tests.cext.streams.published import published

S = 1_000_000_000
START = 1_786_233_600 * S  # a midnight
MARKET, SYMBOL, OURS = "binance_usdm", "BTCUSDT", "BTC-USDT-PERP"
STEP_NS = 50_000_000
DEPTH_MS, FORCED_MS = 100, 1000
RATE = 25.0  # orders a second
WATCHED = ("flow", "momentum", "liquidity", "spoofing", "liquidations", "signals")
QUIET = ("gaps", "integrity", "depth", "book_ticker_aggregator", "trades", "block_trades", "candles", "cvd", "periodic_snapshots")
CONFIGURATION = "analytics: {" + ", ".join(f"{name}: {{enabled: false}}" for name in QUIET) + "}"


class _Ear:
    """Hears a simulated stream as a combined socket does."""

    combined, market = True, MARKET

    def __init__(self, hear: Any):
        self._hear = hear

    def deliver(self, frame: bytes, topic: str, market: str, symbol: str, kind: str, *of_a_book: object) -> None:
        self._hear(frame)


class World:
    """`play` steps through the time and yields what was published, event by event, with its `channel`."""

    def __init__(self, seed: str):
        listing = next(row for row in listings(MARKET, 2, START // 1_000_000) if row.symbol == SYMBOL)
        self.one = Instrument(listing, Index(seed, START, float(listing.price)), seed, START, RATE, (1, 2, 5), 1)
        self.plants = Plants({(MARKET, SYMBOL): self.one})
        self.now_ns = START
        self.clock = Clock(START)
        self.outbox = Outbox(self.clock, epoch=1)
        row = market(MARKET)
        rule = row.sequence
        self.pipeline = Pipeline(
            market=MARKET, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=self.outbox, clock=self.clock, link=rule.link,
            rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id, trades_numbered=row.trades_numbered,
        )  # fmt: skip
        ours = Row(
            exchange=row.exchange, market=MARKET, symbol=OURS, venue_symbol=SYMBOL, base=listing.base, quote=listing.quote, settle=listing.settle,
            kind="perpetual", tick=listing.tick.rstrip("0"), step=listing.lot,
        )  # fmt: skip
        self.streams = streams_of(parse(CONFIGURATION))(ours)
        self.ix = self.pipeline.add(
            venue_symbol=SYMBOL.encode(), symbol=OURS, px_scale=ours.px_scale, qty_scale=ours.qty_scale, tick=ours.scaled_tick, contract=ours.contract,
            contract_value=ours.contract_value, depth=1000, aliases=[SYMBOL.lower().encode()], streams=self.streams,
        )  # fmt: skip
        name = SYMBOL.lower()
        self._depth, self._trades = DiffDepth(f"{name}@depth@100ms", self.one, DEPTH_MS), Trade(f"{name}@trade", self.one)
        self._forced = ForceOrders(f"{name}@forceOrder", [self.one])
        for stream in (self._depth, self._trades, self._forced):
            stream.subscribers.add(_Ear(self._feed))
        self.one.streams += [self._depth, self._trades, *self._forced.ears]
        self._image()

    def _feed(self, frame: bytes) -> None:
        outcome = self.pipeline.feed_bytes(frame, self.now_ns)
        if outcome != "events":
            raise AssertionError(f"{outcome}: {frame[:200]!r}")

    def _image(self) -> None:
        bids, asks = ([[self.one.px.pad(tick), self.one.qty.pad(lots)] for tick, lots in side.top(1000)] for side in self.one.model.sides)
        body = {"lastUpdateId": self.one.model.last_id, "E": START // 1_000_000, "T": START // 1_000_000, "bids": bids, "asks": asks}
        self.pipeline.image(self.ix, json.dumps(body).encode(), START)

    @property
    def at_s(self) -> float:
        return (self.now_ns - START) / S

    def play(self, until_s: float) -> Iterator[dict]:
        while self.at_s < until_s:
            self.now_ns += STEP_NS
            now_ms = self.now_ns // 1_000_000
            self.clock.set(self.now_ns)
            self.one.step(self.now_ns)
            if now_ms % DEPTH_MS == 0:
                self._depth.flush(now_ms)
            if now_ms % FORCED_MS == 0:
                self._forced.flush(now_ms)
            self.pipeline.on_timer(self.now_ns)
            yield from published(self.outbox)

    def near_quote(self, is_bid: bool, bps: float) -> float:
        """What stands within so much of the mid on a side, in quote coins."""
        bid, _, ask, _ = self.one.model.best
        mid, side = (bid + ask) / 2, self.one.model.sides[0 if is_bid else 1]
        return float(sum(self.one.money(tick, lots) for tick, lots in side.lots.items() if abs(tick / mid - 1) * 1e4 <= bps))

    def median_quote(self, is_bid: bool, levels: int) -> float:
        """The median of the best levels of a side, in quote coins."""
        found = sorted(float(self.one.money(tick, lots)) for tick, lots in self.one.model.sides[0 if is_bid else 1].top(levels))
        return found[len(found) // 2]

    def plant(self, what: str, **more: Any) -> Plant:
        """A tenth of a second from now."""
        return self.plants.plant(what, self.one, **{"orders": 1, "every_ms": 0, "bps": 25, **more}, begins_ns=self.now_ns + S // 10)
