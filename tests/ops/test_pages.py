"""The appliance's own pages over a real socket."""

import json
import re
from importlib.resources import files
from pathlib import Path

import aiohttp
import msgspec
import pytest

from p9.config import Config, parse
from p9.config.redacted import redacted
from p9.errors import ConfigError
from p9.ops.dashboard.dashboard import Dashboard
from p9.ops.pages import Pages
from tests.ops.dashboard.parts import outbox, sources


class Row(msgspec.Struct):
    """One line of the gap ledger, as far as the page looks at it."""

    ix: int
    state: str


BOOK = {"bids": [["1.5", "2"]], "asks": []}


def status() -> dict:
    return {"uptime_s": 12.5}


@pytest.fixture
async def pages():
    asked = []

    def book(exchange: str, symbol: str, n: int):
        asked.append((exchange, symbol, n))
        return BOOK if symbol == "BTC-USDT" else None

    dashboard = Dashboard(sources(outbox()), most=4, simulated=False)
    pages = Pages(
        host="127.0.0.1", port=0, status=status, ready=lambda: pages.missing, book=book, gaps=lambda: [Row(1, "open"), Row(2, "filled")],
        config=lambda: {"redis": {"url": "redis://***@host"}}, dashboard=dashboard,
    )  # fmt: skip
    pages.missing, pages.asked = [], asked
    await pages.start()
    yield pages
    await pages.stop()


async def get(pages: Pages, path: str, **headers: str) -> tuple[int, str, dict]:
    async with aiohttp.ClientSession() as session, session.get(pages.url + path, headers=headers) as answer:
        return answer.status, await answer.text(), dict(answer.headers)


async def test_alive_is_not_ready(pages):
    pages.missing = ["some_market: 1 of 2 books are synced", "bus: connection critical is down"]
    assert (await get(pages, "/livez"))[:2] == (200, "ok\n")
    for path in ("/readyz", "/startupz", "/healthz"):
        assert (await get(pages, path))[:2] == (503, "[-] some_market: 1 of 2 books are synced\n[-] bus: connection critical is down\n")
    pages.missing = []
    assert (await get(pages, "/readyz"))[:2] == (200, "ok\n")
    assert (await get(pages, "/readyz?verbose"))[1].startswith("[+]")


@pytest.mark.parametrize("query, n", [("", 20), ("?n=7", 7), ("?n=0", 1), ("?n=-3", 1), ("?n=99999999", 5000)])
async def test_a_book_has_as_many_levels_as_asked_within_bounds(pages, query, n):
    code, text, _ = await get(pages, f"/books/some/BTC-USDT{query}")
    assert code == 200 and json.loads(text) == BOOK and pages.asked == [("some", "BTC-USDT", n)]


async def test_a_wrong_question_is_told_so(pages):
    assert (await get(pages, "/books/some/BTC-USDT?n=ten"))[0] == 400
    assert (await get(pages, "/books/some/absent"))[0] == 404
    for path in ("/page.py", "/../config.yaml", "/%2e%2e/__main__.py", "/nothing", "/static/", "/static/../pages.py", "/static/%2e%2e/hub.py", "/static//etc/passwd", "/static/js",
                 "/static/..%2fhub.py", "/static/js/main.js%00", "/static/js/main.js/"):  # fmt: skip
        assert (await get(pages, path))[0] == 404, path


async def test_gaps_come_newest_first_and_the_open_ones_alone(pages):
    assert json.loads((await get(pages, "/gaps"))[1]) == [{"ix": 2, "state": "filled"}, {"ix": 1, "state": "open"}]
    assert json.loads((await get(pages, "/gaps?open"))[1]) == [{"ix": 1, "state": "open"}]


async def test_a_page_elsewhere_reads_nothing_through_a_name_of_its_own(pages):
    port = pages.url.rsplit(":", 1)[1]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "[::1", "a@[b"):
        assert (await get(pages, "/status", Host=host))[0] == 421, host
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "[::1]", "192.168.1.5"):
        assert (await get(pages, "/status", Host=host))[0] == 200, host


async def test_every_page_forbids_what_it_does_not_need(pages):
    for path, kind in (("/", "text/html"), ("/static/js/main.js", "text/javascript"), ("/static/css/theme.css", "text/css"), ("/static/mark.svg", "image/svg"),
                       ("/status", "application/json"), ("/config", "application/json")):  # fmt: skip
        code, _, headers = await get(pages, path)
        assert code == 200 and headers["Content-Type"].startswith(kind)
        assert "default-src 'none'" in headers["Content-Security-Policy"] and "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
    for name in ("/", "/login"):
        text = re.sub(r'<a href="https://[^"]*"', "<a", (await get(pages, name))[1])  # a link is followed by people only
        assert not re.search(r"https?://|style=|<script>|onclick", text)  # the policy would stop it


def test_nothing_of_ours_asks_anybody_else():
    for path in Path(files("p9.ops.dashboard").joinpath("static")).rglob("*"):
        if path.suffix in (".js", ".css", ".html", ".svg") and "vendor" not in path.parts:
            text = re.sub(r'<a href="https://[^"]*"|xmlns="[^"]*"', "", path.read_text(encoding="utf-8"))
            assert not re.search(r"https?://|//[a-z0-9-]+[.][a-z]", text), path.name
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document[.]write|\beval\(|new Function", text), path.name  # text is set as text
            assert len(text.splitlines()) < 400, path.name


async def test_the_configuration_is_shown_without_secrets(pages):
    assert json.loads((await get(pages, "/config"))[1]) == {"redis": {"url": "redis://***@host"}}
    shown = redacted(parse("redis: {url: 'redis://someone@host/0', retain: 2h}\nvenues: {binance: {spot: {ws_url: 'wss://u:p@host'}}}"))
    assert shown["redis"]["url"] == "redis://***@host/0" and shown["redis"]["retain"] == "2h" and shown["http"]["port"] == 8080
    assert shown["venues"]["binance"]["spot"]["ws_url"] == "wss://***@host" and set(shown) == set(Config.__struct_fields__)


async def test_a_port_in_use_is_named(pages):
    second = Pages(host="127.0.0.1", port=int(pages.url.rsplit(":", 1)[1]), status=status, ready=list, book=lambda *_: None, gaps=list)
    with pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1"):
        await second.start()
    await second.stop()
    await Pages(host="127.0.0.1", port=0, status=status, ready=list, book=lambda *_: None, gaps=list).stop()  # one that never started
