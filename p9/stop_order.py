"""What a venue tells of the stop orders of one's own account, in our words, and how its private stream is opened. Nobody tells those of others."""

import importlib
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from p9.fact import Reading
from p9.key import Key
from p9.venue import Request

Kind = Literal["stop", "take_profit", "trailing", "other"]


class StopOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One that was triggered, as the first message said that tells it. Amounts are in the venue's own units; what it does not tell is None.

    `order_id` is the stop order's, `placed_order_id` that of the order that it placed. `order_type` is the venue's word for it. `order_price` None: it
    placed a market order. `quote_quantity`: of an order that spends so many quote coins. `failure`: the order that it placed was refused, and why.
    """

    market: str
    venue_symbol: str
    order_id: str
    side: Literal["buy", "sell"]
    kind: Kind
    order_type: str
    at_ns: int | None = None
    client_id: str | None = None
    placed_order_id: str | None = None
    position: Literal["long", "short"] | None = None
    trigger_price: str | None = None
    trigger_price_type: Literal["last", "mark", "index"] | None = None
    order_price: str | None = None
    quantity: str | None = None
    quote_quantity: str | None = None
    reduce_only: bool | None = None
    failure: str | None = None


class ListenKey(msgspec.Struct, frozen=True, kw_only=True):
    """A venue that sells the address of its private stream against the key alone. `request` asks for it, with the key in `header`, and prolongs it."""

    request: Request
    header: str
    read: Callable[[Any], str]  # the answer's listen key; empty: it has none
    over: Callable[[Any], bool]  # this frame says that it is no more
    every_s: float  # prolonged so often


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A private stream. `markets`: whose orders it tells; the first of them that is captured lends it its addresses and limits.

    Either `login(key, now_ns)` makes the frame that opens it, or a `listen_key` is the last part of its path. `read(reading, frame)`: one frame into
    StopOrders.
    """

    name: str
    markets: tuple[str, ...]
    path: str
    topics: tuple[str, ...]
    read: Callable[[Reading, Any], None]
    login: Callable[[Key, int], bytes] | None = None
    listen_key: ListenKey | None = None


def named(row: dict[str, Any], key: str) -> str | None:
    """A name or number that names something, as text; None where there is none."""
    value = row.get(key)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value not in ("", 0, "0") and len(str(value)) <= 128 else None


def one_of(row: dict[str, Any], key: str, words: dict[Any, Any]) -> Any:
    """What a venue's word means to us; None for any other, and for what is no word."""
    value = row.get(key)
    return words.get(value) if isinstance(value, str | int) else None


def accounts_of(exchange: str) -> tuple[Account, ...]:
    """The private streams of a venue, from its file of them."""
    return importlib.import_module(f"p9.venues.{exchange}_orders").ACCOUNTS
