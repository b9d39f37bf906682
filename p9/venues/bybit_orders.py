"""Bybit: stop orders of one's own account, of all its product lines on one stream.

 1. The socket is opened by a signature over "GET/realtime" and a time that is still to come (https://bybit-exchange.github.io/docs/v5/ws/connect).
 2. An order with a stopOrderType is Untriggered, then Triggered (which may be left out), then what any order is; Deactivated or Cancelled before it was
    triggered (https://bybit-exchange.github.io/docs/v5/websocket/private/order, .../docs/v5/enum#orderstatus).
 3. By REST, against a signature: the open ones (.../docs/v5/order/open-order), and those that are over, of at most seven days (.../docs/v5/order/order-list);
    by which time is not said, so it is asked from where the oldest one that rested was placed. Neither tells the time of a trigger, only that of the last
    change; and of one that is cancelled or rejected without a fill, not whether it was triggered.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from p9.fact import Reading
from p9.instrument import Instrument
from p9.key import Key
from p9.stop_order import Account, Kind, Reconcile, Resting, StopOrder, named, one_of
from p9.venue import Request
from p9.venues.bybit import REQUESTS, next_page

VALID_MS = 10_000
MS = 1_000_000
WINDOW_MS = 7 * 86_400_000 - 1
PAGE = ("limit", "50")
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


def sign(key: Key, path: str, query: str, now_ns: int) -> tuple[tuple[tuple[str, str], ...], dict[str, str]]:
    at, window = str(now_ns // MS), "5000"
    signature = key.sign(f"{at}{key.key}{window}{query}").hex()
    return (), {"X-BAPI-API-KEY": key.key, "X-BAPI-TIMESTAMP": at, "X-BAPI-RECV-WINDOW": window, "X-BAPI-SIGN": signature}


OPEN = tuple(
    Request("/v5/order/realtime", REQUESTS, 1, (*line, PAGE))
    for line in ((("category", "linear"), ("settleCoin", "USDT")), (("category", "linear"), ("settleCoin", "USDC")), (("category", "inverse"),), (("category", "spot"),))
)


def questions(instruments: Sequence[Instrument], oldest_ns: Callable[[str], int], until_ns: int) -> list[Request]:
    """Rule 3; the open ones first: what is over in the meantime is in the other list by then."""
    found = list(OPEN)
    for line in LINES:
        for since in range(oldest_ns(line) // MS, until_ns // MS, WINDOW_MS + 1):
            span = (("startTime", str(since)), ("endTime", str(min(until_ns // MS, since + WINDOW_MS))))
            found.append(Request("/v5/order/history", REQUESTS, 1, (("category", line), *span, PAGE)))
    return found


def next_pages(request: Request, answer: Any) -> list[Request]:
    page = next_page(request, answer)
    return [page] if page is not None else []


def _rows(reading: Reading, answer: Any) -> list[dict[str, Any]]:
    """The stop orders of an answer, which has their line once."""
    result = answer.get("result") if isinstance(answer, dict) else None
    line = result.get("category") if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(line, str) or line not in LINES:
        reading.reject("unknown_line", line)
        return []
    return [{**row, "category": line} for row in reading.rows(result.get("list")) if row.get("stopOrderType") not in (None, "", "UNKNOWN")]


def read_history(reading: Reading, answer: Any, since_ns: int) -> None:
    """A row that did not change since then says nothing of the time, whatever stands in it."""
    before, reading.facts = reading.facts, []
    rows = [row for row in _rows(reading, answer) if (reading.at(row, "updatedTime") or since_ns) >= since_ns]
    read(reading, {"topic": "order", "data": rows})
    states = {str(row.get("orderId")): row.get("orderStatus") for row in rows}
    told = {order.order_id for order in reading.facts}
    for name, state in states.items():
        if state in ("Cancelled", "Rejected") and name not in told:
            reading.reject("unclear_state", state)
    timed = [order if states.get(order.order_id) == "Triggered" else msgspec.structs.replace(order, at_ns=None) for order in reading.facts]
    reading.facts = [*before, *timed]


def read_listing(reading: Reading, answer: Any) -> None:
    for row in _rows(reading, answer):
        order_id, placed_ns = named(row, "orderId"), reading.at(row, "createdTime")
        if order_id is None or placed_ns is None:
            reading.reject("no_order", row)
            continue
        changed_ns = reading.at(row, "updatedTime") if row.get("orderStatus") in AFTER else None
        reading.facts.append(Resting(unit=row["category"], order_id=order_id, market=LINES[row["category"]], placed_ns=placed_ns, changed_ns=changed_ns))


RECONCILE = Reconcile(
    sign=sign, questions=questions, next_pages=next_pages, read=read_history, paths=("/v5/order/realtime", "/v5/order/history"), listing=OPEN,
    read_listing=read_listing,
)  # fmt: skip
ACCOUNTS = (Account(name="bybit", markets=tuple(LINES.values()), path="/v5/private", topics=("order",), read=read, login=login, reconcile=RECONCILE),)
