"""Binance: stop orders of one's own account: of futures here, of spot, which has another protocol, in binance_spot_orders.

 1. The stream's address ends with a listen key, had against the API key alone; it lives an hour, asking again prolongs it
    (https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Start-User-Data-Stream).
 2. Since 2025-12 every conditional order is an algo order: NEW, then TRIGGERING (the condition is met), TRIGGERED (the order is placed), FINISHED; or
    CANCELED, EXPIRED without a trigger; or REJECTED after one. `tt` is the trigger's time, 0 before it
    (.../user-data-streams/Event-Algo-Order-Update).
 3. By REST, against a signature (.../trade/rest-api/Query-All-Algo-Orders, Current-All-Algo-Open-Orders): those of one symbol and less than seven days, and
    all that rest.
"""

from typing import Any

from p9.fact import Reading
from p9.stop_order import Account, Kind, ListenKey, Reconcile, Resting, StopOrder, named, one_of
from p9.venue import Request
from p9.venues import binance_spot_orders
from p9.venues.binance import FUTURES_WEIGHT
from p9.venues.binance_signed import next_pages, questions, sign

PROLONG_S = 1800.0
WEEK_MS = 7 * 86_400_000
# What the stream calls it, and what REST does (rule 3).
NAMES = {
    "aid": "algoId", "caid": "clientAlgoId", "o": "orderType", "s": "symbol", "S": "side", "ps": "positionSide", "q": "quantity", "X": "algoStatus",
    "ai": "actualOrderId", "tp": "triggerPrice", "p": "price", "wt": "workingType", "R": "reduceOnly", "tt": "triggerTime",
}  # fmt: skip
KINDS: dict[Any, Kind] = {
    "STOP": "stop", "STOP_MARKET": "stop", "TAKE_PROFIT": "take_profit", "TAKE_PROFIT_MARKET": "take_profit", "TRAILING_STOP_MARKET": "trailing",
}  # fmt: skip
SIDES = {"BUY": "buy", "SELL": "sell"}
POSITIONS = {"LONG": "long", "SHORT": "short"}
PRICE_TYPES = {"CONTRACT_PRICE": "last", "MARK_PRICE": "mark"}
BEFORE = ("NEW", "CANCELED", "EXPIRED")
AFTER = ("TRIGGERING", "TRIGGERED", "FINISHED", "REJECTED")


def _read(market: str, reading: Reading, frame: Any) -> None:
    if not isinstance(frame, dict) or frame.get("e") != "ALGO_UPDATE":
        return
    order = frame.get("o")
    if not isinstance(order, dict):
        reading.reject("no_object", frame)
        return
    _read_order(market, reading, order)


def _read_order(market: str, reading: Reading, order: dict[str, Any]) -> None:
    status, at_ns = order.get("X"), reading.at(order, "tt")
    if status not in BEFORE and status not in AFTER:
        reading.reject("unknown_state", status)
    if status not in AFTER or (status == "REJECTED" and at_ns is None):
        return
    name, order_id, side = order.get("s"), named(order, "aid"), one_of(order, "S", SIDES)
    if not isinstance(name, str) or order_id is None or side is None:
        reading.reject("no_order", order)
        return
    kind = str(order.get("o"))
    price = reading.price(order, "p") if kind in ("STOP", "TAKE_PROFIT") else None
    reading.facts.append(
        StopOrder(
            market=market, venue_symbol=name, order_id=order_id, side=side, kind=KINDS.get(kind, "other"), order_type=kind[:40], at_ns=at_ns,
            client_id=named(order, "caid"), placed_order_id=named(order, "ai"), position=one_of(order, "ps", POSITIONS),
            trigger_price=reading.price(order, "tp") or None, trigger_price_type=one_of(order, "wt", PRICE_TYPES), order_price=price or None,
            quantity=reading.price(order, "q") or None,  # 0: all of the position
            reduce_only=order["R"] if isinstance(order.get("R"), bool) else None, failure=(named(order, "rm") or "REJECTED") if status == "REJECTED" else None,
        )
    )  # fmt: skip


def read_usdm(reading: Reading, frame: Any) -> None:
    _read("binance_usdm", reading, frame)


def read_coinm(reading: Reading, frame: Any) -> None:
    _read("binance_coinm", reading, frame)


def _key(answer: Any) -> str:
    key = answer.get("listenKey") if isinstance(answer, dict) else None
    return key if isinstance(key, str) and key.isascii() and key.isalnum() else ""


def over(frame: Any) -> bool:
    return isinstance(frame, dict) and frame.get("e") == "listenKeyExpired"


def _listen_key(path: str) -> ListenKey:
    return ListenKey(
        request=Request(f"{path}/listenKey", FUTURES_WEIGHT, 1, method="POST"), header="X-MBX-APIKEY", read=_key, every_s=PROLONG_S,
    )  # fmt: skip


def _reconcile(path: str, market: str) -> Reconcile:
    def read(reading: Reading, answer: Any, since_ns: int) -> None:
        """A row that did not change since then says nothing of the time, whatever stands in it."""
        before, reading.facts = reading.facts, []
        for row in reading.rows(answer):
            if (reading.at(row, "updateTime") or since_ns) >= since_ns:
                _read_order(market, reading, {ours: row[theirs] for ours, theirs in NAMES.items() if theirs in row})
        for order in reading.facts:
            if order.at_ns is None:
                reading.reject("no_time")
        reading.facts = [*before, *(order for order in reading.facts if order.at_ns is not None and order.at_ns >= since_ns)]

    def read_listing(reading: Reading, answer: Any) -> None:
        for row in reading.rows(answer):
            name, order_id, placed_ns = row.get("symbol"), named(row, "algoId"), reading.at(row, "createTime")
            if not isinstance(name, str) or order_id is None or placed_ns is None:
                reading.reject("no_order", row)
                continue
            changed_ns = reading.at(row, "updateTime") if row.get("algoStatus") in AFTER else None
            reading.facts.append(Resting(unit=name, order_id=order_id, market=market, placed_ns=placed_ns, changed_ns=changed_ns))

    return Reconcile(
        sign=sign, questions=questions(Request(f"{path}/allAlgoOrders", FUTURES_WEIGHT, 5), WEEK_MS), next_pages=next_pages, read=read,
        paths=(f"{path}/openAlgoOrders", f"{path}/allAlgoOrders"), listing=(Request(f"{path}/openAlgoOrders", FUTURES_WEIGHT, 40),),
        read_listing=read_listing,
    )  # fmt: skip


ACCOUNTS = (
    binance_spot_orders.ACCOUNT,
    Account(
        name="binance_usdm", markets=("binance_usdm",), path="/private/ws", topics=(), read=read_usdm,
        listen_key=_listen_key("/fapi/v1"), over=over, reconcile=_reconcile("/fapi/v1", "binance_usdm"),
    ),
    Account(
        name="binance_coinm", markets=("binance_coinm",), path="/ws", topics=(), read=read_coinm,
        listen_key=_listen_key("/dapi/v1"), over=over, reconcile=_reconcile("/dapi/v1", "binance_coinm"),
    ),
)  # fmt: skip
