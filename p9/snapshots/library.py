"""Stored snapshots found again on disk, whether the appliance runs or not. Everything here blocks: call it in a thread."""

import json
import time
from pathlib import Path
from typing import NamedTuple

from p9.client.film import END, KEY, STALE, Projector, Record, Snapshot, SnapshotDamaged, SnapshotMissing, read_records
from p9.snapshots.folder import FILE_MS, File, book_folder, books, files_of
from p9.snapshots.moment import moment_text

NS = 1_000_000
READS = 3  # of a file that is just being written to
BEING_WRITTEN_S = 0.2
Span = tuple[int, int]  # ns


def find(root: Path, exchange: str, symbol: str, at_ns: int | None = None) -> Snapshot:
    """The book at `at_ns`: its newest snapshot that is not younger (None: the newest of all).

    Raises SnapshotMissing, which says what there is, SnapshotDamaged, and OSError. Where damage hides what was stored, an older snapshot never stands in.
    """
    folder = book_folder(root, exchange, symbol)
    files = files_of(folder) if folder is not None else []
    if not files:
        known = ", ".join(f"{exchange} {symbol}" for exchange, symbol, _ in books(root))
        raise SnapshotMissing(f"nothing is stored of {exchange} {symbol}; there is: {known or 'nothing at all'}")
    newest_ms = at_ns // NS if at_ns is not None else files[-1].first_ms
    headless: File | None = None  # the file behind, if its beginning is damaged: when it began, only its name tells
    why = ""
    for file in reversed(files):
        if not newest_ms - 2 * FILE_MS <= file.first_ms <= newest_ms + FILE_MS:
            continue
        scan = _scan(file, at_ns)
        if not scan.chain:
            headless = file if scan.damaged else headless
            continue
        last, interval_ns = scan.chain[-1], _interval_ms(scan.chain[0]) * NS
        age_ns = at_ns - last.taken_ns if at_ns is not None else 0
        stale = age_ns > STALE * interval_ns
        if headless is not None and at_ns is not None and at_ns > headless.first_ms * NS - interval_ns:
            raise SnapshotDamaged(f"{headless.path.name} of {exchange} {symbol} is damaged at its beginning")
        if scan.damaged and age_ns > 0 and not (scan.to_the_end and stale):
            raise SnapshotDamaged(f"what was stored of {exchange} {symbol} after {moment_text(last.taken_ns)} is damaged ({file.path.name}, byte {scan.good_to})")
        if last.kind == END:
            why = why or f": its book was not valid from {moment_text(last.taken_ns)} on ({last.body().decode('utf-8', 'replace')})"
        elif not stale:
            return _show(scan.chain, file.path)
    if headless is not None and (at_ns is None or at_ns >= headless.first_ms * NS):
        raise SnapshotDamaged(f"{headless.path.name} of {exchange} {symbol} is damaged at its beginning")
    raise SnapshotMissing(f"nothing is stored of {exchange} {symbol} at that time{why}", spans(root, exchange, symbol))


class _Scan(NamedTuple):
    """Of one file: the records from a key frame up to the last one that is not younger than was asked for."""

    chain: list[Record]
    good_to: int  # where the last of them ends
    damaged: bool  # what follows it is no record
    to_the_end: bool  # of the file


def _scan(file: File, at_ns: int | None) -> _Scan:
    for _ in range(READS):
        try:
            data = file.path.read_bytes()
        except FileNotFoundError:  # swept away meanwhile
            return _Scan([], 0, False, True)
        chain: list[Record] = []
        good_to, following = 0, None
        for at, record in read_records(data):
            if at_ns is not None and record.taken_ns > at_ns:
                following = at
                break
            if record.kind == KEY:
                chain = []
            chain.append(record)
            good_to = at + record.size
        scan = _Scan(chain, good_to, good_to < (len(data) if following is None else following), following is None)
        if not (scan.damaged and scan.to_the_end and time.time() - file.path.stat().st_mtime < BEING_WRITTEN_S):
            break
        time.sleep(BEING_WRITTEN_S / READS)  # its last record may be on its way
    return scan


def _show(chain: list[Record], path: Path) -> Snapshot:
    projector = Projector()
    for record in chain:
        try:
            projector.show(record)
        except SnapshotDamaged as error:
            raise SnapshotDamaged(f"{error} ({moment_text(record.taken_ns)} in {path.name}); the next whole frame is a minute away at most") from None
    return projector.snapshot()


def _interval_ms(record: Record) -> int:
    """As the head of a key frame says; a second where it does not."""
    try:
        body = record.body()
        return max(1, int(json.JSONDecoder().raw_decode(body[body.index(b"{") :].decode("utf-8", "replace"))[0]["interval_ms"]))
    except (SnapshotDamaged, ValueError, KeyError, TypeError):
        return 1000


def spans(root: Path, exchange: str, symbol: str) -> list[Span]:
    """(first, last) time in ns of each stretch of snapshots that can be shown, without a hole, oldest first. Raises OSError."""
    folder = book_folder(root, exchange, symbol)
    found: list[list[int]] = []
    for file in files_of(folder) if folder is not None else []:
        try:
            data = file.path.read_bytes()
        except FileNotFoundError:
            continue
        before: Record | None = None  # None: what follows cannot be shown before the next key frame
        interval_ns = 0
        for _, record in read_records(data):
            if record.kind != KEY and (before is None or record.before_crc != before.crc):
                before = None
                continue
            if record.kind == KEY:
                interval_ns = _interval_ms(record) * NS
            if record.kind != END:
                if found and 0 <= record.taken_ns - found[-1][1] <= STALE * interval_ns:
                    found[-1][1] = record.taken_ns
                else:
                    found.append([record.taken_ns, record.taken_ns])
            before = record if record.kind != END else None
    return [(first, last) for first, last in sorted(found)]
