"""The rows of the markets: URLs, topics, requests, and what the venue files say to each other."""

import json

import pytest

from p9.errors import AddressBanned, ConfigError, RateLimited, RestError, RestRefused
from p9.venue import market, topic

ALL = [
    "binance_spot",
    "binance_usdm",
    "binance_coinm",
    "bybit_spot",
    "bybit_linear",
    "bybit_inverse",
    "okx_spot",
    "okx_swap",
    "okx_futures",
    "okx_option",
]
MS = 1_000_000


@pytest.mark.parametrize("name", ALL)
def test_a_row_is_whole(name):
    row = market(name)
    assert row.name == name and row.exchange == name.partition("_")[0]
    assert {form.kind for form in row.topics} - {"liquidations", "blocks"} == {"depth", "best", "trades"}
    assert all(form.route in row.routes for form in row.topics)
    assert row.rest_url.startswith("https://") and row.ws_url.startswith("wss://")
    assert row.limits.topics_per_request * 60 >= 100 and row.limits.spacing_s > 0
    assert row.sequence.rest_seeded == (row.topics[0].levels == 0)


def test_an_unknown_market_names_its_siblings():
    with pytest.raises(ConfigError, match="binance_usdm"):
        market("binance_perps")
    with pytest.raises(ConfigError):
        market("kraken_spot")


@pytest.mark.parametrize(
    "name, wish, names",
    [
        ("binance_spot", {}, ["btcusdt@depth@100ms", "btcusdt@bookTicker", "btcusdt@trade"]),
        ("binance_spot", {"trades": "aggregated", "speed": "1000ms"}, ["btcusdt@depth", "btcusdt@bookTicker", "btcusdt@aggTrade"]),
        ("binance_usdm", {}, ["btcusdt@depth@100ms", "btcusdt@bookTicker", "btcusdt@aggTrade"]),
        ("binance_usdm", {"trades": "raw", "speed": "0ms"}, ["btcusdt@depth@0ms", "btcusdt@bookTicker", "btcusdt@trade"]),
        ("bybit_linear", {}, ["orderbook.1000.BTCUSDT", "orderbook.1.BTCUSDT", "publicTrade.BTCUSDT"]),
        ("bybit_linear", {"depth": 50, "trades": "aggregated"}, ["orderbook.50.BTCUSDT", "orderbook.1.BTCUSDT", "publicTrade.BTCUSDT"]),
        ("okx_swap", {"depth": 400}, ["books:BTCUSDT", "bbo-tbt:BTCUSDT", "trades:BTCUSDT"]),
        ("okx_swap", {"depth": 400, "speed": "10ms"}, ["books-l2-tbt:BTCUSDT", "bbo-tbt:BTCUSDT", "trades:BTCUSDT"]),
    ],
)
def test_topics_by_wish(name, wish, names):
    forms = market(name).choose(**{"depth": 1000, **wish})
    assert [topic(form, "BTCUSDT").name for form in forms] == names


@pytest.mark.parametrize(
    "name, wish", [("okx_spot", {"depth": 1000}), ("bybit_spot", {"depth": 5000}), ("binance_spot", {"depth": 10, "speed": "7ms"})]
)
def test_what_a_market_does_not_offer_is_a_config_error(name, wish):
    with pytest.raises(ConfigError, match=name):
        market(name).choose(**wish)


def test_routed_markets_have_a_socket_for_books_and_one_for_trades():
    row = market("binance_usdm")
    depth, best, trades = row.choose(depth=1000)
    assert row.socket_url(depth.route) == row.socket_url(best.route) == "wss://fstream.binance.com/public/stream"
    assert row.socket_url(trades.route) == "wss://fstream.binance.com/market/stream"
    assert market("binance_coinm").socket_url("public") == "wss://dstream.binance.com/stream"


@pytest.mark.parametrize(
    "name, told",
    [
        ("binance_spot", [("btcusdt@blockTrade", "public")]),
        ("binance_usdm", [("btcusdt@forceOrder", "market")]),
        ("binance_coinm", [("btcusdt@forceOrder", "public")]),
        ("bybit_spot", []),
        ("bybit_linear", [("allLiquidation.BTCUSDT", "public")]),
        ("okx_spot", [("liquidation-orders:instType=MARGIN", "public")]),
        ("okx_swap", [("liquidation-orders:instType=SWAP", "public")]),
        ("okx_futures", [("liquidation-orders:instType=FUTURES", "public")]),
    ],
)
def test_what_a_market_tells_beside_the_tape(name, told):
    row = market(name)
    more = row.choose(depth=10, also=("liquidations", "blocks"))[3:]
    assert [(topic(form, "BTCUSDT").name, form.route) for form in more] == told
    assert all(form.shared == ("instType" in form.template) for form in more)
    assert len(row.choose(depth=10)) == 3


