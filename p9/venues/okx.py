"""OKX V5: spot, perpetual swaps, dated futures, options (books in a replay).

Order book (https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel):
 1. every subscription answers with a snapshot; another one may come at any time and replaces the book;
 2. an update's prevSeqId is the last seqId; equal ids without levels are a keepalive; a seqId below its prevSeqId is a legal reset;
 3. after a hole: unsubscribe, then subscribe, once, and wait for the snapshot;
 4. the checksum is 0 since June 2026: only a real one is verified.

Sockets (https://www.okx.com/docs-v5/en/#overview-websocket):
 5. 3 connections a second an address; 480 requests an hour a socket; a request's args up to 64 kB; fewer than 30 deep books a socket;
 6. nothing pushed for 30 s, or nothing subscribed: closed; the text `ping` is answered by the text `pong`;
 7. one acknowledgement an arg; an error tells the arg only in its text;
 8. notice 64008 comes a minute before a socket is closed for an upgrade.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from cext.venues.okx import OkxNormalizer

from p9.budget import Budget
from p9.errors import AddressBanned, RateLimited, RestError, RestRefused
from p9.instrument import Instrument, Parsed, canonical, decimal, milliseconds, product, underlying_units
from p9.venue import SPOT_HAS_NO, BookRows, Control, Kline, Limits, Market, Ping, Request, SequenceRule, TopicForm, Trade, Venue, decoded, whole
from p9.venues import okx_facts, okx_reference

CLOSING_SOON = "64008"
PAUSE_S = 2.0  # every limit is counted over two seconds


def _budget(what: str, limit: int) -> Budget:
    return Budget(f"okx {what}", limit, PAUSE_S)


_ARG_KEYS = ("instType", "instFamily", "instId", "ccy")  # in this order in our topic names


def _args(topics: Sequence[str]) -> list[dict[str, str]]:
    """Our topic names are channel:instId, or channel:key=value,key=value, or the channel alone; no half has one of these signs."""
    found = []
    for channel, _, rest in (name.partition(":") for name in topics):
        pairs = dict(pair.split("=", 1) for pair in rest.split(",")) if "=" in rest else {"instId": rest} if rest else {}
        found.append({"channel": channel, **pairs})
    return found


def _topic(arg: Any) -> str | None:
    """The name of a topic from the arg that the venue echoes; what it adds of itself (uid) is left out."""
    if not isinstance(arg, dict) or not isinstance(arg.get("channel"), str):
        return None
    pairs = [(key, arg[key]) for key in _ARG_KEYS if arg.get(key)]
    if not pairs:
        return arg["channel"]
    return f"{arg['channel']}:" + (str(pairs[0][1]) if pairs[0][0] == "instId" else ",".join(f"{key}={value}" for key, value in pairs))


def subscribe(topics: Sequence[str], request_id: int) -> bytes:
    return msgspec.json.encode({"id": str(request_id), "op": "subscribe", "args": _args(topics)})


def unsubscribe(topics: Sequence[str], request_id: int) -> bytes:
    return msgspec.json.encode({"id": str(request_id), "op": "unsubscribe", "args": _args(topics)})


def read_control(payload: bytes) -> Control:
    if payload == b"pong":
        return Control("pong")
    frame = decoded(payload)
    if not isinstance(frame, dict):
        return Control("unknown", reason=repr(payload[:200]))
    event, arg = frame.get("event"), frame.get("arg")
    request_id = whole(frame.get("id"))
    name = _topic(arg)
    topics = (name,) if name is not None else ()
    if event in ("subscribe", "unsubscribe"):
        return Control("ack", request_id, topics)
    code, text = str(frame.get("code", "")), str(frame.get("msg", ""))
    if event == "login" and code == "0":
        return Control("login")
    if event == "notice":
        return Control("closing" if code == CLOSING_SOON else "notice", request_id, reason=f"{code} {text}")
    if event == "error":
        named = re.search(r"channel:([\w-]+),\s*instId:([^\s,]+)", text)
        return Control("refused", request_id, topics or ((f"{named[1]}:{named[2]}",) if named else ()), f"{code} {text}")
    return Control("notice" if event else "unknown", request_id, reason=repr(payload[:200]))


class _Pushed(msgspec.Struct):
    """What stands around data; the data are left as they are."""

    arg: dict[str, Any] | None = None
    event: str | None = None


_pushed = msgspec.json.Decoder(_Pushed)


def topic_of(payload: bytes) -> str | None:
    try:
        frame = _pushed.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return _topic(frame.arg) if frame.event is None else None


def instruments_request(market: Market) -> Request:
    return Request("/api/v5/public/instruments", _budget(f"instruments {market.product}", 20), 1, (("instType", market.product),))


def next_page(request: Request, answer: Any) -> Request | None:
    return None  # one answer holds all


def parse_instruments(market: Market, pages: Sequence[Any]) -> Parsed:
    """public/instruments (https://www.okx.com/docs-v5/en/#public-data-rest-api-get-instruments).

    The id is never taken apart: base, quote and settlement stand in the row's own fields, and differ in which by product.
    """
    parsed = Parsed()
    for page in pages:
        rows = page.get("data") if isinstance(page, dict) else None
        if not isinstance(rows, list):
            raise RestError("instruments has no list", where=market.name)
        parsed.read(market.name, rows, "instId", lambda row: _instrument(market, row) if row["instType"] == market.product else None)
    return parsed


def _instrument(market: Market, row: dict) -> Instrument:
    state, expires_ns = row.get("state", ""), milliseconds(row.get("expTime"))
    common = {
        "exchange": market.exchange, "market": market.name, "venue_symbol": row["instId"], "status": state,
        "trading": state in ("live", "post_only"), "tick": decimal(row["tickSz"]), "step": decimal(row["lotSz"]),
        "listed_ns": milliseconds(row.get("listTime")), "family": row.get("instFamily") or row.get("uly") or "", "expires_ns": expires_ns,
        "code": str(row["instIdCode"]) if isinstance(row.get("instIdCode"), int) else "",
    }  # fmt: skip
    if market.product == "SPOT":
        base, quote = row["baseCcy"], row["quoteCcy"]
        return Instrument(
            symbol=canonical(base, quote), base=base, quote=quote, settle=quote, kind="spot", multiplier=underlying_units(base), **common
        )
    settle, value_ccy = row["settleCcy"], row["ctValCcy"]
    # An option marked inverse counts coins all the same: the contract value's currency decides, not ctType.
    inverse = value_ccy == "USD"
    base = settle if inverse else value_ccy
    quote = "USD_UM" if settle == "USD" else "USD" if settle == base else settle
    if market.product != "SWAP" and expires_ns is None:
        raise ValueError(f"{market.product} without an expTime")
    strike = decimal(row["stk"]) if market.product == "OPTION" else ""
    option_type = row["optType"] if market.product == "OPTION" else ""
    return Instrument(
        symbol=canonical(base, quote, expires_ns=expires_ns, perpetual=market.product == "SWAP", strike=strike, option_type=option_type),
        base=base,
        quote=quote,
        settle=settle,
        kind={"SWAP": "perpetual", "FUTURES": "future", "OPTION": "option"}[market.product],
        contract="inverse" if inverse else "linear",
        contract_value=product(decimal(row["ctVal"]), decimal(row.get("ctMult") or "1")),
        multiplier=underlying_units(base),
        index=row.get("uly") or "",
        strike=strike,
        option_type=option_type,
        **common,
    )


def image_request(market: Market, venue_symbol: str, levels: int) -> Request:
    """`sz` is 1 where it is not said."""
    return Request("/api/v5/market/books", _budget("books", 40), 1, (("instId", venue_symbol), ("sz", str(market.image_levels(levels)))))


def full_book_request(market: Market, venue_symbol: str) -> Request:
    """5000 levels a side, refreshed each second (https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-full-order-book)."""
    return Request("/api/v5/market/books-full", _budget("books-full", 10), 1, (("instId", venue_symbol), ("sz", "5000")))


def read_full_book(answer: Any) -> BookRows:
    """Rows have three elements, and no id says where the stream goes on from here."""
    (book,) = answer["data"]
    return BookRows(book["bids"], book["asks"], None, int(book["ts"]) * 1_000_000)


def time_request(market: Market) -> Request:
    return Request("/api/v5/public/time", _budget("time", 10))


def read_time(answer: Any) -> int:
    return int(answer["data"][0]["ts"]) * 1_000_000


def trades_request(market: Market, form: TopicForm, venue_symbol: str, first_id: int | None) -> Request | None:
    """`after` is what other venues call before: older. Asked for the 100 that begin with `first_id`; without it, for the newest 500."""
    if first_id is None:
        return Request("/api/v5/market/trades", _budget("trades", 100), 1, (("instId", venue_symbol), ("limit", "500")))
    params = (("instId", venue_symbol), ("type", "1"), ("after", str(first_id + 100)), ("limit", "100"))
    return Request("/api/v5/market/history-trades", _budget("history trades", 20), 1, params)


def read_trades(answer: Any) -> list[Trade]:
    """One row a fill, newest first."""
    return [
        Trade(
            row["tradeId"], row["px"], row["sz"], row["side"], int(row["ts"]) * 1_000_000, int(row["tradeId"]), int(row["tradeId"]),
            off_book=row.get("source", "0") != "0",
        )
        for row in reversed(answer["data"])
    ]


def klines_request(market: Market, venue_symbol: str, first_ns: int, n: int) -> Request:
    """`before` and `after` are exclusive, and mean newer and older."""
    first_ms = first_ns // 1_000_000
    params = (("instId", venue_symbol), ("bar", "1m"), ("before", str(first_ms - 1)), ("after", str(first_ms + n * 60_000)), ("limit", str(n)))
    return Request("/api/v5/market/candles", _budget("candles", 40), 1, params)


def read_klines(answer: Any) -> list[Kline]:
    """Newest first: open time in ms, open, high, low, close, volume (contracts; spot: coins)."""
    return [Kline(int(row[0]) * 1_000_000, *row[1:6]) for row in reversed(answer["data"])]


class _Envelope(msgspec.Struct):
    """What stands around every answer; the data are left as they are."""

    code: str
    msg: str = ""


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> RestError | None:
    """https://www.okx.com/docs-v5/en/#error-code: a code other than "0" is a failure, HTTP 200 or not."""
    try:
        answer = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = None
    if answer is None:
        if status == 403:
            return AddressBanned(
                "403 without a code", retry_after_s=60.0, hint="the venue's edge shut this address out, or does not serve its country"
            )
        return None if status == 200 else RestError(f"{status}")
    text = f"{status} {answer.code} {answer.msg}".strip()
    if answer.code in ("50011", "50013") or status == 429:
        return RateLimited(text, retry_after_s=PAUSE_S)
    if answer.code in ("50001", "50004", "50026") or status >= 500:
        return RestError(text)
    if answer.code != "0":
        return RestRefused(text)
    return None if status == 200 else RestError(text)


def _normalizer(market: Market) -> Any:
    return OkxNormalizer()


OKX = Venue(
    exchange="okx", subscribe=subscribe, unsubscribe=unsubscribe, read_control=read_control, topic_of=topic_of,
    instruments_request=instruments_request, next_page=next_page, parse_instruments=parse_instruments, image_request=image_request,
    full_book_request=full_book_request, read_full_book=read_full_book, time_request=time_request, read_time=read_time,
    trades_request=trades_request, read_trades=read_trades, klines_request=klines_request, read_klines=read_klines, read_error=read_error, normalizer=_normalizer,
)


def _row(name: str, product: str, default_symbols: tuple[str, ...]) -> Market:
    """The product lines share one socket address and differ in nothing but instType."""
    return Market(
        name=name, venue=OKX, product=product, rest_url="https://www.okx.com", ws_url="wss://ws.okx.com",  # no port: 8443 is closed
        routes={"public": "/ws/v5/public", "business": "/ws/v5/business"},
        topics=(
            TopicForm("depth", "books:{symbol}", levels=400, speed="100ms"),
            TopicForm("depth", "books-l2-tbt:{symbol}", levels=400, speed="10ms"),  # of high fee tiers only, else refused
            TopicForm("best", "bbo-tbt:{symbol}"),
            TopicForm("trades", "trades:{symbol}"),
            TopicForm("liquidations", f"liquidation-orders:instType={'MARGIN' if product == 'SPOT' else product}"),  # all instruments of the type
        ),
        limits=Limits(
            instruments_per_socket=25, topics_per_request=40, request_chars=40_000, socket_chars=200_000, spacing_s=0.25,
            messages=Budget("messages", 400, 3600.0),
            connects=(Budget("okx connects a second", 3, 1.1),),
        ),
        ping=Ping(b"ping", every_s=15.0, only_idle=True, within_s=15.0),
        sequence=SequenceRule("prev", rest_seeded=False, repeats_are_stale=False),
        rest_path="/api/v5", rest_budget=_budget("books", 40), image_depths=((400, 1),), trades_numbered=True, default_symbols=default_symbols,
        polls=(*okx_facts.POLLS, *okx_reference.POLLS) if product in ("SWAP", "FUTURES") else okx_reference.SPOT_POLLS if product == "SPOT" else (),
        missing=SPOT_HAS_NO if product == "SPOT" else {},
        live=(*okx_facts.LIVE, *okx_reference.LIVE) if product in ("SWAP", "FUTURES") else (okx_facts.BLOCKS, *okx_reference.LIVE) if product == "SPOT" else (),
    )  # fmt: skip


MARKETS = {
    row.name: row
    for row in (
        _row("okx_spot", "SPOT", ("BTC-USDT", "ETH-USDT")),
        _row("okx_swap", "SWAP", ("BTC-USDT-PERP", "ETH-USDT-PERP")),
        _row("okx_futures", "FUTURES", ("BTC-USDT-2*", "ETH-USDT-2*")),
        _row("okx_option", "OPTION", ()),
    )
}
