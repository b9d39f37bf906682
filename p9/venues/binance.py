"""Binance: spot, USD-margined and coin-margined futures.

Local order book (https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#how-to-manage-a-local-order-book-correctly):
 1. subscribe the diff stream and hold its events;
 2. fetch the REST order book, once an event is held; older than the first held event: fetch again;
 3. spot: drop events with u <= lastUpdateId, the first kept one covers lastUpdateId + 1; from then on U = previous u + 1.
    DIFFERENT ON FUTURES (https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/
    How-to-manage-a-local-order-book-correctly): drop u < lastUpdateId, the first kept one covers lastUpdateId; then pu = previous u.
 4. a hole: the book is wrong, start again at 2.

Sockets (https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Connect):
 5. only combined streams (/stream): futures diff and partial depth differ by nothing but the stream's name;
 6. USD-margined futures have a socket for books (/public) and one for trades (/market); a stream on the wrong one is acknowledged and silent;
 7. an acknowledgement proves nothing, not even that the stream exists: the first data does;
 8. at most 5 messages a second to spot (10 to futures), in any second; a 24 h life; the venue pings and we answer.
"""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from cext.venues.binance.normalizer import BinanceNormalizer

from p9.budget import Budget
from p9.errors import AddressBanned, RateLimited, RestError, RestRefused
from p9.instrument import Instrument, Parsed, canonical, decimal, milliseconds, underlying_units
from p9.venue import SPOT_HAS_NO, BookRows, Control, Kline, Limits, Market, Ping, Request, SequenceRule, TopicForm, Trade, Venue, decoded
from p9.venues import binance_facts, binance_reference

LONGEST_BAN_S = 3 * 86400.0  # as the venue has it; a pause beyond it is a mistake of somebody's
NEVER_DELIVERED_MS = 4133404800000  # deliveryDate of what has none

# https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits: weight a minute and address, told back in a header.
# The two futures lines share one pool since they share one engine (2026-06-30).
SPOT_WEIGHT = Budget("binance spot weight", 6000, 60.0, "x-mbx-used-weight-1m")
FUTURES_WEIGHT = Budget("binance futures weight", 2400, 60.0, "x-mbx-used-weight-1m")


def subscribe(topics: Sequence[str], request_id: int) -> bytes:
    return msgspec.json.encode({"method": "SUBSCRIBE", "params": topics, "id": request_id})


def unsubscribe(topics: Sequence[str], request_id: int) -> bytes:
    return msgspec.json.encode({"method": "UNSUBSCRIBE", "params": topics, "id": request_id})


def read_control(payload: bytes) -> Control:
    """Replies are never wrapped in stream/data: they have `result`, `error` or `code`; that of a login has a subscription. serverShutdown comes bare or wrapped."""
    frame = decoded(payload)
    if not isinstance(frame, dict):
        return Control("unknown", reason=repr(payload[:200]))
    event = frame.get("data", frame.get("event", frame))
    if isinstance(event, dict) and event.get("e") == "serverShutdown":
        return Control("closing", reason="serverShutdown")
    request_id = frame.get("id") if isinstance(frame.get("id"), int) else None
    error = frame["error"] if isinstance(frame.get("error"), dict) else frame
    if "code" in error:
        return Control("refused", request_id, reason=f"{error.get('code')}: {error.get('msg', '')}")
    if isinstance(frame.get("result"), dict) and "subscriptionId" in frame["result"]:
        return Control("login", request_id)
    if "result" in frame:
        return Control("ack", request_id)
    return Control("unknown", request_id, reason=repr(payload[:200]))


class _Event(msgspec.Struct):
    e: str = ""


class _Combined(msgspec.Struct):
    """What stands around data; the data are left as they are."""

    stream: str = ""
    e: str = ""  # user data of futures come bare
    event: _Event | None = None  # and those of spot as {"subscriptionId", "event"}


_combined = msgspec.json.Decoder(_Combined)


def topic_of(payload: bytes) -> str | None:
    """The stream's name; of bare frames (user data), the event's type."""
    try:
        frame = _combined.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    name = frame.stream or frame.e or (frame.event.e if frame.event is not None else "")
    return None if name in ("", "!serverShutdown", "serverShutdown") else name


