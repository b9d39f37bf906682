"""One timeline out of several: what was seen live, what was fetched to fill gaps, what an archive holds.

Rows come in the order of their keys: intervals and settlements by time, numbered trades by id, named ones by time and name. A row that several sources have
must be the same in each, as far as each knows; where it is not, that is told, and the later source wins, with a revision more. Where one source ends and
another goes on, they should have told the same for a while: that is the seam's proof.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from p9.errors import ConfigError
from p9.history import Row, TradeRow, told
from p9.market.walk import Hole

OVERLAP_INTERVALS, OVERLAP_TRADES = 2, 1_000
KEPT = 100  # conflicts that are told one by one


class Source(IntEnum):
    """Whose word it is; the later one wins."""

    LIVE = 0
    GAPFILL = 1
    ARCHIVE = 2


class Fused(NamedTuple):
    """`source`: the first one that had the row as it is; `revision`: how often a later one changed it."""

    row: Row
    source: Source
    revision: int


class Conflict(msgspec.Struct, frozen=True):
    """Two sources tell one row differently."""

    key: str
    earlier: str
    later: str
    detail: str


class Seam(msgspec.Struct, frozen=True):
    """From `key` on `after` goes on alone, without `before`: both told the last `overlap` rows, all alike or not."""

    key: str
    before: str
    after: str
    overlap: int
    proven: bool


class Segment(msgspec.Struct):
    """Rows first..last come from one source."""

    first: str
    last: str
    source: str
    rows: int = 0


class Fusion:
    """`step_ns`: of intervals; `numbered`: trades by their ids. After `fuse` is through, the rest says what was found on the way."""

    def __init__(self, *, step_ns: int = 0, numbered: bool = False, overlap: int | None = None):
        self._step_ns, self.numbered = step_ns, numbered
        self._newest: Any = None
        self._overlap = overlap if overlap is not None else OVERLAP_TRADES if numbered or not step_ns else OVERLAP_INTERVALS
        self.conflicts: list[Conflict] = []
        self.seams: list[Seam] = []
        self.segments: list[Segment] = []
        self.holes: list[Hole] = []
        self.counts: Counter[str] = Counter()  # rows, shared, conflicts, repeated
        self.watermark: str | None = None  # up to here nothing is missing

    def key(self, row: Row) -> Any:
        if self.numbered:
            assert isinstance(row, TradeRow)
            return int(row.id)
        return (row.time, row.id) if isinstance(row, TradeRow) else row.time

    def fuse(self, sources: Sequence[tuple[Source, Iterable[Row]]]) -> Iterator[Fused]:
        """All rows once, in order. Several iterables may be of one source. Raises ConfigError for one that is not in order."""
        group: list[tuple[Source, Row]] = []
        standing: Any = None
        common: Counter[tuple[Source, Source]] = Counter()
        before: set[Source] = set()
        for key, source, _, row in heapq.merge(*(self._keyed(source, n, rows) for n, (source, rows) in enumerate(sources)), key=lambda entry: entry[:3]):
            if group and key != standing:
                yield self._settle(standing, group, before, common)
                before = {source for source, _ in group}
                group = []
            standing = key
            group.append((source, row))
        if group:
            yield self._settle(standing, group, before, common)

    def _keyed(self, source: Source, n: int, rows: Iterable[Row]) -> Iterator[tuple[Any, Source, int, Row]]:
        newest: Any = None
        for row in rows:
            key = self.key(row)
            if newest is not None and key < newest:
                raise ConfigError(f"{self._told(key)} stands behind {self._told(newest)} in a file of {source.name.lower()}", hint="rows must be in order")
            newest = key
            yield key, source, n, row

    def _told(self, key: Any) -> str:
        return f"id {key}" if self.numbered else f"{told(key[0])} {key[1]}" if isinstance(key, tuple) else told(key)

    def _settle(self, key: Any, group: list[tuple[Source, Row]], before: set[Source], common: Counter[tuple[Source, Source]]) -> Fused:
        """One row out of what the sources say of it."""
        self.counts["rows"] += 1
        first_source, row = group[0]
        revision = 0
        for source, other in group[1:]:
            unlike = _unlike(row, other)
            if unlike:
                self.counts["conflicts"] += 1
                if len(self.conflicts) < KEPT:
                    self.conflicts.append(Conflict(self._told(key), first_source.name.lower(), source.name.lower(), "; ".join(unlike)))
                row, first_source, revision = other, source, revision + 1
            elif source == first_source:
                self.counts["repeated"] += 1
            else:
                row = _completed(row, other)
        present = {source for source, _ in group}
        self._note_seams(key, before, present, common, bool(revision))
        self._note_hole(key)
        self._note_segment(key, first_source)
        return Fused(row, first_source, revision)

    def _note_seams(self, key: Any, before: set[Source], present: set[Source], common: Counter[tuple[Source, Source]], conflict: bool) -> None:
        if len(present) > 1:
            self.counts["shared"] += 1
        for gone in before - present:
            for after in present:
                overlap = common.pop((gone, after), 0) + common.pop((after, gone), 0)
                proven = overlap >= self._overlap
                self.counts["unproven_seams"] += not proven
                if len(self.seams) < KEPT:
                    self.seams.append(Seam(self._told(key), gone.name.lower(), after.name.lower(), overlap, proven))
        for a in present:
            for b in present:
                if a < b:
                    common[a, b] = 0 if conflict else common[a, b] + 1

    def _note_hole(self, key: Any) -> None:
        """Rows that no source has."""
        newest, self._newest = self._newest, key
        step = 1 if self.numbered else self._step_ns
        if newest is not None and step and key != newest + step:
            self.holes.append(Hole(newest + step, key - step, self.numbered))
        if not self.holes:
            self.watermark = self._told(key)

    def _note_segment(self, key: Any, source: Source) -> None:
        name = source.name.lower()
        if not self.segments or self.segments[-1].source != name:
            self.segments.append(Segment(self._told(key), "", name))
        self.segments[-1].last = self._told(key)
        self.segments[-1].rows += 1


def _unlike(a: Row, b: Row) -> list[str]:
    """What two rows of one key say differently, where both say something."""
    pairs = ((name, getattr(a, name), getattr(b, name)) for name in a.__struct_fields__)
    return [f"{name} {mine} and {theirs}" for name, mine, theirs in pairs if mine is not None and theirs is not None and mine != theirs]


def _completed(row: Row, other: Row) -> Row:
    """What the one does not know, from the other."""
    missing = {name: getattr(other, name) for name in row.__struct_fields__ if getattr(row, name) is None and getattr(other, name) is not None}
    return msgspec.structs.replace(row, **missing) if missing else row
