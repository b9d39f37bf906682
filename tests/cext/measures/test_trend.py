"""z-scores of momentum: standard normal where returns have no direction, and the formula at every step."""

import math

import numpy as np
import pytest
from cext.measures.trend import scores
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import momentum as reference


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(90, 180), st.sampled_from([2.0, 60.0]))
def test_analytics_4_9_z_is_the_formula_at_every_step(seed, n, memory):
    draw = np.random.default_rng(seed)
    prices = np.cumsum(draw.standard_t(3, n) * 1e-4 * (draw.random(n) < 0.7))
    told = scores(prices.tolist(), memory=memory)
    for i in range(95, n + 1):
        assert told[i - 1] == pytest.approx(reference.trend(prices[:i], memory)[1], rel=1e-8, nan_ok=True)


@pytest.mark.parametrize("kind", ["gaussian", "heavy tails"])
def test_analytics_4_9_of_returns_without_a_direction_z_is_standard_normal(kind):
    """So the default threshold of 3 is passed by chance 0.27 % of the time."""
    draw = np.random.default_rng(2)
    returns = draw.normal(0, 1, 400_000) if kind == "gaussian" else draw.standard_t(5, 400_000)
    z = np.array(scores(np.cumsum(returns * 1e-4).tolist()))[1000:]
    effective = len(z) / 20  # neighbours share nearly all of their returns
    assert z.mean() == pytest.approx(0, abs=4 / math.sqrt(effective))
    assert z.std() == pytest.approx(1, abs=4 / math.sqrt(2 * effective))
    assert (np.abs(z) > 3).mean() == pytest.approx(0.0027, abs=0.0013 if kind == "gaussian" else 0.003)


def test_a_steady_drift_is_found_and_its_sign_is_that_of_the_price():
    draw = np.random.default_rng(4)
    returns = draw.normal(0, 1e-4, 1000)
    returns[-30:] += 2e-4
    assert scores(np.cumsum(returns).tolist())[-1] > 3 and scores((-np.cumsum(returns)).tolist())[-1] < -3


def test_nothing_is_told_before_a_hundred_returns_nor_of_a_price_that_never_moved():
    told = scores(np.arange(102) * 1e-5)
    assert [math.isnan(z) for z in told[99:]] == [True, False, False]
    assert math.isnan(scores([1.0] * 300)[-1])
