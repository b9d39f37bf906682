"""Binance: stop orders of one's own spot account.

 1. The stream is subscribed on a socket of its own, by a signature over the parameters in the order of their names
    (https://developers.binance.com/docs/binance-spot-api-docs/websocket-api/user-data-stream-requests); eventStreamTerminated is its end.
 2. A stop order becomes what it places: one order with one id, that works (`w`, with the time `W`) from its trigger on, and one that takes at once is
    told by its first trade (.../docs/binance-spot-api-docs/user-data-stream).
 3. REST tells the same as `isWorking` and `workingTime` (-1: not yet): of one symbol and 24 hours (.../rest-api/account-endpoints#all-orders-user_data),
    and all that are open.
"""

from typing import Any

import msgspec

from p9.fact import Reading
from p9.key import Key
from p9.stop_order import Account, Kind, Reconcile, Resting, StopOrder, named, one_of
from p9.venue import Request
from p9.venues.binance import SPOT_WEIGHT
from p9.venues.binance_signed import MS, next_pages, questions, sign

MARKET = "binance_spot"
KINDS: dict[Any, Kind] = {"STOP_LOSS": "stop", "STOP_LOSS_LIMIT": "stop", "TAKE_PROFIT": "take_profit", "TAKE_PROFIT_LIMIT": "take_profit"}
SIDES = {"BUY": "buy", "SELL": "sell"}
DAY_MS = 86_400_000
# What the stream calls it, and what REST does.
NAMES = {
    "i": "orderId", "c": "clientOrderId", "o": "type", "s": "symbol", "S": "side", "q": "origQty", "Q": "origQuoteOrderQty", "p": "price", "P": "stopPrice",
    "w": "isWorking", "d": "trailingDelta",
}  # fmt: skip


def login(key: Key, now_ns: int) -> bytes:
    params = {"apiKey": key.key, "timestamp": now_ns // MS}
    signature = key.sign("&".join(f"{name}={value}" for name, value in params.items())).hex()
    return msgspec.json.encode({"id": 0, "method": "userDataStream.subscribe.signature", "params": {**params, "signature": signature}})


def _event(frame: Any) -> dict[str, Any]:
    event = frame.get("event") if isinstance(frame, dict) else None
    return event if isinstance(event, dict) else {}


def over(frame: Any) -> bool:
    return _event(frame).get("e") == "eventStreamTerminated"


def read(reading: Reading, frame: Any) -> None:
    event = _event(frame)
    if event.get("e") == "executionReport":
        _read_order(reading, event, "T")


def _read_order(reading: Reading, order: dict[str, Any], changed: str) -> None:
    """Rule 2. `changed`: the key of the time of what is told, where the time of the trigger is not."""
    kind = one_of(order, "o", KINDS)
    if kind is None:
        return
    at_ns, is_trade = reading.at(order, "W"), order.get("x") == "TRADE"
    if order.get("w") is not True and at_ns is None and not is_trade:
        return
    name, order_id, side = order.get("s"), named(order, "i"), one_of(order, "S", SIDES)
    if not isinstance(name, str) or order_id is None or side is None:
        reading.reject("no_order", order)
        return
    amount = reading.number(order, "q")
    order_type, by_quote = order["o"], amount == "0"
    price = reading.price(order, "p") if order_type.endswith("_LIMIT") else None
    reading.facts.append(
        StopOrder(
            market=MARKET, venue_symbol=name, order_id=order_id, side=side, kind="trailing" if named(order, "d") is not None else kind, order_type=order_type,
            at_ns=reading.at(order, changed) if at_ns is None else at_ns, client_id=named(order, "C") or named(order, "c"), trigger_price=_price(reading, order, "P"),
            trigger_price_type="last", order_price=price or None, quantity=None if by_quote else amount or None,
            quote_quantity=_price(reading, order, "Q") if by_quote else None,
        )
    )  # fmt: skip


def _price(reading: Reading, order: dict[str, Any], key: str) -> str | None:
    """Zero stands for none, and is no mistake: an order that trails has no price before it is activated."""
    found = reading.number(order, key)
    return found if isinstance(found, str) and found != "0" else None


def read_history(reading: Reading, answer: Any, since_ns: int) -> None:
    """A row that did not change since then says nothing of the time, whatever stands in it."""
    before, reading.facts = reading.facts, []
    for row in reading.rows(answer):
        if (reading.at(row, "updateTime") or since_ns) < since_ns:
            continue
        order = {ours: row[theirs] for ours, theirs in NAMES.items() if theirs in row}
        if row.get("workingTime") not in (-1, "-1"):
            order["W"] = row.get("workingTime")
        _read_order(reading, order, "W")
    for one in reading.facts:
        if one.at_ns is None:
            reading.reject("no_time")
    reading.facts = [*before, *(one for one in reading.facts if one.at_ns is not None and one.at_ns >= since_ns)]


def read_listing(reading: Reading, answer: Any) -> None:
    for row in reading.rows(answer):
        if one_of(row, "type", KINDS) is None:
            continue
        name, order_id, placed_ns = row.get("symbol"), named(row, "orderId"), reading.at(row, "time")
        if not isinstance(name, str) or order_id is None or placed_ns is None:
            reading.reject("no_order", row)
            continue
        changed_ns = reading.at(row, "updateTime") if row.get("isWorking") is True else None
        reading.facts.append(Resting(unit=name, order_id=order_id, market=MARKET, placed_ns=placed_ns, changed_ns=changed_ns))


ACCOUNT = Account(
    name=MARKET, markets=(MARKET,), path="/ws-api/v3", ws_url="wss://ws-api.binance.com:443", topics=(), read=read, login=login, over=over,
    reconcile=Reconcile(
        sign=sign, questions=questions(Request("/api/v3/allOrders", SPOT_WEIGHT, 20), DAY_MS), next_pages=next_pages, read=read_history,
        paths=("/api/v3/openOrders", "/api/v3/allOrders"), listing=(Request("/api/v3/openOrders", SPOT_WEIGHT, 80),), read_listing=read_listing,
    ),
)  # fmt: skip
