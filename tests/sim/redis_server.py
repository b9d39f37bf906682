"""A model of Redis, as far as the appliance talks to it: strings, streams, publishing, transactions. It can die, forget, stall and refuse."""

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

import hiredis

from tests.sim.loop import VirtualLoop

LATENCY_S = (0.0002, 0.0012)  # one way
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
OOM = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
READONLY = b"-READONLY You can't write against a read only replica.\r\n"
REFUSALS = {"loading": LOADING, "oom": OOM, "readonly": READONLY}
WRITES = {b"XADD", b"SET", b"XTRIM", b"EVAL", b"DEL"}
SMALLER = b"-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n"
HELD_AT_MOST = 1 << 20  # bytes that a client may leave unread by a stalled server before its writes are paused


def bulk(data: bytes | None) -> bytes:
    return b"$-1\r\n" if data is None else b"$%d\r\n%b\r\n" % (len(data), data)


def array(*parts: bytes) -> bytes:
    return b"*%d\r\n%b" % (len(parts), b"".join(parts))


class Wire(asyncio.Transport):
    """The client's end of one connection. Bytes go over in order, each way after a latency."""

    def __init__(self, loop: VirtualLoop, server: "RedisServer", protocol: asyncio.Protocol):
        super().__init__()
        self._loop, self._server, self._protocol = loop, server, protocol
        self._up: deque[bytes] = deque()
        self._down: deque[bytes] = deque()
        self._closing = False
        self.gone = False
        self._paused = False
        self._reading = True
        self.session = Session(server, self)

    # the client's side

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self._up))

    def set_write_buffer_limits(self, high: Any = None, low: Any = None) -> None:
        pass

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._deliver()

    def is_reading(self) -> bool:
        return self._reading

    def can_write_eof(self) -> bool:
        return False

    def write(self, data: Any) -> None:
        if self._closing or not data:
            return
        self._up.append(bytes(data))
        self._loop.call_later(self._server.latency_s(), self._arrive)
        if not self._paused and self.get_write_buffer_size() > HELD_AT_MOST:
            self._paused = True
            self._protocol.pause_writing()

    def _arrive(self) -> None:
        wait_s = self._server.stalled_until_s - self._loop.now_s
        if wait_s > 0 and not self.gone:
            self._loop.call_later(wait_s, self._arrive)
            return
        if self._up and not self.gone:
            self.session.on_bytes(self._up.popleft())
            if self._paused and self.get_write_buffer_size() < HELD_AT_MOST // 2:
                self._paused = False
                self._protocol.resume_writing()

    def close(self) -> None:
        self._end(None, server_knows=True)

    def abort(self) -> None:
        self._end(None, server_knows=True)

    # the server's side

    def send(self, data: bytes) -> None:
        if not self.gone:
            self._down.append(data)
            self._loop.call_later(self._server.latency_s(), self._deliver)

    def _deliver(self) -> None:
        if self._down and self._reading and not self._closing:
            self._protocol.data_received(self._down.popleft())

    def cut(self) -> None:
        """The connection breaks, both ways; what was on its way is lost."""
        self.gone = True
        self._end(ConnectionResetError("connection lost"), server_knows=False)

    def cut_behind(self, data: bytes) -> None:
        """These bytes still arrive, then the connection breaks."""
        self.send(data)
        self.gone = True
        self._loop.call_later(0.005, self._end, ConnectionResetError("connection lost"), False)

    def _end(self, error: Exception | None, server_knows: bool) -> None:
        if self._closing:
            return
        self._closing = True
        self._loop.call_soon(self._tell_lost, error)
        if server_knows and self._up:  # what was written before the close still gets there
            self._loop.call_later(self._server.latency_s() + 0.001, self._last_words)
        else:
            self._server.sessions.discard(self.session)

    def _tell_lost(self, error: Exception | None) -> None:
        self._protocol.connection_lost(error)  # whoever that is by then, as asyncio has it: a lane may have taken over from the handshake

    def _last_words(self) -> None:
        while self._up and not self.gone and self._server.up:
            self.session.on_bytes(self._up.popleft())
        self.gone = True
        self._server.sessions.discard(self.session)


