"""The REST client against a real server on loopback that answers as venues do when they are unwell."""

import asyncio
import itertools
import time

import aiohttp.web as web
import msgspec
import pytest

from p9.budget import Budget
from p9.errors import AddressBanned, MarketRefused, RateLimited, RestError, RestRefused
from p9.market.instruments import Instruments, load
from p9.market.rest import Priority, RestClient, RestSettings
from p9.venue import Request, market

from .conftest import Server

MINUTE = Budget("minute", 100, 60.0, "x-mbx-used-weight-1m")
QUICK = RestSettings(share=0.5, timeout_s=0.5, retry_first_s=0.01, retry_most_s=0.05)


def at(server: Server, name: str = "binance_spot"):
    return market(name).at(server.url, "ws://127.0.0.1:1")


def ask(weight: int = 1, budget: Budget = MINUTE, path: str = "/x") -> Request:
    return Request(path, budget, weight)


async def test_raw_bytes_or_json(server):
    server.answers = [(200, {}, ' {"a": 1}'), (200, {}, "[1]")]
    async with RestClient("x", settings=QUICK) as client:
        assert await client.get(at(server), Request("/y", MINUTE, 1, (("s", "a b%"),)), Priority.RECOVERY) == b' {"a": 1}'
        assert await client.get_json(at(server), ask(), Priority.RECOVERY) == [1]
    assert server.asked[0][1] == "/y?s=a+b%25"


async def test_what_is_of_no_use_is_asked_again_and_counted(server):
    async def cut(request):
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"half":')
        request.transport.close()
        return response

    async def slow(request):
        await asyncio.sleep(0.8)
        return web.Response(body=b"{}")

    server.answers = [
        (503, {}, "<html>maintenance</html>"),
        (200, {"Content-Type": "text/html"}, "<html>welcome</html>"),
        cut,
        slow,
        (200, {}, '{"ok":1}'),
    ]
    async with RestClient("x", settings=msgspec.structs.replace(QUICK, attempts=5)) as client:
        assert await client.get(at(server), ask(), Priority.RECOVERY) == b'{"ok":1}'
        assert {kind: client.counts[kind] for kind in ("asked", "answered", "status_503", "not_json", "partial", "timeout")} == {
            "asked": 5, "answered": 1, "status_503": 1, "not_json": 1, "partial": 1, "timeout": 1,
        }  # fmt: skip


async def test_the_last_attempt_s_error_says_where(server):
    server.answers = [(500, {}, "")] * 9
    async with RestClient("x", settings=QUICK) as client:
        with pytest.raises(RestError, match=r"binance_spot /x: 500"):
            await client.get(at(server), ask(), Priority.RECOVERY, attempts=2)
    assert len(server.asked) == 2


async def test_a_refusal_is_not_asked_again(server):
    server.answers = [(400, {}, '{"code":-1121,"msg":"Invalid symbol."}')]
    async with RestClient("x", settings=QUICK) as client:
        with pytest.raises(RestRefused, match="Invalid symbol"):
            await client.get(at(server), ask(), Priority.RECOVERY)
    assert len(server.asked) == 1


async def test_nobody_there(server):
    async with RestClient("x", settings=QUICK) as client:
        with pytest.raises(RestError, match="check the network"):
            await client.get(market("okx_spot").at("http://127.0.0.1:1", "ws://x"), ask(), Priority.RECOVERY, attempts=1)


async def test_pain_05_after_a_429_nothing_is_asked_before_the_time_is_over(server):
    server.answers = [(429, {"Retry-After": "1"}, '{"code":-1003,"msg":"slow down"}')]
    async with RestClient("x", settings=QUICK) as client:
        await asyncio.gather(*(client.get(at(server), ask(), Priority.RECOVERY) for _ in range(1)))
        assert client.counts["rate_limited"] == 1
    assert server.asked[1][0] - server.asked[0][0] >= 1.0


