"""The disk under CRITICAL and HIGH: the outbox's journals in segment files.

What Redis does not confirm within a tick is copied to disk; what memory has no room for lives there alone and is read back, in order, when there is
room again. So a kill of this process loses at most what was accepted in the last two ticks and confirmed by nobody, and a Redis that keeps up
costs no write at all. A segment goes when everything in it is confirmed.

All file work is done in the loop's executor, one piece at a time; the journals themselves are touched on the loop alone.
"""

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, Protocol

import msgspec
import structlog
from cext.journal import Journal
from cext.outbox import CLASS_NAMES, Outbox

log = structlog.get_logger(__name__)

LOW_WATER_BYTES = 2 << 20  # of a class in memory: below it, more is read back
READ_BYTES = 512 << 10  # at once: a millisecond of the loop
WARN_SHARE = 0.8  # of the bound: readiness warns
SPOOLED_CLASSES = (0, 1)  # CRITICAL, HIGH; in this order they are read back

Tell = Callable[..., None]


class Files(Protocol):
    """What the spool needs of a disk: delivery.disk.Disk."""

    folder: Any

    def names(self) -> list[str]: ...
    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes: ...
    def write(self, name: str, offset: int, data: bytes) -> None: ...
    def sync(self, name: str) -> None: ...
    def remove(self, name: str) -> None: ...
    def release(self, name: str) -> None: ...
    def close(self) -> None: ...


class SpoolSettings(msgspec.Struct, frozen=True):
    max_bytes: int = 2 << 30  # over it the oldest HIGH segment is shed, then the oldest CRITICAL one
    segment_bytes: int = 8 << 20
    fsync: Literal["group", "always"] = "group"  # always: everything is written at once and not only what waits
    fsync_interval_s: float = 0.1  # of `group`: the longest that an event is neither confirmed nor on disk


MOST_ENTRIES = 2**62  # of one class, ever


class _Log:
    """The files of one class."""

    def __init__(self, journal: Journal):
        self.journal = journal
        self.word = CLASS_NAMES[journal.cls].lower()
        self.sizes: dict[int, int] = {}  # {first ordinal of a segment: bytes written}
        self.current: int | None = None  # the segment that is written to
        self.unwritten: deque[tuple[int, int, bytes]] = deque()  # (segment, offset, bytes) that the disk has not taken yet
        self.cursor: tuple[int, int] | None = None  # (segment, offset) of the oldest entry that may have to be read back; None: none is on disk
        self.loaded: tuple[int, int, bytes] | None = None  # (segment, offset, bytes) that is being read back

    def name(self, first: int) -> str:
        return f"{self.word}-{first:020d}.spool"

    def firsts(self) -> list[int]:
        return [first for first, _ in self.journal.segments()]