def instruments_request(market: Market) -> Request:
    return Request(f"{market.rest_path}/exchangeInfo", market.rest_budget, 20 if market.product == "spot" else 1)


def next_page(request: Request, answer: Any) -> Request | None:
    return None  # one answer holds all


def parse_instruments(market: Market, pages: Sequence[Any]) -> Parsed:
    """exchangeInfo (https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints#exchange-information).

    Tick and step come from the filters, never from pricePrecision: a tick has been coarser than its precision for years.
    """
    parsed = Parsed()
    for page in pages:
        rows = page.get("symbols") if isinstance(page, dict) else None
        if not isinstance(rows, list):
            raise RestError("exchangeInfo has no list of symbols", where=market.name)
        parsed.read(market.name, rows, "symbol", lambda row: _instrument(market, row))
    return parsed


def _instrument(market: Market, row: dict) -> Instrument:
    filters = {entry.get("filterType"): entry for entry in row["filters"]}
    base = row["baseAsset"]
    status = row.get("status") or row.get("contractStatus") or ""
    common = {
        "exchange": market.exchange, "market": market.name, "venue_symbol": row["symbol"], "base": base, "status": status,
        "trading": status == "TRADING", "tick": decimal(filters["PRICE_FILTER"]["tickSize"]), "step": decimal(filters["LOT_SIZE"]["stepSize"]),
        "multiplier": underlying_units(base), "listed_ns": milliseconds(row.get("onboardDate")), "family": row.get("pair", ""),
    }  # fmt: skip
    if market.product == "spot":
        quote = row["quoteAsset"]
        return Instrument(symbol=canonical(base, quote), quote=quote, settle=quote, kind="spot", **common)
    settle = row["marginAsset"]
    quote = "USD" if market.product == "coinm" else settle
    delivery = row.get("deliveryDate")
    perpetual = "PERPETUAL" in row.get("contractType", "") or (not row.get("contractType") and delivery == NEVER_DELIVERED_MS)
    expires_ns = None if delivery == NEVER_DELIVERED_MS else milliseconds(delivery)
    if not perpetual and expires_ns is None:
        raise ValueError(f"contractType {row.get('contractType')!r} without a deliveryDate")
    return Instrument(
        symbol=canonical(base, quote, expires_ns=expires_ns, perpetual=perpetual),
        quote=quote,
        settle=settle,
        kind="perpetual" if perpetual else "future",
        contract="inverse" if market.product == "coinm" else "base",
        contract_value=decimal(row["contractSize"]) if market.product == "coinm" else "1",
        expires_ns=expires_ns,  # of a perpetual: its delisting
        **common,
    )


def image_request(market: Market, venue_symbol: str, levels: int) -> Request:
    limit = market.image_levels(levels)
    return Request(f"{market.rest_path}/depth", market.rest_budget, market.image_weight(limit), (("symbol", venue_symbol), ("limit", str(limit))))


def full_book_request(market: Market, venue_symbol: str) -> Request:
    """Nothing is deeper than the deepest image."""
    return image_request(market, venue_symbol, max(market.image_depths)[0])


def read_full_book(answer: Any) -> BookRows:
    """Futures tell the matching time (T) too."""
    at_ms = answer.get("T")
    return BookRows(answer["bids"], answer["asks"], int(answer["lastUpdateId"]), int(at_ms) * 1_000_000 if at_ms is not None else None)


def time_request(market: Market) -> Request:
    return Request(f"{market.rest_path}/time", market.rest_budget, 1)


def read_time(answer: Any) -> int:
    return int(answer["serverTime"]) * 1_000_000


def trades_request(market: Market, form: TopicForm, venue_symbol: str, first_id: int | None) -> Request | None:
    """What fills a hole in the trades of `form`. Single fills of futures are sold only against a key: None.

    fromId must not be combined with times: the venue then times out.
    """
    if form.raw and market.product != "spot":
        return None
    path, weight = ("historicalTrades", 25) if form.raw else ("aggTrades", 4 if market.product == "spot" else 20)
    params = (("symbol", venue_symbol), ("limit", "1000"))
    if first_id is not None:
        params += (("fromId", str(first_id)),)
    return Request(f"{market.rest_path}/{path}", market.rest_budget, weight, params)


