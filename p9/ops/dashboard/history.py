"""What was before somebody looked: read from where every consumer reads it, the streams and newest values in Redis."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from cext.channel import Channel
from redis.exceptions import RedisError

HIGH = 1
WAIT_S = 2.0
AT_ONCE = 100  # keys asked for in one go: each costs the loop some microseconds


class History:
    """`client()`: redis-py's, of the Redis of now. Every answer may be empty: Redis may be away, and then the page begins with what comes."""

    def __init__(self, client: Callable[[], Any]):
        self._client = client
        self.failures = 0

    async def recent(self, channel: Channel, n: int) -> list[dict[str, Any]]:
        """The last `n` events of a CRITICAL or HIGH channel, oldest first; of another the newest value, if it is kept."""
        try:
            async with asyncio.timeout(WAIT_S):
                if channel.cls > HIGH:
                    value = await self._client().get(channel.key) if channel.keeps_last else None
                    return [msgspec.json.decode(value)] if value else []
                entries = await self._client().xrevrange(channel.key, count=n)
                return [msgspec.json.decode(fields[b"e"]) for _, fields in reversed(entries)]
        except (RedisError, OSError, TimeoutError, msgspec.DecodeError, KeyError):
            self.failures += 1
            return []

    async def newest(self, channels: list[Channel]) -> list[tuple[Channel, dict[str, Any]]]:
        """The newest value of each channel that keeps one."""
        keeping = [channel for channel in channels if channel.keeps_last]
        values = await self._ask(keeping, lambda pipe, channel: pipe.get(channel.key))
        return [(channel, msgspec.json.decode(value)) for channel, value in zip(keeping, values, strict=False) if value]

    async def before(self, channels: list[Channel], n: int) -> list[dict[str, Any]]:
        """The last `n` events of each CRITICAL or HIGH channel."""
        answers = await self._ask([channel for channel in channels if channel.cls <= HIGH], lambda pipe, channel: pipe.xrevrange(channel.key, count=n))
        return [msgspec.json.decode(fields[b"e"]) for entries in answers for _, fields in reversed(entries)]

    async def _ask(self, channels: list[Channel], ask: Callable[[Any, Channel], Any]) -> list[Any]:
        """One answer a channel, in some few pipelines; fewer where Redis does not go on answering."""
        found: list[Any] = []
        try:
            async with asyncio.timeout(WAIT_S):
                for at in range(0, len(channels), AT_ONCE):
                    async with self._client().pipeline(transaction=False) as pipe:
                        for channel in channels[at : at + AT_ONCE]:
                            ask(pipe, channel)
                        found += await pipe.execute()
        except (RedisError, OSError, TimeoutError):
            self.failures += 1
        return found
