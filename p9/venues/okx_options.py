"""OKX V5: options, by family: settled in coins (BTC-USD) or in dollars (BTC-USD_UM).

opt-summary tells volatilities and greeks of a whole family, in one push or several; prices, sizes and open interest are asked for. Two sets of greeks: those with
the suffix BS are Black and Scholes's, in dollars (a delta that is discounted at about one percent), the others are adjusted for a premium in coins. Of a
family that settles in coins the prices are coins: one is worth `fwdPx` dollars. A bidVol of "0" or "" is no bid, an askVol of "5" none either.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from p9.budget import Budget
from p9.instrument import Instrument, Parsed
from p9.option import OptionMarket, OptionPoll, OptionTopic, Rows, Told
from p9.venue import Market, Request
from p9.venues.okx import MARKETS, OKX

T = TypeVar("T")

CAP = "5"  # of a volatility: on an empty book it stands for nothing
SPAN_S = 2.0  # every limit is counted over two seconds
FAMILIES = ("{coin}-USD", "{coin}-USD_UM")


def instrument_requests(market: Market, coin: str) -> list[Request]:
    budget = Budget("okx instruments OPTION", 20, SPAN_S)
    return [
        Request("/api/v5/public/instruments", budget, 1, (("instType", market.product), ("instFamily", family.format(coin=coin)))) for family in FAMILIES
    ]


def parse(market: Market, answers: Sequence[Any]) -> Parsed:
    return OKX.parse_instruments(market, answers)


def topics(options: Sequence[Instrument]) -> list[OptionTopic]:
    return [OptionTopic(f"opt-summary:instFamily={family}", silent_s=30.0) for family in dict.fromkeys(row.family for row in options)]


class _Summary(msgspec.Struct):
    instId: str
    ts: str
    fwdPx: str | None = None
    markVol: str | None = None
    bidVol: str | None = None
    askVol: str | None = None
    deltaBS: str | None = None
    gammaBS: str | None = None
    vegaBS: str | None = None
    thetaBS: str | None = None
    delta: str | None = None
    gamma: str | None = None
    vega: str | None = None
    theta: str | None = None


class _Ticker(msgspec.Struct):
    instId: str
    ts: str
    bidPx: str | None = None
    bidSz: str | None = None
    askPx: str | None = None
    askSz: str | None = None


class _Mark(msgspec.Struct):
    instId: str
    ts: str
    markPx: str | None = None


class _Interest(msgspec.Struct):
    instId: str
    ts: str
    oi: str | None = None


class _Data(msgspec.Struct, Generic[T]):
    data: list[T]


_summaries, _tickers, _marks, _interest = (Rows(_Data, kind) for kind in (_Summary, _Ticker, _Mark, _Interest))
_SUMMARY_FIELDS = (
    "forward", "mark_iv", "bid_iv", "ask_iv", "delta", "gamma", "vega", "theta", "delta_coin", "gamma_coin", "vega_coin", "theta_coin",
)  # fmt: skip


def whole(frame: bytes) -> bool:
    return False  # a push may hold a part of its family


def _uncapped(vol: str | None) -> str | None:
    return None if vol == CAP else vol


def read(frame: bytes) -> Told:
    """https://www.okx.com/docs-v5/en/#public-data-websocket-option-summary-channel"""
    _, found, refused = _summaries.read(frame, lambda one: one.data)
    rows = [
        (
            row.instId, int(row.ts),
            (
                row.fwdPx, row.markVol, _uncapped(row.bidVol), _uncapped(row.askVol), row.deltaBS, row.gammaBS, row.vegaBS, row.thetaBS,
                row.delta, row.gamma, row.vega, row.theta,
            ),
        )
        for row in found
    ]  # fmt: skip
    return Told("summary", _SUMMARY_FIELDS, rows, refused)


def _by_family(path: str, limit: Budget) -> Callable[[Market, Sequence[Instrument]], Sequence[Request]]:
    def requests(market: Market, options: Sequence[Instrument]) -> list[Request]:
        families = dict.fromkeys(row.family for row in options)
        return [Request(path, limit, 1, (("instType", market.product), ("instFamily", family))) for family in families]

    return requests


def read_tickers(answer: bytes) -> Told:
    _, found, refused = _tickers.read(answer, lambda one: one.data)
    rows = [(row.instId, int(row.ts), (row.bidPx, row.bidSz, row.askPx, row.askSz)) for row in found]
    return Told("tickers", ("bid_price", "bid_quantity", "ask_price", "ask_quantity"), rows, refused)


def read_marks(answer: bytes) -> Told:
    _, found, refused = _marks.read(answer, lambda one: one.data)
    return Told("marks", ("mark_price",), [(row.instId, int(row.ts), (row.markPx,)) for row in found], refused)


def read_interest(answer: bytes) -> Told:
    """In contracts, without the noise of a binary float behind the digits (36.0000000000003)."""
    _, found, refused = _interest.read(answer, lambda one: one.data)
    return Told("interest", ("open_interest",), [(row.instId, int(row.ts), (_unnoised(row.oi),)) for row in found], refused)


def _unnoised(text: str | None) -> str | None:
    """To four decimals, which no lot is finer than."""
    return f"{Decimal(text):.4f}" if text and len(text.partition(".")[2]) > 4 else text


OPTIONS = OptionMarket(
    market=MARKETS["okx_option"],
    route="public", instrument_requests=instrument_requests, parse=parse, topics=topics, whole=whole, read=read,
    polls=(
        OptionPoll("tickers", 10.0, _by_family("/api/v5/market/tickers", Budget("okx tickers", 20, SPAN_S)), read_tickers),
        OptionPoll("marks", 10.0, _by_family("/api/v5/public/mark-price", Budget("okx mark price OPTION", 10, SPAN_S)), read_marks),
        OptionPoll("interest", 15.0, _by_family("/api/v5/public/open-interest", Budget("okx open interest OPTION", 20, SPAN_S)), read_interest),
    ),
)  # fmt: skip
