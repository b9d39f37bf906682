"""The venues' doors: sockets and REST, in memory, with every fault that the world has in store for them."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from p9.simulate.faults import Scope
from tests.sim.exchange import Exchange
from tests.sim.loop import VirtualLoop

LATENCY_S = (0.002, 0.025)
SILENCE_S = 30.0
MESSAGES_A_SECOND = {"binance_spot": 5, "binance_usdm": 10, "bybit_linear": 100, "okx_swap": 100}
NETWORK = "sim://"


class Line:
    """One socket. To the venues' code it is a connection (`send`, `deliver`, `close`), to the appliance a transport (`send`, `disconnect`)."""

    def __init__(self, desk: "Desk", market: str, path: str, listener: Any):
        self.desk, self.market, self.path = desk, market, path
        self.number = desk.next_number()
        self.id = f"{self.number:08x}"
        self.combined, self.route = path.endswith("/stream"), path.strip("/").split("/")[0]
        if market == "binance_spot":
            self.route = ""
        elif market.startswith("okx"):
            self.route = "public"
        self.subscriptions: dict[Any, Any] = {}
        self.requests: deque[float] = deque()
        self.opened_s = self.last_sent_s = desk.loop.now_s
        self.listener, self.owner = listener, listener.owner
        self.transport = _Transport(self)
        self.open = True  # for the venue
        self.known = True  # the appliance still holds it
        self.dead = False  # half open: nothing comes through any more, and nobody is told
        self.muted: dict[str, float] = {}  # topic: until
        self.trickle_until_s = 0.0
        self._down: deque[tuple[bytes | None, bytes, str, bool]] = deque()
        self._up: deque[bytes] = deque()
        self._last_s = 0.0
        self._heard: deque[float] = deque()

    def __hash__(self) -> int:
        return self.number

    # what the venue does with it

    def send(self, text: str) -> None:
        """A control frame."""
        if not self.desk.faults.swallows_answer(self):
            self._put(text.encode(), b"", "control", True, 0.0)

    def deliver(self, frame: bytes, topic: str, market: str, symbol: str, kind: str, *of_a_book: object) -> None:
        """A data frame, which the world may spoil."""
        if not self.open or (market, symbol) in self.desk.exchange.delisted:
            return
        if self.muted.get(topic, 0.0) > self.desk.loop.now_s:
            return
        for data, intact, extra_s in self.desk.faults.on_frame(self, frame, topic, symbol, kind):
            self._put(data, frame, kind, intact, extra_s)

    def resume(self, frame: bytes, kind: str) -> None:
        """A frame that was held back."""
        if self.open:
            self._put(frame, frame, kind, True, 0.0)

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.open:
            self.transport.close_handshake = SimpleNamespace(recv=SimpleNamespace(code=code, reason=reason))
            self._put(None, b"", "", True, 0.0)
            self._leave()

    def cut(self) -> None:
        """As a broken line: no closing handshake, and what was on its way is lost."""
        if self.open:
            self._leave()
            self._down.clear()
            self._put(None, b"", "", True, 0.0)

    def _leave(self) -> None:
        self.open = False
        self.desk.left(self)

    def _put(self, data: bytes | None, original: bytes, kind: str, intact: bool, extra_s: float) -> None:
        loop = self.desk.loop
        self.last_sent_s = loop.now_s
        latency_s = self.desk.random.uniform(*LATENCY_S) + extra_s
        if loop.now_s < self.trickle_until_s:
            latency_s += self.desk.random.uniform(0.2, 1.5)
        self._last_s = max(self._last_s, loop.now_s + latency_s)
        self._down.append((data, original, kind, intact))
        loop.call_at(self._last_s, self._arrive)

    def _arrive(self) -> None:
        if not self._down or not self.known or self.dead:
            return
        data, original, kind, intact = self._down.popleft()
        if data is None:
            self.known = False
            self.owner.on_disconnected(self.transport)
            return
        self.desk.on_arrival(self, original, kind, intact)
        self.listener.receive(data)

    # what the appliance does with it

    def write(self, text: bytes) -> None:
        if self.known:
            self.desk.observe(b"ws>", text)
            self._up.append(text)
            self.desk.loop.call_later(self.desk.random.uniform(*LATENCY_S), self._hear)

    def _hear(self) -> None:
        if not self._up or not self.open or self.dead:
            return
        text = self._up.popleft().decode()
        now_s = self.desk.loop.now_s
        self._heard.append(now_s)
        while now_s - self._heard[0] >= 1.0:
            self._heard.popleft()
        if len(self._heard) > MESSAGES_A_SECOND[self.market]:
            self.desk.blame("message_budget", f"{self.market}: {len(self._heard)} messages within a second on one socket")
        self.desk.answer(self, text)

    def let_go(self) -> None:
        """The appliance closed it."""
        if self.known:
            self.known = False
            self.desk.loop.call_soon(self.owner.on_disconnected, self.transport)
            if self.open:
                self.desk.loop.call_later(0.01, self._gone)

    def _gone(self) -> None:
        if self.open:
            self._leave()


