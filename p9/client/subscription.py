"""Follow channels of the bus without losing, doubling or disordering anything."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, Self

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError

from p9.client.cluster import ClusterSource
from p9.client.event import Event
from p9.client.inbox import Inbox, Position
from p9.client.notice import Notice
from p9.client.source import Source, jitter

FIRST_RECONNECT_S = 0.05
MAX_RECONNECT_S = 1.0
REFUSALS = (AuthenticationError, AuthorizationError, NoPermissionError)


class Subscription(AsyncIterator[Event | Notice]):
    """`async with subscribe(…) as events: async for event in events: …`

    It reconnects for ever by itself. Entering waits until the subscription stands; it raises redis-py's error where the server refuses us
    (password, rights) before it ever let us in.
    """

    def __init__(self, source: Source, *, start: Literal["now", "earliest"] | Mapping[str, Position], max_waiting: int):
        self._source = source
        self._start = start
        self._inbox = Inbox(max_waiting)
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()  # something waits for the reader
        self._room = asyncio.Event()  # and there is room again
        self._wanted = asyncio.Event()  # a stream must be read
        self._ready: asyncio.Future[None] | None = None
        self._connects = 0
        self._closing = False  # a cancellation that meets a time-out inside redis-py can come out as the time-out

    async def __aenter__(self) -> Self:
        self._ready = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="p9 subscription")
        self._task.add_done_callback(self._ended)
        try:
            await asyncio.shield(self._ready)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """What still waits can be read; then the iteration ends."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._source.close()

    async def __anext__(self) -> Event | Notice:
        while not self._inbox.waiting:
            if self._task is None or self._task.done():
                if self._task is not None and not self._task.cancelled() and (error := self._task.exception()) is not None:
                    raise error
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._pop()

    def ready_items(self, most: int = 1000) -> list[Event | Notice]:
        """What waits, without waiting: for readers that work in batches."""
        return [self._pop() for _ in range(min(most, len(self._inbox.waiting)))]

    @property
    def waiting(self) -> int:
        """Events and notices that the reader has not taken."""
        return len(self._inbox.waiting)

    @property
    def repeats(self) -> int:
        """Events that came again and were dropped."""
        return self._inbox.repeats

    @property
    def connects(self) -> int:
        return self._connects

    def positions(self) -> dict[str, Position]:
        """Up to where the reader has taken each channel: hand it to `subscribe(start=…)` after a restart to go on there."""
        return self._inbox.positions()

    # ---- inside

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A reader that waits, or one that is entering, hears why."""
        self._news.set()
        assert self._ready is not None
        if not self._ready.done():
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._ready.set_exception(error)
            else:
                self._ready.cancel()

    def _pop(self) -> Event | Notice:
        item = self._inbox.pop()
        if self._inbox.wants:
            self._wanted.set()
        if not self._inbox.full:
            self._room.set()
        return item

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        failed, away_since_s, reason = 0, loop.time(), ""
        while not self._closing:
            before = self._connects
            try:
                if not self._connects and self._start == "now":
                    await self._begin_now()
                elif not self._connects and isinstance(self._start, Mapping):
                    for name, position in self._start.items():
                        self._inbox.start_at(name, position)
                await self._once(away_since_s if self._connects else None, reason)
            except (RedisError, OSError, TimeoutError) as error:
                if not self._connects and isinstance(error, REFUSALS):
                    raise
                failed = 0 if self._connects > before else failed + 1
                if failed == 0:
                    away_since_s = loop.time()
                reason = f"{type(error).__name__}: {error}"
                self._inbox.disconnected()
            await asyncio.sleep(jitter(min(MAX_RECONNECT_S, FIRST_RECONNECT_S * 2**min(failed, 10))))

    async def _begin_now(self) -> None:
        for name, position in (await self._source.ends(await self._source.keys("stream"))).items():
            self._inbox.start_at(name, position)

    async def _once(self, away_since_s: float | None, reason: str) -> None:
        """One connection's life."""
        listening = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._source.listen(self._hear, listening.set, self._found))
                await listening.wait()
                streams = await self._source.keys("stream")
                lasts = await self._source.lasts(await self._source.keys("last"))
                away_s = None if away_since_s is None else asyncio.get_running_loop().time() - away_since_s
                joining = self._start == "earliest" and not self._connects
                self._inbox.connected(streams, lasts, away_s=away_s, reason=reason, joining=joining)
                self._connects += 1
                assert self._ready is not None
                if not self._ready.done():
                    self._ready.set_result(None)
                self._news.set()
                tasks.create_task(self._refill())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    def _hear(self, name: str, payload: bytes | str) -> None:
        self._inbox.hear(name, payload)
        if self._inbox.waiting:
            self._news.set()
        if self._inbox.wants:
            self._wanted.set()

    def _found(self, name: str) -> None:
        self._inbox.found(name)
        self._wanted.set()

    async def _refill(self) -> None:
        while True:
            wanted = {name: self._inbox.after(name) for name in self._inbox.wants}
            if not wanted:
                self._wanted.clear()
                await self._wanted.wait()
                continue
            async for name, payloads, complete, last_ms in self._source.pages(wanted):
                self._inbox.refill(name, payloads, complete=complete, last_ms=last_ms)
                self._news.set()
                while self._inbox.full:
                    self._room.clear()
                    await self._room.wait()


def subscribe(
    redis: "str | Redis | RedisCluster", *channels: str, start: Literal["now", "earliest"] | Mapping[str, Position] = "now", max_waiting: int = 100_000, **options: Any
) -> Subscription:
    """Follow `channels`: names such as "trades:<exchange>:BTC-USDT", or patterns as Redis has them ("candles:*:BTC-USDT:1m").

    redis: a URL with redis-py's `options` (TLS files, credentials), or a ready redis-py client (a Sentinel's master_for, a RedisCluster); it is
    closed with the subscription. start: `now`; `earliest`: with all that the streams still hold; or the `positions()` of an earlier subscription. Channels
    that keep a newest value begin with it. max_waiting: events in the queue before a slow reader is told `Overflow`.
    """
    if not channels:
        raise ValueError("name at least one channel or pattern")
    if isinstance(redis, str):
        source = Source.at(redis, channels, **options)
    else:
        source = ClusterSource(redis, channels) if isinstance(redis, RedisCluster) else Source(redis, channels)
    return Subscription(source, start=start, max_waiting=max_waiting)
