"""One WebSocket of a client: its queue, its subscriptions, its faults."""

import asyncio
import time
from collections import deque
from itertools import count

from aiohttp import WSMsgType, web

from p9.simulate.faults import Faults
from p9.simulate.incidents import Link

MOST_QUEUED = 50_000
_numbers = count(1)


class Connection:
    """`market` names the sockets for fault scopes. `too_slow` is the close code for a client that does not read."""

    def __init__(self, ws: web.WebSocketResponse, market: str, faults: Faults, *, too_slow: int = 1008):
        self.ws, self.market, self.faults = ws, market, faults
        self.number = next(_numbers)
        self.id = f"{self.number * 0x9E3779B1 % (1 << 32):08x}"
        self.subscriptions: dict[str, object] = {}
        self.combined = False
        self.route = ""
        self.opened_s = self.last_sent_s = time.monotonic()
        self.muted_until_s = 0.0
        self._too_slow = too_slow
        self._queue: deque[bytes | tuple[int, str]] = deque()
        self._wake = asyncio.Event()
        self._held: dict[str, bytes] = {}  # frames that wait to be sent behind the next of their topic
        self._closing = False
        self._tasks = [asyncio.create_task(self._write())]
        for rule in faults.socket_rules:
            if rule.scope.covers_market(market):
                self._tasks.append(asyncio.create_task(self._suffer(rule)))

    def send(self, text: str) -> None:
        """A control frame: faults leave it alone."""
        self._put(text.encode())

    def deliver(self, frame: bytes, topic: str, market: str, symbol: str, kind: str, link: Link | None = None, copies: int = 1) -> None:
        """A data frame: faults may take it. `copies`: to so many sockets it is sent."""
        if self.muted_until_s and time.monotonic() < self.muted_until_s:
            self.faults.count("muted_frame", market)
            return
        if not self.faults.quiet or self._held:
            fault = self.faults.of_frame(market, symbol, kind)
            if fault is not None:
                more = link._asdict() if link is not None else {}
                self.faults.incidents.note(fault, market=market, symbol=symbol, kind=kind, topic=topic, connection=self.number, copies=copies, **more)
            if fault == "drop":
                return
            if fault == "reorder" and topic not in self._held:
                self._held[topic] = frame
                return
            if fault == "malformed":
                frame = self.faults.spoil(frame)
            elif fault == "duplicate":
                self._put(frame)
            if topic in self._held:
                self._put(frame)
                frame = self._held.pop(topic)
        self._put(frame)

    def mute(self, for_s: float) -> None:
        self._note("mute")
        self.muted_until_s = time.monotonic() + for_s

    def close(self, code: int = 1000, reason: str = "") -> None:
        """After what is queued, close with this code."""
        if not self._closing:
            self._note("close")
            self._closing = True
            self._queue.append((code, reason))
            self._wake.set()

    def cut(self) -> None:
        """As a broken line: no closing handshake."""
        if not self._closing:
            self._note("disconnect")
        self._closing = True
        transport = self.ws._req.transport if self.ws._req is not None else None
        if transport is not None:
            transport.abort()

    def _note(self, fault: str) -> None:
        self.faults.incidents.note_socket(fault, self.market, self.number, self.subscriptions.values())

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _put(self, frame: bytes) -> None:
        if self._closing:
            return
        if len(self._queue) >= MOST_QUEUED:
            self.close(self._too_slow, "buffer is full")
            return
        self._queue.append(frame)
        self._wake.set()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                frame = self._queue.popleft()
                try:
                    if isinstance(frame, tuple):
                        await self.ws.close(code=frame[0], message=frame[1].encode())
                        return
                    await self.ws.send_frame(frame, WSMsgType.TEXT)
                except (ConnectionError, RuntimeError):  # the peer is gone, or closing already
                    self._closing = True
                    return
            self.last_sent_s = time.monotonic()

    async def _suffer(self, rule) -> None:
        while True:
            await asyncio.sleep(self.faults.pause_s(rule))
            if rule not in self.faults.socket_rules:
                return
            self.faults.count(rule.name, self.market)
            if rule.name == "disconnect":
                self.cut()
                return
            self.mute(rule.for_s)