def test_a_topic_of_all_instruments_is_asked_for_by_its_type():
    args = json.loads(market("okx_swap").venue.subscribe(["liquidation-orders:instType=SWAP"], 1))["args"]
    assert args == [{"channel": "liquidation-orders", "instType": "SWAP"}]


def test_other_addresses_keep_the_paths():
    row = market("okx_swap").at("http://127.0.0.1:1/", "ws://127.0.0.1:2")
    assert (row.rest_url, row.socket_url("public")) == ("http://127.0.0.1:1", "ws://127.0.0.1:2/ws/v5/public")
    assert market("okx_swap").at().rest_url == market("okx_swap").rest_url


@pytest.mark.parametrize(
    "name, said",
    [
        ("binance_spot", {"method": "SUBSCRIBE", "params": ["books:X"], "id": 7}),
        ("bybit_spot", {"req_id": "7", "op": "subscribe", "args": ["books:X"]}),
        ("okx_spot", {"id": "7", "op": "subscribe", "args": [{"channel": "books", "instId": "X"}]}),
    ],
)
def test_subscriptions(name, said):
    venue = market(name).venue
    assert json.loads(venue.subscribe(["books:X"], 7)) == said
    left = json.loads(venue.unsubscribe(["books:X"], 7))
    assert list(left) == list(said) and left != said


@pytest.mark.parametrize(
    "name, depth, params, weight",
    [
        ("binance_spot", 1000, {"symbol": "A", "limit": "1000"}, 50),
        ("binance_spot", 20, {"symbol": "A", "limit": "100"}, 5),
        ("binance_spot", 5000, {"symbol": "A", "limit": "5000"}, 250),
        ("binance_usdm", 1000, {"symbol": "A", "limit": "1000"}, 20),
        ("binance_coinm", 60, {"symbol": "A", "limit": "100"}, 5),
        ("binance_usdm", 5000, {"symbol": "A", "limit": "1000"}, 20),
        ("bybit_linear", 1000, {"category": "linear", "symbol": "A", "limit": "1000"}, 1),
        ("okx_swap", 400, {"instId": "A", "sz": "400"}, 1),
    ],
)
def test_an_order_book_is_asked_for_by_the_least_depth_that_holds_it(name, depth, params, weight):
    row = market(name)
    request = row.venue.image_request(row, "A", depth)
    assert (dict(request.params), request.weight) == (params, weight)


def test_the_futures_lines_share_one_pool_and_spot_has_its_own():
    assert market("binance_usdm").rest_budget == market("binance_coinm").rest_budget != market("binance_spot").rest_budget


def test_times():
    assert market("binance_spot").venue.read_time({"serverTime": 1499827319559}) == 1499827319559 * MS
    assert market("bybit_spot").venue.read_time({"result": {"timeSecond": "1", "timeNano": "1771012544990817347"}}) == 1771012544990817347
    assert market("okx_spot").venue.read_time({"code": "0", "data": [{"ts": "1597026383085"}]}) == 1597026383085 * MS


def test_a_cursor_is_sent_back_as_it_came():
    row = market("bybit_linear")
    first = row.venue.instruments_request(row)
    more = row.venue.next_page(first, {"result": {"nextPageCursor": "first%3D0GUSDT%26last%3DSOLPERP"}})
    again = row.venue.next_page(more, {"result": {"nextPageCursor": "x"}})
    assert dict(more.params) == {"category": "linear", "limit": "1000", "cursor": "first=0GUSDT&last=SOLPERP"}
    assert dict(again.params)["cursor"] == "x" and len(again.params) == 3
    assert row.venue.next_page(again, {"result": {"nextPageCursor": ""}}) is None


