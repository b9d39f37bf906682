"""OKX's memory (https://www.okx.com/docs-v5/en/#order-book-trading-market-data, #public-data-rest-api, #trading-statistics-rest-api).

`after` is older and `before` is newer, both exclusive; newest first, all of it. The venue's day begins at 16:00 UTC unless its word ends in utc.
"""

from collections.abc import Callable
from typing import Any

from p9.budget import Budget
from p9.history import (
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
    number,
    one_of,
    positive,
    quantity_of,
)  # fmt: skip
from p9.instrument import Instrument
from p9.number import instant
from p9.venue import Market, Request
from p9.venues.okx import PAUSE_S

Asking = Callable[[Market, Instrument, Ask], Request]

_STEPS = {
    "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1H", "2h": "2H", "4h": "4H", "6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc",
}  # fmt: skip
_PERIODS = {"5m": "5m", "15m": "15m", "30m": "30m", "1h": "1H", "2h": "2H", "4h": "4H", "6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc"}
_QUARTER_S = 90 * 86_400.0


def budget(what: str, limit: int) -> Budget:
    return Budget(f"okx {what}", limit, PAUSE_S)


def _asked(path: str, per_two_s: int, limit: int, *, step: str = "", of_index: bool = False, own: bool = False) -> Asking:
    """A page by time. `own`: the venue counts each instrument by itself."""

    def request(market: Market, instrument: Instrument, ask: Ask) -> Request:
        name = instrument.family if of_index else instrument.venue_symbol
        params = (("instId", name), *(((step, ask.step),) if step else ()))
        params += (("before", str(-(-ask.first_ns // 10**6) - 1)), ("after", str(ask.last_ns // 10**6 + 1)), ("limit", str(limit)))
        return Request(f"/api/v5/{path}", budget(f"{path} {name if own else ''}".strip(), per_two_s), 1, params)

    return request


def _statistic(path: str, per_two_s: int, *more: tuple[str, str]) -> Asking:
    """Statistics have a begin and an end, which are part of the span."""

    def request(market: Market, instrument: Instrument, ask: Ask) -> Request:
        params = (("instId", instrument.venue_symbol), ("period", ask.step), ("begin", str(-(-ask.first_ns // 10**6))), ("end", str(ask.last_ns // 10**6)))
        return Request(f"/api/v5/rubik/stat/{path}", budget(f"{path} {instrument.venue_symbol}", per_two_s), 1, (*params, *more, ("limit", "100")))

    return request


def _rows(answer: Any) -> list[Any]:
    return answer["data"][::-1]


def _read_candle(instrument: Instrument, fields: Any) -> Row | None:
    """[ts, o, h, l, c, vol, volCcy, volCcyQuote, confirm]: contracts, base, quote; spot: base, quote, quote. What is not confirmed still forms."""
    if fields[8] != "1":
        return None
    at, prices = instant(fields[0]), [positive(fields[i]) for i in range(1, 5)]
    if instrument.kind == "spot":
        return CandleRow(at, *prices, amount(fields[5]), amount(fields[7]))
    return CandleRow(at, *prices, amount(fields[6]), amount(fields[7]), amount(fields[5]))


def _read_price(instrument: Instrument, fields: Any) -> Row | None:
    return PriceRow(instant(fields[0]), *(positive(fields[i]) for i in range(1, 5))) if fields[5] == "1" else None


def _read_premium(instrument: Instrument, row: Any) -> Row:
    """A sample, no candle."""
    return PriceRow(instant(row["ts"]), None, None, None, number(row["premium"]))


# ---- trades: single fills, paged by their ids


def _trades(market: Market, instrument: Instrument, ask: Ask) -> Request:
    """The hundred that begin with the first one wanted."""
    params = (("instId", instrument.venue_symbol), ("type", "1"), ("after", str((ask.first_id or 0) + 100)), ("limit", "100"))
    return Request("/api/v5/market/history-trades", budget("history trades", 20), 1, params)


def _locate(market: Market, instrument: Instrument, at_ns: int) -> Request:
    """The last one before a moment."""
    params = (("instId", instrument.venue_symbol), ("type", "2"), ("after", str(-(-at_ns // 10**6))), ("limit", "1"))
    return Request("/api/v5/market/history-trades", budget("history trades", 20), 1, params)


def _read_trade(instrument: Instrument, row: Any) -> Row:
    """`source` other than 0: the maker was no order of the visible book."""
    id, price, native = int(row["tradeId"]), positive(row["px"]), positive(row["sz"])
    contracts = native if instrument.contract != "base" else None
    return TradeRow(
        instant(row["ts"]), str(id), price, quantity_of(instrument, native, price), one_of(row["side"], {"buy": "buy", "sell": "sell"}), contracts, id, id,
        row.get("source", "0") != "0",
    )  # fmt: skip


# ---- funding, open interest, positions


def _read_funding(instrument: Instrument, row: Any) -> Row:
    """realizedRate is what was charged."""
    return FundingRow(instant(row["fundingTime"]), number(row.get("realizedRate") or row["fundingRate"]))


def _read_interest(instrument: Instrument, fields: Any) -> Row:
    """[ts, contracts, coins, dollars]"""
    return InterestRow(instant(fields[0]), amount(fields[2]), amount(fields[3]), amount(fields[1]))


def _read_ratio(instrument: Instrument, fields: Any) -> Row:
    return RatioRow(instant(fields[0]), number(fields[1]))


def _read_taker(instrument: Instrument, fields: Any) -> Row:
    """[ts, sold, bought]"""
    return TakerRow(instant(fields[0]), amount(fields[2]), amount(fields[1]), "contracts")


_LATEST = "the venue remembers 1,440 rows of it"
_CANDLES = Series(
    kind="candles", row=CandleRow, request=_asked("market/history-candles", 20, 300, step="bar"), rows=_rows, read=_read_candle, page=300, steps=_STEPS,
    limits="without buy volume and count of trades",
)  # fmt: skip
_TRADES = Series(
    kind="trades", row=TradeRow, request=_trades, rows=_rows, read=_read_trade, page=100, locate=_locate, locates_older=True, reach_s=_QUARTER_S,
    limits="the last three months, a hundred a question: about 250 trades a second within our share",
)  # fmt: skip


def _ratio_of(kind: Kind, path: str) -> Series:
    return Series(
        kind=kind, row=RatioRow, request=_statistic(f"contracts/{path}", 5), rows=_rows, read=_read_ratio, page=100, settle_s=300.0, steps=_PERIODS, reach_rows=1440, limits=_LATEST
    )


def _contracts(perpetual: bool) -> History:
    rows: list[Series] = [
        _CANDLES,
        _TRADES,
        Series(
            kind="open_interest", row=InterestRow, request=_statistic("contracts/open-interest-history", 10), rows=_rows, read=_read_interest, page=100, settle_s=300.0,
            steps=_PERIODS, reach_rows=1440, limits=_LATEST,
        ),
        _ratio_of("accounts_ratio", "long-short-account-ratio-contract"),
        _ratio_of("top_accounts_ratio", "long-short-account-ratio-contract-top-trader"),
        _ratio_of("top_positions_ratio", "long-short-position-ratio-contract-top-trader"),
        Series(
            kind="taker_volume", row=TakerRow, request=_statistic("taker-volume-contract", 5, ("unit", "1")), rows=_rows, read=_read_taker, page=100, settle_s=300.0, steps=_PERIODS,
            reach_rows=1440, limits=_LATEST,
        ),
        Series(
            kind="mark_price", row=PriceRow, request=_asked("market/history-mark-price-candles", 20, 100, step="bar"), rows=_rows, read=_read_price, page=100,
            steps=_STEPS,
        ),
        Series(
            kind="index_price", row=PriceRow, request=_asked("market/history-index-candles", 10, 100, step="bar", of_index=True), rows=_rows, read=_read_price,
            page=100, steps=_STEPS,
        ),
    ]  # fmt: skip
    missing: dict[Kind, str] = {}
    if perpetual:
        rows += [
            Series(
                kind="funding", row=FundingRow, request=_asked("public/funding-rate-history", 10, 400, own=True), rows=_rows, read=_read_funding, page=400,
                reach_s=_QUARTER_S, limits="the last three months",
            ),
            Series(
                kind="premium", row=PriceRow, request=_asked("public/premium-history", 20, 100), rows=_rows, read=_read_premium, page=100, steps={"1m": ""},
                reach_s=180 * 86_400.0, limits="one sample a minute, of the last six months",
            ),
        ]  # fmt: skip
    else:
        missing = dict.fromkeys(("funding", "premium"), "dated contracts have none")
    return History({row.kind: row for row in rows}, missing=missing)


HISTORY = {
    "okx_spot": History(
        {"candles": _CANDLES, "trades": _TRADES},
        missing=dict.fromkeys(
            (
                "funding", "open_interest", "accounts_ratio", "top_accounts_ratio", "top_positions_ratio", "taker_volume", "mark_price", "index_price",
                "premium",
            ),
            "spot has none",
        ),
    ),
    "okx_swap": _contracts(perpetual=True),
    "okx_futures": _contracts(perpetual=False),
}  # fmt: skip
