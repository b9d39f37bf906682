"""What a venue remembers, in our words: rows of five kinds of history, and how they are asked for. `p9/venues/<venue>_history.py` fills them in.

Times are ns since 1970 UTC, numbers are decimal text without needless zeros, None is what the venue does not tell. A field's place in its row is its
column in a file.
"""

import importlib
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from p9.instrument import Instrument
from p9.number import EXACT, exact, instant, plain, rounded
from p9.venue import Market, Request

Kind = Literal[
    "candles", "trades", "funding", "open_interest", "accounts_ratio", "top_accounts_ratio", "top_positions_ratio", "taker_volume",
    "mark_price", "index_price", "premium",
]  # fmt: skip
POSITIONING: tuple[Kind, ...] = ("open_interest", "accounts_ratio", "top_accounts_ratio", "top_positions_ratio", "taker_volume")
KINDS: tuple[Kind, ...] = ("candles", "trades", "funding", *POSITIONING, "mark_price", "index_price", "premium")

SECONDS = {
    "1s": 1, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200, "4h": 14400, "6h": 21600, "12h": 43200, "1d": 86400,
}  # fmt: skip
DAY_NS = 86_400 * 10**9
MINUTE_NS = 60 * 10**9


class CandleRow(msgspec.Struct, frozen=True):
    """`volume` in base coins (of inverse contracts as the venue rounded it), `contracts` only where the venue counts contracts. `trades` and what was
    bought are None where the venue does not say."""

    time: int  # of its opening
    open: str
    high: str
    low: str
    close: str
    volume: str | None
    quote_volume: str | None
    contracts: str | None = None
    trades: int | None = None
    buy_volume: str | None = None
    buy_quote_volume: str | None = None
    buy_contracts: str | None = None


class TradeRow(msgspec.Struct, frozen=True):
    """`quantity` in base coins (of inverse contracts rounded half-even to 8 decimals; `contracts` is exact). `id` is the venue's; `first_id` and
    `last_id` are the fills in it where they have numbers."""

    time: int
    id: str
    price: str
    quantity: str
    side: Literal["buy", "sell"]
    contracts: str | None = None
    first_id: int | None = None
    last_id: int | None = None
    off_book: bool = False
    block: bool = False


class FundingRow(msgspec.Struct, frozen=True):
    """A settlement, to the minute: the venues' moments jitter by some ms."""

    time: int
    rate: str
    mark_price: str | None = None


class InterestRow(msgspec.Struct, frozen=True):
    """Open interest of one side, in the three units as far as the venue tells them. `both_sides`: the venue says only the sum of both."""

    time: int
    base: str | None
    quote: str | None
    contracts: str | None = None
    both_sides: bool = False


class RatioRow(msgspec.Struct, frozen=True):
    """Of accounts or positions: the shares that are long and short, and the one over the other."""

    time: int
    ratio: str | None
    long: str | None = None
    short: str | None = None


class TakerRow(msgspec.Struct, frozen=True):
    """What aggressors bought and sold in the period that ends at `time`."""

    time: int
    bought: str
    sold: str
    unit: Literal["base", "contracts"]


class PriceRow(msgspec.Struct, frozen=True):
    """A candle of a price that is computed, not traded; a sample has only its `close`."""

    time: int
    open: str | None
    high: str | None
    low: str | None
    close: str


Row = CandleRow | TradeRow | FundingRow | InterestRow | RatioRow | TakerRow | PriceRow


