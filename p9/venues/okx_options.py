"""OKX V5: options, by family: settled in coins (BTC-USD) or in dollars (BTC-USD_UM).

opt-summary tells volatilities and greeks of a whole family, in one push or several; prices, sizes and open interest are asked for. Two sets of greeks: those with
the suffix BS are Black and Scholes's, in dollars (a delta that is discounted at about one percent), the others are adjusted for a premium in coins. Of a
family that settles in coins the prices are coins: one is worth `fwdPx` dollars. A bidVol of "0" or "" is no bid, an askVol of "5" none either.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from p9.budget import Budget
from p9.fact import Reading, Roster
from p9.instrument import Instrument, Parsed
from p9.option import OptionMarket, OptionTopic, Rows, Told
from p9.venue import Market, Poll, Request
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


class _Data(msgspec.Struct, Generic[T]):
    data: list[T]


_summaries = Rows(_Data, _Summary)
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


def _by_family(path: str, budget: Budget) -> Callable[[Market, Roster], Sequence[Request]]:
    def requests(market: Market, roster: Roster) -> list[Request]:
        return [Request(path, budget, 1, (("instType", market.product), ("instFamily", family))) for family in dict.fromkeys(row.family for row in roster)]

    return requests


def _told(source: str, keys: dict[str, str], text: Callable[[Any], Any] = lambda text: text) -> Callable[[Market, Reading, Any], None]:
    """A reader of {our field: the venue's key}; `text` cleans what stands there."""

    def read(market: Market, reading: Reading, answer: Any) -> None:
        rows = []
        for row in reading.rows(answer.get("data") if isinstance(answer, dict) else None):
            at_ns = reading.at(row, "ts")
            if at_ns is None or not isinstance(row.get("instId"), str):
                reading.reject("no_symbol_or_time", row)
                continue
            rows.append((row["instId"], at_ns // 1_000_000, tuple(text(row.get(key)) for key in keys.values())))
        reading.facts.append(Told(source, tuple(keys), rows))

    return read


def _unnoised(text: Any) -> Any:
    """Contracts are whole, but for the noise of a binary float: 36.00000000000003."""
    whole, _, fraction = text.partition(".") if isinstance(text, str) else ("", "", "")
    return whole if len(fraction) > 8 and not fraction[:8].strip("0") else text


OPTIONS = OptionMarket(
    market=MARKETS["okx_option"],
    route="public", instrument_requests=instrument_requests, parse=parse, topics=topics, whole=whole, read=read,
    polls=(
        Poll(
            "option_tickers", _by_family("/api/v5/market/tickers", Budget("okx tickers", 20, SPAN_S)),
            _told("tickers", {"bid_price": "bidPx", "bid_quantity": "bidSz", "ask_price": "askPx", "ask_quantity": "askSz"}),
        ),
        Poll("option_marks", _by_family("/api/v5/public/mark-price", Budget("okx mark price OPTION", 10, SPAN_S)), _told("marks", {"mark_price": "markPx"})),
        Poll(
            "option_interest", _by_family("/api/v5/public/open-interest", Budget("okx open interest OPTION", 20, SPAN_S)),
            _told("interest", {"open_interest": "oi"}, _unnoised), every=2,
        ),
    ),
)  # fmt: skip
