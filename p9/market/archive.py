"""Files of whole days that a venue publishes: fetched, held against their checksum, and read only if nothing is missing in them.

An address gives a zip of one CSV; the same address with .CHECKSUM gives its SHA-256. Nothing is taken from a file that does not match, that skips a
number or an interval, or whose times are not of its day.
"""

import asyncio
import csv
import hashlib
import io
import os
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from p9.errors import RestError
from p9.history import SECONDS, Archive, Row, TradeRow, told
from p9.instrument import Instrument
from p9.trust import context_of

TRIES = 3
PAUSE_S = 1.0
PIECE = 1 << 18
MOST_BYTES = 8 << 30  # of an unpacked file
_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")


class ArchiveWrong(RestError):
    """A file that must not be used: another checksum, a hole, a time that cannot be."""


def period_of(archive: Archive, at_ns: int) -> tuple[int, int]:
    """The beginning and the end of the day or month that holds a moment."""
    at = datetime.fromtimestamp(at_ns // 10**9, UTC)
    first = at.replace(hour=0, minute=0, second=0, day=1 if archive.monthly else at.day)
    end = (first + timedelta(days=32)).replace(day=1) if archive.monthly else first + timedelta(days=1)
    return int(first.timestamp()) * 10**9, int(end.timestamp()) * 10**9


class ArchiveFile:
    """One file, verified, in a folder for a while. `rows` may be read as often as wanted; `close` removes it."""

    def __init__(self, archive: Archive, instrument: Instrument, path: Path, sha256: str, *, first_ns: int, end_ns: int, timeframe: str, sparse: bool):
        self.archive, self.instrument, self.path, self.sha256 = archive, instrument, path, sha256
        self.first_ns, self.end_ns = first_ns, end_ns
        self._step_ns = SECONDS[timeframe] * 10**9 if timeframe else 0
        self._sparse = sparse
        self.n_rows = 0
        self.n_off_grid = 0  # of a finer grid than the one asked for

    def close(self) -> None:
        self.path.unlink(missing_ok=True)

    def rows(self) -> Iterator[Row]:
        """Every row that belongs to the grid, in the order of the file. Raises ArchiveWrong."""
        try:
            with zipfile.ZipFile(self.path) as bundle:
                names = bundle.namelist()
                if len(names) != 1 or bundle.getinfo(names[0]).file_size > MOST_BYTES:
                    raise ArchiveWrong(f"holds {len(names)} files, or one beyond all measure", where=self.path.name)
                with bundle.open(names[0]) as member, io.TextIOWrapper(member, "utf-8", newline="") as text:
                    for fields in csv.reader(text):
                        row = self.archive.read(self.instrument, fields)
                        if row is None:
                            continue
                        if self._step_ns and row.time % self._step_ns:
                            self.n_off_grid += 1
                        else:
                            yield row
        except (zipfile.BadZipFile, LookupError, TypeError, ValueError, ArithmeticError, csv.Error, EOFError, NotImplementedError) as error:
            raise ArchiveWrong(f"cannot be read: {type(error).__name__}: {error}", where=self.path.name) from None

    def verify(self) -> None:
        """Times within the period, ids and intervals without holes, whole at both ends. Raises ArchiveWrong."""
        before: Row | None = None
        self.n_rows = self.n_off_grid = 0
        for row in self.rows():
            self.n_rows += 1
            if not self.first_ns <= row.time < self.end_ns + (self._step_ns if self.archive.kind == "open_interest" else 0):
                raise ArchiveWrong(f"a row of {told(row.time)} in the file of {told(self.first_ns)}: a unit of time has changed?", where=self.path.name)
            if isinstance(row, TradeRow):
                if before is not None and int(row.id) != int(before.id) + 1:  # type: ignore[union-attr]
                    raise ArchiveWrong(f"{row.id} follows {before.id}", where=self.path.name)  # type: ignore[union-attr]
            elif self._step_ns and not self._sparse:
                expected = before.time + self._step_ns if before is not None else self._first_moment(row)
                if row.time != expected:
                    raise ArchiveWrong(f"{told(row.time)} stands where {told(expected)} belongs", where=self.path.name)
            elif before is not None and row.time <= before.time:
                raise ArchiveWrong(f"{told(row.time)} after {told(before.time)}", where=self.path.name)
            before = row
        if self._step_ns and not self._sparse and (before is None or before.time < self.end_ns - self._step_ns):
            raise ArchiveWrong("ends before its period does", where=self.path.name)

    def _first_moment(self, row: Row) -> int:
        """Counts of a period's end begin with the end of the first one."""
        return row.time if self.archive.kind == "open_interest" and row.time == self.first_ns + self._step_ns else self.first_ns


class Archives:
    """Of one address. Open with `async with`."""

    def __init__(self, url: str, *, session: Any = aiohttp.ClientSession):
        self.url = url.rstrip("/")
        self.counts: Counter[str] = Counter()  # files, missing, wrong, republished
        self._make_session = session

    async def __aenter__(self) -> "Archives":
        self._folder = tempfile.TemporaryDirectory(prefix="p9_archive_")
        self._session = self._make_session(timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=60.0))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        self._folder.cleanup()

    def address(self, archive: Archive, instrument: Instrument, timeframe: str, first_ns: int) -> str:
        day = datetime.fromtimestamp(first_ns // 10**9, UTC)
        symbol = instrument.family if archive.kind == "index_price" else instrument.venue_symbol
        return self.url + archive.path.format(symbol=symbol, step=timeframe, date=f"{day:%Y-%m-%d}", month=f"{day:%Y-%m}")

    async def fetch(self, archive: Archive, instrument: Instrument, timeframe: str, at_ns: int, *, sparse: bool = False) -> ArchiveFile | None:
        """The file of the day or month that holds a moment; None if there is none. Raises ArchiveWrong, or RestError where nothing answers."""
        first_ns, end_ns = period_of(archive, at_ns)
        address = self.address(archive, instrument, timeframe, first_ns)
        fault: RestError = RestError("no answer", where=address)
        for attempt in range(TRIES):
            try:
                promised = await self._checksum(address)
                if promised is None:
                    self.counts["missing"] += 1
                    return None
                path, found = await self._download(address)
                if found == promised:
                    self.counts["files"] += 1
                    file = ArchiveFile(archive, instrument, path, found, first_ns=first_ns, end_ns=end_ns, timeframe=timeframe, sparse=sparse)
                    await asyncio.get_running_loop().run_in_executor(None, self._verified, file)
                    return file
                path.unlink(missing_ok=True)
                self.counts["wrong"] += 1
                fault = ArchiveWrong(f"its SHA-256 is {found[:12]}…, promised is {promised[:12]}…", where=address)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self.counts["unreachable"] += 1
                fault = RestError(f"{type(error).__name__}: {error}", where=address)
            await asyncio.sleep(PAUSE_S * attempt)
        raise fault

    def _verified(self, file: ArchiveFile) -> None:
        try:
            file.verify()
        except ArchiveWrong:
            self.counts["wrong"] += 1
            file.close()
            raise

    async def _checksum(self, address: str) -> str | None:
        async with self._session.get(address + ".CHECKSUM", ssl=context_of(address) or True) as answer:
            if answer.status == 404:
                return None
            answer.raise_for_status()
            found = _SHA256.search((await answer.text())[:4096])
            if found is None:
                raise ArchiveWrong("its checksum is none", where=address)
            return found[0]

    async def _download(self, address: str) -> tuple[Path, str]:
        digest = hashlib.sha256()
        handle, name = tempfile.mkstemp(dir=self._folder.name, suffix=".zip")
        with os.fdopen(handle, "wb") as file:
            async with self._session.get(address, ssl=context_of(address) or True) as answer:
                answer.raise_for_status()
                async for piece in answer.content.iter_chunked(PIECE):
                    digest.update(piece)
                    file.write(piece)
        return Path(name), digest.hexdigest()
