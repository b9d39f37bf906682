"""Binance's memory: REST of spot and both futures lines, and the daily and monthly files of its archive.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints, .../derivatives/usds-margined-futures/market-data/rest-api;
https://github.com/binance/binance-public-data: its spot files count in microseconds since 2025-01-01, the others in milliseconds.
"""

import math
from collections.abc import Callable
from typing import Any

from p9.budget import Budget
from p9.errors import RestRefused
from p9.history import (
    MINUTE_NS,
    SECONDS,
    Archive,
    Ask,
    CandleRow,
    FundingRow,
    History,
    InterestRow,
    Kind,
    PriceRow,
    RatioRow,
    Row,
    Series,
    TakerRow,
    TradeRow,
    amount,
    known,
    moment,
    number,
    one_of,
    positive,
    quantity_of,
    times,
)  # fmt: skip
from p9.instrument import Instrument
from p9.number import instant
from p9.venue import Market, Request

ARCHIVE_URL = "https://data.binance.vision"
FUNDING = Budget("binance funding", 500, 300.0)  # fundingRate and fundingInfo share it
DATA = Budget("binance futures data", 1000, 300.0)  # /futures/data: by requests, not by weight
MONTH_S = 30 * 86_400.0 - 3_600.0
LATE_S = 300.0  # positions are counted at leisure

Asking = Callable[[Market, Instrument, Ask], Request]

