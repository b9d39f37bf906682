"""The Redis side of a subscription to a Cluster: a connection to each master, and sharded channels by their names.

A Cluster knows no patterns for sharded channels, so those that a pattern means are looked up each FIND_S: by the keys beside them, and for
channels without a key (`depth`) by what other channels the instrument has. A slot that moves ends the subscription, which is then made anew.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from p9.client.event import TYPES
from p9.client.source import Heard, Source, channel_of, is_pattern, text

FIND_S = 1.0


class ClusterSource(Source):
    """`client` is redis-py's RedisCluster."""

    client: Any

    def __init__(self, client: RedisCluster, words: Sequence[str]):
        self.client, self.words = client, words
        self._heard_s = 0.0
        self._connections: dict[str, Any] = {}  # {node's name: connection}
        self._names: set[str] = set()

    async def listen(self, heard: Heard, listening: Callable[[], None], found: Callable[[str], None]) -> None:
        await self.client.initialize()
        await self.client.nodes_manager.initialize()
        self._names.clear()
        try:
            async with asyncio.TaskGroup() as tasks:
                for node in self.client.get_primaries():
                    self._connections[node.name] = await self._connected(node)
                await self._subscribe_to(await self._channels())
                for connection in self._connections.values():
                    tasks.create_task(self._read_shard(connection, heard))
                    tasks.create_task(self._ping(connection))
                listening()
                tasks.create_task(self._find(found))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            for connection in self._connections.values():
                await connection.disconnect(nowait=True)
            self._connections.clear()

    async def _connected(self, node: ClusterNode) -> Any:
        connection: Any = node.connection_class(**node.connection_kwargs)
        connection.retry = Retry(NoBackoff(), 0)
        await connection.connect()
        return connection

    async def _subscribe_to(self, names: set[str]) -> None:
        """Without waiting for the answers: an error among them ends the subscription."""
        for name in sorted(names - self._names):
            node = self.client.get_node_from_key(name)
            connection = self._connections.get(node.name) if node is not None else None
            if connection is None:
                raise RedisConnectionError(f"no master is known for {name}")
            await connection.send_command("SSUBSCRIBE", name)
            self._names.add(name)

    async def _read_shard(self, connection: Any, heard: Heard) -> None:
        loop = asyncio.get_running_loop()
        while True:
            answer = await connection.read_response(timeout=math.inf, disconnect_on_error=False, push_request=True)
            self._heard_s = loop.time()
            if isinstance(answer, ResponseError):
                raise RedisConnectionError(str(answer))  # MOVED: the slots are asked for anew
            if not self._hear(answer, heard) and isinstance(answer, list) and answer[0] in (b"sunsubscribe", "sunsubscribe"):
                raise RedisConnectionError("a slot has moved")

    async def _find(self, found: Callable[[str], None]) -> None:
        while True:
            await asyncio.sleep(FIND_S)
            fresh = await self._channels() - self._names
            await self._subscribe_to(fresh)
            for name in fresh:
                found(name)

    async def _channels(self) -> set[str]:
        """All that the words mean now."""
        if not any(is_pattern(word) for word in self.words):
            return set(self.words)
        known = {channel_of(text(key)) for kind in ("stream", "last") for key in await self._scan(f"{kind}:{{*}}")}
        places = {name.partition(":")[2] for name in known}
        known |= {f"{kind}:{place}" for kind in TYPES for place in places}
        return {name for word in self.words for name in (known if is_pattern(word) else (word,)) if fnmatchcase(name, word) or name == word}

    async def _scan(self, pattern: str) -> list[Any]:
        return [key async for key in self.client.scan_iter(pattern, count=1000, target_nodes=RedisCluster.PRIMARIES)]

    async def keys(self, kind: str) -> list[str]:
        found = {channel_of(text(key)) for key in await self._scan(f"{kind}:{{*}}")}
        return [name for name in found if any(fnmatchcase(name, word) or name == word for word in self.words)]
