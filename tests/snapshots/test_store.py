"""The whole way: any sequence of books into files, and any moment of it again, through restarts, kills and damage. The model keeps every book whole."""

import os
import random
import tempfile
import time
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p9.client.film import SnapshotDamaged, SnapshotMissing
from p9.snapshots import library
from p9.snapshots.folder import files_of
from tests.snapshots.books import Book, S, Store, same
from tests.snapshots.strip import books


@st.composite
def histories(draw) -> list[tuple[str, int, Book | None]]:
    """Steps with turns that only go on: shoot, end, a disk that lost something (cut), a flush, a restart."""
    turn, book, steps = 1_700_000_000, None, []
    for what in draw(st.lists(st.sampled_from(["shoot"] * 10 + ["end", "cut", "flush", "flush", "restart"]), min_size=2, max_size=30)):
        turn += draw(st.sampled_from([1] * 12 + [2, 9]))
        if what == "shoot":
            book = draw(books(book, turn * S + draw(st.integers(-500, 50)) * 10**6))
        steps.append((what, turn, book if what == "shoot" else None))
    return steps


def filled(root: Path, steps, **settings) -> Store:
    store = Store(root, **settings)
    for what, turn, book in steps:
        if what == "shoot":
            store.shoot(book, turn)
        elif what == "end":
            store.end(turn * S)
        elif what == "cut":
            store.film.cut()
        else:
            store.flush()
            if what == "restart":
                store.start()
    store.flush()
    return store


def moments(store: Store, rng: random.Random) -> list[int]:
    """Around everything that was told, and in between."""
    times = [taken + more for taken, _ in store.told for more in (-1, 0, 1, S, 3 * S // 2, 3 * S // 2 + 1)]
    return [*rng.sample(times, min(40, len(times))), 1_699_999_990 * S, 1_800_000_000 * S]


@settings(max_examples=30)
@given(histories(), st.sampled_from([60, 400, 1 << 20]), st.integers(0, 2**32))
def test_any_moment_of_any_history_comes_back(steps, most, seed):
    with tempfile.TemporaryDirectory() as folder, mock.patch("p9.snapshots.shelf.LEAST_BYTES", 1), mock.patch("p9.snapshots.shelf.SHARE", (1 << 20) // most):
        store = filled(Path(folder), steps)
        for at_ns in moments(store, random.Random(seed)):
            book = store.expected(at_ns)
            if book is None:
                with pytest.raises(SnapshotMissing):
                    store.found(at_ns)
            else:
                assert same(store.found(at_ns), book)
        shown = [taken for taken, book in store.told if book is not None]
        if shown:
            spans = library.spans(store.root, "venue", "BTC-USDT")
            assert all(any(first <= taken <= last for first, last in spans) for taken in shown)
            assert {edge for span in spans for edge in span} <= set(shown)
            assert len({last for _, last in spans}) == len(spans), "stretches do not overlap"


@settings(max_examples=30)
@given(histories(), st.data())
def test_damage_is_told_and_never_shows_a_wrong_book(steps, data):
    with tempfile.TemporaryDirectory() as folder:
        store = filled(Path(folder), steps)
        files = files_of(store.root / "venue" / "BTC-USDT")
        if not files:
            return
        path = data.draw(st.sampled_from(files)).path
        whole = path.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        if data.draw(st.booleans()):
            path.write_bytes(whole[:at])
        else:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << data.draw(st.integers(0, 7))]) + whole[at + 1 :])
        told = 0
        with mock.patch("p9.snapshots.library.BEING_WRITTEN_S", 0.0):
            for at_ns in moments(store, data.draw(st.randoms(use_true_random=False))):
                book = store.expected(at_ns)
                try:
                    snapshot = store.found(at_ns)
                except SnapshotDamaged:
                    told += 1
                    continue
                except SnapshotMissing:
                    continue
                # what was cut off may never have been written, for all that can be known; then the one before stands, for a second and a half
                assert book is not None and (same(snapshot, book) or len(path.read_bytes()) < len(whole))
                if not same(snapshot, book):
                    assert at_ns - snapshot.taken_ns <= 1.5 * S and any(other is not None and same(snapshot, other) for _, other in store.told)


