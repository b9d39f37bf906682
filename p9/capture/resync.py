"""Brings broken books back: one recovery in flight a book, an image by REST or a new subscription, as the market's rule says.

REST: SYNCED -> BUFFERING -> (a change is held) -> image -> SYNCED. An image older than what is held is fetched again, 250 ms later, then 500 ms ...
In the stream: SYNCED -> INVALID -> unsubscribe, subscribe -> image -> SYNCED. A book that has just been subscribed only waits.
What a book needs while it waits is one request, however many changes arrive meanwhile.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from cext.pipeline import Pipeline

from p9.capture.feed import Feed
from p9.capture.ledger import Gap, Ledger
from p9.errors import RestError, RestRefused
from p9.instrument import Instrument
from p9.market.rest import Priority, RestClient
from p9.venue import Market, Topic

TICK_S = 0.05  # while a book may be ready for its image
WAIT_S, IDLE_S = 0.25, 1.0  # at most, while every broken book has its pause; while every one is asked for, or none is broken
MAX_KEPT = 4096  # repairs whose times are kept


class ResyncSettings(msgspec.Struct, frozen=True):
    """Seconds."""

    retry_first_s: float = 0.25  # an image of no use: again after this, doubling
    retry_most_s: float = 3.0
    quiet_s: float = 3.0  # no change held for so long: fetch the image anyhow, the market is quiet
    refused_s: float = 60.0  # the venue says no to an image: doubling to an hour
    in_band_wait_s: float = 5.0  # for an image after a subscription: doubling to a minute
    recycle_after: int = 5  # tries: then the socket itself is doubted
    recycle_pause_s: float = 300.0  # but not again before this


class Repair(msgspec.Struct):
    """One broken book on its way back. Times of the event loop in seconds, of the clock in ns."""

    ix: int
    reason: str
    since_ns: int
    next_s: float  # not before
    tries: int = 0
    busy: bool = False  # a question is on its way
    gap: Gap | None = None  # its row in the ledger
    loaded: int = -1  # the counters when an image was loaded that waits for its first change; -1: none
    note: str = ""


class Repaired(msgspec.Struct, frozen=True):
    """A book that was broken and is not any more."""

    ix: int
    reason: str
    since_ns: int
    until_ns: int
    tries: int


class Resync:
    """`feed_of`: the feed that carries a book, `topic_of`: its depth topic, both by instrument index. `on_notice` hears every change of state."""

    def __init__(
        self, market: Market, pipeline: Pipeline, client: RestClient, ledger: Ledger, *, instruments: Mapping[int, Instrument], feed_of: Mapping[int, Feed],
        topic_of: Mapping[int, Topic], depth: int, settings: ResyncSettings | None = None, on_notice: Callable[[Any], None] | None = None,
        log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.market, self.pipeline, self.client, self.ledger, self.depth = market, pipeline, client, ledger, depth
        self.settings = settings or ResyncSettings()
        self.broken: dict[int, Repair] = {}
        self.repaired: deque[Repaired] = deque(maxlen=MAX_KEPT)
        self.counts: Counter[str] = Counter()
        self._instruments, self._feed_of, self._topic_of = instruments, feed_of, topic_of
        self._on_notice = on_notice or (lambda notice: None)
        self._log = log or (lambda *_, **__: None)
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._held_before: dict[int, int] = {}  # {ix: count of held changes that no longer are}
        self._recycled_s: dict[str, float] = {}
        pipeline.on_notices = self._wake.set

    async def run(self) -> None:
        """For ever, until cancelled. Books that never had an image are broken from the start."""
        self._loop = asyncio.get_running_loop()
        now_ns = self.pipeline.clock.now()
        for ix, state in enumerate(self.pipeline.states()):
            if state not in ("synced", "retired") and ix not in self.broken:
                self.broken[ix] = Repair(ix, "start", now_ns, self._loop.time())
        try:
            while True:
                self._hear()
                now_s = self._loop.time()
                self._advance(now_s)
                self._wake.clear()
                tick = self._loop.call_later(self._pause_s(now_s), self._wake.set)
                await self._wake.wait()
                tick.cancel()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, ix: int) -> None:
        """One more book, which never had an image."""
        self.broken[ix] = Repair(ix, "start", self.pipeline.clock.now(), asyncio.get_running_loop().time())
        self._wake.set()

    def _hear(self) -> None:
        for notice in self.pipeline.take_notices():
            if notice.reason == "removed":
                self.broken.pop(notice.ix, None)
            elif notice.state == "synced":
                repair = self.broken.pop(notice.ix, None)
                self._held_before[notice.ix] = self._counters(notice.ix)["unseeded"]
                if repair is not None:
                    if repair.gap is not None:
                        self.ledger.settle(repair.gap, "resynced", notice.at_ns)
                    self.repaired.append(Repaired(notice.ix, repair.reason, repair.since_ns, self.pipeline.clock.now(), repair.tries))
                    self.counts["repaired"] += 1
            else:
                self.counts[f"broken_{notice.reason}"] += 1
                self._break(notice)
            self._on_notice(notice)

    def _break(self, notice: Any) -> None:
        repair = self.broken.get(notice.ix)
        if repair is None:
            self.broken[notice.ix] = Repair(notice.ix, notice.reason, notice.at_ns, self._loop.time(), gap=self._note_gap(notice))
            return
        repair.loaded = -1  # what was under way is void, its beginning and its tries are not
        if notice.reason == "disconnect":
            repair.tries = 0

    def _note_gap(self, notice: Any) -> Gap:
        """A valid book was lost: which updates are missing, where their ids tell."""
        row = self._instruments[notice.ix]
        first_id = last_id = None
        if notice.reason == "gap" and notice.got_id >= 0:
            # a chain by previous ids names the last one missing, the others name the first one that came
            before = self.market.sequence.link == "prev"
            first_id, last_id = (notice.expected_id + 1, notice.got_id) if before else (notice.expected_id, notice.got_id - 1)
            if last_id < first_id:
                first_id = last_id = None  # ids that went backwards
        return self.ledger.begin(
            kind="book", exchange=row.exchange, market=row.market, symbol=row.symbol, reason=notice.reason, noticed_ns=notice.at_ns,
            first_id=first_id, last_id=last_id,
        )  # fmt: skip

    def _advance(self, now_s: float) -> None:
        renew: dict[str, tuple[Feed, list[str]]] = {}
        for repair in self.broken.values():
            feed, topic = self._feed_of[repair.ix], self._topic_of[repair.ix]
            if not feed.up:
                repair.next_s, repair.loaded, repair.tries = now_s, -1, 0
                self._held_before[repair.ix] = self._counters(repair.ix)["unseeded"]
                continue
            refusal = feed.refused(topic.name)
            if refusal:
                repair.note = refusal
                continue
            if repair.busy or now_s < repair.next_s:
                continue
            if self.market.sequence.rest_seeded:
                if self._ripe(repair, feed, now_s):
                    self._fetch(repair)
            elif now_s >= feed.connected_s + self.settings.in_band_wait_s or repair.since_ns > feed_since_ns(feed, self.pipeline, now_s):
                self._renew(repair, feed, topic, now_s, renew)
        for feed, names in renew.values():
            feed.renew(names)
            self.counts["renewed"] += len(names)

    def _pause_s(self, now_s: float) -> float:
        """How long nothing is to be done, unless somebody wakes us: an answer does."""
        if not self.broken:
            return IDLE_S
        return min((min(max(TICK_S, repair.next_s - now_s), WAIT_S) for repair in self.broken.values() if not repair.busy), default=IDLE_S)

    def _counters(self, ix: int) -> dict[str, int]:
        return self.pipeline.instrument_counters(ix)

    def _ripe(self, repair: Repair, feed: Feed, now_s: float) -> bool:
        """Is it time for an image by REST?"""
        counters = self._counters(repair.ix)
        if repair.loaded >= 0:
            # loaded, and no change came yet: only a change that does not fit asks for another
            if counters["too_old"] + counters["gaps"] + counters["unseeded"] == repair.loaded:
                return False
            repair.loaded = -1
            return True
        held = counters["unseeded"] > self._held_before.get(repair.ix, 0)
        waited_s = now_s - max(feed.connected_s, repair.next_s)
        return held or repair.reason == "gap" or repair.tries > 0 or waited_s >= self.settings.quiet_s

    def _fetch(self, repair: Repair) -> None:
        repair.busy = True
        repair.tries += 1
        task = asyncio.create_task(self._image(repair))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _image(self, repair: Repair) -> None:
        ix = repair.ix
        request = self.market.venue.image_request(self.market, self._instruments[ix].venue_symbol, self.depth)
        self.counts["images_asked"] += 1
        try:
            body = await self.client.get(self.market, request, Priority.RECOVERY, attempts=1)
        except RestRefused as error:
            self._later(repair, str(error), min(3600.0, self.settings.refused_s * 2 ** min(repair.tries - 1, 10)))
        except RestError as error:
            self._later(repair, str(error), self._retry_s(repair))
        else:
            if self.broken.get(ix) is repair:
                self._load(repair, body)
        finally:
            repair.busy = False
            self._wake.set()

    def _load(self, repair: Repair, body: bytes) -> None:
        outcome = self.pipeline.image(repair.ix, body, self.pipeline.clock.now())
        self.counts[f"image_{outcome}"] += 1
        if outcome == "awaits":
            counters = self._counters(repair.ix)
            repair.loaded = counters["too_old"] + counters["gaps"] + counters["unseeded"]
        elif outcome != "events":
            self._later(repair, f"image: {outcome}", self._retry_s(repair))
            if repair.tries % self.settings.recycle_after == 0:
                self._doubt(self._feed_of[repair.ix], f"{repair.tries} images did not fit the stream")
        self.pipeline.outbox.wake_up()

    def _retry_s(self, repair: Repair) -> float:
        return min(self.settings.retry_most_s, self.settings.retry_first_s * 2 ** min(repair.tries - 1, 10)) * random.uniform(0.8, 1.0)

    def _later(self, repair: Repair, note: str, delay_s: float) -> None:
        repair.note, repair.next_s = note, self._loop.time() + delay_s

    def _renew(self, repair: Repair, feed: Feed, topic: Topic, now_s: float, renew: dict[str, tuple[Feed, list[str]]]) -> None:
        """Ask for an image in the stream by a new subscription."""
        wait_s = min(60.0, self.settings.in_band_wait_s * 2 ** min(repair.tries, 5)) * random.uniform(1.0, 1.2)
        if feed.connection.messages_wait_s() > wait_s:
            self._doubt(feed, "its messages are used up")
            self._later(repair, "waits for a message", wait_s)
            return
        if repair.tries and repair.tries % self.settings.recycle_after == 0:
            self._doubt(feed, f"no image after {repair.tries} subscriptions")
        repair.tries += 1
        self._later(repair, "subscribed anew", wait_s)
        renew.setdefault(feed.name, (feed, []))[1].append(topic.name)

    def _doubt(self, feed: Feed, reason: str) -> None:
        """A socket that does not help is replaced, yet never in a storm."""
        now_s = self._loop.time()
        if now_s - self._recycled_s.get(feed.name, -self.settings.recycle_pause_s) >= self.settings.recycle_pause_s:
            self._recycled_s[feed.name] = now_s
            self._log("socket doubted", feed=feed.name, reason=reason)
            feed.recycle(reason)

    def status(self) -> dict[str, Any]:
        """Counts, the books that are broken and why, and repair times in ms."""
        times_ms = sorted((row.until_ns - row.since_ns) / 1e6 for row in self.repaired if row.reason != "start")
        return {
            "broken": [
                {"symbol": self._instruments[row.ix].symbol, "reason": row.reason, "tries": row.tries, "note": row.note}
                for row in self.broken.values()
            ],
            "counts": dict(self.counts),
            "repair_ms": {
                "n": len(times_ms), "p50": _quantile(times_ms, 0.5), "p99": _quantile(times_ms, 0.99), "worst": _quantile(times_ms, 1.0),
            },
        }  # fmt: skip


def feed_since_ns(feed: Feed, pipeline: Pipeline, now_s: float) -> int:
    """When the feed's socket came up, on the pipeline's clock."""
    return pipeline.clock.now() - int((now_s - feed.connected_s) * 1e9)


def _quantile(values: list[float], q: float) -> float | None:
    return round(values[min(len(values) - 1, int(q * len(values)))], 3) if values else None
