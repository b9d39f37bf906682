"""The simulator's own pages: the truth that every client can be held against, and what may be done to the venues by hand.

/oracle/{market}/{venue_symbol}           the true book with its ids, the last trade's id, the sums of the tape
/oracle/{market}/{venue_symbol}/trades    the newest fills        …/klines    the candles        …/figures    mark, index, funding, open interest
/oracle/{market}/{venue_symbol}/tops      what stood best whenever the venue told its book
/oracle/options/{market}/{underlying}     the surface that its options are made of, and their texts
/oracle/insurance                         the insurance pools, which deleveraging follows
"""

import asyncio
import time
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import ujson
from aiohttp import web

from p9.simulate import bybit_streams, figures
from p9.simulate.binance_streams import PERIODS
from p9.simulate.faults import FRAME_FAULTS, REST_FAULTS, FaultSpecError, Scope
from p9.simulate.instrument import Instrument
from p9.simulate.reference import Work
from p9.simulate.rest import dumps
from p9.simulate.scale import plain

MOST_PATH_MS = 60_000


class Oracle:
    """`simulator` has the venues, and carries out what is asked."""

    def __init__(self, simulator: Any):
        self._simulator = simulator

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/oracle/insurance", self._insurance)
        router.add_post("/oracle/insurance", self._plant_decline)
        router.add_post("/oracle/listing/{market}/{symbol}", self._listing)
        router.add_post("/oracle/maintenance", self._maintenance)
        router.add_get("/oracle/faults", self._faults)
        router.add_get("/oracle/incidents", self._incidents)
        router.add_post("/oracle/faults", self._set_faults)
        router.add_post("/oracle/freeze", self._freeze)
        router.add_post("/oracle/resume", self._resume)
        router.add_post("/oracle/fault", self._fault)
        router.add_get("/oracle/options/{market}/{underlying}", self._options)
        router.add_get("/oracle/{market}/{symbol}", self._book)
        router.add_get("/oracle/{market}/{symbol}/klines", self._klines)
        router.add_get("/oracle/{market}/{symbol}/figures", self._figures)
        router.add_get("/oracle/{market}/{symbol}/tops", self._tops)
        router.add_get("/oracle/{market}/{symbol}/trades", self._trades)
        router.add_get("/oracle/{market}/{symbol}/folded", self._folded)

    def _find(self, request: web.Request) -> Instrument:
        key = (request.match_info["market"], request.match_info["symbol"])
        if key not in self._simulator.instruments:
            known = ", ".join(f"{market}/{symbol}" for market, symbol in self._simulator.instruments)
            raise web.HTTPNotFound(text=f"there is no {key[0]}/{key[1]}; there are {known}\n")
        return self._simulator.instruments[key]

    def truth(self, one: Instrument) -> dict:
        """The true book with its ids. `id` is the id of the last change (u, seq or seqId); where a venue counts its
        messages, `u` holds the count of each running depth; `windows` says how deep each of those reaches."""
        bybit = one.market.startswith("bybit")
        # The texts of the venue's main book stream: padded on two venues, trimmed on the third.
        px, qty = (one.px.trim, one.qty.trim) if one.market.startswith("okx") else (one.px.pad, one.qty.pad)
        last = one.last_fill()
        answer = {
            "market": one.market,
            "venue_symbol": one.symbol,
            "id": one.model.last_id,
            "at_ns": one.model.last_ns,
            "frozen": self._simulator.frozen,
            "last_trade_id": last.id if last else None,
            "trades": one.model.next_trade_id - one.model.first_trade_id,
            "bids": [[px(tick), qty(lots)] for tick, lots in one.model.sides[0].top(1 << 30)],
            "asks": [[px(tick), qty(lots)] for tick, lots in one.model.sides[1].top(1 << 30)],
        }
        if last and bybit:
            answer["last_trade_id"] = bybit_streams.trade_id(one, last)
        if bybit:
            topics = self._simulator.bybit.categories[one.market.removeprefix("bybit_")].topics
            counts = {}
            for depth in (1, 50, 200, 1000):
                topic = topics.get(f"orderbook.{depth}.{one.symbol}")
                if topic is not None:
                    counts[str(depth)] = topic.u
            answer |= {"seq": one.model.last_id, "u": counts}
        elif one.market in self._simulator.binance:
            tape = self._simulator.binance[one.market].aggregates[one.symbol].tape
            answer |= {"u": one.model.last_id, "last_aggregate_id": tape[-1].id if tape else None}
        else:
            answer["seqId"] = one.model.last_id
        return answer

    async def _book(self, request: web.Request) -> web.Response:
        return _json(self.truth(self._find(request)))

    async def _figures(self, request: web.Request) -> web.Response:
        one, at_ms = self._find(request), int(_number(request, "at", time.time_ns() // 1_000_000))
        since_ms = int(_number(request, "since", at_ms)) if "since" in request.query else None
        if since_ms is not None and not 0 <= at_ms - since_ms <= MOST_PATH_MS:
            raise web.HTTPBadRequest(text=f"since is at most {MOST_PATH_MS} ms before at\n")
        return _json(figures.truth(one, at_ms, since_ms))

    async def _options(self, request: web.Request) -> web.Response:
        """The surface behind an underlying (the venue's word for it) at `at` in ms, and the texts of every option as they are sent at that time."""
        market, name = request.match_info["market"], request.match_info["underlying"]
        venue = {"binance_option": self._simulator.binance["binance_option"], "bybit_option": self._simulator.bybit.options, "okx_option": self._simulator.okx.options}.get(market)
        coin = name.removesuffix("USDT").partition("-")[0]
        if venue is None or coin not in self._simulator.chains:
            raise web.HTTPNotFound(text=f"there are no options {market}/{name}\n")
        at_ms = int(_number(request, "at", time.time_ns() // 1_000_000))
        texts = venue.texts(name if market == "okx_option" else coin, at_ms)
        return _json(self._simulator.chains[coin].truth(at_ms) | {"options": texts})

    async def _klines(self, request: web.Request) -> web.Response:
        one = self._find(request)
        period = PERIODS.get(request.query.get("interval", "1m"))
        if period is None:
            raise web.HTTPBadRequest(text=f"interval is one of {', '.join(PERIODS)}\n")
        now_ms = time.time_ns() // 1_000_000
        start_ms = int(max(_number(request, "start", one.candles.start_ms), one.candles.start_ms - period.ms))
        end_ms = int(min(_number(request, "end", now_ms), now_ms))
        rows = []
        for bar in one.candles.between(period, start_ms, end_ms):
            rows.append(
                {
                    "open_ms": bar.open_ms,
                    "close_ms": period.closes(bar.open_ms) - 1,
                    "open": plain(one.px.value(bar.open)),
                    "high": plain(one.px.value(bar.high)),
                    "low": plain(one.px.value(bar.low)),
                    "close": plain(one.px.value(bar.close)),
                    "volume": plain(one.qty.value(bar.lots)),
                    "value": plain(bar.value),
                    "trades": bar.count,
                    "buy_volume": plain(one.qty.value(bar.buy_lots)),
                    "buy_value": plain(Decimal(bar.buy_value)),
                    "first_id": bar.first_id,
                    "last_id": bar.last_id,
                    "closed": period.closes(bar.open_ms) <= now_ms,
                }
            )
        return _json(rows)

    async def _trades(self, request: web.Request) -> web.Response:
        """The newest `limit` fills, or those of them since the ms `since`, oldest first: [id as the venue writes it, price, quantity, aggressor's side, ns]."""
        one, since_ns = self._find(request), int(_number(request, "since", 0)) * 1_000_000
        bybit = one.market.startswith("bybit")
        return _json([
            [
                bybit_streams.trade_id(one, fill) if bybit else str(fill.id), one.px.trim(fill.tick), one.qty.trim(fill.lots),
                "sell" if fill.buyer_is_maker else "buy", fill.at_ns,
            ]
            for fill in one.newest_fills(int(_number(request, "limit", 1000))) if fill.at_ns >= since_ns
        ])  # fmt: skip

    async def _tops(self, request: web.Request) -> web.Response:
        """What stood best whenever the venue told its book, since the ms `since`: [stream ("": REST), id, ms, bids, asks], the sides [[price, quantity], ...] best first."""
        one, since_ms = self._find(request), int(_number(request, "since", 0))
        assert one.tops is not None
        rows = []
        for top in one.tops.since(since_ms):
            levels = [[one.px.trim(tick), one.qty.trim(lots)] for tick, lots in zip(top.levels[::2], top.levels[1::2], strict=True)]
            rows.append([top.stream, top.id, top.at_ms, levels[: len(levels) // 2], levels[len(levels) // 2 :]])
        return _json(rows)

    async def _folded(self, request: web.Request) -> web.Response:
        """The rows that the venue makes of fills, where it folds those of some time into one, since the ms `since`."""
        one, since_ns = self._find(request), int(_number(request, "since", 0)) * 1_000_000
        tapes = getattr(self._simulator.binance.get(one.market), "aggregates", {})
        return _json([
            {
                "id": made.id, "first_id": made.first_id, "last_id": made.last_id, "price": one.px.trim(made.tick), "quantity": one.qty.trim(made.lots),
                "side": "sell" if made.buyer_is_maker else "buy", "at_ms": made.at_ns // 1_000_000,
            }
            for made in (tapes[one.symbol].tape if one.symbol in tapes else ()) if made.at_ns >= since_ns
        ])  # fmt: skip

    async def _insurance(self, request: web.Request) -> web.Response:
        return _json(self._simulator.insurance.truth(int(_number(request, "at", time.time_ns() // 1_000_000))))

    async def _plant_decline(self, request: web.Request) -> web.Response:
        """{"percent": 12, "over_s": 10, "venue": "bybit", "asset": "USDT", "name": a pool's}: what is left out is any."""
        try:
            asked = ujson.loads(await request.text())
            percent, over_s = Decimal(str(asked.pop("percent"))), float(asked.pop("over_s", 0.0))
            if not 0 <= percent <= 200 or not 0 <= over_s <= 1e6 or not set(asked) <= {"venue", "asset", "name"}:
                raise ValueError(asked)
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise web.HTTPBadRequest(text=f'expected {{"percent": 12, "over_s": 10, "venue", "asset", "name"}}, got {error!r}\n') from error
        affected = self._simulator.insurance.plant(time.time_ns() // 1_000_000, percent, int(over_s * 1000), **asked)
        return _json({"affected": affected})

    async def _listing(self, request: web.Request) -> web.Response:
        """{"tick", "lot", "contract_value", "status", "last_day_ms", "gone", "rename"}: some of them."""
        one = self._find(request)
        try:
            asked, name = ujson.loads(await request.text()), one.symbol
            self._simulator.reference.change(one, asked, time.time_ns() // 1_000_000)
            self._simulator.faults.incidents.note("listing", market=one.market, symbol=name, asked=asked)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        self._simulator.instruments[one.market, one.symbol] = one
        return _json({"market": one.market, "venue_symbol": one.symbol, "gone": one.gone})

    async def _maintenance(self, request: web.Request) -> web.Response:
        """{"venue", "id", "title", "state", "begin_ms", "end_ms", "data"}: maintenance, new or in another state."""
        try:
            work = Work(**ujson.loads(await request.text()))
            self._simulator.faults.incidents.note("maintenance", **asdict(work), titled=work.venue != "binance")  # which tells no more than that
        except (ValueError, TypeError) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        self._simulator.reference.announce(work, time.time_ns() // 1_000_000)
        return _json({"venue": work.venue, "id": work.id, "state": work.state})

    async def _faults(self, request: web.Request) -> web.Response:
        return _json(self._simulator.faults.report())

    async def _incidents(self, request: web.Request) -> web.Response:
        return _json(self._simulator.faults.incidents.since(int(_number(request, "since", 0)) * 1_000_000))

    async def _set_faults(self, request: web.Request) -> web.Response:
        """{"spec": "drop:0.01"}: these faults from now on; an empty one ends them (a timed one of a socket may begin with the next socket)."""
        try:
            self._simulator.faults.set(str(ujson.loads(await request.text())["spec"]), max(self._simulator.instruments_of.values()))
        except (ValueError, KeyError, TypeError) as error:
            text = str(error) if isinstance(error, FaultSpecError) else f'expected {{"spec": "drop:0.01"}}, got {error!r}'
            raise web.HTTPBadRequest(text=text + "\n") from error
        return _json(self._simulator.faults.report())

    async def _freeze(self, request: web.Request) -> web.Response:
        """Answers when everything generated has been handed to the sockets."""
        settle_s = min(60.0, _number(request, "settle_s", 1.1))
        self._simulator.freeze()
        await asyncio.sleep(settle_s)
        return _json({"frozen": True})

    async def _resume(self, request: web.Request) -> web.Response:
        self._simulator.resume()
        return _json({"frozen": False})

    async def _fault(self, request: web.Request) -> web.Response:
        """One fault by hand: {"fault": name, "market", "symbol", "kind", "count", "for_s"}."""
        try:
            asked = ujson.loads(await request.text())
            name = asked["fault"]
            scope = Scope(*(str(asked.get(part, "*")) for part in ("market", "symbol", "kind")))
            count, for_s = int(asked.get("count", 1)), float(asked.get("for_s", 0.0))
        except (ValueError, KeyError, TypeError) as error:
            raise web.HTTPBadRequest(text=f'expected {{"fault": name, ...}}, got {error!r}\n') from error
        try:
            scope.check(repr(asked), max(self._simulator.instruments_of.values()))
        except FaultSpecError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        affected = self._simulator.inject(name, scope, count, for_s)
        if affected is None:
            known = ", ".join((*FRAME_FAULTS, *REST_FAULTS, "disconnect", "mute", "close", "announce", "restart", "skew"))
            raise web.HTTPBadRequest(text=f"there is no fault {name!r}; known are {known}\n")
        return _json({"fault": name, "affected": affected})


def _number(request: web.Request, name: str, default: float) -> float:
    """A parameter that is a number, not negative. Raises HTTPBadRequest."""
    text = request.query.get(name)
    try:
        number = default if text is None else float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 1e18:
        raise web.HTTPBadRequest(text=f"{name}: found {text!r}, expected a number that is not negative\n")
    return number


def _json(value: object) -> web.Response:
    return web.Response(text=dumps(value), content_type="application/json")