class Spool:
    """`recover`, then an Outbox with `journals`, then `attach` it and `start`; at the end `flush(everything=True)` and `stop`."""

    def __init__(self, files: Files, settings: SpoolSettings | None = None, *, tell: Tell | None = None):
        self.files, self.settings = files, settings or SpoolSettings()
        self.tell = tell or (lambda kind, detail, **more: None)
        self.journals = tuple(Journal(cls) for cls in SPOOLED_CLASSES)
        self.error = ""  # of the disk, while it refuses
        self.n_errors = 0
        self.n_torn = 0  # segments whose end was torn
        self.n_shed = 0  # events given up for the bound
        self._logs = [_Log(journal) for journal in self.journals]
        self._outbox: Outbox | None = None
        self._lock = asyncio.Lock()
        self._poked = asyncio.Event()
        self._room = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._read_back: Callable[[], None] = lambda: None

    # ---- the start

    async def recover(self) -> int:
        """Read what an earlier process left. How many events; `newest_epoch` is known then. A disk that refuses is said and survived."""
        try:
            await self._in_executor(self._recover)
        except OSError as error:
            self._refused(error)
        for each in self._logs:
            if each.journal.n_unread:
                each.cursor = (each.firsts()[0], 0)
        found = sum(journal.n_unread for journal in self.journals)
        damaged = sum(journal.n_damaged for journal in self.journals)
        if found or damaged or self.n_torn:
            log.info("events found in the spool", events=found, damaged=damaged, torn_segments=self.n_torn, bytes=self.n_bytes)
        return found

    def _recover(self) -> None:
        names = self.files.names()
        for each in self._logs:
            found = (re.fullmatch(rf"{each.word}-(\d{{20}})\.spool", name, re.ASCII) for name in names)
            segments = sorted(first for match in found if match and (first := int(match[1])) < MOST_ENTRIES)  # beyond it: no file of ours
            for first in segments:
                data = self.files.read(each.name(first))
                good, lost, torn = each.journal.recover(first, data)
                each.sizes[first] = len(data)
                self.n_torn += torn
                if lost or torn:
                    log.error("a spool segment is damaged", file=each.name(first), events_lost=lost, bytes_torn=len(data) - good if torn else 0)

    @property
    def newest_epoch(self) -> int:
        """Of the events that were found; 0 without any."""
        return max(journal.newest_epoch for journal in self.journals)

    def attach(self, outbox: Outbox) -> None:
        """The outbox that was made with our journals."""
        self._outbox = outbox

    def start(self, read_back: Callable[[], None]) -> None:
        """`read_back` is called when there is more to send."""
        self._read_back = read_back
        self._tasks = [
            asyncio.create_task(self._keep(), name="spool"),
            asyncio.create_task(self._feed(), name="spool feeder"),
        ]  # fmt: skip
        self._room.set()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        async with self._lock:
            for each in self._logs:
                if each.current is not None:
                    self.files.release(each.name(each.current))
            self.files.close()

    async def _in_executor(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, work, *args)

    # ---- writing

    def poke(self) -> None:
        """Something was accepted."""
        if self.settings.fsync == "always":
            self._poked.set()

    async def _keep(self) -> None:
        always = self.settings.fsync == "always"
        while True:
            if always:
                await self._poked.wait()
                self._poked.clear()
            else:
                await asyncio.sleep(self.settings.fsync_interval_s / 2)
            try:
                await self.flush(everything=always)
            except Exception:  # whatever it is, the next tick must come
                log.exception("the spool's tick failed")
            self.feed()

    async def flush(self, everything: bool = False) -> bool:
        """Bring to disk what has waited since the last time (`everything`: all that waits). False: the disk does not take it."""
        assert self._outbox is not None
        async with self._lock:
            self._outbox.journal(everything)
            written = True
            for each in self._logs:
                if each.unwritten or self._take(each):
                    written = await self._write(each) and written
                if each.sizes:
                    await self._clear(each)
            if any(each.sizes for each in self._logs):
                await self._bound()
        return written

    async def _write(self, each: _Log) -> bool:
        while each.unwritten or self._take(each):
            first, offset, data = each.unwritten[0]
            try:
                await self._in_executor(self._put, each.name(first), offset, data)
            except OSError as error:
                self._refused(error)
                return False
            self.error = ""
            each.sizes[first] = offset + len(data)
            each.unwritten.popleft()
        return True

    def _take(self, each: _Log) -> bool:
        fresh = each.current is None or each.sizes.get(each.current, 0) >= self.settings.segment_bytes
        taken = each.journal.take(fresh)
        if taken is None:
            return False
        first, data = taken
        if first != each.current:
            if each.current is not None:
                self.files.release(each.name(each.current))
            each.current = first
        offset = each.sizes.setdefault(first, 0)
        if each.cursor is None and each.journal.n_unread:
            each.cursor = (first, offset)
        each.unwritten.append((first, offset, data))
        return True

    def _put(self, name: str, offset: int, data: bytes) -> None:
        self.files.write(name, offset, data)
        self.files.sync(name)

    def _refused(self, error: OSError) -> None:
        self.n_errors += 1
        if not self.error:
            self.error = error.strerror or str(error)
            log.error("the spool's disk refuses", error=self.error)
            self.tell("spool", f"the disk refuses: {self.error}", state="disk_refuses")

    async def _clear(self, each: _Log) -> None:
        """Remove the segments of which everything is confirmed."""
        for first, n_open in each.journal.segments():
            if n_open == 0:
                await self._remove(each, first)

    async def _remove(self, each: _Log, first: int) -> None:
        while each.unwritten and each.unwritten[0][0] == first:
            each.unwritten.popleft()
        if each.cursor is not None and each.cursor[0] == first:
            later = next((segment for segment in each.firsts() if segment > first), None)
            each.cursor = (later, 0) if later is not None else None
        if each.loaded is not None and each.loaded[0] == first:
            each.loaded = None
        if each.current == first:
            each.current = None
        each.journal.forget(first)
        each.sizes.pop(first, None)
        try:
            await self._in_executor(self.files.remove, each.name(first))
        except OSError as error:
            self._refused(error)

    @property
    def n_bytes(self) -> int:
        return sum(sum(each.sizes.values()) for each in self._logs)

    async def _bound(self) -> None:
        """Over the bound the oldest HIGH segment goes, then the oldest CRITICAL one; never in silence."""
        assert self._outbox is not None
        gone = {each.word: 0 for each in self._logs}
        while self.n_bytes > self.settings.max_bytes:
            each = next((each for each in reversed(self._logs) if each.sizes), None)
            if each is None:
                break
            first = min(each.sizes)
            before = self._outbox.n_shed(each.journal.cls)
            with contextlib.suppress(OSError):
                data = await self._in_executor(self.files.read, each.name(first))
                self._outbox.readmit(each.journal.cls, data, 0, len(data), shed=True)
            gone[each.word] += self._outbox.n_shed(each.journal.cls) - before
            await self._remove(each, first)
        for word, n in gone.items():
            if n:
                self.n_shed += n
                log.error("the spool is full: its oldest events are shed", cls=word, events=n, bytes=self.n_bytes)
                self.tell("spool", f"full: {n} of the oldest {word} events were shed", state="full", shed=n)

    # ---- reading back

    def feed(self) -> None:
        """There may be room in memory."""
        if any(journal.n_unread for journal in self.journals):
            self._room.set()

    async def _feed(self) -> None:
        assert self._outbox is not None
        while True:
            wanting = (e for e in self._logs if e.journal.n_unread and self._outbox.has_room(e.journal.cls, LOW_WATER_BYTES))
            each = next(wanting, None)
            if each is None:
                self._room.clear()
                await self._room.wait()
                continue
            try:
                await self.read(each.journal.cls)
            except OSError as error:
                self._refused(error)
                await asyncio.sleep(self.settings.fsync_interval_s)
            except Exception:
                log.exception("the spool cannot be read back")
                await asyncio.sleep(self.settings.fsync_interval_s)
            self._read_back()

    async def read(self, cls: int) -> None:
        """Bring the next piece of the class back into memory. Raises OSError."""
        async with self._lock:
            await self._read(self._logs[cls])

    async def _read(self, each: _Log) -> None:
        """The next piece of the class back into memory: from its segments, then what the disk has not taken, then what is not written yet."""
        assert self._outbox is not None
        cls = each.journal.cls
        if each.cursor is not None:
            first, offset = each.cursor
            size = each.sizes.get(first, 0)
            if offset < size:
                if each.loaded is None or each.loaded[0] != first or offset >= each.loaded[1] + len(each.loaded[2]):
                    data = await self._in_executor(self.files.read, each.name(first), offset, size - offset)
                    each.loaded = (first, offset, data)
                _, base, data = each.loaded
                if data:
                    each.cursor = (first, base + self._outbox.readmit(cls, data, offset - base, READ_BYTES))
                    return
            later = next((segment for segment in each.firsts() if segment > first and each.sizes.get(segment)), None)
            each.loaded = None
            if later is not None:
                each.cursor = (later, 0)
                return
        for data in (*(data for _, _, data in each.unwritten), None):
            size = each.journal.pending_bytes if data is None else len(data)
            if self._outbox.readmit(cls, data, 0, size) < size:
                return  # memory is full again
        each.cursor = each.loaded = None
        lost = self._outbox.give_up_unread(cls)
        if lost:
            log.error("events in the spool are damaged", cls=each.word, events=lost)
            self.tell("spool", f"{lost} {each.word} events are damaged on disk", state="damaged", shed=lost)

    # ---- what it says of itself

    @property
    def where(self) -> str:
        return str(self.files.folder)

    @property
    def n_safe(self) -> int:
        """Events that wait and are on disk."""
        unwritten = {first for each in self._logs for first, _, _ in each.unwritten}
        return sum(n for each in self._logs for first, n in each.journal.segments() if first not in unwritten)

    def warning(self) -> str:
        """What readiness should say; "" where all is well."""
        if self.error:
            return f"spool: the disk refuses: {self.error}"
        if self.n_bytes > WARN_SHARE * self.settings.max_bytes:
            return f"spool: {self.n_bytes * 100 // self.settings.max_bytes} % full"
        return ""

    def stats(self) -> dict[str, Any]:
        return {
            "bytes": self.n_bytes, "max_bytes": self.settings.max_bytes, "segments": sum(len(each.sizes) for each in self._logs),
            "errors": self.n_errors, "error": self.error, "torn": self.n_torn, "shed": self.n_shed,
            "damaged": sum(journal.n_damaged for journal in self.journals), "unread": sum(journal.n_unread for journal in self.journals),
        }  # fmt: skip
