"""What a venue is to us: rows of data and a handful of pure functions. `p9/venues/<venue>.py` fills them in; nothing here opens a socket.

A product line (spot, linear, inverse, ...) is a Market row; what its siblings share are the functions of its Venue.
"""

import importlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec

from p9.budget import Budget
from p9.errors import ConfigError, RestError
from p9.fact import Reading, Roster
from p9.instrument import Parsed

# Why a market of coins has not got what contracts have (Market.missing).
SPOT_HAS_NO = dict.fromkeys(("mark_price", "funding", "open_interest", "insurance_fund", "adl"), "spot has none")

TopicKind = Literal["depth", "best", "trades", "liquidations", "blocks"]


class TopicForm(msgspec.Struct, frozen=True):
    """How a market writes one kind of topic. In `template`, {symbol} is the venue's symbol and {lower} the same in lower case; one with neither is
    a topic of all instruments."""

    kind: TopicKind
    template: str
    route: str = "public"
    levels: int = 0  # depth: levels a side of the image that the stream itself sends; 0: the image comes by REST
    speed: str = ""  # depth: its cadence, where the venue offers several
    raw: bool = False  # trades: one event a fill, where the venue also offers aggregated ones
    folds_ms: int = 0  # trades: fills of so long a time may stand in one row

    @property
    def shared(self) -> bool:
        return "{" not in self.template


class Topic(msgspec.Struct, frozen=True):
    """One topic of one instrument. `name` is what goes into a subscription."""

    name: str
    kind: TopicKind
    venue_symbol: str
    route: str


class Limits(msgspec.Struct, frozen=True):
    """What one socket may carry and say, and how often a socket may be opened."""

    instruments_per_socket: int
    topics_per_request: int
    request_chars: int  # topic names of one request
    socket_chars: int  # topic names of one socket
    spacing_s: float  # between two messages of ours on one socket
    messages: Budget  # of ours on one socket
    connects: tuple[Budget, ...]  # from one address
    lifetime_s: float = 24 * 3600.0  # the venue closes the socket then


class Ping(msgspec.Struct, frozen=True):
    """Our side of the heartbeat. The WebSocket's own pings are always answered; `text` empty: that is all there is."""

    text: bytes = b""
    every_s: float = 20.0
    only_idle: bool = False  # only when nothing was received for `every_s`
    within_s: float = 20.0  # no answer for so long: the socket is dead
    venue_s: float = 0.0  # the venue's own pings are never further apart than this; 0: nobody promised any


class SequenceRule(msgspec.Struct, frozen=True):
    """The arguments of cext.pipeline.Pipeline by the same names (cext/sequence.pxd says what they mean)."""

    link: Literal["none", "next", "prev", "step"]
    rest_seeded: bool
    repeats_are_stale: bool
    restart_id: int = -1


class Request(msgspec.Struct, frozen=True):
    """One question. `params` are plain text: the client encodes them."""

    path: str
    budget: Budget
    weight: int = 1
    params: tuple[tuple[str, str], ...] = ()
    method: Literal["GET", "POST"] = "GET"


class Poll(msgspec.Struct, frozen=True):
    """A REST question on a timer. `kind` is the section of the configuration that says how often.

    `requests(market, roster)`: as few as the venue's batch endpoints allow; their pages are followed. `read(reading, answer)`: one page into facts
    (its JSON numbers with a point are text). `every`: asked each so many intervals. `of_exchange`: one answer serves all markets of the exchange.
    """

    kind: str
    requests: Callable[["Market", Roster], Sequence[Request]]
    read: Callable[["Market", Reading, Any], None]
    every: int = 1
    of_exchange: bool = False


class Live(msgspec.Struct, frozen=True):
    """Topics that say as it happens what polls ask for. `read(market, reading, frame)`: one frame into facts, as Poll.read."""

    kinds: tuple[str, ...]
    topics: Callable[["Market", Roster], Sequence[str]]
    read: Callable[["Market", Reading, Any], None]
    route: str = "public"
    silent_s: float = 0.0  # a topic that says nothing for so long is subscribed anew; 0: it may be silent for ever
    of_exchange: bool = False  # what it says is of all markets of the exchange: one of them listens


