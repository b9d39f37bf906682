"""The account's stop orders as each venue tells them by REST, against a signature: those that rest, and those of the past.

Where a venue does not say by which time its history goes, it goes by the time of placing here: who asks only for the time in which he was away misses
what was placed before it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from p9.simulate.account import Account, StopOrder
from p9.simulate.binance_weights import Weights, error
from p9.simulate.faults import Faults
from p9.simulate.private_streams import ALGO_STATES, INST_TYPES, second_row, third_row
from p9.simulate.rest import Refusal, dumps, json_response

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
OPEN = ("resting", "triggered", "placed")
FIRST_PATHS = {
    path: market
    for market, paths in {
        "binance_spot": ("api/v3/openOrders", "api/v3/allOrders"), "binance_usdm": ("fapi/v1/openAlgoOrders", "fapi/v1/allAlgoOrders"),
        "binance_coinm": ("dapi/v1/openAlgoOrders", "dapi/v1/allAlgoOrders"),
    }.items() for path in paths
}  # fmt: skip


class OrderHistory:
    """`spoil`: what a test makes of an answer's body. `repeats`: every page is the first one."""

    def __init__(self, account: Account, faults: Faults, weights: Mapping[str, Weights]):
        self.account = account
        self.asked: list[str] = []  # paths, as they were signed
        self.spoil: Callable[[str], str] | None = None
        self.repeats = False
        self._faults, self._weights = faults, weights

    def answer(self, prefix: str, request: web.Request) -> web.Response | None:
        """None: that is not here."""
        name = request.match_info["path"]
        if FIRST_PATHS.get(name) == prefix:
            answer: Callable[[str, web.Request], str] = self._first
        elif prefix == "bybit" and name in ("v5/order/realtime", "v5/order/history"):
            answer = self._second
        elif prefix == "okx" and name in ("api/v5/trade/orders-algo-pending", "api/v5/trade/orders-algo-history"):
            answer = self._third
        else:
            return None
        self.asked.append(f"/{name}?{request.rel_url.raw_query_string}")
        fault, _ = self._faults.of_rest(prefix, "*", False)
        if fault is not None:
            return web.Response(status=503, text="<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>", content_type="text/html")
        try:
            body = answer(prefix, request)
        except Refusal as refusal:
            return refusal.response()
        return json_response(self.spoil(body) if self.spoil is not None else body)

    def _orders(self, *markets: str) -> list[StopOrder]:
        return [order for order in self.account.orders if order.market in markets]

    # ------------------------------------------------------------------ the first venue

    def _first(self, prefix: str, request: web.Request) -> str:
        query = request.query
        code, reason = self.account.signed_first(request.rel_url.raw_query_string, request.headers.get("X-MBX-APIKEY"), int(time.time() * 1000))
        if code:
            raise error(code, reason, 401 if code == -2015 else 400)
        orders = [order for order in self._orders(prefix) if query.get("symbol") in (None, order.one.symbol)]
        spot = prefix == "binance_spot"
        weights, row, most_ms = (self._weights["spot"], _spot_row, DAY_MS) if spot else (self._weights["futures"], _first_row, WEEK_MS)
        if "/open" in request.path:
            weights.spend((6 if spot else 1) if "symbol" in query else 80 if spot else 40)
            return dumps([row(order) for order in orders if order.state in OPEN])
        weights.spend(20 if spot else 5)
        if not query.get("symbol"):
            raise error(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        until = int(query.get("endTime", time.time() * 1000))
        since = int(query.get("startTime", until - most_ms + 1))
        if until - since >= most_ms:
            raise error(-1127, f"More than {most_ms // 3_600_000} hours between startTime and endTime.")
        orders = [order for order in orders if since <= order.placed_ns // 1_000_000 <= until]
        return dumps([row(order) for order in orders[-min(1000, int(query.get("limit", 500))) :]])

    # ------------------------------------------------------------------ the second venue

    def _second(self, prefix: str, request: web.Request) -> str:
        query, now_ms = request.query, int(time.time() * 1000)
        code, reason = self.account.signed_second(request.rel_url.raw_query_string, request.headers, now_ms)
        category, past = query.get("category", ""), request.path.endswith("/history")
        if not code and category not in ("linear", "inverse", "spot"):
            code, reason = 10001, "params error: Category is invalid"
        if not code and category == "linear" and not past and not any(query.get(key) for key in ("symbol", "baseCoin", "settleCoin")):
            code, reason = 10001, "params error: symbol, settleCoin or baseCoin is required"
        since = int(query.get("startTime", now_ms - WEEK_MS))
        until = int(query.get("endTime", now_ms))
        if not code and past and not 0 <= until - since <= WEEK_MS:
            code, reason = 10001, "The time range between startTime and endTime cannot exceed 7 days"
        if code:
            return _second_envelope(code, reason, {})
        found = [
            order for order in reversed(self._orders(f"bybit_{category}"))
            if (order.state not in OPEN and since <= order.placed_ns // 1_000_000 <= until if past else order.state in OPEN)
            and query.get("settleCoin") in (None, order.one.listing.settle)
        ]  # fmt: skip
        limit = min(50, int(query.get("limit", 20)))
        if query.get("cursor") and not self.repeats:
            last = int(query["cursor"].removeprefix("page_token=").removesuffix("&"))
            found = [order for order in found if order.number < last]
        rows = []
        for order in found[:limit]:
            row = second_row(order, order.changed_ns // 1_000_000)
            rows.append({key: value for key, value in row.items() if key != "category"})
        more = f"page_token%3D{found[limit - 1].number}%26" if len(found) > limit else ""
        return _second_envelope(0, "OK", {"list": rows, "nextPageCursor": more, "category": category})

    # ------------------------------------------------------------------ the third venue

    def _third(self, prefix: str, request: web.Request) -> str:
        query = request.query
        path = request.path_qs.removeprefix(f"/{prefix}")
        code, reason = self.account.signed_third(path, request.headers, int(time.time() * 1000))
        types, past = query.get("ordType", "").split(","), request.path.endswith("-history")
        if code == "0" and (not types[0] or (len(types) > 1 and set(types) != {"conditional", "oco"})):
            code, reason = "51000", "Parameter ordType error"
        if code == "0" and past and query.get("state") not in ("effective", "canceled", "order_failed"):
            code, reason = "51000", "Parameter state error"
        if code != "0":
            raise Refusal(401 if code.startswith("501") else 400, dumps({"code": code, "msg": reason, "data": []}))
        rows: list[dict[str, Any]] = []
        for order in reversed(self._orders(*INST_TYPES)):
            row = third_row(replace(order, state="placed") if order.state == "filled" else order, order.changed_ns // 1_000_000)
            if row is not None and row["ordType"] in types and row["state"] == (query["state"] if past else "live"):
                rows.append(row)
        if query.get("after") and not self.repeats:
            rows = [row for row in rows if int(row["algoId"]) < int(query["after"])]
        return dumps({"code": "0", "msg": "", "data": rows[: min(100, int(query.get("limit", 100)))]})


def _first_row(order: StopOrder) -> Mapping[str, Any]:
    one = order.one
    return {
        "algoId": int(order.venue_id), "clientAlgoId": order.client_id, "algoType": "CONDITIONAL", "orderType": order.venue_type, "symbol": one.symbol,
        "side": "BUY" if order.is_buy else "SELL", "positionSide": "BOTH", "timeInForce": "GTC", "quantity": one.qty.trim(order.lots),
        "algoStatus": ALGO_STATES[order.state], "actualOrderId": order.placed_id, "actualPrice": "0.00000", "triggerPrice": one.px.pad(order.tick),
        "price": "0.000", "icebergQuantity": None, "tpTriggerPrice": "0.000", "tpPrice": "0.000", "slTriggerPrice": "0.000", "slPrice": "0.000",
        "tpOrderType": "", "selfTradePreventionMode": "EXPIRE_MAKER", "workingType": "MARK_PRICE" if order.price_type == "mark" else "CONTRACT_PRICE",
        "priceMatch": "NONE", "closePosition": False, "priceProtect": False, "reduceOnly": False, "createTime": order.placed_ns // 1_000_000,
        "updateTime": order.changed_ns // 1_000_000, "triggerTime": order.triggered_ns // 1_000_000, "goodTillDate": 0,
    }  # fmt: skip


def _spot_row(order: StopOrder) -> Mapping[str, Any]:
    one, works = order.one, order.triggered_ns > 0
    status = {"filled": "FILLED", "cancelled": "CANCELED"}.get(order.state, "NEW")
    row = {
        "symbol": one.symbol, "orderId": int(order.venue_id), "orderListId": -1, "clientOrderId": order.client_id, "price": "0.00000000",
        "origQty": one.qty.pad(order.lots), "executedQty": one.qty.pad(order.lots) if order.state == "filled" else "0.00000000",
        "cummulativeQuoteQty": "0.00000000", "status": status, "timeInForce": "GTC", "type": order.venue_type,
        "side": "BUY" if order.is_buy else "SELL", "stopPrice": one.px.pad(order.tick), "icebergQty": "0.00000000", "time": order.placed_ns // 1_000_000,
        "updateTime": order.changed_ns // 1_000_000, "isWorking": works, "workingTime": order.triggered_ns // 1_000_000 if works else -1,
        "origQuoteOrderQty": "0.00000000", "selfTradePreventionMode": "NONE",
    }  # fmt: skip
    return row | ({"trailingDelta": 100, "trailingTime": order.placed_ns // 1_000_000} if order.kind == "trailing" else {})


def _second_envelope(code: int, reason: str, result: dict[str, Any]) -> str:
    return dumps({"retCode": code, "retMsg": reason, "result": result, "retExtInfo": {}, "time": int(time.time() * 1000)})
