"""The third venue's REST: one envelope, limits per two seconds, pages that run backwards."""

import time
from collections import deque

from aiohttp import web

from p9.simulate import okx_streams as streams
from p9.simulate.instrument import Instrument
from p9.simulate.okx import Okx
from p9.simulate.okx_history import CANDLES_KEPT, OkxHistory
from p9.simulate.reference import price_lot, price_tick
from p9.simulate.rest import Refusal, dumps, json_response
from p9.simulate.scale import plain

WINDOW_S = 2.0


class CodeError(Exception):
    """A business error: `code` and `msg` in the envelope."""

    def __init__(self, code: str, message: str, status: int = 200):
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class OkxRest:
    def __init__(self, venue: Okx):
        self.venue = venue
        self._heard: dict[str, deque[float]] = {}
        self.ahead_s = 0.0  # of its clock, as its time endpoint tells it
        # path: (answer, requests per two seconds, the parameter that has a budget of its own)
        self._routes = {
            "public/time": (self._time, 10, ""),
            "public/instruments": (self._instruments, 20, "instType"),
            "public/funding-rate": (self._funding, 10, "instId"),
            "public/mark-price": (self._mark, 10, "instId"),
            "public/open-interest": (self._open_interest, 20, "instId"),
            "public/insurance-fund": (self._insurance, 10, ""),
            "public/price-limit": (self._price_limit, 20, ""),
            "public/liquidation-orders": (self._liquidations, 20, ""),
            "public/opt-summary": (lambda query: [], 20, ""),
            "market/books": (self._books, 40, ""),
            "market/books-full": (self._books_full, 10, ""),
            "market/trades": (self._trades, 100, ""),
            "market/history-trades": (self._history_trades, 20, ""),
            "market/candles": (self._candles, 40, ""),
            "market/history-candles": (lambda query: self._candles(query, recent=False), 20, ""),
            "market/tickers": (self._tickers, 20, ""),
            "market/ticker": (self._ticker, 20, ""),
            "market/index-tickers": (self._index_tickers, 20, ""),
            "system/status": (lambda query: self.venue.reference.third_status(), 1, ""),
            "public/position-tiers": (self._tiers, 10, ""),
        }
        self._routes |= OkxHistory(self, CodeError).routes

    async def answer(self, path: str, query) -> web.Response:
        """`path` is the venue's whole path. Never raises."""
        try:
            name = path.removeprefix("/api/v5/")
            route = self._routes.get(name) if name != path else None
            if route is None:
                raise CodeError("404", "Not Found", 404)
            answer, most, own = route
            self._count(f"{name} {query.get(own, '')}", most)
            one = self.venue.instruments.get(query.get("instId", ""))
            market = one.market if one else "okx_option" if query.get("instType") == "OPTION" else "*"
            is_book = name == "market/books"
            fault, _ = self.venue.faults.of_rest(market, query.get("instId", "*"), is_book)
            if fault in ("http_429", "http_418"):
                raise CodeError("50011", "Too Many Requests", 429)
            if fault == "http_500":
                raise Refusal(
                    503,
                    "<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>",
                    content_type="text/html",
                )
            rows = self.venue.options.answer(name, query) if self.venue.options is not None else None
            if rows is None:
                rows = self._books(query, fault == "stale_snapshot") if is_book else answer(query)
            return json_response(f'{{"code":"0","msg":"","data":[{",".join(rows)}]}}')
        except (ValueError, OverflowError):  # a parameter that is no number
            return self._refused(CodeError("51000", "Parameter error", 400))
        except CodeError as refused:
            return self._refused(refused)
        except Refusal as refusal:
            return refusal.response()

    @staticmethod
    def _refused(error: CodeError) -> web.Response:
        body = dumps({"code": error.code, "msg": error.message, "data": []})
        return web.Response(status=error.status, text=body, content_type="application/json")

    def _count(self, key: str, most: int) -> None:
        now = time.monotonic()
        heard = self._heard.setdefault(key, deque())
        while heard and now - heard[0] > WINDOW_S:
            heard.popleft()
        if len(heard) >= most:
            raise CodeError("50011", "Too Many Requests", 429)
        heard.append(now)

    # ------------------------------------------------------------------ parameters

    def one(self, query) -> Instrument:
        name = query.get("instId")
        if not name:
            raise CodeError("50014", "Parameter instId can not be empty.", 400)
        one = self.venue.instruments.get(name)
        if one is None:
            raise CodeError("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return one

    def _of_type(self, query) -> list[Instrument]:
        name = query.get("instType")
        if not name:
            raise CodeError("50014", "Parameter instType can not be empty.", 400)
        if name in ("OPTION", "MARGIN", "EVENTS"):
            return []
        if name not in self.venue.by_type:
            raise CodeError("51000", "Parameter instType error")
        some = list(self.venue.by_type[name].values())
        if query.get("instFamily") or query.get("uly"):
            some = [one for one in some if one.listing.pair == (query.get("instFamily") or query["uly"])]
        if query.get("instId"):
            some = [one for one in some if one.symbol == query["instId"]]
            if not some:
                raise CodeError("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return some

    def number(self, query, name: str, default: int, most: int) -> int:
        text = query.get(name)
        if not text:
            return default
        if not text.isdigit() or not int(text) > 0:
            raise CodeError("51000", f"Parameter {name} error")
        return min(most, int(text))

    # ------------------------------------------------------------------ answers

    def _time(self, query) -> list[str]:
        return [f'{{"ts":"{int((time.time() + self.ahead_s) * 1000)}"}}']

    def _books(self, query, stale: bool = False) -> list[str]:
        one = self.one(query)
        size = self.number(query, "sz", 1, 400)
        book = one.old_book() if stale else one.model
        asks, bids = (streams.rows(one, number, book.sides[number].top(size)) for number in (1, 0))
        at_ms = int(time.time() * 1000) // 50 * 50
        return [f'{{"asks":{asks},"bids":{bids},"ts":"{at_ms}","seqId":{book.last_id}}}']

    def _books_full(self, query) -> list[str]:
        one = self.one(query)
        size = self.number(query, "sz", 1, 5000)
        px, qty = one.px.trim, one.qty.trim
        sides = []
        for side in one.model.sides:
            levels = [f'["{px(tick)}","{qty(lots)}","{side.orders[tick]}"]' for tick, lots in side.top(size)]
            sides.append("[" + ",".join(levels) + "]")
        return [f'{{"asks":{sides[1]},"bids":{sides[0]},"ts":"{int(time.time())}000"}}']

    def _trade_rows(self, one: Instrument, fills) -> list[str]:
        px, qty = one.px.trim, one.qty.trim
        return [
            f'{{"instId":"{one.symbol}","side":"{"sell" if fill.buyer_is_maker else "buy"}","sz":"{qty(fill.lots)}",'
            f'"px":"{px(fill.tick)}","source":"0","tradeId":"{fill.id}","ts":"{fill.at_ns // 1_000_000}"}}'
            for fill in fills
        ]

    def _trades(self, query) -> list[str]:
        one = self.one(query)
        return self._trade_rows(one, reversed(one.newest_fills(self.number(query, "limit", 100, 500))))

    def _history_trades(self, query) -> list[str]:
        """type 1 pages by trade id, type 2 by time: `after` is older, `before` is newer."""
        one = self.one(query)
        limit = self.number(query, "limit", 100, 100)
        by_time = query.get("type") == "2"
        after, before = query.get("after"), query.get("before")
        if by_time and before:
            raise CodeError("50039", "The before parameter can't be used together with timestamps")
        edge = int(after) if after else 1 << 60
        if before and not after:  # the page next to the edge is the newest one, as everywhere at this venue
            fills = [fill for fill in one.newest_fills(limit) if fill.id > int(before)]
        else:
            fills = [fill for fill in one.fills_before(edge, limit, by_time) if fill.id > int(before or 0)]
        return self._trade_rows(one, reversed(fills))

    def _candles(self, query, recent: bool = True) -> list[str]:
        """`recent`: the newest 1,440 and no older one."""
        one = self.one(query)
        period = streams.PERIODS.get(query.get("bar", "1m"))
        if period is None:
            raise CodeError("51000", "Parameter bar error")
        limit = self.number(query, "limit", 100, 300)
        now_ms = int(time.time() * 1000)
        after, before = query.get("after"), query.get("before")
        until = min(now_ms, int(after) - 1) if after else now_ms
        since = int(before) + 1 if before else 0
        if recent:
            since = max(since, period.opens(now_ms) - (CANDLES_KEPT - 1) * period.ms)
        since = max(period.closes(period.opens(since - 1)), until - (limit + 1) * period.ms)
        bars = one.candles.between(period, since, until)[-limit:]
        return [streams.candle_row(one, period, bar, now_ms) for bar in reversed(bars)]

    def _tickers(self, query) -> list[str]:
        now_ms = int(time.time() * 1000)
        return [streams.ticker_row(one, now_ms) for one in self._of_type(query)]

    def _ticker(self, query) -> list[str]:
        return [streams.ticker_row(self.one(query), int(time.time() * 1000))]

    def _indices(self) -> dict[str, Instrument]:
        """{name of an index: an instrument that follows it}: those of contracts, and those of spot pairs."""
        return {one.listing.pair or one.symbol: one for one in self.venue.instruments.values()}

    def _index_tickers(self, query) -> list[str]:
        now_ms, rows = int(time.time() * 1000), []
        for name, one in self._indices().items():
            if query.get("instId", name) == name and query.get("quoteCcy", name.rpartition("-")[2]) == name.rpartition("-")[2]:
                rows.append(streams.index_row(one, name, now_ms))
        if not rows:
            raise CodeError("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return rows

    def _funding(self, query) -> list[str]:
        now_ms = int(time.time() * 1000)
        if query.get("instId") == "ANY":
            return [streams.funding_row(one, now_ms) for one in self.venue.by_type["SWAP"].values()]
        one = self.one(query)
        if streams.inst_type(one) != "SWAP":
            raise CodeError("51000", "Parameter instId error")
        return [streams.funding_row(one, now_ms)]

    def _mark(self, query) -> list[str]:
        now_ms = int(time.time() * 1000)
        return [streams.mark_row(one, now_ms) for one in self._of_type(query) if not one.is_spot]

    def _open_interest(self, query) -> list[str]:
        now_ms = int(time.time() * 1000)
        return [streams.interest_row(one, now_ms) for one in self._of_type(query) if not one.is_spot]

    def _insurance(self, query) -> list[str]:
        kind = query.get("instType")
        if kind not in ("SWAP", "FUTURES", "MARGIN", "OPTION"):
            raise CodeError("51000", "Parameter instType error")
        family = query.get("instFamily") or query.get("uly") or ""
        if kind != "MARGIN" and not family:
            raise CodeError("50014", "Parameter instFamily can not be empty.", 400)
        return [self.venue.insurance.third(family, kind, self.number(query, "limit", 100, 100), int(time.time() * 1000))]

    def _tiers(self, query) -> list[str]:
        """Three tiers of a family, in contracts."""
        if query.get("tdMode") not in ("cross", "isolated"):
            raise CodeError("50014", "Parameter tdMode can not be empty.", 400)
        if not self._of_type(query):
            return []
        family = query.get("instFamily") or query.get("uly") or ""
        rows, least = [], 0
        for tier, (most, imr, mmr, lever) in enumerate((("1000", "0.01", "0.004", "100"), ("5000", "0.02", "0.008", "50"), ("20000", "0.1", "0.05", "10")), 1):
            rows.append(
                dumps(
                    {
                        "baseMaxLoan": "", "imr": imr, "instFamily": family, "instId": "", "maxLever": lever, "maxSz": most, "minSz": str(least),
                        "mmr": mmr, "optMgnFactor": "0", "quoteMaxLoan": "", "tier": str(tier), "uly": family,
                    }
                )
            )  # fmt: skip
            least = int(most) + 1
        return rows

    def _price_limit(self, query) -> list[str]:
        one = self.one(query)
        tick = one.candles.last_tick
        high, low = one.px.trim(tick + tick // 50), one.px.trim(tick - tick // 50)
        at_ms = int(time.time() * 1000)
        return [
            f'{{"buyLmt":"{high}","enabled":true,"instId":"{one.symbol}","instType":"{streams.inst_type(one)}","sellLmt":"{low}","ts":"{at_ms}"}}'
        ]

    def _liquidations(self, query) -> list[str]:
        return []

    # ------------------------------------------------------------------ reference data

    def _instruments(self, query) -> list[str]:
        if query.get("instType") == "OPTION" and not (query.get("instFamily") or query.get("uly")):
            raise CodeError("50015", "Either parameter uly or instFamily is required", 400)
        return [dumps(self.row(one)) for one in self._of_type(query)]

    def row(self, one: Instrument) -> dict:
        listing, spot = one.listing, one.is_spot
        dated = listing.expiry_ms is not None
        row = dict.fromkeys(
            ["alias", "auctionEndTime", "baseCcy", "category", "contTdSwTime", "ctMult", "ctType", "ctVal", "ctValCcy", "expTime", "freq", "futureSettlement", "groupId", "instCategory", "instFamily", "instId", "instIdCode", "instType", "lever", "listTime", "longPosRemainingQuota", "lotSz", "maxIcebergSz", "maxLmtAmt", "maxLmtSz", "maxMktAmt", "maxMktSz", "maxPlatOILmt", "maxStopSz", "maxTriggerSz", "maxTwapSz", "method", "minSz", "openType", "optType", "posLmtAmt", "posLmtPct", "preMktSwTime", "quoteCcy", "ruleType", "seriesId", "settleCcy", "shortPosRemainingQuota", "state", "stk", "tickSz", "tradeQuoteCcyList", "uly", "upcChg"],
            "",
        )
        row |= {
            "category": "1",
            "futureSettlement": dated,
            "groupId": "12" if spot else "4",
            "instCategory": "1",
            "instId": one.symbol,
            "instIdCode": one.code,
            "instType": streams.inst_type(one),
            "lever": "10" if spot else "100",
            "listTime": "1573557408000",
            "lotSz": price_lot(one),
            "minSz": "0.00001" if spot else price_lot(one),
            "tickSz": price_tick(one),
            "maxLmtSz": "100000000",
            "maxMktSz": "34000",
            "maxLmtAmt": "20000000",
            "maxStopSz": "34000",
            "maxIcebergSz": "100000000.0000000000000000",
            "maxTriggerSz": "100000000.0000000000000000",
            "maxTwapSz": "100000000.0000000000000000",
            "openType": "call_auction",
            "ruleType": "normal",
            "state": one.status or "live",
            "tradeQuoteCcyList": [listing.quote] if spot else [],
            "upcChg": [],
        }
        if spot:
            return row | {"baseCcy": listing.base, "quoteCcy": listing.quote}
        return row | {
            "alias": listing.contract,
            "ctMult": "1",
            "ctType": listing.kind,
            "ctVal": plain(listing.contract_value),
            "ctValCcy": "USD" if one.is_inverse else listing.base,
            "expTime": str(one.last_day_ms or listing.expiry_ms or ""),
            "instFamily": listing.pair,
            "uly": listing.pair,
            "settleCcy": listing.settle,
        }
