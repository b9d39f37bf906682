"""The first venue's files of whole days: a zip of one CSV, and its SHA-256 beside it, for every day of the past that is over.

/archive/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2026-11-01.zip, and the same with .CHECKSUM. Spot files have no heading and count in microseconds,
those of futures have one and count in milliseconds.
"""

import hashlib
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta

from aiohttp import web

from p9.simulate import binance_streams as streams
from p9.simulate import history
from p9.simulate.bar import DAY_MS, Period
from p9.simulate.instrument import Instrument
from p9.simulate.scale import plain

NAME = re.compile(
    r"/data/(?P<line>spot|futures/um|futures/cm)/(?P<span>daily|monthly)/(?P<kind>\w+)/(?P<symbol>\w+)/(?:(?P<step>\w+)/)?"
    r"(?P=symbol)-(?:\w+)-(?P<date>\d{4}-\d{2}(?:-\d{2})?)\.zip(?P<sum>\.CHECKSUM)?"
)
MARKETS = {"spot": "binance_spot", "futures/um": "binance_usdm", "futures/cm": "binance_coinm"}
KLINES = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
TRADES = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
METRICS = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,"
    "count_long_short_ratio,sum_taker_long_short_vol_ratio"
)
FUNDING = "calc_time,funding_interval_hours,last_funding_rate"
PRICES = {"markPriceKlines": history.mark_prices, "indexPriceKlines": history.index_prices, "premiumIndexKlines": history.premiums}
KEPT = 8


class Shelf:
    """`instruments`: {(market, symbol): Instrument}. `wrong`: endings of paths whose files do not match their checksums; `lost`: of those that are
    missing; `revised`: of those that were published again with another text."""

    def __init__(self, instruments: dict[tuple[str, str], Instrument]):
        self._instruments = instruments
        self.wrong: set[str] = set()
        self.lost: set[str] = set()
        self.revised: set[str] = set()
        self.asked: list[str] = []
        self._made: dict[str, bytes] = {}

    def answer(self, path: str) -> web.Response:
        self.asked.append(path)
        found = NAME.fullmatch(path)
        name = path.removesuffix(".CHECKSUM")
        if found is None or any(name.endswith(end) for end in self.lost):
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>", content_type="application/xml")
        key = f"{name} {any(name.endswith(end) for end in self.revised)}"
        if key not in self._made:
            rows = self._rows(found)
            if rows is None:
                return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>", content_type="application/xml")
            if len(self._made) >= KEPT:
                del self._made[next(iter(self._made))]
            self._made[key] = _zipped(name.rpartition("/")[2].removesuffix(".zip") + ".csv", rows, b"revised" if key.endswith("True") else b"")
        body = self._made[key]
        if not found["sum"]:
            return web.Response(body=body, content_type="application/zip")
        digest = hashlib.sha256(body + (b"!" if any(name.endswith(end) for end in self.wrong) else b"")).hexdigest()
        return web.Response(text=f"{digest}  {name.rpartition('/')[2]}\n")

    def _rows(self, found: re.Match[str]) -> list[str] | None:
        """The lines of a file; None if there is no such file, or not yet."""
        of_pair = found["kind"] == "indexPriceKlines"
        market = MARKETS[found["line"]]
        some = [
            one for (name, symbol), one in self._instruments.items() if name == market and found["symbol"] == (one.listing.pair if of_pair else symbol)
        ]
        if not some or (found["span"] == "monthly") != (found["kind"] == "fundingRate"):
            return None
        one = some[0]
        start = datetime.strptime(found["date"], "%Y-%m-%d" if found["span"] == "daily" else "%Y-%m").replace(tzinfo=UTC)
        end = start + timedelta(days=1) if found["span"] == "daily" else (start + timedelta(days=32)).replace(day=1)
        start_ms, end_ms = int(start.timestamp() * 1000), int(end.timestamp() * 1000)
        if start_ms < one.past.first_ms or end_ms > one.past.start_ms - DAY_MS:
            return None
        unit = 1000 if one.is_spot else 1
        heading = not one.is_spot
        kind, step = found["kind"], found["step"] or ""
        if kind == "klines" and step in streams.PERIODS:
            return [*([KLINES] if heading else []), *_klines(one, streams.PERIODS[step], start_ms, end_ms, unit)]
        if kind in PRICES and not one.is_spot and step in streams.PERIODS:
            period = streams.PERIODS[step]
            return [KLINES, *(_price(bar, period) for bar in PRICES[kind](one, period, start_ms, end_ms - 1))]
        if kind == "aggTrades":
            return [*([TRADES] if heading else []), *_trades(one, start_ms, end_ms, unit)]
        if kind == "metrics" and not one.is_spot:
            return [METRICS, *_metrics(one, start_ms, end_ms)]
        if kind == "fundingRate" and not one.is_spot:
            moments = history.settlements(one, start_ms, end_ms - 1)
            hours = one.funding_interval_ms // 3_600_000
            return [FUNDING, *(f"{at_ms + at_ms // one.funding_interval_ms % 5},{hours},{plain(history.settled_rate(one, at_ms), 8)}" for at_ms in moments)]
        return None


def _klines(one: Instrument, period: Period, start_ms: int, end_ms: int, unit: int) -> list[str]:
    lines = []
    for bar in one.candles.between(period, start_ms, end_ms - 1):
        volume, quote, bought, spent = streams.kline_volumes(one, bar)
        prices = ",".join(one.px.pad(tick) for tick in (bar.open, bar.high, bar.low, bar.close))
        lines.append(f"{bar.open_ms * unit},{prices},{volume},{period.closes(bar.open_ms) * unit - 1},{quote},{bar.count},{bought},{spent},0")
    return lines


def _price(bar: history.Prices, period: Period) -> str:
    return f"{bar.open_ms},{','.join(f'{price:.8f}' for price in bar[1:])},0,{period.closes(bar.open_ms) - 1},0,{period.ms // 1000},0,0,0"


def _trades(one: Instrument, start_ms: int, end_ms: int, unit: int) -> list[str]:
    lines = []
    for order in range(one.past.order_at(start_ms), one.past.order_at(end_ms)):
        fills = one.past.fills_of(order)
        lots, maker = sum(fill.lots for fill in fills), fills[0].buyer_is_maker
        line = f"{streams.aggregate_id(one, order)},{one.px.pad(fills[0].tick)},{one.qty.pad(lots)},{fills[0].id},{fills[-1].id}"
        lines.append(f"{line},{fills[0].at_ns // 1_000_000 * unit},{maker}" + (",True" if one.is_spot else ""))
    return lines


def _metrics(one: Instrument, start_ms: int, end_ms: int) -> list[str]:
    lines = []
    for at_ms in range(start_ms, end_ms, 300_000):
        lots = one.interest_at(at_ms)
        amount, price = one.qty.value(lots) * one.listing.contract_value, one.px.value(one.candles.price_at(at_ms))
        shares = [history.long_share(one, who, at_ms) for who in ("top accounts", "top positions", "global accounts")]
        bought, sold = history.taken_lots(one, at_ms, 300_000)
        ratios = [*(f"{share / (1 - share):.8f}" for share in shares), f"{bought / sold:.8f}" if sold else ""]
        at = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        value = amount / price if one.is_inverse else amount * price
        lines.append(f"{at},{one.symbol},{one.qty.value(lots):.8f},{value:.8f},{','.join(ratios)}")
    return lines


def _zipped(name: str, lines: list[str], remark: bytes) -> bytes:
    """The same bytes for the same lines."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.comment = remark
        bundle.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), "\n".join(lines) + "\n", zipfile.ZIP_DEFLATED)
    return made.getvalue()
