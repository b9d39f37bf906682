"""The fitted micro-price against NumPy on random quotes, and the checks of its definition (design, 4.3; Stoikov 2018)."""

import random
from itertools import pairwise

import numpy as np
import pytest
from cext.measures.micro_price import MicroPrice, fit_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import micro_price as reference

BUCKETS, SPREADS, TICK = 10, 4, 100


def queues(rng: random.Random, n: int, *, spreads=(1,)):
    """Two queues of orders that come and go by chance: the one that empties first moves the price by a tick (Poisson arrivals of size one)."""
    bid, bid_size, ask_size, spread = 10_000, 10, 10, 1
    for _ in range(n):
        step = rng.choice((-1, 1))
        if rng.random() < 0.5:
            bid_size += step
        else:
            ask_size += step
        if bid_size == 0 or ask_size == 0:
            bid += -1 if bid_size == 0 else 1
            spread = rng.choice(spreads)
            bid_size, ask_size = rng.randint(1, 20), rng.randint(1, 20)
        yield bid, bid_size, bid + spread, ask_size


def learnt(quotes, **settings) -> MicroPrice:
    micro = MicroPrice(**{"buckets": BUCKETS, "spreads": SPREADS, **settings})
    for bid, bid_size, ask, ask_size in quotes:
        micro.hear_quote(bid * TICK, bid_size, ask * TICK, ask_size, TICK)
    return micro


def fitted(micro: MicroPrice, buckets=BUCKETS, spreads=SPREADS):
    return fit_of(micro.learnt(), buckets, spreads)


quote = st.tuples(st.integers(100, 106), st.integers(1, 12), st.integers(1, 6), st.integers(1, 12)).map(lambda q: (q[0], q[1], q[0] + q[2], q[3]))


@settings(max_examples=150)
@given(st.lists(quote, min_size=2, max_size=120), st.sampled_from([(2, 1), (4, 2), (10, 4)]), st.integers(1, 6))
def test_the_fit_is_the_formula(quotes, states, max_move):
    buckets, spreads = states
    fit = fitted(learnt(quotes, buckets=buckets, spreads=spreads, max_move=max_move), buckets, spreads)
    expected = reference.fit(quotes, buckets=buckets, spreads=spreads, max_move=max_move)
    if fit.refused:
        # a chain of quotes that mixes slowly, or in which nothing moved: no figure is better than a wrong one
        assert not expected["left"].any() or fit.residual > 1e-9
        return
    g = np.array([np.nan if value is None else value for value in fit.g_star])
    np.testing.assert_array_equal(np.isnan(g), ~expected["left"])
    np.testing.assert_allclose(g, expected["g_star"], atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose([value or 0.0 for value in fit.first], np.nan_to_num(expected["first"]), atol=1e-9)
    np.testing.assert_allclose([value or 0.0 for value in fit.b_sums], np.where(expected["left"], expected["b"].sum(axis=1), 0.0), atol=1e-9)
    assert fit.samples == sum(
        abs(b[0] + b[2] - a[0] - a[2]) <= 2 * max_move for kept in [[q for q in quotes if q[2] - q[0] <= spreads]] for a, b in pairwise(kept)
    )


def test_two_poisson_queues_have_the_micro_price_of_their_definition():
    """4.3: G*(I) = -G*(1-I), monotone in I, the rows of B sum to one, B^i G1 comes to nothing."""
    fit = fitted(learnt(queues(random.Random(7), 60_000, spreads=(1, 2))))
    assert not fit.refused and fit.residual < 1e-9 and fit.samples == 59_999
    for spread in (0, 1):
        g = fit.g_star[spread::SPREADS]
        assert all(a == pytest.approx(-b, abs=1e-12) for a, b in zip(g, reversed(g), strict=True))
        assert all(a < b for a, b in pairwise(g)), g
        assert fit.b_sums[spread::SPREADS] == pytest.approx([1.0] * BUCKETS, abs=1e-9)
    assert set(fit.g_star[2::SPREADS]) == {None}, "spreads that never came"


def test_equal_sizes_stand_in_the_middle_and_mirrored_sizes_mirror():
    """In the paper's own repository a bucket's edge once had no mirror, and a balanced book a drift."""
    micro = learnt(queues(random.Random(3), 20_000))
    micro.adopt(fitted(micro))
    assert micro.ticks_of(100 * TICK, 7, 101 * TICK, 7, TICK) == pytest.approx(0.0, abs=1e-12)
    for small, large in ((1, 9), (2, 8), (3, 7), (4, 6), (1, 1000), (10**17, 9 * 10**17)):
        up = micro.ticks_of(100 * TICK, large, 101 * TICK, small, TICK)
        assert up == pytest.approx(-micro.ticks_of(100 * TICK, small, 101 * TICK, large, TICK), abs=1e-12)
        assert up > 0


def test_of_a_wide_spread_or_before_a_fit_nothing_is_told():
    micro = learnt(queues(random.Random(3), 5_000))
    assert micro.ticks_of(100 * TICK, 7, 101 * TICK, 3, TICK) is None
    micro.adopt(fitted(micro))
    assert micro.ticks_of(100 * TICK, 7, 101 * TICK, 3, TICK) is not None
    assert micro.ticks_of(100 * TICK, 7, 103 * TICK, 3, TICK) is None, "a spread that was never seen"
    assert micro.ticks_of(100 * TICK, 7, 105 * TICK, 3, TICK) is None, "a spread that is none of the states"


def test_what_was_learnt_goes_on_in_another_run():
    quotes = list(queues(random.Random(5), 4_000, spreads=(1, 2)))
    whole = learnt(quotes)
    first, second = learnt(quotes[:1_000]), MicroPrice()
    second.learn(first.learnt())
    for bid, bid_size, ask, ask_size in quotes[999:]:  # the quote at the seam is where the second run begins
        second.hear_quote(bid * TICK, bid_size, ask * TICK, ask_size, TICK)
    assert second.learnt() == whole.learnt() and second.samples == whole.samples
    with pytest.raises(ValueError, match="other states"):
        MicroPrice(buckets=4).learn(first.learnt())
    second.forget_half()
    assert second.samples == whole.samples // 2


def test_a_quote_after_a_pause_follows_none():
    """Across a lost book the mid's move is not one move."""
    micro = MicroPrice(max_move=2)
    for bid in (100, 101, 140, 141):
        micro.hear_quote(bid * TICK, 5, (bid + 1) * TICK, 5, TICK)
    assert micro.samples == 2


@pytest.mark.parametrize("wrong", [{"buckets": 3}, {"buckets": 0}, {"buckets": 40}, {"spreads": 0}, {"spreads": 99}, {"max_move": 0}])
def test_states_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="allowed"):
        MicroPrice(**wrong)