class Ask(msgspec.Struct, frozen=True):
    """One page: times first_ns..last_ns, or ids from `first_id` on; `step` is the venue's word for the length of an interval."""

    first_ns: int
    last_ns: int
    step: str = ""
    first_id: int | None = None


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of history of one product line, as it can be had by REST."""

    kind: Kind
    row: type[Row]
    request: Callable[[Market, Instrument, Ask], Request]
    rows: Callable[[Any], list[Any]]  # an answer's rows as they are, oldest first
    read: Callable[[Instrument, Any], Row | None]  # one of them; None: it is not finished yet
    page: int  # rows of one answer at most
    steps: Mapping[str, str] = {}  # timeframe -> the venue's word; empty: the rows come when they come
    locate: Callable[[Market, Instrument, int], Request] | None = None  # paged by id: what tells the first id at or after a time
    locates_older: bool = False  # what it tells is the last one before that time
    sparse: bool = False  # an interval in which nothing happened may be left out
    newest_only: bool = False  # one page, the newest: there is no asking for another
    span_s: float = math.inf  # of one question at most
    settle_s: float = 5.0  # after the end of an interval, before its row can be expected
    reach_s: float = math.inf  # what is older is forgotten
    reach_rows: int = 0  # or what is more than so many intervals old; 0: no such bound
    limits: str = ""  # what a reader must know, in a sentence


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of history as files of whole days or months: a zip of one CSV, and its SHA-256 beside it. `{symbol}` `{step}` `{date}` `{month}`."""

    kind: Kind
    path: str
    read: Callable[[Instrument, list[str]], Row | None]  # the fields of a line; None: a heading
    monthly: bool = False
    delay_s: float = 2 * 86_400.0  # after the end of the day or month, before it can be expected


class History(msgspec.Struct, frozen=True):
    """All that one product line remembers. `missing`: why a kind is not among it."""

    series: Mapping[Kind, Series]
    archives: Mapping[Kind, Archive] = {}
    archive_url: str = ""
    missing: Mapping[Kind, str] = {}


def history_of(market: Market) -> History:
    """The rows of the venue's own file; a market without one remembers nothing."""
    name = f"p9.venues.{market.exchange}_history"
    try:
        return importlib.import_module(name).HISTORY.get(market.name, History({}))
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return History({})


# ---- numbers and times


def number(value: Any) -> str:
    """A number of an answer as it is published. Raises ValueError."""
    return plain(exact(value))


def positive(value: Any) -> str:
    """A price, or the size of a trade: 0 stands for nothing known. Raises ValueError."""
    found = exact(value)
    if found <= 0:
        raise ValueError(f"{value!r:.60} is not positive")
    return plain(found)


def amount(value: Any) -> str:
    """What may be 0, and never less. Raises ValueError."""
    found = exact(value)
    if found < 0:
        raise ValueError(f"{value!r:.60} is negative")
    return plain(found)


def one_of(value: Any, words: Mapping[Any, str]) -> Any:
    """Our word for a venue's. Raises ValueError for one that is not known: a side that is guessed would be a wrong value."""
    if not isinstance(value, str | bool) or value not in words:
        raise ValueError(f"{value!r:.60} is none of {', '.join(map(str, words))}")
    return words[value]


def known(value: Any) -> str | None:
    """The same; None for "" and null, which are no zeros."""
    return None if value in (None, "") else number(value)


def moment(text: str) -> int:
    """2026-11-01, 2026-11-01T12:30, ...Z, or a count of s, ms, µs or ns, as ns since 1970 UTC. Raises ValueError."""
    if text.isdecimal() and len(text) > 8:
        return instant(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"found {text!r}, expected a time such as 2026-11-01 or 2026-11-01T12:30:00Z") from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return int(at.replace(microsecond=0).timestamp()) * 10**9 + at.microsecond * 1000


def told(ns: int) -> str:
    """A moment for people, to the second where it is one."""
    at = datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{at}{f'.{ns % 10**9:09d}'.rstrip('0') if ns % 10**9 else ''}Z"


def times(a: str | None, b: str) -> str | None:
    """The exact product of two decimal texts."""
    return None if a is None else plain(EXACT.multiply(exact(a), exact(b)))


def quantity_of(instrument: Instrument, native: str, price: str) -> str:
    """A native amount in base coins; of inverse contracts half-even to 8 decimals."""
    if instrument.contract == "base":
        return native
    value = EXACT.multiply(exact(native), exact(instrument.contract_value))
    return rounded(EXACT.divide(value, exact(price)), 8) if instrument.contract == "inverse" else plain(value)
