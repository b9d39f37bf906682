"""Bybit V5: options, settled in USDT or in USDC (https://bybit-exchange.github.io/docs/v5/websocket/public/ticker).

One topic a contract, at most ten frames a second; an answer of REST holds the tickers of a coin. `underlyingPrice` is the forward of the expiry, premiums are not
discounted, theta is for one day and vega for one point of volatility (checked against live frames). "0" stands for no quote, and a volatility of "5" for
one that could not be told. The names of the stream and of REST differ.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from p9.errors import RestError
from p9.fact import Reading, Roster
from p9.instrument import Instrument, Parsed, canonical, decimal, milliseconds
from p9.option import OptionMarket, OptionTopic, Told
from p9.venue import Market, Poll, Request
from p9.venues.bybit import MARKETS

CAP = "5"  # of a volatility: on an empty book it stands for nothing


def instrument_requests(market: Market, coin: str) -> list[Request]:
    """Without a coin only those of bitcoin are told; pages are followed as elsewhere (next_page)."""
    return [Request(f"{market.rest_path}/instruments-info", market.rest_budget, 1, (("category", market.product), ("baseCoin", coin), ("limit", "1000")))]


def parse(market: Market, answers: Sequence[Any]) -> Parsed:
    """instruments-info (https://bybit-exchange.github.io/docs/v5/market/instrument). No field holds the strike: it is read off the symbol."""
    parsed = Parsed()
    for answer in answers:
        result = answer.get("result") if isinstance(answer, dict) else None
        rows = result.get("list") if isinstance(result, dict) else None
        if not isinstance(rows, list):
            raise RestError("instruments-info has no list", where=market.name)
        parsed.read(market.name, rows, "symbol", lambda row: _instrument(market, row))
    return parsed


def _instrument(market: Market, row: dict) -> Instrument:
    base, quote, expires_ns, name = row["baseCoin"], row["settleCoin"], milliseconds(row["deliveryTime"]), row["symbol"]
    if expires_ns is None:
        raise ValueError("an option without a deliveryTime")
    strike, option_type = decimal(name.split("-")[2]), {"Call": "C", "Put": "P"}[row["optionsType"]]
    return Instrument(
        exchange=market.exchange, market=market.name, venue_symbol=name, base=base, quote=quote, settle=quote,
        symbol=canonical(base, quote, expires_ns=expires_ns, strike=strike, option_type=option_type), kind="option",
        tick=decimal(row["priceFilter"]["tickSize"]), step=decimal(row["lotSizeFilter"]["qtyStep"]), status=row.get("status", ""),
        trading=row.get("status") == "Trading", expires_ns=expires_ns, listed_ns=milliseconds(row.get("launchTime")), strike=strike,
        option_type=option_type, family=base,
    )  # fmt: skip


def topics(options: Sequence[Instrument]) -> list[OptionTopic]:
    return [OptionTopic(f"tickers.{row.venue_symbol}", silent_s=300.0) for row in options]  # a mark follows its index; a new subscription tells it anew


class _Ticker(msgspec.Struct):
    """A ticker of the stream."""

    symbol: str
    underlyingPrice: str | None = None
    indexPrice: str | None = None
    markPrice: str | None = None
    bidPrice: str | None = None
    bidSize: str | None = None
    askPrice: str | None = None
    askSize: str | None = None
    markPriceIv: str | None = None
    bidIv: str | None = None
    askIv: str | None = None
    openInterest: str | None = None
    delta: str | None = None
    gamma: str | None = None
    vega: str | None = None
    theta: str | None = None


class _Frame(msgspec.Struct):
    ts: int
    data: _Ticker
    type: str = "snapshot"


_frame = msgspec.json.Decoder(_Frame)
_FIELDS = (
    "forward", "index_price", "mark_price", "bid_price", "bid_quantity", "ask_price", "ask_quantity", "mark_iv", "bid_iv", "ask_iv", "open_interest",
    "delta", "gamma", "vega", "theta",
)  # fmt: skip
_REST_KEYS = (
    "underlyingPrice", "indexPrice", "markPrice", "bid1Price", "bid1Size", "ask1Price", "ask1Size", "markIv", "bid1Iv", "ask1Iv", "openInterest",
    "delta", "gamma", "vega", "theta",
)  # fmt: skip
_CAPPED = ("bid1Iv", "ask1Iv")


def whole(frame: bytes) -> bool:
    """Tickers of options are snapshots; should one come that is none, those before it count."""
    return b'"type":"delta"' not in frame


def _uncapped(vol: str | None) -> str | None:
    return None if vol == CAP else vol


def read(frame: bytes) -> Told:
    one = _frame.decode(frame)
    row = one.data
    values = (
        row.underlyingPrice, row.indexPrice, row.markPrice, row.bidPrice, row.bidSize, row.askPrice, row.askSize, row.markPriceIv,
        _uncapped(row.bidIv), _uncapped(row.askIv), row.openInterest, row.delta, row.gamma, row.vega, row.theta,
    )  # fmt: skip
    if one.type == "snapshot":
        return Told("tickers", _FIELDS, [(row.symbol, one.ts, values)])
    told = [(name, value) for name, value in zip(_FIELDS, values, strict=True) if value is not None]
    return Told("tickers", tuple(name for name, _ in told), [(row.symbol, one.ts, tuple(value for _, value in told))])


def tickers_requests(market: Market, roster: Roster) -> list[Request]:
    return [
        Request(f"{market.rest_path}/tickers", market.rest_budget, 1, (("category", market.product), ("baseCoin", coin)))
        for coin in dict.fromkeys(row.family for row in roster)
    ]


def read_tickers(market: Market, reading: Reading, answer: Any) -> None:
    result = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(result, dict) or not isinstance(answer.get("time"), int):
        reading.reject("no_result", answer)
        return
    rows = []
    for row in reading.rows(result.get("list")):
        if not isinstance(row.get("symbol"), str):
            reading.reject("no_symbol", row)
            continue
        rows.append((row["symbol"], answer["time"], tuple(_uncapped(row.get(key)) if key in _CAPPED else row.get(key) for key in _REST_KEYS)))
    reading.facts.append(Told("tickers", _FIELDS, rows))


_LINEAR = MARKETS["bybit_linear"]

OPTIONS = OptionMarket(
    market=msgspec.structs.replace(
        _LINEAR, name="bybit_option", product="option", routes={"public": "/v5/public/option"}, topics=(), image_depths=((25, 1),), default_symbols=(),
        limits=msgspec.structs.replace(_LINEAR.limits, instruments_per_socket=500, topics_per_request=50),  # ten are the rule of spot alone
    ),
    route="public", instrument_requests=instrument_requests, parse=parse, topics=topics, whole=whole, read=read,
    polls=(Poll("option_tickers", tickers_requests, read_tickers, every=3),),  # for what the stream does not say: it speaks where something changed
)  # fmt: skip
