"""The simulator: nine markets on one loopback port, each venue's own paths below a prefix, and the oracle beside them.

/binance_spot/api/v3/…   /binance_spot/stream?streams=…      /bybit/v5/market/…   /bybit/v5/public/linear
/binance_usdm/fapi/v1/…  /binance_usdm/public/stream         /okx/api/v5/…        /okx/ws/v5/public
/oracle/…                the truth, and what may be done by hand: oracle.py, plants.py, account.py, blocks.py
"""

import asyncio
import time

from aiohttp import web

from p9.simulate import bybit_streams
from p9.simulate.account import KEY, PASSPHRASE, SECRET, Account
from p9.simulate.archive import Shelf
from p9.simulate.binance import BinanceMarket
from p9.simulate.binance_options import BinanceOptions, BinanceOptionsRest
from p9.simulate.binance_rest import BinanceRest
from p9.simulate.binance_weights import Weights
from p9.simulate.blocks import Blocks
from p9.simulate.bybit import Bybit
from p9.simulate.bybit_options import BybitOptions
from p9.simulate.bybit_rest import BybitRest
from p9.simulate.catalogue import COINS, MARKETS, OPTION_MARKETS, listings
from p9.simulate.faults import FRAME_FAULTS, REST_FAULTS, Faults, Scope, parse
from p9.simulate.index import Index
from p9.simulate.instrument import Instrument
from p9.simulate.insurance import Insurance
from p9.simulate.okx import Okx
from p9.simulate.okx_options import OkxOptions
from p9.simulate.okx_rest import OkxRest
from p9.simulate.option_chain import OptionChain
from p9.simulate.oracle import Oracle
from p9.simulate.order_history import OrderHistory
from p9.simulate.plants import Plants
from p9.simulate.private_streams import AlgoOrders, ListenKeyStream, OrderSocket, UserDataSocket
from p9.simulate.reference import ReferenceData
from p9.simulate.schedule import SLOT_MS, Schedule
from p9.simulate.tops import Tops

OPTION_COINS = ("BTC", "ETH")
LATE_S = 0.1  # behind its own time: that is noted
PHOTO_EVERY = 200  # slots of 10 ms between two photographs of a book
ID_STEPS = {
    "binance_spot": (1,),
    "binance": tuple(range(1, 40)),
    "bybit": tuple(range(1, 12)),
    "okx": tuple(range(2, 24)),
}
FIRST_IDS = {"binance": 50_093_239_203, "bybit": 546_137_962_055, "okx": 80_274_874_923}


