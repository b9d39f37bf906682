"""The third venue's sockets: public and business, one ack per arg, errors by code, text ping, silence is closed."""

import asyncio
import time
from collections import deque

import ujson
from aiohttp import WSMsgType, web

from p9.simulate import okx_streams as streams
from p9.simulate.adl import AdlWarnings
from p9.simulate.connection import Connection
from p9.simulate.faults import Faults
from p9.simulate.instrument import Instrument
from p9.simulate.insurance import Insurance
from p9.simulate.okx_options import OkxOptions
from p9.simulate.private_streams import AlgoOrders
from p9.simulate.reference import InstrumentRows, ReferenceData, StatusRows
from p9.simulate.schedule import Schedule

SILENCE_S = 30.0
REQUESTS_PER_HOUR = 480
LONGEST_REQUEST = 65_536
TYPES = {"okx_spot": "SPOT", "okx_swap": "SWAP", "okx_futures": "FUTURES"}
PUBLIC = frozenset(
    ["books", "books5", "bbo-tbt", "trades", "tickers", "mark-price", "index-tickers", "funding-rate", "open-interest", "liquidation-orders", "instruments", "status", "estimated-price", "price-limit", "adl-warning", "books-rpi", "opt-summary"]
)
BUSINESS = frozenset(["trades-all", "public-block-trades", "public-struc-block-trades"])
PRIVATE = frozenset(["orders-algo", "algo-advance"])
NEEDS_TIER = ("books-l2-tbt", "books50-l2-tbt")


