"""The first venue's REST: weights with their header, 429 and 418, and answers in its shapes."""

import time

from aiohttp import web

from p9.simulate import binance_streams as streams
from p9.simulate.bar import Period
from p9.simulate.binance import BinanceMarket
from p9.simulate.binance_history import BinanceHistory
from p9.simulate.binance_reference import BinanceReference
from p9.simulate.binance_weights import Weights, error
from p9.simulate.candles import MINUTE_MS
from p9.simulate.figures import funding
from p9.simulate.instrument import Instrument
from p9.simulate.rest import Refusal, dumps, json_response
from p9.simulate.scale import plain

FUTURES_DEPTHS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}


class BinanceRest:
    def __init__(self, market: BinanceMarket, weights: Weights):
        self.market, self.weights = market, weights
        self.ahead_s = 0.0  # of its clock, as its time endpoint tells it
        self.futures = market.futures
        self.inverse = market.row.market == "binance_coinm"
        self.prefix = {"binance_spot": "/api/v3", "binance_usdm": "/fapi/v1", "binance_coinm": "/dapi/v1"}[
            market.row.market
        ]
        self._routes = {
            "/ping": self._ping,
            "/time": self._time,
            "/depth": self._depth,
            "/trades": self._trades,
            "/historicalTrades": self._historical_trades,
            "/klines": self._klines,
            "/ticker/24hr": self._day,
            "/ticker/bookTicker": self._book_ticker,
            "/ticker/price": self._price,
        }
        if self.futures:
            self._routes |= {"/premiumIndex": self._premium_index, "/openInterest": self._open_interest}
        else:
            self._routes["/uiKlines"] = self._klines
        self._history = BinanceHistory(self)
        self._routes |= self._history.routes | BinanceReference(self).routes

    async def answer(self, path: str, query) -> web.Response:
        """`path` is the venue's whole path. Never raises."""
        try:
            if path == "/sapi/v1/system/status" and not self.futures:
                return json_response(self.market.reference.first_status())
            if path in self._history.data_routes:
                return json_response(self._history.data_routes[path](query), self.weights.header())
            route = self._routes.get(path.removeprefix(self.prefix)) if path.startswith(self.prefix + "/") else None
            if route is None:
                raise Refusal(404, "<html><body><h2>404 Not found</h2></body></html>", content_type="text/html")
            is_book = path.endswith("/depth")
            fault, patience_s = self.market.faults.of_rest(self.market.row.market, query.get("symbol", "*"), is_book)
            if fault == "http_429":
                raise self.weights.too_much(patience_s)
            if fault == "http_418":
                raise self.weights.ban(patience_s)
            if fault == "http_500":
                raise Refusal(
                    503,
                    dumps(
                        {
                            "code": -1008,
                            "msg": "Server is currently overloaded with other requests. Please try again in a few minutes.",
                        }
                    ),
                )
            if self.futures is False and query.get("limit", "").lstrip("-").isdigit() and int(query["limit"]) < 0:
                raise error(-1130, "Data sent for parameter 'limit' is not valid.")
            text = self._depth(query, fault == "stale_snapshot") if is_book else route(query)
            return json_response(text, self.weights.header())
        except (ValueError, OverflowError):  # a parameter that no clock can take
            return error(-1100, "Illegal characters found in a parameter.").response()
        except Refusal as refusal:
            return refusal.response()

    # ------------------------------------------------------------------ parameters

    def one(self, query) -> Instrument:
        symbol = query.get("symbol")
        if not symbol:
            raise error(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        one = self.market.instruments.get(symbol)
        if one is None:
            raise error(-1121, "Invalid symbol.")
        return one

    def number(self, query, name: str, default: int | None = None) -> int | None:
        text = query.get(name)
        if text is None or text == "":
            return default
        try:
            return int(text)
        except ValueError:
            raise error(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            ) from None

    def some(self, query, single_weight: int, all_weight: int) -> list[Instrument]:
        """The one asked for, those in `symbols`, or all."""
        if "symbol" in query:
            self.weights.spend(single_weight)
            return [self.one(query)]
        self.weights.spend(all_weight)
        return list(self.market.instruments.values())

    def shape(self, query, rows: list[str]) -> str:
        """One object where a symbol was asked for, else an array; coin-margined answers are arrays always."""
        return rows[0] if "symbol" in query and not self.inverse else "[" + ",".join(rows) + "]"

    # ------------------------------------------------------------------ answers

    def _ping(self, query) -> str:
        self.weights.spend(1)
        return "{}"

    def _time(self, query) -> str:
        self.weights.spend(1)
        return f'{{"serverTime":{int((time.time() + self.ahead_s) * 1000)}}}'

    def _depth(self, query, stale: bool = False) -> str:
        one = self.one(query)
        limit = self.number(query, "limit", 500 if self.futures else 100)
        if self.futures:
            if limit not in FUTURES_DEPTHS:
                raise error(-4021, f"{limit} is not valid depth limit")
            self.weights.spend(FUTURES_DEPTHS[limit])
        else:
            limit = min(limit, 5000)
            self.weights.spend(5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1000 else 250)
        book = one.old_book() if stale else one.model
        one.note_top("", book.last_id, book)
        bids, asks = (streams.rows(one, side.top(limit)) for side in book.sides)
        head = f'{{"lastUpdateId":{book.last_id}'
        if self.futures:
            head += f',"E":{int(time.time() * 1000)},"T":{book.last_ns // 1_000_000}'
        if self.inverse:
            head += f',"symbol":"{one.symbol}","pair":"{one.listing.pair}"'
        return f'{head},"bids":{bids},"asks":{asks}}}'

    def _trade_rows(self, one: Instrument, fills) -> str:
        rows = []
        for fill in fills:
            money = plain(one.money(fill.tick, fill.lots), 8 if not self.futures or self.inverse else 2)
            maker = "true" if fill.buyer_is_maker else "false"
            value = "baseQty" if self.inverse else "quoteQty"
            tail = ',"isBestMatch":true' if not self.futures else "" if self.inverse else ',"isRPITrade":false'
            rows.append(
                f'{{"id":{fill.id},"price":"{one.px.pad(fill.tick)}","qty":"{one.qty.pad(fill.lots)}","{value}":"{money}",'
                f'"time":{fill.at_ns // 1_000_000},"isBuyerMaker":{maker}{tail}}}'
            )
        return "[" + ",".join(rows) + "]"

    def _trades(self, query) -> str:
        one = self.one(query)
        self.weights.spend(5 if self.futures else 25)
        return self._trade_rows(one, one.newest_fills(min(1000, self.number(query, "limit", 500))))

    def _historical_trades(self, query) -> str:
        one = self.one(query)
        self.weights.spend(200 if self.futures else 25)
        limit = min(500 if self.futures else 1000, self.number(query, "limit", 100 if self.futures else 500))
        first = self.number(query, "fromId")
        fills = one.newest_fills(limit) if first is None else one.fills_from(first, limit)
        return self._trade_rows(one, fills)

    def _klines(self, query) -> str:
        one = self.one(query)
        period, limit = self.kline_page(query)
        since, until, forward = self.kline_span(query, period, limit)
        bars = one.candles.between(period, since, until)
        bars = bars[:limit] if forward else bars[-limit:]
        px, rows = one.px.pad, []
        for bar in bars:
            volume, quote, bought, spent = streams.kline_volumes(one, bar)
            prices = f'"{px(bar.open)}","{px(bar.high)}","{px(bar.low)}","{px(bar.close)}"'
            rows.append(
                f'[{bar.open_ms},{prices},"{volume}",{period.closes(bar.open_ms) - 1},"{quote}",{bar.count},"{bought}","{spent}","0"]'
            )
        return "[" + ",".join(rows) + "]"

    def kline_page(self, query) -> tuple[Period, int]:
        """(period, how many rows at most); spends the weight."""
        period = streams.PERIODS.get(query.get("interval", ""))
        if period is None or (self.futures and period.ms < MINUTE_MS):
            raise error(-1120, "Invalid interval.")
        limit = min(1500 if self.futures else 1000, self.number(query, "limit", 500))
        if self.futures:
            self.weights.spend(1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10)
        else:
            self.weights.spend(2)
        return period, limit

    def kline_span(self, query, period: Period, limit: int) -> tuple[int, int, bool]:
        """(since, until, whether the oldest are wanted): `startTime` means bars that open at or after it."""
        start, end = self.number(query, "startTime"), self.number(query, "endTime")
        now_ms = int(time.time() * 1000)
        until = min(now_ms, end if end is not None else now_ms)
        if start is None:
            return until - (limit + 1) * period.ms, until, False
        since = period.closes(period.opens(start - 1))
        return since, min(until, since + (limit + 1) * period.ms), True

    def _day(self, query) -> str:
        rows = []
        now_ms = int(time.time() * 1000)
        for one in self.some(query, 2 if not self.futures else 1, 80 if not self.futures else 40):
            px, qty, of = one.px.pad, one.qty.pad, one.day.at(now_ms)
            last = one.last_fill()
            bid, bid_lots, ask, ask_lots = one.model.best
            row = {"symbol": one.symbol}
            if self.inverse:
                row["pair"] = one.listing.pair
            mean = of.value / one.qty.value(of.lots) if of.lots and not self.inverse else one.px.value(of.close)
            row |= {
                "priceChange": px(of.close - of.open),
                "priceChangePercent": f"{100 * (of.close - of.open) / of.open:.3f}",
                "weightedAvgPrice": plain(mean, one.px.decimals),
            }
            if not self.futures:
                row["prevClosePrice"] = px(of.open)
            row |= {"lastPrice": px(of.close), "lastQty": qty(last.lots if last else 0)}
            if not self.futures:
                row |= {"bidPrice": px(bid), "bidQty": qty(bid_lots), "askPrice": px(ask), "askQty": qty(ask_lots)}
            money = plain(of.value, 2 if self.futures and not self.inverse else 8)
            row |= {"openPrice": px(of.open), "highPrice": px(of.high), "lowPrice": px(of.low), "volume": qty(of.lots)}
            row |= {"baseVolume" if self.inverse else "quoteVolume": money, "openTime": of.open_ms, "closeTime": now_ms}
            row |= {"firstId": of.first_id, "lastId": of.last_id, "count": of.count}
            rows.append(dumps(row))
        return self.shape(query, rows)

    def _book_ticker(self, query) -> str:
        rows = []
        for one in self.some(query, 2, 5 if self.futures else 4):
            px, qty = one.px.pad, one.qty.pad
            bid, bid_lots, ask, ask_lots = one.model.best
            row = {"symbol": one.symbol}
            if self.inverse:
                row["pair"] = one.listing.pair
            row |= {"bidPrice": px(bid), "bidQty": qty(bid_lots), "askPrice": px(ask), "askQty": qty(ask_lots)}
            if self.futures:
                row |= {"time": one.model.last_ns // 1_000_000, "lastUpdateId": one.model.last_id}
            rows.append(dumps(row))
        return self.shape(query, rows)

    def _price(self, query) -> str:
        rows = []
        for one in self.some(query, 2 if not self.futures else 1, 4 if not self.futures else 2):
            row = {"symbol": one.symbol} | ({"ps": one.listing.pair} if self.inverse else {})
            row["price"] = one.px.pad(one.candles.last_tick)
            if self.futures:
                row["time"] = one.model.last_ns // 1_000_000
            rows.append(dumps(row))
        return self.shape(query, rows)

    def _premium_index(self, query) -> str:
        if self.inverse and "symbol" not in query and "pair" in query:
            self.weights.spend(10)
            some = [one for one in self.market.instruments.values() if one.listing.pair == query["pair"]]
        else:
            some = self.some(query, 10 if self.inverse else 1, 10)
        now_ms, rows = int(time.time() * 1000), []
        for one in some:
            mark, index = one.mark_price(now_ms * 1_000_000), one.index_price(now_ms * 1_000_000)
            dated = one.listing.expiry_ms is not None
            row = {"symbol": one.symbol} | ({"pair": one.listing.pair} if self.inverse else {})
            row |= {
                "markPrice": f"{mark:.8f}",
                "indexPrice": f"{index:.8f}",
                "estimatedSettlePrice": f"{(mark + index) / 2:.8f}",
                "lastFundingRate": "" if dated else plain(funding(one, now_ms).rate, 8),
                "interestRate": "" if dated else "0.00010000",
                "nextFundingTime": 0 if dated else funding(one, now_ms).next_ms,
                "time": now_ms,
            }
            rows.append(dumps(row))
        return self.shape(query, rows)

    def _open_interest(self, query) -> str:
        one = self.one(query)
        self.weights.spend(1)
        row = {"openInterest": one.qty.pad(one.open_interest_lots), "symbol": one.symbol}
        if self.inverse:
            row = {"symbol": one.symbol, "pair": one.listing.pair} | row
            row["contractType"] = one.listing.contract
        return dumps(row | {"time": one.model.last_ns // 1_000_000})
