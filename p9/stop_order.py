"""What a venue tells of the stop orders of one's own account, in our words, and how its private stream is opened. Nobody tells those of others."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from p9.fact import Reading
from p9.instrument import Instrument
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
    every_s: float  # prolonged so often


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """A stop order that the venue lists as open. `unit`: what its history is asked by (a symbol, a product line). `changed_ns`: where it was triggered
    already, and what it placed rests: its last change."""

    unit: str
    order_id: str
    market: str
    placed_ns: int
    changed_ns: int | None = None


class Reconcile(msgspec.Struct, frozen=True, kw_only=True):
    """How a venue is asked by REST what was triggered while its private stream was lost. Its times are the venue's.

    `questions(instruments, oldest_ns, until_ns)`: all that must be asked; their further pages are `next_pages(request, answer)`. `oldest_ns(unit)`: when
    the oldest order was placed that can have been triggered meanwhile; where a history goes by the time of placing (or does not say by which one it
    goes), it is asked from there. `listing`: what tells the orders that rest, for that; empty: the history needs none.
    `read(reading, answer, since_ns)`: one page into StopOrders that were triggered from then on. What it rejects makes the whole doubtful.
    `sign(key, path, query, now_ns)`: more parameters, and headers. `paths`: what is asked, for people.
    """

    sign: Callable[[Key, str, str, int], tuple[tuple[tuple[str, str], ...], dict[str, str]]]
    questions: Callable[[Sequence[Instrument], Callable[[str], int], int], Sequence[Request]]
    next_pages: Callable[[Request, Any], Sequence[Request]]
    read: Callable[[Reading, Any, int], None]
    paths: tuple[str, ...]
    listing: tuple[Request, ...] = ()
    read_listing: Callable[[Reading, Any], None] | None = None
    settle_s: float = 2.0  # what a venue's stream told last, its REST may tell a moment later
    earlier_ns: int = 10_000_000_000  # asked from so long before: what the venue had sent when the line broke did not come


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A private stream. `markets`: whose orders it tells; the first of them that is captured lends it its addresses and limits.

    Either `login(key, now_ns)` makes the frame that opens it, or a `listen_key` is the last part of its path. `read(reading, frame)`: one frame into
    StopOrders; `reconcile` asks for what it did not tell.
    """

    name: str
    markets: tuple[str, ...]
    path: str
    topics: tuple[str, ...]
    read: Callable[[Reading, Any], None]
    login: Callable[[Key, int], bytes] | None = None
    listen_key: ListenKey | None = None
    over: Callable[[Any], bool] | None = None  # this frame says that the stream is at its end
    ws_url: str = ""  # of a host of its own; as long as the market's addresses are the venue's
    reconcile: Reconcile | None = None  # None: what it did not tell is not asked for


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
