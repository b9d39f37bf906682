"""Stored records read back: every damage is seen, none is believed, and nothing else than SnapshotDamaged comes of it."""

import json
import zlib

import pytest
from cext.film import Frame, Reel
from hypothesis import given
from hypothesis import strategies as st

from p9.client.film import (
    CHANGES,
    DEFLATED,
    END,
    HEADER,
    KEY,
    MAGIC,
    MOST_BYTES,
    Projector,
    SnapshotDamaged,
    SnapshotMissing,
    read_record,
    read_records,
)
from p9.snapshots.packing import pack
from tests.snapshots.books import HEAD, Book, film, shoot, shown

BOOKS = [Book([(100 - n, 7 + n) for n in range(40)], [(101 + n + turn, 9) for n in range(40)], turn * 10**9, update_id=turn) for turn in range(1, 5)]


def records() -> list[bytes]:
    reel, crc, packed = Reel(), 0, []
    one = film(reel)
    for turn, book in enumerate(BOOKS, 1):
        shoot(one, book, turn)
    one.end_word(b"disconnect", 4_500_000_000)
    for frame in reel.take():
        record, crc = pack(frame, crc)
        packed.append(record)
    return packed


def forged(body: bytes, *, kind: int = KEY, flags: int = 0, spare: int = 0, before_crc: int = 0, size: int | None = None) -> bytes:
    """A record whose checksum is right, whatever else it says."""
    whole = HEADER.pack(MAGIC, HEADER.size + len(body) if size is None else size, 0, kind, flags, spare, 1, 1000, 0, before_crc) + body
    return whole[:8] + zlib.crc32(whole[12:]).to_bytes(4, "little") + whole[12:]


def test_a_strip_is_shown_and_its_end_said():
    projector = Projector()
    for packed, book in zip(records(), BOOKS, strict=False):
        projector.show(read_record(packed))
        assert shown(projector) == book
    end = read_record(records()[-1])
    assert (end.kind, end.body(), end.taken_ns, end.at_ms, end.key_ms) == (END, b"disconnect", 4_500_000_000, 5000, 1000)
    projector.show(end)
    with pytest.raises(SnapshotMissing):
        projector.snapshot()


def test_a_snapshot_as_plain_data():
    reel = Reel()
    one = film(reel, {"contract_value": "0.01", "contract_unit": "base", "venue_symbol": "BTC-ÄÖ"})
    shoot(one, Book([(100_000, 5), (9, 70)], [(100_100, 1000)], 7, 1, 2, 3, 4, None, 10**6), 1)
    projector = Projector()
    projector.show(read_record(pack(reel.take()[0], 0)[0]))
    assert json.loads(json.dumps(projector.snapshot().plain())) == {
        "exchange": "venue", "symbol": "BTC-USDT", "market": "venue_spot", "venue_symbol": "BTC-ÄÖ", "at_ms": 1000, "taken_ns": 7, "ts_event": 1, "ts_recv": 2,
        "depth_epoch": 7, "depth_seq": 3, "update_id": 4, "valid_bid": None, "valid_ask": "10000",
        "bids": [["1000", "0.005"], ["0.09", "0.07"]], "asks": [["1001", "1"]], "contract_value": "0.01", "contract_unit": "base",
    }  # fmt: skip
    plain = projector.snapshot().plain(1)
    assert (plain["bids"], plain["asks"]) == ([["1000", "0.005"]], [["1001", "1"]])


def test_every_flipped_bit_of_a_record_is_seen():
    for packed in records():
        for bit in range(len(packed) * 8):
            flipped = bytearray(packed)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(SnapshotDamaged):
                read_record(bytes(flipped))


def test_every_shortened_record_is_seen():
    for packed in records():
        for size in range(len(packed)):
            with pytest.raises(SnapshotDamaged):
                read_record(packed[:size])


@given(st.data())
def test_of_a_damaged_file_the_good_records_are_read(data):
    packed = records()
    whole = b"".join(packed)
    edges = [sum(map(len, packed[:n])) for n in range(len(packed) + 1)]
    at = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(at, min(len(whole), at + 300)))
    noise = data.draw(st.one_of(st.just(b""), st.binary(max_size=20), st.just(MAGIC * 3)))
    found = [record for _, record in read_records(whole[:at] + noise + whole[end:])]
    good = [read_record(each) for each, first, last in zip(packed, edges, edges[1:], strict=False) if last <= at or first >= end]
    assert found == good or len(found) > len(good), "what stands outside of the damage is found"
    assert set(found) <= {read_record(each) for each in packed}, "and nothing that was not stored"


