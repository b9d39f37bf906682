"""The short form of `make sim`. Each run is a process of its own: the simulated world owns the venues' clocks and the order of hashes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)  # processor time is a tenth of that; other tests may run beside
SEEDS = int(os.environ.get("P9_SEEDS", "6"))  # 60 in the long form: a minute on two cores
ROOT = Path(__file__).parents[2]


def run(*words: str) -> tuple[int, str, dict]:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run([sys.executable, "-m", "tests.sim", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    return done.returncode, done.stdout + done.stderr, json.loads(lines[-1]) if lines else {}


def test_no_invariant_fails_whatever_goes_wrong():
    code, said, figures = run("--first", "1", "--seeds", str(SEEDS), "--minutes", "10", "--jobs", "2")
    assert code == 0, said
    assert figures["failures"] == {}
    assert figures["books_compared"] > SEEDS * 1500
    assert figures["books_lost"] > SEEDS * 30
    assert figures["repairs"] > SEEDS
    assert figures["fault_kinds"] > 40


def test_two_runs_of_one_seed_are_the_same_to_the_last_byte():
    first, second = (run("--seed", "11", "--minutes", "2")[1].splitlines()[0] for _ in range(2))
    assert first == second
