"""The life of one socket of a market: connect, subscribe, stay alive, come back, and be replaced before the venue closes it.

    waiting -> connecting -> subscribing -> live -> (lost) -> waiting ...

A successor is opened before a socket's time is up: it stands by with its frames held until it has answered everything, then takes over in one
step: the old one is closed, and whoever listens gets what was held. So a rotation costs no frame.

What is done with a frame is not decided here: Feed gives it to a pipeline, ColdFeed to a function.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from p9.budget import Budget, Window
from p9.capture.connection import Connection, ConnectionSettings
from p9.errors import SocketLost
from p9.secret import censored
from p9.venue import Market

MAX_STANDBY_FRAMES = 100_000  # a successor with more than that takes over at once


class FeedSettings(msgspec.Struct, frozen=True):
    """How a feed comes back and when it is replaced. Seconds."""

    connection: ConnectionSettings = ConnectionSettings()
    tick_s: float = 0.25  # how often a live socket is looked after
    backoff_first_s: float = 0.25  # full jitter: between nothing and this, doubling
    backoff_most_s: float = 60.0
    good_after_s: float = 30.0  # of data: then the next loss is answered at once again
    silent_s: float = 60.0  # without any data: the socket is dead, whatever its heartbeat says
    rotate_s: float = 23 * 3600.0
    rotate_jitter_s: float = 1800.0  # so that the sockets do not rotate together
    rotate_pause_s: float = 30.0  # between two rotations of one feed
    settle_s: float = 1.0  # a successor stands by for so long after its last acknowledgement: the images come then
    standby_most_s: float = 15.0


class Connects:
    """How often one address may open sockets to a venue; shared by all feeds of the venue."""

    def __init__(self, budgets: Sequence[Budget]):
        self._windows = [Window(budget.limit, budget.span_s) for budget in budgets]
        self.count = 0

    async def take(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now_s = loop.time()
            wait_s = max(window.wait_s(1, now_s) for window in self._windows)
            if wait_s <= 0:
                break
            await asyncio.sleep(wait_s + random.uniform(0.0, 0.05))
        for window in self._windows:
            window.take(1, now_s)
        self.count += 1


class Line:
    """`url`: where the socket is. Subclasses say how a connection is made, who hears what it held, and what a loss means."""

    def __init__(
        self, name: str, market: Market, url: str, connects: Connects, *, settings: FeedSettings | None = None, log: Callable[..., None] | None = None
    ):
        self.name, self.market, self.url = name, market, url
        self.settings = settings or FeedSettings()
        self.must_speak = True  # silence is a sign; else one that is subscribed is live, whether it speaks or not
        self.state = "waiting"
        self.failures = 0  # since the last good spell
        self.losses = 0
        self.rotations = 0
        self.last_loss = ""
        self.connection: Connection | None = None
        self.connected_s = 0.0
        self._connects = connects
        self._log = log or (lambda *_, **__: None)
        self._recycle = ""
        self._rotate_at_s = 0.0
        self._successor: asyncio.Task[Connection] | None = None
        self._n_data = 0
        self._first_data_s = self._last_data_s = 0.0

    def _make_connection(self) -> Connection:
        """A connection that is not open yet, with a listener that gives its frames to whom they are for."""
        raise AssertionError("a line is a Feed or a ColdFeed")

    def _hear_held(self, held: Sequence[tuple[int, bytes]], not_before_ns: int) -> None:
        """The frames that a successor held, at its take-over; their receive times must not lie before `not_before_ns`."""

    def _on_lost(self) -> None:
        """The socket is gone."""

    def _look(self, connection: Connection, now_s: float) -> None:
        """At every tick of a live socket."""

    async def _address(self) -> str:
        return self.url

    @staticmethod
    def _loop_s() -> float:
        return asyncio.get_running_loop().time()

    @property
    def up(self) -> bool:
        """There is a socket, and it is not on its way out."""
        return self.connection is not None and not self._recycle and not self.connection.lost.done()

    def refused(self, name: str) -> str:
        """Why the venue refuses a topic; empty: it does not."""
        return self.connection.refused.get(name, "") if self.connection is not None else ""

    def tune(self, settings: FeedSettings) -> None:
        """Other thresholds from now on."""
        self.settings = settings

    def renew(self, names: Sequence[str]) -> None:
        if self.up:
            self.connection.renew(names)

    def recycle(self, reason: str) -> None:
        """Close this socket and open another: what is wrong with it cannot be put right on it."""
        self._recycle = self._recycle or censored(reason)

    async def run(self) -> None:
        """For ever, until cancelled."""
        try:
            while True:
                await self._back_off()
                try:
                    connection = await self._connect(standby=False)
                except SocketLost as error:
                    self._failed(str(error))
                    continue
                self._adopt(connection)
                reason = await self._tend()
                self._let_go(reason)
        finally:
            await self._drop_successor()
            if self.connection is not None:
                self.connection.retire("stopped")
            self.state = "stopped"

    async def _back_off(self) -> None:
        self.state = "waiting"
        if self.failures:
            most_s = min(self.settings.backoff_most_s, self.settings.backoff_first_s * 2 ** min(self.failures - 1, 20))
            await asyncio.sleep(random.uniform(0.0, most_s))

    def _failed(self, reason: str) -> None:
        reason = censored(reason)
        self.failures += 1
        if reason != self.last_loss:
            self._log("socket lost", feed=self.name, reason=reason, failures=self.failures)
        self.last_loss = reason

    async def _connect(self, standby: bool) -> Connection:
        await self._connects.take()
        if not standby:
            self.state = "connecting"
        connection = self._make_connection()
        connection.listener.standby = standby
        await connection.open(await self._address(), self.url)
        connection.subscribe(connection.topics)
        return connection

    def _adopt(self, connection: Connection) -> None:
        now_s = self._loop_s()
        self.connection, self.connected_s = connection, now_s
        self.state = "subscribing"
        self._n_data = 0
        self._first_data_s, self._last_data_s = 0.0, now_s
        life_s = min(self.settings.rotate_s, 0.97 * self.market.limits.lifetime_s)
        self._rotate_at_s = connection.opened_s + life_s - random.uniform(0.0, min(self.settings.rotate_jitter_s, 0.2 * life_s))

    def _let_go(self, reason: str) -> None:
        """The socket is gone: the next attempt waits the longer the less good this one did."""
        connection, self.connection = self.connection, None
        connection.retire(reason)
        self.losses += 1
        self._recycle = ""
        good_s = self._last_data_s - self._first_data_s if self._first_data_s else 0.0
        if not self.must_speak and self.state == "live":
            good_s = self._loop_s() - self.connected_s
        if good_s >= self.settings.good_after_s:
            self.failures = 0
            self.last_loss = reason
            self._log("socket lost", feed=self.name, reason=reason, good_s=round(good_s, 1))
        else:
            self._failed(reason)
        self._on_lost()

    async def _tend(self) -> str:
        """Keep the socket until it is lost; the reason."""
        while True:
            connection = self.connection
            await asyncio.wait(
                {connection.lost, *([self._successor] if self._successor else ())}, timeout=self.settings.tick_s, return_when=asyncio.FIRST_COMPLETED
            )
            if self._successor is not None and self._successor.done():
                self._succeed()
                continue
            if connection.lost.done():
                await self._drop_successor()
                return connection.lost.result()
            connection.tick()
            now_s = self._loop_s()
            self._watch(connection, now_s)
            self._look(connection, now_s)
            if self._recycle:
                await self._drop_successor()
                return self._recycle
            if (
                self._successor is None
                and (connection.closing_soon or now_s >= self._rotate_at_s)
                and now_s >= self.connected_s + self._rotation_pause_s()
            ):
                self._successor = asyncio.create_task(self._prepare())

    def _rotation_pause_s(self) -> float:
        return self.settings.rotate_pause_s if self.rotations else 0.0

    def _watch(self, connection: Connection, now_s: float) -> None:
        n_data = connection.n_data
        if n_data != self._n_data:
            self._n_data, self._last_data_s = n_data, now_s
            self._first_data_s = self._first_data_s or now_s
        if self.state == "subscribing" and connection.settled and (n_data or not self.must_speak):
            self.state = "live"
            self._log("live", feed=self.name, topics=len(connection.acknowledged), refused=len(connection.refused))
        if now_s - self._last_data_s > self.settings.silent_s:
            self.recycle(f"no data for {self.settings.silent_s:g} s")

    async def _prepare(self) -> Connection:
        """A successor that has answered everything. Raises SocketLost."""
        connection = await self._connect(standby=True)
        try:
            settled_s = None
            while connection.lost.done() is False:
                await asyncio.sleep(min(self.settings.tick_s, self.settings.settle_s))
                connection.tick()
                now_s = self._loop_s()
                settled_s = (settled_s or now_s) if connection.settled else None
                if (settled_s is not None and now_s - settled_s >= self.settings.settle_s and connection.standby) or (
                    now_s - connection.opened_s > self.settings.standby_most_s or len(connection.standby) > MAX_STANDBY_FRAMES
                ):
                    return connection
            raise SocketLost(connection.lost.result(), where=self.url)
        except BaseException:
            connection.retire("not needed")
            raise

    def _succeed(self) -> None:
        """The successor takes over, or the old socket goes on if there is none."""
        successor, self._successor = self._successor, None
        old = self.connection
        try:
            connection = successor.result()
        except SocketLost as error:
            self._log("no successor", feed=self.name, reason=str(error))
            self._rotate_at_s = self._loop_s() + self.settings.rotate_pause_s
            old.closing_soon = False  # it will tell again, or close
            return
        old.retire("rotated")
        self.rotations += 1
        held = connection.take_over()
        self._adopt(connection)
        self._hear_held(held, old.listener.last_recv_ns)  # time does not run backwards, in the books and in a recording
        self._log("rotated", feed=self.name)

    async def _drop_successor(self) -> None:
        successor, self._successor = self._successor, None
        if successor is not None:
            successor.cancel()
            result = (await asyncio.gather(successor, return_exceptions=True))[0]
            if isinstance(result, Connection):
                result.retire("not needed")

    def status(self) -> dict[str, Any]:
        return {
            "name": self.name, "state": self.state, "url": self.url, "failures": self.failures, "losses": self.losses,
            "rotations": self.rotations, "last_loss": self.last_loss, **(self.connection.status() if self.connection is not None else {}),
        }  # fmt: skip
