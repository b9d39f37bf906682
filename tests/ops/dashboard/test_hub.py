"""Many who look, over real sockets: what each is told, and what none of them may cost."""

import asyncio
import gc
import resource
import socket

import aiohttp
import pytest

from p9.ops.dashboard.hub import HEARTBEAT_S, MOST_LOOKS, SEND_BUFFER, Hub
from p9.ops.dashboard.view import View
from p9.ops.memory import resident_bytes
from tests.ops.dashboard.parts import HIGH, Market, Page, channel, outbox, served, sources, trade

DESK = {"view": "desk", "exchange": "venue", "symbol": "BTC-USDT", "timeframe": "1m"}


class Session:
    """Pages that are served, and pages that look at them."""

    def __init__(self, pages, dashboard, market, box, http):
        self.pages, self.dashboard, self.market, self.box, self.http = pages, dashboard, market, box, http

    async def page(self, **more):
        return Page(await self.http.ws_connect(self.pages.url + "/live", **more))


@pytest.fixture
async def session():
    market, box = Market(), outbox()
    channel(box, "trades", HIGH)
    pages, dashboard = await served(sources(box, market))
    async with aiohttp.ClientSession() as http:
        yield Session(pages, dashboard, market, box, http)
    await pages.stop()


async def test_changes_arrive_as_changes_and_come_to_the_state(session):
    page = await session.page()
    await page.look(**DESK)
    first = await page.hear()
    assert first["view"] == "exchange=venue symbol=BTC-USDT timeframe=1m view=desk" and "full" in first
    hello = page.messages[0]["hello"]
    assert hello["instruments"] == [["venue", "BTC-USDT", "venue_spot"]] and hello["simulated"] is True
    session.market.levels = {"bids": [("100", "1"), ("99", "7")], "asks": [("102", "2")]}
    await page.until(lambda page: page.state["book"]["asks"] == {"102": "2"})
    assert page.state["book"]["bids"] == {"100": "1", "99": "7"}
    assert any(message.get("patch", {}).get("book", {}).get("asks") == {"101": None, "102": "2"} for message in page.messages)
    session.box.emit(session.box.channels()[0], trade("100.5"))
    await page.until(lambda page: page.lists["tape"])
    assert page.lists["tape"][0][1] == "100.5"


async def test_who_comes_later_gets_the_whole_and_the_work_is_done_once(session):
    first, looks = await session.page(), []
    await first.look(**DESK)
    await first.hear()
    view = next(iter(session.dashboard.hub._shown.values())).view
    look, view.look = view.look, lambda now_s: looks.append(now_s) or look(now_s)
    session.box.emit(session.box.channels()[0], trade("7"))
    await first.until(lambda page: page.lists["tape"])
    pages = [await session.page() for _ in range(5)]
    for page in pages:
        await page.look(**DESK)
    for page in pages:
        assert "full" in await page.hear() and page.lists["tape"] == first.lists["tape"]
    n = len(looks)
    await asyncio.sleep(0.5)
    assert len(looks) - n <= 8 and len(session.dashboard.hub._shown) == 1  # not once for each of six


async def test_nothing_is_read_while_nobody_looks(session, monkeypatch):
    monkeypatch.setattr("p9.ops.dashboard.hub.LINGER_S", 0.3)
    page = await session.page()
    await page.look(**DESK)
    await page.hear()
    trades = session.box.channels()[0]
    assert trades.tap is not None
    await page.look()  # the page is hidden
    async with asyncio.timeout(30):
        while trades.tap is not None:
            await asyncio.sleep(0.05)
    assert session.dashboard.hub.status()["views"] == []
    await page.socket.close()
    async with asyncio.timeout(30):
        while session.dashboard.hub._task is not None:
            await asyncio.sleep(0.05)


async def test_a_view_that_is_not_there_is_told_so(session):
    page = await session.page()
    for look in ({"view": "desk", "exchange": "venue", "symbol": "GONE"}, {"view": "desk", **{"exchange": "venue", "symbol": "BTC-USDT", "timeframe": "7m"}}, {"view": "../etc"}):
        await page.look(**look)
        assert (await page.hear())["absent"] is True
    await page.look(**DESK)
    assert "full" in await page.hear()


@pytest.mark.parametrize("words", ["", "{}", "[]", '{"look": 1}', '{"look": {"view": 1}}', "\U0001f600", '{"look": {"view": "%s"}}' % ("x" * 100), '{"look":{' + ",".join(f'"{n}":"b"' for n in range(9)) + "}}"])
async def test_what_no_page_of_ours_says_ends_the_conversation(session, words):
    page = await session.page()
    await page.socket.send_str(words)
    while (message := await page.socket.receive(timeout=30)).type is aiohttp.WSMsgType.TEXT:
        pass
    assert message.type is aiohttp.WSMsgType.CLOSE and message.data == aiohttp.WSCloseCode.POLICY_VIOLATION


async def test_who_turns_pages_without_end_is_shown_the_door(session):
    page = await session.page()
    for n in range(MOST_LOOKS + 5):
        await page.look(**DESK, other=str(n))
    while (message := await page.socket.receive(timeout=30)).type is aiohttp.WSMsgType.TEXT:
        pass
    assert message.type is aiohttp.WSMsgType.CLOSE


