"""The figures against computations of another kind: pairs counted by hand, roots of the defining equation, published values, brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p9.evaluation.null import holm, rotation, turned
from p9.evaluation.samples import Episode
from p9.evaluation.score import Z_95, Interval, bootstrap, correlation, hits, paired_ranks, ranks, turnover, wilson


def row(*values: float) -> np.ndarray:
    return np.array([values], float)


@settings(max_examples=50)
@given(st.lists(st.one_of(st.integers(-3, 3), st.just(math.nan)), max_size=12))
def test_a_rank_is_how_many_are_below_and_half_of_those_that_are_equal(values):
    got = ranks(np.array(values, float))
    known = [x for x in values if not math.isnan(x)]
    for x, rank in zip(values, got, strict=True):
        if math.isnan(x):
            assert math.isnan(rank)
        else:
            below, equal = sum(y < x for y in known), sum(y == x for y in known)
            assert rank == pytest.approx((below + equal / 2) / len(known) - 0.5)


def test_without_ties_it_is_spearmans_closed_form():
    rng = np.random.default_rng(3)
    for n in (5, 40, 301):
        x, y = rng.permutation(n), rng.permutation(n)
        a, b = paired_ranks(row(*x), row(*y))
        assert correlation(a, b) == pytest.approx(1 - 6 * sum((int(p) - int(q)) ** 2 for p, q in zip(x, y, strict=True)) / (n * (n * n - 1)))


def test_spearmans_known_value():
    # Wikipedia's worked example: IQ and hours of television, rho = -29/165
    iq, hours = (106, 100, 86, 101, 99, 103, 97, 113, 112, 110), (7, 27, 2, 50, 28, 29, 20, 12, 6, 17)
    assert correlation(*paired_ranks(row(*iq), row(*hours))) == pytest.approx(-29 / 165)


def test_with_ties_it_is_the_correlation_of_mean_ranks():
    x, y = row(0, 0, 0, 1, 1, 2), row(5, 5, 6, 6, 7, 5)
    rank_x, rank_y = [2, 2, 2, 4.5, 4.5, 6], [2, 2, 4.5, 4.5, 6, 2]
    assert correlation(*paired_ranks(x, y)) == pytest.approx(np.corrcoef(rank_x, rank_y)[0, 1])


def test_instruments_are_ranked_each_by_itself_and_what_never_varies_is_left_out():
    strength = np.array([[1, 2, 3, 4], [40, 30, 20, 10], [7, 7, 7, 7]], float)
    returns = np.array([[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]], float)
    assert correlation(*paired_ranks(strength, returns)) == pytest.approx(0.0)
    assert correlation(*paired_ranks(strength[:1], returns[:1])) == pytest.approx(1.0)
    assert correlation(*paired_ranks(strength[2:], returns[2:])) is None


def test_wilsons_interval_is_where_the_share_is_its_normal_error_away():
    for k, n in ((0, 7), (3, 10), (81, 263), (50, 50)):
        interval = wilson(k, n)
        for edge in (interval.low, interval.high):
            assert (k / n - edge) ** 2 == pytest.approx(Z_95**2 * edge * (1 - edge) / n, abs=1e-12)
    # Newcombe (1998), table I: 81 of 263, 0 of 20
    assert (wilson(81, 263).low, wilson(81, 263).high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (wilson(0, 20).low, wilson(0, 20).high) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) is None


@settings(max_examples=40)
@given(st.integers(4, 30), st.integers(1, 3), st.integers(0, 10**6))
def test_every_turn_is_what_turning_by_hand_gives(n, rows, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(rows, n)), rng.normal(size=(rows, n))
    a[rng.random((rows, n)) < 0.2] = np.nan
    b[np.isnan(a)] = np.nan
    got = turned(a, b)
    if not np.isfinite(a).any():
        return
    for shift in range(n):
        left = np.roll(a, shift, axis=1)
        both = np.isfinite(left) & np.isfinite(b)
        if both.sum() < 0.5 * np.isfinite(a).sum() - 1e-9:
            assert math.isnan(got[shift])
        elif math.isfinite(got[shift]):
            expected = (left[both] * b[both]).sum() / math.sqrt((left[both] ** 2).sum() * (b[both] ** 2).sum())
            assert got[shift] == pytest.approx(expected, abs=1e-9)


def test_p_counts_the_turns_that_reach_as_far():
    a, b = row(2, -1, 0, -1), row(2, -1, 0, -1)
    null = rotation(a, b)  # turned by 0, 1, 2, 3 the products come to 6, -2, -2, -2
    assert (null.turns, null.p) == (4, 0.25)
    assert rotation(row(1, -1, 1, -1), row(1, -1, 1, -1)).p == 1.0, "what swings along reaches as far however it is turned"


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_the_bootstrap_holds_the_truth_as_often_as_it_says():
    """Independent pairs and pairs of persistent noise with overlapping returns: 95 % intervals, within what 150 draws can tell (99.9 %: 86 % and more)."""
    for overlap in (1, 8):
        held = 0
        for seed in range(150):
            rng = np.random.default_rng([overlap, seed])
            x, noise = rng.normal(size=600 + overlap), rng.normal(size=600 + overlap)
            x = np.convolve(x, np.ones(overlap), "valid")
            y = np.convolve(noise, np.ones(overlap), "valid")
            interval = bootstrap(*paired_ranks(x[None], y[None]), overlap, rng, draws=500)
            held += interval.holds(0.0)
        assert held / 150 >= 0.86, overlap


def test_an_interval_that_ignores_the_overlap_would_be_too_narrow():
    rng = np.random.default_rng(5)
    x, y = (np.convolve(rng.normal(size=2000), np.ones(40), "valid")[None] for _ in range(2))
    a, b = paired_ranks(x, y)
    blocks, single = bootstrap(a, b, 40, np.random.default_rng(1)), bootstrap(a, b, 1, np.random.default_rng(1))
    assert blocks.high - blocks.low > 1.5 * (single.high - single.low)
    assert bootstrap(a, b, 40, np.random.default_rng(1)) == blocks, "the same seed, the same interval"


def test_hits_by_hand():
    returns = np.array([[1e-4, -1e-4, 0.0, 2e-4, np.nan, -3e-4, 1e-4, 1e-4]])
    begins = [(0, 0, 1), (0, 1, 1), (0, 2, -1), (0, 4, 1), (0, 5, 1), (0, 7, 1)]  # hit, overlaps, unchanged, unknown, miss, hit
    got = hits(begins, returns, 2)
    assert (got.n, got.hits, got.unchanged, got.overlapping) == (3, 2, 1, 1)
    assert got.rate == pytest.approx(2 / 3) and got.interval == wilson(2, 3)
    assert got.chance == pytest.approx(4 / 6), "all three said up, and four of six moves were"
    nothing = hits([], returns, 2)
    assert (nothing.n, nothing.rate, nothing.interval, nothing.chance) == (0, None, None, None)


def test_turnover_by_hand():
    s = 10**9
    told = [Episode("flow", 0, 1, 0.6, 4 * s), Episode("flow", 10 * s, -1, -0.7, 8 * s), Episode("flow", 95 * s, 1, 0.9)]
    got = turnover(told, 100.0, 100 * s)
    assert (got.begins, got.begins_an_hour, got.share_in_force, got.mean_life_s) == (3, 108.0, pytest.approx(0.17), 6.0)
    assert turnover([], 0.0, 0).begins_an_hour is None


def test_an_interval_holds_its_edges():
    assert [Interval(-1.0, 0.0).holds(x) for x in (-1.0, 0.0, 0.01)] == [True, True, False]
