"""Binance: European options (https://developers.binance.com/docs/derivatives/options-trading).

One frame a second holds the marks, quotes and greeks of a whole chain, 250 kB of it. What it means (checked against live frames, to the last digit that they
have): the forward is index * exp(rf * T), a premium is discounted by the same rate, `d` is N(d1), `v` is for one point of volatility and `t` for one day;
a price of 0.000 and a volatility of -1.0 stand for no quote. A chain's open interest comes once a minute, a stream an expiry.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec

from p9.budget import Budget
from p9.errors import RestError
from p9.instrument import Instrument, Parsed, canonical, decimal, milliseconds
from p9.option import OptionMarket, OptionTopic, Rows, Told
from p9.venue import Limits, Market, Ping, Request, SequenceRule
from p9.venues.binance import BINANCE

T = TypeVar("T")

# https://developers.binance.com/docs/derivatives/options-trading/general-info: the pages say 400, 2400 and 3000; the least of them is enough.
OPTIONS_WEIGHT = Budget("binance options weight", 400, 60.0, "x-mbx-used-weight-1m")


def instrument_requests(market: Market, coin: str) -> list[Request]:
    return [Request(f"{market.rest_path}/exchangeInfo", market.rest_budget, 1)]  # all coins at once


def parse(market: Market, answers: Sequence[Any]) -> Parsed:
    """exchangeInfo (https://developers.binance.com/docs/derivatives/options-trading/market-data/Exchange-Information): the coin of an underlying stands
    in `optionContracts`, not in its name."""
    parsed = Parsed()
    for answer in answers:
        rows = answer.get("optionSymbols") if isinstance(answer, dict) else None
        contracts = answer.get("optionContracts") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not isinstance(contracts, list):
            raise RestError("exchangeInfo has no optionSymbols", where=market.name)
        of = {row.get("underlying"): row for row in contracts if isinstance(row, dict)}
        parsed.read(market.name, rows, "symbol", lambda row, of=of: _instrument(market, row, of[row["underlying"]]))
    return parsed


def _instrument(market: Market, row: dict, contract: dict) -> Instrument:
    filters = {entry.get("filterType"): entry for entry in row["filters"]}
    step = filters.get("LOT_SIZE", filters["PRICE_FILTER"])["stepSize"]  # older answers have both in one
    base, quote, expires_ns = contract["baseAsset"], row["quoteAsset"], milliseconds(row["expiryDate"])
    if expires_ns is None:
        raise ValueError("an option without an expiryDate")
    strike, option_type, unit = decimal(row["strikePrice"]), {"CALL": "C", "PUT": "P"}[row["side"]], decimal(row.get("unit", 1))
    return Instrument(
        exchange=market.exchange, market=market.name, venue_symbol=row["symbol"], base=base, quote=quote, settle=contract.get("settleAsset", quote),
        symbol=canonical(base, quote, expires_ns=expires_ns, strike=strike, option_type=option_type), kind="option",
        tick=decimal(filters["PRICE_FILTER"]["tickSize"]), step=decimal(step), contract="base" if unit == "1" else "linear", contract_value=unit,
        status=row.get("status", ""), trading=row.get("status") == "TRADING", expires_ns=expires_ns, strike=strike, option_type=option_type,
        family=row["underlying"],
    )  # fmt: skip


def topics(options: Sequence[Instrument]) -> list[OptionTopic]:
    chains = dict.fromkeys(row.family.lower() for row in options)
    expiries = dict.fromkeys((row.family.lower(), datetime.fromtimestamp(row.expires_ns / 1e9, UTC).strftime("%y%m%d")) for row in options)
    return [
        *(OptionTopic(f"{family}@optionMarkPrice", silent_s=10.0) for family in chains),
        *(OptionTopic(f"{family}@openInterest@{date}") for family, date in expiries),
    ]


class _Mark(msgspec.Struct):
    s: str
    E: int
    i: str | None = None
    rf: str | None = None
    mp: str | None = None
    bo: str | None = None
    bq: str | None = None
    ao: str | None = None
    aq: str | None = None
    vo: str | None = None
    b: str | None = None
    a: str | None = None
    d: str | None = None
    g: str | None = None
    v: str | None = None
    t: str | None = None


class _Interest(msgspec.Struct):
    s: str
    E: int
    o: str | None = None


class _Frame(msgspec.Struct, Generic[T]):
    data: list[T]


_marks, _interest = Rows(_Frame, _Mark), Rows(_Frame, _Interest)
_MARK_FIELDS = (
    "index_price", "rate", "mark_price", "bid_price", "bid_quantity", "ask_price", "ask_quantity", "mark_iv", "bid_iv", "ask_iv",
    "delta", "gamma", "vega", "theta",
)  # fmt: skip


def whole(frame: bytes) -> bool:
    return True


def read(frame: bytes) -> Told:
    """https://developers.binance.com/docs/derivatives/options-trading/websocket-market-streams/Mark-Price and .../Open-Interest"""
    if b'@openInterest@' in frame[:60]:
        _, found, refused = _interest.read(frame, lambda one: one.data)
        return Told("interest", ("open_interest",), [(row.s, row.E, (row.o,)) for row in found], refused)
    _, found, refused = _marks.read(frame, lambda one: one.data)
    rows = [
        (row.s, row.E, (row.i, row.rf, row.mp, row.bo, row.bq, row.ao, row.aq, row.vo, row.b, row.a, row.d, row.g, row.v, row.t)) for row in found
    ]
    return Told("marks", _MARK_FIELDS, rows, refused)


OPTIONS = OptionMarket(
    market=Market(
        name="binance_option", venue=BINANCE, product="option", rest_url="https://eapi.binance.com", ws_url="wss://fstream.binance.com",
        routes={"market": "/market/stream"}, topics=(),
        limits=Limits(
            instruments_per_socket=200, topics_per_request=100, request_chars=4000, socket_chars=60_000,  # 200 streams a socket
            spacing_s=0.25, messages=Budget("messages", 4, 1.05),
            connects=(Budget("binance connects", 150, 300.0), Budget("binance connects a second", 4, 1.0)),
        ),
        ping=Ping(venue_s=300.0), sequence=SequenceRule("none", rest_seeded=True, repeats_are_stale=True),
        rest_path="/eapi/v1", rest_budget=OPTIONS_WEIGHT, image_depths=((50, 1), (100, 5), (500, 10), (1000, 20)), trades_numbered=True,
        default_symbols=(),
    ),
    route="market", instrument_requests=instrument_requests, parse=parse, topics=topics, whole=whole, read=read,
)  # fmt: skip