class Control(msgspec.Struct, frozen=True):
    """A frame that is no data.

    ack: `topics` (empty: all of `request_id`) are subscribed, or were already · refused: `topics` are not, `request_id` or nothing says which
    request it was · login: we may subscribe to what is private · pong · closing: the venue will close this socket soon · notice: for the log ·
    unknown: a shape never seen.
    """

    kind: Literal["ack", "refused", "login", "pong", "closing", "notice", "unknown"]
    request_id: int | None = None
    topics: tuple[str, ...] = ()
    reason: str = ""


class Trade(msgspec.Struct, frozen=True):
    """A trade as REST tells it, in the venue's own units. `first_id` and `last_id` are None where ids are no numbers.

    `aggregate`: `id` numbers the aggregate of the fills first_id..last_id. `off_book`: never stood in the visible book. `block`: negotiated.
    `sequence`: the matching engine's count, as the stream tells it too.
    """

    id: str
    price: str
    quantity: str
    side: Literal["buy", "sell"]
    ts_event_ns: int
    first_id: int | None = None
    last_id: int | None = None
    aggregate: bool = False
    off_book: bool = False
    block: bool = False
    sequence: int | None = None


class BookRows(msgspec.Struct, frozen=True):
    """A REST order book as the venue wrote it: rows of (price, quantity, whatever else), best first."""

    bids: Sequence[Any]
    asks: Sequence[Any]
    update_id: int | None = None
    ts_event_ns: int | None = None


