"""One kind of history of one instrument, from wherever it can be had, into one file.

Whole days that the venue's archive has come from there, the rest by REST; where an archive's file is missing or wrong, REST takes its day. The seam
between the two is proved by ids and intervals like any other.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from p9.errors import ConfigError, RestError
from p9.history import SECONDS, Archive, History, Kind, Row, Series, TradeRow, told
from p9.instrument import Instrument
from p9.market import parquet
from p9.market.archive import Archives, period_of
from p9.market.history_file import Form, HistoryFile, Manifest, finished, publish, read, remove, write_manifest
from p9.market.rest import RestClient
from p9.market.walk import Hole, Position, Walk
from p9.venue import Market

Source = Literal["auto", "rest", "archive"]
FORMATS = ("csv", "jsonl", "parquet")
BATCH_ROWS = 5_000


class Order(msgspec.Struct, frozen=True):
    """What is wanted. Times are ns since 1970; `until_ns` is the first moment that is not."""

    kind: Kind
    since_ns: int
    until_ns: int
    timeframe: str = ""
    form: str = "csv"
    source: Source = "auto"


def checked(order: Order, history: History, market: str) -> tuple[Series | None, Archive | None]:
    """What answers it. Raises ConfigError where nothing does, and says why."""
    series, archive = history.series.get(order.kind), history.archives.get(order.kind)
    if series is None:
        reason = history.missing.get(order.kind, "this venue's row has no such history")
        raise ConfigError(f"{market} has no {order.kind}: {reason}", where="KIND", hint=f"it has {', '.join(history.series) or 'nothing'}")
    if order.since_ns >= order.until_ns:
        raise ConfigError(f"nothing lies between {told(order.since_ns)} and {told(order.until_ns)}", where="--from")
    if series.steps and order.timeframe not in series.steps:
        raise ConfigError(f"{market} has no {order.kind} of {order.timeframe or 'no timeframe'}", where="--timeframe", hint=", ".join(series.steps))
    if order.source == "archive" and archive is None:
        raise ConfigError(f"{market} has no archive of {order.kind}", where="--source", hint="take rest")
    if order.form == "parquet":
        parquet.library()
    return series, archive if order.source != "rest" else None


class Harvest:
    """`archives`: None where no address of one is known. `path`: of the finished file."""

    def __init__(
        self, order: Order, market: Market, instrument: Instrument, history: History, client: RestClient, path: Path, *, now_ns: Callable[[], int],
        archives: Archives | None = None, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        series, archive = checked(order, history, market.name)
        assert series is not None
        self.order, self.market, self.instrument, self.series, self.path = order, market, instrument, series, path
        self.archive = archive if archives is not None else None
        self.counts: Counter[str] = Counter()
        self.holes: list[Hole] = []
        self.position = Position(order.since_ns)
        self._client, self._archives, self._now_ns = client, archives, now_ns
        self._log = log or (lambda *_, **__: None)
        self._step_ns = SECONDS[order.timeframe] * 10**9 if series.steps else 0
        form: Form = "jsonl" if order.form in ("jsonl", "parquet") else "csv"
        identity = {
            "exchange": market.exchange, "market": market.name, "symbol": instrument.symbol, "venue_symbol": instrument.venue_symbol, "kind": order.kind,
            "timeframe": order.timeframe, "since_ns": order.since_ns, "until_ns": order.until_ns, "form": order.form,
        }  # fmt: skip
        self._rows_path = path.with_name(path.name + ".jsonl.gz") if order.form == "parquet" else path
        self.file = HistoryFile(self._rows_path, identity, form, series.row, step_ns=self._step_ns, by_id=series.locate is not None)

    @property
    def share(self) -> float:
        """How much of the span is behind us."""
        return min(1.0, max(0.0, (self.position.time - self.order.since_ns) / (self.order.until_ns - self.order.since_ns)))

    @property
    def rows(self) -> int:
        return self.file.rows

    async def run(self) -> Manifest:
        """Fetch what is missing and finish the file. Raises RestError where the venue cannot be asked, and then the next run goes on."""
        known = finished(self.path)
        if known is not None and known.identity == self.file.checkpoint.identity:
            self.position, self.holes = Position(self.order.until_ns), known.holes
            return known
        if self.order.form != "parquet":
            return await self._write()
        rows = finished(self._rows_path)
        if rows is None or rows.identity != self.file.checkpoint.identity:
            if self.path.exists():
                raise ConfigError(f"{self.path} is there already", where="--out", hint="name another, or remove it")
            rows = await self._write()
        return self._as_parquet(rows)

    async def _write(self) -> Manifest:
        self.file.open()
        try:
            await self._fetch()
            return self.file.finish(self.holes, self.series.limits)
        finally:
            self.file.close()

    def _as_parquet(self, rows: Manifest) -> Manifest:
        """From the rows on disk: a Parquet file cannot be taken up again in its midst."""
        part = self.path.with_name(self.path.name + ".part")
        parquet.write(read(self._rows_path, self.series.row), self.series.row, part)
        publish(part, self.path)
        manifest = write_manifest(self.path, rows)
        remove(self._rows_path)
        return manifest

    async def _fetch(self) -> None:
        known = self.file.checkpoint
        self.position, self.holes = known.position or Position(self.order.since_ns), list(known.holes)
        while not known.done and self.position.time < self.order.until_ns:
            if self.archive is None or not await self._from_archive(self.archive):
                await self._from_rest(self._rest_until())

    def _rest_until(self) -> int:
        """Where REST hands over to the archive again."""
        if self.archive is None:
            return self.order.until_ns
        return min(period_of(self.archive, self.position.time)[1], self.order.until_ns)

    async def _from_rest(self, until_ns: int) -> None:
        walk = Walk(
            self._client, self.market, self.series, self.instrument, since_ns=self.order.since_ns, until_ns=until_ns, now_ns=self._now_ns,
            timeframe=self.order.timeframe, start=self.position,
        )  # fmt: skip
        before = list(self.holes)
        async for rows in walk.pages():
            self.holes = _joined(before, walk.holes, self._step_ns)
            self.position = walk.position
            self.file.add(rows, self.holes)
        self.holes = _joined(before, walk.holes, self._step_ns)
        self.position = Position(max(until_ns, walk.position.time), walk.position.id)
        self.counts += walk.counts

    async def _from_archive(self, archive: Archive) -> bool:
        """Take the day that begins here, if the archive should have it and does."""
        assert self._archives is not None
        first_ns, end_ns = period_of(archive, self.position.time)
        if first_ns < self.order.since_ns or end_ns > self.order.until_ns or end_ns + int(archive.delay_s * 1e9) > self._now_ns():
            return False
        try:
            file = await self._archives.fetch(archive, self.instrument, self.order.timeframe, first_ns, sparse=self.series.sparse)
        except RestError as error:
            self.counts["archive_refused"] += 1
            self._log("archive refused", reason=str(error))
            return False
        if file is None:
            return False
        address = self._archives.address(archive, self.instrument, self.order.timeframe, first_ns)
        try:
            self._note_archive(address, file.sha256)
            batch: list[Row] = []
            for row in file.rows():
                if row.time < self.position.time or row.time >= end_ns or not self._follows(row):
                    continue
                batch.append(row)
                if len(batch) >= BATCH_ROWS:
                    self._take(batch)
                    batch = []
            self._take(batch)
        finally:
            file.close()
        self.position = Position(end_ns, self.position.id)
        self.counts["archive_files"] += 1
        return True

    def _follows(self, row: Row) -> bool:
        """Not given yet; a number that was left out between two files is a hole."""
        if not isinstance(row, TradeRow):
            return True
        expected = self.position.id
        if expected is not None and int(row.id) < expected:
            return False
        if expected is not None and int(row.id) > expected:
            self.holes.append(Hole(expected, int(row.id) - 1, by_id=True))
        self.position.id = int(row.id) + 1
        return True

    def _take(self, rows: list[Row]) -> None:
        if rows:
            self.file.add(rows, self.holes)
            step_ns = 0 if isinstance(rows[-1], TradeRow) else self._step_ns or 1
            self.position = Position(rows[-1].time + step_ns, self.position.id)

    def _note_archive(self, address: str, sha256: str) -> None:
        known = self.file.checkpoint.archives
        if known.get(address, sha256) != sha256:
            self.counts["archive_republished"] += 1
            self._log("archive republished", address=address, before=known[address], now=sha256)
        known[address] = sha256


def _joined(before: list[Hole], found: list[Hole], step_ns: int) -> list[Hole]:
    """The holes of two walks one after the other; one that goes on is one."""
    if before and found and before[-1].by_id == found[0].by_id and before[-1].last + (1 if found[0].by_id else step_ns or 1) == found[0].first:
        return [*before[:-1], Hole(before[-1].first, found[0].last, found[0].by_id), *found[1:]]
    return [*before, *found]
