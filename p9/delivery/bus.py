"""The Redis that we publish to: redis-py's client for what is rare, and the way to open hot connections of our own to the same server."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import hiredis
import redis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import RedisError

from p9.errors import BusAway, BusError

Place = str | tuple[str, int]  # a socket's path, or host and port

ANSWER_TIMEOUT_S = 5.0
QUICK: dict[str, Any] = {
    "socket_timeout": ANSWER_TIMEOUT_S, "socket_connect_timeout": ANSWER_TIMEOUT_S, "retry": Retry(NoBackoff(), 0),
    "driver_info": DriverInfo(lib_version=redis.__version__),  # else each connection reads the package's metadata from its file: the loop stands still for 0.5 ms
}  # fmt: skip
UNREACHABLE = (OSError, TimeoutError, RedisError, hiredis.HiredisError)
REFUSALS = ("WRONGPASS", "NOAUTH", "NOPERM", "ERR invalid password", "ERR DB index", "ERR Client sent AUTH")


class Handshake(asyncio.Protocol):
    """Asks a new connection its first questions; then the transport is handed on. An error reply is an exception in its answer."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader()
        self._waiting: asyncio.Future[Any] | None = None

    async def ask(self, transport: asyncio.Transport, *words: str | bytes) -> Any:
        self._waiting = asyncio.get_running_loop().create_future()
        transport.write(hiredis.pack_command(words))
        return await self._waiting

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        reply = self._reader.gets()
        if reply is not False and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError("closed during the handshake"))


class Bus:
    """One Redis server, as a redis-py URL and its connection options (TLS files, credentials) name it."""

    sharded = False  # whether channels live on their slot's owner: SPUBLISH instead of PUBLISH
    client: Any  # redis-py's

    def __init__(self, url: str, **options: Any):
        self.client = Redis.from_url(url, **{**QUICK, **options})
        self.run_id = ""  # of the server that was last connected to; "" where it may not be asked

    async def open(self, name: str, protocol: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """A connection that is authenticated, in its database and named; `protocol()` gets it.

        Raises BusAway where nobody answers, BusError where we are refused.
        """
        transport: asyncio.Transport | None = None
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                settings = self.client.connection_pool.make_connection()
                transport, run_id = await greeted(settings, await self._place(settings), name, self.where)
            self.run_id = run_id
            heir = protocol()
            transport.set_protocol(heir)
            heir.connection_made(transport)
            return heir
        except UNREACHABLE as error:
            if transport is not None:
                transport.abort()
            raise BusAway(str(error) or type(error).__name__, where=self.where) from None

    async def _place(self, settings: AbstractConnection) -> Place:
        """Where to connect now."""
        return getattr(settings, "path", None) or (settings.host, settings.port)

    @property
    def where(self) -> str:
        """The server's address, without secrets."""
        known = self.client.connection_pool.connection_kwargs
        return known.get("path") or f"{known.get('host', 'localhost')}:{known.get('port', 6379)}"

    async def drop_idle(self) -> None:
        """Close the client's connections that nobody uses: the server behind them is another one."""
        await self.client.connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self.client.aclose()


async def greeted(settings: AbstractConnection, place: Place, name: str, where: str) -> tuple[asyncio.Transport, str]:
    """A new connection to `place`, with the credentials and the TLS of redis-py's `settings`, named; and the server's run_id."""
    loop = asyncio.get_running_loop()
    context = getattr(settings, "ssl_context", None)
    if isinstance(place, str):
        transport, handshake = await loop.create_unix_connection(Handshake, place)
    else:
        tls = {"ssl": context.get(), "server_hostname": place[0]} if context is not None else {}
        transport, handshake = await loop.create_connection(Handshake, *place, **tls)
    try:
        provider = settings.credential_provider
        if provider is not None:
            credentials = tuple(await provider.get_credentials_async())
        else:
            credentials = tuple(word for word in (settings.username, settings.password) if word)
        if credentials:
            _granted(await handshake.ask(transport, "AUTH", *credentials), where)
        if settings.db:
            _granted(await handshake.ask(transport, "SELECT", str(settings.db)), where)
        await handshake.ask(transport, "CLIENT", "SETNAME", name)  # a user without this right may publish all the same
        return transport, _run_id(await handshake.ask(transport, "INFO", "server"))
    except BaseException:
        transport.abort()
        raise


def _granted(reply: Any, where: str) -> None:
    if isinstance(reply, hiredis.ReplyError):
        if str(reply).startswith(REFUSALS):
            raise BusError(str(reply), where=where, hint="check user, password and database of redis.url")
        raise BusAway(str(reply), where=where)


def _run_id(reply: Any) -> str:
    for line in reply.splitlines() if isinstance(reply, bytes) else ():
        if line.startswith(b"run_id:"):
            return line.partition(b":")[2].decode()
    return ""
