"""Capture at work on simulated venues: real sockets, real REST, every published event read as a consumer reads it."""

import asyncio
import time
from collections import Counter
from decimal import Decimal

import msgspec
from cext.clock import Clock
from cext.names import Names
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.streams.depth import Depth
from cext.streams.integrity import Integrity
from cext.streams.trades import Trades

from p9.capture.capture import Capture, CaptureSettings
from p9.capture.connection import ConnectionSettings
from p9.capture.feed import Connects, FeedSettings
from p9.capture.resync import ResyncSettings
from p9.market.instruments import Instruments
from p9.market.rest import RestClient
from p9.simulate.catalogue import MARKETS
from p9.simulate.faults import Scope
from p9.simulate.server import Simulator
from p9.venue import market
from tests.cext.streams.published import published
from tests.patience import PATIENCE_S

ALL = ("*",)
# A day's patience in seconds: what takes minutes at a venue takes a second here.
QUICK = CaptureSettings(
    symbols=ALL, retry_most_s=1.0,
    feed=FeedSettings(
        connection=ConnectionSettings(connect_s=5.0, ack_s=5.0), backoff_first_s=0.05, backoff_most_s=0.5, good_after_s=0.5, settle_s=0.3,
        rotate_pause_s=0.2, tick_s=0.05,
    ),
    resync=ResyncSettings(quiet_s=1.0, in_band_wait_s=1.0),
)  # fmt: skip


