"""The third venue's memory: candles of mark and index, premiums, settled funding, open interest and positions. Newest first; `after` is older."""

import time
from collections.abc import Callable
from typing import Any

from p9.simulate import history
from p9.simulate import okx_streams as streams
from p9.simulate.bar import DAY_MS, Period
from p9.simulate.instrument import Instrument
from p9.simulate.scale import plain

CANDLES_KEPT = 1_440  # rows that market/candles reaches back
QUARTER_MS = 92 * DAY_MS  # as far as funding and trades reach back


class OkxHistory:
    """`rest` reads parameters and answers; `error(code, message)` makes its refusals."""

    def __init__(self, rest: Any, error: Callable[[str, str], Exception]):
        self._rest, self._error = rest, error
        # path: (answer, requests per two seconds, the parameter that has a budget of its own)
        self.routes: dict[str, tuple[Callable[[Any], list[str]], int, str]] = {
            "public/funding-rate-history": (self._funding, 10, "instId"),
            "public/premium-history": (self._premium, 20, ""),
            "market/mark-price-candles": (lambda query: self._prices(query, history.mark_prices, True), 20, ""),
            "market/index-candles": (lambda query: self._prices(query, history.index_prices, True), 20, ""),
            "market/history-mark-price-candles": (lambda query: self._prices(query, history.mark_prices, False), 20, ""),
            "market/history-index-candles": (lambda query: self._prices(query, history.index_prices, False), 10, ""),
            "rubik/stat/contracts/open-interest-history": (self._open_interest, 10, "instId"),
            "rubik/stat/contracts/long-short-account-ratio-contract": (lambda query: self._ratio(query, "accounts"), 5, "instId"),
            "rubik/stat/contracts/long-short-account-ratio-contract-top-trader": (lambda query: self._ratio(query, "top accounts"), 5, "instId"),
            "rubik/stat/contracts/long-short-position-ratio-contract-top-trader": (lambda query: self._ratio(query, "top positions"), 5, "instId"),
            "rubik/stat/taker-volume-contract": (self._taker, 5, "instId"),
        }

    def _page(self, query: Any, now_ms: int) -> tuple[int, int]:
        """Times in [since, until]: `after` and `before` are exclusive."""
        after, before = query.get("after"), query.get("before")
        return (int(before) + 1 if before else 0), (int(after) - 1 if after else now_ms)

    def _prices(self, query: Any, bars_of: Callable[[Instrument, Period, int, int], list[history.Prices]], recent: bool) -> list[str]:
        of_index = bars_of is history.index_prices
        one = self._of_index(query) if of_index else self._rest.one(query)
        period = streams.PERIODS.get(query.get("bar", "1m"))
        if period is None or period.ms < 60_000:
            raise self._error("51000", "Parameter bar error")
        now_ms, limit = int(time.time() * 1000), self._rest.number(query, "limit", 100, 100)
        since_ms, until_ms = self._page(query, now_ms)
        until_ms = min(until_ms, now_ms)
        if recent:
            since_ms = max(since_ms, period.opens(now_ms) - (CANDLES_KEPT - 1) * period.ms)
        since_ms = max(period.closes(period.opens(since_ms - 1)), until_ms - (limit + 1) * period.ms)
        rows = []
        for bar in reversed(bars_of(one, period, since_ms, until_ms)[-limit:]):
            prices = ",".join(f'"{price:.{one.px.decimals}f}"' for price in bar[1:])
            rows.append(f'["{bar.open_ms}",{prices},"{int(period.closes(bar.open_ms) <= now_ms)}"]')
        return rows

    def _of_index(self, query: Any) -> Instrument:
        """An index has an id of its own: that of the pair, as on spot."""
        for kind in ("SPOT", "SWAP", "FUTURES"):
            for one in self._rest.venue.by_type[kind].values():
                if query.get("instId") in (one.listing.pair, one.symbol if kind == "SPOT" else None):
                    return one
        raise self._error("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")

    def _funding(self, query: Any) -> list[str]:
        one, now_ms = self._rest.one(query), int(time.time() * 1000)
        if streams.inst_type(one) != "SWAP":
            raise self._error("51000", "Parameter instId error")
        since_ms, until_ms = self._page(query, now_ms)
        moments = history.settlements(one, max(since_ms, now_ms - QUARTER_MS), min(until_ms, now_ms))
        rows = []
        for at_ms in moments[-self._rest.number(query, "limit", 400, 400) :][::-1]:
            rate = plain(history.settled_rate(one, at_ms))
            rows.append(
                f'{{"formulaType":"withRate","fundingRate":"{rate}","fundingTime":"{at_ms}","instId":"{one.symbol}",'
                f'"instType":"SWAP","method":"current_period","realizedRate":"{rate}"}}'
            )
        return rows

    def _premium(self, query: Any) -> list[str]:
        """One sample a minute."""
        one, now_ms = self._rest.one(query), int(time.time() * 1000)
        if streams.inst_type(one) != "SWAP":
            raise self._error("51000", "Parameter instId error")
        since_ms, until_ms = self._page(query, now_ms)
        since_ms, until_ms = max(since_ms, one.past.first_ms), min(until_ms, now_ms)
        limit = self._rest.number(query, "limit", 100, 100)
        moments = range(-(-since_ms // 60_000) * 60_000, until_ms + 1, 60_000)[-limit:]
        return [f'{{"instId":"{one.symbol}","premium":"{history.premium_at(one, at_ms):.10f}","ts":"{at_ms}"}}' for at_ms in reversed(moments)]

    def _moments(self, query: Any) -> tuple[Instrument, int, list[int]]:
        one = self._rest.one(query)
        if one.is_spot:
            raise self._error("51000", "Parameter instId error")
        period = streams.PERIODS.get(query.get("period", "5m"))
        if period is None or not 300_000 <= period.ms <= DAY_MS:
            raise self._error("51000", "Parameter period error")
        now_ms, limit = int(time.time() * 1000), self._rest.number(query, "limit", 100, 100)
        begin = max(int(query.get("begin") or 0), now_ms - CANDLES_KEPT * period.ms)
        moments = history.moments(period.ms, begin, int(query.get("end") or now_ms), now_ms)
        return one, period.ms, moments[-limit:][::-1]

    def _open_interest(self, query: Any) -> list[str]:
        one, _, moments = self._moments(query)
        rows = []
        for at_ms in moments:
            lots, price = one.interest_at(at_ms), one.px.value(one.candles.price_at(at_ms))
            amount = one.qty.value(lots) * one.listing.contract_value
            coins, dollars = (amount / price, amount) if one.is_inverse else (amount, amount * price)
            rows.append(f'["{at_ms}","{plain(one.qty.value(lots))}","{plain(coins, 8)}","{plain(dollars, 8)}"]')
        return rows

    def _ratio(self, query: Any, who: str) -> list[str]:
        one, _, moments = self._moments(query)
        shares = [(at_ms, history.long_share(one, who, at_ms)) for at_ms in moments]
        return [f'["{at_ms}","{share / (1 - share):.4f}"]' for at_ms, share in shares]

    def _taker(self, query: Any) -> list[str]:
        """[time, sold, bought], in contracts where unit is 1."""
        one, period_ms, moments = self._moments(query)
        taken = [(at_ms, *history.taken_lots(one, at_ms, period_ms)) for at_ms in moments]
        return [f'["{at_ms}","{one.qty.trim(sold)}","{one.qty.trim(bought)}"]' for at_ms, bought, sold in taken]