async def test_pain_05_a_ban_silences_every_budget_of_the_venue(server):
    server.answers = [(418, {"Retry-After": "1"}, '{"code":-1003,"msg":"banned"}')]
    async with RestClient("x", settings=QUICK) as client:
        with pytest.raises(AddressBanned):
            await client.get(at(server), ask(), Priority.RECOVERY, attempts=1)
        assert client.quiet_s(Budget("other", 5, 1.0)) > 0.5 and client.status()["banned_s"] > 0.5
        await client.get(at(server), ask(budget=Budget("other", 5, 1.0)), Priority.RECOVERY)
    assert server.asked[1][0] - server.asked[0][0] >= 0.95


async def test_a_limit_told_in_a_good_status(server):
    server.answers = [(200, {}, '{"code":"50011","msg":"Too Many Requests","data":[]}')]
    async with RestClient("x", settings=QUICK) as client:
        with pytest.raises(RateLimited):
            await client.get(at(server, "okx_spot"), ask(), Priority.RECOVERY, attempts=1)


class WatchedClient(RestClient):
    """`sent_s`: when each question left. When it arrives is the machine's affair too."""

    sent_s: tuple[float, ...] = ()

    async def _ask(self, *args):
        self.sent_s += (time.monotonic(),)
        return await super()._ask(*args)


async def test_no_span_ever_holds_more_than_our_share(server):
    budget = Budget("short", 40, 0.5)  # ours: 20 in half a second
    async with WatchedClient("x", settings=QUICK) as client:
        await asyncio.gather(*(client.get(at(server), ask(2, budget), Priority.RECOVERY) for _ in range(30)))
    times = client.sent_s
    assert len(times) == 30 and times[-1] - times[0] >= 0.95
    assert max(sum(1 for t in times if start <= t < start + 0.45) for start in times) <= 10


async def test_recovery_goes_before_audit_before_back_fill(server):
    budget = Budget("short", 8, 0.2)
    async with RestClient("x", settings=msgspec.structs.replace(QUICK, max_in_flight=1)) as client:
        await asyncio.gather(*(client.get(at(server), ask(1, budget, "/first"), Priority.RECOVERY) for _ in range(4)))
        waiting = [
            client.get(at(server), ask(1, budget, f"/{priority.name}"), priority)
            for priority in (Priority.BACKFILL, Priority.AUDIT, Priority.RECOVERY)
            for _ in range(2)
        ]
        await asyncio.gather(*waiting)
    order = [path for path, _ in itertools.groupby(url for _, url in server.asked)]
    assert order == ["/first", "/RECOVERY", "/AUDIT", "/BACKFILL"]


async def test_pain_05_back_fill_leaves_room_for_a_book_that_breaks(server):
    budget = Budget("long", 40, 60.0)  # ours 20, back-fill's 10
    async with RestClient("x", settings=QUICK) as client:
        tasks = [asyncio.create_task(client.get(at(server), ask(1, budget), Priority.BACKFILL)) for _ in range(30)]
        await asyncio.sleep(0.2)
        assert len(server.asked) == 10
        await asyncio.wait_for(client.get(at(server), ask(1, budget), Priority.RECOVERY), 30)
        for task in tasks:
            task.cancel()


async def test_what_others_of_this_address_use_counts(server):
    server.answers = [(200, {"X-MBX-USED-WEIGHT-1M": "89"}, "{}")]
    async with RestClient("x", settings=QUICK) as client:
        await client.get(at(server), ask(1), Priority.RECOVERY)
        assert client.status()["budgets"]["minute"]["used_by_others"] == 88
        if time.time() % 60 < 58:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.get(at(server), ask(5), Priority.RECOVERY), 0.3)
    assert len(server.asked) <= 2