_STEPS = {name: name for name in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")}
_PERIODS = {name: name for name in ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")}


def _span(ask: Ask) -> tuple[tuple[str, str], ...]:
    return ("startTime", str(-(-ask.first_ns // 10**6))), ("endTime", str(ask.last_ns // 10**6))


def _kline_weight(market: Market, limit: int) -> int:
    if market.product == "spot":
        return 2
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


def _klines(path: str, of_pair: bool = False) -> Asking:
    def request(market: Market, instrument: Instrument, ask: Ask) -> Request:
        limit = _rows(ask, 1000 if market.product == "spot" else 1500)
        whose = ("pair", instrument.family) if of_pair else ("symbol", instrument.venue_symbol)
        params = (whose, ("interval", ask.step), *_span(ask), ("limit", str(limit)))
        return Request(f"{market.rest_path}/{path}", market.rest_budget, _kline_weight(market, limit), params)

    return request


def _rows(ask: Ask, most: int) -> int:
    """How many rows to ask for: no more than there can be, as larger answers weigh more."""
    return min(most, (ask.last_ns - ask.first_ns) // (SECONDS[ask.step] * 10**9) + 1)


def candle(instrument: Instrument, fields: list[Any]) -> CandleRow:
    """Coin-margined: the volumes are contracts, and the quote amounts are coins."""
    prices = [positive(fields[i]) for i in range(1, 5)]
    first, second, bought, spent = (amount(fields[i]) for i in (5, 7, 9, 10))
    at = instant(fields[0])
    if instrument.contract == "inverse":
        value = instrument.contract_value
        return CandleRow(at, *prices, second, times(first, value), first, int(fields[8]), spent, times(bought, value), bought)
    return CandleRow(at, *prices, first, second, None, int(fields[8]), bought, spent)


def price(instrument: Instrument, fields: list[Any]) -> PriceRow:
    return PriceRow(instant(fields[0]), *(positive(fields[i]) for i in range(1, 5)))


def premium(instrument: Instrument, fields: list[Any]) -> PriceRow:
    """A fraction of either sign."""
    return PriceRow(instant(fields[0]), *(number(fields[i]) for i in range(1, 5)))


# ---- trades: aggregates, paged by their own numbers. fromId must not be combined with times: the venue then times out.


def _trades(market: Market, instrument: Instrument, ask: Ask) -> Request:
    params = (("symbol", instrument.venue_symbol), ("fromId", str(ask.first_id)), ("limit", "1000"))
    return Request(f"{market.rest_path}/aggTrades", market.rest_budget, 4 if market.product == "spot" else 20, params)


def _locate(market: Market, instrument: Instrument, at_ns: int) -> Request:
    params = (("symbol", instrument.venue_symbol), ("startTime", str(-(-at_ns // 10**6))), ("limit", "1"))
    return Request(f"{market.rest_path}/aggTrades", market.rest_budget, 4 if market.product == "spot" else 20, params)


def trade(instrument: Instrument, id: str, price: str, native: str, side: Any, at_ns: int, first_id: int | None, last_id: int | None) -> TradeRow:
    quantity = quantity_of(instrument, native, price)
    return TradeRow(at_ns, id, price, quantity, side, native if instrument.contract != "base" else None, first_id, last_id)


def _read_trade(instrument: Instrument, row: Any) -> Row:
    side = one_of(row["m"], {True: "sell", False: "buy"})  # `m`: the buyer was resting
    return trade(instrument, str(int(row["a"])), positive(row["p"]), positive(row["q"]), side, instant(row["T"]), int(row["f"]), int(row["l"]))


# ---- funding, open interest, positions


def _funding(market: Market, instrument: Instrument, ask: Ask) -> Request:
    return Request(f"{market.rest_path}/fundingRate", FUNDING, 1, (("symbol", instrument.venue_symbol), *_span(ask), ("limit", "1000")))


def settled(ns: int) -> int:
    """To the minute: fundingTime jitters by some ms."""
    return (ns + MINUTE_NS // 2) // MINUTE_NS * MINUTE_NS


def _read_funding(instrument: Instrument, row: Any) -> Row:
    return FundingRow(settled(instant(row["fundingTime"])), number(row["fundingRate"]), known(row.get("markPrice")))


def _data(path: str, of_contract: bool = False) -> Asking:
    """The coin-margined line tells it of a pair, and where it must be told of which contract."""

    def request(market: Market, instrument: Instrument, ask: Ask) -> Request:
        whose: tuple[tuple[str, str], ...] = (("symbol", instrument.venue_symbol),)
        if market.product == "coinm":
            if instrument.kind != "perpetual":
                raise RestRefused("the venue is asked for positions of its perpetuals only", where=instrument.symbol)
            whose = (("pair", instrument.family), *((("contractType", "PERPETUAL"),) if of_contract else ()))
        return Request(f"/futures/data/{path}", DATA, 1, (*whose, ("period", ask.step), *_span(ask), ("limit", "500")))

    return request


def _read_interest(instrument: Instrument, row: Any) -> Row:
    """Coin-margined: contracts, and their value in coins."""
    size, value = amount(row["sumOpenInterest"]), amount(row["sumOpenInterestValue"])
    if instrument.contract == "inverse":
        return InterestRow(instant(row["timestamp"]), value, times(size, instrument.contract_value), size)
    return InterestRow(instant(row["timestamp"]), size, value)


def _read_ratio(instrument: Instrument, row: Any) -> Row:
    """Of positions the coin-margined line says longPosition, elsewhere it is longAccount."""
    long, short = row.get("longAccount", row.get("longPosition")), row.get("shortAccount", row.get("shortPosition"))
    return RatioRow(instant(row["timestamp"]), known(row.get("longShortRatio")), known(long), known(short))


def _read_taker(instrument: Instrument, row: Any) -> Row:
    """The coin-margined line counts contracts, under other names."""
    if instrument.contract == "inverse":
        return TakerRow(instant(row["timestamp"]), amount(row["takerBuyVol"]), amount(row["takerSellVol"]), "contracts")
    return TakerRow(instant(row["timestamp"]), amount(row["buyVol"]), amount(row["sellVol"]), "base")


# ---- archive: the fields of a line; futures files begin with a heading, spot files do not


def _line(make: Callable[[Instrument, list[str]], Row]) -> Callable[[Instrument, list[str]], Row | None]:
    return lambda instrument, fields: make(instrument, fields) if fields and fields[0][:1].isdigit() else None


def _archived_trade(instrument: Instrument, fields: list[str]) -> Row:
    """agg_trade_id, price, quantity, first_trade_id, last_trade_id, transact_time, is_buyer_maker[, is_best_match]"""
    side = one_of(fields[6].lower(), {"true": "sell", "false": "buy"})
    return trade(instrument, str(int(fields[0])), positive(fields[1]), positive(fields[2]), side, instant(fields[5]), int(fields[3]), int(fields[4]))


def _archived_funding(instrument: Instrument, fields: list[str]) -> Row:
    """calc_time, funding_interval_hours, last_funding_rate"""
    return FundingRow(settled(instant(fields[0])), number(fields[2]))


def _archived_interest(instrument: Instrument, fields: list[str]) -> Row:
    """create_time ("2026-11-01 00:05:00"), symbol, sum_open_interest, sum_open_interest_value, four ratios"""
    return _read_interest(instrument, {"timestamp": moment(fields[0]), "sumOpenInterest": fields[2], "sumOpenInterestValue": fields[3]})


def _archives(line: str, spot: bool) -> dict[Kind, Archive]:
    def klines(kind: Kind, folder: str, read: Any) -> Archive:
        return Archive(kind=kind, path=f"/data/{line}/daily/{folder}/{{symbol}}/{{step}}/{{symbol}}-{{step}}-{{date}}.zip", read=_line(read))

    found: list[Archive] = [
        klines("candles", "klines", candle),
        Archive(
            kind="trades", path=f"/data/{line}/daily/aggTrades/{{symbol}}/{{symbol}}-aggTrades-{{date}}.zip", read=_line(_archived_trade)
        ),
    ]  # fmt: skip
    if not spot:
        found += [
            klines(kind, folder, premium if kind == "premium" else price)
            for kind, folder in (("mark_price", "markPriceKlines"), ("index_price", "indexPriceKlines"), ("premium", "premiumIndexKlines"))
        ]
        found += [
            Archive(
                kind="funding", path=f"/data/{line}/monthly/fundingRate/{{symbol}}/{{symbol}}-fundingRate-{{month}}.zip", read=_line(_archived_funding),
                monthly=True,
            ),
            Archive(
                kind="open_interest", path=f"/data/{line}/daily/metrics/{{symbol}}/{{symbol}}-metrics-{{date}}.zip", read=_line(_archived_interest)
            ),
        ]  # fmt: skip
    return {archive.kind: archive for archive in found}


_LAST_MONTH = "the venue remembers about 30 days of it"
_NO_CONTRACTS = "spot has none"
_SPOT_MISSING: dict[Kind, str] = dict.fromkeys(
    ("funding", "open_interest", "accounts_ratio", "top_accounts_ratio", "top_positions_ratio", "taker_volume", "mark_price", "index_price", "premium"),
    _NO_CONTRACTS,
)


def _futures(line: str) -> History:
    span_s = 200 * 86_400.0 if line == "cm" else math.inf  # the coin-margined line takes no longer question
    rows: list[Series] = [
        Series(kind="candles", row=CandleRow, request=_klines("klines"), rows=list, read=candle, page=1500, span_s=span_s, steps=_STEPS),
        Series(
            kind="trades", row=TradeRow, request=_trades, rows=list, read=_read_trade, page=1000, locate=_locate,
            limits="aggregates of 100 ms; trades with the insurance fund and by ADL are not among them; by time the venue finds the last day or two",
        ),
        Series(kind="funding", row=FundingRow, request=_funding, rows=list, read=_read_funding, page=1000),
        Series(
            kind="open_interest", row=InterestRow, request=_data("openInterestHist", of_contract=True), rows=list, read=_read_interest, page=500, settle_s=LATE_S, steps=_PERIODS, reach_s=MONTH_S,
            limits=_LAST_MONTH,
        ),
        *(
            Series(kind=kind, row=RatioRow, request=_data(path), rows=list, read=_read_ratio, page=500, settle_s=LATE_S, steps=_PERIODS, reach_s=MONTH_S, limits=_LAST_MONTH)
            for kind, path in (
                ("accounts_ratio", "globalLongShortAccountRatio"), ("top_accounts_ratio", "topLongShortAccountRatio"),
                ("top_positions_ratio", "topLongShortPositionRatio"),
            )
        ),
        Series(
            kind="taker_volume", row=TakerRow, request=_data("takerlongshortRatio" if line == "um" else "takerBuySellVol", of_contract=True), rows=list, read=_read_taker, page=500, settle_s=LATE_S,
            steps=_PERIODS, reach_s=MONTH_S, limits=_LAST_MONTH,
        ),
        Series(kind="mark_price", row=PriceRow, request=_klines("markPriceKlines"), rows=list, read=price, page=1500, span_s=span_s, steps=_STEPS),
        Series(kind="index_price", row=PriceRow, request=_klines("indexPriceKlines", of_pair=True), rows=list, read=price, page=1500, span_s=span_s, steps=_STEPS),
        Series(kind="premium", row=PriceRow, request=_klines("premiumIndexKlines"), rows=list, read=premium, page=1500, span_s=span_s, steps=_STEPS),
    ]  # fmt: skip
    return History({row.kind: row for row in rows}, _archives(f"futures/{line}", spot=False), ARCHIVE_URL)


HISTORY = {
    "binance_spot": History(
        {
            "candles": Series(
                kind="candles", row=CandleRow, request=_klines("klines"), rows=list, read=candle, page=1000, steps={"1s": "1s", **_STEPS}, sparse=True,
                limits="while a symbol is halted the venue makes no candles",
            ),
            "trades": Series(
                kind="trades", row=TradeRow, request=_trades, rows=list, read=_read_trade, page=1000, locate=_locate,
                limits="aggregates of one taker order and price",
            ),
        },
        _archives("spot", spot=True), ARCHIVE_URL, _SPOT_MISSING,
    ),
    "binance_usdm": _futures("um"),
    "binance_coinm": _futures("cm"),
}  # fmt: skip