@pytest.mark.parametrize(
    "name, status, headers, body, kind, wait_s",
    [
        ("binance_spot", 400, {}, {"code": -1121, "msg": "Invalid symbol."}, RestRefused, None),
        ("binance_spot", 429, {"retry-after": "7"}, {"code": -1003, "msg": "Too much request weight used"}, RateLimited, 7),
        ("binance_spot", 418, {"retry-after": "120"}, {"code": -1003, "msg": "Way too much request weight used"}, AddressBanned, 120),
        ("binance_usdm", 418, {}, {"code": -1003, "msg": "Way too many requests; IP(1.2.3.4) banned until 4102444800000."}, AddressBanned, 3 * 86400),
        ("binance_spot", 429, {"retry-after": "inf"}, {}, RateLimited, 3 * 86400),
        ("binance_spot", 418, {"retry-after": "nan"}, {}, AddressBanned, 120),
        ("binance_spot", 418, {"retry-after": "-1"}, {}, AddressBanned, 120),
        ("bybit_spot", 200, {"x-bapi-limit-reset-timestamp": "9" * 30, "timenow": "1"}, {"retCode": 10006}, RateLimited, 600),
        ("binance_spot", 403, {}, "<html>", AddressBanned, 120),
        ("binance_usdm", 503, {}, {"code": -1008, "msg": "Request throttled"}, RestError, None),
        ("binance_spot", 502, {}, "<html>bad gateway</html>", RestError, None),
        ("bybit_spot", 200, {}, {"retCode": 10001, "retMsg": "params error: symbol invalid", "result": {}}, RestRefused, None),
        ("bybit_spot", 200, {}, {"retCode": 10006, "retMsg": "Too many visits!", "result": {}}, RateLimited, 1),
        ("bybit_spot", 200, {}, {"retCode": 10016, "retMsg": "server error"}, RestError, None),
        ("bybit_spot", 403, {}, "access too frequent", AddressBanned, 600),
        ("okx_spot", 200, {}, {"code": "51001", "msg": "Instrument ID doesn't exist", "data": []}, RestRefused, None),
        ("okx_spot", 200, {}, {"code": "50011", "msg": "Too Many Requests", "data": []}, RateLimited, 2),
        ("okx_spot", 429, {}, {"code": "50013", "msg": "busy"}, RateLimited, 2),
        ("okx_spot", 503, {}, {"code": "50001", "msg": "Service temporarily unavailable"}, RestError, None),
        ("okx_spot", 403, {}, "<html>", AddressBanned, 60),
    ],
)
def test_errors_carry_their_remedy(name, status, headers, body, kind, wait_s):
    error = market(name).venue.read_error(status, headers, (body if isinstance(body, str) else json.dumps(body)).encode())
    assert type(error) is kind
    assert error.retry_after_s == wait_s, "and never more than the venue's longest, whatever is written there"


def test_a_limit_without_a_header_waits_for_the_next_full_minute():
    error = market("binance_usdm").venue.read_error(429, {}, b'{"code":-1003,"msg":"Too many requests"}')
    assert 0 <= error.retry_after_s <= 60


@pytest.mark.parametrize(
    "name, body", [("binance_spot", {}), ("bybit_spot", {"retCode": 0, "retMsg": "SUCCESS", "result": {}}), ("okx_spot", {"code": "0", "data": []})]
)
def test_a_good_answer_is_no_error(name, body):
    assert market(name).venue.read_error(200, {}, json.dumps(body).encode()) is None


def test_trades_for_a_hole():
    spot, usdm, linear, okx = (market(name) for name in ("binance_spot", "binance_usdm", "bybit_linear", "okx_spot"))
    fills, aggregated = spot.choose(depth=10)[2], usdm.choose(depth=10)[2]
    assert spot.venue.trades_request(spot, fills, "A", 5).path == "/api/v3/historicalTrades"
    assert dict(usdm.venue.trades_request(usdm, aggregated, "A", 5).params) == {"symbol": "A", "limit": "1000", "fromId": "5"}
    assert usdm.venue.trades_request(usdm, usdm.choose(depth=10, trades="raw")[2], "A", 5) is None
    assert dict(okx.venue.trades_request(okx, fills, "A", 5).params) == {"instId": "A", "type": "1", "after": "105", "limit": "100"}
    assert dict(linear.venue.trades_request(linear, fills, "A", None).params)["limit"] == "1000"


def test_trades_are_read_oldest_first_with_the_taker_s_side():
    fill = {"id": 28457, "price": "4.1", "qty": "12", "quoteQty": "48", "time": 1499865549590, "isBuyerMaker": True, "isBestMatch": True}
    aggregated = {"a": 26129, "p": "0.016", "q": "4.7", "nq": "100", "f": 27781, "l": 27785, "T": 1498793709153, "m": False}
    first, second = market("binance_spot").venue.read_trades([fill, aggregated])
    assert (first.id, first.price, first.quantity, first.side, first.first_id, first.last_id) == ("28457", "4.1", "12", "sell", 28457, 28457)
    assert (second.id, second.side, second.first_id, second.last_id, second.ts_event_ns) == ("26129", "buy", 27781, 27785, 1498793709153 * MS)
    rows = [
        {"execId": "3-uuid", "price": "2", "size": "1", "side": "Sell", "time": "2000"},
        {"execId": "2100000000007764263", "price": "1", "size": "3", "side": "Buy", "time": "1000"},
    ]
    older, newer = market("bybit_spot").venue.read_trades({"result": {"list": rows}})
    assert (older.first_id, older.side, older.ts_event_ns, newer.first_id, newer.side) == (2100000000007764263, "buy", 1000 * MS, None, "sell")
    rows = [
        {"instId": "A", "side": side, "sz": "0.1", "px": "9", "source": "0", "tradeId": n, "ts": "1747087163557"}
        for n, side in (("8", "sell"), ("7", "buy"))
    ]
    assert [(trade.last_id, trade.side) for trade in market("okx_spot").venue.read_trades({"code": "0", "data": rows})] == [(7, "buy"), (8, "sell")]
