"""A line to a venue whose frames go to a pipeline: books, best prices and trades.

A successor's frames reach the pipeline when it takes over: it knows by the ids what it has already, changes and trades. So no book loses its state
in a rotation.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from cext.listener import Listener
from cext.pipeline import Pipeline
from picows import ws_connect

from p9.capture.connection import Connection, Dial, FrameRecorder
from p9.capture.line import Connects, FeedSettings, Line
from p9.venue import Market, Topic


class Feed(Line):
    """`topics`: {instrument index: its topics on this socket}."""

    def __init__(
        self, name: str, market: Market, pipeline: Pipeline, route: str, topics: Mapping[int, Sequence[Topic]], connects: Connects, *,
        settings: FeedSettings | None = None, recorder: FrameRecorder | None = None, dial: Dial = ws_connect,
        log: Callable[..., None] | None = None,
    ):  # fmt: skip
        super().__init__(name, market, market.socket_url(route), connects, settings=settings, log=log)
        self.pipeline, self.route, self.topics, self.recorder = pipeline, route, dict(topics), recorder
        self._dial = dial

    @property
    def books(self) -> tuple[int, ...]:
        """The instruments whose books this socket carries."""
        return self._with("depth")

    @property
    def tapes(self) -> tuple[int, ...]:
        """And those whose trades it carries."""
        return self._with("trades")

    def _with(self, kind: str) -> tuple[int, ...]:
        return tuple(ix for ix, rows in self.topics.items() if any(topic.kind == kind for topic in rows))

    def add(self, ix: int, topics: Sequence[Topic]) -> None:
        """One more instrument on this socket; the others notice nothing of it."""
        self.topics[ix] = topics
        self._align()

    def remove(self, ix: int) -> None:
        del self.topics[ix]
        self._align()

    def _align(self) -> None:
        if self.up:
            self.connection.align(topic for rows in self.topics.values() for topic in rows)

    def _adopt(self, connection: Connection) -> None:
        super()._adopt(connection)
        self._align()  # to what changed while it was on its way

    def _make_connection(self) -> Connection:
        return Connection(
            self.market, partial(Listener, self.pipeline), (topic for rows in self.topics.values() for topic in rows),
            settings=self.settings.connection, recorder=self.recorder, dial=self._dial,
            log=lambda event, **more: self._log(event, feed=self.name, **more),
        )  # fmt: skip

    def _hear_held(self, held: Sequence[tuple[int, bytes]], not_before_ns: int) -> None:
        for recv_ns, payload in held:
            recv_ns = max(recv_ns, not_before_ns)
            if self.recorder is not None:
                self.recorder.frame(recv_ns, payload)
            self.pipeline.feed_bytes(payload, recv_ns)
        self._tell()

    def _on_lost(self) -> None:
        """Its books are invalid, and its trades may have holes."""
        now_ns = self.pipeline.clock.now()
        self.pipeline.disconnected(self.books, now_ns)
        self.pipeline.interrupted(self.tapes, now_ns)
        self._tell()

    def _tell(self) -> None:
        """What was done outside of the listener has its notices and messages too."""
        for told in (self.pipeline.on_notices, self.pipeline.on_news):
            if told is not None:
                told()
        self.pipeline.outbox.wake_up()

    def status(self) -> dict[str, Any]:
        return {"books": len(self.books), **super().status()}
