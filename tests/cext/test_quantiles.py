"""Quantiles of a window against sorted lists (design, 4.7)."""

import math
import random

import pytest
from cext.quantiles import Sketch
from hypothesis import given, settings
from hypothesis import strategies as st

ERROR = 1 / 64
S = 1_000_000_000
WINDOW_NS = 86_400 * S
START = 1_786_233_600 * S
SHARES = (0.01, 0.25, 0.5, 0.9, 0.99, 0.999)


def expected(sizes: list[float], share: float) -> float | None:
    """The size at rank ceil(share * n), as the contract has it."""
    rank = math.ceil(share * len(sizes))
    return sorted(sizes)[rank - 1] if 1 <= rank < len(sizes) else None


@settings(max_examples=200)
@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=300), st.sampled_from([1e-9, 1.0, 1e9]), st.floats(0.001, 0.999))
def test_a_quantile_is_within_a_sixtyfourth_of_the_size_at_its_rank(sizes, unit, share):
    sizes = [size * unit for size in sizes]  # at most 20 octaves apart
    sketch = Sketch(WINDOW_NS)
    for size in sizes:
        sketch.add(size, START)
    true, told = expected(sizes, share), sketch.at(share)
    assert (told is None) == (true is None)
    assert true is None or abs(told - true) <= ERROR * true


@pytest.mark.parametrize(
    "draw",
    [lambda r: r.paretovariate(1.2), lambda r: r.lognormvariate(6, 2.5), lambda r: r.expovariate(1)],
    ids=["pareto", "lognormal", "exponential"],
)
def test_large_samples_of_heavy_tails(draw):
    chance = random.Random(7)
    sizes = [draw(chance) for _ in range(50_000)]
    sketch = Sketch(WINDOW_NS)
    for size in sizes:
        sketch.add(size, START)
    for share in SHARES:
        true = expected(sizes, share)
        assert abs(sketch.at(share) - true) <= ERROR * true


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(1, 1e6), st.integers(0, 4 * 3600)), min_size=1, max_size=200), st.integers(0, 30 * 3600))
def test_the_window_slides_by_an_eighth_of_its_length(steps, quiet_s):
    """Never less than seven eighths of it, never more than all of it."""
    sketch, now_s, kept = Sketch(WINDOW_NS), 1_786_233_600, []
    for size, pause_s in steps:
        now_s += pause_s
        kept.append((now_s, size))
        sketch.add(size, now_s * S)
    now_s += quiet_s
    slice_s = 86_400 // 8
    still = [size for at_s, size in kept if now_s // slice_s - at_s // slice_s < 8]
    told = sketch.at(0.5, now_s * S)
    assert sketch.n == len(still)
    true = expected(still, 0.5)
    assert (told is None) == (true is None)
    assert true is None or abs(told - true) <= ERROR * true


def test_what_is_far_below_the_largest_is_counted_though_not_told_apart():
    sketch = Sketch(WINDOW_NS)
    for size in [1e-6] * 50 + [2e-6] * 40 + [1e9] * 10:  # the last are 50 octaves above
        sketch.add(size, START)
    assert sketch.n == 100
    assert abs(sketch.at(0.95) - 1e9) <= ERROR * 1e9
    assert sketch.at(0.5) <= 1e9 / 2**22, "sunk, and still far below"


def test_an_outlier_that_left_the_window_leaves_room_below_again():
    sketch = Sketch(WINDOW_NS)
    sketch.add(1e12, START)
    for _ in range(99):
        sketch.add(1.0, START)
    later = START + WINDOW_NS + WINDOW_NS // 8
    for size in range(1, 101):
        sketch.add(float(size), later)
    assert abs(sketch.at(0.5) - 50) <= ERROR * 50


@pytest.mark.parametrize("size", [0.0, -1.0, math.inf, -math.inf, math.nan])
def test_what_is_no_size_is_left_out(size):
    sketch = Sketch(WINDOW_NS)
    sketch.add(size, START)
    assert sketch.n == 0 and sketch.at(0.5) is None


def test_the_order_of_the_sizes_changes_nothing():
    sizes = [random.Random(3).paretovariate(0.8) for _ in range(3000)]
    told = []
    for turn in range(3):
        sketch = Sketch(WINDOW_NS)
        for size in random.Random(turn).sample(sizes, len(sizes)):
            sketch.add(size, START)
        told.append([sketch.at(share) for share in (0.5, 0.99, 0.999)])
    assert told[0] == told[1] == told[2]


def test_a_clock_that_steps_back_counts_in_the_current_slice():
    sketch = Sketch(WINDOW_NS)
    sketch.add(1.0, START)
    sketch.add(3.0, START - WINDOW_NS)
    sketch.add(2.0, START + S)
    assert sketch.n == 3


def test_a_rare_quantile_waits_until_one_size_is_expected_above_it():
    sketch = Sketch(WINDOW_NS)
    for n in range(1, 1001):
        sketch.add(float(n), START)
        assert (sketch.at(0.999) is None) == (n < 1000)
