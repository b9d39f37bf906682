"""Every target for a moment, on the ordinary build. The long form, under the sanitizers, is `make fuzz`."""

from random import Random

import pytest

from tests.fuzz.targets import TARGETS

FRAMES = 2000  # of each target


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found_in_a_moment(name):
    target = TARGETS[name].make(Random(f"{name} 1"))
    n = 0
    while n < FRAMES:
        n += target.check(target.make())
