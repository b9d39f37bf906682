"""Frames as they are written, against the reader that was written apart from the description (p9/client/film.py), and by hand."""

import json
import zlib

import pytest
from cext.film import Film, Reel
from hypothesis import given, settings

from p9.client.film import CHANGES, END, KEY, Projector, SnapshotDamaged, read_record
from p9.snapshots.packing import pack
from tests.snapshots.books import HEAD, MOST, Book, film, shoot, shown
from tests.snapshots.strip import strips

S = 10**9


def varint(*values: int) -> bytes:
    """The other way round than film.pyx: from the digits to the base 128."""
    out = b""
    for value in values:
        digits = []
        while True:
            value, digit = divmod(value, 128)
            digits.append(digit)
            if not value:
                break
        out += bytes([digit + 128 for digit in digits[:-1]] + digits[-1:])
    return out


def test_a_key_frame_and_a_change_byte_by_byte():
    reel = Reel()
    one = film(reel)
    head = json.dumps(HEAD).encode()
    first = Book([(10050, 1500), (10000, 20)], [(10100, 3000)], 5 * S, ts_event=4, ts_recv=None, depth_seq=2, update_id=103, valid_bid=9000, px_scale=2, qty_scale=3)
    # the bid of 100.50 is another amount, 100.00 is gone, 99.50 came; the ask stands; the window wore away to 95.00
    second = first._replace(bids=[(10050, 500), (9950, 100)], taken_ns=6 * S, ts_event=9, depth_seq=3, update_id=None, valid_bid=9500)
    assert shoot(one, first, 5) and shoot(one, second, 6)
    key, changes = reel.take()
    assert (key.book, key.kind, key.taken_ns, key.at_ms, key.key_ms) == (0, KEY, 5 * S, 5000, 5000)
    assert key.body == (
        varint(len(head)) + head + varint(2, 3)  # scales
        + varint(2, 8) + varint(0) + varint(2, 4) + varint(2, 206) + varint(2, 18000) + varint(0)  # a known one is twice itself: zigzag
        + varint(2, 2, 1, 1)  # two bids of which two are new, one ask of which one is
        + varint(50, 20)  # the units of prices and amounts: 50 divides 10050, 50 and 10100; 20 divides 1500, 20 and 3000
        + varint(402, 1) + varint(404)  # 10050 / 50, twice; one unit further out; 10100 / 50, twice
        + varint(75, 1) + varint(150)
    )  # fmt: skip
    assert (changes.kind, changes.taken_ns, changes.at_ms, changes.key_ms) == (CHANGES, 6 * S, 6000, 5000)
    assert changes.body == (
        varint(2, 10) + varint(0) + varint(2, 2) + varint(1) + varint(2, 1000) + varint(0)
        + varint(2, 3, 1, 0)  # three changes make the two bids; none the one ask
        + varint(50, 100) + varint(0, 1, 1)  # at the touch, 50 further, 50 further
        + varint(5, 0, 1)
    )  # fmt: skip


@settings(max_examples=35)
@given(strips())
def test_whatever_follows_whatever_each_book_comes_back(steps):
    reel, projector, crc = Reel(), Projector(), 0
    one = film(reel, key_ms=10_000)
    alive = False
    for what, turn, book in steps:
        if what == "shoot":
            assert shoot(one, book, turn)
            (frame,) = reel.take()
            assert alive or frame.kind == KEY
            record, crc = pack(frame, crc)
            projector.show(read_record(record))
            assert shown(projector) == book
            assert 0 <= frame.at_ms - frame.key_ms < 10_000 and frame.at_ms == turn * 1000
            alive = True
        elif what == "end":
            one.end_word(b"gap", turn * S)
            frames = reel.take()
            assert [frame.kind for frame in frames] == [END] * alive, "what has ended does not end again"
            for frame in frames:
                record, crc = pack(frame, crc)
                projector.show(read_record(record))
            alive = False
        else:
            one.cut()
            alive = False