class CountedClient(RestClient):
    """Counts the order books that are asked for: how many in all, and of each, at most how many at once."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.under_way: Counter[tuple] = Counter()
        self.most_at_once: Counter[tuple] = Counter()
        self.books = 0

    async def get(self, row, request, priority, *, attempts=None):
        if not request.path.endswith(("/depth", "/orderbook", "/market/books")):
            return await super().get(row, request, priority, attempts=attempts)
        key = (row.name, request.params)
        self.books += 1
        self.under_way[key] += 1
        self.most_at_once[key] = max(self.most_at_once[key], self.under_way[key])
        try:
            return await super().get(row, request, priority, attempts=attempts)
        finally:
            self.under_way[key] -= 1


class Rig:
    """`markets` of a simulator in this process. `events`: what was published, by type, in order within a type."""

    def __init__(self, *, markets=MARKETS, settings: CaptureSettings = QUICK, row_of=lambda row: row, trades: bool = False, **simulated):
        self.simulator = Simulator(**simulated)
        self.settings, self.names, self._row_of, self._trades = settings, markets, row_of, trades
        self.captures: dict[str, Capture] = {}
        self.clients: dict[str, CountedClient] = {}
        self.events: dict[str, list[dict]] = {"integrity": [], "depth": [], "trades": []}
        self.logged: list[tuple[str, dict]] = []
        self.outbox = Outbox(Clock(), epoch=1)
        self._reader: asyncio.Task | None = None

    async def __aenter__(self) -> "Rig":
        await self.simulator.start()
        await self.begin()
        return self

    async def begin(self) -> None:
        clock, known, connects = Clock(), {}, {}
        for name in self.names:
            row = market(name)
            row = self._row_of(row.at(self.simulator.endpoints[name]["rest"], self.simulator.endpoints[name]["ws"]))
            if row.exchange not in self.clients:
                self.clients[row.exchange] = CountedClient(row.exchange)
                await self.clients[row.exchange].start()
                known[row.exchange], connects[row.exchange] = Instruments(row.exchange), Connects(row.limits.connects)
            rule = row.sequence
            pipeline = Pipeline(
                market=name, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=self.outbox, clock=clock, link=rule.link,
                rest_seeded=rule.rest_seeded, repeats_are_stale=rule.repeats_are_stale, restart_id=rule.restart_id,
                trades_numbered=row.trades_numbered,
            )  # fmt: skip
            self.captures[name] = Capture(
                row, pipeline, client=self.clients[row.exchange], known=known[row.exchange], connects=connects[row.exchange],
                streams_of=self._streams,
                settings=msgspec.structs.replace(self.settings, depth=400 if row.exchange == "okx" else 1000), log=lambda event, **more: self.logged.append((event, more)),
            )  # fmt: skip
            await self.captures[name].start()
        self._reader = asyncio.create_task(self._read())

    def _streams(self, row):
        names = Names(exchange=row.exchange, symbol=row.symbol, market=row.market, venue_symbol=row.venue_symbol)
        return [Integrity(names), Depth(names), *([Trades(names)] if self._trades else [])]

    async def __aexit__(self, *_) -> None:
        await asyncio.gather(*(capture.stop() for capture in self.captures.values()))
        await asyncio.gather(*(client.stop() for client in self.clients.values()))
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await self.simulator.stop()
        assert all(capture.faults == 0 for capture in self.captures.values()), self.logged

    async def _read(self) -> None:
        while True:
            self.read()
            await asyncio.sleep(0.02)

    def read(self) -> None:
        for event in published(self.outbox):
            self.events[event["type"]].append(event)

    # ---- waiting

    async def until(self, condition, patience_s: float = PATIENCE_S) -> float:
        """Seconds until `condition()`."""
        first_s = time.monotonic()
        while not condition():
            assert time.monotonic() < first_s + patience_s, self.broken() or "it did not come to pass in time"
            await asyncio.sleep(0.01)
        return time.monotonic() - first_s

    def broken(self) -> list[str]:
        return [
            f"{name} {row.symbol}: {state} {capture.resync.status()['broken'] if capture.resync else ''}"
            for name, capture in self.captures.items()
            for (row, state) in zip(capture.instruments.values(), capture.pipeline.states(), strict=False)
            if state != "synced"
        ] + [f"{name}: {capture.state} {capture.reason}" for name, capture in self.captures.items() if capture.state != "running"]

    async def until_synced(self, patience_s: float = PATIENCE_S) -> float:
        return await self.until(lambda: all(capture.state == "running" and capture.synced for capture in self.captures.values()), patience_s)

    async def until_moving(self) -> None:
        """Every book is synced and has taken a change since: an image is newer than the stream, and what the stream then says of its past, lost or
        swapped, is stale and missed by nobody."""
        await self.until_synced()
        before = self._applied()
        await self.until(lambda: all(n > m for n, m in zip(self._applied(), before, strict=True)))

    def _applied(self) -> list[int]:
        return [capture.pipeline.instrument_counters(ix)["applied"] for capture in self.captures.values() for ix in capture.instruments]

    # ---- doing

    def inject(self, fault: str, market: str = "*", symbol: str = "*", kind: str = "*", **more) -> int:
        return self.simulator.inject(fault, Scope(market, symbol, kind), **more)

    def counted(self, name: str) -> int:
        """One counter of all instruments together."""
        return sum(capture.pipeline.instrument_counters(ix)[name] for capture in self.captures.values() for ix in capture.instruments)

    async def settle(self) -> None:
        """No more orders; everything sent has arrived; every book is back."""
        self.simulator.freeze()
        await asyncio.sleep(1.1)
        await self.until_synced()
        end_s = time.monotonic() + 20.0
        while self._compared()[1] and time.monotonic() < end_s:  # a slow machine has frames under way yet
            await asyncio.sleep(0.1)
        await self.until_synced()

    # ---- checking

    def check_books(self) -> int:
        """Every book against the true one, level by level, as far as each claims to know; the number of levels."""
        n_levels, unlike = self._compared()
        assert not unlike, unlike
        return n_levels

    def _compared(self) -> tuple[int, list[str]]:
        """The number of levels, and the sides of books that are not the true ones."""
        n_levels, unlike = 0, []
        for name, capture in self.captures.items():
            for ix, row in capture.instruments.items():
                truth = self.simulator.oracle.truth(self.simulator.instruments[name, row.venue_symbol])
                book = capture.pipeline.book(ix)
                for side, edge in (("bids", book["valid_bid"]), ("asks", book["valid_ask"])):
                    ours, theirs = numbers(book[side]), numbers(truth[side])
                    if edge is not None:
                        theirs = [level for level in theirs if (level[0] >= Decimal(edge) if side == "bids" else level[0] <= Decimal(edge))]
                    elif not capture.market.sequence.rest_seeded:
                        theirs = theirs[: capture.depth]
                    if ours != theirs:
                        unlike.append(f"{name} {row.symbol} {side}")
                    n_levels += len(ours)
        return n_levels, unlike

    def check_published(self) -> None:
        """No depth event within a span in which its book was not synced; who follows them holds the book; no hole in any channel."""
        self.read()
        spans: dict[str, list[tuple[int, int]]] = {}
        lost: dict[str, int] = {}
        for event in self.events["integrity"]:
            channel = event["channel"].removeprefix("integrity:")
            if event["state"] == "synced":
                spans.setdefault(channel, []).append((lost.pop(channel, 0), event["ts_pub"]))
            else:
                lost.setdefault(channel, event["ts_pub"])
        books: dict[str, dict[str, dict]] = {}
        seqs: dict[str, int] = {}
        for event in self.events["depth"]:
            channel = event["channel"].removeprefix("depth:")
            assert event["seq"] == seqs.get(channel, 0) + 1
            seqs[channel] = event["seq"]
            within = [span for span in spans.get(channel, ()) if span[0] < event["ts_pub"] < span[1]]
            assert not within, f"{channel}: a depth event {event['ts_pub']} while the book was not synced {within}"
            if "snapshot" in event.get("flags", ()):
                books[channel] = {"bids": {}, "asks": {}}
            for side in ("bids", "asks"):
                for price, quantity in event[side]:
                    if Decimal(quantity):
                        books[channel][side][Decimal(price)] = Decimal(quantity)
                    else:
                        books[channel][side].pop(Decimal(price), None)
        for capture in self.captures.values():
            for ix, row in capture.instruments.items():
                followed, book = books[f"{row.exchange}:{row.symbol}"], capture.pipeline.book(ix)
                for side in ("bids", "asks"):
                    held = numbers(book[side])
                    # what leaves our valid window is pruned without an event: a follower may hold more, never other
                    assert [(price, followed[side].get(price)) for price, _ in held] == held, f"{row.symbol} {side}"

    def check_no_storm(self, most_books: int) -> None:
        """`most_books`: order books by REST."""
        for client in self.clients.values():
            assert max(client.most_at_once.values(), default=0) <= 1, "two recoveries of one book at once"
        assert sum(client.books for client in self.clients.values()) <= most_books

    def losses(self, *reasons: str) -> list[dict]:
        """Integrity events of lost books, without those of the start."""
        return [
            event for event in self.events["integrity"] if event["previous"] == "synced" and event["state"] != "synced" and (not reasons or event["reason"] in reasons)
        ]

    def repairs_ms(self) -> list[float]:
        """From each loss to the valid book, as both were told; the event's own figure says the same."""
        lost: dict[str, int] = {}
        found = []
        for event in self.events["integrity"]:
            if event["previous"] == "synced":
                lost[event["channel"]] = event["ts_pub"]
            elif event["state"] == "synced" and event["channel"] in lost:
                found.append((event["ts_pub"] - lost.pop(event["channel"])) / 1e6)
                assert abs(event["duration_ns"] / 1e6 - found[-1]) < 250
        return sorted(found)


def numbers(rows) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(row[0]), Decimal(row[1])) for row in rows]


def sooner(settings: CaptureSettings = QUICK, **feed) -> CaptureSettings:
    """The same with other settings of the feeds."""
    return msgspec.structs.replace(settings, feed=msgspec.structs.replace(settings.feed, **feed))
