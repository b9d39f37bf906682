"""The one-minute form of `make chaos`; and the account itself, which must be able to fail."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.ledger import MARK, Accepted, Ledger, read
from tests.chaos.tally import Tally, compare

ROOT = Path(__file__).parents[2]
NAMES, CLASSES = ["trades:venue:A"], {"trades:venue:A": "HIGH"}


def tally_of(*events):
    tally = Tally("client", NAMES)
    for epoch, seq in events:
        tally.take(NAMES[0], epoch, seq)
    return tally


def test_the_account_tells_losses_from_what_was_in_the_fsync_window():
    rows = [Accepted(0, 1, 1, 3, 1000), Accepted(MARK, 1, 0, 0, 1800), Accepted(0, 1, 4, 5, 1900), Accepted(0, 2, 1, 1, 3000)]
    verdict = compare(tally_of((1, 1), (1, 3), (2, 1)), rows, NAMES, CLASSES, [1])
    assert verdict.accepted == 6 and verdict.lost == {"HIGH": 1} and verdict.in_window == 2
    verdict = compare(tally_of((1, 1), (1, 2), (1, 3), (2, 1)), rows, NAMES, CLASSES, [])
    assert verdict.lost == {"HIGH": 2}, "without a kill there is no window"


def test_the_account_sees_what_came_twice_out_of_order_or_from_nowhere():
    tally = tally_of((1, 1), (1, 3), (1, 2), (1, 2), (2, 1), (1, 4))
    assert (tally.duplicates, tally.disorders, tally.holes()) == (1, 2, 0)
    assert tally_of((1, 1), (1, 5)).holes() == 3
    with pytest.raises(AssertionError, match="never accepted"):
        compare(tally_of((1, 1), (1, 2)), [Accepted(0, 1, 1, 1, 0)], NAMES, CLASSES, [])
    assert compare(tally_of((1, 1), (1, 2)), [Accepted(0, 1, 1, 1, 0)], NAMES, CLASSES, [1]).unlogged == 1


def test_a_ledger_survives_a_torn_row(tmp_path):
    path, row = tmp_path / "ledger", Accepted(3, 1_795_000_000_000, 7, 9, 123)
    ledger = Ledger(path)
    ledger.write([row, row])
    os.truncate(path, path.stat().st_size - 1)
    assert list(read(path)) == [row]


@pytest.mark.xdist_group("chaos")  # a worker of its own where tests are distributed by groups
def test_pain_13_a_minute_of_chaos_loses_nothing_and_shows_that_it_could(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "tests.chaos.chaos", "--quick"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=110,
    )  # fmt: skip
    account = json.loads(ran.stdout.splitlines()[-1])
    assert account["ok"] and ran.returncode == 0, account["failed"]
    assert account["redis_kills"] >= 5 and account["appliance_kills"] >= 4 and account["lost_without_replay"] > 0
    assert account["lost"] == account["duplicates"] == account["disorders"] == 0 and account["accepted"] > 10_000
