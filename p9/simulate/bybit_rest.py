"""The second venue's REST: one envelope, result codes, lists newest first, cursors."""

import functools
import time
from collections import deque
from urllib.parse import quote, unquote

from aiohttp import web

from p9.simulate import adl
from p9.simulate import bybit_streams as streams
from p9.simulate.bar import Period
from p9.simulate.bybit import Bybit
from p9.simulate.bybit_history import BybitHistory
from p9.simulate.instrument import Instrument
from p9.simulate.market import Fill
from p9.simulate.rest import Refusal, dumps, json_response
from p9.simulate.scale import Scale, plain

REQUESTS, WINDOW_S, BAN_S = 600, 5.0, 600

class ResultError(Exception):
    """A business error: HTTP 200 with a retCode."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code, self.message = code, message


class BybitRest:
    def __init__(self, venue: Bybit):
        self.venue = venue
        self._heard: deque[float] = deque()
        self._banned_until_s = 0.0
        self._trade = functools.lru_cache(8192)(self._write_trade)  # the newest thousand are told again with every answer
        self.ahead_s = 0.0  # of its clock, as its time endpoint tells it
        self._routes = {
            "time": self._time,
            "instruments-info": self._instruments,
            "orderbook": self._orderbook,
            "full_orderbook": self._full_orderbook,
            "recent-trade": self._trades,
            "kline": self._kline,
            "tickers": self._tickers,
            "insurance": self._insurance,
            "adlAlert": self._adl,
            "risk-limit": self._risk_limit,
            "price-limit": self._price_limit,
            "fee-group-info": self._fee_groups,
        }
        self._routes |= BybitHistory(self, ResultError).routes

    async def answer(self, path: str, query) -> web.Response:
        """`path` is the venue's whole path. Never raises."""
        try:
            self._count()
            if path == "/v5/system/status":
                return json_response(self._envelope(0, "", self.venue.reference.second_status()))
            route = self._routes.get(path.removeprefix("/v5/market/")) if path.startswith("/v5/market/") else None
            if route is None:
                raise Refusal(404, "404 page not found", content_type="text/plain")
            market = f"bybit_{query.get('category', '*')}"
            is_book = path.endswith("/orderbook")
            fault, patience_s = self.venue.faults.of_rest(market, query.get("symbol", "*"), is_book)
            if fault == "http_429":
                raise ResultError(10006, "Too many visits!")
            if fault == "http_418":
                self._banned_until_s = time.monotonic() + (patience_s or BAN_S)
                raise self._ban()
            if fault == "http_500":
                raise ResultError(10016, "Internal server error")
            result = self._orderbook(query, fault == "stale_snapshot") if is_book else route(query)
            return json_response(self._envelope(0, "OK", result))
        except (ValueError, OverflowError):  # a parameter that is no number
            return json_response(self._envelope(10001, "params error", "{}"))
        except ResultError as refused:
            return json_response(self._envelope(refused.code, refused.message, "{}"))
        except Refusal as refusal:
            return refusal.response()

    def _count(self) -> None:
        now = time.monotonic()
        if now < self._banned_until_s:
            raise self._ban()
        self._heard.append(now)
        while now - self._heard[0] > WINDOW_S:
            self._heard.popleft()
        if len(self._heard) > REQUESTS:
            self._banned_until_s = now + BAN_S
            raise self._ban()

    def _ban(self) -> Refusal:
        return Refusal(
            403,
            "<html><body>403, access too frequent. Please try your request later.</body></html>",
            content_type="text/html",
        )

    def _envelope(self, code: int, message: str, result: str) -> str:
        now_ms = int(time.time() * 1000)
        return f'{{"retCode":{code},"retMsg":{dumps(message)},"result":{result},"retExtInfo":{{}},"time":{now_ms}}}'

    # ------------------------------------------------------------------ parameters

    def _category(self, query, *allowed: str):
        name = query.get("category", "")
        if name == "option" and "option" in allowed:
            return None
        if name not in self.venue.categories or (allowed and name not in allowed):
            raise ResultError(
                10001, "params error: Category is invalid" if name else "params error: category is required"
            )
        return self.venue.categories[name]

    def one(self, query, *allowed: str) -> Instrument:
        one = self._category(query, *allowed).instruments.get(query.get("symbol", ""))
        if one is None:
            raise ResultError(10001, "params error: symbol invalid")
        return one

    def number(self, query, name: str, default: int | None = None) -> int | None:
        text = query.get(name)
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            raise ResultError(10001, f"params error: {name} is invalid") from None

    # ------------------------------------------------------------------ answers

    def _time(self, query) -> str:
        now_ns = time.time_ns() + round(self.ahead_s * 1e9)
        return f'{{"timeSecond":"{now_ns // 1_000_000_000}","timeNano":"{now_ns}"}}'

    def _orderbook(self, query, stale: bool = False) -> str:
        one = self.one(query)
        limit = min(1000, self.number(query, "limit", 1 if one.is_spot else 25))
        if limit < 1:
            raise ResultError(10001, "params error: limit is invalid")
        levels, u, seq, at_ns = self.venue.rest_window(one)
        if stale:
            old = one.old_book()
            levels, u = [side.top(1000) for side in old.sides], max(1, u - 40)
            seq, at_ns = old.last_id, old.last_ns
        bids, asks = (streams.rows(one, some[:limit], trimmed=True) for some in levels)
        at_ms, now_ms = at_ns // 1_000_000, int(time.time() * 1000)
        return f'{{"s":"{one.symbol}","b":{bids},"a":{asks},"ts":{now_ms},"u":{u},"seq":{seq},"cts":{at_ms}}}'

    def _full_orderbook(self, query) -> str:
        """Up to 10,000 levels a side, of spot alone; `u` is of the topic orderbook.full, which nobody is sent here."""
        one = self.one(query)
        if not one.is_spot:
            raise ResultError(10001, "params error: Category is invalid")
        bids, asks = (streams.rows(one, side.top(10_000), trimmed=True) for side in one.model.sides)
        at_ms, now_ms = one.model.last_ns // 1_000_000, int(time.time() * 1000)
        return f'{{"s":"{one.symbol}","b":{bids},"a":{asks},"ts":{now_ms},"u":{one.model.last_id % 10**9},"seq":{one.model.last_id},"cts":{at_ms}}}'

    def _trades(self, query) -> str:
        one = self.one(query)
        most = 60 if one.is_spot else 1000
        limit = min(most, self.number(query, "limit", 60 if one.is_spot else 500))
        rows = ",".join([self._trade(one, one.px, fill) for fill in reversed(one.newest_fills(limit))])
        return f'{{"category":"{query["category"]}","list":[{rows}]}}'

    def _write_trade(self, one: Instrument, px: Scale, fill: Fill) -> str:
        price, size = (px.trim(fill.tick), one.qty.trim(fill.lots)) if one.is_spot else (px.pad(fill.tick), one.qty.pad(fill.lots))
        side = "Sell" if fill.buyer_is_maker else "Buy"
        return (
            f'{{"execId":"{streams.trade_id(one, fill)}","symbol":"{one.symbol}","price":"{price}",'
            f'"size":"{size}","side":"{side}","time":"{fill.at_ns // 1_000_000}",'
            f'"isBlockTrade":false,"isRPITrade":false,"seq":"{fill.turn_id}"}}'
        )

    def kline_span(self, query, most: int = 1000) -> tuple[Period, int, int, int]:
        """(period, since, until, how many rows at most: the newest of them)"""
        period = streams.PERIODS.get(query.get("interval", ""))
        if period is None:
            raise ResultError(10001, "params error: Invalid period!")
        limit = min(most, self.number(query, "limit", 200))
        now_ms = int(time.time() * 1000)
        start, end = self.number(query, "start"), self.number(query, "end")
        until = min(now_ms, end if end is not None else now_ms)
        since = period.closes(period.opens(start - 1)) if start is not None else 0
        return period, max(since, until - (limit + 1) * period.ms), until, limit

    def _kline(self, query) -> str:
        one, rows = self.one(query), []
        px, qty = (one.px.trim, one.qty.trim)
        period, since, until, limit = self.kline_span(query)
        for bar in one.candles.between(period, since, until)[-limit:][::-1]:
            prices = f'"{px(bar.open)}","{px(bar.high)}","{px(bar.low)}","{px(bar.close)}"'
            rows.append(f'["{bar.open_ms}",{prices},"{qty(bar.lots)}","{plain(bar.value)}"]')
        return f'{{"symbol":"{one.symbol}","category":"{query["category"]}","list":[{",".join(rows)}]}}'

    def _tickers(self, query) -> str:
        category = self._category(query, "spot", "linear", "inverse", "option")
        if category is None:
            return self.venue.options.tickers(query, int(time.time() * 1000)) if self.venue.options else '{"category":"option","list":[]}'
        some = [self.one(query)] if query.get("symbol") else list(category.instruments.values())
        now_ms, rows = int(time.time() * 1000), []
        for one in some:
            fields = streams.ticker_fields(one, now_ms)
            if one.is_spot:
                bid, bid_lots, ask, ask_lots = one.model.best
                px, qty = one.px.trim, one.qty.trim
                fields |= {
                    "bid1Price": px(bid),
                    "bid1Size": qty(bid_lots),
                    "ask1Price": px(ask),
                    "ask1Size": qty(ask_lots),
                }
            else:
                fields.pop("tickDirection")
                expiry = one.listing.expiry_ms
                fields |= {"deliveryTime": str(expiry or 0), "deliveryFeeRate": "", "predictedDeliveryPrice": ""}
                fields = {"basis": "", "basisRate": "", "basisRateYear": ""} | fields
                if expiry:
                    fields["nextFundingTime"] = "0"
            rows.append(streams.object_text(fields))
        return f'{{"category":"{category.name}","list":[{",".join(rows)}]}}'

    def _insurance(self, query) -> str:
        return self.venue.insurance.second(query.get("coin"), int(time.time() * 1000))

    def _adl(self, query) -> str:
        return adl.second(self.venue.insurance, query.get("symbol"), int(time.time() * 1000))

    def _price_limit(self, query) -> str:
        one = self.one(query)
        tick = one.candles.last_tick
        high, low = one.px.pad(tick + tick // 50), one.px.pad(tick - tick // 50)
        return dumps({"symbol": one.symbol, "buyLmt": high, "sellLmt": low, "ts": str(int(time.time() * 1000))})

    def _fee_groups(self, query) -> str:
        if query.get("productType") != "contract":
            raise ResultError(10001, "params error: productType is invalid")
        names = [one.symbol for one in self.venue.categories["linear"].instruments.values()]
        rates = {"pro": [{"level": "Pro 1", "takerFeeRate": "0.00032", "makerFeeRate": "0", "makerRebate": ""}], "marketMaker": []}
        groups = [("Major-Assets", names[:2]), ("Innovation-Zone", names[2:])]
        return dumps(
            {
                "list": [
                    {"groupName": name, "weightingFactor": 1, "symbolsNumbers": len(some), "symbols": some, "feeRates": rates, "updateTime": "1758182745072"}
                    for name, some in groups
                    if some
                ]
            }
        )

    def _risk_limit(self, query) -> str:
        category = self._category(query, "linear", "inverse")
        some = [self.one(query)] if query.get("symbol") else list(category.instruments.values())
        first = int(query.get("cursor") or 0)
        rows = [
            {
                "id": place + 1,
                "symbol": one.symbol,
                "riskLimitValue": "300000",
                "maintenanceMargin": "0.0033",
                "initialMargin": "0.0066",
                "isLowestRisk": 1,
                "maxLeverage": "150.00",
                "mmDeduction": "",
            }
            for place, one in enumerate(some)
        ]
        cursor = str(first + 15) if first + 15 < len(rows) else ""
        return dumps({"category": category.name, "list": rows[first : first + 15], "nextPageCursor": cursor})

    # ------------------------------------------------------------------ reference data

    def _instruments(self, query) -> str:
        category = self._category(query, "spot", "linear", "inverse", "option")
        if category is None:
            empty = '{"category":"option","list":[],"nextPageCursor":""}'
            return self.venue.options.instruments(query, int(time.time() * 1000)) if self.venue.options else empty
        some = list(category.instruments.values())
        if query.get("symbol"):
            some = [one for one in some if one.symbol == query["symbol"]]
        if query.get("baseCoin"):
            some = [one for one in some if one.listing.base == query["baseCoin"]]
        if query.get("status", "Trading") != "Trading":
            some = []
        if category.name == "spot":
            return dumps({"category": "spot", "list": [self._spot_row(one, place) for place, one in enumerate(some)]})
        limit = max(1, min(1000, self.number(query, "limit", 500)))
        some.sort(key=lambda one: one.symbol)
        cursor = unquote(query.get("cursor", ""))
        if cursor:
            after = cursor.rpartition("last=")[2]
            some = [one for one in some if one.symbol > after]
        page = some[:limit]
        following = ""
        if len(some) > limit:
            following = quote(f"first={page[0].symbol}&last={page[-1].symbol}", safe="")
        rows = [self._contract_row(one, place) for place, one in enumerate(page)]
        return dumps({"category": category.name, "list": rows, "nextPageCursor": following})

    def _spot_row(self, one: Instrument, place: int) -> dict:
        listing = one.listing
        return {
            "symbolId": place + 1,
            "symbol": one.symbol,
            "baseCoin": listing.base,
            "quoteCoin": listing.quote,
            "innovation": "0",
            "status": one.status or "Trading",
            "marginTrading": "utaOnly",
            "stTag": "0",
            "lotSizeFilter": {
                "basePrecision": listing.lot,
                "quotePrecision": "0.0000001",
                "minOrderQty": listing.lot,
                "maxOrderQty": "8300",
                "minOrderAmt": "5",
                "maxOrderAmt": "8000000",
                "maxLimitOrderQty": "8300",
                "maxMarketOrderQty": "4150",
                "postOnlyMaxLimitOrderSize": "60000",
            },
            "priceFilter": {"tickSize": listing.tick},
            "riskParameters": {"priceLimitRatioX": "0.005", "priceLimitRatioY": "0.01"},
            "symbolType": "",
        }

    def _contract_row(self, one: Instrument, place: int) -> dict:
        listing = one.listing
        dated = listing.expiry_ms is not None
        return {
            "symbol": one.symbol,
            "contractType": listing.contract,
            "status": one.status or "Trading",
            "baseCoin": listing.base,
            "quoteCoin": listing.quote,
            "launchTime": "1584230400000",
            "deliveryTime": str(one.last_day_ms or listing.expiry_ms or 0),
            "deliveryFeeRate": "0.0005" if dated else "",
            "priceScale": str(one.px.decimals),
            "leverageFilter": {"minLeverage": "1", "maxLeverage": "150.00", "leverageStep": "0.01"},
            "priceFilter": {"minPrice": listing.tick, "maxPrice": "1999999.80", "tickSize": listing.tick},
            "lotSizeFilter": {
                "maxOrderQty": "1500000",
                "minOrderQty": listing.lot,
                "qtyStep": listing.lot,
                "postOnlyMaxOrderQty": "1500000",
                "maxMktOrderQty": "150000",
                "minNotionalValue": "5",
            },
            "unifiedMarginTrade": True,
            "fundingInterval": 0 if dated else one.funding_interval_ms // 60_000,
            "settleCoin": listing.settle,
            "copyTrading": "none" if dated else "both",
            "upperFundingRate": "" if dated else "0.00333",
            "lowerFundingRate": "" if dated else "-0.00333",
            "isPreListing": False,
            "preListingInfo": None,
            "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"},
            "displayName": one.symbol,
            "symbolType": "",
            "forbidUplWithdrawal": False,
            "symbolId": place + 1,
            "fullName": "",
            "marketRegion": "",
            "underlyingTicker": "",
        }
