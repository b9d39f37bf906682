"""One client: its socket, what it has chosen, what it waits for. What its commands do stands in server.py."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from p9.delivery.resp_server import reply
from p9.delivery.resp_server.database import Database
from p9.delivery.resp_server.request import ProtocolError, RequestReader

PAUSE_BYTES = 1 << 20  # a client that does not read its replies is not read from either


class Blocked:
    """A client waiting in XREAD BLOCK. try_again() gives the reply, or None to go on waiting."""

    __slots__ = ("keys", "timer", "try_again")

    def __init__(self, keys: list[tuple[int, bytes]], try_again: Callable[[], bytes | None]) -> None:
        self.keys = keys
        self.try_again = try_again
        self.timer: asyncio.TimerHandle | None = None


class Host(Protocol):
    """What a session needs of its server."""

    databases: list[Database]
    password: str
    n_protocol_errors: int

    def now_ms(self) -> int: ...
    def next_session_id(self) -> int: ...
    def enter(self, session: "Session") -> None: ...
    def leave(self, session: "Session") -> None: ...
    def execute(self, session: "Session", args: list[bytes]) -> bytes | None: ...
    def flush_later(self, session: "Session") -> None: ...
    def flush(self) -> None: ...
    def check_output_limit(self, session: "Session") -> None: ...


class Session(asyncio.Protocol):
    def __init__(self, server: Host) -> None:
        self.server = server
        self.id = server.next_session_id()
        self.since_ms = self.last_command_ms = server.now_ms()
        self.name = self.lib_name = self.lib_ver = b""
        self.last_command = "NULL"
        self.address = self.local_address = ""
        self.queue: list | None = None  # commands since MULTI
        self.queue_flags = 0
        self.transaction_broken = False  # a command was refused while queueing: EXECABORT
        self.transaction_stale = False  # a watched key has changed: EXEC answers null
        self.watched: list[tuple[int, bytes]] = []
        self.channels: dict[bytes, None] = {}
        self.patterns: dict[bytes, None] = {}
        self.shard_channels: dict[bytes, None] = {}
        self.blocked: Blocked | None = None
        self.closing = False
        self.over_soft_limit_since_ms = 0
        self._transport: asyncio.Transport | None = None
        self._reader = RequestReader()
        self._out: list[bytes] = []
        self._out_waiting = False  # in the server's list of sessions to flush
        self._paused = False
        self.reset()

    def reset(self) -> None:
        """As after connecting."""
        self.resp = 2
        self.database = self.server.databases[0]
        self.user = ""
        self.allow(not self.server.password)

    def allow(self, authenticated: bool) -> None:
        self.authenticated = self._reader.trusted = authenticated
        if authenticated:
            self.user = self.user or "default"

    @property
    def n_subscriptions(self) -> int:
        return len(self.channels) + len(self.patterns)

    @property
    def is_subscriber(self) -> bool:
        return bool(self.channels or self.patterns or self.shard_channels)

    # --- its transaction

    def forget_transaction(self) -> None:
        self.queue = None
        self.queue_flags = 0
        self.transaction_broken = False
        self.unwatch()

    def unwatch(self) -> None:
        for index, key in self.watched:
            watched = self.server.databases[index].watched
            sessions = watched.get(key)
            if sessions is not None:
                sessions.discard(self)
                if not sessions:
                    del watched[key]
        self.watched.clear()
        self.transaction_stale = False

    # --- the socket

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=PAUSE_BYTES)
        self.address = _address(transport.get_extra_info("peername"))
        self.local_address = _address(transport.get_extra_info("sockname"))
        self.server.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        self.server.leave(self)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        self.run()

    def pause_writing(self) -> None:
        self._paused = True
        if not self.is_subscriber and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self.run()

    def run(self) -> None:
        """Execute what has arrived; then one write per client that got something."""
        server, reader = self.server, self._reader
        try:
            while not (self.blocked or self.closing or (self._paused and not self.is_subscriber)):
                args = reader.take()
                if args is None:
                    break
                answer = server.execute(self, args)
                if answer is not None:
                    self._out.append(answer)
        except ProtocolError as exc:
            server.n_protocol_errors += 1
            self._out.append(reply.error(f"ERR Protocol error: {exc}"))
            self.closing = True
        if self._out:
            server.flush_later(self)
        server.flush()
        if self.closing and self._transport is not None:
            self._transport.close()

    def push(self, message: bytes) -> None:
        """Say something that is no answer of this turn."""
        self._out.append(message)
        self.server.flush_later(self)

    def flush(self) -> None:
        self._out_waiting = False
        if self._out and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
            if self.is_subscriber:
                self.server.check_output_limit(self)
        self._out.clear()

    def output_bytes(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport else 0

    def mark_waiting(self) -> bool:
        """True the first time since the last flush."""
        first = not self._out_waiting
        self._out_waiting = True
        return first

    def close(self) -> None:
        """After what was written."""
        self.closing = True
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        """At once, with what is still unsent."""
        self.closing = True
        self._out.clear()
        self._transport.abort()


def _address(name: object) -> str:
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name or "")
