"""Which Redis we talk to: the user's own, the bundled Valkey, or the built-in server; and the life of those of ours."""

import asyncio
import errno
import socket
import ssl
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import structlog
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from p9.delivery.bus import Bus
from p9.delivery.cluster import ClusterBus
from p9.delivery.sentinel import SentinelBus, sentinels
from p9.delivery.valkey import ValkeyProcess, find_binary
from p9.errors import BusAway, BusBusy, BusError, ConfigError, P9Error

log = structlog.get_logger(__name__)

Mode = Literal["auto", "external", "embedded"]

HOST = "127.0.0.1"
MAX_MEMORY_BYTES = 512 << 20
ANSWER_TIMEOUT_S = 1.0
OLDEST_VERSION = (6, 2)
RESTART_DELAY_S = 0.1
MAX_RESTART_DELAY_S = 5.0
STEADY_S = 60.0  # who lived so long is restarted without delay again
NOBODY_THERE = {
    errno.ECONNREFUSED,
    errno.ENOENT,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EADDRNOTAVAIL,
}
NOBODY_THERE_WINDOWS = {121, 1225, 1231, 1232}  # a time-out, refused, no way to the network, none to the host: asyncio's own loop there says these


class Child(Protocol):
    """A server process of ours."""

    kind: str

    @property
    def pid(self) -> int | None: ...
    async def start(self, host: str, port: int) -> int: ...
    async def wait(self) -> str: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Tls:
    """For rediss:// URLs; empty = the system's certificates, no client certificate."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    check_hostname: bool = True


@dataclass(slots=True)
class RedisServer:
    """The chosen server. `url` connects, secrets included; everything else may be shown."""

    kind: Literal["external", "valkey", "builtin"]
    url: str = field(repr=False)
    version: str = ""
    run_id: str = ""
    role: str = ""
    host: str = ""
    port: int = 0
    unix_path: str = ""
    pid: int | None = None  # of the child; None for a server that is not ours
    reason: str = ""  # why it is this one and not an earlier choice
    n_restarts: int = 0
    form: Literal["standalone", "sentinel", "cluster"] = "standalone"
    hosts: tuple[tuple[str, int], ...] = ()  # the URL's: of Sentinels, or of nodes
    master: str = ""  # its name among the Sentinels
    sentinel_password: str = field(default="", repr=False)
    options: dict[str, Any] = field(default_factory=dict, repr=False)  # redis-py's: credentials, database, TLS
    _child: Child | None = field(default=None, repr=False)
    _keeper: asyncio.Task | None = field(default=None, repr=False)

    @property
    def ours(self) -> bool:
        return self._child is not None

    def bus(self) -> Bus:
        """The way to it."""
        if self.form == "sentinel":
            return SentinelBus(list(self.hosts), self.master, self.sentinel_password, **self.options)
        if self.form == "cluster":
            return ClusterBus(list(self.hosts), **self.options)
        return Bus(self.url, **{key: value for key, value in self.options.items() if key.startswith("ssl_")})

    def status(self) -> dict[str, object]:
        """For the log, /status and the dashboard; JSON types, no secrets."""
        return {
            "kind": self.kind,
            "form": self.form,
            "url": without_secret(self.url),
            "version": self.version,
            "run_id": self.run_id,
            "role": self.role,
            "pid": self.pid,
            "reason": self.reason,
            "n_restarts": self.n_restarts,
        }

    async def stop(self) -> None:
        """Ends what choose() started, nothing else. May be called twice."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        child, self._child = self._child, None
        if child is not None:
            await child.stop()

    async def _keep(self) -> None:
        """Start the child again on the same port when it ends by itself: clients reconnect, and see a new run_id."""
        loop, delay_s = asyncio.get_running_loop(), RESTART_DELAY_S
        while True:
            began = loop.time()
            how = await self._child.wait()
            if loop.time() - began > STEADY_S:
                delay_s = RESTART_DELAY_S
            log.error("embedded Redis ended by itself, starting it again", server=self.kind, port=self.port, how=how)
            while True:
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, MAX_RESTART_DELAY_S)
                try:
                    await self._child.start(self.host, self.port)
                    await _read_identity(self)
                    break
                except (OSError, RuntimeError, P9Error) as exc:
                    log.error("embedded Redis does not start again", server=self.kind, port=self.port, error=str(exc))
            self.pid = self._child.pid
            self.n_restarts += 1


