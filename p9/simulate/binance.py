"""The first venue's sockets: routes, raw and combined frames, requests, limits, pings and its shutdown notice.

One `BinanceMarket` per product line; the futures lines chain their depth by `pu`, and only the dollar-margined one is
split into routes, where a stream of another route is accepted and stays silent.
"""

import asyncio
import re
import time
from collections import deque
from dataclasses import dataclass

import ujson
from aiohttp import WSMsgType, web

from p9.simulate import binance_streams as streams
from p9.simulate.connection import Connection
from p9.simulate.faults import Faults
from p9.simulate.instrument import Instrument
from p9.simulate.insurance import Insurance
from p9.simulate.private_streams import ListenKeyStream, UserDataSocket
from p9.simulate.reference import ContractInfo, ReferenceData
from p9.simulate.schedule import Schedule

PUBLIC_ROUTE = re.compile(r".*@(depth.*|bookTicker|trade|rpiDepth.*)$|!bookTicker$")
NAME = re.compile(r"^(?P<symbol>[^@]+)@(?P<kind>[A-Za-z]+?)(?P<arg>\d+|_[^@]+)?(?:@(?P<speed>[^@]+))?$")


@dataclass(frozen=True)
class Row:
    """What differs between the product lines. `ping_s` and `pong_s` are the server's ping period and patience."""

    market: str
    messages_per_s: int
    ping_s: float
    pong_s: float
    routed: bool
    speeds: dict[str | None, int]
    partial_speeds: dict[str | None, int]
    most_streams: int = 1024


FUTURES_SPEEDS = {None: 250, "100ms": 100, "250ms": 250, "500ms": 500, "0ms": 0}
ROWS = {
    "binance_spot": Row(
        "binance_spot",
        5,
        20,
        60,
        False,
        {None: 1000, "1000ms": 1000, "100ms": 100},
        {None: 1000, "1000ms": 1000, "100ms": 100},
    ),
    "binance_usdm": Row("binance_usdm", 10, 180, 600, True, FUTURES_SPEEDS, FUTURES_SPEEDS),
    "binance_coinm": Row("binance_coinm", 10, 180, 600, False, FUTURES_SPEEDS, FUTURES_SPEEDS),
    "binance_option": Row("binance_option", 10, 300, 900, True, {}, {}, most_streams=200),
}


