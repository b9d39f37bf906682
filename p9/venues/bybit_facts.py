"""Bybit, beside books and trades: mark and index price, funding, open interest, all in the ticker; insurance pools.

https://bybit-exchange.github.io/docs/v5/websocket/public/ticker and .../v5/market/tickers
 1. one question answers for all symbols of a category; the answer's own `time` is that of its figures;
 2. the stream sends an image, then the fields that changed; "" means that there is none of it (funding of a dated contract);
 3. `openInterest` counts both sides since 2026-06-11, `singleOpenInterest` one; inverse contracts count dollars;
 4. a lost difference cannot be noticed from the stream: the poll tells, and then a new subscription brings a new image;
 5. insurance pools (https://bybit-exchange.github.io/docs/v5/market/insurance): one question for all; isolated pools each minute and in the
    stream when they change, shared ones once a day. `updatedTime` stands beside the list, `updateTime` in a row of the stream.
"""

from typing import Any

from msgspec import UNSET

from p9.fact import Adl, Funding, MarkPrice, OpenInterest, Reading, Roster, Text
from p9.instrument import Instrument
from p9.number import EXACT, exact, plain
from p9.venue import Live, Market, Poll, Request

BOTH_SIDES_SINCE_NS = 1_781_136_000 * 10**9  # 2026-06-11


def tickers_request(market: Market, roster: Roster) -> list[Request]:
    return [Request(f"{market.rest_path}/tickers", market.rest_budget, 1, (("category", market.product),))]


def read_tickers(market: Market, reading: Reading, answer: Any) -> None:
    result = answer.get("result") if isinstance(answer, dict) else None
    at_ns = reading.at(answer, "time") if isinstance(answer, dict) else None
    for row in reading.rows(result.get("list") if isinstance(result, dict) else None):
        one = reading.instrument(row, "symbol")
        if one is not None:
            _read(reading, one, row, at_ns, whole=True)


def ticker_topics(market: Market, roster: Roster) -> list[str]:
    return [f"tickers.{one.venue_symbol}" for one in roster]


def read_ticker(market: Market, reading: Reading, frame: Any) -> None:
    data = frame.get("data") if isinstance(frame, dict) else None
    for row in reading.rows(data if isinstance(data, list) else [data]):
        one = reading.instrument(row, "symbol")
        if one is not None:
            _read(reading, one, row, reading.at(frame, "ts"), whole=frame.get("type") == "snapshot")


def _read(reading: Reading, one: Instrument, row: dict[str, Any], at_ns: int | None, whole: bool) -> None:
    symbol = one.venue_symbol
    reading.facts.append(MarkPrice(venue_symbol=symbol, at_ns=at_ns, mark=reading.price(row, "markPrice"), index=reading.price(row, "indexPrice")))
    if one.kind == "perpetual":
        cap = reading.rate(row, "fundingCap")
        reading.facts.append(
            Funding(
                venue_symbol=symbol, at_ns=at_ns, rate=reading.rate(row, "fundingRate"), next_ns=reading.time(row, "nextFundingTime"),
                interval_s=reading.span(row, "fundingIntervalHour", 3600), cap=cap,
                floor=plain(-exact(cap)) if isinstance(cap, str) else cap,
            )
        )  # fmt: skip
    reading.facts.append(OpenInterest(venue_symbol=symbol, at_ns=at_ns, contracts=_interest(reading, row, at_ns, whole)))


def _interest(reading: Reading, row: dict[str, Any], at_ns: int | None, whole: bool) -> Text:
    """Rule 3. Without the one side's figure, half of both sides', where the whole row is there and its time says what it counts."""
    single = reading.number(row, "singleOpenInterest")
    if isinstance(single, str) or not whole:
        return single
    both = reading.number(row, "openInterest")
    if not isinstance(both, str) or at_ns is None:
        return None if single is None else UNSET
    return plain(EXACT.divide(exact(both), 2)) if at_ns >= BOTH_SIDES_SINCE_NS else both


def insurance_request(market: Market, roster: Roster) -> list[Request]:
    return [Request(f"{market.rest_path}/insurance", market.rest_budget)]


def read_insurance(market: Market, reading: Reading, answer: Any) -> None:
    result = answer.get("result") if isinstance(answer, dict) else None
    result = result if isinstance(result, dict) else {}
    at = next((key for key in ("updatedTime", "updateTime") if key in result), "")
    for row in reading.rows(result.get("list")):
        _pool(reading, {**row, "updateTime": result.get(at, row.get("updateTime"))})


