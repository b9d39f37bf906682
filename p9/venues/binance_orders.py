"""Binance: stop orders of one's own account, futures only (spot tells them by another protocol).

 1. The stream's address ends with a listen key, had against the API key alone; it lives an hour, asking again prolongs it
    (https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Start-User-Data-Stream).
 2. Since 2025-12 every conditional order is an algo order: NEW, then TRIGGERING (the condition is met), TRIGGERED (the order is placed), FINISHED; or
    CANCELED, EXPIRED without a trigger; or REJECTED after one. `tt` is the trigger's time, 0 before it
    (.../user-data-streams/Event-Algo-Order-Update).
"""

from typing import Any

from p9.fact import Reading
from p9.stop_order import Account, Kind, ListenKey, StopOrder, named, one_of
from p9.venue import Request
from p9.venues.binance import FUTURES_WEIGHT

PROLONG_S = 1800.0
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
            reduce_only=order["R"] if isinstance(order.get("R"), bool) else None, failure=named(order, "rm") if status == "REJECTED" else None,
        )
    )  # fmt: skip


def read_usdm(reading: Reading, frame: Any) -> None:
    _read("binance_usdm", reading, frame)


def read_coinm(reading: Reading, frame: Any) -> None:
    _read("binance_coinm", reading, frame)


def _key(answer: Any) -> str:
    key = answer.get("listenKey") if isinstance(answer, dict) else None
    return key if isinstance(key, str) and key.isascii() and key.isalnum() else ""


def _over(frame: Any) -> bool:
    return isinstance(frame, dict) and frame.get("e") == "listenKeyExpired"


def _listen_key(path: str) -> ListenKey:
    return ListenKey(
        request=Request(f"{path}/listenKey", FUTURES_WEIGHT, 1, method="POST"), header="X-MBX-APIKEY", read=_key, over=_over, every_s=PROLONG_S,
    )  # fmt: skip


ACCOUNTS = (
    Account(name="binance_usdm", markets=("binance_usdm",), path="/private/ws", topics=(), read=read_usdm, listen_key=_listen_key("/fapi/v1")),
    Account(name="binance_coinm", markets=("binance_coinm",), path="/ws", topics=(), read=read_coinm, listen_key=_listen_key("/dapi/v1")),
)
