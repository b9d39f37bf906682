"""Private streams of the venues: recorded frames, the venue pages' samples, logins by an independent computation; expected values copied by hand."""

import base64
import hashlib
import json
from itertools import pairwise

import pytest

from p9.errors import RestError
from p9.fact import Reading, Roster
from p9.key import Key
from p9.simulate.account import hmac_sha256
from p9.stop_order import StopOrder, accounts_of
from p9.venue import market
from p9.venues import bybit_orders, okx_orders
from tests.recordings import recording
from tests.venues.facts import instrument

MS = 1_000_000


def read(exchange, frame, name=""):
    reading = Reading(Roster(()))
    next(account for account in accounts_of(exchange) if account.name == (name or exchange)).read(reading, frame)
    return reading


# ---- logins


def test_the_third_venue_s_login_is_the_page_s_vector():
    key = Key("the-key-of-okx", "22582BD0CFF14C41EDBF1AB98506286D", "the-passphrase")
    asked = json.loads(okx_orders.login(key, 1704876947 * 10**9 + 999_999_999))
    assert asked == {
        "op": "login", "args": [{"apiKey": "the-key-of-okx", "passphrase": "the-passphrase", "timestamp": "1704876947", "sign": "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU="}],
    }  # fmt: skip


def test_the_second_venue_s_login_is_signed_over_a_time_to_come():
    asked = json.loads(bybit_orders.login(Key("the-key-of-bybit", "the-secret-of-bybit"), 1662350400000 * MS))
    key, expires, sign = asked["args"]
    assert (asked["op"], key, expires) == ("auth", "the-key-of-bybit", 1662350410000)
    block = b"the-secret-of-bybit".ljust(64, b"\0")  # RFC 2104 by hand
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + b"GET/realtime1662350410000").digest()
    assert sign == hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).hexdigest()


