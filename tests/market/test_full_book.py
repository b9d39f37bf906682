"""The deepest book of a venue, fetched when asked for: against the simulator's truth, the documented answers, and venues that are unwell."""

import asyncio
import json
from decimal import Decimal

import aiohttp
import pytest

from p9.errors import AddressBanned, RateLimited, RestError, RestRefused
from p9.instrument import Instrument
from p9.market.full_book import fetch
from p9.market.instruments import Instruments, load
from p9.market.rest import Priority, RestClient, RestSettings
from p9.simulate.server import Simulator
from p9.venue import market

MARKETS = (
    "binance_spot", "binance_usdm", "binance_coinm", "bybit_spot", "bybit_linear", "bybit_inverse", "okx_spot", "okx_swap", "okx_futures",
)  # fmt: skip
DEEPEST = {"binance_spot": 5000, "binance_usdm": 1000, "binance_coinm": 1000, "bybit_spot": 10_000, "bybit_linear": 1000, "bybit_inverse": 1000}
NOW_NS = 1_790_000_000_000_000_000
QUICK = RestSettings(share=0.5, timeout_s=5.0, retry_first_s=0.01, retry_most_s=0.02)


def instrument(name: str, **more) -> Instrument:
    fields = {"base": "BTC", "quote": "USDT", "settle": "USDT", "kind": "spot", "tick": "0.01", "step": "0.00001"} | more
    return Instrument(exchange=name.partition("_")[0], market=name, symbol="BTC-USDT", venue_symbol="BTCUSDT", **fields)


async def test_every_market_s_deepest_book_is_the_simulator_s_to_the_last_digit():
    simulator = Simulator(seed=3)
    await simulator.start()
    try:
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{simulator.url}/oracle/freeze", json={}) as answer:
                assert answer.status == 200
            for name in MARKETS:
                row = market(name).at(simulator.endpoints[name]["rest"], "")
                async with RestClient(row.exchange, settings=QUICK) as client:
                    known = Instruments(row.exchange)
                    await load(client, row, known)
                    one = next(each for each in known.of(name) if each.trading)
                    book = await fetch(client, row, one, lambda: NOW_NS)
                async with session.get(f"{simulator.url}/oracle/{name}/{one.venue_symbol}") as answer:
                    truth = await answer.json()
                most = DEEPEST.get(name, 5000)
                for side in ("bids", "asks"):
                    ours = [(Decimal(price), Decimal(quantity)) for price, quantity in getattr(book, side)]
                    assert ours == [(Decimal(level[0]), Decimal(level[1])) for level in truth[side][:most]], (name, side)
                    assert len(ours) == min(most, len(truth[side])) > 400, "deeper than what is kept"
                assert (book.exchange, book.market, book.symbol, book.ts_recv) == (row.exchange, name, one.symbol, NOW_NS)
                assert (book.contract_value is None) == (one.contract == "base") and (book.update_id is None) == (row.exchange == "okx")
    finally:
        await simulator.stop()


