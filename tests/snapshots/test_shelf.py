"""The files of many books on disk: what goes, what stays, and a disk that refuses."""

import os

import pytest
from cext.film import Frame

from p9.client.film import CHANGES, KEY
from p9.snapshots.folder import FILE_MS, files_of
from p9.snapshots.packing import pack
from p9.snapshots.shelf import Shelf

HOUR = 3_600_000
START = 1_700_000_000_000


def record(kind: int, at_ms: int, size: int = 1000) -> tuple[Frame, bytes]:
    frame = Frame(0, kind, at_ms * 10**6, at_ms, at_ms, os.urandom(size))
    return frame, pack(frame, 0)[0]


def shelf(root, **settings) -> Shelf:
    made = Shelf(root, epoch=1, **{"max_bytes": 1 << 30, "keep_ms": 24 * HOUR, **settings})
    for symbol in ("A-B", "C-D"):
        made.add("venue", symbol)
    return made


def begun(shelf: Shelf, symbol: str = "A-B") -> list[int]:
    return [(file.first_ms - START) // HOUR for file in files_of(shelf.root / "venue" / symbol)]


def hours(shelf: Shelf, number: int, n: int) -> None:
    for hour in range(n):
        assert shelf.write(number, [record(KEY, START + hour * HOUR), record(CHANGES, START + hour * HOUR + 1000)])


def test_a_file_an_hour_at_a_key_frame(tmp_path):
    one = shelf(tmp_path)
    minute = [record(KEY if n % 60 == 0 else CHANGES, START + n * 1000) for n in range(0, 7400, 20)]
    assert one.write(0, minute[:100]) and one.write(0, minute[100:])
    files = files_of(tmp_path / "venue" / "A-B")
    assert [file.first_ms - START for file in files] == [0, FILE_MS, 2 * FILE_MS]
    assert b"".join(file.path.read_bytes() for file in files) == b"".join(packed for _, packed in minute)


def test_a_file_that_grows_too_large_is_closed_at_the_next_key_frame(tmp_path):
    one = shelf(tmp_path, max_bytes=16 * 200_000)  # of two books: an eighth of a half each
    for n in range(40):
        one.write(0, [record(KEY if n % 2 == 0 else CHANGES, START + n * 1000, 50_000)])
    sizes = [file.path.stat().st_size for file in files_of(tmp_path / "venue" / "A-B")]
    assert len(sizes) == 10 and max(sizes) < 300_000


def test_what_is_older_than_it_must_be_goes_and_nothing_younger(tmp_path):
    one = shelf(tmp_path)
    hours(one, 0, 30)
    one.sweep(START + 30 * HOUR)
    # 24 hours ago is hour 6: the file of hour 5 ends there, and the one of hour 6 shows that very second
    assert begun(one) == [5, *range(6, 30)] and one.counts["removed_aged"] == 5
    one.sweep(START + 30 * HOUR + 1)
    assert begun(one) == list(range(6, 30))
    assert one.status()["files"] == 24 and one.oldest_ms == START + 6 * HOUR


def test_the_last_file_of_a_book_that_is_gone_ages_by_its_last_write(tmp_path):
    one = shelf(tmp_path)
    hours(one, 1, 1)
    path = files_of(tmp_path / "venue" / "C-D")[0].path
    os.utime(path, (START / 1000 + 10, START / 1000 + 10))
    one.sweep(START + 24 * HOUR)
    assert path.exists()
    one.sweep(START + 25 * HOUR)
    assert not path.exists()
    one.sweep(START + 25 * HOUR)
    assert not path.parent.exists(), "and its folder"


def test_over_the_bound_the_oldest_of_all_books_go_first_and_what_is_written_to_stays(tmp_path):
    one = shelf(tmp_path)
    hours(one, 0, 10)
    hours(one, 1, 5)
    size = files_of(tmp_path / "venue" / "A-B")[0].path.stat().st_size
    one.max_bytes = 8 * size
    one.sweep(START + 10 * HOUR)
    assert begun(one) == [4, 5, 6, 7, 8, 9] and begun(one, "C-D") == [3, 4]
    assert one.status()["bytes"] == 8 * size and one.counts["removed_over_bound"] == 7
    one.max_bytes = 0
    one.sweep(START + 10 * HOUR)
    assert begun(one) == [9] and begun(one, "C-D") == [4]


def test_other_files_are_left_alone(tmp_path):
    one = shelf(tmp_path, keep_ms=0, max_bytes=0)
    hours(one, 0, 2)
    other = tmp_path / "venue" / "A-B" / "notes.txt"
    other.write_text("mine")
    one.sweep(START + 100 * HOUR)
    one.empty()
    assert other.read_text() == "mine" and begun(one) == []


def test_a_disk_that_refuses_is_told_and_the_next_key_frame_begins_a_file(tmp_path, caplog):
    one = shelf(tmp_path)
    (tmp_path / "venue").write_text("no folder")
    assert not one.write(0, [record(KEY, START)]) and one.error and one.counts["errors"] == 1
    one.sweep(START)
    assert one.status()["error"] == one.error
    (tmp_path / "venue").unlink()
    assert not one.write(0, [record(CHANGES, START + 1000)]), "changes cannot stand at the beginning of a file"
    assert one.write(0, [record(KEY, START + 2000)])
    one.recovered()
    assert one.error == "" and len(begun(one)) == 1


def test_a_file_that_somebody_removed_is_not_begun_in_its_middle(tmp_path):
    one = shelf(tmp_path)
    hours(one, 0, 1)
    files_of(tmp_path / "venue" / "A-B")[0].path.unlink()
    assert not one.write(0, [record(CHANGES, START + 2000)])
    assert begun(one) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_is_an_error_like_any_other(tmp_path):
    one = shelf(tmp_path)
    one.write(0, [record(KEY, START)])
    path = one._books[0].path
    path.unlink()
    path.symlink_to("/dev/full")
    assert not one.write(0, [record(CHANGES, START + 1000)])
    assert one.error == "No space left on device"


@pytest.mark.parametrize("exchange, symbol", [("..", "A-B"), ("venue", ""), ("Venue", "A-B")])
def test_a_name_that_no_book_has_is_refused(tmp_path, exchange, symbol):
    with pytest.raises(ValueError, match="cannot be the name of a book"):
        shelf(tmp_path).add(exchange, symbol)


def test_the_oldest_go_before_the_disk_is_full(tmp_path, monkeypatch):
    one = shelf(tmp_path, min_free=1 << 30)
    hours(one, 0, 10)
    size = files_of(tmp_path / "venue" / "A-B")[0].path.stat().st_size
    free = [(1 << 30) + 5]
    monkeypatch.setattr("p9.snapshots.shelf.shutil.disk_usage", lambda path: type("Usage", (), {"free": free[0]}))
    one.sweep(START + 10 * HOUR)
    assert begun(one) == list(range(10))
    free[0] = (1 << 30) - 2 * size - 1  # three files must make room
    one.sweep(START + 10 * HOUR)
    assert begun(one) == list(range(3, 10))
    free[0] = 0
    one.sweep(START + 10 * HOUR)
    assert begun(one) == [9], "what is written to is left"
