"""A server on loopback that answers as it is told: for what the simulator does not do on purpose."""

import time

import pytest
from aiohttp import web


class Server:
    """Answers from a list of (status, headers, body), then with {}; keeps what was asked and when."""

    def __init__(self):
        self.answers, self.asked = [], []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((time.monotonic(), str(request.rel_url)))
        answer = self.answers.pop(0) if self.answers else (200, {}, "{}")
        if callable(answer):
            return await answer(request)
        status, headers, body = answer
        return web.Response(status=status, headers=headers, body=body.encode())


@pytest.fixture
async def server():
    server = Server()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    yield server
    await runner.cleanup()
