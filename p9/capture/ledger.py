"""The gap ledger: what was missing, when, why, how it was repaired, and what stays unknown.

A row is written when a gap opens and again when it is settled, as one line of JSON each, appended to `gaps.jsonl`; the newest line of an id
counts.
"""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from p9.line_file import LineFile

KEPT = 4096  # settled rows in memory
MAX_FILE = 16 << 20  # bytes; the one before it is kept too
MAX_WAITING = 8192  # lines

GapKind = Literal["book", "trades", "liquidations", "stop_triggers"]


class Gap(msgspec.Struct, kw_only=True):
    """One thing that was missing. Ids are the venue's, times ns since 1970; None: not known, or not yet.

    book: `first_id`..`last_id` are the updates that did not come; state resynced: an image replaced them. trades: state filled, or lost with
    what never came in `left`. liquidations: state lost, with the times between which nobody could tell us of any. stop_triggers: the same, or filled
    where the venue, asked for them, told all.
    """

    id: str
    kind: GapKind
    state: Literal["open", "resynced", "filled", "lost"]
    exchange: str
    market: str
    symbol: str
    reason: str
    noticed_ns: int
    settled_ns: int | None = None
    first_id: int | None = None
    last_id: int | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    fetched: int = 0
    left: list[tuple[int, int]] | None = None

    @property
    def missing(self) -> int | None:
        return None if self.first_id is None or self.last_id is None else self.last_id - self.first_id + 1


class Ledger(LineFile):
    """`path` None: in memory only. `epoch`: of this run, so that ids of runs differ."""

    def __init__(self, path: Path | None, *, epoch: int, log: Callable[..., None] | None = None):
        super().__init__(path, "gap ledger", _append, most_waiting=MAX_WAITING, log=log)
        self.open: dict[str, Gap] = {}
        self.settled: OrderedDict[str, Gap] = OrderedDict()
        self._epoch = epoch
        self._n = 0

    def begin(self, **fields: Any) -> Gap:
        """A new open gap, by the fields of Gap (without id and state)."""
        self._n += 1
        gap = Gap(id=f"{self._epoch}-{self._n}", state="open", **fields)
        self.open[gap.id] = gap
        self.counts[f"{gap.kind}_{gap.reason}"] += 1
        self.write(msgspec.json.encode(gap))
        return gap

    def settle(self, gap: Gap, state: Literal["resynced", "filled", "lost"], settled_ns: int) -> None:
        gap.state, gap.settled_ns = state, settled_ns
        self.open.pop(gap.id, None)
        self.settled[gap.id] = gap
        if len(self.settled) > KEPT:
            self.settled.popitem(last=False)
        self.counts[f"{gap.kind}_{state}"] += 1
        self.write(msgspec.json.encode(gap))

    def rows(self) -> list[Gap]:
        """Settled and open ones of this run, oldest first."""
        return [*self.settled.values(), *self.open.values()]

    def status(self) -> dict[str, Any]:
        return {"open": len(self.open), "counts": dict(self.counts)}


def _append(path: Path, lines: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_FILE:
        os.replace(path, older(path))
    with path.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def older(path: Path) -> Path:
    return path.with_suffix(".1" + path.suffix)


def read(path: Path) -> tuple[list[Gap], int]:
    """All gaps of the ledger at `path`, oldest first, each in its newest state; and how many lines could not be read (torn by a kill)."""
    gaps: dict[str, Gap] = {}
    bad = 0
    for line in _lines(path):
        try:
            gap = msgspec.json.decode(line, type=Gap)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            bad += 1
            continue
        gaps[gap.id] = gap
    return sorted(gaps.values(), key=lambda gap: gap.noticed_ns), bad


def _lines(path: Path) -> Iterator[bytes]:
    for file in (older(path), path):
        try:
            yield from (line for line in file.read_bytes().split(b"\n") if line.strip())
        except FileNotFoundError:
            continue
