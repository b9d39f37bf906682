"""Two consumers that share no code: p9.client, live; and one that polls the streams with plain commands, always somewhat behind."""

import asyncio
import contextlib
import re
import time
from typing import Any

import redis.asyncio
from redis.exceptions import RedisError

from p9.client import Event, Missed, Subscription, subscribe
from tests.chaos.tally import Tally

PLACE = re.compile(rb'"epoch":(\d+),"seq":(\d+)')
POLL_S = 0.3
PAGE = 5000


class LiveReader:
    """`awaiting(ns)` resolves when every durable channel (or those named) has brought an event that was published after `ns`."""

    def __init__(self, url: str, channels: list[str], *patterns: str):
        """Without `channels` all that have a stream are counted."""
        self.tally = Tally("client", channels)
        self.n_missed: dict[str, int] = {}
        self.worst_waiting = 0
        self._url, self._patterns = url, patterns
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None
        self._heal_ns = 0
        self._lacking: set[str] = set()
        self._healed: asyncio.Future[float] | None = None

    async def start(self) -> None:
        self._subscription = await subscribe(self._url, *self._patterns).__aenter__()
        self._task = asyncio.create_task(self._read())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._subscription is not None:
            await self._subscription.close()

    async def awaiting(self, heal_ns: int, limit_s: float, channels: list[str] | None = None) -> float | None:
        """Seconds from `heal_ns`; None if it took longer than `limit_s`."""
        self._heal_ns, self._lacking = heal_ns, set(channels or self.tally.channels)
        self._healed = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(self._healed, limit_s)
        except TimeoutError:
            return None

    @property
    def stats(self) -> dict[str, Any]:
        assert self._subscription is not None
        return {"repeats_dropped": self._subscription.repeats, "connects": self._subscription.connects, "most_waiting": self.worst_waiting}

    async def _read(self) -> None:
        assert self._subscription is not None
        async for first in self._subscription:
            self.worst_waiting = max(self.worst_waiting, self._subscription.waiting)
            for item in (first, *self._subscription.ready_items(2000)):
                if isinstance(item, Missed):
                    self.n_missed[item.channel] = self.n_missed.get(item.channel, 0) + 1
                elif isinstance(item, Event) and item.streamed and self.tally.take(item.channel, item.epoch, item.seq):
                    self._note(item)

    def _note(self, item: Event) -> None:
        if self._lacking and item.ts_pub is not None and item.ts_pub > self._heal_ns:
            self._lacking.discard(item.channel)
            if not self._lacking and self._healed is not None and not self._healed.done():
                self._healed.set_result((time.time_ns() - self._heal_ns) / 1e9)


class StreamReader:
    """XRANGE from the last id seen, each POLL_S. Without `channels`: of all streams there are."""

    def __init__(self, url: str, channels: list[str]):
        self.tally = Tally("streams", channels)
        self._all = not channels
        self._client = redis.asyncio.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._last = dict.fromkeys(channels, "-")
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        self._task = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        self._stopping = True  # a cancellation that meets a time-out inside redis-py can come out as the time-out
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()

    async def _poll(self) -> None:
        while not self._stopping:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                if self._all:
                    async for key in self._client.scan_iter("stream:{*}", count=1000):
                        self._last.setdefault(key.decode().partition("{")[2].removesuffix("}"), "-")
                for name in list(self._last):
                    while await self._page(name) == PAGE:
                        pass
            await asyncio.sleep(POLL_S)

    async def _page(self, name: str) -> int:
        entries = await self._client.execute_command("XRANGE", f"stream:{{{name}}}", self._last[name], "+", "COUNT", PAGE)
        for entry_id, fields in entries:
            payload = fields.get(b"e") if isinstance(fields, dict) else fields[1]
            match = PLACE.search(payload)
            self.tally.take(name, int(match[1]), int(match[2]))
            self._last[name] = "(" + entry_id.decode()
        return len(entries)
