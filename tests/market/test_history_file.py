"""A file of history that is cut anywhere and taken up again ends as if nothing had been."""

import gzip
import json
import random

import pytest

from p9.errors import ConfigError
from p9.history import CandleRow, TradeRow
from p9.market import history_file, parquet
from p9.market.history_file import HistoryFile, finished, read
from p9.market.walk import Hole, Position

S = 10**9
MINUTE = 60 * S
START = 1_795_532_400 * S
IDENTITY = {"kind": "candles", "symbol": "A-B"}


def candles(n: int) -> list[CandleRow]:
    draw = random.Random(7)
    return [CandleRow(START + i * MINUTE, "1.5", "2", "1", str(draw.randrange(1, 10**6)), "0.1", None, None, draw.choice([None, i]), "0.05") for i in range(n)]


def made(path, form: str = "csv", **more) -> HistoryFile:
    return HistoryFile(path, IDENTITY, form, CandleRow, step_ns=MINUTE, **more)


def written(path, rows, form: str = "csv") -> bytes:
    """Without interruption."""
    file = made(path, form)
    file.open()
    for i in range(0, len(rows), 97):
        file.add(rows[i : i + 97], [])
    file.finish([])
    return path.read_bytes()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_cuts_anywhere_leave_no_trace(tmp_path, monkeypatch, form):
    monkeypatch.setattr(history_file, "CHUNK_ROWS", 40)
    rows = candles(500)
    whole = written(tmp_path / f"whole.{form}.gz", rows, form)
    draw = random.Random(1)
    path = tmp_path / f"cut.{form}.gz"
    part, n_kills = path.with_name(path.name + ".part"), 0
    while finished(path) is None:
        file = made(path, form)
        file.open()
        position = file.checkpoint.position or Position(START)
        remaining = [row for row in rows if row.time >= position.time]
        kill_after = draw.randrange(1, 160)
        while remaining and kill_after > 0:
            page = draw.randrange(1, 60)
            file.add(remaining[:page], [])
            kill_after -= page
            del remaining[:page]
        if remaining:  # killed: what was on its way may be half there
            file.close()
            n_kills += 1
            with part.open("ab") as torn:
                torn.write(draw.randbytes(draw.randrange(50)))
        else:
            file.finish([])
    assert n_kills > 3 and path.read_bytes() == whole
    assert list(read(path, CandleRow)) == rows
    assert not part.exists() and not path.with_name(path.name + ".checkpoint").exists()
    manifest = json.loads(path.with_name(path.name + ".manifest.json").read_text())
    assert (manifest["rows"], manifest["first_ns"], manifest["last_ns"]) == (500, START, START + 499 * MINUTE)


@pytest.mark.parametrize("stage", ["checkpoint", "name", "manifest"])
def test_a_kill_while_it_is_finished_is_finished_by_the_next(tmp_path, monkeypatch, stage):
    rows = candles(30)
    whole = written(tmp_path / "whole.csv.gz", rows)
    path = tmp_path / "cut.csv.gz"
    file = made(path)
    file.open()
    file.add(rows, [])

    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        if stage == "checkpoint":
            patched.setattr(history_file, "publish", kill)
        elif stage == "name":
            patched.setattr(history_file, "write_manifest", kill)
        else:
            patched.setattr(type(path), "unlink", kill)
        with pytest.raises(Killed):
            file.finish([])
    file.close()
    again = made(path)
    again.open()
    assert again.resumed
    again.finish([])
    assert path.read_bytes() == whole and finished(path) is not None


def test_holes_are_kept_with_the_rows_they_stand_between(tmp_path, monkeypatch):
    monkeypatch.setattr(history_file, "CHUNK_ROWS", 10)
    rows = candles(25)
    file = made(tmp_path / "a.csv.gz")
    file.open()
    early, late = Hole(START - 5 * MINUTE, START - MINUTE), Hole(START + 100 * MINUTE, START + 101 * MINUTE)
    file.add(rows, [early, late])
    file.close()
    again = made(tmp_path / "a.csv.gz")
    again.open()
    assert again.checkpoint.rows == 20 and again.checkpoint.holes == [early], "the other one is found again"
    again.add(rows[20:], [early, late])
    assert again.finish([early, late]).holes == [early, late]


def test_trades_go_on_by_their_ids(tmp_path, monkeypatch):
    monkeypatch.setattr(history_file, "CHUNK_ROWS", 2)
    file = HistoryFile(tmp_path / "t.jsonl.gz", IDENTITY, "jsonl", TradeRow, by_id=True)
    file.open()
    file.add([TradeRow(START, str(id), "1", "1", "buy") for id in (7, 8, 9)], [])
    file.close()
    assert file.checkpoint.position == Position(START, 9), "of three trades in one millisecond the last is not on disk yet"


def test_other_peoples_files_are_left_alone(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(b"mine")
    with pytest.raises(ConfigError, match="is there already"):
        made(tmp_path / "a.csv.gz").open()
    file = made(tmp_path / "b.csv.gz")
    file.open()
    file.add(candles(1), [])
    file._write(candles(1), [])
    file.close()
    with pytest.raises(ConfigError, match="belongs to something else"):
        HistoryFile(tmp_path / "b.csv.gz", {"kind": "other"}, "csv", CandleRow).open()


def test_a_file_that_cannot_be_read_says_so(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"time,open\n1,2\n"))
    with pytest.raises(ConfigError, match="other columns"):
        list(read(path, CandleRow))
    path.write_bytes(b"no gzip")
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read(path, CandleRow))


def test_parquet_keeps_every_digit(tmp_path):
    from decimal import Decimal

    arrow = pytest.importorskip("pyarrow.parquet")
    rows = [CandleRow(START, "0.000000000000000001", "12345678901234567890.5", "1", "1", None, "-0.5", None, 9_007_199_254_740_993)]
    parquet.write(rows, CandleRow, tmp_path / "a.parquet")
    table = arrow.read_table(tmp_path / "a.parquet")
    (row,) = table.to_pylist()
    assert row["open"] == Decimal("1e-18") and row["high"] == Decimal("12345678901234567890.5") and row["volume"] is None
    assert row["quote_volume"] == Decimal("-0.5") and row["trades"] == 9_007_199_254_740_993
    assert table.column("time").cast("int64").to_pylist() == [START]
    first = (tmp_path / "a.parquet").read_bytes()
    parquet.write(rows, CandleRow, tmp_path / "b.parquet")
    assert (tmp_path / "b.parquet").read_bytes() == first
