"""The options of one venue, captured: their reference data, their sockets and polls, and one event a second of each underlying.

    listed -> topics on lines of their own -> frames held until the second is over -> read -> chains (p9.analysis.options) -> outbox

A chain's second is some milliseconds of work, in slices: after each the loop takes a turn, so that nothing waits for options longer than a slice.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from cext.clock import Clock
from cext.outbox import Outbox
from picows import ws_connect

from p9.analysis.options.chain import Chain, ChainSettings, Fact
from p9.analysis.options.quote import Quote
from p9.capture.cold_feed import ColdFeed, ColdTopic
from p9.capture.connection import Dial
from p9.capture.line import Connects, FeedSettings
from p9.capture.recorder import Recorder
from p9.errors import RestError, RestRefused
from p9.fact import Reading, Roster
from p9.instrument import Instrument, Parsed, Refused
from p9.market.instruments import Instruments
from p9.market.poller import Poller
from p9.market.rest import Priority, RestClient
from p9.option import OptionMarket, Told
from p9.venue import Market, Poll, Request, decoded

MEDIUM = 2
FAULT_PAUSE_S = 5.0
MAX_HELD = 1000  # frames of one topic in a second, where each counts
ROWS_AT_ONCE = 16  # between two looks at the clock


class OptionSettings(msgspec.Struct, frozen=True):
    """What is captured of a venue's options, and how often."""

    underlyings: tuple[str, ...] = ("BTC", "ETH")  # coins (all their chains), or one chain each: BTC-USDT
    publish_s: float = 1.0
    poll_s: float = 10.0
    list_s: float = 600.0  # between two looks at the reference data; after an expiry, and when an unknown option shows, sooner
    list_soon_s: float = 20.0
    slice_s: float = 0.001  # of work before the loop takes a turn
    retry_most_s: float = 60.0
    chain: ChainSettings = ChainSettings()
    feed: FeedSettings = FeedSettings()


class Share:
    """What one socket is to carry, and how many signs its topics are; `feed` None: it is to be opened."""

    def __init__(self, market: Market, feed: ColdFeed | None):
        self.feed, self.topics, self._chars, self._limits = feed, [], 0, market.limits

    def fits(self, topic: ColdTopic) -> bool:
        return len(self.topics) < self._limits.instruments_per_socket and self._chars + len(topic.name) <= self._limits.socket_chars

    def take(self, topic: ColdTopic) -> None:
        self.topics.append(topic)
        self._chars += len(topic.name)


