"""The second venue's memory: candles of mark, index and premium, settled funding, open interest and the ratio of accounts. Newest first, all of it."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

from p9.simulate import history
from p9.simulate.bar import Period
from p9.simulate.instrument import Instrument
from p9.simulate.rest import dumps
from p9.simulate.scale import plain

PERIODS_MS = {"5min": 300_000, "15min": 900_000, "30min": 1_800_000, "1h": 3_600_000, "4h": 14_400_000, "1d": 86_400_000}


class BybitHistory:
    """`rest` reads parameters and answers; `error(code, message)` makes its refusals."""

    def __init__(self, rest: Any, error: Callable[[int, str], Exception]):
        self._rest, self._error = rest, error
        self.routes: dict[str, Callable[[Any], str]] = {
            "mark-price-kline": lambda query: self._prices(query, history.mark_prices, "linear", "inverse"),
            "index-price-kline": lambda query: self._prices(query, history.index_prices, "linear", "inverse"),
            "premium-index-price-kline": lambda query: self._prices(query, history.premiums, "linear"),
            "funding/history": self._funding,
            "open-interest": self._open_interest,
            "account-ratio": self._account_ratio,
        }

    def _prices(self, query: Any, bars_of: Callable[[Instrument, Period, int, int], list[history.Prices]], *categories: str) -> str:
        one = self._rest.one(query, *categories)
        period, since_ms, until_ms, limit = self._rest.kline_span(query)
        rows = []
        for bar in bars_of(one, period, since_ms, until_ms)[-limit:][::-1]:
            places = one.px.decimals if bars_of is not history.premiums else 8
            prices = ",".join(f'"{price:.{places}f}"' for price in bar[1:])
            rows.append(f'["{bar.open_ms}",{prices}]')
        return f'{{"symbol":"{one.symbol}","category":"{query["category"]}","list":[{",".join(rows)}]}}'

    def _funding(self, query: Any) -> str:
        one = self._rest.one(query, "linear", "inverse")
        start, end = self._rest.number(query, "startTime"), self._rest.number(query, "endTime")
        if start is not None and end is None:
            raise self._error(10001, "params error: endTime is required when startTime is passed")
        now_ms = int(time.time() * 1000)
        moments = history.settlements(one, start or 0, min(now_ms, end if end is not None else now_ms))
        rows = [
            {"symbol": one.symbol, "fundingRate": plain(history.settled_rate(one, at_ms)), "fundingRateTimestamp": str(at_ms)}
            for at_ms in moments[-min(200, self._rest.number(query, "limit", 200)) :][::-1]
        ]
        return dumps({"category": query["category"], "list": rows})

    def _moments(self, query: Any, period_key: str, most: int) -> tuple[list[int], str]:
        """(newest first, the cursor of the page after it: empty at the end)"""
        period_ms = PERIODS_MS.get(query.get(period_key, ""))
        if period_ms is None:
            raise self._error(10001, f"params error: {period_key} is invalid")
        now_ms = int(time.time() * 1000)
        end = self._rest.number(query, "endTime", now_ms)
        cursor = unquote(query.get("cursor", ""))
        if cursor:
            end = min(end, int(cursor.rpartition("=")[2]) * 1000 - 1)
        limit = min(most, self._rest.number(query, "limit", 50))
        moments = history.moments(period_ms, self._rest.number(query, "startTime", 0), end, now_ms)
        page = moments[-limit:][::-1]
        following = quote(f"lastid={page[-1] // 1000 % 99_999}&lasttime={page[-1] // 1000}", safe="") if len(moments) > limit else ""
        return page, following

    def _open_interest(self, query: Any) -> str:
        one = self._rest.one(query, "linear", "inverse")
        moments, cursor = self._moments(query, "intervalTime", 200)
        rows = []
        for at_ms in moments:
            lots = one.interest_at(at_ms)
            rows.append({
                "openInterest": f"{one.qty.value(2 * lots):.8f}", "singleOpenInterest": one.qty.trim(lots), "timestamp": str(at_ms),
            })  # fmt: skip
        return dumps({"symbol": one.symbol, "category": query["category"], "list": rows, "nextPageCursor": cursor})

    def _account_ratio(self, query: Any) -> str:
        one = self._rest.one(query, "linear", "inverse")
        moments, cursor = self._moments(query, "period", 500)
        rows = []
        for at_ms in moments:
            share = history.long_share(one, "accounts", at_ms)
            rows.append({"symbol": one.symbol, "buyRatio": str(share), "sellRatio": str(1 - share), "timestamp": str(at_ms)})
        return dumps({"list": rows, "nextPageCursor": cursor})
