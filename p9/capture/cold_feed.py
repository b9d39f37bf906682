"""A line to a venue for slow topics, at most some hundreds of frames a second, whose frames are decoded in Python.

    feed = ColdFeed("options of a market", row, "public", [ColdTopic("opt-summary:instFamily=BTC-USD", silent_s=60.0)], connects,
                    clock=clock, on_frame=read, recorder=recorder.of(row.name))
    group.create_task(feed.run())

Everything that a socket needs is the line's: connecting within the venue's limits, subscribing, heartbeats, back-off, rotation. A topic with a
`silent_s` that says nothing for so long is subscribed anew; when that helps nothing, the socket is doubted. A private socket gives `login`, which
makes the frame that is sent first, or `address`, which makes its URL; both are asked at each connect.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec
from cext.clock import Clock
from cext.listener import ColdListener
from picows import ws_connect

from p9.capture.connection import Connection, Dial, FrameRecorder
from p9.capture.line import Connects, FeedSettings, Line
from p9.errors import P9Error, SocketLost
from p9.venue import Market

RECYCLE_AFTER = 3  # new subscriptions of a silent topic that brought nothing
MOST_PATIENCE_S = 3600.0
NEVER_S = 1e9


class ColdTopic(msgspec.Struct, frozen=True):
    """One topic. `silent_s`: without a frame for so long it is subscribed anew; 0: it may be silent for ever."""

    name: str
    silent_s: float = 0.0


class ColdConnection(Connection):
    """A connection that hands data frames to `take(payload, ts_recv_ns)` and keeps when each topic was last heard."""

    def __init__(self, market: Market, topics: Iterable[ColdTopic], *, clock: Clock, take: Callable[[bytes, int], None], **more: Any):
        super().__init__(market, partial(ColdListener, clock), topics, **more)
        self.heard_s: dict[str, float] = {}
        self._take = take

    def on_frame(self, payload: bytes, recv_ns: int) -> None:
        name = self.market.venue.topic_of(payload)
        if name is None:
            self.on_control(payload)
            return
        self.heard_s[name] = self._loop_s()
        self._take(payload, recv_ns)


class ColdFeed(Line):
    """`on_frame(payload, ts_recv_ns)` hears every data frame in its order; what it raises is counted by the error's name and costs that frame alone.

    `on_lost()` hears that what was live is not any more. `counts`: errors by kind, `silent`, new subscriptions of silent topics, and `login_refused`.
    """

    def __init__(
        self, name: str, market: Market, route: str, topics: Iterable[ColdTopic], connects: Connects, *, clock: Clock,
        on_frame: Callable[[bytes, int], None], on_lost: Callable[[], None] | None = None, login: Callable[[], bytes] | None = None,
        address: Callable[[], Awaitable[str]] | None = None, settings: FeedSettings | None = None, recorder: FrameRecorder | None = None,
        dial: Dial = ws_connect, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        super().__init__(name, market, market.socket_url(route), connects, settings=settings, log=log)
        self.route, self.topics, self.recorder = route, {topic.name: topic for topic in topics}, recorder
        self._silent_s = self.settings.silent_s
        self._patient()
        self.counts: Counter[str] = Counter()
        self.last_recv_ns = 0  # of the last frame, or ping of the venue's, on the socket that was lost
        self._clock, self._on_frame, self._login, self._make_address, self._dial = clock, on_frame, login, address, dial
        self._heard_of_loss = on_lost or (lambda: None)
        self._asked: dict[str, tuple[int, float]] = {}  # silent topics: how often they were subscribed anew, and when last

    def change(self, topics: Iterable[ColdTopic]) -> None:
        """Carry these topics from now on; those that stay notice nothing of it."""
        self.topics = {topic.name: topic for topic in topics}
        self._patient()
        if self.up:
            self.connection.align(self.topics.values())

    def tune(self, settings: FeedSettings) -> None:
        super().tune(settings)
        self._silent_s = settings.silent_s
        self._patient()

    def _patient(self) -> None:
        """Where nothing must ever speak, silence is no sign."""
        self.must_speak = any(topic.silent_s for topic in self.topics.values())
        self.settings = msgspec.structs.replace(self.settings, silent_s=self._silent_s if self.must_speak else NEVER_S)

    def _adopt(self, connection: Connection) -> None:
        super()._adopt(connection)
        connection.align(self.topics.values())  # to what changed while it was on its way

    async def _address(self) -> str:
        if self._make_address is None:
            return self.url
        try:
            return await self._make_address()
        except (P9Error, OSError) as error:
            raise SocketLost(f"no address: {error}", where=self.name) from None

    def _make_connection(self) -> Connection:
        return ColdConnection(
            self.market, self.topics.values(), clock=self._clock, take=self._take, settings=self.settings.connection, recorder=self.recorder,
            login=self._login() if self._login is not None else b"", dial=self._dial,
            log=lambda event, **more: self._log(event, feed=self.name, **more),
        )  # fmt: skip

    def _let_go(self, reason: str) -> None:
        self.counts["login_refused"] += self.connection.login_refused
        listener = self.connection.listener
        self.last_recv_ns = max(listener.last_recv_ns, listener.last_ping_ns)
        super()._let_go(reason)

    def _take(self, payload: bytes, recv_ns: int) -> None:
        try:
            self._on_frame(payload, recv_ns)
        except Exception as error:  # one bad frame, or one mistake of a reader, must not cost the others
            kind = type(error).__name__
            self.counts[kind] += 1
            if self.counts[kind] == 1:
                self._log("frame refused", feed=self.name, reason=f"{kind}: {error}", frame=payload[:200].decode("utf-8", "replace"))

    def _hear_held(self, held: Sequence[tuple[int, bytes]], not_before_ns: int) -> None:
        for recv_ns, payload in held:
            recv_ns = max(recv_ns, not_before_ns)
            if self.recorder is not None:
                self.recorder.frame(recv_ns, payload)
            self.connection.on_frame(payload, recv_ns)

    def _on_lost(self) -> None:
        self._heard_of_loss()

    def _look(self, connection: Connection, now_s: float) -> None:
        """Each topic has its patience, doubled by each subscription that brought nothing; the socket is doubted once."""
        for name in connection.acknowledged & self.topics.keys():
            patience_s = self.topics[name].silent_s
            if not patience_s:
                continue
            asked, asked_s = self._asked.get(name, (0, 0.0))
            heard_s = connection.heard_s.get(name, 0.0)
            if asked and heard_s > asked_s:
                del self._asked[name]
                asked = 0
            since_s = max(heard_s, asked_s, self.connected_s)
            if now_s - since_s < min(patience_s * 2**asked, max(patience_s, MOST_PATIENCE_S)):
                continue
            self._asked[name] = (asked + 1, now_s)
            self.counts["silent"] += 1
            self._log("topic silent", topic=name, feed=self.name, silent_s=round(now_s - since_s, 1), asked=asked)
            if asked == RECYCLE_AFTER:
                self.recycle(f"{name} stays silent")
            else:
                connection.renew([name])
            return  # `acknowledged` changed; the next one at the next tick

    def status(self) -> dict[str, Any]:
        return {**super().status(), "errors": dict(self.counts)}
