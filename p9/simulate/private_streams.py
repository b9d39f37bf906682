"""The account's stop orders as each venue tells them on its private stream."""

import time

import ujson
from aiohttp import WSMsgType, web

from p9.simulate.account import Account, StopOrder
from p9.simulate.connection import Connection
from p9.simulate.faults import Faults

ALGO_STATES = {"resting": "NEW", "triggered": "TRIGGERING", "placed": "TRIGGERED", "filled": "FINISHED", "cancelled": "CANCELED"}
ORDER_STATES = {"resting": "Untriggered", "triggered": "Triggered", "placed": "New", "filled": "Filled", "cancelled": "Deactivated"}
ORDER_PRICES = {"last": "LastPrice", "mark": "MarkPrice", "index": "IndexPrice"}
STATES = {"resting": "live", "placed": "effective", "cancelled": "canceled"}
INST_TYPES = {"okx_spot": "SPOT", "okx_swap": "SWAP", "okx_futures": "FUTURES"}
UID = "77982378738415879"


def first(order: StopOrder, now_ms: int) -> str:
    """ALGO_UPDATE."""
    one, after = order.one, order.state in ("placed", "filled")
    more = f'"ap":"0","aq":"{one.qty.trim(order.lots) if order.state == "filled" else "0"}","act":"MARKET",' if after else ""
    kind = "MARK_PRICE" if order.price_type == "mark" else "CONTRACT_PRICE"
    return (
        f'{{"e":"ALGO_UPDATE","T":{now_ms},"E":{now_ms + 1},"o":{{"caid":"{order.client_id}","aid":{order.venue_id},"at":"CONDITIONAL",'
        f'"o":"{order.venue_type}","s":"{one.symbol}","S":"{"BUY" if order.is_buy else "SELL"}","ps":"BOTH","f":"GTC","q":"{one.qty.trim(order.lots)}",'
        f'"X":"{ALGO_STATES[order.state]}","ai":"{order.placed_id}",{more}"tp":"{one.px.pad(order.tick)}","p":"0","V":"EXPIRE_MAKER","wt":"{kind}",'
        f'"pm":"NONE","cp":false,"pP":false,"R":false,"tt":{order.triggered_ns // 1_000_000},"gtd":0}}}}'
    )


