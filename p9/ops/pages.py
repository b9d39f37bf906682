"""The appliance's own pages: health, metrics, status, and the page that a person looks at. Loopback unless configured otherwise."""

import ipaddress
from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import msgspec
import ujson
from aiohttp import web

from p9.errors import ConfigError
from p9.ops.metrics import CONTENT_TYPE, exposition

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_TYPES = {"index.html": "text/html", "page.js": "text/javascript", "page.css": "text/css"}


class Pages:
    """`status()` is the whole state as plain data, `ready()` a list of what is not ready (empty: all is), `gaps()` the rows of the gap ledger."""

    def __init__(
        self, *, host: str, port: int, status: Callable[[], dict[str, Any]], ready: Callable[[], list[str]],
        book: Callable[[str, str, int], dict[str, Any] | None], gaps: Callable[[], list[Any]],
    ):
        self._host, self._port, self._status, self._ready, self._book, self._gaps = host, port, status, ready, book, gaps
        self._metrics = exposition(status)
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen. Raises ConfigError when the port is taken."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes([
            web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/startupz", self._readyz), web.get("/healthz", self._readyz),
            web.get("/metrics", self._scrape), web.get("/status", self._show_status), web.get("/gaps", self._show_gaps), web.get("/books/{exchange}/{symbol}", self._show_book),
            web.get("/", self._file), web.get("/{name:page\\.(?:js|css)}", self._file),
        ])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, reuse_address=True)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror}", where="http.port", hint="choose another port, or 0 for a free one"
            ) from None
        port = self._runner.addresses[0][1]
        self.url = f"http://{self._host}:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """A page elsewhere must not read ours through a name that it points at this machine (DNS rebinding)."""
        try:
            name = urlsplit(f"//{request.host}").hostname or ""
            if name not in ("localhost", self._host):
                ipaddress.ip_address(name)
        except ValueError:
            return web.Response(status=421, text="this is not the name of this machine\n")
        response = await handler(request)
        response.headers.update(_HEADERS)
        return response

    async def _livez(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        missing = self._ready()
        verbose = "verbose" in request.query
        text = "".join(f"[-] {line}\n" for line in missing) if missing else ("[+] all books synced, bus confirmed\n" if verbose else "ok\n")
        return web.Response(status=503 if missing else 200, text=text)

    async def _scrape(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": CONTENT_TYPE})

    async def _show_status(self, request: web.Request) -> web.Response:
        return web.json_response(self._status(), dumps=ujson.dumps)

    async def _show_gaps(self, request: web.Request) -> web.Response:
        """What was missing in this run, newest first; ?open: only what still is."""
        rows = [row for row in reversed(self._gaps()) if "open" not in request.query or row.state == "open"]
        return web.Response(body=msgspec.json.encode(rows), content_type="application/json")

    async def _show_book(self, request: web.Request) -> web.Response:
        try:
            n = min(max(int(request.query.get("n", "20")), 1), 5000)
        except ValueError:
            return web.json_response({"error": "n is a number of levels, 1 to 5000"}, status=400)
        book = self._book(request.match_info["exchange"], request.match_info["symbol"], n)
        if book is None:
            return web.json_response({"error": "no such instrument is captured here"}, status=404)
        return web.json_response(book, dumps=ujson.dumps)

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name", "index.html")
        return web.Response(body=files("p9.ops.dashboard").joinpath(name).read_bytes(), content_type=_TYPES[name], charset="utf-8")
