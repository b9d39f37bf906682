"""The second venue's sockets: one per category, three shapes of ack, refusals by text, ping as a request."""

import time
from dataclasses import dataclass

import ujson
from aiohttp import WSMsgType, web

from p9.simulate import bybit_streams as streams
from p9.simulate.adl import AdlTopic
from p9.simulate.bybit_options import BybitOptions
from p9.simulate.connection import Connection
from p9.simulate.faults import Faults
from p9.simulate.instrument import Instrument
from p9.simulate.insurance import Insurance, InsuranceTopic
from p9.simulate.private_streams import OrderSocket
from p9.simulate.reference import ReferenceData, SystemStatus
from p9.simulate.schedule import Schedule

MOST_ARGS_CHARACTERS = 21_000
SPOT_ARGS = 10


@dataclass
class Category:
    """One product line: its instruments by symbol and its running topics."""

    name: str
    instruments: dict[str, Instrument]
    topics: dict[str, streams.Topic]


class Bybit:
    def __init__(self, markets: dict[str, list[Instrument]], schedule: Schedule, faults: Faults, options: BybitOptions | None = None):
        """`markets` by category: spot, linear, inverse."""
        self.options = options
        self.categories = {
            name: Category(name, {one.symbol: one for one in instruments}, {}) for name, instruments in markets.items()
        }
        self.misc = Category("misc/status", {}, {})  # a socket of its own for the venue's status
        self.connections: set[Connection] = set()
        self.faults, self._schedule = faults, schedule
        self.orders: OrderSocket | None = None  # the simulator's to set
        self.insurance: Insurance | None = None  # and this
        self.reference: ReferenceData | None = None  # and this
        self._next_u: dict[tuple[str, str], int] = {}

    # ------------------------------------------------------------------ topics

    def topic(self, category: Category, name: str) -> streams.Topic | None:
        """The running topic of this name, started if need be; None if the venue has no handler for it."""
        topic = category.topics.get(name)
        if topic is None:
            topic = self._make(category, name)
            if topic is not None:
                category.topics[name] = topic
                topic.instrument.streams.append(topic)
                if topic.period_ms:
                    self._schedule.add(topic, topic.period_ms)
        return topic

    def _make(self, category: Category, name: str) -> streams.Topic | None:
        kind, _, rest = name.partition(".")
        if kind in ("orderbook", "kline"):
            arg, _, symbol = rest.partition(".")
        else:
            arg, symbol = "", rest
        if name == "system.status" and category is self.misc:
            return SystemStatus(name, next(iter(self.categories["linear"].instruments.values())), self.reference)
        if kind == "adlAlert" and symbol in {"linear": ("USDT", "USDC"), "inverse": ("inverse",)}.get(category.name, ()):
            return AdlTopic(name, next(iter(category.instruments.values())), self.insurance)
        if kind == "insurance" and symbol in {"linear": ("USDT", "USDC"), "inverse": ("inverse",)}.get(category.name, ()):
            return InsuranceTopic(name, next(iter(category.instruments.values())), self.insurance)
        one = category.instruments.get(symbol)
        if one is None:
            return None
        if kind == "orderbook" and arg in ("1", "50", "200", "1000"):
            first_u = self._next_u.get((one.market, name), 1_000_000 + 7_919 * (len(name) + int(arg)))
            if arg == "1":
                return streams.Touch(name, one, first_u)
            return streams.Orderbook(name, one, int(arg), first_u)
        if kind == "kline" and arg in streams.PERIODS:
            return streams.Kline(name, one, arg)
        if kind == "publicTrade":
            return streams.PublicTrade(name, one)
        if kind == "tickers":
            return streams.Ticker(name, one)
        if kind == "allLiquidation" and not one.is_spot:
            return streams.AllLiquidation(name, one)
        return None

    def _stop(self, category: Category, topic: streams.Topic) -> None:
        del category.topics[topic.name]
        topic.instrument.streams.remove(topic)
        self._schedule.remove(topic)
        if isinstance(topic, streams.Orderbook | streams.Touch):
            self._next_u[topic.instrument.market, topic.name] = topic.u + 1

    def _leave(self, category: Category, connection: Connection, name: str) -> None:
        topic = connection.subscriptions.pop(name, None)
        if topic is not None:
            topic.subscribers.discard(connection)
            if not topic.subscribers:
                self._stop(category, topic)

    def rest_window(self, one: Instrument) -> tuple[list, int, int, int]:
        """([bids, asks], u, seq, at ns) of the 1000-level book: the same counter as the topic orderbook.1000."""
        category = self.categories[one.market.removeprefix("bybit_")]
        running = category.topics.get(f"orderbook.1000.{one.symbol}")
        if running is not None:
            window = running.window
            return window.levels(), running.u, window.last_id, window.at_ns
        name = f"orderbook.1000.{one.symbol}"
        key = (one.market, name)
        made = self._make(category, name)
        self._next_u[key] = made.u + 1
        return made.window.levels(), made.u, made.window.last_id, made.window.at_ns

    # ------------------------------------------------------------------ sockets

    async def socket(self, request: web.Request, path: str) -> web.StreamResponse:
        name = path.removeprefix("v5/public/")
        if path == "v5/private" and self.orders is not None:
            return await self.orders.socket(request)
        if name == "option" and self.options is not None:
            return await self.options.socket(request, self.connections)
        category = self.misc if name == self.misc.name else self.categories.get(name)
        if category is None or name == path:
            return web.Response(status=404, text="404 page not found")
        ws = web.WebSocketResponse(compress=False, max_msg_size=1 << 20)
        await ws.prepare(request)
        connection = Connection(ws, "bybit" if category is self.misc else f"bybit_{name}", self.faults)
        connection.id = f"da7{connection.id}-{connection.number:x}"
        self.connections.add(connection)
        try:
            async for message in ws:
                if message.type == WSMsgType.TEXT:
                    self._answer(category, connection, message.data)
        finally:
            self.connections.discard(connection)
            for topic in list(connection.subscriptions):
                self._leave(category, connection, topic)
            await connection.stop()
        return ws

    def _reply(self, connection: Connection, success: bool, text: str, op: str, request: dict, spot: bool) -> None:
        """Spot leaves `req_id` out where none was sent; the derivatives lines send an empty one."""
        reply = {"success": success, "ret_msg": text, "conn_id": connection.id}
        if "req_id" in request or not spot:
            reply["req_id"] = request.get("req_id", "")
        reply["op"] = op
        connection.send(ujson.dumps(reply, escape_forward_slashes=False))

    def _answer(self, category: Category, connection: Connection, text: str) -> None:
        spot = category.name == "spot"
        try:
            request = ujson.loads(text)
            if not isinstance(request, dict):
                raise ValueError
        except ValueError:
            reason = f"Failed to decode incoming data:readObjectStart: expect {{ or n, but found {text[:1]}"
            self._reply(connection, False, reason, "", {}, spot)
            return
        op, args = request.get("op"), request.get("args", [])
        if op == "ping":
            self._reply(connection, True, "pong", "ping", request, spot)
        elif op not in ("subscribe", "unsubscribe"):
            self._reply(connection, False, "error:invalid op", str(op), request, spot)
        elif not isinstance(args, list) or not args or not all(isinstance(name, str) for name in args):
            self._reply(connection, False, "Params Error", op, request, spot)
        elif spot and len(args) > SPOT_ARGS:
            self._reply(connection, False, f"args size >{SPOT_ARGS}", op, request, spot)
        elif op == "subscribe":
            self._subscribe(category, connection, request, args)
        else:
            for name in args:
                self._leave(category, connection, name)
            self._reply(connection, True, "unsubscribe" if spot else "", op, request, spot)

    def _subscribe(self, category: Category, connection: Connection, request: dict, args: list[str]) -> None:
        spot = category.name == "spot"
        if sum(map(len, [*connection.subscriptions, *args])) > MOST_ARGS_CHARACTERS:
            self._reply(connection, False, "Params Error", "subscribe", request, spot)
            return
        refusal = None
        started = []
        for name in args:
            if name in connection.subscriptions:
                refusal = refusal or f"error:already subscribed,topic:{name}"
                continue
            topic = self.topic(category, name)
            if topic is None:
                refusal = refusal or f"error:handler not found,topic:{name}"
                continue
            connection.subscriptions[name] = topic
            topic.subscribers.add(connection)
            started.append(topic)
        # Data may come before the ack, as it does at the venue: first frames go out at once, then the ack.
        now_ms = time.time_ns() // 1_000_000
        for topic in started:
            first = topic.first_frame(now_ms)
            if first is not None:
                connection.deliver(
                    first.encode(), topic.name, topic.instrument.market, topic.instrument.symbol, topic.kind
                )
        self._reply(connection, refusal is None, refusal or ("subscribe" if spot else ""), "subscribe", request, spot)