class ChannelRefused(Exception):
    """An error event: `code` and the text of `msg`."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code, self.message = code, message


class Okx:
    def __init__(self, markets: dict[str, list[Instrument]], schedule: Schedule, faults: Faults, options: OkxOptions | None = None):
        """`markets` by market name; all share their sockets."""
        self.options = options
        self.by_type = {TYPES[name]: {one.symbol: one for one in some} for name, some in markets.items()}
        self.instruments = {one.symbol: one for some in markets.values() for one in some}
        self.faults, self._schedule = faults, schedule
        self.orders: AlgoOrders | None = None  # the simulator's to set
        self.insurance: Insurance | None = None  # and this
        self.reference: ReferenceData | None = None  # and this
        self.instrument_row = dict  # of REST: the same
        self.connections: set[Connection] = set()
        self._channels: dict[tuple, streams.Channel] = {}

    # ------------------------------------------------------------------ channels

    def channel(self, arg: dict) -> tuple[tuple, streams.Channel]:
        """The running channel of an arg with its key, started if need be. Raises ChannelRefused."""
        name, inst_id, inst_type, family = key = _key(arg)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._make(name, inst_id, inst_type, family)
            if channel is None:
                shown = ",".join(
                    f"{field}:{value}" if i else str(value) for i, (field, value) in enumerate(_ordered(arg))
                )
                raise ChannelRefused(
                    "60018",
                    f"Wrong URL or channel:{shown.replace(',', ', ')} doesn't exist. "
                    "Please use the correct URL, channel and parameters referring to API document.",
                )
            self._channels[key] = channel
            for ear in getattr(channel, "ears", [channel]):
                ear.instrument.streams.append(ear)
            if channel.period_ms:
                self._schedule.add(channel, channel.period_ms)
        return key, channel

    def _make(self, name: str, inst_id: str, inst_type: str, family: str) -> streams.Channel | None:
        if name == "opt-summary":
            return self.options.channel(family) if self.options is not None else None
        if name == "liquidation-orders":
            some = list(self.by_type.get({"SPOT": "", "MARGIN": "SPOT"}.get(inst_type, inst_type), {}).values())
            return streams.Liquidations(some) if some else None
        if name == "status":
            return StatusRows([next(iter(self.instruments.values()))], self.reference)
        if name == "adl-warning":
            some = list(self.by_type.get(inst_type, {}).values())
            return AdlWarnings(some, inst_type, self.insurance) if some and inst_type != "SPOT" else None
        if name == "instruments":
            some = list(self.by_type.get(inst_type, {}).values())
            return InstrumentRows(some, self.reference, self.instrument_row) if some else None
        if name in (
            "estimated-price",
            "price-limit",
            *BUSINESS - {"trades-all", "public-block-trades"},
        ):
            return streams.Quiet([next(iter(self.instruments.values()))])
        if name == "index-tickers":
            some = [
                one for one in self.instruments.values() if inst_id in (one.listing.pair, f"{one.listing.base}-USD")
            ]
            some += [one for one in self.by_type["SPOT"].values() if one.symbol == inst_id]
            if not some:
                return None
            return streams.Quoted(some[:1], lambda one, now_ms: streams.index_row(one, inst_id, now_ms), 100, 60_000)
        one = self.instruments.get(inst_id)
        if one is None:
            return None
        if name == "books":
            return streams.Books([one])
        if name in ("books5", "bbo-tbt"):
            return streams.Top([one], 5 if name == "books5" else 1)
        if name == "trades":
            return streams.Trades([one])
        if name == "trades-all":
            return streams.TradesAll([one])
        if name == "public-block-trades":
            return streams.BlockTrades([one])
        if name == "tickers":
            return streams.Tickers([one])
        if name == "mark-price":
            return streams.Quoted([one], streams.mark_row, 200, 10_000)
        if name == "funding-rate" and streams.inst_type(one) == "SWAP":
            return streams.Quoted([one], streams.funding_row, 30_000, 30_000)
        if name == "open-interest" and not one.is_spot:
            return streams.Quoted([one], streams.interest_row, 3_000, 1 << 40)
        if name.startswith("candle") and name[6:] in streams.PERIODS:
            return streams.Candle([one], name[6:])
        return None

    def _leave(self, connection: Connection, key: tuple) -> bool:
        channel = connection.subscriptions.pop(key, None)
        if channel is None:
            return False
        channel.subscribers.pop(connection, None)
        if not channel.subscribers:
            del self._channels[key]
            for ear in getattr(channel, "ears", [channel]):
                ear.instrument.streams.remove(ear)
            self._schedule.remove(channel)
        return True

    # ------------------------------------------------------------------ sockets

    async def socket(self, request: web.Request, path: str) -> web.StreamResponse:
        url = path.removeprefix("ws/v5/")
        if url == path or url not in ("public", "business", "private"):
            return web.Response(status=404)
        ws = web.WebSocketResponse(compress=False, max_msg_size=1 << 20)
        await ws.prepare(request)
        connection = Connection(ws, "okx", self.faults, too_slow=4005)
        connection.route = url
        connection.requests = deque()
        self.connections.add(connection)
        watch = asyncio.create_task(self._watch(connection))
        try:
            async for message in ws:
                if message.type == WSMsgType.TEXT:
                    self._answer(connection, message.data)
        finally:
            watch.cancel()
            self.connections.discard(connection)
            if self.orders is not None:
                self.orders.leave(connection)
            for key in list(connection.subscriptions):
                self._leave(connection, key)
            await connection.stop()
        return ws

    async def _watch(self, connection: Connection) -> None:
        """Close a socket to which nothing was pushed for 30 s, or that subscribed to nothing."""
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            if now - connection.last_sent_s > SILENCE_S or (not connection.subscriptions and now - connection.opened_s > SILENCE_S and not connection.requests):
                connection.close(4004, "No data received in 30s.")

    def _error(self, connection: Connection, code: str, message: str, number: str | None = None) -> None:
        reply = {"id": number} if number else {}
        reply |= {"event": "error", "msg": message, "code": code, "connId": connection.id}
        connection.send(ujson.dumps(reply, escape_forward_slashes=False))

    def _answer(self, connection: Connection, text: str) -> None:
        if text == "ping":
            connection.send("pong")
            return
        if len(text) > LONGEST_REQUEST:
            connection.close(1009, "message is too long")
            return
        try:
            request = ujson.loads(text)
            op, args, number = request["op"], request["args"], request.get("id")
            if not isinstance(args, list) or not args or not all(isinstance(arg, dict) for arg in args):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            self._error(connection, "60012", f"Invalid request: {text}")
            return
        if op == "login":
            code, reason = self.orders.login(connection, args) if self.orders is not None else ("60009", "Login failed.")
            if code == "0":
                connection.send(ujson.dumps({"event": "login", "code": "0", "msg": "", "connId": connection.id}))
            else:
                self._error(connection, code, reason, number)
                connection.close(4001, "Login failed")
            return
        if op not in ("subscribe", "unsubscribe"):
            self._error(connection, "60012", f"Invalid request: {text}", number)
            return
        now = time.monotonic()
        heard = connection.requests
        heard.append(now)
        while heard and now - heard[0] > 3600:
            heard.popleft()
        if len(heard) > REQUESTS_PER_HOUR:
            self._error(connection, "60014", "Requests too frequent", number)
            return
        for arg in args:
            try:
                self._check(connection, arg)
                if op == "subscribe":
                    self._subscribe(connection, arg, number)
                else:
                    self._unsubscribe(connection, arg, number)
            except ChannelRefused as refused:
                self._error(connection, refused.code, refused.message, number)

    def _check(self, connection: Connection, arg: dict) -> None:
        name = arg.get("channel", "")
        if name in PRIVATE and (self.orders is None or connection not in self.orders.channels):
            raise ChannelRefused("60011", "Please log in")
        if "uly" in arg:
            raise ChannelRefused(
                "64000", "Subscription parameter uly is unavailable anymore. Please replace uly with instFamily."
            )
        if name in NEEDS_TIER:
            raise ChannelRefused("60011", "Please log in")
        is_business = name in BUSINESS or name in PRIVATE or "candle" in name
        if is_business and connection.route != "business":
            raise ChannelRefused(
                "64001", "This channel has been migrated to the '/business' URL. Please subscribe using the new URL."
            )
        if name in PUBLIC and connection.route == "business":
            raise ChannelRefused(
                "64002",
                "This channel is not supported by '/business' URL. Please use '/private' (for private channels), or '/public' (for public channels).",
            )

    def _event(self, connection: Connection, event: str, arg: dict, number: str | None) -> None:
        reply = ({"id": number} if number else {}) | {"event": event, "arg": arg, "connId": connection.id}
        connection.send(ujson.dumps(reply, escape_forward_slashes=False))

    def _subscribe(self, connection: Connection, arg: dict, number: str | None) -> None:
        if arg.get("channel") in PRIVATE:
            self.orders.subscribe(connection, arg, True)
            self._event(connection, "subscribe", arg, number)
            return
        key, channel = self.channel(arg)
        connection.subscriptions[key] = channel
        text = ujson.dumps(arg, escape_forward_slashes=False)
        channel.subscribers[connection] = text
        self._event(connection, "subscribe", arg, number)
        tail = channel.first_tail(time.time_ns() // 1_000_000)
        if tail is not None:
            one = channel.instrument
            connection.deliver(f'{{"arg":{text},{tail}'.encode(), text, one.market, one.symbol, channel.kind)

    def _unsubscribe(self, connection: Connection, arg: dict, number: str | None) -> None:
        if arg.get("channel") in PRIVATE:
            self.orders.subscribe(connection, arg, False)
        self._leave(connection, _key(arg))
        self._event(connection, "unsubscribe", arg, number)

    def notice(self) -> None:
        """Announce the upgrade that closes every socket in 60 s."""
        for connection in self.connections:
            connection.send(
                '{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. '
                f'Please reconnect.","connId":"{connection.id}"}}'
            )


def _key(arg: dict) -> tuple[str, str, str, str]:
    return arg.get("channel"), arg.get("instId", ""), arg.get("instType", ""), arg.get("instFamily", "")


def _ordered(arg: dict) -> list[tuple[str, str]]:
    """The channel first, as the venue names it in its error."""
    return [("channel", arg.get("channel")), *((name, value) for name, value in arg.items() if name != "channel")]
