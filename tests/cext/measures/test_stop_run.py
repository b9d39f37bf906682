"""Bursts against a slow model, round prices by hand, and a confidence that behaves like one (design, 4.13)."""

import math

import pytest
from cext.measures.stop_run import bursts, confidence, round_price
from hypothesis import given, settings
from hypothesis import strategies as st

MS = 1_000_000
WINDOW = 200 * MS


def chains(prints, window_ns, least):
    """All bursts of both sides that count, from their definition."""
    told = []
    for side in (1, -1):
        runs: list[list] = []
        for n, (own, at, px, size) in enumerate(prints):
            if own == side:
                if runs and at - runs[-1][-1][1] <= window_ns:
                    runs[-1].append((n, at, px, size))
                else:
                    runs.append([(n, at, px, size)])
        for run in runs:
            times = [at for _, at, *_ in run]
            dense = any(b - a <= window_ns for a, b in zip(times, times[least - 1 :], strict=False))
            against = sum(size for n, (own, at, _, size) in enumerate(prints) if own != side and run[0][0] < n and run_goes_on(run, n, at, window_ns))
            size = sum(size for *_, size in run)
            prices = [px for _, _, px, _ in run]
            if dense and against <= 0.2 * size:
                told.append((side, len(run), times[0], times[-1], prices[0], max(prices) if side > 0 else min(prices), size))
    return sorted(told)


def run_goes_on(run, n, at, window_ns):
    """Whether the burst had begun and was not over when print `n` came."""
    before = [own for own in run if own[0] < n]
    return bool(before) and at - before[-1][1] <= window_ns


@settings(max_examples=500)
@given(
    st.lists(st.tuples(st.sampled_from([1, 1, 1, -1]), st.sampled_from([0, 5, 20, 60, 150, 400]), st.integers(90, 110), st.sampled_from([1.0, 2.0, 8.0])), max_size=60),
    st.integers(3, 7),
)  # fmt: skip
def test_any_tape_has_the_models_bursts(steps, least):
    prints, at = [], 0
    for side, pause_ms, px, size in steps:
        at += pause_ms * MS
        prints.append((side, at, px, size))
    assert sorted(bursts(prints, WINDOW, least)) == chains(prints, WINDOW, least)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from([1, -1]), st.integers(0, 300), st.integers(90, 110), st.sampled_from([1.0, 5.0])), max_size=40))
def test_buying_and_selling_are_told_alike(steps):
    prints, at = [], 0
    for side, pause_ms, px, size in steps:
        at += pause_ms * MS
        prints.append((side, at, px, size))
    mirrored = [(-side, at, 200 - px, size) for side, at, px, size in prints]
    told = sorted(bursts(prints, WINDOW, 5))
    assert (
        sorted((-side, n, since, until, 200 - start, 200 - end, size) for side, n, since, until, start, end, size in bursts(mirrored, WINDOW, 5))
        == told
    )


@pytest.mark.parametrize(
    "start, end, level",
    [
        (85_990_1, 86_001_0, 86_000_0), (86_000_0, 86_001_0, None), (85_990_1, 85_999_9, None), (86_010_0, 85_990_0, 86_000_0),
        (85_500_0, 87_200_0, 87_000_0), (2_899, 2_900, 2_900), (2_901, 2_900, 2_900), (9_990, 10_010, 10_000), (10_100, 9_950, 10_000), (1, 2, 2), (3, 2, 2),
        (209, 211, 210), (99, 101, 100),
    ],
)  # fmt: skip
def test_round_prices(start, end, level):
    assert round_price(start, end) == level


def test_the_scale_of_prices_changes_nothing():
    for start, end in ((859_901, 860_010), (21_011, 20_989), (2_899, 2_901)):
        for more in (10, 1000):
            assert round_price(start * more, end * more) == (round_price(start, end) or 0) * more


HINT = st.one_of(st.just(math.nan), st.floats(-2, 3))


@given(HINT, HINT, HINT, HINT)
def test_a_confidence_is_one_and_never_certain(prints, level, size, interest):
    assert 0.0 <= confidence(prints, level, size, interest) < 1.0


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(0, 3), st.floats(0, 1))
def test_more_of_any_hint_never_makes_it_less(hints, which, more):
    stronger = list(hints)
    stronger[which] = max(hints[which], more)
    assert confidence(*stronger) >= confidence(*hints) - 1e-12


def test_the_documented_figures():
    assert confidence(math.nan, 1.0, math.nan, math.nan) == pytest.approx(0.35)
    assert confidence(1 / 8, 1.0, math.nan, math.nan) == pytest.approx(1 - (1 - 0.3 / 8) * 0.65)
    assert confidence(1.0, 1.0, 1.0, 1.0) == pytest.approx(1 - 0.7 * 0.65 * 0.8 * 0.5)
    assert confidence(1.0, 1.0, 1.0, -0.6) == pytest.approx((1 - 0.7 * 0.65 * 0.8) / 3), "people opened positions: these were no stops"
    assert confidence(0.0, 0.5, 0.0, -0.4) == pytest.approx(0.175)