def read_trades(answer: Any) -> list[Trade]:
    """`m` and `isBuyerMaker`: the buyer was resting, so the taker sold."""
    trades = []
    for row in answer:
        if "a" in row:
            side = "sell" if row["m"] else "buy"
            trades.append(Trade(str(row["a"]), row["p"], row["q"], side, int(row["T"]) * 1_000_000, row["f"], row["l"], aggregate=True))
        else:
            side = "sell" if row["isBuyerMaker"] else "buy"
            off_book = bool(row.get("isRPITrade"))
            trades.append(
                Trade(str(row["id"]), row["price"], row["qty"], side, int(row["time"]) * 1_000_000, row["id"], row["id"], off_book=off_book)
            )
    return trades


def klines_request(market: Market, venue_symbol: str, first_ns: int, n: int) -> Request:
    params = (("symbol", venue_symbol), ("interval", "1m"), ("startTime", str(first_ns // 1_000_000)), ("limit", str(n)))
    return Request(f"{market.rest_path}/klines", market.rest_budget, 2 if market.product == "spot" else 1, params)


def read_klines(answer: Any) -> list[Kline]:
    """Arrays: open time in ms, open, high, low, close, volume (coin-margined: contracts), ..., trades in the ninth place."""
    return [Kline(row[0] * 1_000_000, *row[1:6], trades=row[8]) for row in answer]


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> RestError | None:
    """https://developers.binance.com/docs/binance-spot-api-docs/errors and .../rest-api/limits.

    429: stop until Retry-After. 418: this address is banned; futures promise no header, then the text names the end in epoch ms.
    403: the web application firewall, to be taken as a ban.
    """
    if status == 200:
        return None
    code, message = 0, ""
    try:
        answer = msgspec.json.decode(body)
        code, message = int(answer["code"]), str(answer["msg"])
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        pass
    text = f"{status} {code} {message}".strip()
    wait_s = _retry_after_s(headers.get("retry-after"))
    if status in (418, 403):
        banned = re.search(r"banned until (\d{13})", message)
        if banned:
            wait_s = max(wait_s or 0.0, min(int(banned[1]) / 1000 - time.time(), LONGEST_BAN_S))
        return AddressBanned(
            text, retry_after_s=120.0 if wait_s is None else max(wait_s, 1.0), hint="another process of this address may spend its weight"
        )
    if status == 429 or code == -1003:
        return RateLimited(text, retry_after_s=60.0 - time.time() % 60.0 if wait_s is None else wait_s)
    if 400 <= status < 500 and code and status != 408:
        return RestRefused(text)
    return RestError(text)


def _retry_after_s(value: str | None) -> float | None:
    try:
        wait_s = float(value) if value is not None else -1.0
    except ValueError:
        return None
    return min(wait_s, LONGEST_BAN_S) if wait_s >= 0.0 else None


def _normalizer(market: Market) -> Any:
    return BinanceNormalizer(futures=market.product != "spot")


BINANCE = Venue(
    exchange="binance", subscribe=subscribe, unsubscribe=unsubscribe, read_control=read_control, topic_of=topic_of,
    instruments_request=instruments_request, next_page=next_page, parse_instruments=parse_instruments, image_request=image_request,
    full_book_request=full_book_request, read_full_book=read_full_book, time_request=time_request, read_time=read_time,
    trades_request=trades_request, read_trades=read_trades, klines_request=klines_request, read_klines=read_klines, read_error=read_error, normalizer=_normalizer,
)  # fmt: skip

# Rule 8. Spot's figure for all: five a second were too many for a futures gateway once, and nobody is in a hurry.
_LIMITS = Limits(
    instruments_per_socket=50,  # of 1024 streams: what one socket loses, fewer books lose
    topics_per_request=100,
    request_chars=4000,
    socket_chars=60_000,
    spacing_s=0.25,
    messages=Budget("messages", 4, 1.05),
    connects=(Budget("binance connects", 150, 300.0), Budget("binance connects a second", 4, 1.0)),  # 300 in 5 minutes are allowed
)
_FUTURES_TOPICS = (
    TopicForm("depth", "{lower}@depth@100ms", speed="100ms"),
    TopicForm("depth", "{lower}@depth@0ms", speed="0ms"),  # undocumented, event-driven
    TopicForm("depth", "{lower}@depth", speed="250ms"),
    TopicForm("depth", "{lower}@depth@500ms", speed="500ms"),
    TopicForm("best", "{lower}@bookTicker"),
    TopicForm("trades", "{lower}@aggTrade", route="market", folds_ms=100),  # its ids can be filled from REST
    TopicForm("trades", "{lower}@trade", raw=True),  # undocumented
    TopicForm("liquidations", "{lower}@forceOrder", route="market"),  # of a symbol at most one a second
)
_PING = Ping(venue_s=180.0)  # spot's come each 20 s, those of futures and of spot's private socket each three minutes
_FUTURES_DEPTHS = ((5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20))
_FUTURES_SEQUENCE = SequenceRule("prev", rest_seeded=True, repeats_are_stale=True)

MARKETS = {
    row.name: row
    for row in (
        Market(
            name="binance_spot", venue=BINANCE, product="spot", rest_url="https://api.binance.com", ws_url="wss://stream.binance.com:9443",
            routes={"public": "/stream"},
            topics=(
                TopicForm("depth", "{lower}@depth@100ms", speed="100ms"),
                TopicForm("depth", "{lower}@depth", speed="1000ms"),
                TopicForm("best", "{lower}@bookTicker"),
                TopicForm("trades", "{lower}@trade", raw=True),
                TopicForm("trades", "{lower}@aggTrade"),
                TopicForm("blocks", "{lower}@blockTrade"),
            ),
            limits=_LIMITS, ping=_PING, sequence=SequenceRule("next", rest_seeded=True, repeats_are_stale=True),
            rest_path="/api/v3", rest_budget=SPOT_WEIGHT, image_depths=((100, 5), (500, 25), (1000, 50), (5000, 250)), trades_numbered=True,
            default_symbols=("BTC-USDT", "ETH-USDT"), polls=binance_reference.SPOT_POLLS,
            missing=SPOT_HAS_NO | {"liquidations": "spot has none", "risk": "told against a key only"},
        ),
        Market(
            name="binance_usdm", venue=BINANCE, product="usdm", rest_url="https://fapi.binance.com", ws_url="wss://fstream.binance.com",
            routes={"public": "/public/stream", "market": "/market/stream"}, topics=_FUTURES_TOPICS,
            limits=_LIMITS, ping=_PING, sequence=_FUTURES_SEQUENCE,
            rest_path="/fapi/v1", rest_budget=FUTURES_WEIGHT, image_depths=_FUTURES_DEPTHS, trades_numbered=True,
            default_symbols=("BTC-USDT-PERP", "ETH-USDT-PERP"),
            polls=(*binance_facts.USDM_POLLS, *binance_reference.POLLS), live=(*binance_facts.LIVE, *binance_reference.LIVE),
            missing={"blocks": "not told apart in public"},
        ),
        Market(  # not split: its root serves every stream
            name="binance_coinm", venue=BINANCE, product="coinm", rest_url="https://dapi.binance.com", ws_url="wss://dstream.binance.com",
            routes={"public": "/stream", "market": "/stream"},
            topics=tuple(msgspec.structs.replace(form, route="public") for form in _FUTURES_TOPICS),
            limits=_LIMITS, ping=_PING, sequence=_FUTURES_SEQUENCE,
            rest_path="/dapi/v1", rest_budget=FUTURES_WEIGHT, image_depths=_FUTURES_DEPTHS, trades_numbered=True,
            default_symbols=("BTC-USD-PERP", "ETH-USD-PERP"),
            polls=binance_facts.POLLS, live=(*binance_facts.LIVE, *binance_reference.LIVE),
            missing={
                "blocks": "not told apart in public", "insurance_fund": "not told", "adl": "not told", "risk": "told against a key only",
                "status": "told by the spot host for all",
            },
        ),
    )
}  # fmt: skip
