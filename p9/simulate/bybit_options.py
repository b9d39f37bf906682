"""The second venue's options: a socket of its own with acks of its own shape, a ticker a contract, the whole coin by REST."""

import math
import time
from datetime import UTC, datetime

import ujson
from aiohttp import WSMsgType, web

from p9.simulate.connection import Connection
from p9.simulate.faults import Faults
from p9.simulate.option_chain import Mark, Option, OptionChain
from p9.simulate.rest import dumps
from p9.simulate.schedule import Schedule

MARKET = "bybit_option"
MOST_ARGS = 2000
MOST_ARGS_CHARACTERS = 21_000
PERIOD_MS = 1000  # ten times as fast at the venue, where something changed
PAGE = 1000
TICKS = {"BTC": 5.0, "ETH": 0.1}


def name_of(coin: str, option: Option) -> str:
    day = datetime.fromtimestamp(option.expiry_ms / 1000, UTC)
    return f"{coin}-{day.day}{day:%b%y}-{option.strike_text}-{'C' if option.call else 'P'}-USDT".upper()


def trimmed(value: float, places: int) -> str:
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class Quoted:
    """An option's texts, as this venue rounds them: "0" where there is no quote, premiums undiscounted."""

    def __init__(self, chain: OptionChain, mark: Mark, now_ms: int):
        tick = TICKS.get(chain.coin, 0.0001)
        bid, ask = math.floor((mark.bid or 0.0) / tick) * tick, math.ceil((mark.ask or 0.0) / tick) * tick
        self.name = name_of(chain.coin, mark.option)
        self.forward, self.index = trimmed(mark.forward, 8), trimmed(chain.spot(now_ms), 2)
        self.mark, self.bid, self.ask = trimmed(mark.price, 8), trimmed(bid, 4), trimmed(ask, 4)
        self.bid_size, self.ask_size = (trimmed(mark.bid_lots / 100, 2) if bid else "0"), (trimmed(mark.ask_lots / 100, 2) if ask else "0")
        self.vol = trimmed(mark.vol, 4)
        self.bid_vol = trimmed(mark.bid_vol, 4) if mark.bid_vol is not None and bid else "0"
        self.ask_vol = trimmed(mark.ask_vol, 4) if mark.ask_vol is not None and ask else "5" if mark.bid_lots % 2 else "0"
        self.interest = trimmed(mark.interest_lots / 100, 2)
        self.delta, self.gamma, self.vega, self.theta = (trimmed(value, 8) for value in (mark.delta, mark.gamma, mark.vega, mark.theta))

    def row(self, rest: bool) -> str:
        """The names of the stream and of REST differ."""
        bid, ask, size, vol, mark_vol = ("bid1", "ask1", "Size", "Iv", "markIv") if rest else ("bid", "ask", "Size", "Iv", "markPriceIv")
        return (
            f'{{"symbol":"{self.name}","{bid}Price":"{self.bid}","{bid}{size}":"{self.bid_size}","{bid}{vol}":"{self.bid_vol}","{ask}Price":"{self.ask}",'
            f'"{ask}{size}":"{self.ask_size}","{ask}{vol}":"{self.ask_vol}","lastPrice":"0","highPrice24h":"0","lowPrice24h":"0","markPrice":"{self.mark}",'
            f'"indexPrice":"{self.index}","{mark_vol}":"{self.vol}","underlyingPrice":"{self.forward}","openInterest":"{self.interest}","turnover24h":"0",'
            f'"volume24h":"0","totalVolume":"0","totalTurnover":"0","delta":"{self.delta}","gamma":"{self.gamma}","vega":"{self.vega}",'
            f'"theta":"{self.theta}","predictedDeliveryPrice":"0","change24h":"0"}}'
        )


class Ticker:
    """tickers.{symbol}: always a snapshot."""

    def __init__(self, name: str, chain: OptionChain, option: Option, symbol: str):
        self.name, self.chain, self.option, self.symbol = name, chain, option, symbol
        self.subscribers: set[Connection] = set()

    def frame(self, now_ms: int) -> bytes:
        row = Quoted(self.chain, self.chain.mark(self.option, now_ms), now_ms).row(rest=False)
        return f'{{"topic":"{self.name}","ts":{now_ms},"type":"snapshot","id":"{self.name}-{now_ms * 7}-{now_ms}","data":{row}}}'.encode()

    def flush(self, now_ms: int) -> None:
        if now_ms >= self.option.expiry_ms:
            return
        frame = self.frame(now_ms)
        for connection in tuple(self.subscribers):
            connection.deliver(frame, self.name, MARKET, self.symbol, "other")


