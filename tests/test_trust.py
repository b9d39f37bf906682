"""Whom TLS connections trust: real servers on loopback, with a certificate that the system's do not vouch for."""

import shutil
import ssl
import subprocess
import sys

import pytest
from aiohttp import web
from picows import WSListener, ws_connect

from p9 import trust
from p9.capture.connection import Connection, ConnectionSettings
from p9.errors import RestError, SocketLost
from p9.market.rest import Priority, RestClient
from p9.venue import Request, market


@pytest.fixture
def certificate(tmp_path):
    """A server's context, and the file of its certificate."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed: no certificate to test with")
    key, path = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", path),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    yield context, path
    trust._context.cache_clear()


@pytest.fixture
async def venue(certificate):
    """Answers by REST and by socket, over TLS; its port."""

    async def answer(request):
        if request.headers.get("Upgrade") == "websocket":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for _ in socket:
                pass
            return socket
        return web.json_response({"serverTime": 1})

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0, ssl_context=certificate[0])
    await site.start()
    yield site._server.sockets[0].getsockname()[1]
    await runner.cleanup()


async def _ask(port: int) -> bytes:
    row = market("binance_spot")
    async with RestClient("binance") as client:
        return await client.get(row.at(f"https://localhost:{port}", ""), Request("/api/v3/time", row.rest_budget), Priority.POLL, attempts=1)


async def _open(port: int) -> ssl.SSLContext:
    """What a socket of ours trusted, once it is open."""
    brought = []

    async def dial(_, url, *, ssl_context, **options):
        brought.append(ssl_context)
        transport, _ = await ws_connect(WSListener, url, ssl_context=ssl_context, **options)
        transport.disconnect(graceful=False)

    await Connection(market("binance_spot"), lambda _: None, [], settings=ConnectionSettings(), dial=dial).open(f"wss://localhost:{port}/ws")
    return brought[0]


async def test_a_certificate_that_nobody_vouches_for_is_refused(venue):
    with pytest.raises(RestError, match="CERTIFICATE_VERIFY_FAILED"):
        await _ask(venue)
    with pytest.raises(SocketLost, match="CERTIFICATE_VERIFY_FAILED"):
        await _open(venue)


async def test_questions_and_sockets_trust_by_one_context(venue, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    trust._context.cache_clear()
    assert await _ask(venue) == b'{"serverTime": 1}'
    assert await _open(venue) is await _open(venue) is trust.context_of("https://localhost")


def test_in_the_clear_nothing_is_read():
    trust._context.cache_clear()
    assert trust.context_of("http://localhost") is trust.context_of("ws://localhost") is None
    assert trust._context.cache_info().misses == 0


def test_what_aiohttp_would_trust_by_itself_is_nobody():
    """In a process of its own: here it is imported long since."""
    code = """
import ssl
create = ssl.create_default_context
from p9 import trust
trust.import_aiohttp()
from aiohttp import connector
theirs = connector._SSL_CONTEXT_VERIFIED
assert ssl.create_default_context is create
assert theirs.cert_store_stats() == {"x509": 0, "crl": 0, "x509_ca": 0}
assert theirs.verify_mode is ssl.CERT_REQUIRED and theirs.check_hostname
"""
    subprocess.run([sys.executable, "-c", code], check=True)