def first_spot(order: StopOrder, now_ms: int) -> str | None:
    """executionReport: a stop order becomes what it places, and works from its trigger on. One that takes at once is told by its trade alone; only where
    it takes a profit is it told that it works. None: of that state nothing is told."""
    one = order.one
    told = {"resting": ("NEW", "NEW"), "triggered": ("NEW", "NEW") if order.kind == "take_profit" else None, "filled": ("TRADE", "FILLED"), "cancelled": ("CANCELED", "CANCELED")}.get(order.state)
    if told is None:
        return None
    works, done = order.triggered_ns > 0, one.qty.pad(order.lots) if order.state == "filled" else "0.00000000"
    event = {
        "e": "executionReport", "E": now_ms, "s": one.symbol, "c": f"{order.client_id}-cancel" if order.state == "cancelled" else order.client_id,
        "S": "BUY" if order.is_buy else "SELL", "o": order.venue_type, "f": "GTC", "q": one.qty.pad(order.lots), "p": "0.00000000",
        "P": one.px.pad(order.tick), "F": "0.00000000", "g": -1, "C": order.client_id if order.state == "cancelled" else "", "x": told[0], "X": told[1],
        "r": "NONE", "i": int(order.venue_id), "l": done, "z": done, "L": one.px.pad(order.tick) if order.state == "filled" else "0.00000000", "n": "0", "N": None,
        "T": now_ms, "t": order.number if order.state == "filled" else -1, "I": order.number, "w": works and order.state != "filled", "m": False, "M": False,
        "O": order.placed_ns // 1_000_000, "Z": "0.00000000", "Y": "0.00000000", "Q": "0.00000000", "V": "NONE",
    }  # fmt: skip
    if works:
        event["W"] = order.triggered_ns // 1_000_000
    if order.kind == "trailing":
        event |= {"d": 100, "D": order.placed_ns // 1_000_000}
    return ujson.dumps({"subscriptionId": 0, "event": event}, escape_forward_slashes=False)


def second_row(order: StopOrder, now_ms: int) -> dict:
    """The same id in all of its states."""
    one = order.one
    at_ms = order.triggered_ns // 1_000_000 if order.state == "triggered" else now_ms
    return {
        "category": one.market.removeprefix("bybit_"), "symbol": one.symbol, "orderId": order.venue_id,
        "orderLinkId": order.client_id, "side": "Buy" if order.is_buy else "Sell", "orderType": "Market", "price": "", "qty": one.qty.pad(order.lots),
        "timeInForce": "IOC", "orderStatus": ORDER_STATES[order.state], "stopOrderType": order.venue_type, "triggerPrice": one.px.pad(order.tick),
        "triggerDirection": 1 if order.rises else 2, "triggerBy": ORDER_PRICES[order.price_type], "reduceOnly": False, "closeOnTrigger": False,
        "positionIdx": 0, "cumExecQty": one.qty.pad(order.lots) if order.state == "filled" else "0", "createdTime": str(order.placed_ns // 1_000_000),
        "updatedTime": str(at_ms),
    }  # fmt: skip


def second(order: StopOrder, now_ms: int) -> str:
    """The topic order."""
    row = second_row(order, now_ms)
    return ujson.dumps({"id": f"592_{order.number}_{order.state}", "topic": "order", "creationTime": now_ms, "data": [row]}, escape_forward_slashes=False)


def third_row(order: StopOrder, now_ms: int) -> dict | None:
    """None: of that state nothing is told."""
    one, state = order.one, STATES.get(order.state)
    if state is None:
        return None
    kind = INST_TYPES[one.market]
    effective = state == "effective"
    row = {
        "algoId": order.venue_id, "algoClOrdId": order.client_id, "instId": one.symbol, "instType": kind, "state": state,
        "side": "buy" if order.is_buy else "sell", "posSide": "net", "ordType": order.venue_type, "sz": one.qty.trim(order.lots), "tgtCcy": "base_ccy" if one.is_spot else "",
        "actualPx": "", "actualSz": one.qty.trim(order.lots) if effective else "", "ordId": order.placed_id, "ordIdList": [order.placed_id] if effective else [],
        "triggerTime": str(order.triggered_ns // 1_000_000) if effective else "", "failCode": "", "tdMode": "cash" if one.is_spot else "cross",
        "reduceOnly": "false", "cTime": str(order.placed_ns // 1_000_000), "uTime": str(now_ms),
    }  # fmt: skip
    price = one.px.trim(order.tick)
    if order.kind == "take_profit":
        row |= {"actualSide": "tp" if effective else "", "tpTriggerPx": price, "tpTriggerPxType": order.price_type, "tpOrdPx": "-1"}
    else:
        row["actualSide"] = ""
        row |= {"triggerPx": price, "triggerPxType": order.price_type, "ordPx": "-1"}
    return row


def third(order: StopOrder, now_ms: int) -> str | None:
    """orders-algo, or algo-advance for what trails."""
    row = third_row(order, now_ms)
    if row is None:
        return None
    channel = "algo-advance" if order.kind == "trailing" else "orders-algo"
    return ujson.dumps({"arg": {"channel": channel, "uid": UID, "instType": row["instType"]}, "data": [row]}, escape_forward_slashes=False)


class ListenKeyStream:
    """The first venue's: whoever has the address hears the orders of one market; of a listen key that is over, nothing."""

    def __init__(self, market: str, account: Account):
        self.market, self.account = market, account
        self.connections: dict[Connection, str] = {}
        account.listeners.append((self._heard, self.tell))

    def join(self, connection: Connection, key: str) -> None:
        self.connections[connection] = key

    def leave(self, connection: Connection) -> None:
        self.connections.pop(connection, None)

    def expire(self) -> None:
        """The listen key is over: it is told, and nothing more comes."""
        key = self.account.listen_keys.pop(self.market, "")
        for connection, held in self.connections.items():
            if held == key:
                connection.send(f'{{"e":"listenKeyExpired","E":{int(time.time() * 1000)},"listenKey":"{key}"}}')

    def _present(self) -> list[Connection]:
        key = self.account.listen_keys.get(self.market)
        return [connection for connection, held in self.connections.items() if held == key]

    def _heard(self) -> set[str]:
        return {self.market} if self._present() else set()

    def tell(self, order: StopOrder) -> None:
        if order.market == self.market:
            frame = first(order, int(time.time() * 1000)).encode()
            for connection in self._present():
                connection.deliver(frame, "ALGO_UPDATE", order.market, order.one.symbol, "order")


class UserDataSocket:
    """The first venue's spot line: a socket that answers questions, of which one subscribes."""

    def __init__(self, account: Account, faults: Faults, connections: set[Connection]):
        self.account, self.faults, self._connections = account, faults, connections
        self.open: dict[Connection, bool] = {}  # whether it is subscribed
        account.listeners.append((self._heard, self.tell))

    def _heard(self) -> set[str]:
        return {"binance_spot"} if any(self.open.values()) else set()

    def tell(self, order: StopOrder) -> None:
        text = first_spot(order, int(time.time() * 1000)) if order.market == "binance_spot" else None
        for connection, subscribed in list(self.open.items()):
            if subscribed and text is not None:
                connection.deliver(text.encode(), "executionReport", order.market, order.one.symbol, "order")

    def terminate(self) -> None:
        """The subscriptions are over: it is told, and nothing more comes."""
        for connection, subscribed in self.open.items():
            if subscribed:
                connection.send(f'{{"subscriptionId":0,"event":{{"e":"eventStreamTerminated","E":{int(time.time() * 1000)}}}}}')
                self.open[connection] = False

    async def socket(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(compress=False, max_msg_size=1 << 20, heartbeat=20.0)
        await ws.prepare(request)
        connection = Connection(ws, "binance_spot", self.faults)
        connection.route = "ws-api"
        self._connections.add(connection)
        self.open[connection] = False
        try:
            async for message in ws:
                if message.type == WSMsgType.TEXT:
                    self._answer(connection, message.data)
        finally:
            self._connections.discard(connection)
            del self.open[connection]
            await connection.stop()
        return ws

    def _answer(self, connection: Connection, text: str) -> None:
        number, code, reason = None, -1102, "Mandatory parameter 'method' was not sent, was empty/null, or malformed."
        try:
            request = ujson.loads(text)
            number, params = request["id"], request.get("params", {})
            if request["method"] != "userDataStream.subscribe.signature":
                code, reason = -1000, f"Unknown method {request['method']}"
            else:
                code, reason = self.account.login_first(dict(params), int(time.time() * 1000))
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        if code:
            connection.send(ujson.dumps({"id": number, "status": 401 if code == -2015 else 400, "error": {"code": code, "msg": reason}}))
            return
        self.open[connection] = True
        connection.send(ujson.dumps({"id": number, "status": 200, "result": {"subscriptionId": 0}}))


class OrderSocket:
    """The second venue's private socket: nothing but auth, ping, and the topic order."""

    def __init__(self, account: Account, faults: Faults, connections: set[Connection]):
        self.account, self.faults, self._connections = account, faults, connections
        self.open: dict[Connection, bool] = {}  # whether it is subscribed
        self._in: set[Connection] = set()
        account.listeners.append((self._heard, self.tell))

    def _heard(self) -> set[str]:
        return {"bybit_linear", "bybit_inverse", "bybit_spot"} if any(self.open.values()) else set()

    def tell(self, order: StopOrder) -> None:
        if order.market.startswith("bybit_"):
            frame = second(order, int(time.time() * 1000)).encode()
            for connection, subscribed in list(self.open.items()):
                if subscribed:
                    connection.deliver(frame, "order", order.market, order.one.symbol, "order")

    async def socket(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(compress=False, max_msg_size=1 << 20)
        await ws.prepare(request)
        connection = Connection(ws, "bybit", self.faults)
        self._connections.add(connection)
        self.open[connection] = False
        try:
            async for message in ws:
                if message.type == WSMsgType.TEXT:
                    self._answer(connection, message.data)
        finally:
            self._connections.discard(connection)
            self._in.discard(connection)
            del self.open[connection]
            await connection.stop()
        return ws

    def _answer(self, connection: Connection, text: str) -> None:
        try:
            request = ujson.loads(text)
            op, args = request["op"], request.get("args", [])
            names = set(args) if op != "auth" else set()
        except (ValueError, KeyError, TypeError, AttributeError):
            self._reply(connection, {}, False, "Params Error")
            return
        if op == "ping":
            connection.send(ujson.dumps({"req_id": request.get("req_id", ""), "op": "pong", "args": [str(int(time.time() * 1000))], "conn_id": connection.id}))
        elif op == "auth":
            code, reason = self.account.login_second(*(list(args) + [None] * 3)[:3], now_ms=int(time.time() * 1000))
            if code:
                connection.send(ujson.dumps({"op": "auth", "success": False, "retCode": code, "retMsg": reason, "connId": connection.id}))
                connection.close(1000, "")
                return
            self._in.add(connection)
            self._reply(connection, request, True, "")
        elif connection not in self._in:
            self._reply(connection, request, False, "Request not authorized")
        elif op not in ("subscribe", "unsubscribe") or names - {"order", "order.linear", "order.inverse", "order.spot"}:
            self._reply(connection, request, False, f"error:handler not found,topic:{min(map(str, names), default='')}")
        else:
            self.open[connection] = op == "subscribe"
            self._reply(connection, request, True, "")

    def _reply(self, connection: Connection, request: dict, success: bool, text: str) -> None:
        reply = {"success": success, "ret_msg": text, "op": request.get("op", ""), "conn_id": connection.id}
        if "req_id" in request:
            reply["req_id"] = request["req_id"]
        connection.send(ujson.dumps(reply, escape_forward_slashes=False))


class AlgoOrders:
    """The third venue's: who has logged in, and what of it he is subscribed to: {connection: channels}."""

    def __init__(self, account: Account):
        self.account = account
        self.channels: dict[Connection, set[str]] = {}
        account.listeners.append((self._heard, self.tell))

    def login(self, connection: Connection, args: list[dict]) -> tuple[str, str]:
        code, reason = self.account.login_third(args[0], int(time.time() * 1000))
        if code == "0":
            self.channels.setdefault(connection, set())
        return code, reason

    def subscribe(self, connection: Connection, arg: dict, subscribes: bool) -> bool:
        """Whether he may."""
        if connection not in self.channels:
            return False
        (self.channels[connection].add if subscribes else self.channels[connection].discard)(arg["channel"])
        return True

    def leave(self, connection: Connection) -> None:
        self.channels.pop(connection, None)

    def _heard(self) -> set[str]:
        return {"okx_swap", "okx_futures", "okx_spot"} if any(self.channels.values()) else set()

    def tell(self, order: StopOrder) -> None:
        if not order.market.startswith("okx_"):
            return
        text = third(order, int(time.time() * 1000))
        channel = "algo-advance" if order.kind == "trailing" else "orders-algo"
        for connection, channels in list(self.channels.items()):
            if text is not None and channel in channels:
                connection.deliver(text.encode(), channel, order.market, order.one.symbol, "order")
