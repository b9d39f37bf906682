"""Stored snapshots: books of any kind through the writer, and files of any kind through the readers."""

import json
import struct
import tempfile
import zlib
from pathlib import Path
from random import Random

from cext.film import Film, Reel

from p9.client.film import CRC_FROM, HEADER, KEY, Projector, SnapshotDamaged, SnapshotMissing, read_record, read_records
from p9.snapshots import library
from p9.snapshots.folder import book_folder, file_name
from p9.snapshots.packing import pack
from tests.fuzz.mutator import Mutator
from tests.fuzz.target import Finding, Target

HEAD = json.dumps({"v": 1, "exchange": "x", "symbol": "A-B", "market": "m", "venue_symbol": "AB", "epoch": 5, "interval_ms": 1000}).encode()
S = 10**9
FIRST = 1_790_000_000
MOST = 2**63 - 1
EDGES = (0, 1, -1, 2, 255, 1000, 65537, 2**31, 2**32 - 1, 2**53, 2**62, MOST, -(2**63))


def rows(random: Random, *, bids: bool, before: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """A side in order: some of the one before, some that are new; now and then at the bounds."""
    levels = {price: amount for price, amount in before if random.random() < 0.9}
    touch = random.choice((1000, 1000, 1000, 10**9, MOST - 100))
    for _ in range(random.randrange(30)):
        price = min(max(touch + random.randrange(-60, 60) * random.choice((1, 5, 100)), 1), MOST)
        levels[price] = random.choice((1, 10, 250, 12345, random.randrange(1, 10**6), MOST))
    return sorted(levels.items(), reverse=bids)[: random.choice((0, 1, 10, 60, 60))]


class Films(Target):
    """A sequence of books, as JSON lines: whatever follows whatever, what was written is read back as it was."""

    def make(self) -> bytes:
        random, lines, sides, turn = self.random, [], [[], []], FIRST
        scales = [2, 3]
        for _ in range(random.randrange(1, 12)):
            turn += random.choice((1, 1, 1, 1, 2, 70, -5))
            sides = [rows(random, bids=name == 0, before=sides[name]) for name in (0, 1)]
            if random.random() < 0.1:
                scales = [random.randrange(19), random.randrange(19)]
            numbers = [random.choice((None, random.choice((0, 5, MOST - 1)), random.randrange(10**12))) for _ in range(4)]
            window = [random.choice((None, random.randrange(1, 10**6), MOST - 1)) for _ in range(2)]
            lines.append(json.dumps([turn, *sides, *numbers, *window, *scales, random.random() < 0.05]))
        return "\n".join(lines).encode()

    def pieces(self, given: bytes) -> list[bytes]:
        return given.splitlines(keepends=True)

    def check(self, given: bytes) -> int:
        reel, projector, crc, n = Reel(), Projector(), 0, 0
        film = Film(reel, HEAD, key_ms=10_000)
        for line in given.splitlines():
            turn, bids, asks, ts_event, ts_recv, depth_seq, update_id, valid_bid, valid_ask, px_scale, qty_scale, ends = json.loads(line)
            unknown = {"ts_event": -1, "ts_recv": -1, "depth_seq": -1, "update_id": -1, "valid_bid": 0, "valid_ask": MOST}
            said = {"ts_event": ts_event, "ts_recv": ts_recv, "depth_seq": depth_seq, "update_id": update_id, "valid_bid": valid_bid, "valid_ask": valid_ask}
            fields = {name: none if said[name] is None else said[name] for name, none in unknown.items()}
            film.shoot_rows([tuple(row) for row in bids], [tuple(row) for row in asks], turn, taken=turn * S, px_scale=px_scale, qty_scale=qty_scale, **fields)
            if ends:
                film.end_word(b"gap", turn * S + 1)
            for frame in reel.take():
                record, crc = pack(frame, crc)
                projector.show(read_record(record))
                n += 1
                if frame.kind <= 1:
                    shown = [list(map(list, side.items())) for side in projector.sides]
                    told = dict(zip(said, projector._fields, strict=True))
                    if shown != [bids, asks] or told != {name: value or None if name == "valid_bid" else value for name, value in said.items()}:
                        raise Finding("a book does not come back", line.decode()[:300])
                    projector.snapshot().plain()
        return max(n, 1)


class Stored(Target):
    """A file of records: damaged, or with checksums that fit. The first byte tells which: where it is damage alone, no wrong book may be shown."""

    def __init__(self, random: Random):
        super().__init__(random)
        self.good, self.books = self._strip()
        self.whole = b"".join(self.good)
        self.mutate = Mutator(random, [self.whole[:2000]])
        self.folder = tempfile.TemporaryDirectory()
        self.path = book_folder(Path(self.folder.name), "x", "A-B") / file_name(FIRST * 1000, 5)
        self.path.parent.mkdir(parents=True)
        library.BEING_WRITTEN_S = 0.0  # nobody writes to it: it need not be read again

    def _strip(self) -> tuple[list[bytes], dict[int, tuple]]:
        reel, crc, packed, books = Reel(), 0, [], {}
        film = Film(reel, HEAD, key_ms=5000)
        source = Random(5)
        sides = [[(1000 - n, 5) for n in range(40)], [(1001 + n, 7) for n in range(40)]]
        for turn in range(FIRST, FIRST + 14):
            sides = [[(price, source.choice((amount, source.randrange(1, 99)))) for price, amount in side] for side in sides]
            film.shoot_rows(*sides, turn, taken=turn * S)
            books[turn] = tuple(dict(side) for side in sides)
        film.end_word(b"gap", (FIRST + 14) * S)
        for frame in reel.take():
            record, crc = pack(frame, crc)
            packed.append(record)
        return packed, books

    def make(self) -> bytes:
        random = self.random
        if random.random() < 0.5:
            return b"\0" + self.mutate.bytewise(self.whole)
        parts = list(self.good)
        for at in random.sample(range(len(parts)), random.randrange(1, 3)):
            parts[at] = self._forged(parts[at])
        return b"\1" + b"".join(parts)

    def _forged(self, record: bytes) -> bytes:
        """The record with something else in it, and a checksum that fits."""
        random = self.random
        fields, body = list(HEADER.unpack_from(record)), record[HEADER.size :]
        if random.random() < 0.5:
            at = random.randrange(3, len(fields))
            fields[at] = random.choice(EDGES)
        if random.random() < 0.7:
            plain = read_record(record).body()
            body, fields[4] = self.mutate.bytewise(plain), 0
            if random.random() < 0.3:
                body, fields[4] = zlib.compress(body * random.choice((1, 1, 3000)), 1, -15), 1
        fields[1] = HEADER.size + len(body)
        try:
            head = HEADER.pack(*fields)
        except struct.error:
            fields[3:6], fields[6:] = [fields[3] & 255, fields[4] & 255, fields[5] & 65535], [abs(n) % 2**31 for n in fields[6:]]
            head = HEADER.pack(*fields)
        whole = head + body
        return whole[: CRC_FROM - 4] + struct.pack("<I", zlib.crc32(whole[CRC_FROM:])) + whole[CRC_FROM:]

    def check(self, given: bytes) -> int:
        damaged_only, data = given[:1] == b"\0", given[1:]
        projector = Projector()
        for at, record in read_records(data):
            if not 0 <= at <= len(data) - record.size:
                raise Finding("a record stands outside of its file", f"{at} {record.size} of {len(data)}")
            try:
                projector.show(record)
                if record.kind == KEY:
                    json.dumps(projector.snapshot().plain())
            except SnapshotDamaged:
                continue
            if damaged_only and record.kind <= KEY + 1 and projector.sides != self.books.get(record.at_ms // 1000):
                raise Finding("a wrong book is shown", f"turn {record.at_ms}")
        self.path.write_bytes(data)
        turn = self.random.randrange(FIRST - 1, FIRST + 17)
        for at_ns in (None, turn * S, turn * S + S // 2):
            try:
                snapshot = library.find(Path(self.folder.name), "x", "A-B", at_ns)
            except (SnapshotDamaged, SnapshotMissing):
                continue
            if damaged_only and at_ns is not None:
                bids = {int(price): int(amount) for price, amount in snapshot.bids}
                if (snapshot.taken_ns != turn * S or bids != self.books[turn][0]) and turn * S + S // 2 - snapshot.taken_ns > 3 * S // 2:
                    raise Finding("a wrong book is found", f"{at_ns} {snapshot.taken_ns}")
        spans = library.spans(Path(self.folder.name), "x", "A-B")
        if damaged_only and any(first > last or not FIRST * S <= first <= last <= (FIRST + 14) * S for first, last in spans):
            raise Finding("a stretch that cannot be", str(spans))
        return 1
