"""Stored snapshots, record by record (docs/snapshots.md): what a key frame and the changes after it make of a book. Nothing but the standard library.

The appliance writes them with cext/film; this was written apart, from the description, and reads them back: for consumers, for the appliance's own
pages and command line, and for the tests.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

MAGIC = b"P9B1"
HEADER = struct.Struct("<4sIIBBHqqII")  # magic, size, crc, kind, flags, 0, taken, turn, turns since the key frame's in ms, crc of the record before
CRC_FROM = 12  # what stands behind the checksum is what it is of
KEY, CHANGES, END = 0, 1, 2
DEFLATED = 1
MOST_BYTES = 16 << 20  # of a body: more is none of ours
MOST_LEVELS = 65536
STALE = 1.5  # intervals: a snapshot that is older than so many is not that moment's

Side = dict[int, int]  # scaled price -> scaled quantity, best first


class SnapshotDamaged(ValueError):
    """Bytes that are not what was stored."""


class SnapshotMissing(LookupError):
    """Nothing is stored of that book at that time. `spans`: (first, last) times in ns of what there is, oldest first."""

    def __init__(self, message: str, spans: list[tuple[int, int]] | None = None):
        super().__init__(message)
        self.spans = spans or []


class Record(NamedTuple):
    """One record, its checksum right. `key_ms` is the turn of the key frame that it builds upon, its own for a key frame."""

    kind: int
    taken_ns: int
    at_ms: int
    key_ms: int
    crc: int
    before_crc: int  # of the record before; 0 for a key frame
    size: int
    packed: bytes
    deflated: bool

    def body(self) -> bytes:
        if not self.deflated:
            return self.packed
        inflate = zlib.decompressobj(-15)
        try:
            body = inflate.decompress(self.packed, MOST_BYTES)
        except zlib.error as error:
            raise SnapshotDamaged(f"a body cannot be inflated: {error}") from None
        if not inflate.eof or inflate.unused_data:
            raise SnapshotDamaged("a body is too long, or does not end where its record does")
        return body


class Snapshot(NamedTuple):
    """A book as it was at `taken_ns`, with the fields of a `snapshots` event (docs/events.md). `at_ms`: the turn that it was taken for."""

    exchange: str
    symbol: str
    market: str
    venue_symbol: str
    at_ms: int
    taken_ns: int
    ts_event: int | None
    ts_recv: int | None
    depth_epoch: int | None
    depth_seq: int | None
    update_id: int | None
    valid_bid: Decimal | None
    valid_ask: Decimal | None
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]
    contract_value: Decimal | None
    contract_unit: str | None

    def plain(self, depth: int = 0) -> dict[str, Any]:
        """For JSON: numbers as decimal text, the best `depth` levels a side (0: all)."""
        fields = self._asdict()
        for name in ("valid_bid", "valid_ask", "contract_value"):
            if fields[name] is not None:
                fields[name] = f"{fields[name]:f}"
        for name in ("bids", "asks"):
            fields[name] = [[f"{price:f}", f"{quantity:f}"] for price, quantity in fields[name][: depth or None]]
        if self.contract_unit is None:
            del fields["contract_value"], fields["contract_unit"]
        return fields


def read_record(data: bytes, at: int = 0) -> Record:
    """The record at `at`. Raises SnapshotDamaged, also where it is cut off."""
    if len(data) - at < HEADER.size:
        raise SnapshotDamaged("a record is cut off")
    magic, size, crc, kind, flags, spare, taken_ns, at_ms, key_age_ms, before_crc = HEADER.unpack_from(data, at)
    if magic != MAGIC:
        raise SnapshotDamaged("no record begins here")
    if not HEADER.size <= size <= len(data) - at:
        raise SnapshotDamaged("a record is cut off")
    if zlib.crc32(memoryview(data)[at + CRC_FROM : at + size]) != crc:
        raise SnapshotDamaged("a record's checksum is wrong")
    if kind not in (KEY, CHANGES, END) or flags > DEFLATED or spare:
        raise SnapshotDamaged(f"a record of a kind that is not known here ({kind}, {flags}, {spare}): a later version's?")
    return Record(kind, taken_ns, at_ms, at_ms - key_age_ms, crc, before_crc, size, data[at + HEADER.size : at + size], bool(flags & DEFLATED))


def read_records(data: bytes) -> Iterator[tuple[int, Record]]:
    """(offset, record) of every good record; damaged bytes are passed over, the next magic word is where reading goes on."""
    at = 0
    while (at := data.find(MAGIC, at)) >= 0:
        try:
            record = read_record(data, at)
        except SnapshotDamaged:
            at += 1
            continue
        yield at, record
        at += record.size


class Projector:
    """`show` the records of one book in their order, beginning with a key frame; `snapshot` is then the book after the last one."""

    def __init__(self) -> None:
        self.record: Record | None = None
        self._head: dict[str, Any] = {}
        self._px_scale = self._qty_scale = 0
        self._fields: list[int | None] = [None] * 6  # ts_event, ts_recv, depth_seq, update_id, valid_bid, valid_ask
        self._sides: tuple[Side, Side] = ({}, {})

    def show(self, record: Record) -> None:
        """Raises SnapshotDamaged; then only a key frame can follow."""
        before, self.record = self.record, None
        if record.kind == KEY:
            self._fields, self._sides = [None] * 6, ({}, {})
        elif before is None or record.before_crc != before.crc:
            raise SnapshotDamaged("changes without the record before them")
        if record.kind != END:
            try:
                self._take(_Reader(record.body()), record.kind == KEY)
            except (IndexError, KeyError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
                raise SnapshotDamaged(f"a record whose checksum is right does not read: {error}") from None
        self.record = record

    def _take(self, reader: "_Reader", key: bool) -> None:
        if key:
            head = json.loads(reader.text())
            self._head = {name: str(head[name]) for name in ("exchange", "symbol", "market", "venue_symbol")}
            self._head["contract_value"], self._head["contract_unit"] = head.get("contract_value"), head.get("contract_unit")
            if self._head["contract_value"] is not None:
                self._head["contract_value"] = Decimal(head["contract_value"])
                if not self._head["contract_value"].is_finite():
                    raise ValueError("a contract's value is no number")
            self._head["epoch"], self._head["interval_ms"] = int(head["epoch"]), int(head["interval_ms"])
            self._px_scale, self._qty_scale = reader.number(18), reader.number(18)
        self._fields = [reader.field(before) for before in self._fields]
        counts = reader.numbers(4)
        if max(counts) > MOST_LEVELS:
            raise ValueError(f"{max(counts)} levels")
        px_unit, qty_unit = reader.numbers(2)
        firsts = [next(iter(side), 0) for side in self._sides]
        prices = [reader.prices(counts[1], firsts[0], -px_unit), reader.prices(counts[3], firsts[1], px_unit)]
        self._sides = (
            _changed(self._sides[0], prices[0], reader.numbers(counts[1]), qty_unit, counts[0], bids=True),
            _changed(self._sides[1], prices[1], reader.numbers(counts[3]), qty_unit, counts[2], bids=False),
        )
        reader.end()

    @property
    def interval_ms(self) -> int:
        """Between two turns, as the newest key frame says."""
        return self._head["interval_ms"] if self._head else 0

    @property
    def sides(self) -> tuple[Side, Side]:
        """Bids and asks as scaled integers."""
        return self._sides

    def snapshot(self) -> Snapshot:
        """The book after the last record. Raises SnapshotMissing where that was the end of it."""
        if self.record is None or self.record.kind == END:
            raise SnapshotMissing("the book was not valid")
        ts_event, ts_recv, depth_seq, update_id, valid_bid, valid_ask = self._fields
        px, qty = self._px_scale, self._qty_scale
        bids, asks = ([(_decimal(price, px), _decimal(amount, qty)) for price, amount in side.items()] for side in self._sides)
        head = {name: self._head[name] for name in ("exchange", "symbol", "market", "venue_symbol", "contract_value", "contract_unit")}
        return Snapshot(
            at_ms=self.record.at_ms, taken_ns=self.record.taken_ns, ts_event=ts_event, ts_recv=ts_recv,
            depth_epoch=self._head["epoch"] if depth_seq is not None else None, depth_seq=depth_seq, update_id=update_id,
            valid_bid=None if valid_bid is None else _decimal(valid_bid, px), valid_ask=None if valid_ask is None else _decimal(valid_ask, px),
            bids=bids, asks=asks, **head,
        )  # fmt: skip


def _changed(side: Side, prices: list[int], amounts: list[int], unit: int, n: int, *, bids: bool) -> Side:
    """The best `n` levels of the side with these changes; what no longer stands among them is forgotten."""
    changed = dict(side)
    for price, amount in zip(prices, amounts, strict=True):
        if amount:
            changed[price] = amount * unit
        elif changed.pop(price, None) is None:
            raise ValueError("a level is removed that is not there")
    if len(changed) < n:
        raise ValueError("levels are missing")
    return dict(sorted(changed.items(), reverse=bids)[:n])


def _decimal(value: int, scale: int) -> Decimal:
    """Exact, without needless zeros."""
    digits = str(value).rjust(scale + 1, "0")
    whole, fraction = digits[: len(digits) - scale], digits[len(digits) - scale :].rstrip("0")
    return Decimal(f"{whole}.{fraction}" if fraction else whole)


class _Reader:
    """A body from its beginning to its end. Past it: IndexError."""

    def __init__(self, body: bytes):
        self._body, self._at = body, 0

    def numbers(self, n: int) -> list[int]:
        """Varints: seven bits a byte, the lowest first; all but the last with their highest bit set."""
        if n > len(self._body) - self._at:
            raise IndexError("the body is too short")
        body, at, values = self._body, self._at, []
        for _ in range(n):
            value = body[at]
            at += 1
            if value > 127:
                value &= 127
                shift = 7
                while (byte := body[at]) > 127:
                    value |= (byte & 127) << shift
                    at += 1
                    shift += 7
                    if shift > 63:
                        raise ValueError("a number is too long")
                value |= byte << shift
                at += 1
            values.append(value)
        self._at = at
        return values

    def number(self, most: int) -> int:
        (value,) = self.numbers(1)
        if value > most:
            raise ValueError(f"{value} is over {most}")
        return value

    def text(self) -> bytes:
        size = self.number(len(self._body))
        taken = self._body[self._at : self._at + size]
        if len(taken) < size:
            raise IndexError("the body is too short")
        self._at += size
        return taken

    def field(self, before: int | None) -> int | None:
        """0: as before; 1: unknown; 2: the difference to before follows."""
        tag = self.number(2)
        if tag == 2:
            return (before or 0) + _signed(self.numbers(1)[0])
        return None if tag else before

    def prices(self, n: int, first: int, unit: int) -> list[int]:
        """Best first, `unit` (negative for bids) times how far from the one before; the first one from the best price before, signed."""
        if not n:
            return []
        begin, *steps = self.numbers(n)
        price = first + _signed(begin) * abs(unit)
        prices = [price]
        for step in steps:
            price += step * unit
            prices.append(price)
        return prices

    def end(self) -> None:
        if self._at != len(self._body):
            raise ValueError("the body goes on behind its end")


def _signed(value: int) -> int:
    """0, 1, 2, 3, 4 as 0, -1, 1, -2, 2."""
    return (value >> 1) ^ -(value & 1)
