"""kill -9 in the midst of writing, again and again: every second that was on disk is shown exactly, whatever was torn. The long form is `make soak`'s."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from p9.client.film import SnapshotDamaged, SnapshotMissing
from p9.snapshots import library
from p9.snapshots.folder import files_of
from tests.snapshots.books import S, same
from tests.snapshots.killed import book_of

KILLS = int(os.environ.get("KILLS", "4"))


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX's")
def test_every_second_that_was_written_survives_a_kill(tmp_path):
    rng, turn, stored, unsure = random.Random(5), 1_700_000_000, [], []
    for epoch in range(1, KILLS + 1):
        command = [sys.executable, "-m", "tests.snapshots.killed", str(tmp_path), str(epoch), str(turn)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as child:
            last = int(child.stdout.readline())
            time.sleep(rng.uniform(0.0, 0.1))
            child.kill()
            last = int(([last, *child.stdout.read().split()])[-1])
        stored += [(second, epoch) for second in range(turn, last + 1)]
        unsure += [(second, epoch) for second in range(last + 1, last + 4)]
        turn = last + 100
    files = files_of(tmp_path / "venue" / "BTC-USDT")
    assert len(files) >= KILLS and len(stored) >= 3 * KILLS
    for second, epoch in [*rng.sample(stored, min(60, len(stored))), *stored[-3:], *stored[:3]]:
        assert same(library.find(tmp_path, "venue", "BTC-USDT", second * S), book_of(second, epoch))
    for second, epoch in unsure:
        try:
            shown = library.find(tmp_path, "venue", "BTC-USDT", second * S)
        except (SnapshotMissing, SnapshotDamaged):
            continue
        assert same(shown, book_of(second, epoch)) or same(shown, book_of(second - 1, epoch))