async def choose(
    mode: Mode,
    url: str,
    *,
    username: str = "",
    password: str = "",
    tls: Tls | None = None,
    sentinel_master: str = "",
    sentinel_password: str = "",
    data_dir: Path,
    port: int = 0,
    max_memory_bytes: int = MAX_MEMORY_BYTES,
) -> RedisServer:
    """A server that answers.

    auto: the one at `url` if it answers within a second; else the bundled Valkey; else the built-in one. An own server
    listens on 127.0.0.1, on `port` if that is given and free, else on any free port, and asks for the same username and
    password as the external one would. Raises BusAway when mode is external and nobody answers; BusError when somebody
    does who refuses us (password, rights, TLS) or is no Redis: an own server never papers over that; BusBusy when it
    takes no more clients; ConfigError for a URL that is none. The URL may name several hosts, separated by commas: nodes of a Cluster, which is
    recognised by itself, or with `sentinel_master` Sentinels.
    Call it from the main thread: on Linux the child is tied to the life of the thread that starts it.
    """
    reason = "redis.mode is embedded"
    if mode != "embedded":
        hosts = _hosts(url)
        address = _address(_of_one(url), username, password, tls or Tls())
        try:
            if sentinel_master:
                return await _watched(url, hosts, address, sentinel_master, sentinel_password)
            return await _external(url, hosts, address)
        except BusAway as exc:
            if mode == "external":
                raise
            reason = f"{exc.where}: {exc.message}"
    return await _own(username, password, data_dir, port, max_memory_bytes, reason)


# --- the user's own server


def _address(url: str, username: str, password: str, tls: Tls) -> dict:
    """Keyword arguments for redis-py. Raises P9Error STOP on what is no Redis URL."""
    try:
        address = dict(parse_url(url))
    except ValueError as exc:
        raise ConfigError(
            f"{without_secret(url)!r} is no Redis URL: {exc}",
            where="redis.url",
            hint="write redis://host:6379/0, rediss://… for TLS, or unix:///path/to/redis.sock",
        ) from None
    address.pop("connection_class", None)
    if username:
        address["username"] = username
    if password:
        address["password"] = password
    if urlsplit(url).scheme == "rediss":
        address["ssl"] = True
        address["ssl_check_hostname"] = tls.check_hostname
        for key, path in (
            ("ssl_ca_certs", tls.ca_file),
            ("ssl_certfile", tls.cert_file),
            ("ssl_keyfile", tls.key_file),
        ):
            if path:
                address[key] = path
    if "path" in address:
        address["unix_socket_path"] = address.pop("path")
    return address


async def _external(url: str, hosts: list[tuple[str, int]], address: dict) -> RedisServer:
    """The first of the hosts that answers."""
    away: BusAway | None = None
    for host, port in hosts or [("", 0)]:
        known = {**address, "host": host, "port": port} if hosts else address
        server = RedisServer(
            "external",
            _with_secret(url, address.get("username", ""), address.get("password", "")),
            host=host,
            port=port,
            unix_path=address.get("unix_socket_path", ""),
            reason="it answers",
            hosts=tuple(hosts),
            options={key: value for key, value in address.items() if key not in ("host", "port", "unix_socket_path")},
        )
        try:
            await _read_identity(server, known)
        except BusAway as error:
            away = away or error
            continue
        if len(hosts) > 1 and server.form != "cluster":
            raise ConfigError(
                f"{without_secret(url)!r} names {len(hosts)} hosts, and {host}:{port} is no node of a Cluster", where="redis.url",
                hint="name one host; or the Sentinels, and their master in redis.sentinel_master",
            )  # fmt: skip
        return server
    assert away is not None
    raise away