@pytest.mark.parametrize("packed", [
    forged(b"x", kind=3), forged(b"x", flags=2), forged(b"x", spare=1), forged(b"", size=HEADER.size - 1), forged(b"", size=2**32 - 1), forged(b"", size=HEADER.size + 1),
])  # fmt: skip
def test_a_record_of_a_later_version_is_none_of_ours(packed):
    with pytest.raises(SnapshotDamaged):
        read_record(packed)


def head(**more) -> bytes:
    text = json.dumps(HEAD | more).encode()
    return bytes([len(text) & 127 | 128, len(text) >> 7]) + text


FIELDS = bytes(6)
BOMB = zlib.compressobj(9, zlib.DEFLATED, -15)
BOMB = BOMB.compress(bytes(MOST_BYTES + 1)) + BOMB.flush()


@pytest.mark.parametrize("body, flags", [
    (b"", 0), (b"\x02{}", 0), (b"\x02[]\x00\x00", 0), (b"\x04null", 0), (b"\x7f{}", 0), (head() + b"\x13\x00", 0), (head(epoch="x") + b"\0\0" + FIELDS + bytes(6), 0),
    (head(contract_value="nan!") + b"\0\0" + FIELDS + bytes(6), 0), (head() + b"\0\0" + b"\x03" + bytes(11), 0),
    (head() + b"\0\0" + FIELDS + b"\x01\x00\x00\x00\x01\x01", 0),  # a level more than there are
    (head() + b"\0\0" + FIELDS + b"\x01\x01\x00\x00\x01\x01\x02\x00", 0),  # a level is removed that is not there
    (head() + b"\0\0" + FIELDS + b"\x01\x01\x00\x00\x01\x01\x02\x01\x00", 0),  # and a byte too many
    (head() + b"\0\0" + FIELDS + b"\xff\xff\xff\xff\x0f\x00\x00\x00\x01\x01", 0), (head() + b"\0\0" + FIELDS + b"\x01\xff\xff\xff\xff\x0f\x00\x00\x01\x01", 0),
    (head() + b"\0\0" + FIELDS + b"\xff" * 11, 0), (b"[" * 100_000, 0), (bytes([0x80 | 16, 0x4E]) + b"[" * 10_000, 0),
    (b"not deflated", DEFLATED), (zlib.compress(b"x", 1, -15) + b"x", DEFLATED), (zlib.compress(b"x" * 99, 1, -15)[:-1], DEFLATED), (BOMB, DEFLATED),
])  # fmt: skip
def test_a_checksum_that_is_right_makes_no_record_good(body, flags):
    with pytest.raises(SnapshotDamaged):
        Projector().show(read_record(forged(body, flags=flags)))


def test_a_good_key_frame_by_hand():
    projector = Projector()
    projector.show(read_record(forged(head() + b"\0\0" + FIELDS + b"\x01\x01\x00\x00\x01\x01\x02\x01")))
    assert shown(projector) == Book([(1, 1)], [], 1, px_scale=0, qty_scale=0)
    with pytest.raises(SnapshotDamaged, match="without the record before"):
        projector.show(read_record(forged(FIELDS + bytes(6), kind=CHANGES, before_crc=5)))


@given(st.binary(max_size=200), st.sampled_from([KEY, CHANGES, END]), st.sampled_from([0, DEFLATED]))
def test_whatever_the_bytes_only_damage_is_told(body, kind, flags):
    projector = Projector()
    crc = 0
    for record in (read_record(forged(head() + b"\0\0" + FIELDS + b"\x01\x01\x00\x00\x01\x01\x02\x01")), None):
        record = record or read_record(forged(body, kind=kind, flags=flags, before_crc=crc))
        try:
            projector.show(record)
            if record.kind != END:
                projector.snapshot()
        except SnapshotDamaged:
            pass
        crc = record.crc


def test_what_grows_by_compression_is_stored_as_it_is():
    frame = Frame(0, CHANGES, 1, 2000, 1000, bytes(range(256)))
    packed, crc = pack(frame, 77)
    record = read_record(packed)
    assert not record.deflated and record.body() == frame.body and (record.crc, record.before_crc, record.key_ms) == (crc, 77, 1000)
    record = read_record(pack(frame._replace(kind=KEY, body=bytes(300)), 77)[0])
    assert record.deflated and record.size < 60 and record.body() == bytes(300) and record.before_crc == 0
