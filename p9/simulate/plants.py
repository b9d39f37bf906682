"""What is put into the order flow on request, and what became of it: the truth for whoever has to find it.

POST /oracle/plant {"what", "market", "symbol", "side": "sell", "orders": 8, "every_ms": 50, "quote": 2000000, "bps": 50, "stands_ms": 30000}

    cascade    liquidations, one after the other: longs that are sold (side sell) or shorts that are bought
    stop_run   the same orders, forced by nobody: positions are closed by their owners' stops
    burst      the same, of people who open positions
    whale      one order of all that is asked for
    jump       the price that everybody follows leaps by `bps`, and one order takes what stands between
    wall       one order of all that is asked for rests `bps` from the mid (side buy: among the bids) for `stands_ms`; then what is left of it is taken back
    spoof      the same, and half-way a twentieth of it is bought (side buy) or sold at the market: from the other side of the book

`quote` is what all orders together are worth, in quote coins (an inverse contract's: dollars). A spoof without a `quote` is as large as nobody overlooks: twice
all that stands within 20 bps, at a price of its own; without a `side` it rests on the thinner one. With `calm_ms` the flow liquidates nobody for so long before and after. The answer
is the plant as it is planned; GET /oracle/plants tells all of them with what was played. GET /oracle/{market}/{symbol}/liquidations?limit= tells every
liquidation there was, planted or not.

POST /oracle/news {"bps": 40, "side": "sell"} has the index of every coin leap, and so every market follows; GET /oracle/news tells all there was.
"""

import time
from decimal import Decimal
from typing import NamedTuple

import ujson
from aiohttp import web

from p9.simulate.instrument import Instrument
from p9.simulate.market import Liquidation, Planned, Resting, Turn
from p9.simulate.scale import plain

KINDS = {  # forced, closes positions
    "cascade": (True, True), "stop_run": (False, True), "burst": (False, False), "whale": (False, False), "jump": (False, False),
    "wall": (False, False), "spoof": (False, False),
}  # fmt: skip
MOST_ORDERS = 1000
MOST_MS = 86_400_000
AGAINST = 20  # a spoof's other half: so much less than what rests
NEAR_BPS = 20


class Plant(NamedTuple):
    id: int
    what: str
    one: Instrument
    orders: list[Planned]
    played: list[Turn]


class Plants:
    def __init__(self, instruments: dict[tuple[str, str], Instrument]):
        self._instruments = instruments
        self._plants: list[Plant] = []
        self._news: list[dict] = []

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/oracle/plant", self._plant)
        router.add_get("/oracle/plants", self._report)
        router.add_post("/oracle/news", self._break_news)
        router.add_get("/oracle/news", self._tell_news)
        router.add_get("/oracle/{market}/{symbol}/liquidations", self._liquidations)

    def plant(self, what: str, one: Instrument, *, side: str | None, orders: int, every_ms: float, quote: float | None, bps: float = 50.0,
              stands_ms: float = 30_000.0, calm_ms: float = 0.0, begins_ns: int | None = None) -> Plant:  # fmt: skip
        """`begins_ns`: None begins in a tenth of a second, and after the calm. Raises ValueError for what cannot be planted."""
        near = [sum(lots for tick, lots in book.lots.items() if abs(tick / book.best - 1) * 1e4 <= NEAR_BPS) for book in one.model.sides] if what == "spoof" else []
        if near and side is None:
            side = "buy" if near[0] < near[1] else "sell"
        if (what not in KINDS or side not in ("buy", "sell") or not 1 <= orders <= MOST_ORDERS or every_ms < 0 or not (near if quote is None else quote > 0)
                or not 0 < bps <= 1000 or not 0 < stands_ms <= MOST_MS or not 0 <= calm_ms <= MOST_MS):  # fmt: skip
            raise ValueError(
                f"what is one of {', '.join(KINDS)}, side buy or sell, orders 1 to {MOST_ORDERS}, every_ms not below 0, quote above 0, bps above 0 to 1000, "
                f"stands_ms above 0 to {MOST_MS}, calm_ms from 0"
            )
        forced, closes = KINDS[what]
        if forced and one.is_spot and not one.lends:
            raise ValueError("nobody is liquidated on a spot market without margin")
        if what not in ("cascade", "stop_run", "burst"):
            orders = 1
        worth = one.qty.step * one.listing.contract_value * (1 if one.is_inverse else one.px.value(one.model.best[0]))
        lots = 2 * sum(near) if quote is None else max(1, round(Decimal(quote) / orders / worth))
        played: list[Turn] = []
        calm_ns = round(calm_ms * 1e6)
        begins_ns = begins_ns or time.time_ns() + 100_000_000 + calm_ns
        leap = (1 if side == "buy" else -1) * bps / 1e4 if what == "jump" else 0.0
        if what in ("wall", "spoof"):
            plans = _rests(what, side == "buy", lots, begins_ns, round(stands_ms * 1e6), Resting(bps, alone=quote is None), played)
        else:
            plans = [Planned(begins_ns + round(n * every_ms * 1e6), side == "buy", lots, forced, closes, played, leap) for n in range(orders)]
        if calm_ns:
            one.model.calm_until_ns = plans[-1].at_ns + calm_ns
        one.model.plan(plans)
        made = Plant(len(self._plants) + 1, what, one, plans, played)
        self._plants.append(made)
        return made

    async def _plant(self, request: web.Request) -> web.Response:
        try:
            asked = ujson.loads(await request.text())
            one = self._instruments[asked["market"], asked["symbol"]]
            made = self.plant(
                asked["what"], one, side=asked.get("side", None if asked["what"] == "spoof" else "sell"), orders=int(asked.get("orders", 8)),
                every_ms=float(asked.get("every_ms", 50)), quote=float(asked["quote"]) if "quote" in asked else None if asked["what"] == "spoof" else 2e6,
                bps=float(asked.get("bps", 50)), stands_ms=float(asked.get("stands_ms", 30_000)), calm_ms=float(asked.get("calm_ms", 0)),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError) as error:
            raise web.HTTPBadRequest(text=f"cannot be planted: {error!r}\n") from error
        return web.json_response(_told(made))

    async def _report(self, request: web.Request) -> web.Response:
        return web.json_response([_told(plant) for plant in self._plants])

    async def _break_news(self, request: web.Request) -> web.Response:
        try:
            asked = ujson.loads(await request.text())
            side, bps = asked.get("side", "sell"), float(asked.get("bps", 40))
            if side not in ("buy", "sell") or not 0 < bps <= 1000:
                raise ValueError(asked)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise web.HTTPBadRequest(text=f'expected {{"bps": 40, "side": "sell"}}, got {error!r}\n') from error
        for index in {one.index for one in self._instruments.values()}:
            index.leap((1 if side == "buy" else -1) * bps / 1e4)
        self._news.append({"at_ns": time.time_ns(), "side": side, "bps": bps})
        return web.json_response(self._news[-1])

    async def _tell_news(self, request: web.Request) -> web.Response:
        return web.json_response(self._news)

    async def _liquidations(self, request: web.Request) -> web.Response:
        key = (request.match_info["market"], request.match_info["symbol"])
        if key not in self._instruments:
            raise web.HTTPNotFound(text=f"there is no {key[0]}/{key[1]}\n")
        limit = int(request.query.get("limit", "1000"))
        one = self._instruments[key]
        return web.json_response([truth(one, forced) for forced in list(one.forced)[-limit:]])