async def _watched(url: str, hosts: list[tuple[str, int]], address: dict, master: str, password: str) -> RedisServer:
    """The master that the Sentinels name."""
    options = {key: value for key, value in address.items() if key not in ("host", "port", "unix_socket_path")}
    asked = sentinels(hosts, password, **options)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            host, port = await asked.discover_master(master)
    except (TimeoutError, OSError, exceptions.RedisError) as error:
        raise BusAway(
            f"no Sentinel names a master {master!r}: {error or type(error).__name__}", where=without_secret(url),
            hint="check redis.url, which names the Sentinels, and redis.sentinel_master",
        ) from None  # fmt: skip
    finally:
        for sentinel in asked.sentinels:
            await sentinel.aclose()
    server = RedisServer(
        "external", _with_secret(url, address.get("username", ""), address.get("password", "")), host=host, port=port, reason="the Sentinels name it",
        form="sentinel", hosts=tuple(hosts), master=master, sentinel_password=password, options=options,
    )  # fmt: skip
    await _read_identity(server, {**address, "host": host, "port": port})
    return server


async def _read_identity(server: RedisServer, address: dict | None = None) -> None:
    """PING within ANSWER_TIMEOUT_S, then fill in version, run_id, role. Raises P9Error."""
    shown = without_secret(server.url)
    if address is None:
        address = _address(server.url, "", "", Tls())
    try:
        client = Redis(
            **address,
            protocol=2,
            socket_timeout=ANSWER_TIMEOUT_S,
            socket_connect_timeout=ANSWER_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        async with client, asyncio.timeout(ANSWER_TIMEOUT_S):
            await client.ping()
            try:
                info = await client.info()
            except exceptions.NoPermissionError:
                info = {}  # a user without INFO can still publish
    except exceptions.BusyLoadingError:
        server.reason = "it answers, and is loading its data"
        return
    except Exception as exc:
        raise _what_happened(exc, shown, address) from exc
    version = str(info.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers and numbers < OLDEST_VERSION:
        raise BusError(
            f"the server is Redis {version}",
            where=shown,
            hint=f"{OLDEST_VERSION[0]}.{OLDEST_VERSION[1]} or newer is needed, or set redis.mode to embedded",
        )
    server.version = f"valkey {info['valkey_version']}" if "valkey_version" in info else f"redis {version}".strip()
    server.run_id = str(info.get("run_id", ""))
    server.role = str(info.get("role", ""))
    if info.get("cluster_enabled") or info.get("redis_mode") == "cluster":
        server.form = "cluster"


def _what_happened(exc: Exception, shown: str, address: dict) -> P9Error:
    """Nobody there -> BusAway. Somebody there who does not let us in, or is no Redis -> BusError."""
    chain = list(_causes(exc))
    text = str(exc)

    def refused(message: str, hint: str) -> BusError:
        return BusError(message, where=shown, hint=hint)

    if isinstance(exc, exceptions.AuthenticationError) or text.startswith(("NOAUTH", "WRONGPASS")):
        if address.get("password"):
            return refused(f"Redis refused the username or password: {text}", "check redis.username and the password")
        return refused(f"Redis asks for a password: {text}", "put it where redis.password_env or redis.password_file says")
    if isinstance(exc, exceptions.NoPermissionError):
        return refused(
            f"Redis refused PING: {text}",
            "give the user of redis.username the right to PING, INFO, PUBLISH and the stream commands",
        )
    if isinstance(exc, exceptions.MaxConnectionsError) or "max number of clients" in text:
        return BusBusy(f"Redis takes no more clients: {text}", where=shown, hint="raise its maxclients")
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return refused(f"TLS failed: {text}", "check that the port speaks TLS, and redis.tls_ca_file")
    if any(isinstance(cause, PermissionError) for cause in chain):
        return refused(f"no right to open the socket: {text}", "let this user read and write the Redis socket")
    if isinstance(exc, exceptions.InvalidResponse | exceptions.ResponseError):
        return refused(f"what answers there refuses PING or is no Redis: {text}", "check redis.url")
    nobody = any(
        isinstance(cause, TimeoutError | exceptions.TimeoutError | socket.gaierror | ConnectionRefusedError)
        or (isinstance(cause, OSError) and (cause.errno in NOBODY_THERE or getattr(cause, "winerror", None) in NOBODY_THERE_WINDOWS))
        for cause in chain
    )
    if nobody:
        tls = ", check whether the port speaks TLS" if address.get("ssl") else ""
        return BusAway(
            f"Redis does not answer within {ANSWER_TIMEOUT_S:g} s: {text or type(exc).__name__}",
            where=shown,
            hint=f"start it, correct redis.url{tls}, or set redis.mode to auto or embedded",
        )
    return refused(
        f"what listens there closed the connection: {text or type(exc).__name__}",
        "check redis.url; a TLS port wants rediss://",
    )


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        if isinstance(exc, BaseExceptionGroup):
            for inner in exc.exceptions:
                yield from _causes(inner)
        exc = exc.__cause__ or exc.__context__


# --- a server of our own


async def _own(username: str, password: str, data_dir: Path, port: int, max_memory_bytes: int, reason: str) -> RedisServer:
    binary = find_binary() if sys.platform != "win32" else None
    if binary is None:
        reason += "; no Valkey binary for this machine"
    for child in _children(binary, data_dir, {"username": username, "password": password, "max_memory_bytes": max_memory_bytes}):
        for wanted in dict.fromkeys((port, 0)):
            try:
                chosen = await child.start(HOST, wanted)
            except (OSError, RuntimeError) as exc:
                where = f"port {wanted}" if wanted else "any port"
                reason += f"; {child.kind} did not start on {where}: {exc}"
                log.warning("embedded Redis did not start", server=child.kind, port=wanted, error=str(exc))
                continue
            url = _with_secret(f"redis://{HOST}:{chosen}/0", username, password)
            server = RedisServer(child.kind, url, host=HOST, port=chosen, pid=child.pid, reason=reason, _child=child)
            try:
                await _read_identity(server)
            except BaseException:
                await child.stop()
                raise
            server._keeper = asyncio.create_task(server._keep())
            return server
    raise BusError(
        f"no Redis to publish to: {reason}",
        where="redis.mode",
        hint="install and start a Redis server 6.2 or newer and set redis.url",
    )


def _children(binary: Path | None, data_dir: Path, secrets: dict[str, Any]) -> Iterator[Child]:
    """Who may be the server, the best first."""
    if binary is not None:
        yield ValkeyProcess(binary, data_dir=data_dir, **secrets)
    from p9.delivery.resp_server.process import BuiltinProcess  # thirty modules, which nobody needs where there is a Valkey

    yield BuiltinProcess(**secrets)


# --- URLs


def _hosts(url: str) -> list[tuple[str, int]]:
    """What the URL names, in its order; none for a socket. Raises ConfigError."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return []
    found = []
    for place in parts.netloc.rpartition("@")[2].split(","):
        try:
            one = urlsplit(f"redis://{place}")
            found.append((one.hostname or "localhost", one.port or 6379))
        except ValueError as error:
            raise ConfigError(f"{without_secret(url)!r}: {place!r} is no host and port: {error}", where="redis.url") from None
    return found


def _of_one(url: str) -> str:
    """The URL with its first host alone, as redis-py reads it."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{hosts.partition(',')[0]}"))


def _with_secret(url: str, username: str, password: str) -> str:
    parts = urlsplit(url)
    if not password:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(username, safe='')}:{quote(password, safe='')}@{host}"))


def without_secret(url: str) -> str:
    """The URL as it may be shown: user kept, password starred, also where it stands in the query."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    query = "&".join(
        f"{key}=***" if equals and key.lower() in ("password", "ssl_password") else f"{key}{equals}{value}"
        for key, equals, value in (item.partition("=") for item in parts.query.split("&"))
    )
    return urlunsplit(parts._replace(netloc=f"{name}{':***' if colon else ''}{at}{host}", query=query))
