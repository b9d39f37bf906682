"""Binance, beside books and trades: mark and index price, funding, open interest, insurance fund.

https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Mark-Price (coin-margined: the same, always an array)
 1. one question answers for all symbols (weight 10), but open interest is told symbol by symbol (weight 1) and by no stream;
 2. of a dated contract the funding rate is "" and its time 0: it has none;
 3. fundingInfo lists only symbols whose interval, cap or floor was changed; all others pay every eight hours. It and fundingRate share 500
    questions in five minutes;
 4. the mark price stream says funding too; its frame is one object, or an array of some;
 5. an insurance pool is told by the symbols that share it, and holds several assets; coin-margined contracts tell none.
"""

from typing import Any

from p9.budget import Budget
from p9.fact import Adl, Funding, MarkPrice, OpenInterest, Reading, Roster
from p9.venue import Live, Market, Poll, Request

FUNDING_REQUESTS = Budget("binance funding requests", 500, 300.0)
USUAL_INTERVAL_S = 8 * 3600


def premium_request(market: Market, roster: Roster) -> list[Request]:
    return [Request(f"{market.rest_path}/premiumIndex", market.rest_budget, 10)]


def read_premium(market: Market, reading: Reading, answer: Any) -> None:
    for row in reading.rows(answer if isinstance(answer, list) else [answer]):
        one = reading.instrument(row, "symbol")
        if one is None:
            continue
        at_ns = reading.at(row, "time")
        reading.facts.append(
            MarkPrice(venue_symbol=one.venue_symbol, at_ns=at_ns, mark=reading.price(row, "markPrice"), index=reading.price(row, "indexPrice"))
        )
        if one.kind == "perpetual":
            reading.facts.append(
                Funding(
                    venue_symbol=one.venue_symbol, at_ns=at_ns, rate=reading.rate(row, "lastFundingRate"), next_ns=reading.time(row, "nextFundingTime")
                )
            )


def terms_request(market: Market, roster: Roster) -> list[Request]:
    return [Request(f"{market.rest_path}/fundingInfo", FUNDING_REQUESTS)]


def read_terms(market: Market, reading: Reading, answer: Any) -> None:
    """Rule 3: silence is an answer too."""
    if not isinstance(answer, list):
        reading.reject("no_list", answer)
        return
    usual = {one.venue_symbol for one in reading.roster if one.kind == "perpetual"}
    for row in reading.rows(answer):
        one = reading.instrument(row, "symbol")
        if one is not None:
            usual.discard(one.venue_symbol)
            reading.facts.append(
                Funding(
                    venue_symbol=one.venue_symbol, interval_s=reading.span(row, "fundingIntervalHours", 3600),
                    cap=reading.rate(row, "adjustedFundingRateCap"), floor=reading.rate(row, "adjustedFundingRateFloor"),
                )
            )  # fmt: skip
    reading.facts += [Funding(venue_symbol=symbol, interval_s=USUAL_INTERVAL_S, cap=None, floor=None) for symbol in sorted(usual)]


def interest_requests(market: Market, roster: Roster) -> list[Request]:
    return [Request(f"{market.rest_path}/openInterest", market.rest_budget, 1, (("symbol", one.venue_symbol),)) for one in roster]


def read_interest(market: Market, reading: Reading, answer: Any) -> None:
    for row in reading.rows([answer]):
        one = reading.instrument(row, "symbol")
        if one is not None:
            contracts = reading.number(row, "openInterest")
            reading.facts.append(OpenInterest(venue_symbol=one.venue_symbol, at_ns=reading.at(row, "time"), contracts=contracts))


def mark_topics(market: Market, roster: Roster) -> list[str]:
    return [f"{one.venue_symbol.lower()}@markPrice@1s" for one in roster]


def read_mark(market: Market, reading: Reading, frame: Any) -> None:
    data = frame.get("data", frame) if isinstance(frame, dict) else frame
    for row in reading.rows(data if isinstance(data, list) else [data]):
        one = reading.instrument(row, "s")
        if one is None:
            continue
        at_ns = reading.at(row, "E")
        reading.facts.append(MarkPrice(venue_symbol=one.venue_symbol, at_ns=at_ns, mark=reading.price(row, "p"), index=reading.price(row, "i")))
        if one.kind == "perpetual":
            reading.facts.append(Funding(venue_symbol=one.venue_symbol, at_ns=at_ns, rate=reading.rate(row, "r"), next_ns=reading.time(row, "T")))


def insurance_request(market: Market, roster: Roster) -> list[Request]:
    return [Request(f"{market.rest_path}/insuranceBalance", market.rest_budget, 1)]


def read_insurance(market: Market, reading: Reading, answer: Any) -> None:
    """Rule 5. A pool is named by its first perpetual: dated contracts come and go."""
    for row in reading.rows(answer if isinstance(answer, list) else [answer]):
        symbols = reading.texts(row, "symbols")
        names = sorted(symbol for symbol in symbols if "_" not in symbol) or sorted(symbols)
        for asset in reading.rows(row.get("assets")) if names else ():
            reading.pool(asset, asset="asset", balance="marginBalance", at="updateTime", name=names[0], symbols=symbols)


def adl_request(market: Market, roster: Roster) -> list[Request]:
    """USD-margined futures alone, all symbols at once; the venue looks every half hour."""
    return [Request(f"{market.rest_path}/symbolAdlRisk", market.rest_budget, 1)] if market.product == "usdm" else []


def read_adl(market: Market, reading: Reading, answer: Any) -> None:
    """How likely a position is to be deleveraged (https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/ADL-Risk);
    whether it is happening is told nowhere."""
    for row in reading.rows(answer if isinstance(answer, list) else [answer]):
        one = reading.instrument(row, "symbol")
        if one is None:
            continue
        if row.get("adlRisk") not in ("low", "medium", "high"):
            reading.reject("unknown_risk", row.get("adlRisk"))
            continue
        reading.facts.append(Adl(venue_symbol=one.venue_symbol, at_ns=reading.at(row, "updateTime"), risk=row["adlRisk"]))


POLLS = (
    Poll("mark_price", premium_request, read_premium),
    Poll("funding", premium_request, read_premium),
    Poll("funding", terms_request, read_terms, every=20),
    Poll("open_interest", interest_requests, read_interest),
    Poll("adl", adl_request, read_adl),
)
USDM_POLLS = (*POLLS, Poll("insurance_fund_monitor", insurance_request, read_insurance, of_exchange=True))
LIVE = (Live(("mark_price", "funding"), mark_topics, read_mark, route="market", silent_s=15.0),)