def _rests(what: str, is_buy: bool, lots: int, begins_ns: int, stands_ns: int, order: Resting, played: list[Turn]) -> list[Planned]:
    plans = [Planned(begins_ns + at_ns, is_buy, lots, False, False, played, rests=order, pulls=at_ns > 0) for at_ns in (0, stands_ns)]
    if what == "spoof":
        plans.insert(1, Planned(begins_ns + stands_ns // 2, is_buy, max(1, lots // AGAINST), False, False, played))
    return plans


def truth(one: Instrument, forced: Liquidation) -> dict:
    """A liquidation in plain words: the order's side, the position's, native quantity, the price of the takeover and of its fills in the mean."""
    return {
        "side": "sell" if forced.is_sell else "buy", "position": "long" if forced.is_sell else "short", "quantity": one.qty.trim(forced.lots),
        "takeover_price": one.px.trim(forced.tick), "average_price": plain(one.average_price(forced)), "at_ms": forced.at_ns // 1_000_000,
    }  # fmt: skip


def _told(plant: Plant) -> dict:
    one, orders = plant.one, plant.orders
    played = [
        {
            "at_ns": turn.at_ns, "quantity": one.qty.trim(sum(fill.lots for fill in turn.fills)), "first_price": one.px.trim(turn.fills[0].tick),
            "last_price": one.px.trim(turn.fills[-1].tick), "first_id": turn.fills[0].id, "last_id": turn.fills[-1].id,
            "liquidation": truth(one, turn.liquidation) if turn.liquidation else None,
        }
        for turn in plant.played if turn.fills
    ]  # fmt: skip
    return {
        "id": plant.id, "what": plant.what, "market": one.market, "symbol": one.symbol, "side": "buy" if orders[0].is_buy else "sell",
        "begins_ns": orders[0].at_ns, "ends_ns": orders[-1].at_ns, "orders": len(orders), "leap_bps": round(orders[0].leap * 1e4, 6), "rests": _resting(one, orders[0]), "played": played,
    }  # fmt: skip


def _resting(one: Instrument, first: Planned) -> dict | None:
    """What stands, or stood; its price once it does."""
    if first.rests is None:
        return None
    return {"quantity": one.qty.trim(first.lots), "price": None if first.rests.tick is None else one.px.trim(first.rests.tick)}