class BybitOptions:
    """`chains` by coin."""

    def __init__(self, chains: dict[str, OptionChain], schedule: Schedule, faults: Faults):
        self.chains, self.faults, self._schedule = chains, faults, schedule
        self._topics: dict[str, Ticker] = {}
        self._named: dict[str, tuple[list[Option], dict[str, Option]]] = {}  # by coin: what is listed, and the same by name

    def find(self, symbol: str, now_ms: int) -> tuple[OptionChain, Option] | None:
        chain = self.chains.get(symbol.partition("-")[0])
        if chain is None:
            return None
        listed = chain.options(now_ms)
        if self._named.get(chain.coin, (None,))[0] is not listed:
            self._named[chain.coin] = (listed, {name_of(chain.coin, option): option for option in listed})
        option = self._named[chain.coin][1].get(symbol)
        return (chain, option) if option is not None else None

    def _topic(self, name: str, now_ms: int) -> Ticker | None:
        topic = self._topics.get(name)
        if topic is None and name.startswith("tickers."):
            found = self.find(name.removeprefix("tickers."), now_ms)
            if found is not None:
                topic = self._topics[name] = Ticker(name, *found, name.removeprefix("tickers."))
                self._schedule.add(topic, PERIOD_MS)
        return topic

    # ------------------------------------------------------------------ sockets

    async def socket(self, request: web.Request, connections: set[Connection]) -> web.StreamResponse:
        ws = web.WebSocketResponse(compress=False, max_msg_size=1 << 20)
        await ws.prepare(request)
        connection = Connection(ws, MARKET, self.faults)
        connection.id = f"dat{connection.id}-{connection.number:x}"
        connections.add(connection)
        try:
            async for message in ws:
                if message.type == WSMsgType.TEXT:
                    self._answer(connection, message.data)
        finally:
            connections.discard(connection)
            for name in list(connection.subscriptions):
                self._leave(connection, name)
            await connection.stop()
        return ws

    def _answer(self, connection: Connection, text: str) -> None:
        now_ms = time.time_ns() // 1_000_000
        try:
            request = ujson.loads(text)
            op, args = request.get("op"), request.get("args", [])
        except (ValueError, AttributeError):
            connection.send(dumps({"success": False, "ret_msg": "Params Error", "conn_id": connection.id, "type": "COMMAND_RESP"}))
            return
        if op == "ping":
            connection.send(dumps({"args": [str(now_ms)], "op": "pong"}))
            return
        if op not in ("subscribe", "unsubscribe") or not isinstance(args, list) or not all(isinstance(name, str) for name in args):
            connection.send(dumps({"success": False, "ret_msg": "error:invalid op", "conn_id": connection.id, "type": "COMMAND_RESP"}))
            return
        good, bad = [], []
        room = MOST_ARGS_CHARACTERS - sum(map(len, connection.subscriptions))
        for name in args:
            topic = self._topic(name, now_ms) if op == "subscribe" else self._topics.get(name)
            fits = op == "unsubscribe" or (len(connection.subscriptions) < MOST_ARGS and room >= len(name))
            (good if topic is not None and fits else bad).append(name)
            if topic is None or not fits:
                continue
            if op == "unsubscribe":
                self._leave(connection, name)
            elif name not in connection.subscriptions:
                room -= len(name)
                connection.subscriptions[name] = topic
                topic.subscribers.add(connection)
                connection.deliver(topic.frame(now_ms), name, MARKET, topic.symbol, "other")
        # No op, no req_id, and success even where topics failed.
        outcome = {"successTopics": good, "failTopics": bad}
        connection.send(dumps({"success": True, "conn_id": connection.id, "data": outcome, "type": "COMMAND_RESP"}))

    def _leave(self, connection: Connection, name: str) -> None:
        topic = connection.subscriptions.pop(name, None)
        if topic is not None:
            topic.subscribers.discard(connection)
            if not topic.subscribers:
                self._topics.pop(name, None)
                self._schedule.remove(topic)

    # ------------------------------------------------------------------ REST: the part of `result`

    def tickers(self, query, now_ms: int) -> str:
        coin, symbol = query.get("baseCoin", ""), query.get("symbol", "")
        chain = self.chains.get(coin or symbol.partition("-")[0])
        rows = [Quoted(chain, mark, now_ms) for mark in chain.marks(now_ms)] if chain else []
        found = [row.row(rest=True) for row in rows if not symbol or row.name == symbol]
        return f'{{"category":"option","list":[{",".join(found)}]}}'

    def instruments(self, query, now_ms: int) -> str:
        """Without a coin only bitcoin's; pages by cursor."""
        coin = query.get("baseCoin") or "BTC"
        chain = self.chains.get(coin)
        names = [(name_of(coin, option), option) for option in chain.options(now_ms)] if chain else []
        limit, first = min(PAGE, int(query.get("limit") or 500)), int((query.get("cursor") or "first=0").partition("=")[2])
        rows = [
            dumps({
                "symbol": name, "status": "Trading", "baseCoin": coin, "quoteCoin": "USDT", "settleCoin": "USDT",
                "optionsType": "Call" if option.call else "Put", "launchTime": str(option.expiry_ms - 30 * 86_400_000), "deliveryTime": str(option.expiry_ms),
                "deliveryFeeRate": "0.00015", "priceFilter": {"minPrice": "5", "maxPrice": "1110000", "tickSize": trimmed(TICKS.get(coin, 0.0001), 4)},
                "lotSizeFilter": {"maxOrderQty": "500", "minOrderQty": "0.01", "qtyStep": "0.01"}, "displayName": name,
            })
            for name, option in names[first : first + limit]
        ]  # fmt: skip
        cursor = f"first%3D{first + limit}" if first + limit < len(names) else ""
        return f'{{"category":"option","nextPageCursor":"{cursor}","list":[{",".join(rows)}]}}'

    def texts(self, coin: str, now_ms: int) -> dict[str, dict[str, str]]:
        """For the oracle: every option's texts, as they were or would have been sent at `now_ms`."""
        chain = self.chains[coin]
        return {quoted.name: vars(quoted) for quoted in (Quoted(chain, mark, now_ms) for mark in chain.marks(now_ms))}
