"""The server: its databases, its clients, and what happens to one command between arrival and answer."""

import asyncio
import secrets
import time
from collections.abc import Callable

from p9.delivery.resp_server import reply
from p9.delivery.resp_server.channels import Channels
from p9.delivery.resp_server.command import (
    DENY_OOM,
    NO_AUTH,
    PUBSUB,
    TABLE,
    UNQUEUED,
    Command,
    CommandError,
    wrong_arity,
)
from p9.delivery.resp_server.database import Database, Memory
from p9.delivery.resp_server.session import Blocked, Session

N_DATABASES = 16
BASE_BYTES = 24 << 20  # the interpreter and this code
TICK_S = 0.1
EXPIRE_PER_TICK = 2000
OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."
NO_AUTH_YET = "NOAUTH Authentication required."


class OutputLimit:
    """What may wait unsent for a subscriber before it is cut: Redis' client-output-buffer-limit pubsub. 0 = none."""

    hard_bytes = 32 << 20
    soft_bytes = 8 << 20
    soft_s = 60


class Server:
    """Single-threaded, as Redis is: one command runs at a time, and no other client's within an EXEC."""

    def __init__(
        self,
        *,
        max_memory_bytes: int = 512 << 20,
        password: str = "",
        username: str = "",
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.now_ms = now_ms
        self.password = password
        self.username = username or "default"
        self.run_id = secrets.token_hex(20)
        self.started_ms = now_ms()
        self.port = 0
        self.memory = Memory(max_memory_bytes, BASE_BYTES)
        self.databases = [Database(n, self.memory, now_ms) for n in range(N_DATABASES)]
        self.channels = Channels()
        self.sessions: dict[int, Session] = {}
        self.output_limit = OutputLimit()
        self.stopped = asyncio.Event()
        self.in_transaction = False
        self.n_connections = self.n_commands = self.n_protocol_errors = self.n_cut = self.n_error_replies = 0
        self._waiting: list[Session] = []  # have something to be written
        self._blocked: dict[tuple[int, bytes], list[Session]] = {}  # stream -> who waits in XREAD
        self._ready: list[tuple[int, bytes]] = []
        self._last_id = 0
        self._listener: asyncio.Server | None = None
        self._ticker: asyncio.Task | None = None

    # --- life

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; the port. Raises OSError when it is taken."""
        self._listener = await asyncio.get_running_loop().create_server(lambda: Session(self), host, port, backlog=511)
        self.port = self._listener.sockets[0].getsockname()[1]
        self._ticker = asyncio.create_task(self._tick())
        return self.port

    async def stop(self) -> None:
        self.stopped.set()
        if self._ticker:
            self._ticker.cancel()
        if self._listener:
            self._listener.close()
        for session in list(self.sessions.values()):
            session.close()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for database in self.databases:
                database.expire_due(EXPIRE_PER_TICK)
            for session in list(self.sessions.values()):
                if session.over_soft_limit_since_ms:
                    self.check_output_limit(session)

    # --- clients

    def next_session_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def enter(self, session: Session) -> None:
        self.sessions[session.id] = session
        self.n_connections += 1

    def leave(self, session: Session) -> None:
        self.sessions.pop(session.id, None)
        self.unblock(session)
        session.forget_transaction()
        self.channels.forget(session)

    def flush_later(self, session: Session) -> None:
        if session.mark_waiting():
            self._waiting.append(session)

    def flush(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for session in waiting:
                session.flush()

    def check_output_limit(self, session: Session) -> None:
        """Cut a subscriber that does not keep up: it would otherwise eat the memory of all."""
        limit, unsent = self.output_limit, session.output_bytes()
        if not limit.soft_bytes or unsent <= limit.soft_bytes:
            session.over_soft_limit_since_ms = 0
        elif not session.over_soft_limit_since_ms:
            session.over_soft_limit_since_ms = self.now_ms()
        since_ms = session.over_soft_limit_since_ms
        too_long = since_ms and self.now_ms() - since_ms > limit.soft_s * 1000
        if too_long or 0 < limit.hard_bytes < unsent:
            self.n_cut += 1
            session.cut()

    # --- commands

    def execute(self, session: Session, args: list[bytes]) -> bytes | None:
        """One command of a client. The checks stand in Redis' order (server.c, processCommand)."""
        self.n_commands += 1
        name = args[0]
        row = TABLE.get(name) or TABLE.get(name.lower())
        try:
            if row is None:
                raise CommandError(_unknown(args))
            if len(args) != row.arity if row.arity > 0 else len(args) < -row.arity:
                raise wrong_arity(row.name)
            if not session.authenticated and not row.flags & NO_AUTH:
                raise CommandError(NO_AUTH_YET)
            if self.memory.full():
                self._refuse_if_over_memory(session, row)
            if session.resp == 2 and not row.flags & PUBSUB and session.is_subscriber:
                raise CommandError(
                    f"ERR Can't execute '{row.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
                )
        except CommandError as exc:
            self.n_error_replies += 1
            if session.queue is not None:
                session.transaction_broken = True
                if row is not None and row.name == "exec":
                    session.forget_transaction()
                    reason = str(exc).removeprefix("ERR ")
                    return reply.error(f"EXECABORT Transaction discarded because of: {reason}")
            return reply.error(str(exc))
        session.last_command = row.name
        if session.queue is not None and not row.flags & UNQUEUED:
            session.queue.append((row, args))
            session.queue_flags |= row.flags
            return reply.QUEUED
        answer = self.call(session, row, args)
        if self._ready:
            self._serve_blocked()
        return answer

    def call(self, session: Session, row: Command, args: list[bytes]) -> bytes | None:
        """Run it, whatever the checks would say: also the road of EXEC."""
        try:
            return row.run(self, session, args)
        except CommandError as exc:
            self.n_error_replies += 1
            return reply.error(str(exc))

    def _refuse_if_over_memory(self, session: Session, row: Command) -> None:
        refused = row.flags & DENY_OOM
        if session.queue is not None:
            if row.name == "exec":
                refused = session.queue_flags & DENY_OOM
            elif row.name not in ("discard", "quit", "reset"):
                refused = True  # a queue takes memory too
        if refused:
            raise CommandError(OUT_OF_MEMORY)

    # --- XREAD BLOCK

    def block(self, session: Session, blocked: Blocked, timeout_ms: int, on_timeout: bytes) -> None:
        """Hold the client's further commands until try_again() answers or the time is over (0 = never)."""
        session.blocked = blocked
        for key in blocked.keys:
            self._blocked.setdefault(key, []).append(session)
        if timeout_ms:
            loop = asyncio.get_running_loop()
            blocked.timer = loop.call_later(timeout_ms / 1000, self._resume, session, on_timeout)

    def unblock(self, session: Session) -> None:
        blocked, session.blocked = session.blocked, None
        if blocked is None:
            return
        if blocked.timer:
            blocked.timer.cancel()
        for key in blocked.keys:
            waiting = self._blocked[key]
            waiting.remove(session)
            if not waiting:
                del self._blocked[key]

    def stream_grew(self, database: Database, key: bytes) -> None:
        if self._blocked and (database.index, key) in self._blocked:
            self._ready.append((database.index, key))

    def _serve_blocked(self) -> None:
        """After the whole command (or EXEC), so that a reader sees the batch and not its first entry."""
        ready, self._ready = self._ready, []
        for key in dict.fromkeys(ready):
            for session in list(self._blocked.get(key, ())):
                answer = session.blocked.try_again()
                if answer is not None:
                    self._resume(session, answer, flush=False)

    def _resume(self, session: Session, answer: bytes, flush: bool = True) -> None:
        self.unblock(session)
        session.push(answer)
        if flush:
            self.flush()
        asyncio.get_running_loop().call_soon(session.run)  # what it had sent behind the XREAD


def _unknown(args: list[bytes]) -> str:
    rest = ""
    for arg in args[1:]:
        if len(rest) >= 128:
            break
        rest += f"'{arg[: 128 - len(rest)].decode('utf-8', 'replace')}' "
    return f"ERR unknown command '{args[0][:128].decode('utf-8', 'replace')}', with args beginning with: {rest}"
