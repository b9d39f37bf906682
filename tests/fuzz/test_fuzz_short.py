"""The fuzzer itself, for a moment, on the ordinary build: `make fuzz` is the long form, under the sanitizers."""

import json
from random import Random

import pytest

from tests.fuzz.run import MOST_FINDINGS, run
from tests.fuzz.target import Finding, Target
from tests.fuzz.targets import TARGETS, Row


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_found_in_a_moment(name):
    target = TARGETS[name].make(Random(f"{name} 1"))
    n = 0
    while n < 1500:
        n += target.check(target.make())
