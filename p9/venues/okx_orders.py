"""OKX: stop orders of one's own account, of all its product lines on one stream.

 1. The socket is opened by a signature over a time in seconds, the word GET and a path (https://www.okx.com/docs-v5/en/#overview-websocket-login).
 2. An algo order is live, then effective (triggered), partially_effective, or order_failed with the time of its trigger where what it placed was refused;
    or canceled (https://www.okx.com/docs-v5/en/#order-book-trading-algo-trading-ws-algo-orders-channel). Iceberg and twap orders have no trigger.
"""

import base64
from typing import Any

import msgspec

from p9.fact import Reading
from p9.key import Key
from p9.stop_order import Account, Kind, StopOrder, named, one_of

LINES = {"SWAP": "okx_swap", "FUTURES": "okx_futures", "SPOT": "okx_spot", "MARGIN": "okx_spot"}
SIDES = {"buy": "buy", "sell": "sell"}
POSITIONS = {"long": "long", "short": "short"}
PRICE_TYPES = {"last": "last", "mark": "mark", "index": "index"}
SLICED = ("iceberg", "twap")
KINDS: dict[Any, Kind] = {"trigger": "stop", "move_order_stop": "trailing"}
SIDE_KINDS: dict[Any, Kind] = {"tp": "take_profit", "sl": "stop"}
BEFORE = ("live", "pause", "canceled", "partially_failed")
AFTER = ("effective", "partially_effective")


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


ACCOUNTS = (
    Account(
        name="okx", markets=("okx_swap", "okx_futures", "okx_spot"), path="/ws/v5/business",
        topics=("orders-algo:instType=ANY", "algo-advance:instType=ANY"), read=read, login=login,
    ),
)  # fmt: skip
