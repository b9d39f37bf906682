"""The appliance's own pages: health, metrics, status, and the dashboard that a person looks at. Loopback unless configured otherwise."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
import ujson
from aiohttp import web

from p9.errors import ConfigError
from p9.ops.dashboard.dashboard import TYPES, Dashboard
from p9.ops.door import Door
from p9.ops.gate import Gate

IDLE_S = 30.0  # a connection that asks nothing so long is closed
MOST_BODY = 4096  # bytes that anybody may send us
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _metrics_of(status: Callable[[], dict[str, Any]]) -> Callable[[], bytes]:
    from p9.ops.metrics import exposition

    return exposition(status)


class Pages:
    """`status()` is the whole state as plain data, `ready()` a list of what is not ready (empty: all is), `gaps()` the rows of the gap ledger,
    `config()` the configuration in force without secrets. `gate` decides who may ask; `most` connections at a time are answered. `more`: pages of others,
    `full_book` what answers /books/…?full."""

    def __init__(
        self, *, host: str, port: int, status: Callable[[], dict[str, Any]], ready: Callable[[], list[str]],
        book: Callable[[str, str, int], dict[str, Any] | None], gaps: Callable[[], list[Any]], config: Callable[[], dict[str, Any]] = dict,
        dashboard: Dashboard | None = None, gate: Gate | None = None, most: int = 256, more: Iterable[web.RouteDef] = (),
        full_book: Callable[[web.Request], Awaitable[web.Response]] | None = None,
    ):
        self._host, self._port, self._status, self._ready, self._book, self._gaps, self._config = host, port, status, ready, book, gaps, config
        self._dashboard, self._gate, self._most = dashboard, gate or Gate(host=host), most
        self._more, self._full_book = tuple(more), full_book
        self._metrics: Callable[[], bytes] | None = None  # made when they are first asked for
        self._runner: web.AppRunner | None = None
        self._door: Door | None = None
        self._server: asyncio.Server | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen. Raises ConfigError when the port is taken."""
        app = web.Application(middlewares=[self._greet, self._gate.guard], client_max_size=MOST_BODY)
        app.add_routes([
            web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/startupz", self._readyz), web.get("/healthz", self._readyz),
            web.get("/metrics", self._scrape), web.get("/status", self._show_status), web.get("/gaps", self._show_gaps),
            web.get("/config", self._show_config), web.get("/books/{exchange}/{symbol}", self._show_book),
            web.get("/login", self._login), web.post("/login", self._log_in), *self._more,
        ])
        if self._dashboard is not None:
            app.add_routes([web.get("/", self._file), web.get("/static/{name:.+}", self._file), web.get("/live", self._dashboard.hub.serve)])
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=IDLE_S, lingering_time=2.0)
        await self._runner.setup()
        assert self._runner.server is not None
        self._door = Door(self._runner.server, self._most)
        try:
            self._server = await asyncio.get_running_loop().create_server(self._door, self._host, self._port, reuse_address=True, backlog=128)
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror}", where="http.port", hint="choose another port, or 0 for a free one"
            ) from None
        if self._dashboard is not None:
            self._dashboard.start()
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://[{self._host}]:{port}" if ":" in self._host else f"http://{self._host}:{port}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._dashboard is not None:
            await self._dashboard.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def figures(self) -> dict[str, Any]:
        return {"door": self._door.status() if self._door is not None else {}, "turned_away": self._gate.turned_away}

    @web.middleware
    async def _greet(self, request: web.Request, handler: Any) -> web.StreamResponse:
        assert self._door is not None
        self._door.spoke(request.protocol)
        return await handler(request)

    async def _livez(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        missing = self._ready()
        verbose = "verbose" in request.query
        text = "".join(f"[-] {line}\n" for line in missing) if missing else ("[+] all books synced, bus confirmed\n" if verbose else "ok\n")
        return web.Response(status=503 if missing else 200, text=text)

    async def _scrape(self, request: web.Request) -> web.Response:
        if self._metrics is None:  # in a thread: prometheus_client and what it brings are tens of milliseconds, and the loop has its turns meanwhile
            self._metrics = await asyncio.get_running_loop().run_in_executor(None, _metrics_of, self._status)
        return web.Response(body=self._metrics(), headers={"Content-Type": METRICS_TYPE})

    async def _show_status(self, request: web.Request) -> web.Response:
        return web.json_response(self._status(), dumps=ujson.dumps)

    async def _show_config(self, request: web.Request) -> web.Response:
        return web.json_response(self._config(), dumps=ujson.dumps)

    async def _show_gaps(self, request: web.Request) -> web.Response:
        """What was missing in this run, newest first; ?open: only what still is."""
        rows = [row for row in reversed(self._gaps()) if "open" not in request.query or row.state == "open"]
        return web.Response(body=msgspec.json.encode(rows), content_type="application/json")

    async def _show_book(self, request: web.Request) -> web.Response:
        """The best ?n levels of the book that is kept; ?full: the deepest one that the venue gives."""
        if "full" in request.query and self._full_book is not None:
            return await self._full_book(request)
        try:
            n = min(max(int(request.query.get("n", "20")), 1), 5000)
        except ValueError:
            return web.json_response({"error": "n is a number of levels, 1 to 5000"}, status=400)
        book = self._book(request.match_info["exchange"], request.match_info["symbol"], n)
        if book is None:
            return web.json_response({"error": "no such instrument is captured here"}, status=404)
        return web.json_response(book, dumps=ujson.dumps)

    # ---- what a person looks at

    def _static(self, name: str, status: int = 200) -> web.Response:
        entry = self._dashboard.files.get(name) if self._dashboard is not None else None
        if entry is None:
            return web.Response(status=404, text="there is no such page\n")
        return web.Response(
            body=entry.read_bytes(), status=status, content_type=TYPES[name.rpartition(".")[2]], charset="utf-8", headers={"Cache-Control": "no-cache"},
        )  # fmt: skip

    async def _file(self, request: web.Request) -> web.Response:
        return self._static(request.match_info.get("name", "index.html"))

    async def _login(self, request: web.Request) -> web.Response:
        return self._static("login.html") if self._gate.asks else web.Response(status=303, headers={"Location": "/"})

    async def _log_in(self, request: web.Request) -> web.Response:
        token = (await request.post()).get("token", "")
        answer = web.Response(status=303, headers={"Location": "/"})
        if isinstance(token, str) and self._gate.lets_in(token.strip(), answer):
            return answer
        return self._static("login-again.html", 403)
