"""Everybody who looks: one WebSocket a page, one view at a time, ten updates a second at most, and nothing at all while nobody looks."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from p9.ops.dashboard.view import MakeView, Shown

log = structlog.get_logger(part="dashboard")

TICK_S = 0.1
HEARTBEAT_S = 20.0  # a viewer that answers no ping so long is gone
LINGER_S = 3.0  # a view stays open so long after its last viewer: who turns a page comes back
MOST_BYTES = 4096  # of what a viewer may say
MOST_WORD = 80  # characters of a name
MOST_LOOKS = 60  # in one LOOKS_S
LOOKS_S = 10.0
SEND_BUFFER = 65536  # bytes that the system keeps for one viewer


class Look(msgspec.Struct):
    """What a page says: which view it shows now. An empty one: none, the page is hidden."""

    look: dict[str, str]


class Viewer:
    """One page. `behind`: it missed a change, and gets the whole when it can take it."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport):
        self.socket, self.transport = socket, transport
        self.shown: Shown | None = None
        self.behind = True
        self.skipped = 0
        self.looks: list[float] = []

    @property
    def slow(self) -> bool:
        """What it was sent last has not left us yet."""
        return self.transport.get_write_buffer_size() > 0


class Hub:
    """`make(look)` makes a view, or answers None where there is none such; `hello()` is what a page is told first, and whenever it changes."""

    def __init__(self, make: MakeView, hello: Callable[[], dict[str, Any]], *, most: int, before_tick: Callable[[], None] = lambda: None):
        self._make, self._hello, self.most, self._before_tick = make, hello, most, before_tick
        self.viewers: set[Viewer] = set()
        self.counts = {"sent": 0, "sent_bytes": 0, "skipped": 0, "refused": 0, "faults": 0}
        self.worst_s = 0.0
        self._shown: dict[str, Shown] = {}
        self._left_s: dict[str, float] = {}  # when the last viewer of a view went
        self._said = b""
        self._faulty: set[str] = set()  # views whose fault was told
        self._task: asyncio.Task[None] | None = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One page's WebSocket, for as long as it lives."""
        if len(self.viewers) >= self.most:
            self.counts["refused"] += 1
            return web.Response(status=503, text=f"{self.most} pages look already; http.max_viewers allows no more\n", headers={"Retry-After": "10"})
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MOST_BYTES, compress=False)
        if not socket.can_prepare(request):
            return web.Response(status=426, text="this is a WebSocket\n", headers={"Upgrade": "websocket"})
        transport = request.transport
        if transport is None:
            return web.Response(status=400)
        await socket.prepare(request)
        _bound_buffers(transport)
        viewer = Viewer(socket, transport)
        self.viewers.add(viewer)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="dashboard")
        try:
            await self._send(viewer, msgspec.json.encode({"hello": self._hello()}))
            async for message in socket:
                if message.type is not WSMsgType.TEXT or not await self._hear(viewer, message.data):
                    await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"not understood")
                    break
        finally:
            self.viewers.discard(viewer)
            self._leave(viewer)
        return socket

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        for viewer in list(self.viewers):
            with contextlib.suppress(Exception):
                async with asyncio.timeout(0.5):
                    await viewer.socket.close(code=WSCloseCode.GOING_AWAY, message=b"the appliance stops")
        for key in list(self._shown):
            self._close(key)

    def status(self) -> dict[str, Any]:
        return {"viewers": len(self.viewers), "most": self.most, "views": sorted(self._shown), "worst_tick_ms": round(self.worst_s * 1e3, 3), **self.counts}

    # ---- what pages say

    async def _hear(self, viewer: Viewer, text: str) -> bool:
        """False: that is none of our words, or too many of them."""
        now_s = time.monotonic()
        viewer.looks = [at_s for at_s in viewer.looks if now_s - at_s < LOOKS_S] + [now_s]
        try:
            look = msgspec.json.decode(text, type=Look).look
        except (msgspec.MsgspecError, ValueError):
            return False
        if len(viewer.looks) > MOST_LOOKS or len(look) > 6 or any(len(word) > MOST_WORD for word in (*look, *look.values())):
            return False
        self._leave(viewer)
        if not look:
            return True
        shown = await self._open(look)
        if shown is None:
            await self._send(viewer, msgspec.json.encode({"view": view_key(look), "absent": True}))
            return True
        if viewer in self.viewers:
            shown.viewers.add(viewer)
            viewer.shown, viewer.behind = shown, True
        return True

    async def _open(self, look: dict[str, str]) -> Shown | None:
        key = view_key(look)
        shown = self._shown.get(key)
        if shown is not None:
            return shown
        view = self._make(look)
        if view is None:
            return None
        shown = self._shown[key] = Shown(key, view)
        self._left_s[key] = time.monotonic()
        try:
            await view.open()
        finally:
            shown.opened = True
        return shown

    def _leave(self, viewer: Viewer) -> None:
        if viewer.shown is not None:
            viewer.shown.viewers.discard(viewer)
            self._left_s[viewer.shown.key] = time.monotonic()
            viewer.shown = None

    # ---- what pages are told

    async def _run(self) -> None:
        """Until nobody is left."""
        next_s = time.monotonic()
        while self.viewers or self._shown:
            began_s = time.monotonic()
            try:
                await self._tick(began_s)
            except Exception as error:
                self._fault("hub", error)
            self.worst_s = max(self.worst_s, time.monotonic() - began_s)
            next_s = max(next_s + TICK_S, time.monotonic() + TICK_S / 2)
            await asyncio.sleep(next_s - time.monotonic())
        self._task = None

    async def _tick(self, now_s: float) -> None:
        self._before_tick()
        hello = msgspec.json.encode({"hello": self._hello()}) if int(now_s / TICK_S) % 10 == 0 else self._said
        news = hello if hello != self._said else b""
        self._said = hello
        for key, shown in list(self._shown.items()):
            if not shown.opened:
                continue
            if not shown.viewers and now_s - self._left_s[key] > LINGER_S:
                self._close(key)
                continue
            try:
                fresh = shown.tick(now_s)
            except Exception as error:  # a fault of ours in one view must not end what others look at
                self._fault(key, error)
                continue
            for viewer in list(shown.viewers):
                await self._update(viewer, shown, fresh)
        if news:
            for viewer in list(self.viewers):
                if not viewer.slow:
                    await self._send(viewer, news)

    def _close(self, key: str) -> None:
        self._shown.pop(key).view.close()
        self._left_s.pop(key, None)

    def _fault(self, key: str, error: Exception) -> None:
        self.counts["faults"] += 1
        if key not in self._faulty:
            self._faulty.add(key)
            log.error("dashboard fault", view=key, exc_info=error)

    async def _update(self, viewer: Viewer, shown: Shown, fresh: bool) -> None:
        if not fresh and not viewer.behind:
            return
        if viewer.slow:
            viewer.behind = True
            viewer.skipped += 1
            self.counts["skipped"] += 1
            return
        message = shown.full if viewer.behind else shown.patch
        viewer.behind = False
        await self._send(viewer, message)

    async def _send(self, viewer: Viewer, message: bytes) -> None:
        """Never waits: who is `slow` is not sent anything."""
        self.counts["sent"] += 1
        self.counts["sent_bytes"] += len(message)
        with contextlib.suppress(ConnectionError, RuntimeError):
            await viewer.socket.send_str(message.decode())


def view_key(look: dict[str, str]) -> str:
    """Who looks at the same has the same key; pages say it in any order."""
    return " ".join(f"{name}={look[name]}" for name in sorted(look))


def _bound_buffers(transport: asyncio.Transport) -> None:
    """What a viewer does not read stays in these, and nowhere else."""
    import socket

    handle = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