@pytest.mark.parametrize("name, body, path, update_id, ts_event", [
    ("binance_spot", '{"lastUpdateId":1027024,"bids":[["4.00000000","431.00000000"],["3.99","0.00000000"]],"asks":[["4.00000200","12.00000000"]]}',
     "/api/v3/depth?symbol=BTCUSDT&limit=5000", 1027024, None),
    ("binance_usdm", '{"lastUpdateId":1027024,"E":1589436922972,"T":1589436922959,"bids":[["4.00000000","431.00000000"]],"asks":[["4.00000200","12.00000000"]]}',
     "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 1027024, 1589436922959000000),
    ("bybit_spot", '{"retCode":0,"retMsg":"OK","result":{"s":"BTCUSDT","b":[["4","431"]],"a":[["4.000002","12.0"]],"ts":1771012546112,"u":13616591,"seq":530382895911,'
     '"cts":1771012546111},"retExtInfo":{},"time":1771012546182}', "/v5/market/full_orderbook?category=spot&symbol=BTCUSDT", 13616591, 1771012546111000000),
    ("bybit_linear", '{"retCode":0,"retMsg":"OK","result":{"s":"BTCUSDT","b":[["4","431"]],"a":[["4.000002","12"]],"ts":1771012546112,"u":13616591,"seq":5}}',
     "/v5/market/orderbook?category=linear&symbol=BTCUSDT&limit=1000", 13616591, None),
    ("okx_spot", '{"code":"0","msg":"","data":[{"asks":[["4.000002","12","1"]],"bids":[["4","431","2"]],"ts":"1629966436396"}]}',
     "/api/v5/market/books-full?instId=BTCUSDT&sz=5000", None, 1629966436396000000),
])  # fmt: skip
async def test_the_documented_answers(server, name, body, path, update_id, ts_event):
    server.answers = [(200, {}, body)]
    async with RestClient("x", settings=QUICK) as client:
        book = await fetch(client, market(name).at(server.url, ""), instrument(name), lambda: NOW_NS)
    assert server.asked[0][1] == path
    assert (book.bids, book.asks, book.update_id, book.ts_event) == ([("4", "431")], [("4.000002", "12")], update_id, ts_event)


def spot(bids: object = (("4", "1"),), asks: object = (("5", "1"),), **more: object) -> str:
    return json.dumps({"lastUpdateId": 5, "bids": bids, "asks": asks, **more})


@pytest.mark.parametrize("body", [
    "{}", "[]", '{"lastUpdateId":null,"bids":[],"asks":[]}', spot(bids=None), spot(bids={"4": "1"}), spot(bids=[[]]), spot(bids=[["4"]]), spot(bids=["41"]), spot(bids=[[4, 1]]),
    spot(bids=[["4", None]]), spot(bids=[["", "1"]]), spot(bids=[["4", ""]]), spot(bids=[["0", "1"]]), spot(bids=[["-4", "1"]]), spot(bids=[["4", "-1"]]), spot(bids=[["4e0", "1"]]),
    spot(bids=[["nan", "1"]]), spot(bids=[["4", "1"], ["4", "2"]]), spot(bids=[["3", "1"], ["4", "2"]]), spot(asks=[["6", "1"], ["5", "2"]]), spot(bids=[["5", "1"]]),
    spot(bids=[["6", "1"]]), spot(bids=[["1" * 19, "1"]]), spot(bids=[["\u0664", "1"]]), spot(lastUpdateId="x"), '{"lastUpdateId":5,"bids":[["4","1"]]',
])  # fmt: skip
async def test_what_is_no_order_book_is_an_error_and_never_shown(server, body):
    server.answers = [(200, {}, body)] * 3
    async with RestClient("x", settings=QUICK) as client:
        with pytest.raises(RestError):
            await fetch(client, market("binance_spot").at(server.url, ""), instrument("binance_spot"), lambda: NOW_NS)


async def test_levels_of_nothing_are_left_out_and_an_empty_side_is_one(server):
    server.answers = [(200, {}, spot(bids=[["4.50", "0.0"], ["4.10", "00.50"]], asks=[]))]
    async with RestClient("x", settings=QUICK) as client:
        book = await fetch(client, market("binance_spot").at(server.url, ""), instrument("binance_spot"), lambda: NOW_NS)
    assert (book.bids, book.asks) == ([("4.1", "0.5")], [])


@pytest.mark.parametrize("answer, error, asked", [
    ((429, {"Retry-After": "7"}, "{}"), RateLimited, 1), ((418, {"Retry-After": "120"}, "{}"), AddressBanned, 1),
    ((400, {}, '{"code":-1121,"msg":"Invalid symbol."}'), RestRefused, 1), ((200, {}, "<html>maintenance</html>"), RestError, 2), ((503, {}, ""), RestError, 2),
])  # fmt: skip
async def test_a_venue_that_is_unwell_is_a_typed_error(server, answer, error, asked):
    server.answers = [answer] * 5
    async with RestClient("x", settings=QUICK) as client:
        row, one = market("binance_spot").at(server.url, ""), instrument("binance_spot")
        if error in (RateLimited, AddressBanned):  # told to wait, it does not within the question: who asks next is told at once
            with pytest.raises(RateLimited):
                await client.get(row, row.venue.full_book_request(row, "BTCUSDT"), Priority.BACKFILL, attempts=1)
            with pytest.raises(RateLimited) as limited:
                await fetch(client, row, one, lambda: NOW_NS)
            assert limited.value.retry_after_s > 6
        else:
            with pytest.raises(error):
                await fetch(client, row, one, lambda: NOW_NS)
    assert len(server.asked) == asked


async def test_without_room_in_the_budget_nothing_is_asked_and_recoveries_still_can(server):
    row, one = market("binance_spot").at(server.url, ""), instrument("binance_spot")
    server.answers = [(200, {}, spot())] * 20
    async with RestClient("x", settings=QUICK) as client:
        # half of the venue's 6,000 a minute is ours, and half of that is for such questions: six books
        for _ in range(6):
            await fetch(client, row, one, lambda: NOW_NS)
        with pytest.raises(RateLimited, match="no room in the venue's budget now") as limited:
            await fetch(client, row, one, lambda: NOW_NS)
        assert 50 < limited.value.retry_after_s <= 60 and len(server.asked) == 6
        image = row.venue.image_request(row, "BTCUSDT", 1000)
        assert client.wait_s(image, Priority.RECOVERY) == 0
        await client.get(row, image, Priority.RECOVERY)
    assert len(server.asked) == 7


async def test_what_waits_already_goes_first(server):
    row, one = market("binance_usdm").at(server.url, ""), instrument("binance_usdm")
    async with RestClient("x", settings=QUICK) as client:
        request = row.venue.full_book_request(row, "BTCUSDT")
        assert client.wait_s(request, Priority.BACKFILL) == 0
        asking = [asyncio.create_task(client.get(row, request, Priority.BACKFILL)) for _ in range(40)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimited):
            await fetch(client, row, one, lambda: NOW_NS)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
