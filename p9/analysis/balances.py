"""What balances were, for a bit more than a day, over restarts too: samples in memory, and a file of them in the data directory.

A sample is one line of JSON, appended off the loop. The file is written anew, without what is too old, at the start and each few hours. A disk that is full
or slow delays nothing, it is counted.
"""

import asyncio
import contextlib
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

import msgspec

from p9.number import exact
from p9.samples import Samples

HOUR_NS = 3600 * 10**9
KEPT_NS = 26 * HOUR_NS
SPACING_NS = 4 * 60 * 10**9  # between two samples of a balance that changes
HEARTBEAT_NS = HOUR_NS // 2  # and of one that does not
SAMPLES = KEPT_NS // SPACING_NS + 1
COMPACT_NS = 6 * HOUR_NS
FLUSH_S = 5.0


class Sample(msgspec.Struct, array_like=True):
    """[exchange, asset, pool, when it was seen, balance]"""

    exchange: str
    asset: str
    pool: str
    at_ns: int
    balance: str


class Past:
    """One balance's samples, ascending."""

    def __init__(self) -> None:
        self.samples = Samples(SAMPLES)

    def add(self, at_ns: int, value: Decimal) -> bool:
        """Take a sample; False where the ones before it say as much."""
        samples, newest = self.samples, len(self.samples) - 1
        if newest >= 0:
            since_ns = at_ns - samples.time(newest)
            if since_ns < SPACING_NS or (since_ns < HEARTBEAT_NS and value == samples.value(newest)):
                return False
        samples.append(at_ns, value)
        samples.drop(self._until(at_ns - KEPT_NS))
        return True

    def at(self, when_ns: int, tolerance_ns: int) -> Decimal | None:
        """The balance at that time: the sample before it if it is not older than the tolerance, else the first one after it; None: not known."""
        samples, after = self.samples, self._until(when_ns)
        if after and when_ns - samples.time(after - 1) <= tolerance_ns:
            return samples.value(after - 1)
        if after < len(samples) and samples.time(after) - when_ns <= tolerance_ns:
            return samples.value(after)
        return None

    def greatest(self, since_ns: int) -> Decimal | None:
        """Of the samples since then, and the one that stood when that began."""
        return max(map(self.samples.value, range(max(0, self._until(since_ns) - 1), len(self.samples))), default=None)

    def _until(self, when_ns: int) -> int:
        """How many samples are not younger."""
        return bisect_right(range(len(self.samples)), when_ns, key=self.samples.time)


class Balances:
    """`path` None: in memory only."""

    def __init__(self, path: Path | None, *, log: Callable[..., None] | None = None):
        self.path = path
        self.counts: Counter[str] = Counter()
        self._pasts: dict[tuple[str, str, str], Past] = {}
        self._lines: list[bytes] = []
        self._log = log or (lambda *_, **__: None)
        self._writing = asyncio.Lock()
        self._compacted_ns = 0

    def past(self, exchange: str, asset: str, pool: str) -> Past:
        return self._pasts.setdefault((exchange, asset, pool), Past())

    def add(self, exchange: str, asset: str, pool: str, at_ns: int, balance: Decimal) -> None:
        if self.past(exchange, asset, pool).add(at_ns, balance) and self.path is not None:
            self._lines.append(msgspec.json.encode(Sample(exchange, asset, pool, at_ns, str(balance))))

    def load(self, now_ns: int) -> None:
        """What the file knows of the last day. Torn or foreign lines are counted and passed over."""
        if self.path is None:
            return
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError:
            lines = []
        rows = []
        for line in filter(None, lines):
            try:
                row = msgspec.json.decode(line, type=Sample)
                rows.append((row.at_ns, row, exact(row.balance)))
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
                self.counts["unreadable"] += 1
        for at_ns, row, balance in sorted(rows, key=lambda item: item[0]):
            if now_ns - KEPT_NS <= at_ns <= now_ns:
                self.past(row.exchange, row.asset, row.pool).add(at_ns, balance)
                self.counts["loaded"] += 1

    async def run(self, now_ns: Callable[[], int]) -> None:
        """Write what is new, until cancelled."""
        while True:
            await self.flush(now_ns())
            await asyncio.sleep(FLUSH_S)

    async def flush(self, now_ns: int) -> None:
        async with self._writing:
            lines, self._lines = self._lines, []
            if self.path is None:
                return
            compact = now_ns - self._compacted_ns >= COMPACT_NS
            if compact:
                self._forget(now_ns)
            if not lines and not compact:
                return
            try:
                if compact:
                    await asyncio.get_running_loop().run_in_executor(None, _write, self.path, list(self._all(now_ns)))
                    self._compacted_ns = now_ns
                else:
                    await asyncio.get_running_loop().run_in_executor(None, _append, self.path, lines)
            except OSError as error:
                if not self.counts["unwritten"]:
                    self._log("balances not written", file=str(self.path), reason=str(error))
                self.counts["unwritten"] += 1
                self._lines = lines + self._lines

    def _forget(self, now_ns: int) -> None:
        """Pools come and go: one of which nothing was heard for so long is none."""
        self._pasts = {key: past for key, past in self._pasts.items() if past.at(now_ns, KEPT_NS) is not None}

    def _all(self, now_ns: int) -> Iterable[bytes]:
        for (exchange, asset, pool), past in self._pasts.items():
            for n, at_ns in enumerate(past.samples.times()):
                if at_ns >= now_ns - KEPT_NS:
                    yield msgspec.json.encode(Sample(exchange, asset, pool, at_ns, str(past.samples.value(n))))


def _append(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """The whole file anew, or as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix(".new")
    try:
        with made.open("wb") as file:
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, path)
    except OSError:
        with contextlib.suppress(OSError):
            made.unlink()
        raise
