"""What becomes of the frames of all books: once a second they are packed in a thread, written to disk, and set in Redis."""

import asyncio
import contextlib
import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import structlog
from cext.film import Film, Frame, Reel
from redis.exceptions import RedisError

from p9.client.stored import key_of
from p9.instrument import Instrument
from p9.snapshots.packing import pack
from p9.snapshots.shelf import Shelf

log = structlog.get_logger(__name__)

AT_ONCE = 32  # commands in one write: a few hundred microseconds of the loop
SWEEP_S = 60.0
STOP_S = 2.0  # for Redis to take the last ones


class KeeperSettings(msgspec.Struct, frozen=True):
    interval_ms: int = 1000
    key_ms: int = 60_000
    keep_ms: int = 86_400_000  # on disk
    flush_s: float = 1.0  # the longest that a snapshot is in memory alone
    waiting_bytes: int = 16 << 20  # of frames for the disk, and again of records for Redis
    redis_keep_ms: int = 60_000  # in Redis; 0: nothing is kept there
    retries: bool = False  # what Redis does not take is kept for later, as far as there is room: it is the only place


class Keeper:
    """`shelf`: the disk; None: there is none. `redis`: redis-py's client of any form. `epoch`: the writer's, as in the events."""

    def __init__(
        self, *, epoch: int, settings: KeeperSettings | None = None, shelf: Shelf | None = None, redis: Any = None,
        now_ns: Callable[[], int] = time.time_ns,
    ):  # fmt: skip
        self.settings, self.shelf, self.epoch = settings or KeeperSettings(), shelf, epoch
        self.reel = Reel(max_bytes=self.settings.waiting_bytes)
        self.counts: Counter[str] = Counter()
        self.error = ""  # of Redis, while it refuses
        self._redis = redis
        self._now_ns = now_ns
        self._films: list[Film] = []
        self._names: list[tuple[str, str]] = []
        self._crcs: list[int] = []
        self._unset: deque[tuple[str, bytes]] = deque()  # what Redis has not taken yet
        self._unset_bytes = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="snapshots")  # one: what it works on has no locks
        self._lock = asyncio.Lock()
        self._setting = asyncio.Lock()
        self._swept_s = float("-inf")

    def film_of(self, instrument: Instrument) -> Film:
        """What the instrument's snapshots are to be shot with; asked for again, a new one in its place. Raises ValueError for a name that no file can have."""
        head = {
            "v": 1, "exchange": instrument.exchange, "symbol": instrument.symbol, "market": instrument.market, "venue_symbol": instrument.venue_symbol,
            "epoch": self.epoch, "interval_ms": self.settings.interval_ms,
        }  # fmt: skip
        if instrument.contract != "base":
            head |= {"contract_value": instrument.contract_value, "contract_unit": "base" if instrument.contract == "linear" else "quote"}
        name = (instrument.exchange, instrument.symbol)
        number = self._names.index(name) if name in self._names else -1
        if number < 0 and self.shelf is not None:
            self.shelf.add(*name)
        text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
        film = Film(self.reel, text, interval_ms=self.settings.interval_ms, key_ms=self.settings.key_ms, book=number)
        if number >= 0:
            self._films[number] = film
        else:
            self._films.append(film)
            self._names.append(name)
            self._crcs.append(0)
        return film

    def tune(self, settings: KeeperSettings, *, max_bytes: int, min_free: int) -> None:
        """Other intervals and bounds from now on; films have them when they are asked for anew."""
        self.settings = settings
        self.reel.max_bytes = settings.waiting_bytes
        if self.shelf is not None:
            self.shelf.keep_ms, self.shelf.max_bytes, self.shelf.min_free = settings.keep_ms, max_bytes, min_free

    def move(self, redis: Any) -> None:
        """To another Redis."""
        self._redis = redis

    async def run(self) -> None:
        """For ever, until cancelled; then comes `stop`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again(self._keep))
            tasks.create_task(self._again(self._set))  # apart: a Redis that is away must not keep the disk waiting

    async def _again(self, job: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await job()
            except Exception:  # whatever it is, the next turn must come
                log.exception("snapshots could not be kept")
            await asyncio.sleep(self.settings.flush_s)

    async def flush(self) -> None:
        """Bring what waits to disk and into Redis."""
        await self._keep()
        await self._set()

    async def stop(self) -> None:
        """Keep what still waits, and end the thread."""
        await self._keep()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._set()
        self._thread.shutdown(wait=False)

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        async with self._lock:
            frames = self.reel.take()
            if frames:
                records = await loop.run_in_executor(self._thread, self._pack, frames)
                if self._redis is not None and self.settings.redis_keep_ms:
                    self._wait(records)
            if self.shelf is not None and loop.time() - self._swept_s >= SWEEP_S:
                self._swept_s = loop.time()
                await loop.run_in_executor(self._thread, self.shelf.sweep, self._now_ns() // 1_000_000)

    # ---- in a thread

    def _pack(self, frames: list[Frame]) -> list[tuple[Frame, bytes]]:
        packed: list[tuple[Frame, bytes]] = []
        of_book: dict[int, list[tuple[Frame, bytes]]] = defaultdict(list)
        for frame in frames:
            record, self._crcs[frame.book] = pack(frame, self._crcs[frame.book])
            packed.append((frame, record))
            of_book[frame.book].append((frame, record))
            self.counts["packed_bytes"] += len(record)
        self.counts["packed"] += len(packed)
        if self.shelf is not None:
            lost = [book for book, records in of_book.items() if not self.shelf.write(book, records)]
            for book in lost:
                self._films[book].cut()
                self.counts["disk_lost"] += len(of_book[book])
            if not lost:
                self.shelf.recovered()
        return packed

    # ---- Redis

    def _wait(self, records: list[tuple[Frame, bytes]]) -> None:
        for frame, record in records:
            exchange, symbol = self._names[frame.book]
            self._unset.append((key_of(exchange, symbol, frame.at_ms), record))
            self._unset_bytes += len(record)
        while self._unset_bytes > self.settings.waiting_bytes:
            self._drop()

    def _drop(self) -> None:
        _, record = self._unset.popleft()
        self._unset_bytes -= len(record)
        self.counts["redis_lost"] += 1

    async def _set(self) -> None:
        async with self._setting:
            await self._set_all()

    async def _set_all(self) -> None:
        keep_ms = self.settings.redis_keep_ms + self.settings.key_ms  # the newest are shown by a key frame that may be so much older
        while self._unset:
            some = [self._unset.popleft() for _ in range(min(AT_ONCE, len(self._unset)))]
            self._unset_bytes -= sum(len(record) for _, record in some)
            try:
                async with self._redis.pipeline(transaction=False) as pipe:
                    for key, record in some:
                        pipe.execute_command("SET", key, record, "PX", keep_ms)
                    answers = await pipe.execute(raise_on_error=False)
            except (RedisError, OSError, TimeoutError) as error:
                self._refused(error, some)
                return
            refusal = next((answer for answer in answers if isinstance(answer, Exception)), None)
            if refusal is not None:  # full, or not ours to write to: the whole piece again, a SET does no harm twice
                self._refused(refusal, some)
                return
            self.counts["set"] += len(some)
        if self.error:
            log.info("Redis takes snapshots again")
            self.error = ""

    def _refused(self, error: Exception, some: list[tuple[str, bytes]]) -> None:
        self._unset.extendleft(reversed(some))
        self._unset_bytes += sum(len(record) for _, record in some)
        self.counts["redis_errors"] += 1
        if not self.error:
            self.error = f"{type(error).__name__}: {error}"
            log.warning("Redis takes no snapshots", error=self.error, waiting=len(self._unset))
        if not self.settings.retries:
            while self._unset:
                self._drop()

    def status(self) -> dict[str, Any]:
        """For /status and the metrics."""
        return {
            "books": len(self._films), "key_frames": self.reel.n_key, "change_frames": self.reel.n_changes, "frame_bytes": self.reel.n_bytes,
            "lost": self.reel.n_lost, "waiting_bytes": self.reel.waiting_bytes, "redis_waiting": len(self._unset), "redis_error": self.error,
            **{name: self.counts[name] for name in ("packed", "packed_bytes", "disk_lost", "set", "redis_lost", "redis_errors")},
            "disk": self.shelf.status() if self.shelf is not None else None,
        }  # fmt: skip
