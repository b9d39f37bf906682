"""One account that has a key at every venue: how logins are checked, its stop orders, and what becomes of them.

POST /oracle/stop_order {"market", "symbol", "side": "sell", "kind": "stop", "distance": 5, "quantity": "0.01", "price_type": "last"} places one, `distance`
ticks beyond the last price (one that takes a profit, on the other side of it); POST /oracle/stop_order/cancel {"id"} takes it back. GET /oracle/stop_orders
tells all of them. While somebody listens, the account places some of its own, so that there is something to hear (`hums`).

An order is triggered by the first fill at its price or beyond it, and then a market order is played.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

import ujson
from aiohttp import web

from p9.simulate.instrument import Instrument
from p9.simulate.market import Planned, Turn

KEY, SECRET, PASSPHRASE = "simulated-key-0123456789", "simulated-secret-abcdefghij", "simulated-passphrase"  # of no use anywhere else
BLOCK = 64  # bytes, of the hash's
KEPT = 1000
HUM_MS = 15_000  # an order of its own, in each market
FORWARD_NS = 2_000_000  # from the trigger to the market order
WORDS = {  # of each venue, or of a market where it has its own, for what is kept of its kind
    "binance": {"stop": "STOP_MARKET", "take_profit": "TAKE_PROFIT_MARKET", "trailing": "TRAILING_STOP_MARKET"},
    "binance_spot": {"stop": "STOP_LOSS", "take_profit": "TAKE_PROFIT", "trailing": "STOP_LOSS"},
    "bybit_spot": dict.fromkeys(("stop", "take_profit", "trailing"), "tpslOrder"),
    "bybit": {"stop": "Stop", "take_profit": "TakeProfit", "trailing": "TrailingStop"},
    "okx": {"stop": "trigger", "take_profit": "conditional", "trailing": "move_order_stop"},
}


@dataclass
class StopOrder:
    """`state`: resting, triggered, placed, filled, or cancelled. `tick`: where it is triggered; `rises`: from below. Its times are ns."""

    number: int
    one: Instrument
    is_buy: bool
    kind: str
    tick: int
    lots: int
    price_type: str
    placed_ns: int
    rises: bool
    state: str = "resting"
    triggered_ns: int = 0
    changed_ns: int = 0
    played: list[Turn] = field(default_factory=list)

    @property
    def market(self) -> str:
        return self.one.market

    @property
    def client_id(self) -> str:
        return f"sim-{self.number}"

    @property
    def venue_id(self) -> str:
        """As the venue writes it."""
        if self.market.startswith("bybit"):
            return f"c1c73e96-daef-4492-8cdd-{self.number:012d}"
        return str(706_620_792_000_000_000 + self.number if self.market.startswith("okx") else self.number)

    @property
    def venue_type(self) -> str:
        return WORDS.get(self.market, WORDS[self.market.split("_")[0]])[self.kind]

    @property
    def placed_id(self) -> str:
        """Of the order that it placed."""
        return str(88_000_000_000 + self.number) if self.state in ("placed", "filled") else ""

    def truth(self) -> dict:
        one = self.one
        return {
            "id": self.number, "client_id": self.client_id, "market": one.market, "symbol": one.symbol, "side": "buy" if self.is_buy else "sell",
            "kind": self.kind, "trigger_price": one.px.trim(self.tick), "quantity": one.qty.trim(self.lots), "price_type": self.price_type,
            "state": self.state, "triggered_ms": self.triggered_ns // 1_000_000, "placed_id": self.placed_id, "venue_id": self.venue_id,
            "venue_type": self.venue_type, "placed_when_told": self.market.startswith("okx"),
            "reduce_only": None if self.market == "binance_spot" else False, "kind_told": "other" if self.market == "bybit_spot" else self.kind,
        }  # fmt: skip


def hmac_sha256(secret: bytes, text: bytes) -> bytes:
    """RFC 2104, as it is written there."""
    key = (hashlib.sha256(secret).digest() if len(secret) > BLOCK else secret).ljust(BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + text).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()


class Account:
    """`tell(order)` of each listener hears every change of an order of one of its `markets`."""

    period_ms = 100
    hums = True  # places orders of its own

    def __init__(self, instruments: dict[tuple[str, str], Instrument]):
        self.key, self.secret, self.passphrase = KEY, SECRET, PASSPHRASE
        self.orders: list[StopOrder] = []
        self.refused: list[str] = []  # why logins were
        self.logins = 0
        self.listen_keys: dict[str, str] = {}  # {market: key}
        self.listeners: list[tuple[Callable[[], set[str]], Callable[[StopOrder], None]]] = []  # (markets that somebody hears of now, tell)
        self._instruments, self._next = instruments, 1_000_001
        self._ears: set[Instrument] = set()
        self._hummed_ms: dict[str, int] = {}

    # ------------------------------------------------------------------ logins

    def refuse(self, reason: str) -> str:
        self.refused.append(reason)
        return reason

    def login_first(self, params: dict, now_ms: int) -> tuple[int, str]:
        """A subscription of the spot line: signed is all but the signature, in the order of the names. (0, "") or the code and text of a refusal."""
        body = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")
        code, reason = self.signed_first(f"{body}&signature={params.get('signature', '')}", params.get("apiKey"), now_ms)
        if not code:
            self.logins += 1
        return code, reason

    def login_second(self, key: object, expires: object, sign: object, now_ms: int) -> tuple[int, str]:
        """(0, "") or the code and text of a refusal."""
        if key != self.key:
            return 10003, self.refuse(f"Invalid apikey {key}")
        if not isinstance(expires, int | str) or not now_ms < int(expires) <= now_ms + 60_000:
            return 10002, self.refuse("Request expired")
        if sign != hmac_sha256(self.secret.encode(), f"GET/realtime{expires}".encode()).hex():
            return 10004, self.refuse("Error sign, please check your signature generation algorithm.")
        self.logins += 1
        return 0, ""

    def login_third(self, asked: dict, now_ms: int) -> tuple[str, str]:
        """("0", "") or the code and text of a refusal."""
        at, text = str(asked.get("timestamp", "")), f"{asked.get('timestamp', '')}GET/users/self/verify"
        if asked.get("apiKey") != self.key:
            return "60005", self.refuse(f"Invalid apiKey {asked.get('apiKey')}")
        if not at.isdecimal() or abs(int(at) - now_ms // 1000) > 30:
            return "60006", self.refuse("Timestamp request expired")
        if asked.get("passphrase") != self.passphrase:
            return "60024", self.refuse("Passphrase incorrect")
        if asked.get("sign") != base64.b64encode(hmac_sha256(self.secret.encode(), text.encode())).decode():
            return "60007", self.refuse("Invalid sign")
        self.logins += 1
        return "0", ""

    def signed_first(self, query: str, key: str | None, now_ms: int) -> tuple[int, str]:
        """A question by REST: the signature is the last parameter, of all before it. (0, "") or the code and text of a refusal."""
        body, _, sign = query.rpartition("&signature=")
        params = dict(pair.partition("=")[::2] for pair in body.split("&"))
        at, window = params.get("timestamp", ""), params.get("recvWindow", "5000")
        if key != self.key:
            return -2015, self.refuse(f"Invalid API-key, IP, or permissions for action. {key}")
        if not at.isdecimal() or not window.isdecimal() or int(window) > 60_000 or not now_ms - int(window) <= int(at) < now_ms + 1000:
            return -1021, self.refuse("Timestamp for this request is outside of the recvWindow.")
        if sign != hmac_sha256(self.secret.encode(), body.encode()).hex():
            return -1022, self.refuse("Signature for this request is not valid.")
        return 0, ""

    def signed_second(self, query: str, headers: Mapping[str, str], now_ms: int) -> tuple[int, str]:
        key, at, window = (headers.get(f"X-BAPI-{name}", "") for name in ("API-KEY", "TIMESTAMP", "RECV-WINDOW"))
        if key != self.key:
            return 10003, self.refuse(f"API key is invalid. {key}")
        if not at.isdecimal() or not window.isdecimal() or not now_ms - int(window) <= int(at) < now_ms + 1000:
            return 10002, self.refuse("invalid request, please check your server timestamp or recv_window param.")
        if headers.get("X-BAPI-SIGN") != hmac_sha256(self.secret.encode(), f"{at}{key}{window}{query}".encode()).hex():
            return 10004, self.refuse("Error sign, please check your signature generation algorithm.")
        return 0, ""

    def signed_third(self, path: str, headers: Mapping[str, str], now_ms: int) -> tuple[str, str]:
        """`path` with its query."""
        at = headers.get("OK-ACCESS-TIMESTAMP", "")
        try:
            at_ms = datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp() * 1000
        except ValueError:
            return "50112", self.refuse("Invalid OK-ACCESS-TIMESTAMP")
        if headers.get("OK-ACCESS-KEY") != self.key:
            return "50111", self.refuse("Invalid OK-ACCESS-KEY")
        if abs(at_ms - now_ms) > 30_000:
            return "50102", self.refuse("Timestamp request expired")
        if headers.get("OK-ACCESS-PASSPHRASE") != self.passphrase:
            return "50105", self.refuse("OK-ACCESS-PASSPHRASE incorrect")
        if headers.get("OK-ACCESS-SIGN") != base64.b64encode(hmac_sha256(self.secret.encode(), f"{at}GET{path}".encode())).decode():
            return "50113", self.refuse("Invalid Sign")
        return "0", ""

    def listen_key(self, market: str, method: str, key: str | None) -> web.Response:
        """The first venue's door: POST makes or prolongs, PUT prolongs, DELETE ends."""
        if key != self.key:
            self.refuse(f"Invalid API-key {key}")
            return web.json_response({"code": -2015, "msg": f"Invalid API-key, IP, or permissions for action. {key}"}, status=401)
        if method == "POST":
            self.logins += 1
            digest = hashlib.sha512(f"{market} {time.time_ns()}".encode()).hexdigest()[:64]
            return web.json_response({"listenKey": self.listen_keys.setdefault(market, digest)})
        if market not in self.listen_keys:
            return web.json_response({"code": -1125, "msg": "This listenKey does not exist."}, status=400)
        if method == "DELETE":
            del self.listen_keys[market]
        return web.json_response({})

    # ------------------------------------------------------------------ orders

    def place(self, one: Instrument, *, is_buy: bool, kind: str = "stop", distance: int = 5, lots: int | None = None, price_type: str = "last") -> StopOrder:
        """Raises ValueError for what cannot be placed."""
        if kind not in ("stop", "take_profit", "trailing") or price_type not in ("last", "mark", "index") or not 0 < distance <= 1_000_000:
            raise ValueError("kind is stop, take_profit or trailing, price_type last, mark or index, distance above 0")
        rises = is_buy == (kind != "take_profit")
        tick = one.candles.last_tick + (distance if rises else -distance)
        lots = one.listing.median_lots() if lots is None else lots
        if tick <= 0 or lots <= 0:
            raise ValueError("the trigger price and the quantity are above 0")
        order = StopOrder(self._next, one, is_buy, kind, tick, lots, price_type, time.time_ns(), rises)
        self._next += 1
        self.orders = [*self.orders[-KEPT:], order]
        if one not in self._ears:
            self._ears.add(one)
            one.streams.append(_Ear(self, one))
        self._tell(order)
        return order

    def cancel(self, order: StopOrder) -> None:
        if order.state == "resting":
            order.state = "cancelled"
            self._tell(order)

    def on_turns(self, one: Instrument, turns: list[Turn]) -> None:
        for order in self.orders:
            if order.one is one and order.state == "resting":
                fill = next((fill for turn in turns for fill in turn.fills if (fill.tick >= order.tick if order.rises else fill.tick <= order.tick)), None)
                if fill is not None:
                    order.state, order.triggered_ns = "triggered", fill.at_ns
                    one.model.plan([Planned(fill.at_ns + FORWARD_NS, order.is_buy, order.lots, False, True, order.played)])
                    self._tell(order)

    def flush(self, now_ms: int) -> None:
        for order in self.orders:
            if order.state == "triggered":
                order.state = "placed"
                self._tell(order)
            elif order.state == "placed" and any(turn.fills for turn in order.played):
                order.state = "filled"
                self._tell(order)
        if self.hums:
            for market in {market for hears, _ in self.listeners for market in hears()}:
                self._hum(market, now_ms)

    def _hum(self, market: str, now_ms: int) -> None:
        if now_ms - self._hummed_ms.get(market, 0) < HUM_MS:
            return
        self._hummed_ms[market] = now_ms
        one = next(one for (name, _), one in self._instruments.items() if name == market)
        for order in self.orders:
            if order.one is one and order.state == "resting":
                self.cancel(order)
        self.place(one, is_buy=now_ms // HUM_MS % 2 == 0, kind="take_profit" if now_ms // HUM_MS % 3 == 0 else "stop", distance=1)

    def _tell(self, order: StopOrder) -> None:
        order.changed_ns = time.time_ns()
        for _, tell in self.listeners:
            tell(order)

    # ------------------------------------------------------------------ the oracle's doors

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/oracle/stop_order", self._place)
        router.add_post("/oracle/stop_order/cancel", self._cancel)
        router.add_get("/oracle/stop_orders", self._report)

    async def _place(self, request: web.Request) -> web.Response:
        try:
            asked = ujson.loads(await request.text())
            one = self._instruments[asked["market"], asked["symbol"]]
            lots = round(Decimal(asked["quantity"]) / one.qty.step) if "quantity" in asked else None
            order = self.place(
                one, is_buy={"buy": True, "sell": False}[asked.get("side", "sell")], kind=asked.get("kind", "stop"), distance=int(asked.get("distance", 5)),
                lots=lots, price_type=asked.get("price_type", "last"),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, ArithmeticError) as error:
            raise web.HTTPBadRequest(text=f"cannot be placed: {error!r}\n") from error
        return web.json_response(order.truth())

    async def _cancel(self, request: web.Request) -> web.Response:
        try:
            number = ujson.loads(await request.text())["id"]
        except (ValueError, KeyError, TypeError) as error:
            raise web.HTTPBadRequest(text=f'expected {{"id": number}}, got {error!r}\n') from error
        for order in self.orders:
            if order.number == number:
                self.cancel(order)
        return web.json_response([order.truth() for order in self.orders if order.number == number])

    async def _report(self, request: web.Request) -> web.Response:
        return web.json_response([order.truth() for order in self.orders])


class _Ear:
    """Hears the turns of one instrument."""

    def __init__(self, account: Account, one: Instrument):
        self._account, self._one = account, one

    def on_turns(self, turns: list[Turn]) -> None:
        self._account.on_turns(self._one, turns)
