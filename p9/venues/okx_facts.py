"""OKX, beside books and trades: mark price, index, funding, open interest, each with a channel and an endpoint of its own.

https://www.okx.com/docs-v5/en/#public-data
 1. mark price and open interest are told for all contracts of a type at once, funding for all at once by instId=ANY, indices by quote currency;
 2. an index has a name of its own (`uly`), never that of a contract;
 3. the funding interval is nextFundingTime - fundingTime, and changes; `nextFundingRate` is "" these days;
 4. open interest carries the dust of binary fractions: it is rounded to the lot;
 5. dated contracts of the X-perp kind have funding: who is in the answer has it;
 6. the insurance ("security") fund is told by contract family, its newest balances first, at most once a minute.
"""

from typing import Any

from msgspec import UNSET

from p9.budget import Budget
from p9.fact import Adl, Block, Funding, MarkPrice, OpenInterest, Reading, Roster, Whole
from p9.instrument import places
from p9.number import exact, rounded
from p9.venue import Live, Market, Poll, Request

ADL_HOLDS_S = 5.0  # it is repeated each second
SPAN_S = 2.0  # every limit is counted over so long
LONGEST_INTERVAL_NS = 86400 * 10**9


def _public(market: Market, name: str, limit: int, *params: tuple[str, str]) -> Request:
    return Request(f"/api/v5/{name}", Budget(f"okx {name} {market.product}", limit, SPAN_S), 1, params)


def _rows(reading: Reading, answer: Any) -> Any:
    return reading.rows(answer.get("data") if isinstance(answer, dict) else None)


def mark_request(market: Market, roster: Roster) -> list[Request]:
    return [_public(market, "public/mark-price", 10, ("instType", market.product))]


def read_marks(market: Market, reading: Reading, answer: Any) -> None:
    for row in _rows(reading, answer):
        one = reading.instrument(row, "instId")
        if one is not None:
            reading.facts.append(MarkPrice(venue_symbol=one.venue_symbol, at_ns=reading.at(row, "ts"), mark=reading.price(row, "markPx")))


def index_requests(market: Market, roster: Roster) -> list[Request]:
    """One for each quote currency; the last word of an index's name."""
    quotes = sorted({name.rpartition("-")[2] for name in roster.by_index})
    return [_public(market, "market/index-tickers", 20, ("quoteCcy", quote)) for quote in quotes]


def read_indices(market: Market, reading: Reading, answer: Any) -> None:
    for row in _rows(reading, answer):
        name = row.get("instId")
        if not isinstance(name, str):
            reading.reject("no_symbol", row)
            continue
        some = reading.roster.by_index.get(name, ())
        if some:
            at_ns, index = reading.at(row, "ts"), reading.price(row, "idxPx")
            reading.facts += [MarkPrice(venue_symbol=one.venue_symbol, at_ns=at_ns, index=index) for one in some]


def funding_request(market: Market, roster: Roster) -> list[Request]:
    return [_public(market, "public/funding-rate", 10, ("instId", "ANY"))]


def read_funding(market: Market, reading: Reading, answer: Any) -> None:
    for row in _rows(reading, answer):
        one = reading.instrument(row, "instId")
        if one is None:
            continue
        next_ns, then_ns = reading.time(row, "fundingTime"), reading.time(row, "nextFundingTime")
        interval_s: Whole = UNSET
        if isinstance(next_ns, int) and isinstance(then_ns, int):
            interval_s = (then_ns - next_ns) // 10**9
            if not 0 < then_ns - next_ns <= LONGEST_INTERVAL_NS:
                reading.reject("no_span", f"fundingTime {next_ns}, nextFundingTime {then_ns}")
                interval_s = None
        reading.facts.append(
            Funding(
                venue_symbol=one.venue_symbol, at_ns=reading.at(row, "ts"), rate=reading.rate(row, "fundingRate"),
                predicted_rate=reading.rate(row, "nextFundingRate"), last_rate=reading.rate(row, "settFundingRate"), next_ns=next_ns,
                interval_s=interval_s, cap=reading.rate(row, "maxFundingRate"), floor=reading.rate(row, "minFundingRate"),
            )
        )  # fmt: skip


def interest_request(market: Market, roster: Roster) -> list[Request]:
    return [_public(market, "public/open-interest", 20, ("instType", market.product))]


def read_interest(market: Market, reading: Reading, answer: Any) -> None:
    for row in _rows(reading, answer):
        one = reading.instrument(row, "instId")
        if one is not None:
            contracts = reading.number(row, "oi")
            if isinstance(contracts, str):
                contracts = rounded(exact(contracts), places(one.step))
            reading.facts.append(OpenInterest(venue_symbol=one.venue_symbol, at_ns=reading.at(row, "ts"), contracts=contracts))


