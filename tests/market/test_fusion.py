"""A day that was seen in pieces, by whom and how often ever, is the day."""

import asyncio
import json
import os
import random
import sys
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p9.errors import ConfigError
from p9.history import CandleRow, Row, TradeRow
from p9.market import history_file
from p9.market.fusion import Fusion, Source
from p9.market.history_file import HistoryFile, read
from p9.market.walk import Hole

MINUTE = 60 * 10**9
START = 1_795_564_800 * 10**9  # a midnight
KILLS = int(os.environ.get("P9_KILLS", "2"))  # a hundred in the long form: make history


def candles(n: int) -> list[Row]:
    return [CandleRow(START + i * MINUTE, str(100 + i), str(102 + i), str(99 + i), str(101 + i), "1", "100", None, i) for i in range(n)]


def trades(n: int) -> list[Row]:
    return [TradeRow(START + i // 3 * 1_000_000, str(500 + i), str(100 + i), "1", "buy", None, 500 + i, 500 + i) for i in range(n)]


@st.composite
def splits(draw):
    """(how many rows, [(source, first, end)], so that each row is in at least one piece)"""
    n = draw(st.integers(1, 80))
    cuts = sorted(draw(st.sets(st.integers(1, n), max_size=8)) | {n})
    pieces, first = [], 0
    for end in cuts:
        pieces.append((draw(st.sampled_from(Source)), max(0, first - draw(st.integers(0, 9))), min(n, end + draw(st.integers(0, 9)))))
        first = end
    return n, pieces


@settings(max_examples=120)
@given(splits(), st.booleans())
def test_any_split_fuses_to_the_whole(split, numbered):
    n, pieces = split
    whole = trades(n) if numbered else candles(n)
    fusion = Fusion(step_ns=0 if numbered else MINUTE, numbered=numbered)
    fused = list(fusion.fuse([(source, whole[first:end]) for source, first, end in pieces]))
    assert [one.row for one in fused] == whole and not any(one.revision for one in fused)
    having = [[source for source, first, end in pieces if first <= i < end] for i in range(n)]
    assert [one.source for one in fused] == [min(sources) for sources in having], "the first who had it"
    assert not fusion.conflicts and not fusion.holes and fusion.counts["rows"] == n
    assert fusion.watermark == fusion._told(fusion.key(whole[-1]))
    assert sum(segment.rows for segment in fusion.segments) == n
    assert fusion.counts["shared"] == sum(len(set(sources)) > 1 for sources in having)


def test_a_difference_is_told_and_the_later_word_counts():
    whole = candles(6)
    revised = msgspec.structs.replace(whole[3], close="7", trades=None)
    fusion = Fusion(step_ns=MINUTE)
    fused = list(fusion.fuse([(Source.ARCHIVE, [*whole[1:3], revised, *whole[4:]]), (Source.LIVE, whole[:5])]))
    assert fused[3] == (revised, Source.ARCHIVE, 1)
    (conflict,) = fusion.conflicts
    assert (conflict.key, conflict.earlier, conflict.later, conflict.detail) == ("2026-11-25T00:03:00Z", "live", "archive", "close 104 and 7")
    (seam,) = fusion.seams
    assert (seam.key, seam.before, seam.after, seam.overlap, seam.proven) == ("2026-11-25T00:05:00Z", "live", "archive", 1, False), "begun anew after it"


def test_seams_are_proved_by_what_both_told():
    whole = candles(10)
    fusion = Fusion(step_ns=MINUTE)
    list(fusion.fuse([(Source.LIVE, whole[:4]), (Source.GAPFILL, whole[2:7]), (Source.ARCHIVE, whole[6:])]))
    assert [(seam.before, seam.after, seam.overlap, seam.proven) for seam in fusion.seams] == [("live", "gapfill", 2, True), ("gapfill", "archive", 1, False)]
    assert [(segment.source, segment.rows) for segment in fusion.segments] == [("live", 4), ("gapfill", 3), ("archive", 3)]


def test_what_nobody_has_is_a_hole_and_the_watermark_stays_before_it():
    whole = trades(20)
    fusion = Fusion(numbered=True)
    list(fusion.fuse([(Source.LIVE, whole[:5]), (Source.ARCHIVE, whole[9:])]))
    assert fusion.holes == [Hole(505, 508, True)] and fusion.watermark == "id 504"


def test_what_one_does_not_know_comes_from_the_other():
    known, partly = candles(1)[0], CandleRow(START, "100", "102", "99", "101", "1", "100")
    (fused,) = Fusion(step_ns=MINUTE).fuse([(Source.LIVE, [partly]), (Source.ARCHIVE, [known])])
    assert fused == (known, Source.LIVE, 0)


def test_named_trades_of_one_moment_keep_each_their_name():
    rows = [TradeRow(START, name, "1", "1", "sell") for name in "abc"]
    fused = list(Fusion().fuse([(Source.LIVE, rows[:2]), (Source.GAPFILL, rows[1:])]))
    assert [one.row.id for one in fused] == ["a", "b", "c"]


def test_rows_out_of_order_are_refused():
    with pytest.raises(ConfigError, match="in order"):
        list(Fusion(step_ns=MINUTE).fuse([(Source.LIVE, candles(3)[::-1])]))


# ---- the command


KILLED = 1 if sys.platform == "win32" else -9
IDENTITY = {
    "exchange": "binance", "market": "binance_usdm", "symbol": "BTC-USDT-PERP", "venue_symbol": "BTCUSDT", "kind": "trades", "timeframe": "",
    "since_ns": START, "until_ns": START + 86_400 * 10**9, "form": "csv",
}  # fmt: skip


def stored(path: Path, rows: list[Row], **more: object) -> Path:
    file = HistoryFile(path, IDENTITY | more, "csv", TradeRow, by_id=True)
    file.open()
    file.add(rows, [])
    file.finish([])
    return path


def stamp(note: Path) -> int:
    """Of the checkpoint; it comes and goes."""
    try:
        return note.stat().st_mtime_ns
    except OSError:
        return 0


def command(tmp_path: Path, *words: object) -> list[str]:
    start = "import p9.market.history_file as f; f.CHUNK_ROWS = 1000; import sys, p9.__main__ as m; sys.exit(m.main())"
    return [sys.executable, "-c", start, "fuse", *map(str, words)]


async def test_kills_of_the_command_leave_no_trace_in_a_day_that_was_split_at_random(tmp_path, monkeypatch):
    monkeypatch.setattr(history_file, "CHUNK_ROWS", 1000)
    draw = random.Random(5)
    whole = trades(30_000)
    stored(tmp_path / "whole.csv.gz", whole)
    words: dict[str, list[Path]] = {"--live": [], "--gapfill": [], "--archive": []}
    first = 0
    for n, end in enumerate([*sorted(draw.sample(range(1_000, 29_000), 7)), len(whole)]):
        source = draw.choice(list(words))
        words[source].append(stored(tmp_path / f"{n}.csv.gz", whole[max(0, first - draw.randrange(2_000)) : end]))
        first = end
    n_kills = n = 0
    while n_kills < KILLS:
        n += 1
        n_kills += await fused_under_kills(tmp_path / f"fused{n}.csv.gz", words, draw, KILLS - n_kills)
        assert (tmp_path / f"fused{n}.csv.gz").read_bytes() == (tmp_path / "whole.csv.gz").read_bytes()
    assert list(read(tmp_path / "fused1.csv.gz", TradeRow)) == whole


async def fused_under_kills(out: Path, words: dict[str, list[Path]], draw: random.Random, most: int) -> int:
    """Fuse all of it, killed up to `most` times; how often it was."""
    line = command(out.parent, *(word for source, paths in words.items() if paths for word in (source, *paths)), "--out", out)
    report_path, note, n_kills = out.with_name(out.name + ".fusion.json"), out.with_name(out.name + ".checkpoint"), 0
    while not report_path.exists():
        process = await asyncio.create_subprocess_exec(*line, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
        if n_kills < most:
            before, patience_s = stamp(note), draw.choice([0.3, 1.0, 30.0])  # some die before they have begun
            end_s = time.monotonic() + draw.uniform(0.0, patience_s)
            while process.returncode is None and stamp(note) == before and time.monotonic() < end_s:
                await asyncio.sleep(0.002)
            await asyncio.sleep(draw.uniform(0.0, 0.02))
            if process.returncode is None:
                process.kill()
                n_kills += 1
        _, said = await process.communicate()
        assert process.returncode in (0, KILLED), said
    report = json.loads(report_path.read_text())
    assert report["watermark"] == "id 30499" and report["rows"] == 30_000 and not report["holes"]
    return n_kills


def test_files_of_different_things_are_not_fused(tmp_path, monkeypatch, capsys):
    from p9 import __main__ as command_line

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("P9__DATA_DIR", str(tmp_path))
    a, b = stored(tmp_path / "a.csv.gz", trades(3)), stored(tmp_path / "b.csv.gz", trades(3), symbol="ETH-USDT-PERP")

    def run(*words: object) -> int:
        monkeypatch.setattr(sys, "argv", ["p9_microstream", "fuse", *map(str, words)])
        return command_line.main()

    assert run("--live", a, "--archive", b, "--out", "c.csv.gz") == 2 and "another instrument" in capsys.readouterr().err
    assert run("--out", "c.csv.gz") == 2 and "nothing to fuse" in capsys.readouterr().err
    (tmp_path / "x.csv.gz").write_bytes(b"")
    assert run("--live", "x.csv.gz", "--out", "c.csv.gz") == 2 and "no finished file" in capsys.readouterr().err
    odd = [msgspec.structs.replace(row, price="7") if i == 1 else row for i, row in enumerate(trades(3))]
    assert run("--live", a, "--archive", stored(tmp_path / "d.csv.gz", odd), "--out", "c.csv.gz") == 1
    said = capsys.readouterr()
    assert "conflict at id 501: live and archive differ in price 101 and 7" in said.err and "1 conflicts, 0 holes" in said.out
    words = ("--live", a, "--archive", "d.csv.gz", "--out", "c.csv.gz")
    assert run(*words) == 1 and "fused before; 1 conflicts" in capsys.readouterr().out
    (tmp_path / "c.csv.gz.fusion.json").unlink()
    assert run(*words) == 1 and "conflict at id 501" in capsys.readouterr().err, "killed before it could say so"
