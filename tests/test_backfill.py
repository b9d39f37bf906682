"""The backfill command, from the command line: what it says, what it leaves behind, which exit code a mistake has."""

import importlib
import json
import sys
import time
from pathlib import Path

import pytest

from p9 import __main__ as command_line
from p9.history import CandleRow, told
from p9.market.history_file import HistoryFile, read

DAY = 86_400 * 10**9


@pytest.fixture
def p9(monkeypatch, tmp_path):
    """Runs the command line in an empty folder: (exit code)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("P9_CONFIG", raising=False)
    monkeypatch.setenv("P9__DATA_DIR", str(tmp_path / "state"))

    def run(*words: object) -> int:
        monkeypatch.setattr(sys, "argv", ["p9_microstream", *map(str, words)])
        return command_line.main()

    return run


def day(back: int) -> str:
    return told(time.time_ns() // DAY * DAY - back * DAY)[:10]


def test_candles_of_a_simulated_day_and_the_same_command_again(p9, capsys, tmp_path):
    words = ("--simulate", "backfill", "candles", "okx", "BTC-USDT", "--from", day(3), "--to", day(2), "--timeframe", "15m", "--out", "history")
    assert p9(*words) == 0
    out = capsys.readouterr().out
    path = Path("history") / f"okx_spot_BTC-USDT_candles_15m_{day(3)}_{day(2)}.csv.gz"
    assert f"{path}: 96 rows, {day(3)}T00:00:00Z to {day(3)}T23:45:00Z; 0 holes; sha256 " in out
    assert "without buy volume and count of trades" in out, "what the venue does not tell is said"
    rows = list(read(path, CandleRow))
    assert len(rows) == 96 and rows[0].trades is None and rows[0].buy_volume is None
    before = path.stat().st_mtime_ns
    assert p9(*words) == 0 and path.stat().st_mtime_ns == before, "it is complete"


def test_holes_that_the_venue_leaves_are_an_exit_code(p9, capsys):
    assert p9("--simulate", "backfill", "trades", "bybit", "BTC-USDT", "--market", "bybit_spot", "--from", day(1), "--format", "jsonl") == 1
    out = capsys.readouterr().out
    assert "the newest 60 and no more" in out and f"1 holes ({day(1)}T00:00:00Z to " in out


def test_a_run_without_an_end_goes_on_to_the_end_that_it_had(p9, capsys, tmp_path):
    until_ns = time.time_ns() // DAY * DAY - DAY
    identity = {
        "exchange": "okx", "market": "okx_spot", "symbol": "BTC-USDT", "venue_symbol": "BTC-USDT", "kind": "candles", "timeframe": "1h",
        "since_ns": until_ns - DAY, "until_ns": until_ns, "form": "csv",
    }  # fmt: skip
    file = HistoryFile(tmp_path / f"okx_spot_BTC-USDT_candles_1h_{day(2)}_{day(1)}.csv.gz", identity, "csv", CandleRow, step_ns=3_600 * 10**9)
    file.open()
    file._save()
    file.close()
    assert p9("--simulate", "backfill", "candles", "okx", "BTC-USDT", "--from", day(2), "--timeframe", "1h") == 0
    assert "24 rows" in capsys.readouterr().out and json.loads(Path(f"{file.path}.manifest.json").read_text())["identity"] == identity


@pytest.mark.parametrize(
    "words, said",
    [
        (("funding", "binance", "BTC-USDT"), "spot has none"),
        (("candles", "binance", "BTC-USDTT"), "did you mean BTC-USDT"),
        (("candles", "nyse", "BTC-USDT"), "no venue that we know"),
        (("candles", "binance", "BTC-USDT", "--market", "binance_forex"), "binance_usdm"),
        (("candles", "binance", "BTC-USDT", "ETH-USDT", "--out", "one.csv.gz"), "name a folder"),
        (("candles", "binance", "BTC-USDT", "--timeframe", "7m"), "no candles of 7m"),
    ],
)
def test_mistakes_are_named_with_what_would_be_right(p9, capsys, words, said):
    assert p9("--simulate", "backfill", *words, "--from", day(2), "--to", day(1)) == 2
    assert said in capsys.readouterr().err


def test_parquet_without_its_library_says_what_to_do(p9, capsys, monkeypatch):
    find = importlib.import_module

    def without(name: str, *more: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return find(name, *more)

    monkeypatch.setattr(importlib, "import_module", without)
    assert p9("--simulate", "backfill", "candles", "okx", "BTC-USDT", "--from", day(2), "--to", day(1), "--format", "parquet") == 2
    told_us = capsys.readouterr().err
    assert "pip install 'p9-microstream[parquet]'" in told_us and "csv or jsonl" in told_us


def test_a_venue_that_is_away_leaves_the_work_to_the_next_run(p9, capsys, tmp_path):
    (tmp_path / "config.yaml").write_text("venues: {okx: {spot: {rest_url: 'http://127.0.0.1:9'}, swap: {enabled: false}, futures: {enabled: false}}}")
    assert p9("backfill", "candles", "okx", "BTC-USDT", "--market", "okx_spot", "--from", day(2)) == 3
    assert "The same command goes on from here." in capsys.readouterr().err


def test_times_are_said_as_they_are_expected(p9, capsys):
    assert p9("backfill", "candles", "okx", "BTC-USDT", "--from", "yesterday") == 2
    assert "expected a time such as 2026-11-01" in capsys.readouterr().err