class Kline(msgspec.Struct, frozen=True):
    """A candle of a minute as the venue made it; `volume` in its native unit (contracts where it counts contracts), `trades` where it tells them."""

    open_time_ns: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    trades: int | None = None


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue's product lines share: functions from data to data."""

    exchange: str
    subscribe: Callable[[Sequence[str], int], bytes]  # topic names, request id -> a frame of ours
    unsubscribe: Callable[[Sequence[str], int], bytes]
    read_control: Callable[[bytes], Control]
    topic_of: Callable[[bytes], str | None]  # the topic's name, as we subscribe it, whose data a frame is; None: it is no data, but a control frame
    instruments_request: Callable[["Market"], Request]
    next_page: Callable[[Request, Any], Request | None]  # the question that follows this answer, if one does
    parse_instruments: Callable[["Market", Sequence[Any]], Parsed]  # all pages, as decoded JSON
    image_request: Callable[["Market", str, int], Request]  # venue symbol, levels -> the order book
    full_book_request: Callable[["Market", str], Request]  # venue symbol -> the deepest order book that there is
    read_full_book: Callable[[Any], BookRows]
    time_request: Callable[["Market"], Request]
    read_time: Callable[[Any], int]  # -> ns since 1970 UTC
    trades_request: Callable[["Market", "TopicForm", str, int | None], Request | None]  # venue symbol, first id wanted (None: the newest)
    read_trades: Callable[[Any], list[Trade]]  # oldest first
    klines_request: Callable[["Market", str, int, int], Request]  # venue symbol, first open time in ns, how many minutes (at most 100)
    read_klines: Callable[[Any], list[Kline]]  # those that are closed or not, oldest first
    read_error: Callable[[int, Mapping[str, str], bytes], RestError | None]  # status, headers (lower case), body; None: a good answer
    normalizer: Callable[["Market"], Any]  # -> a cext Normalizer


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """One product line. `product` is the venue's own word for it, `image_depths` are (levels, weight) of its REST order book."""

    name: str
    venue: Venue
    product: str
    rest_url: str
    ws_url: str
    routes: Mapping[str, str]  # route -> path of the socket
    topics: tuple[TopicForm, ...]  # of each kind, the first one is the default
    limits: Limits
    ping: Ping
    sequence: SequenceRule
    rest_path: str
    rest_budget: Budget
    image_depths: tuple[tuple[int, int], ...]
    trades_numbered: bool  # ids of trades have no holes: one that is skipped is missing (cext/tape.pxd)
    default_symbols: tuple[str, ...]  # patterns of our symbols
    polls: tuple[Poll, ...] = ()
    live: tuple[Live, ...] = ()
    missing: Mapping[str, str] = {}  # {a feed that it has not got: why}

    @property
    def exchange(self) -> str:
        return self.venue.exchange

    def at(self, rest_url: str = "", ws_url: str = "") -> "Market":
        """The same market at other addresses; empty: the venue's own."""
        return msgspec.structs.replace(self, rest_url=(rest_url or self.rest_url).rstrip("/"), ws_url=(ws_url or self.ws_url).rstrip("/"))

    def socket_url(self, route: str) -> str:
        return self.ws_url + self.routes[route]

    def choose(self, *, depth: int, speed: str = "", trades: str = "default", also: Collection[TopicKind] = ()) -> tuple[TopicForm, ...]:
        """The topic forms for these wishes, one of each kind: depth, best, trades ("default", "aggregated" or "raw"); then those of the
        kinds in `also` that the market has.

        Raises ConfigError for a depth or a speed that the market does not offer; where it has but one form of trades, that is it.
        """
        books = [form for form in self.topics if form.kind == "depth"]
        if speed:
            books = [form for form in books if form.speed == speed]
            if not books:
                speeds = ", ".join(dict.fromkeys(form.speed for form in self.topics if form.kind == "depth" and form.speed)) or "none"
                raise ConfigError(f"found the speed {speed!r}, {self.name} offers: {speeds}", where=self.name)
        if books[0].levels:
            fitting = [form for form in books if form.levels >= depth]
            if not fitting:
                raise ConfigError(f"found depth {depth}, {self.name} has at most {max(form.levels for form in books)}", where=self.name)
            books = sorted(fitting, key=lambda form: form.levels)
        prints = [form for form in self.topics if form.kind == "trades"]
        best = next(form for form in self.topics if form.kind == "best")
        tape = next((form for form in prints if trades != "default" and form.raw == (trades == "raw")), prints[0])
        return books[0], best, tape, *(form for form in self.topics if form.kind in also)

    def image_levels(self, depth: int) -> int:
        """The least depth of a REST order book that holds `depth` levels a side (or the most there is)."""
        return next((levels for levels, _ in sorted(self.image_depths) if levels >= depth), max(self.image_depths)[0])

    def image_weight(self, levels: int) -> int:
        return next(weight for most, weight in sorted(self.image_depths) if levels <= most)


def decoded(payload: bytes) -> Any:
    """The JSON of a frame or an answer; None where it is none."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # text that is no UTF-8 has an error of its own
        return None


def whole(value: Any) -> int | None:
    """A request id of ours as a venue repeats it, number or text; None for anything else."""
    text = str(value) if isinstance(value, str | int) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def topic(form: TopicForm, venue_symbol: str) -> Topic:
    return Topic(form.template.format(symbol=venue_symbol, lower=venue_symbol.lower()), form.kind, venue_symbol, form.route)


def markets(exchange: str) -> dict[str, Market]:
    """The rows of a venue by name; none if nobody knows it."""
    try:
        return importlib.import_module(f"p9.venues.{exchange}").MARKETS
    except ModuleNotFoundError as error:
        if error.name != f"p9.venues.{exchange}":
            raise
        return {}


def market(name: str) -> Market:
    """The row called `name` ("venue_line"), from the venue file of its first word. Raises ConfigError."""
    exchange = name.partition("_")[0]
    rows = markets(exchange)
    if name not in rows:
        raise ConfigError(f"found the market {name!r}, known of {exchange!r} are: {', '.join(rows) or 'none'}", where=name)
    return rows[name]
