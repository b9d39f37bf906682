"""A dashboard over an outbox and a pipeline that are real, without venues and without Redis."""

import asyncio
from typing import Any

import aiohttp
import msgspec
from cext.clock import Clock
from cext.outbox import Outbox

from p9.capture.ledger import Ledger
from p9.instrument import Instrument
from p9.ops.dashboard.dashboard import Dashboard
from p9.ops.dashboard.sources import Sources
from p9.ops.dashboard.watch import Watch
from p9.ops.gate import Gate
from p9.ops.pages import Pages

HIGH, MEDIUM, LOW = 1, 2, 3
START_NS = 1_700_000_000_000_000_000
ROW = Instrument(
    exchange="venue", market="venue_spot", symbol="BTC-USDT", venue_symbol="BTCUSDT", base="BTC", quote="USDT", settle="USDT", kind="spot",
    tick="0.01", step="0.00001",
)  # fmt: skip


class NoHistory:
    """A Redis that is away: everything begins with what comes."""

    async def recent(self, channel: Any, n: int) -> list[Any]:
        return []

    async def newest(self, channels: list[Any]) -> list[Any]:
        return []

    async def before(self, channels: list[Any], n: int) -> list[Any]:
        return []


class Kept(NoHistory):
    """A Redis that has these events, by type."""

    def __init__(self, events: dict[str, list[dict[str, Any]]]):
        self.events = events

    async def recent(self, channel: Any, n: int) -> list[Any]:
        return self.events.get(channel.type, [])[-n:]


class Market:
    """Stands for a Capture as far as views look at one: a pipeline with one instrument's book, which tests set."""

    def __init__(self) -> None:
        self.instruments = {0: ROW}
        self.feeds: list[Any] = []
        self.pipeline = self
        self.levels: dict[str, list[tuple[str, str]]] = {"bids": [("100", "1")], "asks": [("101", "2")]}
        self.state = "synced"

    def book(self, ix: int, n: int) -> dict[str, Any]:
        return {"state": self.state, "reason": "snapshot", "valid_bid": None, "valid_ask": None, **{side: rows[:n] for side, rows in self.levels.items()}}

    def states(self) -> list[str]:
        return [self.state]

    def instrument_counters(self, ix: int) -> dict[str, int]:
        return {"trades": 0, "depth_frames": 0, "gaps": 0, "trade_gaps": 0}


def outbox() -> Outbox:
    return Outbox(Clock(START_NS), epoch=1_700_000_000_000)


def channel(box: Outbox, type: str, cls: int, symbol: str = "BTC-USDT", **more: Any) -> Any:
    return box.channel(type, "venue", symbol, "venue_spot", symbol.replace("-", ""), cls, **more)


def trade(price: str, quantity: str = "1", side: str = "buy") -> bytes:
    return msgspec.json.encode({"price": price, "quantity": quantity, "side": side})


def sources(box: Outbox, market: Market | None = None, history: Any = None) -> Sources:
    shown: Any = market or Market()
    return Sources(
        captures=lambda: {"venue_spot": shown}, status=dict, not_ready=list, config=lambda: {"http": {"port": 1}}, budgets=dict,
        ledger=Ledger(None, epoch=1), watch=Watch(box), history=history or NoHistory(),
    )  # fmt: skip


async def served(parts: Sources, *, most: int = 8, gate: Gate | None = None, connections: int = 256) -> tuple[Pages, Dashboard]:
    """Pages on a free port of this machine."""
    dashboard = Dashboard(parts, most=most, simulated=True, pages=dict)
    pages = Pages(
        host="127.0.0.1", port=0, status=lambda: {"uptime_s": 1.0}, ready=list, book=lambda *_: None, gaps=list, dashboard=dashboard, gate=gate, most=connections,
    )  # fmt: skip
    await pages.start()
    return pages, dashboard


class Page:
    """What a page hears, put together as the page does it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse):
        self.socket, self.state, self.lists, self.messages = socket, {}, {}, []

    async def look(self, **look: str) -> None:
        await self.socket.send_str(msgspec.json.encode({"look": look}).decode())

    async def hear(self) -> dict[str, Any]:
        """The next message that is no hello."""
        while True:
            message = msgspec.json.decode(await self.socket.receive_str(timeout=30))
            self.messages.append(message)
            if "hello" in message:
                continue
            if "full" in message:
                self.state, self.lists = merged({}, message["full"]), {name: list(rows) for name, rows in message["lists"].items()}
            elif "patch" in message:
                self.state = merged(self.state, message["patch"])
                for name, rows in message["add"].items():
                    self.lists.setdefault(name, []).extend(rows)
            return message

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(30):
            while not true(self):
                await self.hear()


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396's own pseudo code."""
    if not isinstance(patch, dict):
        return patch
    if not isinstance(target, dict):
        target = {}
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