class OptionCapture:
    """`market`: the row at its addresses. `listeners` hear a Fact of each event that is published; what they raise is counted. Of all that share `reading`
    one reads an answer of reference data at a time: taken apart, it is many times its size."""

    def __init__(
        self, source: OptionMarket, market: Market, *, client: RestClient, connects: Connects, outbox: Outbox, clock: Clock,
        settings: OptionSettings | None = None, word: str = "", recorder: Recorder | None = None, dial: Dial = ws_connect,
        log: Callable[..., None] | None = None, reading: asyncio.Lock | None = None,
    ):  # fmt: skip
        self.source, self.market, self.settings = source, market, settings or OptionSettings()
        self.chains: dict[str, Chain] = {}  # by underlying
        self.feeds: list[ColdFeed] = []
        self.listeners: list[Callable[[Fact], None]] = []
        self.refused: list[Refused] = []
        self.counts: Counter[str] = Counter()
        self.state, self.reason = "idle", ""
        self.faults = 0  # of ours: each is a bug
        self.rounds = self.events = 0
        self.busy_s = self.longest_slice_s = self.last_round_s = 0.0
        self.poller = Poller(
            market, client, Roster(()), polls=source.polls, every_s={poll.kind: self.settings.poll_s for poll in source.polls}, take=self._take_poll,
            now_ns=clock.now, log=self._log,
        )  # fmt: skip
        self._client, self._connects, self._outbox, self._clock = client, connects, outbox, clock
        self._word, self._recorder, self._dial = word, recorder, dial
        self._reading = reading or asyncio.Lock()
        self._log_to = log or (lambda *_, **__: None)
        self._channels: dict[str, Any] = {}
        self._told_of: dict[str, bool] = {}  # {underlying: its newest event holds something that is not too old}
        self._where: dict[str, tuple[Chain, Quote]] = {}  # by the venue's symbol
        self._held: dict[str, list[tuple[bytes, int]]] = {}  # frames since the last round, by topic
        self._refusals_told: set[str] = set()
        self._answers: list[tuple[Told, int]] = []
        self._ignored: set[str] = set()  # options that are told of and are none of ours: of another underlying, or ended
        self._strangers: set[str] = set()  # those that no reference data knew when they were told of
        self._list_now = asyncio.Event()
        self._slice_began_s = 0.0
        self._task: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._running: dict[str, asyncio.Task[None]] = {}  # by the feed's name
        self._n_feeds = 0

    def _log(self, event: str, **more: Any) -> None:
        self._log_to(event, **({"market": self.market.name} | more))

    async def start(self) -> None:
        """Begin; what fails is tried again, and `status` tells."""
        self.state = "starting"
        self._task = asyncio.create_task(self._run(), name=f"options of {self.market.exchange}")

    async def stop(self) -> None:
        """End it; its channels can be taken again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        for channel in self._channels.values():
            self._outbox.leave(channel)
        self.state = "stopped"

    async def _run(self) -> None:
        while True:
            try:
                await self._list_first()
                async with asyncio.TaskGroup() as self._group:
                    self._running = {feed.name: self._group.create_task(feed.run()) for feed in self.feeds}
                    for job in (self._list_again, self._publish, self.poller.run):
                        self._group.create_task(job())
            except* Exception as errors:  # a fault of ours: say it, and begin again
                self.reason = "; ".join(f"{type(error).__name__}: {error}" for error in errors.exceptions)
                self.faults += 1
                self._log("options failed", reason=self.reason, errors=errors.exceptions)
            self._group, self._running = None, {}
            await asyncio.sleep(FAULT_PAUSE_S)

    # ---- what is listed

    async def _list_first(self) -> None:
        attempt = 0
        while not await self._list():
            await asyncio.sleep(random.uniform(0.5, 1.0) * min(self.settings.retry_most_s, 2.0**attempt))
            attempt += 1
        self.state = "running"
        self._log("capturing options", underlyings=list(self.chains), options=len(self._where), sockets=len(self.feeds))

    async def _list_again(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self.settings.list_s * random.uniform(0.9, 1.1)):
                    await self._list_now.wait()
                await asyncio.sleep(self.settings.list_soon_s * random.uniform(0.5, 1.0))
            except TimeoutError:
                pass
            self._list_now.clear()
            await self._list()

    async def _list(self) -> bool:
        """Ask for the reference data and take what is new; False where nothing could be had. What is not told any more stays until it ends, and what
        could be had in part is asked for again soon."""
        rows, refused, reasons, failed = [], [], [], ""
        for request in dict.fromkeys(request for coin in self._coins() for request in self.source.instrument_requests(self.market, coin)):
            try:
                rows += await self._ask(request, refused)
            except RestRefused as error:  # a family that this coin has not
                reasons.append(str(error))
            except (RestError, ValueError) as error:
                failed = str(error)
                self._list_now.set()
                break
        wanted = [row for row in rows if self._wants(row)]
        self.refused = refused + Instruments(self.market.exchange).add(wanted)
        names = {(row.market, row.venue_symbol) for row in self.refused}
        for row in self.refused:
            if row.venue_symbol not in self._refusals_told:
                self._refusals_told.add(row.venue_symbol)
                self._log("option refused", symbol=row.venue_symbol, reason=row.reason)
        reason = failed or ("" if wanted else "; ".join(dict.fromkeys(reasons)) or "no option of these underlyings is listed")
        if reason != self.reason:
            self._log("options not listed" if reason else "options listed", reason=reason)
        self.reason = reason
        now_ns = self._clock.now()
        self._ignored = {row.venue_symbol for row in rows if not self._wants(row)}
        new = self._add([row for row in wanted if (row.market, row.venue_symbol) not in names and row.expires_ns > now_ns])
        self._retire(now_ns)
        if new:
            self._carry()
        self._ignored |= self._strangers - self._where.keys()  # asked for once, and not found: until the next time
        self._strangers.clear()
        return bool(self._where)

    async def _ask(self, request: Request | None, refused: list[Refused]) -> list[Instrument]:
        rows = []
        while request is not None:
            body = await self._client.get(self.market, request, Priority.POLL)
            async with self._reading:  # hundreds of rows are tens of milliseconds: in a thread, which lets the loop have its turns
                request, parsed = await asyncio.get_running_loop().run_in_executor(None, self._read_page, request, body)
            refused += parsed.refused
            rows += [row for row in parsed.instruments if row.trading]
        return rows

    def _read_page(self, request: Request, body: bytes) -> tuple[Request | None, Parsed]:
        """What is to be asked next, and what this answer holds. Raises RestError."""
        answer = decoded(body)
        if answer is None:
            raise RestError("the instruments are no JSON", where=self.market.name)
        return self.market.venue.next_page(request, answer), self.source.parse(self.market, [answer])

    def _coins(self) -> Iterable[str]:
        return dict.fromkeys(name.partition("-")[0] for name in self.settings.underlyings)

    def _wants(self, row: Instrument) -> bool:
        return row.base in self.settings.underlyings or f"{row.base}-{row.quote}" in self.settings.underlyings

    def _add(self, rows: Iterable[Instrument]) -> int:
        """New options into their chains; how many."""
        n = 0
        for row in rows:
            if row.venue_symbol in self._where:
                continue
            underlying = f"{row.base}-{row.quote}"
            chain = self.chains.get(underlying)
            if chain is None:
                chain = self.chains[underlying] = Chain(self.market.exchange, underlying, self.settings.chain)
                self._channels[underlying] = self._outbox.channel(
                    "options_iv", self.market.exchange, underlying, self.market.name, row.family, MEDIUM, None, "", self._word
                )
            chain.add([row])
            self._where[row.venue_symbol] = (chain, chain.options[row.venue_symbol])
            n += 1
        return n

    def _retire(self, now_ns: int) -> None:
        """Forget what has ended, and ask soon what is listed in its stead."""
        if not sum(chain.drop_expired(now_ns) for chain in self.chains.values()):
            return
        ended = {symbol for symbol, (chain, _) in self._where.items() if symbol not in chain.options}
        self._ignored |= ended
        for symbol in ended:
            del self._where[symbol]
        self._carry()
        self._list_now.set()

    def _carry(self) -> None:
        """Be subscribed to what is listed, on as few sockets as the venue's limits allow; what is carried already stays where it is."""
        live = [quote.instrument for _, quote in self._where.values()]
        self.poller.roster.change(live)
        wanted = {topic.name: ColdTopic(topic.name, topic.silent_s) for topic in self.source.topics(live)}
        shares = [Share(self.market, feed) for feed in self.feeds]
        for share in shares:
            for name in share.feed.topics:
                if name in wanted:
                    share.take(wanted.pop(name))
        for topic in wanted.values():
            share = next((share for share in shares if share.fits(topic)), None)
            if share is None:
                shares.append(share := Share(self.market, None))
            share.take(topic)
        for share in shares:
            if share.feed is None:
                self._open(share.topics)
            elif share.topics:
                share.feed.change(share.topics)
            else:
                self._close(share.feed)

    def _open(self, topics: list[ColdTopic]) -> None:
        feed = ColdFeed(
            f"{self.market.name} {self.source.route} {self._n_feeds}", self.market, self.source.route, topics, self._connects, clock=self._clock,
            on_frame=self._hold, settings=self.settings.feed, recorder=self._recorder.of(self.market.name) if self._recorder is not None else None,
            dial=self._dial, log=self._log,
        )  # fmt: skip
        self._n_feeds += 1
        self.feeds.append(feed)
        if self._group is not None:
            self._running[feed.name] = self._group.create_task(feed.run())

    def _close(self, feed: ColdFeed) -> None:
        self.feeds.remove(feed)
        if feed.name in self._running:
            self._running.pop(feed.name).cancel()

    def tune(self, feed: FeedSettings) -> None:
        """Other thresholds of its sockets."""
        self.settings = msgspec.structs.replace(self.settings, feed=feed)
        for each in self.feeds:
            each.tune(feed)

    # ---- what is told

    def _hold(self, payload: bytes, recv_ns: int) -> None:
        """Keep a frame for the next round: where it says all that its topic's others said, in their place."""
        name = self.market.venue.topic_of(payload) or ""
        held = self._held.get(name)
        if held is None or self.source.whole(payload):
            self._held[name] = [(payload, recv_ns)]
            return
        held.append((payload, recv_ns))
        if len(held) > MAX_HELD:
            del held[0]
            self.counts["frames_dropped"] += 1

    def _take_poll(self, poll: Poll, reading: Reading, recv_ns: int) -> None:
        self._answers += [(told, recv_ns) for told in reading.facts]

    async def _publish(self) -> None:
        """Late rounds are not made up for."""
        loop = asyncio.get_running_loop()
        next_s = loop.time()
        while True:
            next_s = max(next_s + self.settings.publish_s, loop.time())
            await asyncio.sleep(next_s - loop.time())
            await self.round()

    async def round(self) -> None:
        """Read what was held, and publish each chain that has something new."""
        began_s = self._slice_began_s = time.perf_counter()
        self._retire(self._clock.now())
        held, self._held = self._held, {}
        answers, self._answers = self._answers, []
        for told, recv_ns in answers:
            await self._take(told, recv_ns)
        for frames in held.values():
            for payload, recv_ns in frames:
                await self._read(payload, recv_ns)
        for underlying, chain in self.chains.items():
            fresh = self._clock.now() - chain.recv_ns <= self.settings.chain.stale_s * 1e9
            if chain.heard or (not fresh and self._told_of.get(underlying)):
                await self._tell(underlying, chain)
                self._told_of[underlying] = fresh
        self._account()
        self.rounds += 1
        self.last_round_s = time.perf_counter() - began_s

    async def _read(self, payload: bytes, recv_ns: int) -> None:
        try:
            told = self.source.read(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            self.counts["unreadable"] += 1
            if self.counts["unreadable"] == 1:
                self._log("frame refused", reason=f"{type(error).__name__}: {error}", frame=payload[:200].decode("utf-8", "replace"))
            return
        await self._take(told, recv_ns)

    async def _take(self, told: Told, recv_ns: int) -> None:
        self.counts["rows_refused"] += told.refused
        for n, (symbol, at_ms, row) in enumerate(told.rows):
            place = self._where.get(symbol)
            if place is None:
                self._stranger(symbol)
                continue
            chain, quote = place
            chain.hear(told, at_ms, row, quote, recv_ns)
            if n % ROWS_AT_ONCE == 0:
                await self._breathe()

    def _stranger(self, symbol: str) -> None:
        """An option that is not listed with us: it may be new."""
        if symbol in self._ignored or symbol in self._strangers:
            return
        self.counts["unknown"] += 1
        self._strangers.add(symbol)
        if self.counts["unknown"] == 1:
            self._log("an option that is not listed", symbol=symbol)
        self._list_now.set()

    async def _tell(self, underlying: str, chain: Chain) -> None:
        payload = b""
        for piece in chain.compose(self._clock.now()):
            payload = piece
            await self._breathe()
        at_ns = chain.event_ms * 1_000_000
        self._outbox.emit(self._channels[underlying], payload, ts_event=at_ns or -1, ts_recv=chain.recv_ns or -1)
        self.events += 1
        for listen in self.listeners:
            try:
                listen(chain.fact)
            except Exception as error:  # who listens must not cost the event
                self.counts["listener_faults"] += 1
                self._log("a listener failed", reason=f"{type(error).__name__}: {error}")

    async def _breathe(self) -> None:
        """Let the others work once a slice is used up."""
        if time.perf_counter() - self._slice_began_s >= self.settings.slice_s:
            self._account()
            await asyncio.sleep(0)
            self._slice_began_s = time.perf_counter()

    def _account(self) -> None:
        slice_s = time.perf_counter() - self._slice_began_s
        self.busy_s += slice_s
        self.longest_slice_s = max(self.longest_slice_s, slice_s)

    def status(self) -> dict[str, Any]:
        """The whole state as plain data, for /status and the metrics."""
        now_ns = self._clock.now()
        return {
            "exchange": self.market.exchange, "state": self.state, "reason": self.reason, "faults": self.faults, "rounds": self.rounds, "events": self.events,
            "options": len(self._where), "refused": len(self.refused), "busy_s": round(self.busy_s, 6), "last_round_s": round(self.last_round_s, 6),
            "longest_slice_s": round(self.longest_slice_s, 6), "counts": dict(self.counts), "sockets": dict(Counter(feed.state for feed in self.feeds)),
            "chains": {
                name: {
                    "options": len(chain.options), "expiries": len(chain.expiries), "age_s": round((now_ns - chain.recv_ns) / 1e9, 3) if chain.recv_ns else None,
                    "checked": chain.checked, "disagreeing": chain.disagreeing, "counts": dict(chain.counts),
                }
                for name, chain in self.chains.items()
            },
            "feeds": [feed.status() for feed in self.feeds], "polls": self.poller.status(),
        }  # fmt: skip