def insurance_requests(market: Market, roster: Roster) -> list[Request]:
    families = sorted({one.family for one in roster if one.family})
    return [_public(market, "public/insurance-fund", 10, ("instType", market.product), ("instFamily", family), ("limit", "5")) for family in families]


def read_insurance(market: Market, reading: Reading, answer: Any) -> None:
    """Rule 6. Of each currency the row with the latest time; what kind of change it was does not matter."""
    for row in _rows(reading, answer):
        family = row.get("instFamily") or row.get("uly")
        if row.get("instType", market.product) != market.product:  # an answer to somebody else's question
            reading.reject("unknown_enum", row.get("instType"))
            continue
        if not isinstance(family, str) or not family:
            reading.reject("no_symbol", row)
            continue
        newest: dict[str, dict[str, Any]] = {}
        for detail in reading.rows(row.get("details")):
            coin = str(detail.get("ccy"))
            if coin not in newest or (reading.at(detail, "ts") or 0) > (reading.at(newest[coin], "ts") or 0):
                newest[coin] = detail
        symbols = tuple(one.venue_symbol for one in reading.roster if one.family == family)
        for detail in newest.values():
            reading.pool(detail, asset="ccy", balance="balance", at="ts", name=f"{family} {market.product}", symbols=symbols)


def adl_topics(market: Market, roster: Roster) -> list[str]:
    return [f"adl-warning:instType={market.product}"]


def read_adl(market: Market, reading: Reading, frame: Any) -> None:
    """By family, each second while there is something to warn of; silence is normal, and so are empty figures (both since 2026-06-09)."""
    for row in _rows(reading, frame):
        state = row.get("state")
        if state not in ("normal", "warning", "adl"):
            reading.reject("unknown_state", state)
            continue
        at_ns, kind = reading.at(row, "ts"), row.get("adlType")
        for one in reading.roster:
            if one.family and one.family == row.get("instFamily"):
                reading.facts.append(
                    Adl(
                        venue_symbol=one.venue_symbol, at_ns=at_ns, state=state, reason=kind if isinstance(kind, str) and kind else None,
                        balance=reading.rate(row, "bal"), pool=row.get("ccy") or None, holds_s=0.0 if state == "normal" else ADL_HOLDS_S,
                    )
                )  # fmt: skip


def read_blocks(market: Market, reading: Reading, frame: Any) -> None:
    """Negotiated trades, a quarter of an hour late, with ids of their own."""
    for row in _rows(reading, frame):
        one = reading.instrument(row, "instId")
        if one is None:
            continue
        price, quantity, side, name = reading.price(row, "px"), reading.price(row, "sz"), row.get("side"), row.get("tradeId")
        if side not in ("buy", "sell") or not isinstance(name, str) or not name:
            reading.reject("no_trade", row)
        elif isinstance(price, str) and isinstance(quantity, str):
            reading.facts.append(Block(venue_symbol=one.venue_symbol, at_ns=reading.at(row, "ts"), id=name, price=price, quantity=quantity, side=side))


def _each(channel: str) -> Any:
    return lambda market, roster: [f"{channel}:{one.venue_symbol}" for one in roster]


def _each_index(market: Market, roster: Roster) -> list[str]:
    return [f"index-tickers:{name}" for name in roster.by_index]


def _each_perpetual(market: Market, roster: Roster) -> list[str]:
    return [f"funding-rate:{one.venue_symbol}" for one in roster if one.kind == "perpetual"]


POLLS = (
    Poll("mark_price", mark_request, read_marks),
    Poll("mark_price", index_requests, read_indices),
    Poll("funding", funding_request, read_funding),
    Poll("open_interest", interest_request, read_interest),
    Poll("insurance_fund_monitor", insurance_requests, read_insurance),
)
BLOCKS = Live(("block_trades",), _each("public-block-trades"), read_blocks, route="business")
LIVE = (
    Live(("mark_price",), _each("mark-price"), read_marks, silent_s=35.0),  # each 10 s where nothing changes
    Live(("mark_price",), _each_index, read_indices, silent_s=180.0),  # each minute where nothing changes
    Live(("funding",), _each_perpetual, read_funding, silent_s=300.0),  # each 30 to 90 s
    Live(("open_interest",), _each("open-interest"), read_interest),
    Live(("adl",), adl_topics, read_adl),
    BLOCKS,
)
