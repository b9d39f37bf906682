"""Every target for a moment, on the ordinary build. The long form, under the sanitizers, is `make fuzz`."""

import time
from random import Random

import pytest

from tests.fuzz.run import CHECKS_A_LOOK, MOST_FINDINGS, run
from tests.fuzz.targets import TARGETS

FRAMES = 2000  # of each target, or what can be done in …
MOST_S = 0.5


@pytest.mark.parametrize("name", TARGETS)
def test_pain_10_nothing_is_found_in_a_moment(name):
    target = TARGETS[name].make(Random(f"{name} 1"))
    n, until_s = 0, time.process_time() + MOST_S
    while n < FRAMES and time.process_time() < until_s:
        n += target.check(target.make())


@pytest.mark.parametrize("name, kind", [("finding", "as expected"), ("raising", "KeyError in doomed.py"), ("dying", "the process ended with -11")])
def test_what_must_be_found_is_found_and_kept_small(tmp_path, name, kind):
    done, found = run(name, "1", 64, 60.0, tmp_path, table="tests.fuzz.doomed", say=lambda *args, **more: None)
    assert found and len(found) <= MOST_FINDINGS and done <= 64 + CHECKS_A_LOOK
    for row in found:
        assert row["kind"].startswith(kind)
        given = (tmp_path / row["input"]).read_bytes()
        assert given == b"boom" if name != "dying" else b"boom" in given
