"""The private stream of one account: what it tells of stop orders that were triggered goes into `stop_triggers`, beside what is inferred of others'.

A key that the venue refuses costs nothing but this stream: it is said with the venue's reason, counted, and tried again. Its frames are not recorded and
not logged: they are somebody's orders. What was triggered while it was lost the venue is asked for (p9.capture.reconciler), and a gap says whether it told
all of it.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec
from cext.clock import Clock
from cext.streams.stop_triggers import StopTriggers
from picows import ws_connect

from p9 import secret
from p9.capture.absence import Absence
from p9.capture.cold_feed import ColdFeed, ColdTopic
from p9.capture.connection import LOGIN_HINT, Dial
from p9.capture.line import Connects, FeedSettings
from p9.capture.reconciler import Reconciler
from p9.errors import ConfigError, RestError, RestRefused, SocketLost
from p9.fact import Reading, Roster
from p9.instrument import Instrument
from p9.key import Key
from p9.market.rest import Priority, RestClient
from p9.number import EXACT, decoded, exact, plain, rounded
from p9.stop_order import Account, StopOrder
from p9.venue import Market
from p9.venue import market as row_of

MOST_REMEMBERED = 10_000  # orders that were told
PLACES = 8  # of base coins that are worked out of contracts of quote coins
RETRY_S = 60.0
LOOK_S = 0.25
ROUTE = "private"

Found = tuple[Instrument, StopTriggers]


class Orders:
    """`key()` is asked before each login, and raises ConfigError where there is none any more. `find(market, venue_symbol)`: who publishes it; None: it
    is not captured. `offset_ns()`: how far the venue's clock is ahead of ours."""

    def __init__(
        self, account: Account, market: Market, client: RestClient, connects: Connects, *, key: Callable[[], Key], find: Callable[[str, str], Found | None],
        clock: Clock, offset_ns: Callable[[], int], absence: Absence, settings: FeedSettings | None = None, dial: Dial = ws_connect, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.account = account
        self.counts: Counter[str] = Counter()  # triggers: told, repeated, not_captured
        self.losses: Counter[str] = Counter()  # of the stream: filled, lost; and fetched, the triggers that were told afterwards
        self.bad: Counter[str] = Counter()  # values and frames that could not be used, by what was wrong
        own_url = account.ws_url if market.ws_url == row_of(market.name).ws_url else ""
        self._market = msgspec.structs.replace(market, routes={**market.routes, ROUTE: account.path}, ws_url=own_url or market.ws_url)
        self._client, self._key, self._find, self._clock, self._offset_ns = client, key, find, clock, offset_ns
        self._log = log or (lambda *_, **__: None)
        self._absence = absence
        self._hears = False  # since it was live, no socket was lost without a successor
        self._live_ns = 0  # the venue's time when it was live first
        self._back_ns = 0  # when it was live last
        self._fetched: Counter[tuple[str, str]] = Counter()  # orders told since the line was lost, by instrument
        self._lost_ns = 0  # since when nothing was heard, and the venue was not asked yet; 0: nothing is open
        self._reconciler = Reconciler(account.reconcile, self._market, client, key=key, now_ns=self._venue_ns) if account.reconcile is not None else None
        self._said = ""  # why it could not be reconciled
        self._told: OrderedDict[str, None] = OrderedDict()
        self._listen_key = ""
        self.feed = ColdFeed(
            f"{account.name} orders", self._market, ROUTE, [ColdTopic(name) for name in account.topics], connects, clock=clock, on_frame=self._read,
            login=self._login if account.login is not None else None, address=self._address if account.listen_key is not None else None,
            on_lost=self._on_lost, settings=settings, dial=dial, log=self._say,
        )  # fmt: skip

    async def run(self) -> None:
        """For ever, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.feed.run())
                group.create_task(self._look())
                if self.account.listen_key is not None:
                    group.create_task(self._prolong())
        finally:
            self._absence.end(self._clock.now())

    def _on_lost(self) -> None:
        if self._hears or self.feed.state == "live":
            now_ns = self._clock.now()
            self._lost_ns = self._lost_ns or self.feed.last_recv_ns or self._back_ns or now_ns
            self._absence.begin(self._lost_ns, now_ns)
        self._hears = False

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._hears and self.feed.state == "live":
                self._hears = True
                await self._reconcile()
            if self._hears and self._reconciler is not None and self._reconciler.due:
                self._excuse(await self._reconciler.list_resting(self._live_ns, RETRY_S))

    async def _reconcile(self) -> None:
        """It is live. What was triggered meanwhile is told, and what was open is settled; lost once more, it stays open until the next time."""
        self._back_ns = back_ns = self._clock.now()
        self._live_ns = self._live_ns or self._venue_ns()
        if not self._lost_ns:
            return
        why = "the venue is not asked"
        if self._reconciler is not None:
            await asyncio.sleep(self._reconciler.how.settle_s)
            since_ns = self._lost_ns + self._offset_ns()
            orders, why = await self._reconciler.triggered(self._absence.instruments(), since_ns)
            for order in orders:
                one = self._tell(order, self._clock.now(), fetched=True)
                if one is not None:
                    self._fetched[one.market, one.symbol] += 1
            if not self._hears:
                return
            self._excuse(why)
        self._lost_ns = 0
        self.losses["lost" if why else "filled"] += 1
        self._absence.end(self._clock.now(), "lost" if why else "filled", until_ns=back_ns, fetched=self._fetched)
        self._fetched.clear()

    def _excuse(self, why: str) -> None:
        """Said once a reason."""
        if why and why != self._said:
            self._log("stop orders not reconciled", account=self.account.name, reason=why)
        self._said = why

    def _venue_ns(self) -> int:
        return self._clock.now() + self._offset_ns()

    def _say(self, event: str, **more: Any) -> None:
        """What the line has to say, without the frame that it says it of."""
        more.pop("frame", None)
        self._log(event, **more)

    def _login(self) -> bytes:
        assert self.account.login is not None
        try:
            key = self._key()
        except ConfigError as error:
            raise SocketLost(str(error)) from None
        return self.account.login(key, self._venue_ns())

    async def _address(self) -> str:
        """Raises RestError, SocketLost."""
        try:
            self._listen_key = await self._ask()
        except RestRefused as error:
            self.feed.counts["login_refused"] += 1
            raise SocketLost(f"login refused: {secret.censored(str(error))} ({LOGIN_HINT})") from None
        return f"{self._market.socket_url(ROUTE)}/{self._listen_key}"

    async def _ask(self) -> str:
        """A listen key: the one that there is, prolonged, or a new one."""
        wanted = self.account.listen_key
        assert wanted is not None
        answer = await self._client.get_json(self._market, wanted.request, Priority.AUDIT, attempts=1, headers={wanted.header: self._key().key})
        found = wanted.read(answer)
        if not found:
            raise SocketLost("the answer holds no listen key", where=self.feed.name)
        secret.learn(found)
        return found

    async def _prolong(self) -> None:
        """The key stays valid as long as it is asked for; another one means that the old one is over, and its socket silent."""
        wanted = self.account.listen_key
        assert wanted is not None
        wait_s = wanted.every_s
        while True:
            await asyncio.sleep(wait_s)
            wait_s = wanted.every_s
            if not self.feed.up:
                continue  # who connects asks anyway
            try:
                found = await self._ask()
            except RestRefused as error:
                self.feed.counts["login_refused"] += 1
                self.feed.recycle(f"login refused: {error}")
            except (RestError, SocketLost) as error:
                self.counts["not_prolonged"] += 1
                self._log("listen key not prolonged", account=self.account.name, reason=secret.censored(str(error)))
                wait_s = RETRY_S
            else:
                if found != self._listen_key:
                    self.feed.recycle("its listen key is over")

    def _read(self, payload: bytes, recv_ns: int) -> None:
        reading = Reading(Roster(()))
        try:
            frame = decoded(payload)
            if self.account.over is not None and self.account.over(frame):
                self.feed.recycle("its listen key is over" if self.account.listen_key is not None else "the venue ended the stream")
                return
            self.account.read(reading, frame)
        except Exception as error:  # a frame that nobody foresaw: its kind is told, and not what stands in it
            reading.reject(type(error).__name__)
        for reason, n in reading.bad.items():
            if not self.bad[reason]:
                self._log("private frame refused", account=self.account.name, reason=reason)
            self.bad[reason] += n
        for order in reading.facts:
            self._tell(order, recv_ns)

    def _tell(self, order: StopOrder, recv_ns: int, *, fetched: bool = False) -> Instrument | None:
        """The first message of an order that says that it was triggered, or the venue's answer. Who was told of it, if anybody."""
        name = f"{order.market} {order.order_id}"
        if name in self._told:
            self.counts["repeated"] += 1
            return None
        found = self._find(order.market, order.venue_symbol)
        if found is None:
            self.counts["not_captured"] += 1
            return None
        self._told[name] = None
        if len(self._told) > MOST_REMEMBERED:
            self._told.popitem(last=False)
        one, stream = found
        fields, is_rounded = told_of(one, order)
        self.counts["told"] += 1
        self.losses["fetched"] += fetched
        times = {"ts_recv": recv_ns} if order.at_ns is None else {"ts_event": order.at_ns, "ts_recv": recv_ns}
        stream.told(msgspec.json.encode(fields), rounded=is_rounded, backfill=fetched, **times)
        return one

    def status(self) -> dict[str, Any]:
        """`reconciles`: what is triggered while the stream is lost can be asked for."""
        asks = self._reconciler
        return {
            "feed": self.feed.status(), "counts": dict(self.counts), "losses": dict(self.losses), "gaps": self._absence.open,
            "bad": dict(self.bad + asks.bad if asks is not None else self.bad), "reconciles": asks is not None and asks.ready,
        }  # fmt: skip


def told_of(one: Instrument, order: StopOrder) -> tuple[dict[str, Any], bool]:
    """The event's own fields, and whether a quantity in them is rounded. Amounts that are worked out are at the trigger price."""
    quantity, quote, is_rounded = _amounts(one, order)
    fields = {
        "kind": "stop_order_triggered", "side": order.side, "position": order.position, "order_kind": order.kind, "order_type": order.order_type,
        "trigger_price": order.trigger_price, "trigger_price_type": order.trigger_price_type, "order_price": order.order_price, "quantity": quantity,
        "quote_quantity": quote,
    }  # fmt: skip
    if one.contract != "base":
        fields |= {"contracts": order.quantity, "contract_value": one.contract_value, "contract_unit": "quote" if one.contract == "inverse" else "base"}
    return fields | {
        "order_id": order.order_id, "client_id": order.client_id, "placed_order_id": order.placed_order_id, "reduce_only": order.reduce_only,
        "failure": order.failure,
    }, is_rounded  # fmt: skip


def _amounts(one: Instrument, order: StopOrder) -> tuple[str | None, str | None, bool]:
    """Base coins, quote coins, and whether the base coins are rounded."""
    if order.quantity is None:
        return None, order.quote_quantity, False
    price = exact(order.trigger_price) if order.trigger_price is not None else None
    amount = EXACT.multiply(exact(order.quantity), exact(one.contract_value))
    if one.contract == "inverse":
        return (rounded(EXACT.divide(amount, price), PLACES) if price else None), plain(amount), price is not None
    return plain(amount), (plain(EXACT.multiply(amount, price)) if price else None), False
