"""`p9_microstream gaps`, run as a person runs it."""

import json
import os
import subprocess
import sys

import msgspec
import pytest

from p9.capture.ledger import Gap

ROWS = [
    Gap(id="1-1", kind="book", state="resynced", exchange="okx", market="okx_swap", symbol="ETH-USDT-PERP", reason="gap",
        noticed_ns=1_790_000_000_000_000_000, settled_ns=1_790_000_000_250_000_000, first_id=8, last_id=9),
    Gap(id="1-2", kind="trades", state="lost", exchange="binance", market="binance_usdm", symbol="BTC-USDT-PERP", reason="numbers",
        noticed_ns=1_790_000_001_000_000_000, settled_ns=1_790_000_002_000_000_000, first_id=11, last_id=14, fetched=2, left=[(11, 12)]),
    Gap(id="1-3", kind="trades", state="open", exchange="bybit", market="bybit_spot", symbol="BTC-USDT", reason="disconnect",
        noticed_ns=1_790_000_003_000_000_000),
]  # fmt: skip


@pytest.fixture
def gaps(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(f"data_dir: '{tmp_path}'\n")

    def run(*words: str) -> list[str]:
        ran = subprocess.run(
            [sys.executable, "-m", "p9", "--config", str(config), "gaps", *words], capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": "."},
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.splitlines()

    return run


def test_the_ledger_as_a_table(gaps, tmp_path):
    assert gaps()[0].startswith("no gaps: ")
    (tmp_path / "gaps.jsonl").write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in ROWS))
    head, resynced, lost, still = gaps()
    assert head.split("  ")[0] == "noticed (UTC)"
    assert "2026-09-21 14:13:20.000  okx_swap" in resynced and "8..9 (2)" in resynced and "250 ms" in resynced
    assert "11..14 (4)" in lost and lost.endswith("11..12") and "1000 ms" in lost
    assert still.endswith("all of it")


def test_only_what_is_asked_for(gaps, tmp_path):
    (tmp_path / "gaps.jsonl").write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in ROWS))
    assert [json.loads(line)["id"] for line in gaps("--json", "--lost", "--open")] == ["1-2", "1-3"]
    assert [json.loads(line)["id"] for line in gaps("--json", "--symbol", "ETH-USDT-PERP")] == ["1-1"]