class Simulator:
    """`instruments` per market (or {market: how many}, elsewhere 2); `faults` as in p9.simulate.faults; `rate` multiplies all order flow (1.0 is about 100
    orders a second on the busiest instrument of a market)."""

    def __init__(self, seed: int = 1, port: int = 0, instruments: int | dict[str, int] = 2, faults: str = "", rate: float = 1.0):
        self.instruments_of = {name: instruments.get(name, 2) if isinstance(instruments, dict) else instruments for name in MARKETS}
        parse(faults, max(self.instruments_of.values()))
        self.seed, self.port, self.rate = seed, port, rate
        self.faults = Faults(faults, seed)
        self.instruments: dict[tuple[str, str], Instrument] = {}
        self.weights = {"spot": Weights(6000), "futures": Weights(2400), "options": Weights(400)}
        self.schedule = Schedule()
        self.frozen = False
        self._runner: web.AppRunner | None = None
        self._flow: asyncio.Task | None = None

    @property
    def endpoints(self) -> dict[str, dict[str, str]]:
        """{market: {"rest": base, "ws": base}}: the venue's own paths hang below both."""
        found = {}
        for market in (*MARKETS, *OPTION_MARKETS):
            prefix = market if market.startswith("binance") else market.split("_")[0]
            base = f"127.0.0.1:{self.port}/{prefix}"
            found[market] = {"rest": f"http://{base}", "ws": f"ws://{base}"}
            if "binance" in market:
                found[market]["archive"] = f"{self.url}/archive"
            found[market] |= {"key": KEY, "secret": SECRET, "passphrase": PASSPHRASE}
        return found

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Lay out the markets, bind, and let the flow begin."""
        start_ns = time.time_ns() // 10_000_000 * 10_000_000
        markets = self._list(start_ns)
        self.binance = {
            name: BinanceMarket(name, markets[name], self.schedule, self.faults)
            for name in MARKETS
            if "binance" in name
        }
        self.bybit = Bybit(
            {name.removeprefix("bybit_"): markets[name] for name in MARKETS if "bybit" in name},
            self.schedule,
            self.faults,
            BybitOptions(self.chains, self.schedule, self.faults),
        )
        okx_options = OkxOptions(self.chains)
        self.okx = Okx({name: markets[name] for name in MARKETS if "okx" in name}, self.schedule, self.faults, okx_options)
        self._rests = {
            name: BinanceRest(market, self.weights["futures" if market.futures else "spot"]) for name, market in self.binance.items()
        }
        self.shelf = Shelf(self.instruments)
        self._rests |= {"bybit": BybitRest(self.bybit), "okx": OkxRest(self.okx)}
        self.insurance, self.reference = Insurance(markets), ReferenceData(self.binance, self.bybit, self.okx)
        for venue in (*self.binance.values(), self.bybit, self.okx):
            venue.insurance, venue.reference = self.insurance, self.reference
        self.okx.instrument_row = self._rests["okx"].row
        self.binance["binance_option"] = options = BinanceOptions(self.chains, self.schedule, self.faults)
        self._rests["binance_option"] = BinanceOptionsRest(options, self.weights["options"])
        self.account = account = Account(self.instruments)
        self.schedule.add(account, account.period_ms)
        for market in ("binance_usdm", "binance_coinm"):
            self.binance[market].orders = ListenKeyStream(market, account)
        self.binance["binance_spot"].user_data = UserDataSocket(account, self.faults, self.binance["binance_spot"].connections)
        self.bybit.orders, self.okx.orders = OrderSocket(account, self.faults, self.bybit.connections), AlgoOrders(account)
        self.order_history = OrderHistory(account, self.faults, self.weights)
        app = web.Application()
        account.add_routes(app.router)
        self.blocks = Blocks(self.instruments)
        self.blocks.add_routes(app.router)
        self.plants = Plants(self.instruments)
        self.plants.add_routes(app.router)
        self.oracle = Oracle(self)
        self.oracle.add_routes(app.router)
        app.router.add_route("*", "/{prefix}/{path:.*}", self._venue)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._flow = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._flow is not None:
            self._flow.cancel()
            await asyncio.gather(self._flow, return_exceptions=True)
        if self._runner is not None:
            for connection in self._connections():
                connection.close(1001, "going away")
            await self._runner.cleanup()

    def freeze(self) -> None:
        """No further orders; what is waiting in batches is still sent."""
        self.frozen = True
        for chain in self.chains.values():
            chain.held_ms = time.time_ns() // 1_000_000

    def resume(self) -> None:
        now_ns = time.time_ns()
        for one in self.instruments.values():
            one.model.skip(now_ns)
        for chain in self.chains.values():
            chain.held_ms = None
        self.frozen = False

    # ------------------------------------------------------------------ flow

    def _list(self, start_ns: int) -> dict[str, list[Instrument]]:
        indices: dict[str, Index] = {}
        self.chains: dict[str, OptionChain] = {}
        markets: dict[str, list[Instrument]] = {}
        for market in MARKETS:
            venue = market.split("_")[0]
            markets[market] = []
            for place, listing in enumerate(listings(market, self.instruments_of[market], start_ns // 1_000_000)):
                if listing.base not in indices:
                    seed = f"{self.seed} index {listing.base}"
                    indices[listing.base] = Index(seed, start_ns, float(COINS[listing.base][0]))
                    if listing.base in OPTION_COINS:
                        self.chains[listing.base] = OptionChain(listing.base, indices[listing.base], f"{self.seed}")
                one = Instrument(
                    listing,
                    indices[listing.base],
                    f"{self.seed} {market} {listing.symbol}",
                    start_ns,
                    self.rate * max(2.0, 100.0 / (1 + place)),
                    ID_STEPS.get(market) or ID_STEPS[venue],
                    FIRST_IDS[venue] + place * 1_000_000_007,
                )
                one.tops = Tops()
                markets[market].append(one)
                self.instruments[market, listing.symbol] = one
        return markets

    async def _run(self) -> None:
        some = list(self.instruments.values())
        slot = time.time_ns() // (SLOT_MS * 1_000_000)
        while True:
            now_ns = time.time_ns()
            current = now_ns // (SLOT_MS * 1_000_000)
            if (late_s := (current - slot - 1) * SLOT_MS / 1000) > LATE_S:
                self.faults.incidents.note("late", for_s=late_s)
            # After a stall every missed slot is made up for, so that no stream loses its turn.
            for number in range(max(slot + 1, current - 100), current + 1):
                at_ns = number * SLOT_MS * 1_000_000
                if not self.frozen:
                    for one in some:
                        if one.model.next_ns <= at_ns and not one.gone:
                            one.step(at_ns)
                self.schedule.run(number, at_ns // 1_000_000)
                for one in some[number % PHOTO_EVERY :: PHOTO_EVERY]:
                    one.photograph()
                if number < current:  # who asks something is answered between two slots: a machine that is too slow never comes to the end of them
                    await asyncio.sleep(0)
            slot = current
            await asyncio.sleep(max(0.001, ((current + 1) * SLOT_MS * 1_000_000 - time.time_ns()) / 1e9))

    def _connections(self):
        found = [connection for market in self.binance.values() for connection in market.connections]
        return found + list(self.bybit.connections) + list(self.okx.connections)

    # ------------------------------------------------------------------ doors

    async def _venue(self, request: web.Request) -> web.StreamResponse:
        prefix, path = request.match_info["prefix"], request.match_info["path"]
        if prefix == "archive":
            return self.shelf.answer(f"/{path}")
        venue = self.binance.get(prefix) or {"bybit": self.bybit, "okx": self.okx}.get(prefix)
        if venue is None:
            return web.Response(status=404, text=f"there is no venue below /{prefix}\n")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            try:
                return await venue.socket(request, path)
            except ConnectionResetError:  # it went away during the handshake
                return web.Response(status=400)
        if path in ("fapi/v1/listenKey", "dapi/v1/listenKey") and prefix in self.binance:
            return self.account.listen_key(prefix, request.method, request.headers.get("X-MBX-APIKEY"))
        private = self.order_history.answer(prefix, request)
        return private if private is not None else await self._rests[prefix].answer(f"/{path}", request.query)

    def inject(self, name: str, scope: Scope, count: int = 1, for_s: float = 0.0) -> int | None:
        """Do it; how many sockets, books or coming frames it concerns, None for an unknown name. `for_s`: of a mute (0: 5 s), the patience
        that a refusal asks for (0: the venue's own), or how far a clock runs ahead (0: it is right again)."""
        if name in (*FRAME_FAULTS, *REST_FAULTS):
            self.faults.by_hand(name, scope, count, for_s)
            return count
        market, venue = scope.market, scope.market.split("_")[0]
        if name in ("disconnect", "mute", "close"):
            hit = [each for each in self._connections() if scope.covers_market(each.market)]
            for connection in hit:
                self.faults.count(name, connection.market)
                if name == "disconnect":
                    connection.cut()
                elif name == "close":
                    connection.close(1001, "going away")
                else:
                    connection.mute(for_s or 5.0)
            return len(hit)
        if name == "skew":
            hit = [rest for prefix, rest in self._rests.items() if venue in ("*", prefix.split("_")[0])]
            for rest in hit:
                rest.ahead_s = for_s
            self.faults.incidents.note(name, market=market, for_s=for_s)
            self.faults.count(name, market)
            return len(hit)
        if name == "announce":  # serverShutdown, notice 64008
            if venue in ("*", "binance"):
                self.binance["binance_spot"].shut_down()
            if venue in ("*", "okx"):
                self.okx.notice()
            self.faults.incidents.note(name, market=market)
            self.faults.count(name, market)
            return 1
        if name == "restart":  # u = 1 on one venue, small seqIds on another
            hit = [one for one in self.instruments.values() if scope.covers(one.market, one.symbol, scope.kind)]
            for one in hit:
                self.faults.count(name, one.market)
                self.faults.incidents.note(name, market=one.market, symbol=one.symbol)
                self._restart(one)
            return len(hit)
        return None

    def _restart(self, one: Instrument) -> None:
        if one.market.startswith("okx"):
            one.model.last_id = 3
        elif one.market.startswith("bybit"):
            now_ms = time.time_ns() // 1_000_000
            for topic in self.bybit.categories[one.market.removeprefix("bybit_")].topics.values():
                if topic.instrument is one and isinstance(topic, bybit_streams.Orderbook):
                    topic.restart(now_ms)