def test_the_simulator_s_own_signature_is_the_published_one():
    """RFC 4231, test cases 1, 2 and 6; and the third venue's vector."""
    assert hmac_sha256(b"\x0b" * 20, b"Hi There").hex() == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    assert hmac_sha256(b"Jefe", b"what do ya want for nothing?").hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert hmac_sha256(b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First").hex() == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    signed = hmac_sha256(b"22582BD0CFF14C41EDBF1AB98506286D", b"1704876947GET/users/self/verify")
    assert base64.b64encode(signed) == b"5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU="


# ---- the first venue


def test_recorded_algo_updates():
    """Of five frames two are of an order that was cancelled, and three of one trigger."""
    frames = [json.loads(line) for line in recording("binance/live_usdm_user_ALGO_UPDATE.jsonl").read_text().splitlines()]
    found = [read("binance", frame, "binance_usdm") for frame in frames]
    assert not any(reading.bad for reading in found) and [len(reading.facts) for reading in found] == [0, 0, 1, 1, 1]
    assert found[2].facts == [
        StopOrder(
            market="binance_usdm", venue_symbol="DOGEUSDT", order_id="1000000033225453", side="buy", kind="stop", order_type="STOP_MARKET",
            at_ns=1765431097019 * MS, client_id="O-20251211-053131-TEST-000-1", trigger_price="0.13855", trigger_price_type="last", quantity="38", reduce_only=False,
        )
    ]  # fmt: skip
    assert found[3].facts[0].placed_order_id == "88937381063" and {reading.facts[0].order_id for reading in found[2:]} == {"1000000033225453"}


def algo(**more):
    order = {"caid": "c", "aid": 7, "o": "STOP", "s": "BTCUSD_PERP", "S": "SELL", "ps": "LONG", "q": "3", "X": "TRIGGERING", "ai": "", "tp": "60000.0", "p": "59900", "wt": "MARK_PRICE", "tt": 1765431097019}
    return {"e": "ALGO_UPDATE", "T": 1, "E": 2, "o": {**order, **more}}


def test_a_stop_limit_order_of_the_coin_margined_line():
    (order,) = read("binance", algo(R=True), "binance_coinm").facts
    assert (order.market, order.side, order.position, order.order_price, order.trigger_price_type, order.reduce_only) == ("binance_coinm", "sell", "long", "59900", "mark", True)
    (failed,) = read("binance", algo(X="REJECTED", rm="insufficient margin", cp=True, q="0"), "binance_coinm").facts
    assert (failed.failure, failed.quantity) == ("insufficient margin", None), "of the whole position"
    assert read("binance", algo(X="REJECTED", tt=0), "binance_coinm").facts == [], "refused before it was triggered"


# ---- the second venue


def page_row(**more):
    """The page's second frame."""
    row = {"category": "linear", "symbol": "BTCUSDT", "orderId": "c1c73e96-daef-4492-8cdd-6a6fd6fd2eed", "orderLinkId": "sl-1", "side": "Sell", "orderType": "Market", "qty": "0.100", "orderStatus": "Triggered",
           "stopOrderType": "Stop", "triggerPrice": "45000.00", "triggerDirection": 2, "triggerBy": "LastPrice", "updatedTime": "1672368000118"}  # fmt: skip
    return {"id": "592..2", "topic": "order", "creationTime": 1672368000120, "data": [{**row, **more}]}


def test_the_page_s_triggered_order():
    assert read("bybit", page_row()).facts == [
        StopOrder(
            market="bybit_linear", venue_symbol="BTCUSDT", order_id="c1c73e96-daef-4492-8cdd-6a6fd6fd2eed", side="sell", kind="stop", order_type="Stop",
            at_ns=1672368000118 * MS, client_id="sl-1", trigger_price="45000", trigger_price_type="last", quantity="0.1",
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    "status, more, told",
    [
        ("Untriggered", {}, False), ("Triggered", {}, True), ("New", {}, True), ("PartiallyFilled", {}, True), ("Filled", {}, True), ("Deactivated", {}, False),
        ("Cancelled", {"cumExecQty": "0"}, False), ("Cancelled", {"cumExecQty": "0.04"}, True), ("Rejected", {}, False), ("Filled", {"stopOrderType": ""}, False),
        ("Filled", {"stopOrderType": "UNKNOWN"}, False), ("Filled", {"category": "option"}, False),
    ],
)  # fmt: skip
def test_which_states_mean_that_it_was_triggered(status, more, told):
    assert len(read("bybit", page_row(orderStatus=status, **more)).facts) == told


def test_kinds_positions_and_amounts():
    (order,) = read("bybit", page_row(stopOrderType="PartialTakeProfit", positionIdx=2, triggerBy="MarkPrice", orderType="Limit", price="46000.50", reduceOnly=True, category="inverse")).facts
    assert (order.market, order.kind, order.order_type, order.position) == ("bybit_inverse", "take_profit", "PartialTakeProfit", "short")
    assert (order.trigger_price_type, order.order_price, order.reduce_only) == ("mark", "46000.5", True)
    (spot,) = read("bybit", page_row(category="spot", stopOrderType="tpslOrder", marketUnit="quoteCoin", qty="500", side="Buy")).facts
    assert (spot.market, spot.kind, spot.quantity, spot.quote_quantity) == ("bybit_spot", "other", None, "500")


def test_hand_made_fixtures_of_others():
    """Orders that rest, a stop order that was filled, and plain ones: none is refused."""
    frames = [json.loads(line)["msg"] for line in recording("bybit/ws_private_fixtures_nautilus_SYNTHETIC.jsonl").read_text().splitlines()]
    found = [read("bybit", frame) for frame in frames if frame.get("topic") == "order"]
    assert len(found) >= 5 and not any(reading.bad for reading in found)
    told = {order.client_id: order for reading in found for order in reading.facts}
    filled = told["test-client-order-001"]
    assert (filled.trigger_price, filled.trigger_price_type, filled.order_price, filled.at_ns) == ("29500", "mark", "30000.5", 1672364262457 * MS)
    assert not {name for name in told if "stop" in name}, "they rest"


# ---- the third venue


def page_algo(**more):
    """The page's push."""
    row = {"algoId": "706620792746729474", "algoClOrdId": "STOP003", "instId": "BTC-USDT-SWAP", "instType": "SWAP", "ordType": "trigger", "state": "effective", "side": "sell", "posSide": "long", "sz": "0.01",
           "triggerPx": "102000", "triggerPxType": "last", "ordPx": "-1", "actualPx": "101950", "actualSz": "0.01", "actualSide": "", "ordId": "706620792746729999", "ordIdList": ["706620792746729999"],
           "triggerTime": "1737400200000", "failCode": "", "tdMode": "isolated", "lever": "2", "reduceOnly": "true", "last": "101990", "cTime": "1737400050000", "uTime": "1737400200000"}  # fmt: skip
    return {"arg": {"channel": "orders-algo", "uid": "77982378738415879", "instType": "SWAP"}, "data": [{**row, **more}]}


def test_the_page_s_effective_order():
    assert read("okx", page_algo()).facts == [
        StopOrder(
            market="okx_swap", venue_symbol="BTC-USDT-SWAP", order_id="706620792746729474", side="sell", kind="stop", order_type="trigger",
            at_ns=1737400200000 * MS, client_id="STOP003", placed_order_id="706620792746729999", position="long", trigger_price="102000",
            trigger_price_type="last", quantity="0.01", reduce_only=True,
        )
    ]  # fmt: skip
    assert market("okx_swap").venue.topic_of(json.dumps(page_algo()).encode()) is not None, "it is data"


@pytest.mark.parametrize("state, told", [("live", 0), ("effective", 1), ("partially_effective", 1), ("canceled", 0), ("partially_failed", 0), ("pause", 0), ("order_failed", 1)])
def test_which_states_of_an_algo_order_mean_that_it_was_triggered(state, told):
    reading = read("okx", page_algo(state=state, failCode="51008" if state == "order_failed" else ""))
    assert len(reading.facts) == told and not reading.bad
    assert not told or reading.facts[0].failure == ("51008" if state == "order_failed" else None)


def test_legs_trails_and_amounts():
    legs = {"ordType": "oco", "triggerPx": "", "tpTriggerPx": "110000", "tpTriggerPxType": "mark", "tpOrdPx": "109990", "slTriggerPx": "90000", "slTriggerPxType": "index", "slOrdPx": "-1"}
    (taken,) = read("okx", page_algo(**legs, actualSide="tp")).facts
    assert (taken.kind, taken.trigger_price, taken.trigger_price_type, taken.order_price) == ("take_profit", "110000", "mark", "109990")
    (stopped,) = read("okx", page_algo(**legs, actualSide="sl")).facts
    assert (stopped.kind, stopped.trigger_price, stopped.trigger_price_type, stopped.order_price) == ("stop", "90000", "index", None)
    (trailed,) = read("okx", page_algo(ordType="move_order_stop", posSide="net")).facts
    assert (trailed.kind, trailed.position) == ("trailing", None)
    (spot,) = read("okx", page_algo(instType="SPOT", instId="BTC-USDT", tgtCcy="quote_ccy", sz="250")).facts
    assert (spot.market, spot.quantity, spot.quote_quantity) == ("okx_spot", None, "250")
    assert read("okx", page_algo(actualSide=["tp"])).facts[0].kind == "stop", "a word that is none is none"
    assert read("okx", page_algo(ordType="iceberg")).facts == read("okx", page_algo(instType="OPTION")).facts == []
    assert read("okx", page_algo(state="order_failed", triggerTime="")).facts == [], "refused before it was triggered"


# ---- what nobody should send

GOOD = {"binance_usdm": algo(), "bybit": page_row(), "okx": page_algo()}
KEYS = {"binance_usdm": ("s", "aid", "S", "X", "tp", "q", "tt"), "bybit": ("symbol", "orderId", "side", "orderStatus", "triggerPrice", "qty", "updatedTime"), "okx": ("instId", "algoId", "side", "state", "triggerPx", "sz", "triggerTime")}
ROLES = ("name", "id", "side", "state", "price", "amount", "time")


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, "", 0, "0", -1, "NaN", "1e999", [], {}, True, "\x00", "x" * 500, 10**30])
def test_no_bad_value_becomes_a_wrong_one(name, value):
    exchange = name.split("_")[0]
    assert len(read(exchange, GOOD[name], name).facts) == 1
    for role, key in zip(ROLES, KEYS[name], strict=True):
        frame = json.loads(json.dumps(GOOD[name]))
        row = frame["o"] if exchange == "binance" else frame["data"][0]
        row[key] = value
        reading = read(exchange, frame, name)
        if role in ("id", "side", "state"):
            assert not reading.facts or role == "id", (key, value)
            assert all(order.order_id == str(value) for order in reading.facts)
        elif role == "name":
            assert all(isinstance(order.venue_symbol, str) for order in reading.facts), "who is not captured is nobody"
        else:
            field = {"price": "trigger_price", "amount": "quantity", "time": "at_ns"}[role]
            assert all(getattr(order, field) in (None, str(value)) for order in reading.facts), (key, value)