def insurance_topics(market: Market, roster: Roster) -> list[str]:
    return ["insurance.inverse"] if market.product == "inverse" else ["insurance.USDT", "insurance.USDC"]


def read_pushed_insurance(market: Market, reading: Reading, frame: Any) -> None:
    for row in reading.rows(frame.get("data") if isinstance(frame, dict) else None):
        _pool(reading, row)


def _pool(reading: Reading, row: dict[str, Any]) -> None:
    text = row.get("symbols")
    symbols = tuple(filter(None, text.split(","))) if isinstance(text, str) else ()
    if not symbols:
        reading.reject("no_symbol", row)
        return
    reading.pool(row, asset="coin", balance="balance", at="updateTime", name=min(symbols), symbols=symbols)


def adl_topics(market: Market, roster: Roster) -> list[str]:
    """By pool: of coin-settled contracts there is one topic for all."""
    return [f"adlAlert.{coin}" for coin in sorted({"inverse" if one.contract == "inverse" else one.settle for one in roster})]


def adl_request(market: Market, roster: Roster) -> list[Request]:
    return [Request(f"{market.rest_path}/adlAlert", market.rest_budget, 1)]


_STREAMED = {"pool": "c", "symbol": "s", "balance": "b", "pnl": "pr", "trigger": "i_pr", "stop": "adl_sr", "threshold": "adl_tt"}
_POLLED = {
    "pool": "coin", "symbol": "symbol", "balance": "balance", "pnl": "pnlRatio", "trigger": "insurancePnlRatio", "stop": "adlStopRatio",
    "threshold": "adlTriggerThreshold",
}  # fmt: skip


def read_adl_frame(market: Market, reading: Reading, frame: Any) -> None:
    _read_adl(reading, frame.get("data") if isinstance(frame, dict) else None, _STREAMED, reading.at(frame, "ts") if isinstance(frame, dict) else None)


def read_adl(market: Market, reading: Reading, answer: Any) -> None:
    """Its time has another name on another day."""
    result = answer.get("result") if isinstance(answer, dict) else None
    result = result if isinstance(result, dict) else {}
    _read_adl(reading, result.get("list"), _POLLED, reading.at(result, "updatedTime" if "updatedTime" in result else "updateTime"))


def _read_adl(reading: Reading, rows: Any, keys: dict[str, str], at_ns: int | None) -> None:
    """https://bybit-exchange.github.io/docs/v5/websocket/public/adl-alert: a contract is deleveraged when its pool holds more than the threshold and has
    lost, of its most of eight hours, the trigger ratio or more; until the loss is less than the stop ratio. A pool that is empty is deleveraged too."""
    for row in reading.rows(rows):
        one = reading.instrument(row, keys["symbol"])
        if one is None:
            continue
        balance, threshold = reading.rate(row, keys["balance"]), reading.rate(row, keys["threshold"])
        pnl, trigger, stop = (reading.rate(row, keys[name]) for name in ("pnl", "trigger", "stop"))
        state: Text = UNSET
        reason: Text = UNSET
        if isinstance(balance, str) and exact(balance) <= 0:
            state, reason = "adl", "pool_empty"
        elif all(isinstance(value, str) for value in (balance, threshold, pnl, trigger, stop)):
            if exact(balance) > exact(threshold) and exact(pnl) <= exact(trigger):
                state, reason = "adl", "pnl_drawdown"
            elif exact(pnl) > exact(stop):
                state, reason = "normal", None
        pool = row.get(keys["pool"])
        reading.facts.append(
            Adl(
                venue_symbol=one.venue_symbol, at_ns=at_ns, state=state, reason=reason, balance=balance, pnl_ratio=pnl, trigger_ratio=trigger, stop_ratio=stop,
                balance_threshold=threshold, pool=pool if isinstance(pool, str) else None,
            )
        )  # fmt: skip


POLLS = (
    *(Poll(kind, tickers_request, read_tickers) for kind in ("mark_price", "funding", "open_interest")),
    Poll("insurance_fund_monitor", insurance_request, read_insurance, of_exchange=True),
    Poll("adl", adl_request, read_adl),
)
LIVE = (
    Live(("mark_price", "funding", "open_interest"), ticker_topics, read_ticker, silent_s=120.0),
    Live(("insurance_fund_monitor",), insurance_topics, read_pushed_insurance),
    Live(("adl",), adl_topics, read_adl_frame, silent_s=30.0),  # each second
)