async def test_answers_are_recorded(server):
    server.answers = [(200, {}, '{"a":1}'), (400, {}, '{"code":-1,"msg":"no"}')]
    kept = []

    class Recorder:
        def answer(self, recv_ns, market, url, body):
            kept.append((recv_ns, market, url, body))

    async with RestClient("x", settings=QUICK, now_ns=lambda: 7, recorder=Recorder()) as client:
        await client.get(at(server), Request("/d", MINUTE, 1, (("symbol", "A"),)), Priority.RECOVERY)
        with pytest.raises(RestError):
            await client.get(at(server), ask(), Priority.RECOVERY)
    assert kept == [(7, "binance_spot", server.url + "/d?symbol=A", b'{"a":1}')]


async def test_pages_are_followed_to_the_end(server):
    def page(name: str, cursor: str) -> tuple:
        row = f'{{"symbol":"{name}","contractType":"LinearPerpetual","status":"Trading","baseCoin":"{name[:-4]}","settleCoin":"USDT",' \
              '"priceFilter":{"tickSize":"0.1"},"lotSizeFilter":{"qtyStep":"1"}}'  # fmt: skip
        return 200, {}, f'{{"retCode":0,"retMsg":"OK","result":{{"list":[{row},{{"symbol":"BAD"}}],"nextPageCursor":"{cursor}"}}}}'

    server.answers = [page("BTCUSDT", "first%3DA%26last%3DB"), page("ETHUSDT", "")]
    known = Instruments("bybit")
    async with RestClient("bybit", settings=QUICK) as client:
        refused = await load(client, at(server, "bybit_linear"), known)
    assert [row.symbol for row in known.of("bybit_linear")] == ["BTC-USDT-PERP", "ETH-USDT-PERP"]
    assert [row.venue_symbol for row in refused] == ["BAD", "BAD"] == [row.venue_symbol for row in known.refused]
    assert server.asked[1][1].endswith("cursor=first%3DA%26last%3DB")


@pytest.mark.parametrize("answer", [(404, {}, '{"code":-1100,"msg":"no"}'), (200, {}, '{"symbols":[]}')])
async def test_a_market_without_instruments_is_refused_by_itself(server, answer):
    server.answers = [answer]
    async with RestClient("binance", settings=QUICK) as client:
        with pytest.raises(MarketRefused, match="binance_spot"):
            await load(client, at(server), Instruments("binance"))


async def test_instruments_that_are_no_json_are_a_typed_error(server):
    """An answer that broke off in the middle once ended the market's capture for good."""
    server.answers = [(200, {}, '{"symbols":[')]
    async with RestClient("binance", settings=QUICK) as client:
        with pytest.raises(RestError, match="no JSON"):
            await load(client, at(server), Instruments("binance"))


async def test_stop_lets_nobody_wait(server):
    client = RestClient("x", settings=QUICK)
    await client.start()
    tasks = [asyncio.create_task(client.get(at(server), ask(50, Budget("b", 100, 60.0)), Priority.RECOVERY)) for _ in range(3)]
    await asyncio.sleep(0.1)
    await client.stop()
    done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
    assert sum(isinstance(result, asyncio.CancelledError) for result in done) == 2


async def test_what_is_asked_with_a_key_is_not_recorded_and_follows_no_redirection(server):
    """A key is for the one that it was given by."""
    recorded, heads = [], []

    class Recorder:
        def answer(self, recv_ns, market, url, body):
            recorded.append(body)

    def told(status, headers):
        async def answer(request):
            heads.append((request.path, request.headers.get("X-Key")))
            return web.Response(status=status, headers=headers, body=b'{"listenKey":"abc"}')

        return answer

    server.answers = [told(200, {}), told(200, {}), told(307, {"Location": f"{server.url}/elsewhere"})]
    async with RestClient("x", settings=QUICK, recorder=Recorder()) as client:
        await client.get(at(server), ask(), Priority.POLL)
        assert await client.get_json(at(server), ask(path="/key"), Priority.POLL, headers={"X-Key": "k"}) == {"listenKey": "abc"}
        with pytest.raises(RestError):
            await client.get(at(server), ask(path="/key"), Priority.POLL, attempts=1, headers={"X-Key": "k"})
    assert heads == [("/x", None), ("/key", "k"), ("/key", "k")] and len(recorded) == 1
