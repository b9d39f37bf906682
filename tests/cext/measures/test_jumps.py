"""Lee and Mykland's jumps: the published thresholds, the share of false alarms, the power, and the formula at every step."""

import math

import numpy as np
import pytest
from cext.measures.jumps import statistics
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import momentum as reference

MINUTES, SECONDS = 1440, 86_400


def test_analytics_4_9_the_published_thresholds():
    assert -math.log(-math.log(0.99)) == pytest.approx(4.6001, abs=5e-5)
    assert statistics([], interval_s=60)[0] == pytest.approx(5.777, abs=5e-4)
    assert statistics([], interval_s=1)[0] == pytest.approx(6.715, abs=5e-4)
    for n in (MINUTES, SECONDS):
        assert statistics([], interval_s=SECONDS / n)[0] == pytest.approx(reference.limit(n), rel=1e-12)


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0.0, 0.0, 1e-5, -1e-5, 3e-4, -2e-3, 0.05]), min_size=70, max_size=150), st.sampled_from([30, 31, 60]))
def test_analytics_4_9_the_stream_is_the_formula_at_every_step(returns, window):
    _, told = statistics(returns, interval_s=60, window=window)
    np.testing.assert_allclose(told, reference.statistics(np.array(returns), window)[0], rtol=1e-9)


def test_analytics_4_9_on_gaussian_minutes_1_15_percent_of_days_alarm():
    """Nominally 1 %; computed apart: 1.15 % at K = 270."""
    days, warm = 1800, 270
    draw = np.random.default_rng(11)
    limit, told = statistics(draw.normal(0, 1e-3, warm + days * MINUTES).tolist(), interval_s=60)
    alarms = (np.abs(np.array(told[warm:]).reshape(days, MINUTES)) > limit).any(axis=1)
    assert alarms.mean() == pytest.approx(0.0115, abs=3 * math.sqrt(0.0115 * 0.9885 / days))


@pytest.mark.parametrize("sigmas, power", [(6, 0.91), (8, 0.997)])
def test_analytics_4_9_jumps_of_six_and_eight_sigma_are_found(sigmas, power):
    runs, apart = 1000, 600
    draw = np.random.default_rng(sigmas)
    returns = draw.normal(0, 1e-3, (runs, apart))
    returns[:, -1] += sigmas * 1e-3 * draw.choice([-1, 1], runs)
    limit, told = statistics(returns.ravel().tolist(), interval_s=60)
    found = np.abs(np.array(told).reshape(runs, apart)[:, -1]) > limit
    assert found.mean() == pytest.approx(power, abs=3.5 * math.sqrt(power * (1 - power) / runs))


def test_a_jump_does_not_hide_itself_nor_the_next_one():
    draw = np.random.default_rng(5)
    returns = draw.normal(0, 1e-3, 400)
    returns[[300, 305]] = 0.02, -0.02
    limit, told = statistics(returns.tolist(), interval_s=60)
    assert told[300] > limit and told[305] < -limit
    plain = np.std(returns[30:299])
    assert 0.02 / plain > 15, "by a plain deviation the second one would be seen in the shadow of the first"


def test_where_nothing_moves_nothing_is_told():
    assert all(math.isnan(value) for value in statistics([0.0] * 400 + [0.1], interval_s=1)[1])