@pytest.mark.parametrize("frame", [None, [], "x", 5, {}, {"e": "ALGO_UPDATE"}, {"e": "ALGO_UPDATE", "o": []}, {"e": ["ALGO_UPDATE"]}, {"topic": "order"}, {"topic": "order", "data": [1, None]}, {"data": {}}, {"data": [[]]}])
def test_shapes_that_are_none_are_counted_or_passed_over(frame):
    for name in GOOD:
        assert read(name.split("_")[0], frame, name).facts == []


# ---- asking by REST what was triggered while nobody listened


def how(name):
    return next(account for account in accounts_of(name.split("_")[0]) if account.name == name).reconcile


def past(name, answer, since_ms=0):
    reading = Reading(Roster(()))
    how(name).read(reading, answer, since_ms * MS)
    return reading


def test_the_first_venue_s_signature_is_the_published_one():
    """The documentation's example of a signed question, with its key and secret."""
    key = Key("vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j")
    more, headers = how("binance_usdm").sign(key, "/fapi/v1/order", "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1", 1499827319559 * MS)
    assert more == (("recvWindow", "5000"), ("timestamp", "1499827319559"), ("signature", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"))
    assert headers == {"X-MBX-APIKEY": "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"}


def test_the_others_sign_what_their_pages_say():
    key = Key("the-key-of-all", "the-secret-of-all", "the-passphrase")
    _, headers = how("bybit").sign(key, "/v5/order/history", "category=spot&cursor=7%3A9", 1672364262444 * MS)
    assert headers["X-BAPI-SIGN"] == hmac_sha256(b"the-secret-of-all", b"1672364262444the-key-of-all5000category=spot&cursor=7%3A9").hex()
    _, headers = how("okx").sign(key, "/api/v5/trade/orders-algo-history", "ordType=conditional,oco", 1597026383085 * MS + 999_999)
    assert headers["OK-ACCESS-TIMESTAMP"] == "2020-08-10T02:26:23.085Z" and headers["OK-ACCESS-PASSPHRASE"] == "the-passphrase"
    text = b"2020-08-10T02:26:23.085ZGET/api/v5/trade/orders-algo-history?ordType=conditional,oco"
    assert headers["OK-ACCESS-SIGN"] == base64.b64encode(hmac_sha256(b"the-secret-of-all", text)).decode()


def algo_row(**more):
    """The documentation's example of all algo orders (a cancelled one)."""
    row = {"algoId": 2146760, "clientAlgoId": "6B2I9XVcJpCjqPAJ4YoFX7", "algoType": "CONDITIONAL", "orderType": "TAKE_PROFIT", "symbol": "BNBUSDT", "side": "SELL", "positionSide": "BOTH", "timeInForce": "GTC", "quantity": "0.01",
           "algoStatus": "CANCELED", "actualOrderId": "", "actualPrice": "0.00000", "triggerPrice": "750.000", "price": "750.000", "icebergQuantity": None, "workingType": "CONTRACT_PRICE", "closePosition": False, "reduceOnly": False,
           "createTime": 1750485492076, "updateTime": 1750514545091, "triggerTime": 0, "goodTillDate": 0}  # fmt: skip
    return {**row, **more}


def test_the_first_venue_s_rows_of_the_past():
    over = algo_row(algoId=7, algoStatus="FINISHED", actualOrderId="88", triggerTime=1750514545000)
    reading = past("binance_usdm", [algo_row(), over], 1750514544000)
    assert reading.facts == [
        StopOrder(
            market="binance_usdm", venue_symbol="BNBUSDT", order_id="7", side="sell", kind="take_profit", order_type="TAKE_PROFIT", at_ns=1750514545000 * MS,
            client_id="6B2I9XVcJpCjqPAJ4YoFX7", placed_order_id="88", trigger_price="750", trigger_price_type="last", order_price="750", quantity="0.01", reduce_only=False,
        )
    ]  # fmt: skip
    assert not reading.bad
    assert past("binance_usdm", [over], 1750514545001).facts == [], "triggered before, filled since"
    assert past("binance_usdm", [algo_row(algoStatus="Floating")], 1750514545092).bad == {}, "what did not change since then is of no interest, whatever it is"
    assert past("binance_usdm", [algo_row(algoStatus="Floating")], 1750514545091).bad == {"unknown_state": 1}
    untimed = past("binance_usdm", [algo_row(algoStatus="FINISHED")])
    assert untimed.bad == {"no_time": 1} and not untimed.facts
    (failed,) = past("binance_coinm", [algo_row(algoStatus="REJECTED", triggerTime=1750514545000)]).facts
    assert (failed.market, failed.failure) == ("binance_coinm", "REJECTED"), "why is not told by REST"


def test_the_first_venue_s_history_is_asked_a_week_at_a_time_from_where_the_oldest_order_that_rested_was_placed():
    one = instrument("binance_usdm", "BTCUSDT", contract="base")
    until, day = 1750514545091, 86_400_000
    (recent,) = how("binance_usdm").questions([one], lambda unit: (until - 5000) * MS, until * MS)
    assert dict(recent.params) == {"symbol": "BTCUSDT", "startTime": str(until - 5000), "endTime": str(until), "limit": "1000"} and recent.weight == 5
    old = [dict(asked.params) for asked in how("binance_usdm").questions([one], lambda unit: (until - 20 * day) * MS if unit == "BTCUSDT" else 0, until * MS)]
    spans = [(int(asked["startTime"]), int(asked["endTime"])) for asked in old]
    assert spans[0][0] == until - 20 * day and spans[-1][1] == until and all(end - start < 7 * day for start, end in spans)
    assert all(start == end + 1 for (_, end), (start, _) in pairwise(spans))
    halves = [dict(page.params) for page in how("binance_usdm").next_pages(recent, [algo_row()] * 1000)]
    assert [(half["startTime"], half["endTime"]) for half in halves] == [(str(until - 5000), str(until - 2500)), (str(until - 2499), str(until))]
    assert how("binance_usdm").next_pages(recent, [algo_row()] * 999) == []


def bybit_answer(*rows, line="linear"):
    return {"retCode": 0, "retMsg": "OK", "result": {"category": line, "nextPageCursor": "", "list": list(rows)}}


@pytest.mark.parametrize(
    "status, more, told, bad",
    [
        ("Untriggered", {}, 0, None), ("Triggered", {}, 1, None), ("New", {}, 1, None), ("Filled", {}, 1, None), ("Deactivated", {}, 0, None), ("Cancelled", {"cumExecQty": "0.1"}, 1, None),
        ("Cancelled", {"cumExecQty": "0"}, 0, "unclear_state"), ("Rejected", {}, 0, "unclear_state"), ("Floating", {}, 0, "unknown_state"), ("Cancelled", {"stopOrderType": ""}, 0, None),
    ],
)  # fmt: skip
def test_the_second_venue_s_rows_of_the_past(status, more, told, bad):
    row = {key: value for key, value in page_row()["data"][0].items() if key != "category"}
    reading = past("bybit", bybit_answer({**row, "orderStatus": status, **more}), 1672368000118)
    assert len(reading.facts) == told and list(reading.bad) == ([bad] if bad else [])
    for order in reading.facts:
        assert order.at_ns == (1672368000118 * MS if status == "Triggered" else None), "of the others only the last change is told"
        assert (order.market, order.order_id, order.trigger_price) == ("bybit_linear", row["orderId"], "45000")
    assert not past("bybit", bybit_answer({**row, "orderStatus": status, **more}), 1672368000119).facts
    assert past("bybit", bybit_answer(line="option")).bad == past("bybit", {"result": []}).bad == {"unknown_line": 1}


def test_the_third_venue_s_rows_of_the_past():
    row = page_algo()["data"][0]
    assert past("okx", {"data": [row]}, 1737400200000).facts == read("okx", page_algo()).facts
    assert past("okx", {"data": [row]}, 1737400200001).facts == past("okx", {"data": [{**row, "uTime": "1737400300000"}]}, 1737400200001).facts == []
    assert past("okx", {"data": [{**row, "triggerTime": ""}]}).bad == {"no_time": 1}
    assert past("okx", {"data": [{**row, "instType": "EVENTS"}]}).bad == {"unknown_line": 1}
    (first, *rest) = how("okx").questions([], lambda unit: 0, 0)
    assert first.path.endswith("pending") and {dict(asked.params)["state"] for asked in rest} == {"effective", "order_failed"}
    page = [{"algoId": str(1000 - n)} for n in range(100)]
    (following,) = how("okx").next_pages(first, {"data": page})
    assert dict(following.params)["after"] == "901" and how("okx").next_pages(first, {"data": page[:99]}) == []
    for repeated in (page, page[50:] + page[:50], [{"algoId": "901"}]):
        with pytest.raises(RestError, match="pages repeat"):
            how("okx").next_pages(following, {"data": repeated})


# ---- the first venue's spot line


def report(**more):
    """The documentation's executionReport, as one of a stop order."""
    event = {"e": "executionReport", "E": 1499405658658, "s": "ETHBTC", "c": "mUvoqJxFIILMdfAW5iGSOW", "S": "BUY", "o": "STOP_LOSS_LIMIT", "f": "GTC", "q": "1.00000000", "p": "0.10264410", "P": "0.10260000", "F": "0.00000000",
             "g": -1, "C": "", "x": "NEW", "X": "NEW", "r": "NONE", "i": 4293153, "l": "0.00000000", "z": "0.00000000", "L": "0.00000000", "n": "0", "N": None, "T": 1499405658657, "t": -1, "I": 8641984, "w": False, "m": False,
             "M": False, "O": 1499405658657, "Z": "0.00000000", "Y": "0.00000000", "Q": "0.00000000", "V": "selfTradePreventionMode"}  # fmt: skip
    return {"subscriptionId": 0, "event": {**event, **more}}


def test_a_spot_order_is_triggered_when_it_works_or_trades():
    assert read("binance", report(), "binance_spot").facts == [], "it rests"
    worked = read("binance", report(w=True, W=1499405660000), "binance_spot")
    assert not worked.bad and worked.facts == [
        StopOrder(
            market="binance_spot", venue_symbol="ETHBTC", order_id="4293153", side="buy", kind="stop", order_type="STOP_LOSS_LIMIT", at_ns=1499405660000 * MS,
            client_id="mUvoqJxFIILMdfAW5iGSOW", trigger_price="0.1026", trigger_price_type="last", order_price="0.1026441", quantity="1",
        )
    ]  # fmt: skip
    (taken,) = read("binance", report(o="TAKE_PROFIT", x="TRADE", X="FILLED", p="0.00000000"), "binance_spot").facts
    assert (taken.kind, taken.at_ns, taken.order_price) == ("take_profit", 1499405658657 * MS, None), "the first trade's time"
    (trailed,) = read("binance", report(o="STOP_LOSS", d=4, D=1668680518494, W=1668683798379, P="0.00000000"), "binance_spot").facts
    assert (trailed.kind, trailed.trigger_price, trailed.at_ns) == ("trailing", None, 1668683798379 * MS)
    (spent,) = read("binance", report(o="STOP_LOSS", w=True, q="0.00000000", Q="250.00000000"), "binance_spot").facts
    assert (spent.quantity, spent.quote_quantity) == (None, "250")
    (cancelled,) = read("binance", report(x="CANCELED", X="CANCELED", c="the-cancel", C="the-order", W=1499405660000), "binance_spot").facts
    assert cancelled.client_id == "the-order"
    for none in (report(o="LIMIT", w=True), report(x="CANCELED", X="CANCELED"), report(x="REJECTED", r="STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY"), {"subscriptionId": 0, "event": {"e": "balanceUpdate"}}, {"event": 7}, [1]):
        reading = read("binance", none, "binance_spot")
        assert not reading.facts and not reading.bad, none
    for bad in (report(w=True, s=None), report(w=True, i=""), report(w=True, S="HOLD")):
        reading = read("binance", bad, "binance_spot")
        assert not reading.facts and reading.bad == {"no_order": 1}


def test_a_spot_login_is_signed_in_the_order_of_the_names():
    account = next(account for account in accounts_of("binance") if account.name == "binance_spot")
    asked = json.loads(account.login(Key("the-key-of-spot", "the-secret-of-spot"), 1747385641636 * MS))
    sign = hmac_sha256(b"the-secret-of-spot", b"apiKey=the-key-of-spot&timestamp=1747385641636").hex()
    assert asked == {"id": 0, "method": "userDataStream.subscribe.signature", "params": {"apiKey": "the-key-of-spot", "timestamp": 1747385641636, "signature": sign}}
    spot = market("binance_spot").venue
    assert spot.read_control(b'{"id":0,"status":200,"result":{"subscriptionId":0}}').kind == "login"
    refused = spot.read_control(b'{"id":0,"status":401,"error":{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}}')
    assert refused.kind == "refused" and refused.reason == "-2015: Invalid API-key, IP, or permissions for action."
    assert spot.read_control(b'{"event":{"e":"serverShutdown","E":1770123456789}}').kind == "closing"
    assert spot.topic_of(json.dumps(report()).encode()) == "executionReport" and spot.topic_of(b'{"event":{"e":"serverShutdown","E":1770123456789}}') is None
    assert account.over({"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": 1728973001334}}) and not account.over(report()) and not account.over([])


def test_spot_s_rows_of_the_past():
    row = {"symbol": "LTCBTC", "orderId": 1, "orderListId": -1, "clientOrderId": "myOrder1", "price": "0.1", "origQty": "1.0", "executedQty": "0.0", "cummulativeQuoteQty": "0.0", "status": "NEW", "timeInForce": "GTC",
           "type": "STOP_LOSS_LIMIT", "side": "BUY", "stopPrice": "0.2", "icebergQty": "0.0", "time": 1499827319559, "updateTime": 1499827319600, "isWorking": True, "origQuoteOrderQty": "0.000000", "workingTime": 1499827319590}  # fmt: skip
    reading = past("binance_spot", [row, {**row, "orderId": 2, "isWorking": False, "workingTime": -1}, {**row, "type": "LIMIT"}], 1499827319590)
    (order,) = reading.facts
    assert not reading.bad and (order.order_id, order.at_ns, order.trigger_price, order.order_price, order.quantity) == ("1", 1499827319590 * MS, "0.2", "0.1", "1")
    assert past("binance_spot", [row], 1499827319591).facts == []
    assert past("binance_spot", [{**row, "workingTime": None}]).bad == {"no_time": 1}
    listed = Reading(Roster(()))
    how("binance_spot").read_listing(listed, [row, {**row, "orderId": 2, "isWorking": False}, {**row, "type": "LIMIT"}, {**row, "time": None}])
    assert [(order.order_id, order.placed_ns // MS, order.changed_ns) for order in listed.facts] == [("1", 1499827319559, 1499827319600 * MS), ("2", 1499827319559, None)]
    assert listed.bad == {"no_order": 1}
    one = instrument("binance_spot", "LTCBTC", kind="spot")
    spans = [(int(dict(asked.params)["startTime"]), int(dict(asked.params)["endTime"])) for asked in how("binance_spot").questions([one], lambda unit: 0, 3 * 86_400_000 * MS)]
    assert len(spans) == 3 and all(end - start < 86_400_000 for start, end in spans)
