"""The listening socket's bound: so many connections and no more, and whoever came only to sit there makes way."""

import asyncio
import time

from aiohttp import web

FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n"
MAKING_S = 1.0  # a connection that is not made by then never will be


class Refusal(asyncio.Protocol):
    """What a connection gets for which there is no place."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(FULL)  # type: ignore[attr-defined]
        transport.close()


class Door:
    """The protocol of each new connection: `server`'s, at most `most` of them at a time. A file descriptor that a guest holds is one that a venue's
    socket cannot have, so the bound must stand before anything is read. When all places are taken, the oldest connection that has not asked
    anything yet makes way for the next one.
    """

    def __init__(self, server: web.Server, most: int):
        self._server, self.most = server, most
        self._making: dict[web.RequestHandler, float] = {}  # since when
        self._spoken: set[web.RequestHandler] = set()
        self.refused = 0
        self.evicted = 0

    def spoke(self, guest: web.RequestHandler) -> None:
        """It has asked something."""
        self._spoken.add(guest)

    def __call__(self) -> asyncio.Protocol:
        inside, now_s = self._server.connections, time.monotonic()
        self._spoken.intersection_update(inside)
        self._making = {guest: since_s for guest, since_s in self._making.items() if guest not in inside and now_s - since_s < MAKING_S}
        if len(inside) + len(self._making) >= self.most:
            self._evict(inside)
            self.refused += 1
            return Refusal()
        guest = self._server()
        self._making[guest] = now_s
        return guest

    def _evict(self, inside: list[web.RequestHandler]) -> None:
        silent = next((guest for guest in inside if guest not in self._spoken), None)
        if silent is not None and silent.transport is not None:
            silent.transport.abort()
            self.evicted += 1

    def status(self) -> dict[str, int]:
        return {"connections": len(self._server.connections), "most": self.most, "refused": self.refused, "evicted": self.evicted}