def some(store: Store, n: int, since: int = 1_700_000_000) -> list[Book]:
    made = [Book([(100 + turn % 7, 5)], [(120 + turn % 5, turn + 1)], (since + turn) * S, update_id=turn) for turn in range(n)]
    for turn, book in enumerate(made):
        store.shoot(book, since + turn)
    store.flush()
    return made


def test_the_newest_and_what_there_is(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(SnapshotMissing, match="there is: nothing at all"):
        store.found(None)
    made = some(store, 10)
    assert same(store.found(None), made[-1])
    with pytest.raises(SnapshotMissing) as missing:
        store.found(1_700_000_020 * S)
    assert missing.value.spans == [(1_700_000_000 * S, 1_700_000_009 * S)]
    with pytest.raises(SnapshotMissing, match="there is: venue BTC-USDT"):
        library.find(tmp_path, "venue", "ETH-USDT", 5)
    store.end(1_700_000_009 * S + 5)
    store.flush()
    with pytest.raises(SnapshotMissing, match=r"not valid from 2023-11-14T22:13:29.000Z on \(gap\)"):
        store.found(1_700_000_010 * S)
    with pytest.raises(SnapshotMissing, match="not valid"):
        store.found(None)


def test_a_record_cut_off_by_a_kill_takes_only_its_own_second(tmp_path):
    store = Store(tmp_path)
    made = some(store, 10)
    path = store.path()
    path.write_bytes(path.read_bytes()[:-3])
    store.start()  # the killed one's successor has a file of its own, and never writes into what was torn
    after = some(store, 5, 1_700_000_020)
    for book in made[:-1] + after:
        assert same(store.found(book.taken_ns), book)
    with pytest.raises(SnapshotDamaged, match=r"after 2023-11-14T22:13:28\.000Z is damaged"):
        store.found(made[-1].taken_ns)
    with pytest.raises(SnapshotMissing):
        store.found(made[-1].taken_ns + 2 * S)
    assert len(files_of(path.parent)) == 2 and path.read_bytes()[:4] == b"P9B1"


def test_a_flipped_bit_costs_the_minute_and_no_more(tmp_path):
    store = Store(tmp_path)
    made = some(store, 20)  # a key frame every five
    data = bytearray(store.path().read_bytes())
    places = [at for at, _ in library.read_records(bytes(data))]
    keys = [n for n, (_, record) in enumerate(library.read_records(bytes(data))) if record.kind == 0]
    assert keys[1] - keys[0] == 5 or keys[2] - keys[1] == 5
    hit = keys[1] + 1
    data[places[hit] + 50] ^= 4
    store.path().write_bytes(bytes(data))
    for n, book in enumerate(made):
        if hit <= n < keys[2]:
            with pytest.raises(SnapshotDamaged, match=r"damaged|without the record before"):
                store.found(book.taken_ns)
        else:
            assert same(store.found(book.taken_ns), book)
    spans = library.spans(tmp_path, "venue", "BTC-USDT")
    assert spans == [(made[0].taken_ns, made[hit - 1].taken_ns), (made[keys[2]].taken_ns, made[-1].taken_ns)]


def test_a_file_damaged_at_its_beginning_lets_no_older_book_stand_in(tmp_path):
    store = Store(tmp_path)
    some(store, 5)
    store.start()
    made = some(store, 5, 1_700_000_005)
    path = store.path()
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    with pytest.raises(SnapshotDamaged, match="damaged at its beginning"):
        store.found(made[0].taken_ns)
    with pytest.raises(SnapshotDamaged):
        store.found(made[1].taken_ns)


def test_a_clock_that_stepped_back_begins_a_new_file(tmp_path):
    store = Store(tmp_path)
    first = some(store, 30)
    again = some(store, 10, 1_700_000_010)
    assert len(files_of(store.path().parent)) == 2
    assert same(store.found(first[5].taken_ns), first[5]) and same(store.found(again[5].taken_ns), again[5]), "what was written last is what counts"
    assert same(store.found(first[25].taken_ns), first[25])
    assert store.found(None).update_id == 9


def test_a_file_that_is_being_written_to_is_read_again(tmp_path):
    store = Store(tmp_path)
    made = some(store, 3)
    path = store.path()
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    os.utime(path, (time.time() + 60,) * 2)  # written to just now, however slow this machine is
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        path.write_bytes(whole)

    with mock.patch("p9.snapshots.library.time.sleep", nap):
        assert same(store.found(made[-1].taken_ns), made[-1])
    assert len(naps) == 1