async def test_more_pages_than_allowed_are_refused_with_the_reason(session):
    pages = [await session.page() for _ in range(8)]
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await session.page()
    assert refused.value.status == 503 and session.dashboard.hub.counts["refused"] == 1
    await pages[0].socket.close()
    async with asyncio.timeout(30):
        while len(session.dashboard.hub.viewers) == 8:
            await asyncio.sleep(0.02)
    assert "hello" in await (await session.page()).socket.receive_json(timeout=30)


async def test_a_fault_in_one_view_is_that_views_alone(session):
    class Broken(View):
        every_s = 0.1

        def look(self, now_s):
            raise ZeroDivisionError

    make = session.dashboard.hub._make
    session.dashboard.hub._make = lambda look: Broken() if look["view"] == "broken" else make(look)
    broken, good = await session.page(), await session.page()
    await broken.look(view="broken")
    await good.look(**DESK)
    await good.hear()
    session.market.levels["asks"] = [("109", "1")]
    await good.until(lambda page: "109" in page.state["book"]["asks"])
    async with asyncio.timeout(30):
        while not session.dashboard.hub.counts["faults"]:
            await asyncio.sleep(0.02)


async def test_who_reads_slowly_misses_changes_and_then_gets_the_whole(session):
    """It never learns the changes in between, and they are kept for it nowhere."""
    hasty = await session.page()
    await hasty.look(**DESK)
    await hasty.hear()
    slow = socket.create_connection(("127.0.0.1", int(session.pages.url.rsplit(":", 1)[1])))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.to_thread(_shake_hands, slow)
    hub = session.dashboard.hub
    for n in range(400):
        session.market.levels["bids"] = [(str(50 + n + i / 8), "1" * 4000) for i in range(22)]
        await hasty.hear()
        if hub.counts["skipped"] > 3:
            break
    assert hub.counts["skipped"] > 3
    viewer = next(each for each in hub.viewers if each.skipped)
    assert viewer.transport.get_write_buffer_size() < 4 * SEND_BUFFER  # one message, not all of them
    assert viewer.behind
    drained = asyncio.create_task(asyncio.to_thread(_read_all, slow))
    async with asyncio.timeout(30):
        while viewer.behind:
            session.market.levels["asks"] = [(str(200 + int(loop_s() * 100)), "1")]
            await hasty.hear()
    slow.shutdown(socket.SHUT_RDWR)
    assert b'"full"' in await drained


def loop_s():
    return asyncio.get_running_loop().time()


def _shake_hands(one):
    one.sendall(
        b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    one.recv(1024)
    words = b'{"look":{"view":"desk","exchange":"venue","symbol":"BTC-USDT","timeframe":"1m"}}'
    one.sendall(bytes([0x81, 0x80 | len(words)]) + bytes(4) + words)  # masked with zeros


def _read_all(one):
    found = b""
    while True:
        try:
            data = one.recv(65536)
        except OSError:
            return found
        if not data:
            return found
        found += data


async def test_thousands_who_sit_there_cost_neither_memory_nor_the_loop():
    """2,000 connections that never read and mostly never speak: most are turned away at the door, the pages of the others go on."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    market = Market()
    pages, _ = await served(sources(outbox(), market), most=8, connections=64)
    port = int(pages.url.rsplit(":", 1)[1])
    async with aiohttp.ClientSession() as http:
        page = Page(await http.ws_connect(pages.url + "/live"))
        await page.look(**DESK)
        await page.hear()
        gc.collect()
        before, crowd, worst_s = resident_bytes(), [], 0.0
        for n in range(2000):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            crowd.append(one)
            if n % 50 == 49:
                market.levels["bids"] = [("100", str(n))]
                began_s = loop_s()
                await page.until(lambda page, n=n: page.state["book"]["bids"] == {"100": str(n)})
                worst_s = max(worst_s, loop_s() - began_s)
        door = pages.figures()["door"]
        assert door["connections"] <= 64 and door["refused"] > 1800 and door["evicted"] > 0
        assert resident_bytes() - before < 40e6 and worst_s < 10
        async with asyncio.timeout(30), http.get(pages.url + "/livez") as answer:  # a place is found for who asks something
            assert answer.status in (200, 503)
        for one in crowd:
            one.close()
        async with asyncio.timeout(60):
            while True:
                try:
                    async with http.get(pages.url + "/livez") as answer:
                        if answer.status == 200:
                            break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)
    await pages.stop()


async def test_a_stop_says_goodbye():
    pages, _ = await served(sources(outbox()))
    async with aiohttp.ClientSession() as http:
        page = Page(await http.ws_connect(pages.url + "/live"))
        await page.look(**DESK)
        await page.hear()
        stopping = asyncio.create_task(pages.stop())
        while (message := await page.socket.receive(timeout=30)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.type is aiohttp.WSMsgType.CLOSE and message.data == aiohttp.WSCloseCode.GOING_AWAY
        await stopping


def test_a_hub_can_be_asked_before_anybody_came():
    assert Hub(lambda look: None, dict, most=1).status()["viewers"] == 0 and HEARTBEAT_S > 0
