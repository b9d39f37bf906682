"""OKX: stop orders of one's own account, of all its product lines on one stream.

 1. The socket is opened by a signature over a time in seconds, the word GET and a path (https://www.okx.com/docs-v5/en/#overview-websocket-login).
 2. An algo order is live, then effective (triggered), partially_effective, or order_failed with the time of its trigger where what it placed was refused;
    or canceled (https://www.okx.com/docs-v5/en/#order-book-trading-algo-trading-ws-algo-orders-channel). Iceberg and twap orders have no trigger.
 3. REST has the same rows: those that are over, of three months, newest first by their id, with no bound of time, so all pages are asked for; and those of
    which one leg is triggered among the pending ones (.../#order-book-trading-algo-trading-get-algo-order-history). Of the types only the first two go together.
"""

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from p9.budget import Budget
from p9.errors import RestError
from p9.fact import Reading
from p9.instrument import Instrument
from p9.key import Key
from p9.stop_order import Account, Kind, Reconcile, StopOrder, named, one_of
from p9.venue import Request

LINES = {"SWAP": "okx_swap", "FUTURES": "okx_futures", "SPOT": "okx_spot", "MARGIN": "okx_spot"}
SIDES = {"buy": "buy", "sell": "sell"}
POSITIONS = {"long": "long", "short": "short"}
PRICE_TYPES = {"last": "last", "mark": "mark", "index": "index"}
SLICED = ("iceberg", "twap")
KINDS: dict[Any, Kind] = {"trigger": "stop", "move_order_stop": "trailing"}
SIDE_KINDS: dict[Any, Kind] = {"tp": "take_profit", "sl": "stop"}
BEFORE = ("live", "pause", "canceled", "partially_failed")
AFTER = ("effective", "partially_effective")
PAGE = 100
HISTORY, PENDING = (Budget(f"okx {what}", 20, 2.0) for what in ("orders-algo-history", "orders-algo-pending"))
TYPES = ("conditional,oco", "trigger", "move_order_stop", "chase")


def login(key: Key, now_ns: int) -> bytes:
    at = str(now_ns // 1_000_000_000)
    sign = base64.b64encode(key.sign(f"{at}GET/users/self/verify")).decode()
    return msgspec.json.encode({"op": "login", "args": [{"apiKey": key.key, "passphrase": key.passphrase, "timestamp": at, "sign": sign}]})


def read(reading: Reading, frame: Any) -> None:
    if not isinstance(frame, dict):
        return
    for row in reading.rows(frame.get("data")):
        state, at_ns, market = row.get("state"), reading.at(row, "triggerTime"), one_of(row, "instType", LINES)
        if state not in BEFORE and state not in AFTER and state != "order_failed":
            reading.reject("unknown_state", state)
        if (state not in AFTER and not (state == "order_failed" and at_ns is not None)) or market is None or row.get("ordType") in SLICED:
            continue
        name, order_id, side = row.get("instId"), named(row, "algoId"), one_of(row, "side", SIDES)
        if not isinstance(name, str) or order_id is None or side is None:
            reading.reject("no_order", row)
            continue
        order_type, leg = str(row.get("ordType")), next((leg for leg in SIDE_KINDS if leg == row.get("actualSide")), None)
        prefix = f"{leg}T" if leg is not None else "t"  # tpTriggerPx, slTriggerPx, triggerPx
        price = row.get("ordPx" if leg is None else f"{leg}OrdPx")
        amount, of_quote = reading.price(row, "sz") or None, row.get("tgtCcy") == "quote_ccy"
        reading.facts.append(
            StopOrder(
                market=market, venue_symbol=name, order_id=order_id, side=side, kind=KINDS.get(order_type, "other") if leg is None else SIDE_KINDS[leg],
                order_type=order_type[:40], at_ns=at_ns, client_id=named(row, "algoClOrdId"), placed_order_id=named(row, "ordId"),
                position=one_of(row, "posSide", POSITIONS), trigger_price=reading.price(row, f"{prefix}riggerPx") or None,
                trigger_price_type=one_of(row, f"{prefix}riggerPxType", PRICE_TYPES),
                order_price=None if price == "-1" else reading.price({"ordPx": price}, "ordPx") or None,  # -1: at the market
                quantity=None if of_quote else amount, quote_quantity=amount if of_quote else None,
                reduce_only={"true": True, "false": False}.get(str(row.get("reduceOnly")).lower()),
                failure=named(row, "failCode") if state == "order_failed" else None,
            )
        )  # fmt: skip


def sign(key: Key, path: str, query: str, now_ns: int) -> tuple[tuple[tuple[str, str], ...], dict[str, str]]:
    at = datetime.fromtimestamp(now_ns // 1_000_000 / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    signature = base64.b64encode(key.sign(f"{at}GET{path}?{query}")).decode()
    return (), {"OK-ACCESS-KEY": key.key, "OK-ACCESS-SIGN": signature, "OK-ACCESS-TIMESTAMP": at, "OK-ACCESS-PASSPHRASE": key.passphrase}


def questions(instruments: Sequence[Instrument], oldest_ns: Callable[[str], int], until_ns: int) -> list[Request]:
    """Rule 3; the pending ones first: what is over in the meantime is in the other list by then."""
    pending = Request("/api/v5/trade/orders-algo-pending", PENDING, 1, (("ordType", TYPES[0]), ("limit", str(PAGE))))
    over = [
        Request("/api/v5/trade/orders-algo-history", HISTORY, 1, (("ordType", types), ("state", state), ("limit", str(PAGE))))
        for types in TYPES
        for state in ("effective", "order_failed")
    ]
    return [pending, *over]


def next_pages(request: Request, answer: Any) -> list[Request]:
    """Raises RestError for a page that repeats another one, or whose rows are in no order: what follows it cannot be told."""
    ids, after = [int(row["algoId"]) for row in answer["data"]], dict(request.params).get("after")
    if ids != sorted(set(ids), reverse=True) or (ids and after is not None and ids[0] >= int(after)):
        raise RestError("pages repeat, or are in no order", where=request.path)
    if len(ids) < PAGE:
        return []
    return [msgspec.structs.replace(request, params=(*(item for item in request.params if item[0] != "after"), ("after", str(ids[-1]))))]


def read_history(reading: Reading, answer: Any, since_ns: int) -> None:
    """A row that did not change since then says nothing of the time, whatever stands in it."""
    rows = list(reading.rows(answer.get("data") if isinstance(answer, dict) else None))
    for row in rows:
        if row.get("instType") not in (*LINES, "OPTION"):
            reading.reject("unknown_line", row.get("instType"))
    before, reading.facts = reading.facts, []
    read(reading, {"data": [row for row in rows if (reading.at(row, "uTime") or since_ns) >= since_ns]})
    for order in reading.facts:
        if order.at_ns is None:
            reading.reject("no_time")
    reading.facts = [*before, *(order for order in reading.facts if order.at_ns is not None and order.at_ns >= since_ns)]


ACCOUNTS = (
    Account(
        name="okx", markets=("okx_swap", "okx_futures", "okx_spot"), path="/ws/v5/business",
        topics=("orders-algo:instType=ANY", "algo-advance:instType=ANY"), read=read, login=login,
        reconcile=Reconcile(sign=sign, questions=questions, next_pages=next_pages, read=read_history, paths=("/trade/orders-algo-pending", "/trade/orders-algo-history")),
    ),
)  # fmt: skip