@settings(max_examples=35)
@given(strips())
def test_changes_lead_nowhere_without_the_record_before_them(steps):
    reel, crc, records = Reel(), 0, []
    one = film(reel, key_ms=5000)
    for what, turn, book in steps:
        if what == "shoot":
            shoot(one, book, turn)
            (frame,) = reel.take()
            record, crc = pack(frame, crc)
            records.append(read_record(record))
    for skipped in range(len(records) - 1):
        projector = Projector()
        for record in records[:skipped]:
            projector.show(record)
        following = records[skipped + 1]
        if following.kind == CHANGES:
            with pytest.raises(SnapshotDamaged, match="without the record before"):
                projector.show(following)
            with pytest.raises(SnapshotDamaged):
                projector.show(records[skipped + 1])


def test_what_finds_no_room_is_counted_and_its_book_begins_anew():
    reel = Reel(max_bytes=300)
    films = [film(reel), film(reel)]
    book = Book([(100 - n, 7) for n in range(50)], [(101 + n, 7) for n in range(50)], 0)
    taken = [[shoot(each, book, turn) for each in films] for turn in range(1, 4)]
    assert taken == [[True, False], [False, False], [False, False]] and reel.n_lost == 5
    assert [(frame.book, frame.kind) for frame in reel.take()] == [(0, KEY)]
    assert shoot(films[0], book, 4) and [frame.kind for frame in reel.take()] == [KEY]
    assert shoot(films[0], book, 5) and [frame.kind for frame in reel.take()] == [CHANGES]
    assert (reel.n_key, reel.n_changes, reel.waiting_bytes) == (2, 1, 0)


def test_key_frames_of_many_books_are_spread_over_the_minute():
    reel = Reel()
    films = [film(reel) for _ in range(120)]
    book = Book([(100, 1)], [(101, 1)], 0)
    keys = []
    for turn in range(1_700_000_000, 1_700_000_180):
        for each in films:
            shoot(each, book, turn)
        keys.append(sum(frame.kind == KEY for frame in reel.take()))
    assert keys[0] == 120 and set(keys[1:]) == {2}


def test_a_late_turn_does_not_stretch_the_minute():
    reel = Reel()
    one = film(reel, key_ms=10_000)
    book = Book([(100, 1)], [(101, 1)], 0)
    for turn in (8, 9, 11, 12):  # the turn that was due for a key frame was missed
        shoot(one, book, turn)
    assert [frame.kind for frame in reel.take()] == [KEY, CHANGES, KEY, CHANGES]


def test_numbers_at_their_bounds():
    reel, projector, crc = Reel(), Projector(), 0
    one = film(reel)
    low = Book([(1, 1)], [(2, MOST)], 0, 0, 0, 0, 0, 1, 1, 0, 18)
    high = Book([(MOST - 1, MOST), (1, 2)], [(MOST, 1)], 0, MOST, MOST, MOST, MOST, MOST, MOST - 1, 0, 18)
    empty = Book([], [], 0, None, None, None, None, None, None, 0, 18)
    for turn, book in enumerate((low, high, empty, high, low, empty, empty), 1):
        shoot(one, book, turn)
        (frame,) = reel.take()
        record, crc = pack(frame, crc)
        projector.show(read_record(record))
        assert shown(projector) == book
        assert frame.kind == (KEY if turn == 1 else CHANGES)


def test_a_quiet_book_costs_next_to_nothing():
    reel = Reel()
    one = film(reel)
    book = Book([(100 - n, 7 + n) for n in range(90)], [(101 + n, 7) for n in range(900)], 0, 5, 6, 7, 8)
    for turn in range(1, 30):
        shoot(one, book, turn)
    key, *changes = reel.take()
    assert len(key.body) > 900 and all(len(frame.body) <= 15 for frame in changes)
    assert len(pack(key, 0)[0]) < len(key.body) and zlib.crc32(pack(changes[0], 0)[0][12:]) == pack(changes[0], 0)[1]


@pytest.mark.parametrize("interval_ms, key_ms", [(0, 1000), (-1, 1000), (1000, 999)])
def test_settings_that_make_no_sense_are_refused(interval_ms, key_ms):
    with pytest.raises(ValueError):
        Film(Reel(), b"{}", interval_ms=interval_ms, key_ms=key_ms)