class Session:
    """The server's view of one connection."""

    def __init__(self, server: "RedisServer", wire: Wire):
        self.server, self.wire = server, wire
        self.number = server.next_number()
        self._reader = hiredis.Reader()
        self._queue: list[list[bytes]] | None = None
        self._spoiled = False

    def __hash__(self) -> int:
        return self.number

    def on_bytes(self, data: bytes) -> None:
        server = self.server
        if not server.up:
            self.wire.cut()
            return
        self._reader.feed(data)
        out = []
        while (request := self._reader.gets()) is not False:
            out.append(self._answer(request))
        said = b"".join(out)
        if not said:
            return
        if server.cuts_replies and server.random.random() < server.cuts_replies:
            server.count("cut_in_reply")
            self.wire.cut_behind(said[: server.random.randrange(len(said))])
            server.sessions.discard(self)
            return
        self.wire.send(said)

    def _answer(self, request: list[bytes]) -> bytes:
        name = request[0].upper()
        if name == b"MULTI":
            self._queue, self._spoiled = [], False
            return b"+OK\r\n"
        refused = self.server.refusal(name)
        if self._queue is None:
            return refused or self.server.execute(request)
        if name == b"EXEC":
            queue, self._queue = self._queue, None
            if self._spoiled:
                return b"-EXECABORT Transaction discarded because of previous errors.\r\n"
            return array(*(self.server.execute(one) for one in queue))
        if refused:
            self._spoiled = True
            return refused
        self._queue.append(request)
        return b"+QUEUED\r\n"


class Stream:
    """Entries in the order of their ids, (ms, seq)."""

    def __init__(self) -> None:
        self.ids: list[tuple[int, int]] = []
        self.payloads: list[bytes] = []
        self.times_s: list[float] = []  # when each was stored
        self.last_id = (0, 0)

    def forget_since(self, at_s: float) -> int:
        """As a server that died before it wrote to its disk."""
        n = len(self.times_s)
        while self.times_s and self.times_s[-1] >= at_s:
            self.times_s.pop()
            self.ids.pop()
            self.payloads.pop()
        self.last_id = self.ids[-1] if self.ids else (0, 0)
        return n - len(self.times_s)


