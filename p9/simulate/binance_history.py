"""The first venue's memory: aggregates by id and time, candles of mark, index and premium, settled funding, open interest and positions."""

import time
from collections.abc import Callable
from typing import Any

from p9.simulate import binance_streams as streams
from p9.simulate import history
from p9.simulate.bar import DAY_MS, Period
from p9.simulate.binance_weights import error
from p9.simulate.instrument import Instrument
from p9.simulate.rest import dumps
from p9.simulate.scale import plain

HOUR_MS = 3_600_000


class BinanceHistory:
    """`rest` reads parameters and spends weight; it is the one that answers."""

    def __init__(self, rest: Any):
        self._rest, self._market = rest, rest.market
        self.routes: dict[str, Callable[[Any], str]] = {"/aggTrades": self._agg_trades}
        self.data_routes: dict[str, Callable[[Any], str]] = {}  # by their whole paths, without weight
        if rest.futures:
            self.routes |= {
                "/fundingRate": self._funding_rate,
                "/markPriceKlines": lambda query: self._price_klines(query, history.mark_prices),
                "/indexPriceKlines": lambda query: self._price_klines(query, history.index_prices, of_pair=True),
                "/premiumIndexKlines": lambda query: self._price_klines(query, history.premiums),
            }
            self.data_routes = {
                "/futures/data/openInterestHist": self._open_interest,
                "/futures/data/globalLongShortAccountRatio": lambda query: self._ratio(query, "global accounts", "longAccount", "shortAccount"),
                "/futures/data/topLongShortAccountRatio": lambda query: self._ratio(query, "top accounts", "longAccount", "shortAccount"),
                "/futures/data/topLongShortPositionRatio": lambda query: self._ratio(query, "top positions", "longAccount", "shortAccount"),
                "/futures/data/takerlongshortRatio": self._taker,
            }
            if rest.inverse:  # which counts contracts, under other names
                self.data_routes["/futures/data/takerBuySellVol"] = self.data_routes.pop("/futures/data/takerlongshortRatio")

    # ---- aggregates

    def _agg_trades(self, query: Any) -> str:
        one = self._rest.one(query)
        self._rest.weights.spend(20 if self._rest.futures else 4)
        limit = min(1000, self._rest.number(query, "limit", 500))
        first, start, end = (self._rest.number(query, name) for name in ("fromId", "startTime", "endTime"))
        if first is not None:
            if start is not None or end is not None:
                raise error(-1128, "Combination of optional parameters invalid.")
            rows = self._from_id(one, first, limit)
        elif start is not None or end is not None:
            if self._rest.futures and start is not None and end is not None and end - start > HOUR_MS:
                raise error(-1127, "More than 1 hours between startTime and endTime.")
            rows = self._between(one, start, end, limit)
        else:
            rows = self._newest(one, limit)
        return "[" + ",".join(streams.aggregate_text(one, made) for made in rows) + "]"

    def _of_past(self, one: Instrument, order: int) -> streams.Aggregate:
        fills = one.past.fills_of(order)
        return streams.Aggregate(
            streams.aggregate_id(one, order), fills[0].tick, sum(fill.lots for fill in fills), fills[0].id, fills[-1].id, fills[0].at_ns,
            fills[0].buyer_is_maker,
        )  # fmt: skip

    def _from_id(self, one: Instrument, first: int, limit: int) -> list[streams.Aggregate]:
        offset = streams.aggregate_id(one, 0)
        orders = range(max(one.past.first_order, first - offset), one.past.end)[:limit]
        rows = [self._of_past(one, order) for order in orders]
        rows += [made for made in self._market.aggregates[one.symbol].tape if made.id >= first][: limit - len(rows)]
        return rows

    def _between(self, one: Instrument, start: int | None, end: int | None, limit: int) -> list[streams.Aggregate]:
        """With a start, the oldest from there; with an end alone, the newest before it."""
        since_ms, until_ms = start or 0, end if end is not None else 1 << 50
        orders = range(one.past.order_at(since_ms), one.past.order_at(until_ms + 1))
        lived = [made for made in self._market.aggregates[one.symbol].tape if since_ms <= made.at_ns // 1_000_000 <= until_ms]
        if start is not None:
            rows = [self._of_past(one, order) for order in orders[:limit]]
            return rows + lived[: limit - len(rows)]
        lived = lived[-limit:]
        past = orders[max(0, len(orders) - (limit - len(lived))) :] if len(lived) < limit else ()
        return [self._of_past(one, order) for order in past] + lived

    def _newest(self, one: Instrument, limit: int) -> list[streams.Aggregate]:
        return self._between(one, None, None, limit)

    # ---- prices

    def _price_klines(self, query: Any, bars_of: Callable, of_pair: bool = False) -> str:
        if of_pair:
            some = [one for one in self._market.instruments.values() if one.listing.pair == query.get("pair")]
            if not some:
                raise error(-1121, "Invalid symbol.")
            one = some[0]
        else:
            one = self._rest.one(query)
        period, limit = self._rest.kline_page(query)
        since_ms, until_ms, forward = self._rest.kline_span(query, period, limit)
        bars = bars_of(one, period, since_ms, until_ms)
        bars = bars[:limit] if forward else bars[-limit:]
        rows = []
        for bar in bars:
            prices = ",".join(f'"{price:.8f}"' for price in bar[1:])
            rows.append(f'[{bar.open_ms},{prices},"0",{period.closes(bar.open_ms) - 1},"0",{period.ms // 1000},"0","0","0"]')
        return "[" + ",".join(rows) + "]"

    # ---- funding

    def _funding_rate(self, query: Any) -> str:
        """Oldest first from a start on, else the newest; the venue's moments jitter by some ms."""
        limit = min(1000, self._rest.number(query, "limit", 100))
        some = [self._rest.one(query)] if "symbol" in query else list(self._market.instruments.values())
        now_ms = int(time.time() * 1000)
        start, end = self._rest.number(query, "startTime"), self._rest.number(query, "endTime", now_ms)
        rows = []
        for one in some:
            for at_ms in history.settlements(one, start or 0, min(end, now_ms)):
                rate = plain(history.settled_rate(one, at_ms), 8)
                rows.append({
                    "symbol": one.symbol, "fundingTime": at_ms + at_ms // one.funding_interval_ms % 5, "fundingRate": rate,
                    "markPrice": f"{history.settled_mark(one, at_ms):.8f}", "rateType": "Regular",
                })  # fmt: skip
        rows.sort(key=lambda row: row["fundingTime"])
        return dumps(rows[:limit] if start is not None else rows[-limit:])

    # ---- open interest and positions

    def _positions(self, query: Any) -> tuple[Instrument, Period, list[int]]:
        """Whose, which period, at which moments: oldest first from a start on, else the newest."""
        key = "pair" if self._rest.inverse else "symbol"
        some = [one for one in self._market.instruments.values() if query.get(key) in (one.listing.pair, one.symbol)]
        period = streams.PERIODS.get(query.get("period", ""))
        if not some or period is None or not 300_000 <= period.ms <= DAY_MS:
            raise error(-1130, f"Data sent for parameter '{key if not some else 'period'}' is not valid.")
        now_ms, limit = int(time.time() * 1000), min(500, self._rest.number(query, "limit", 30))
        start, end = self._rest.number(query, "startTime"), self._rest.number(query, "endTime", now_ms)
        if start is not None and start < now_ms - history.POSITIONS_DAYS * DAY_MS - 60_000:
            raise error(-1130, "parameter 'startTime' is invalid.")
        at = history.moments(period.ms, start or 0, end, now_ms)
        return some[0], period, at[:limit] if start is not None else at[-limit:]

    def _key(self, query: Any, one: Instrument) -> dict[str, str]:
        return {"pair": query["pair"], "contractType": one.listing.contract} if self._rest.inverse else {"symbol": query["symbol"]}

    def _open_interest(self, query: Any) -> str:
        one, _, moments = self._positions(query)
        rows = []
        for at_ms in moments:
            lots = one.interest_at(at_ms)
            amount, price = one.qty.value(lots) * one.listing.contract_value, one.px.value(one.candles.price_at(at_ms))
            rows.append(self._key(query, one) | {
                "sumOpenInterest": f"{one.qty.value(lots):.8f}",
                "sumOpenInterestValue": f"{amount / price if self._rest.inverse else amount * price:.8f}",
                "CMCCirculatingSupply": "165880.53800000",
                "timestamp": str(at_ms) if self._rest.inverse else at_ms,
            })  # fmt: skip
        return dumps(rows)

    def _ratio(self, query: Any, who: str, long_key: str, short_key: str) -> str:
        one, _, moments = self._positions(query)
        rows = []
        for at_ms in moments:
            share = history.long_share(one, who, at_ms)
            rows.append(self._key(query, one) | {
                long_key: str(share), "longShortRatio": f"{share / (1 - share):.4f}", short_key: str(1 - share), "timestamp": at_ms,
            })  # fmt: skip
        return dumps(rows)

    def _taker(self, query: Any) -> str:
        one, period, moments = self._positions(query)
        rows = []
        for at_ms in moments:
            bought, sold = history.taken_lots(one, at_ms, period.ms)
            if self._rest.inverse:
                volumes = {"takerBuyVol": str(bought), "takerSellVol": str(sold), "takerBuyVolValue": "0", "takerSellVolValue": "0"}
                rows.append(self._key(query, one) | volumes | {"timestamp": at_ms})
                continue
            ratio = f"{bought / sold:.4f}" if sold else "0"
            rows.append({"buySellRatio": ratio, "sellVol": one.qty.pad(sold), "buyVol": one.qty.pad(bought), "timestamp": at_ms})
        return dumps(rows)
