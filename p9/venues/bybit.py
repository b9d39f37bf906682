"""Bybit V5: spot, linear and inverse contracts.

Order book (https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook):
 1. every subscription answers with a snapshot; another one may come at any time and replaces the book;
 2. a delta's `u` is the last one plus 1; each depth of a symbol counts for itself;
 3. `u` = 1 is a new image whatever its type says: the service began anew;
 4. after a hole: unsubscribe, then subscribe (a second subscription alone is refused and brings no snapshot);
 5. level 1 sends whole images, with no numbering that could be checked.

Sockets (https://bybit-exchange.github.io/docs/v5/ws/connect):
 6. at most 10 topics a request (spot refuses more, and then all of them) and 21000 characters of topics a socket;
 7. {"op":"ping"} as text every 20 s; the answer's shape depends on the product, and its `op` may be "ping" too;
 8. the acknowledgement names no topic, only our req_id, and data may come before it;
 9. 500 connections in 5 minutes an address.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec
from cext.venues.bybit import BybitNormalizer

from p9.budget import Budget
from p9.errors import AddressBanned, RateLimited, RestError, RestRefused
from p9.instrument import Instrument, Parsed, canonical, decimal, milliseconds, underlying_units
from p9.venue import SPOT_HAS_NO, BookRows, Control, Kline, Limits, Market, Ping, Request, SequenceRule, TopicForm, Trade, Venue, decoded, whole
from p9.venues import bybit_facts, bybit_reference

# https://bybit-exchange.github.io/docs/v5/rate-limit: 600 questions in 5 s an address; beyond it, 403 for ten minutes.
REQUESTS = Budget("bybit requests", 600, 5.0)
BAN_S = 600.0


def subscribe(topics: Sequence[str], request_id: int) -> bytes:
    return msgspec.json.encode({"req_id": str(request_id), "op": "subscribe", "args": topics})


def unsubscribe(topics: Sequence[str], request_id: int) -> bytes:
    return msgspec.json.encode({"req_id": str(request_id), "op": "unsubscribe", "args": topics})


def read_control(payload: bytes) -> Control:
    """Three shapes of acknowledgement and four of pong (rules 7 and 8)."""
    frame = decoded(payload)
    if not isinstance(frame, dict):
        return Control("unknown", reason=repr(payload[:200]))
    op, text = frame.get("op"), str(frame.get("ret_msg", frame.get("retMsg", "")))
    if text == "pong" or op in ("ping", "pong"):
        return Control("pong")
    request_id = whole(frame.get("req_id"))
    if op == "auth" and frame.get("success") is True:
        return Control("login")
    if frame.get("success") is False:
        named = re.search(r",\s*topic:(\S+)", text)
        topics = (named[1],) if named else ()
        if "already subscribed" in text:
            return Control("ack", request_id, topics, text)
        return Control("refused", request_id, topics, text)
    outcome = frame.get("data")
    if isinstance(outcome, dict) and isinstance(outcome.get("failTopics"), list) and outcome["failTopics"]:
        return Control("refused", request_id, tuple(map(str, outcome["failTopics"])), "failTopics")
    if op in ("subscribe", "unsubscribe") or frame.get("type") == "COMMAND_RESP":
        return Control("ack", request_id)
    return Control("unknown", request_id, reason=repr(payload[:200]))


class _Pushed(msgspec.Struct):
    """What stands around data; the data are left as they are."""

    topic: str | None = None


_pushed = msgspec.json.Decoder(_Pushed)


def topic_of(payload: bytes) -> str | None:
    try:
        return _pushed.decode(payload).topic
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def instruments_request(market: Market) -> Request:
    params = (("category", market.product),)
    if market.product != "spot":  # spot knows no pages
        params += (("limit", "1000"),)
    return Request(f"{market.rest_path}/instruments-info", market.rest_budget, 1, params)


def next_page(request: Request, answer: Any) -> Request | None:
    """The cursor comes percent-encoded and is to be sent as it came; the client encodes what it sends, so it is decoded here."""
    result = answer.get("result") if isinstance(answer, dict) else None
    cursor = result.get("nextPageCursor") if isinstance(result, dict) else None
    if not cursor or not isinstance(cursor, str):
        return None
    params = tuple(item for item in request.params if item[0] != "cursor")
    return msgspec.structs.replace(request, params=(*params, ("cursor", unquote(cursor))))


def parse_instruments(market: Market, pages: Sequence[Any]) -> Parsed:
    """instruments-info (https://bybit-exchange.github.io/docs/v5/market/instrument). Contracts are told by contractType, never by their names."""
    parsed = Parsed()
    for page in pages:
        result = page.get("result") if isinstance(page, dict) else None
        rows = result.get("list") if isinstance(result, dict) else None
        if not isinstance(rows, list):
            raise RestError("instruments-info has no list", where=market.name)
        parsed.read(market.name, rows, "symbol", lambda row: _instrument(market, row))
    return parsed


def _instrument(market: Market, row: dict) -> Instrument:
    base, lots, status = row["baseCoin"], row["lotSizeFilter"], row.get("status", "")
    common = {
        "exchange": market.exchange, "market": market.name, "venue_symbol": row["symbol"], "base": base, "status": status,
        "trading": status == "Trading", "tick": decimal(row["priceFilter"]["tickSize"]), "multiplier": underlying_units(base),
        "listed_ns": milliseconds(row.get("launchTime")),
    }  # fmt: skip
    if market.product == "spot":
        quote = row["quoteCoin"]
        return Instrument(symbol=canonical(base, quote), quote=quote, settle=quote, kind="spot", step=decimal(lots["basePrecision"]), **common)
    kind, expires_ns = row["contractType"], milliseconds(row.get("deliveryTime"))
    if kind not in ("LinearPerpetual", "LinearFutures", "InversePerpetual", "InverseFutures"):
        raise ValueError(f"contractType {kind!r} is unknown")
    perpetual, inverse = kind.endswith("Perpetual"), kind.startswith("Inverse")
    if not perpetual and expires_ns is None:
        raise ValueError(f"{kind} without a deliveryTime")
    quote = "USD" if inverse else row["settleCoin"]
    return Instrument(
        symbol=canonical(base, quote, expires_ns=expires_ns, perpetual=perpetual),
        quote=quote,
        settle=row["settleCoin"],
        kind="perpetual" if perpetual else "future",
        step=decimal(lots["qtyStep"]),
        contract="inverse" if inverse else "base",  # an inverse contract is one USD; linear sizes are base coins
        expires_ns=expires_ns,  # of a perpetual: its delisting
        **common,
    )


def image_request(market: Market, venue_symbol: str, levels: int) -> Request:
    """Its `u` is that of the 1000-level stream and of no other."""
    limit = market.image_levels(levels)
    params = (("category", market.product), ("symbol", venue_symbol), ("limit", str(limit)))
    return Request(f"{market.rest_path}/orderbook", market.rest_budget, 1, params)


def full_book_request(market: Market, venue_symbol: str) -> Request:
    """Up to 10,000 levels a side of spot (https://bybit-exchange.github.io/docs/v5/market/full-orderbook); elsewhere nothing is deeper than the image."""
    if market.product != "spot":
        return image_request(market, venue_symbol, 1000)
    return Request(f"{market.rest_path}/full_orderbook", market.rest_budget, 1, (("category", market.product), ("symbol", venue_symbol)))


def read_full_book(answer: Any) -> BookRows:
    """`cts` is the matching time; the `u` of a full book is that of its own stream."""
    book = answer["result"]
    return BookRows(book["b"], book["a"], int(book["u"]), int(book["cts"]) * 1_000_000 if book.get("cts") is not None else None)


def time_request(market: Market) -> Request:
    return Request(f"{market.rest_path}/time", market.rest_budget)


def read_time(answer: Any) -> int:
    return int(answer["result"]["timeNano"])


def trades_request(market: Market, form: TopicForm, venue_symbol: str, first_id: int | None) -> Request | None:
    """The newest 1000 (spot 60), and no more: what is older cannot be had."""
    limit = 60 if market.product == "spot" else 1000
    params = (("category", market.product), ("symbol", venue_symbol), ("limit", str(limit)))
    return Request(f"{market.rest_path}/recent-trade", market.rest_budget, 1, params)


def read_trades(answer: Any) -> list[Trade]:
    trades = []
    for row in reversed(answer["result"]["list"]):
        number = int(row["execId"]) if row["execId"].isdecimal() else None
        trades.append(
            Trade(
                row["execId"], row["price"], row["size"], "buy" if row["side"] == "Buy" else "sell", int(row["time"]) * 1_000_000, number, number,
                off_book=bool(row.get("isRPITrade")), block=bool(row.get("isBlockTrade")), sequence=int(row["seq"]) if row.get("seq") else None,
            )
        )  # fmt: skip
    return trades


def klines_request(market: Market, venue_symbol: str, first_ns: int, n: int) -> Request:
    params = (("category", market.product), ("symbol", venue_symbol), ("interval", "1"), ("start", str(first_ns // 1_000_000)), ("limit", str(n)))
    params += (("end", str(first_ns // 1_000_000 + n * 60_000 - 1)),)
    return Request(f"{market.rest_path}/kline", market.rest_budget, 1, params)


def read_klines(answer: Any) -> list[Kline]:
    """Newest first: start in ms, open, high, low, close, volume (inverse: contracts, turnover is the coins)."""
    return [Kline(int(row[0]) * 1_000_000, *row[1:6]) for row in reversed(answer["result"]["list"])]


class _Envelope(msgspec.Struct):
    """What stands around every answer; the result is left as it is."""

    retCode: int
    retMsg: str = ""


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> RestError | None:
    """https://bybit-exchange.github.io/docs/v5/error: most errors come with HTTP 200, and only retCode decides.

    403 is the limit of this address (ten minutes of silence), or its country.
    """
    if status == 403:
        return AddressBanned("403 access too frequent, or the address's country is not served", retry_after_s=BAN_S, hint="another host may serve it")
    try:
        answer = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = None
    if answer is None:
        return None if status == 200 else RestError(f"{status}")
    text = f"{status} {answer.retCode} {answer.retMsg}".strip()
    if answer.retCode in (10006, 10018) or status == 429:
        return RateLimited(text, retry_after_s=_reset_s(headers))
    if answer.retCode in (10000, 10016) or status >= 500:
        return RestError(text)
    if answer.retCode != 0:
        return RestRefused(text)
    return None if status == 200 else RestError(text)


def _reset_s(headers: Mapping[str, str]) -> float:
    """From X-Bapi-Limit-Reset-Timestamp (ms), where it is given: public answers have none."""
    try:
        return min(max(1.0, int(headers["x-bapi-limit-reset-timestamp"]) / 1000 - int(headers["timenow"]) / 1000), BAN_S)
    except (KeyError, ValueError):
        return 1.0


def _normalizer(market: Market) -> Any:
    return BybitNormalizer()


BYBIT = Venue(
    exchange="bybit", subscribe=subscribe, unsubscribe=unsubscribe, read_control=read_control, topic_of=topic_of,
    instruments_request=instruments_request, next_page=next_page, parse_instruments=parse_instruments, image_request=image_request,
    full_book_request=full_book_request, read_full_book=read_full_book, time_request=time_request, read_time=read_time,
    trades_request=trades_request, read_trades=read_trades, klines_request=klines_request, read_klines=read_klines, read_error=read_error, normalizer=_normalizer,
)  # fmt: skip


_LIQUIDATIONS = (TopicForm("liquidations", "allLiquidation.{symbol}"),)


def _row(product: str, default_symbols: tuple[str, ...]) -> Market:
    """The product lines differ in nothing but their names."""
    return Market(
        name=f"bybit_{product}", venue=BYBIT, product=product, rest_url="https://api.bybit.com", ws_url="wss://stream.bybit.com",
        routes={"public": f"/v5/public/{product}", "status": "/v5/public/misc/status"},
        topics=(
            TopicForm("depth", "orderbook.1000.{symbol}", levels=1000),
            TopicForm("depth", "orderbook.200.{symbol}", levels=200),
            TopicForm("depth", "orderbook.50.{symbol}", levels=50),
            TopicForm("best", "orderbook.1.{symbol}"),
            TopicForm("trades", "publicTrade.{symbol}", raw=True),
            *(() if product == "spot" else _LIQUIDATIONS),
        ),
        limits=Limits(
            instruments_per_socket=50, topics_per_request=10, request_chars=4000, socket_chars=21_000, spacing_s=0.1,
            messages=Budget("messages", 600, 60.0),
            connects=(Budget("bybit connects", 250, 300.0), Budget("bybit connects a second", 4, 1.0)),
        ),
        ping=Ping(b'{"req_id":"0","op":"ping"}', every_s=20.0),
        sequence=SequenceRule("step", rest_seeded=False, repeats_are_stale=True, restart_id=1),
        rest_path="/v5/market", rest_budget=REQUESTS, image_depths=((1000, 1),), trades_numbered=False, default_symbols=default_symbols,
        polls=bybit_reference.SPOT_POLLS if product == "spot" else (*bybit_facts.POLLS, *bybit_reference.POLLS),
        missing=(SPOT_HAS_NO | {"liquidations": "spot has none"} if product == "spot" else {}) | {"blocks": "marked in the trades (`BT`)"},
        live=bybit_reference.LIVE if product == "spot" else (*bybit_facts.LIVE, *bybit_reference.LIVE),
    )  # fmt: skip


MARKETS = {
    row.name: row
    for row in (
        _row("spot", ("BTC-USDT", "ETH-USDT")),
        _row("linear", ("BTC-USDT-PERP", "ETH-USDT-PERP")),
        _row("inverse", ("BTC-USD-PERP", "ETH-USD-PERP")),
    )
}
