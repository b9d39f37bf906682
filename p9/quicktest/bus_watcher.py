"""A consumer like any other, which counts what is wrong with what it hears."""

import asyncio
from collections import Counter, defaultdict, deque
from typing import Any, NamedTuple

import ujson
from redis.asyncio import Redis

MEASURED = ("flow", "momentum")  # of which the newest events are kept as they came
KEPT = 40
FRAMES = 2_000


class Frame(NamedTuple):
    """An increment of a book as it was heard: when its frame was received, the venue's id, and whether it is a whole image or stands for several."""

    ts_recv: int
    last_id: int
    whole: bool


class BusWatcher:
    """Hears every channel."""

    def __init__(self, url: str):
        self._client = Redis.from_url(url)
        self.events: Counter[str] = Counter()  # by type
        self.heard: dict[str, set[tuple[str, str]]] = {}  # {type: (exchange, symbol, or symbol:timeframe)}
        self.depths: dict[str, dict[str, Any]] = {}  # the newest increment of each book: of `depth` nothing is kept in Redis
        self.frames: defaultdict[str, deque[Frame]] = defaultdict(lambda: deque(maxlen=FRAMES))  # of each book
        self.measured: defaultdict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=KEPT))
        self.flags: Counter[tuple[str, str]] = Counter()  # (exchange, flag)
        self.holes = self.repeats = self.unreadable = 0
        self.examples: list[str] = []
        self._seq: dict[str, tuple[int, int]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        pubsub = self._client.pubsub()
        await pubsub.psubscribe("*")
        self._task = asyncio.create_task(self._listen(pubsub))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()

    async def _listen(self, pubsub: Any) -> None:
        async for message in pubsub.listen():
            if message["type"] == "pmessage":
                self._hear(message["channel"].decode(), message["data"])

    def _hear(self, channel: str, payload: bytes) -> None:
        try:
            event = ujson.loads(payload)
            kind, exchange, _, epoch, seq = (event[name] for name in ("type", "exchange", "symbol", "epoch", "seq"))
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1
            self.examples.append(f"{channel}: {payload[:80]!r}")
            return
        self.events[kind] += 1
        self.heard.setdefault(kind, set()).add((exchange, channel.split(":", 2)[2]))
        if kind == "depth":
            self.depths[channel] = event
            self.frames[channel].append(Frame(event["ts_recv"], event["last_id"], event["conflated"] != 1 or "snapshot" in event.get("flags", ())))
        elif kind in MEASURED:
            self.measured[channel].append(payload)
        for flag in event.get("flags", ()):
            self.flags[exchange, flag] += 1
        known = self._seq.get(channel)
        if known is not None and known[0] == epoch:
            if seq <= known[1]:
                self.repeats += 1
                return
            if seq != known[1] + 1:
                self.holes += 1
                self.examples.append(f"{channel}: {known[1]} then {seq}")
        self._seq[channel] = (epoch, seq)
