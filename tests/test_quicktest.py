"""The appliance as a user starts it: the command line, simulated venues, embedded Redis."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[1]


@pytest.fixture
def environment(tmp_path):
    return os.environ | {"P9__DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}


def p9(*words: str, environment: dict, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "p9", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, **options)


@pytest.mark.timeout(240)
def test_the_quick_test_passes_on_simulated_venues_and_its_recording_replays_to_the_same_books(tmp_path, environment):
    folder = tmp_path / "recording"
    ran = p9("--simulate", "--quick-test", "14s", "--record", str(folder), environment=environment)
    report = json.loads(ran.stdout.splitlines()[-1])
    assert report["failed"] == [] and ran.returncode == 0, ran.stdout + ran.stderr
    assert report["planted"]["dropped depth frame"] == 9
    assert report["detection_ms"]["n"] >= 18 and report["repair_ms"]["n"] >= 18
    assert 0 <= report["detection_ms"]["p50"] <= report["detection_ms"]["p99"] <= report["detection_ms"]["worst"] < report["repair_ms"]["worst"]
    assert len(report["checks"]) >= 40 and set(report["not_asked"]) >= {"spoofing", "signals:all"} and "not asked of so short a run" in ran.stdout
    assert {
        "a wrong file while it runs changes nothing and is told", "thresholds change while it runs, without a reconnect",
        "a venue's clock that is off is told, and its end", "every book is the true book", "every candle is the venue's kline",
        "book_ticker is the true book's", "depth is the true book's", "snapshots is the true book's", "liquidity is the true book's", "every trade is the tape's",
        "every forming candle is the venue's kline", "cumulative volume delta is the tape's", "declines of insurance pools are told, as they were",
        "every figure is the venue's", "every insurance pool is the venue's", "every option is the venue's", "planted orders are found, as they were", "deleveraging is told where it is",
        "reference data are the venue's", "every channel is alive", "no hole in any stream",
    } <= set(report["checks"])  # fmt: skip
    assert all(report["planted"][name] == n for name, n in (("whale", 9), ("cascade of liquidations", 7), ("decline of insurance funds", 1)))
    replays_to_the_same_books(folder, tmp_path / "books.json", environment)


def replays_to_the_same_books(folder: Path, out: Path, environment: dict) -> None:
    files = sorted(map(str, folder.rglob("*.jsonl.gz")))
    assert files
    replayed = p9("replay", *files, "--dry", "--books-out", str(out), environment=environment)
    assert replayed.returncode == 0, replayed.stderr
    figures = json.loads(replayed.stdout.splitlines()[-1])
    assert figures["instruments"] == 18 and figures["skipped"] == 0
    assert figures["bbo_compared"] == figures["bbo_agreed"] > 100
    books = json.loads(out.read_text())
    assert len(books) == 9 and all(book["crossed"] == 0 for market in books.values() for book in market.values())


def test_an_appliance_runs_until_it_is_told_to_stop_and_says_where_its_pages_are(environment):
    running = subprocess.Popen(
        [sys.executable, "-m", "p9", "--simulate"], cwd=ROOT, env=environment | {"P9__HTTP__PORT": "0"}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        url = running.stdout.readline().split("pages at ")[1].split()[0]
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(f"{url}/readyz") as answer:
                    assert answer.status == 200
                    break
            except urllib.error.HTTPError:
                assert time.monotonic() < deadline_s
                time.sleep(0.2)
        with urllib.request.urlopen(f"{url}/status") as answer:
            status = json.load(answer)
        assert status["simulated"] and len(status["markets"]) == 9
        with urllib.request.urlopen(f"{url}/metrics") as answer:
            metrics = answer.read()
            assert b"p9_books{" in metrics and b'p9_stream_findings_total{kind="large_prints",market="okx_swap",stream="flow"}' in metrics
        one = status["instruments"][0]
        with urllib.request.urlopen(f"{url}/books/{one['exchange']}/{one['symbol']}?n=5") as answer:
            book = json.load(answer)
        assert book["state"] == "synced" and len(book["bids"]) == 5
        with urllib.request.urlopen(url) as answer:
            assert b"P9-MicroStream" in answer.read() and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    finally:
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    assert running.returncode == 0, errors
    assert '"spooled": 0' in errors and '"lost": 0' in errors


@pytest.mark.parametrize(
    "text, said",
    [("redis: {urll: x}", "redis.urll"), ("venues: {binance: {spot: {depth: 0}}}", "venues.binance.spot.depth"), ("a: [", "not YAML")],
)
def test_a_mistake_in_the_configuration_is_exit_2_and_names_its_place(tmp_path, environment, text, said):
    (tmp_path / "config.yaml").write_text(text)
    for words in (["--check-config"], ["--simulate"], ["--quick-test", "5s"]):
        ran = p9("--config", str(tmp_path / "config.yaml"), *words, environment=environment)
        assert ran.returncode == 2 and said in ran.stderr, ran.stderr
        assert "Traceback" not in ran.stderr


def test_small_words(environment):
    assert p9("--version", environment=environment).stdout.startswith("p9_microstream 0.")
    assert "good" in p9("--check-config", environment=environment).stdout
    missing = p9("--config", "absent.yaml", environment=environment)
    assert missing.returncode == 2 and "absent.yaml" in missing.stderr