class _Transport:
    """What the appliance believes to be a socket of its library."""

    def __init__(self, line: Line):
        self._line = line
        self.close_handshake: Any = None

    def send(self, kind: Any, text: bytes) -> None:
        self._line.write(bytes(text))

    def send_close(self, code: int = 1000) -> None:
        pass

    def disconnect(self, graceful: bool = True) -> None:
        self._line.let_go()


class Desk:
    """`faults`: see tests.sim.faults. `blame(invariant, text)` hears what the appliance must never do to a venue."""

    def __init__(self, exchange: Exchange, loop: VirtualLoop, random: Random, blame: Callable[[str, str], None]):
        self.exchange, self.loop, self.random, self.blame = exchange, loop, random, blame
        self.faults: Any = None
        self.lines: list[Line] = []
        self.counts: Counter[str] = Counter()
        self.on_arrival: Callable[[Line, bytes, str, bool], None] = lambda line, data, kind, intact: None
        self.observe: Callable[[bytes, bytes], None] = lambda what, data: None
        self.connects: dict[str, deque[float]] = {}
        self.born_s = 0.0  # when the appliance of now began: it cannot know what the one before did in the second that it was killed in
        self._images: Counter[tuple[str, str]] = Counter()  # order books asked for and not answered
        self._number = 0
        loop.call_later(5.0, self._watch)

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def of(self, market: str) -> list[Line]:
        return [line for line in self.lines if market in ("*", line.market)]

    def left(self, line: Line) -> None:
        self.lines.remove(line)
        venue = line.market.split("_")[0]
        for name in list(line.subscriptions):
            if venue == "binance":
                self.exchange.binance[line.market].unsubscribe(line, name)
            elif venue == "bybit":
                self.exchange.bybit._leave(self.exchange.bybit.categories[line.market.removeprefix("bybit_")], line, name)
            else:
                self.exchange.okx._leave(line, name)

    def drop_all(self) -> None:
        """The appliance was killed: its sockets are gone, and nobody is told on its side."""
        for line in list(self.lines):
            line.known = False
            line._leave()
        self.born_s = self.loop.now_s

    def answer(self, line: Line, text: str) -> None:
        if self.faults.refuses_subscription(line, text):
            return
        self._watch_subscriptions(line, text)
        if line.market.startswith("binance"):
            self.exchange.binance[line.market]._answer(line, text)
        elif line.market.startswith("bybit"):
            self.exchange.bybit._answer(self.exchange.bybit.categories[line.market.removeprefix("bybit_")], line, text)
            self.exchange.note_all()
        else:
            self.exchange.okx._answer(line, text)

    def _watch_subscriptions(self, line: Line, text: str) -> None:
        """A topic that is subscribed already is not subscribed again, whatever is wrong with it."""
        if text == "ping":
            return
        asked = msgspec.json.decode(text)
        self.counts["requests"] += 1
        if line.market.startswith("bybit") and asked.get("op") == "subscribe":
            self.counts["subscribed"] += len(asked["args"])

    def _watch(self) -> None:
        """One venue closes a socket to which nothing was sent for 30 s."""
        for line in self.of("okx_swap"):
            if self.loop.now_s - line.last_sent_s > SILENCE_S:
                self.counts["closed_silent"] += 1
                line.close(4004, "No data received in 30s.")
        self.loop.call_later(5.0, self._watch)

    # sockets

    async def dial(self, listener_factory: Callable[[], Any], url: str, **options: Any) -> tuple[Any, Any]:
        """Stands for picows.ws_connect."""
        parts = urlsplit(url)
        market, path = parts.netloc, parts.path
        self.observe(b"dial", url.encode())
        self._watch_connects(market)
        wait_s = self.faults.on_connect(market)
        await asyncio.sleep(self.random.uniform(*LATENCY_S) * 3 + wait_s)
        if self.faults.refuses_connect(market):
            raise ConnectionRefusedError(f"{market} refuses")
        listener = listener_factory()
        line = Line(self, market, path, listener)
        self.lines.append(line)
        self.counts["connects"] += 1
        listener.owner.on_connected(line.transport)
        return line.transport, listener

    def _watch_connects(self, market: str) -> None:
        venue = market.split("_")[0]
        log = self.connects.setdefault(venue, deque())
        now_s = self.loop.now_s
        log.append(now_s)
        while now_s - log[0] >= 300.0:
            log.popleft()
        second = sum(1 for at_s in log if now_s - at_s < 1.0 and at_s >= self.born_s)
        if second > {"binance": 5, "bybit": 5, "okx": 3}[venue] or len(log) > 300:
            self.blame("connect_budget", f"{venue}: {second} connections within a second, {len(log)} within five minutes")

    # REST

    def session(self, **options: Any) -> "_Client":
        return _Client(self, options["timeout"].total)

    async def ask(self, url: str, params: Any) -> tuple[int, dict[str, str], list[bytes], bool]:
        """(status, headers, body in pieces, whether it breaks off behind them)."""
        parts = urlsplit(url)
        market, path, query = parts.netloc, parts.path, dict(params or ())
        self.observe(b"rest", f"{url} {query}".encode())
        self.counts["rest"] += 1
        is_book = path.endswith(("/depth", "/orderbook", "/market/books"))
        symbol = query.get("symbol") or query.get("instId") or "*"
        if is_book:
            self._images[market, symbol] += 1
            if self._images[market, symbol] > 1:
                self.blame("one_recovery", f"{market} {symbol}: {self._images[market, symbol]} order books asked for at once")
        try:
            fault = self.faults.on_rest(market, symbol, is_book)
            await asyncio.sleep(self.random.uniform(*LATENCY_S) + fault.wait_s)
            if fault.kind == "unreachable":
                raise aiohttp.ClientConnectionError("unreachable")
            status, headers, body = await self._answer(market, path, query, symbol, fault.kind)
            await asyncio.sleep(self.random.uniform(*LATENCY_S))
        finally:
            if is_book:
                self._images[market, symbol] -= 1
        return self.faults.spoil_answer(fault.kind, status, headers, body)

    async def _answer(self, market: str, path: str, query: dict[str, str], symbol: str, fault: str) -> tuple[int, dict[str, str], bytes]:
        if (market, symbol) in self.exchange.delisted:
            if market.startswith("binance"):
                return 400, {}, b'{"code":-1121,"msg":"Invalid symbol."}'
            code, text = ("retCode", "retMsg") if market.startswith("bybit") else ("code", "msg")
            return 200, {}, msgspec.json.encode({code: 10001 if code == "retCode" else "51001", text: "no such instrument", "result": {}, "data": []})
        if fault in ("stale_snapshot", "http_500"):
            self.exchange.faults.by_hand(fault, Scope(market, symbol))
        used = {name: (pool.used, pool.limit) for name, pool in self.exchange.weights.items()}
        response = await self.exchange.rests[market].answer(path, query)
        self.exchange.note_all()
        for name, pool in self.exchange.weights.items():
            if pool.used != used[name][0] and pool.used > pool.limit // 2:
                self.blame("rest_budget", f"{market}: weight {pool.used} of {pool.limit} in this minute: more than our half")
        if response.status in (418, 429, 403) or b"Too many visits" in (response.body or b""):
            self.blame("rest_budget", f"{market} {path}: {response.status} {bytes(response.body)[:80]!r}")
        return response.status, {**response.headers, "Content-Type": response.content_type}, bytes(response.body)


class _Client:
    """Stands for aiohttp.ClientSession."""

    def __init__(self, desk: Desk, timeout_s: float):
        self._desk, self._timeout_s = desk, timeout_s

    def request(self, method: str, url: str, *, params: Any = (), headers: Any = None, allow_redirects: bool = True, ssl: Any = True) -> "_Question":
        assert method == "GET", "none of the venues' public questions is another"
        return _Question(self._desk, url, params, self._timeout_s)

    async def close(self) -> None:
        pass


class _Question:
    """`async with session.request(…) as response`."""

    def __init__(self, desk: Desk, url: str, params: Any, timeout_s: float):
        self._desk, self.url, self._params, self._timeout_s = desk, url, params, timeout_s

    async def __aenter__(self) -> "_Question":
        async with asyncio.timeout(self._timeout_s):
            self.status, self.headers, self._pieces, self._breaks = await self._desk.ask(self.url, self._params)
        return self

    async def __aexit__(self, *_: Any) -> None:
        pass

    @property
    def content(self) -> "_Question":
        return self

    async def iter_any(self) -> Any:
        for piece in self._pieces:
            yield piece
        if self._breaks:
            raise aiohttp.ClientPayloadError("the connection broke in the middle of the answer")