class RedisServer:
    """`on_publish(channel, payload)` is a consumer that hears everything; `on_store(key, id, payload)` sees what enters a stream."""

    def __init__(self, loop: VirtualLoop, random: Random):
        self.loop, self.random = loop, random
        self.up = True
        self.killed_s = 0.0
        self.run_id = self._new_run_id()
        self.strings: dict[bytes, bytes] = {}
        self.streams: dict[bytes, Stream] = {}
        self.sessions: set[Session] = set()
        self.on_publish: Callable[[bytes, bytes], None] = lambda channel, payload: None
        self.on_store: Callable[[bytes, tuple[int, int], bytes], None] = lambda key, id, payload: None
        self.counts: dict[str, int] = {}
        # faults
        self.stalled_until_s = 0.0
        self.refuses = ""  # a key of REFUSALS
        self.accepts = True
        self.slow_s = 0.0
        self.cuts_replies = 0.0  # a share
        self._number = 0

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def latency_s(self) -> float:
        return self.random.uniform(*LATENCY_S) + self.slow_s

    def _new_run_id(self) -> str:
        return f"{self.random.getrandbits(160):040x}"

    async def connect(self, protocol_factory: Callable[[], asyncio.Protocol], host: str, port: int) -> tuple[Wire, asyncio.Protocol]:
        await asyncio.sleep(self.latency_s())
        if not self.up or not self.accepts:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port}")
        protocol = protocol_factory()
        wire = Wire(self.loop, self, protocol)
        self.sessions.add(wire.session)
        protocol.connection_made(wire)
        return wire, protocol

    def cut_all(self) -> None:
        for session in sorted(self.sessions, key=lambda session: session.number):
            session.wire.cut()
        self.sessions.clear()

    def kill(self) -> None:
        self.up = False
        self.killed_s = self.loop.now_s
        self.cut_all()

    def revive(self, forgets_s: float = 0.0) -> int:
        """A new process over the same data, without what was stored in the last `forgets_s` before it died; how many entries are gone."""
        self.up = True
        self.run_id = self._new_run_id()
        if not forgets_s:
            return 0
        return sum(stream.forget_since(self.killed_s - forgets_s) for stream in self.streams.values())

    def refusal(self, name: bytes) -> bytes:
        if self.refuses and (name in WRITES or (self.refuses == "loading" and name not in (b"PUBLISH", b"EXEC", b"INFO", b"CLIENT", b"HELLO", b"PING"))):
            self.count(self.refuses)
            return REFUSALS[self.refuses]
        return b""

    def execute(self, request: list[bytes]) -> bytes:
        name, *args = request
        match name.upper():
            case b"PUBLISH" | b"SPUBLISH":
                self.on_publish(args[0], args[1])
                return b":1\r\n"
            case b"XADD":
                return self._xadd(args)
            case b"SET":
                self.strings[args[0]] = args[1]
                return b"+OK\r\n"
            case b"GET":
                return bulk(self.strings.get(args[0]))
            case b"XRANGE":
                return self._xrange(args)
            case b"XINFO":
                return self._xinfo(args[1])
            case b"INFO":
                return bulk(f"# Server\r\nredis_version:7.4.0\r\nrun_id:{self.run_id}\r\n".encode())
            case b"PING":
                return b"+PONG\r\n"
            case b"HELLO":
                fields = (b"server", b"redis", b"version", b"7.4.0", b"proto")
                return b"%%7\r\n%b:3\r\n%b:1\r\n%b%b%b" % (
                    b"".join(map(bulk, fields)), bulk(b"id"), b"".join(map(bulk, (b"mode", b"standalone", b"role", b"master"))), bulk(b"modules"), b"*0\r\n",
                )  # fmt: skip
            case b"CLIENT" | b"AUTH" | b"SELECT" | b"WATCH" | b"UNWATCH":
                if args and args[0].upper() == b"MAINT_NOTIFICATIONS":
                    return b"-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n"
                return b"+OK\r\n"
        return b"-ERR unknown command '%b'\r\n" % name

    def _xadd(self, args: list[bytes]) -> bytes:
        key, at = args[0], 1
        if args[1].upper() in (b"MINID", b"MAXLEN"):
            at = 4 if args[2] in (b"~", b"=") else 3
        ms, _, seq = args[at].partition(b"-")
        id = (int(ms), int(seq))
        stream = self.streams.setdefault(key, Stream())
        if id <= stream.last_id:
            self.count("smaller")
            return SMALLER
        stream.last_id = id
        stream.ids.append(id)
        stream.payloads.append(args[at + 2])
        stream.times_s.append(self.loop.now_s)
        self.on_store(key, id, args[at + 2])
        return bulk(args[at])

    def _entry(self, stream: Stream, ix: int) -> bytes:
        ms, seq = stream.ids[ix]
        return array(bulk(b"%d-%d" % (ms, seq)), array(bulk(b"e"), bulk(stream.payloads[ix])))

    def _xrange(self, args: list[bytes]) -> bytes:
        stream = self.streams.get(args[0])
        if stream is None:
            return b"*0\r\n"
        first, last = (_id(args[1], 0), _id(args[2], 1 << 63))
        most = int(args[4]) if len(args) > 4 else 1 << 30
        found, ix = [], bisect_left(stream.ids, first)
        while ix < len(stream.ids) and stream.ids[ix] <= last and len(found) < most:
            found.append(self._entry(stream, ix))
            ix += 1
        return array(*found)

    def _xinfo(self, key: bytes) -> bytes:
        stream = self.streams.get(key)
        if stream is None:
            return b"-ERR no such key\r\n"
        ms, seq = stream.last_id
        return array(
            bulk(b"length"), b":%d\r\n" % len(stream.ids), bulk(b"last-generated-id"), bulk(b"%d-%d" % (ms, seq)), bulk(b"groups"), b":0\r\n",
            bulk(b"first-entry"), bulk(None), bulk(b"last-entry"), bulk(None),
        )  # fmt: skip


def _id(text: bytes, default_seq: int) -> tuple[int, int]:
    if text in (b"-", b"+"):
        return (0, 0) if text == b"-" else (1 << 63, 0)
    ms, dash, seq = text.partition(b"-")
    return int(ms), int(seq) if dash else default_seq
