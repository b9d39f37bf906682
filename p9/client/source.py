"""The Redis side of a subscription: one connection that listens, and a client that reads streams and newest values."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from p9.client.inbox import Position

PAGE = 1000  # entries of a stream, read at once
KEYS_AT_ONCE = 64
PING_S = 2.0
SILENT_S = 3 * PING_S  # a connection that answers nothing for so long is given up

Heard = Callable[[str, bytes | str], None]


class _Place(msgspec.Struct):
    epoch: int
    seq: int


def text(word: bytes | str) -> str:
    return word if isinstance(word, str) else word.decode()


def is_pattern(word: str) -> bool:
    return any(mark in word for mark in "*?[")


def channel_of(key: str) -> str:
    """stream:{name} or last:{name} -> name"""
    return key.partition("{")[2].removesuffix("}")


class Source:
    """A standalone server, or the master that a Sentinel names: `client` is redis-py's, already told how to get there."""

    def __init__(self, client: Redis, words: Sequence[str]):
        self.client, self.words = client, words
        self._heard_s = 0.0

    @classmethod
    def at(cls, url: str, words: Sequence[str], **options: Any) -> "Source":
        """`options` as redis-py's from_url takes them (TLS files, credentials)."""
        quick = {"socket_timeout": SILENT_S, "socket_connect_timeout": SILENT_S, "retry": Retry(NoBackoff(), 0), "protocol": 2}
        return cls(Redis.from_url(url, **{**quick, **options}), words)

    async def listen(self, heard: Heard, listening: Callable[[], None], found: Callable[[str], None]) -> None:
        """Until the connection is lost; then raises what happened. `listening` is called when the subscription stands, `found` with each channel
        that is listened to from later on."""
        pool: Any = self.client.connection_pool
        connection = pool.make_connection()
        connection.retry = Retry(NoBackoff(), 0)  # a connection made anew behind our back would be a hole that nobody sees
        try:
            await connection.connect()
            await self._subscribe(connection, heard)
            listening()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(connection, heard))
                tasks.create_task(self._ping(connection))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            await connection.disconnect(nowait=True)

    async def _subscribe(self, connection: Any, heard: Heard) -> None:
        wanted = 0
        for command, words in (
            ("PSUBSCRIBE", [word for word in self.words if is_pattern(word)]),
            ("SUBSCRIBE", [word for word in self.words if not is_pattern(word)]),
        ):
            if words:
                await connection.send_command(command, *words)
                wanted += len(words)
        while wanted:
            answer = await connection.read_response(push_request=True)
            if not self._hear(answer, heard):
                wanted -= 1

    async def _read(self, connection: Any, heard: Heard) -> None:
        loop = asyncio.get_running_loop()
        while True:
            answer = await connection.read_response(timeout=math.inf, disconnect_on_error=False, push_request=True)
            self._heard_s = loop.time()
            self._hear(answer, heard)

    async def _ping(self, connection: Any) -> None:
        """A connection that is only half there would be silent for ever."""
        loop = asyncio.get_running_loop()
        self._heard_s = loop.time()
        while True:
            await asyncio.sleep(PING_S)
            if loop.time() - self._heard_s > SILENT_S:
                raise RedisConnectionError(f"silent for {SILENT_S:g} s")
            await connection.send_command("PING", check_health=False)

    @staticmethod
    def _hear(answer: Any, heard: Heard) -> bool:
        """False: it was no message."""
        if isinstance(answer, list):
            kind = answer[0]
            if kind in (b"pmessage", "pmessage"):
                heard(text(answer[2]), answer[3])
                return True
            if kind in (b"message", "message", b"smessage", "smessage"):
                heard(text(answer[1]), answer[2])
                return True
        return False

    # ---- keys

    async def keys(self, kind: str) -> list[str]:
        """The channels of ours that have a key `stream:{…}` or `last:{…}`."""
        found: dict[str, None] = {}
        for word in self.words:
            key = f"{kind}:{{{word}}}"
            if is_pattern(word):
                async for name in self.client.scan_iter(key, count=1000):
                    found[channel_of(text(name))] = None
            elif await self.client.exists(key):
                found[word] = None
        return list(found)

    async def lasts(self, names: Sequence[str]) -> dict[str, bytes | str]:
        """The newest values."""
        found: dict[str, bytes | str] = {}
        for some in _chunks(names):
            for name, value in zip(some, await self._ask([("GET", f"last:{{{name}}}") for name in some]), strict=True):
                if value is not None and not isinstance(value, Exception):
                    found[name] = value
        return found

    async def ends(self, names: Sequence[str]) -> dict[str, Position]:
        """Where each stream ends now."""
        found: dict[str, Position] = {}
        for some in _chunks(names):
            for name, entries in zip(some, await self._ask([("XREVRANGE", f"stream:{{{name}}}", "+", "-", "COUNT", 1) for name in some]), strict=True):
                if entries and not isinstance(entries, Exception):
                    try:
                        place = msgspec.json.decode(_payload(entries[0][1]), type=_Place)
                    except (msgspec.MsgspecError, KeyError, IndexError):
                        continue
                    found[name] = (place.epoch, place.seq, _ms(entries[0][0]))
        return found

    async def pages(self, starts: dict[str, int]) -> AsyncIterator[tuple[str, list[bytes | str], bool, int]]:
        """{channel: milliseconds} -> (channel, payloads of the next entries, whether that was the last page, ms of the last id), until all are read."""
        after = {name: f"{ms}-0" for name, ms in starts.items()}
        while after:
            some = list(after)[:KEYS_AT_ONCE]
            answers = await self._ask([("XRANGE", f"stream:{{{name}}}", after[name], "+", "COUNT", PAGE) for name in some])
            for name, entries in zip(some, answers, strict=True):
                if isinstance(entries, Exception):
                    entries = []
                complete = len(entries) < PAGE
                if complete:
                    del after[name]
                else:
                    after[name] = "(" + text(entries[-1][0])
                payloads = [payload for _, fields in entries if (payload := _payload(fields)) is not None]
                yield name, payloads, complete, _ms(entries[-1][0]) if entries else 0

    async def _ask(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """Raw answers; a key that is no stream answers with its error. Raises where the server does not answer."""
        async with self.client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            answers = await pipe.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, ResponseError):
                raise answer
        return answers

    async def close(self) -> None:
        await self.client.aclose()


def _payload(fields: Any) -> Any:
    """Field `e` of an entry, raw or already made a dict by redis-py."""
    if isinstance(fields, dict):
        return fields.get(b"e", fields.get("e"))
    if not fields:
        return None
    return next((fields[n + 1] for n in range(0, len(fields), 2) if fields[n] in (b"e", "e")), None)


def _ms(entry_id: bytes | str) -> int:
    return int(text(entry_id).partition("-")[0])


def _chunks(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[n : n + KEYS_AT_ONCE] for n in range(0, len(names), KEYS_AT_ONCE))


def jitter(delay_s: float) -> float:
    return random.uniform(delay_s / 2, delay_s)