class BinanceMarket:
    def __init__(self, market: str, instruments: list[Instrument], schedule: Schedule, faults: Faults):
        self.row, self.futures = ROWS[market], market != "binance_spot"
        self.instruments = {one.symbol: one for one in instruments}
        self.faults, self._schedule = faults, schedule
        self.insurance: Insurance | None = None  # the simulator's to set
        self.reference: ReferenceData | None = None  # and this
        self.connections: set[Connection] = set()
        self.orders: ListenKeyStream | None = None  # the simulator's to set
        self.user_data: UserDataSocket | None = None  # and this, of spot
        self.aggregates = {one.symbol: streams.Aggregates(one) for one in instruments}
        for tape in self.aggregates.values():
            tape.instrument.streams.append(tape)
            schedule.add(tape, tape.period_ms)
        self._streams: dict[str, streams.Stream] = {}

    # ------------------------------------------------------------------ streams

    def stream(self, name: str) -> streams.Stream:
        """The running stream of this name; an unknown name gives a silent one."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = self._make(name) or streams.Silent(name, None)
            self._start(stream)
        return stream

    def _make(self, name: str) -> streams.Stream | None:
        every = list(self.instruments.values())
        if name.startswith("!"):
            return self._make_for_all(name, every)
        match = NAME.match(name)
        if match is None or name.split("@")[0] != name.split("@")[0].lower():
            return None
        kind, arg, speed = match["kind"], match["arg"], match["speed"]
        one = self.instruments.get(match["symbol"].upper())
        if one is None:
            of_pair = [each for each in every if each.is_inverse and each.listing.pair == match["symbol"].upper()]
            if of_pair and kind == "markPrice":
                return streams.ManyMarkPrices(name, of_pair, 1000 if speed == "1s" else 3000, 1)
            if of_pair and kind == "indexPrice":
                return streams.IndexPrice(name, of_pair[0], 1000 if speed == "1s" else 3000)
            return None
        if kind == "depth" and arg is None and speed in self.row.speeds:
            return streams.DiffDepth(name, one, self.row.speeds[speed])
        if kind == "depth" and arg in ("5", "10", "20") and speed in self.row.partial_speeds:
            return streams.PartialDepth(name, one, int(arg), self.row.partial_speeds[speed] or 100)
        if kind == "kline" and arg and arg[1:] in streams.PERIODS and (not self.futures or arg != "_1s") and not speed:
            return streams.Kline(name, one, arg[1:])
        if kind == "markPrice" and self.futures:
            return streams.MarkPrice(name, one, 1000 if speed == "1s" else 3000)
        if arg or speed:
            return None
        if kind == "forceOrder" and self.futures:
            return streams.ForceOrders(name, [one])
        if kind == "blockTrade":
            return None if self.futures else streams.BlockTrade(name, one)
        plain = {"bookTicker": streams.BookTicker, "trade": streams.Trade, "aggTrade": streams.AggTrade}
        if kind in plain:
            return plain[kind](name, one)
        if kind in ("ticker", "miniTicker"):
            return streams.DayTicker(name, one, kind == "miniTicker")
        return None

    def _make_for_all(self, name: str, every: list[Instrument]) -> streams.Stream | None:
        if name == "!miniTicker@arr" or (name == "!ticker@arr" and self.futures):
            return streams.ManyDayTickers(name, every, name.startswith("!mini"))
        if not self.futures:
            return None
        if name == "!contractInfo":
            return ContractInfo(name, self.reference, self.row.market)
        if name in ("!markPrice@arr", "!markPrice@arr@1s"):
            return streams.ManyMarkPrices(name, every, 1000 if name.endswith("1s") else 3000, min(2, len(every)))
        if name == "!forceOrder@arr":
            return streams.ForceOrders(name, every)
        return None

    def _start(self, stream: streams.Stream) -> None:
        if isinstance(stream, streams.AggTrade):
            self.aggregates[stream.instrument.symbol].streams.append(stream)
        elif isinstance(stream, streams.ForceOrders):
            for ear in stream.ears:
                ear.instrument.streams.append(ear)
        elif stream.instrument is not None:
            stream.instrument.streams.append(stream)
        if stream.period_ms:
            self._schedule.add(stream, stream.period_ms)

    def _stop(self, stream: streams.Stream) -> None:
        """Nobody listens any more: a later subscriber starts it afresh."""
        self._streams.pop(stream.name, None)
        self._schedule.remove(stream)
        if isinstance(stream, streams.AggTrade):
            self.aggregates[stream.instrument.symbol].streams.remove(stream)
        elif isinstance(stream, streams.ForceOrders):
            for ear in stream.ears:
                ear.instrument.streams.remove(ear)
        elif stream.instrument is not None:
            stream.instrument.streams.remove(stream)

    def subscribe(self, connection: Connection, name: str) -> None:
        wrong_route = connection.route and (connection.route == "public") != bool(PUBLIC_ROUTE.match(name))
        stream = streams.Silent(name, None) if wrong_route else self.stream(name)
        connection.subscriptions[name] = stream
        stream.subscribers.add(connection)

    def unsubscribe(self, connection: Connection, name: str) -> None:
        stream = connection.subscriptions.pop(name, None)
        if stream is not None:
            stream.subscribers.discard(connection)
            if not stream.subscribers and self._streams.get(name) is stream:
                self._stop(stream)

    # ------------------------------------------------------------------ sockets

    async def socket(self, request: web.Request, path: str) -> web.StreamResponse:
        """`path` begins behind the market's base: ws, ws/<s1>/<s2>, stream, public/stream ..."""
        if path == "ws-api/v3" and self.user_data is not None:
            return await self.user_data.socket(request)
        parts = path.strip("/").split("/")
        route = ""
        if self.row.routed:
            # Without a route the host behaves like the public one.
            route = parts.pop(0) if parts[0] in ("public", "market", "private") else "public"
        if not parts or parts[0] not in ("ws", "stream"):
            return web.Response(status=404, text="<html><body>404</body></html>", content_type="text/html")
        names = [name for name in parts[1:] if name]
        if parts[0] == "stream":
            names = [name for name in request.query.get("streams", "").split("/") if name]
        ws = web.WebSocketResponse(compress=False, autoping=False, max_msg_size=1 << 20)
        await ws.prepare(request)
        connection = Connection(ws, self.row.market, self.faults)
        connection.combined, connection.route = parts[0] == "stream", route
        private = self.orders is not None and (route == "private" or (not self.row.routed and names[:1] == [self.orders.account.listen_keys.get(self.row.market)]))
        if private:
            self.orders.join(connection, names[0] if names else "")
            names = []
        self.connections.add(connection)
        beats = asyncio.create_task(self._ping(connection))
        try:
            for name in names[: self.row.most_streams]:
                self.subscribe(connection, name)
            await self._listen(ws, connection)
        finally:
            beats.cancel()
            self.connections.discard(connection)
            if private:
                self.orders.leave(connection)
            for name in list(connection.subscriptions):
                self.unsubscribe(connection, name)
            await connection.stop()
        return ws

    async def _ping(self, connection: Connection) -> None:
        connection.pong_s = time.monotonic()
        while True:
            await asyncio.sleep(self.row.ping_s)
            if time.monotonic() - connection.pong_s > self.row.pong_s:
                connection.close(1008, "Pong timeout")
                return
            await connection.ws.ping(str(int(time.time() * 1000)).encode())

    async def _listen(self, ws: web.WebSocketResponse, connection: Connection) -> None:
        heard: deque[float] = deque()
        async for message in ws:
            now = time.monotonic()
            heard.append(now)
            while heard and now - heard[0] >= 1.0:
                heard.popleft()
            if len(heard) > self.row.messages_per_s:
                connection.close(1008, "Too many requests")
                continue
            if message.type == WSMsgType.PONG:
                connection.pong_s = now
            elif message.type == WSMsgType.PING:
                await ws.pong(message.data)
            elif message.type == WSMsgType.TEXT:
                self._answer(connection, message.data)

    def _answer(self, connection: Connection, text: str) -> None:
        try:
            request = ujson.loads(text)
        except ValueError:
            connection.send('{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}')
            return
        if not isinstance(request, dict) or "method" not in request:
            connection.send('{"code":2,"msg":"Invalid request: missing field `method` at line 1 column 2"}')
            return
        number, params = request.get("id"), request.get("params", [])
        if isinstance(number, bool | float | list | dict) or (isinstance(number, str) and len(number) > 36):
            connection.send('{"code":2,"msg":"Invalid request: request ID must be an unsigned integer or a string"}')
            return
        method, result = request["method"], None
        if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
            if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
                self._refuse(connection, 2, "Invalid request: invalid type, expected a sequence of strings", number)
                return
            if method == "SUBSCRIBE" and len(connection.subscriptions.keys() | set(params)) > self.row.most_streams:
                text = ujson.dumps({"error": {"code": 4, "msg": "Too many subscriptions"}, "id": number})
                connection.send(text)
                return
            for name in params:
                if method == "UNSUBSCRIBE":
                    self.unsubscribe(connection, name)
                elif name not in connection.subscriptions:
                    self.subscribe(connection, name)
        elif method == "LIST_SUBSCRIPTIONS":
            result = list(connection.subscriptions)
        elif method == "SET_PROPERTY":
            if not params or params[0] != "combined":
                self._refuse(connection, 0, "Unknown property", number)
                return
            if len(params) < 2 or not isinstance(params[1], bool):
                self._refuse(connection, 1, "Invalid value type: expected Boolean", number)
                return
            connection.combined = params[1]
        elif method == "GET_PROPERTY":
            if not params or params[0] != "combined":
                self._refuse(connection, 0, "Unknown property", number)
                return
            result = connection.combined
        else:
            self._refuse(connection, 2, f"Invalid request: unknown variant `{method}`", number)
            return
        connection.send(ujson.dumps({"result": result, "id": number}, escape_forward_slashes=False))

    def _refuse(self, connection: Connection, code: int, message: str, number) -> None:
        connection.send(ujson.dumps({"code": code, "msg": message, "id": number}, escape_forward_slashes=False))

    def shut_down(self) -> None:
        """Announce the end to every socket; the spot line alone does that."""
        notice = f'{{"e":"serverShutdown","E":{int(time.time() * 1000)}}}'
        for connection in self.connections:
            if connection.route == "ws-api":
                connection.send(f'{{"event":{notice}}}')
            elif connection.combined:
                connection.send(f'{{"stream":"!serverShutdown","data":{notice}}}')
            else:
                connection.send(notice)
