"""Bybit's memory (https://bybit-exchange.github.io/docs/v5/market): candles, settled funding, open interest and the ratio of accounts back to the launch;
of trades the newest thousand. All lists are newest first, and a span with a start and an end fits into one page.
"""

from collections.abc import Callable
from typing import Any

from p9.history import (
    POSITIONING,
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
    TradeRow,
    amount,
    known,
    number,
    one_of,
    positive,
    quantity_of,
    times,
)  # fmt: skip
from p9.instrument import Instrument
from p9.number import instant
from p9.venue import Market, Request

Asking = Callable[[Market, Instrument, Ask], Request]

_STEPS = {"1m": "1", "3m": "3", "5m": "5", "15m": "15", "30m": "30", "1h": "60", "2h": "120", "4h": "240", "6h": "360", "12h": "720", "1d": "D"}
_PERIODS = {"5m": "5min", "15m": "15min", "30m": "30min", "1h": "1h", "4h": "4h", "1d": "1d"}


def _asked(path: str, first: str, last: str, limit: int, step: str = "") -> Asking:
    """`first`, `last`, `step`: what this path calls the ends of a span, and the length of an interval."""

    def request(market: Market, instrument: Instrument, ask: Ask) -> Request:
        params = (("category", market.product), ("symbol", instrument.venue_symbol), *(((step, ask.step),) if step else ()))
        params += ((first, str(-(-ask.first_ns // 10**6))), (last, str(ask.last_ns // 10**6)), ("limit", str(limit)))
        return Request(f"{market.rest_path}/{path}", market.rest_budget, 1, params)

    return request


def _rows(answer: Any) -> list[Any]:
    return answer["result"]["list"][::-1]


def _read_candle(instrument: Instrument, fields: Any) -> Row:
    """[start, open, high, low, close, volume, turnover]; inverse: the volume is contracts of one dollar, and the turnover coins."""
    at, prices = instant(fields[0]), [positive(fields[i]) for i in range(1, 5)]
    volume, turnover = amount(fields[5]), amount(fields[6])
    if instrument.contract == "inverse":
        return CandleRow(at, *prices, turnover, times(volume, instrument.contract_value), volume)
    return CandleRow(at, *prices, volume, turnover)


def _read_price(instrument: Instrument, fields: Any) -> Row:
    return PriceRow(instant(fields[0]), *(positive(fields[i]) for i in range(1, 5)))


def _read_premium(instrument: Instrument, fields: Any) -> Row:
    """A fraction of either sign."""
    return PriceRow(instant(fields[0]), *(number(fields[i]) for i in range(1, 5)))


def _trades(market: Market, instrument: Instrument, ask: Ask) -> Request:
    limit = 60 if market.product == "spot" else 1000
    params = (("category", market.product), ("symbol", instrument.venue_symbol), ("limit", str(limit)))
    return Request(f"{market.rest_path}/recent-trade", market.rest_budget, 1, params)


def _read_trade(instrument: Instrument, row: Any) -> Row:
    """Ids of spot are numbers, those of contracts are names."""
    id, price, native = row["execId"], positive(row["price"]), positive(row["size"])
    if not isinstance(id, str) or not id.isascii() or not id:
        raise ValueError(f"{id!r:.60} is no id")
    place = int(id) if id.isdecimal() else None
    contracts = native if instrument.contract != "base" else None
    return TradeRow(
        instant(row["time"]), id, price, quantity_of(instrument, native, price), one_of(row["side"], {"Buy": "buy", "Sell": "sell"}), contracts, place,
        place, bool(row.get("isRPITrade")), bool(row.get("isBlockTrade")),
    )  # fmt: skip


def _read_funding(instrument: Instrument, row: Any) -> Row:
    return FundingRow(instant(row["fundingRateTimestamp"]), number(row["fundingRate"]))


def _read_interest(instrument: Instrument, row: Any) -> Row:
    """openInterest counts both sides since 2026-06, and then singleOpenInterest is told; inverse counts dollars."""
    single = known(row.get("singleOpenInterest"))
    size = amount(single if single is not None else row["openInterest"])
    if instrument.contract == "inverse":
        return InterestRow(instant(row["timestamp"]), None, times(size, instrument.contract_value), size, single is None)
    return InterestRow(instant(row["timestamp"]), size, None, None, single is None)


def _read_ratio(instrument: Instrument, row: Any) -> Row:
    return RatioRow(instant(row["timestamp"]), None, known(row.get("buyRatio")), known(row.get("sellRatio")))


_CANDLES = Series(
    kind="candles", row=CandleRow, request=_asked("kline", "start", "end", 1000, "interval"), rows=_rows, read=_read_candle, page=1000, steps=_STEPS,
    limits="without buy volume and count of trades",
)  # fmt: skip
_NEWEST = "the newest {} and no more: a longer hole stays, the venue's website has files of whole days"
_ONLY_ACCOUNTS: dict[Kind, str] = dict.fromkeys(
    ("top_accounts_ratio", "top_positions_ratio", "taker_volume"), "the venue tells the ratio of all accounts only"
)


def _trades_of(newest: int) -> Series:
    return Series(kind="trades", row=TradeRow, request=_trades, rows=_rows, read=_read_trade, page=newest, newest_only=True, limits=_NEWEST.format(newest))


def _contracts(linear: bool) -> History:
    rows: list[Series] = [
        _CANDLES,
        _trades_of(1000),
        Series(kind="funding", row=FundingRow, request=_asked("funding/history", "startTime", "endTime", 200), rows=_rows, read=_read_funding, page=200),
        Series(
            kind="open_interest", row=InterestRow, request=_asked("open-interest", "startTime", "endTime", 200, "intervalTime"), rows=_rows, read=_read_interest,
            page=200, settle_s=300.0, steps=_PERIODS, limits="in the venue's own unit only; before 2026-06 both sides may be counted",
        ),
        Series(
            kind="accounts_ratio", row=RatioRow, request=_asked("account-ratio", "startTime", "endTime", 500, "period"), rows=_rows, read=_read_ratio, page=500, settle_s=300.0,
            steps=_PERIODS,
        ),
        *(
            Series(
                kind=kind, row=PriceRow, request=_asked(path, "start", "end", 1000, "interval"), rows=_rows,
                read=_read_premium if kind == "premium" else _read_price, page=1000, steps=_STEPS,
            )
            for kind, path in (
                ("mark_price", "mark-price-kline"), ("index_price", "index-price-kline"),
                *((("premium", "premium-index-price-kline"),) if linear else ()),
            )
        ),
    ]  # fmt: skip
    missing = _ONLY_ACCOUNTS if linear else _ONLY_ACCOUNTS | {"premium": "the venue tells it of linear contracts only"}
    return History({row.kind: row for row in rows}, missing=missing)


HISTORY = {
    "bybit_spot": History(
        {"candles": _CANDLES, "trades": _trades_of(60)},
        missing=dict.fromkeys(("funding", *POSITIONING, "mark_price", "index_price", "premium"), "spot has none"),
    ),
    "bybit_linear": _contracts(linear=True),
    "bybit_inverse": _contracts(linear=False),
}
