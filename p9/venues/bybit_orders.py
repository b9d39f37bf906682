"""Bybit: stop orders of one's own account, of all its product lines on one stream.

 1. The socket is opened by a signature over "GET/realtime" and a time that is still to come (https://bybit-exchange.github.io/docs/v5/ws/connect).
 2. An order with a stopOrderType is Untriggered, then Triggered (which may be left out), then what any order is; Deactivated or Cancelled before it was
    triggered (https://bybit-exchange.github.io/docs/v5/websocket/private/order, .../docs/v5/enum#orderstatus).
"""

from typing import Any

import msgspec

from p9.fact import Reading
from p9.key import Key
from p9.stop_order import Account, Kind, StopOrder, named, one_of

VALID_MS = 10_000
KINDS: dict[Any, Kind] = {
    "Stop": "stop", "StopLoss": "stop", "PartialStopLoss": "stop", "TakeProfit": "take_profit", "PartialTakeProfit": "take_profit", "TrailingStop": "trailing",
    "tpslOrder": "other", "OcoOrder": "other", "BidirectionalTpslOrder": "other", "MmRateClose": "other",
}  # fmt: skip
SIDES = {"Buy": "buy", "Sell": "sell"}
POSITIONS = {1: "long", 2: "short"}  # 0: one position, either way
PRICE_TYPES = {"LastPrice": "last", "MarkPrice": "mark", "IndexPrice": "index"}
LINES = {"linear": "bybit_linear", "inverse": "bybit_inverse", "spot": "bybit_spot"}
BEFORE = ("Untriggered", "Deactivated", "Cancelled", "Rejected", "Active")
AFTER = ("Triggered", "New", "PartiallyFilled", "PartiallyFilledCanceled", "Filled")


def login(key: Key, now_ns: int) -> bytes:
    expires = now_ns // 1_000_000 + VALID_MS
    return msgspec.json.encode({"req_id": "0", "op": "auth", "args": [key.key, expires, key.sign(f"GET/realtime{expires}").hex()]})


def read(reading: Reading, frame: Any) -> None:
    if not isinstance(frame, dict) or not str(frame.get("topic")).startswith("order"):
        return
    for row in reading.rows(frame.get("data")):
        kind, status, market = row.get("stopOrderType"), row.get("orderStatus"), one_of(row, "category", LINES)
        if kind in (None, "", "UNKNOWN") or market is None:  # a plain order, or one of a line that is not captured
            continue
        filled = reading.number(row, "cumExecQty")
        if status not in BEFORE and status not in AFTER:
            reading.reject("unknown_state", status)
        if status not in AFTER and not (status == "Cancelled" and isinstance(filled, str) and filled != "0"):
            continue
        name, order_id, side = row.get("symbol"), named(row, "orderId"), one_of(row, "side", SIDES)
        if not isinstance(name, str) or order_id is None or side is None:
            reading.reject("no_order", row)
            continue
        order_type = str(kind)
        amount = reading.price(row, "qty") or None
        of_quote = row.get("marketUnit") == "quoteCoin"
        reading.facts.append(
            StopOrder(
                market=market, venue_symbol=name, order_id=order_id, side=side, kind=KINDS.get(order_type, "other"), order_type=order_type[:40],
                at_ns=reading.at(row, "updatedTime"), client_id=named(row, "orderLinkId"), position=one_of(row, "positionIdx", POSITIONS),
                trigger_price=reading.price(row, "triggerPrice") or None, trigger_price_type=one_of(row, "triggerBy", PRICE_TYPES),
                order_price=(reading.price(row, "price") or None) if row.get("orderType") == "Limit" else None,
                quantity=None if of_quote else amount, quote_quantity=amount if of_quote else None,
                reduce_only=row["reduceOnly"] if isinstance(row.get("reduceOnly"), bool) else None,
            )
        )  # fmt: skip


ACCOUNTS = (Account(name="bybit", markets=tuple(LINES.values()), path="/v5/private", topics=("order",), read=read, login=login),)
