"""Across expiries: what the design's table says, and what holds of variance in general (design, 4.11)."""

import math

import pytest

from p9.analysis.options.smile import Figures
from p9.analysis.options.surface import at_maturity, constant_maturity, forward_vol

DAY = 1 / 365


def test_the_design_s_vector():
    assert constant_maturity([20 * DAY, 50 * DAY], [0.55, 0.65], 30 * DAY) == pytest.approx(0.60759, abs=5e-6)


def test_an_expiry_itself_and_what_lies_outside():
    years, vols = [10 * DAY, 20 * DAY, 40 * DAY], [0.5, 0.6, 0.55]
    assert constant_maturity(years, vols, 20 * DAY) == pytest.approx(0.6, abs=1e-12)
    assert constant_maturity(years, vols, 9 * DAY) is None and constant_maturity(years, vols, 41 * DAY) is None and constant_maturity([], [], DAY) is None


def test_an_expiry_without_a_figure_is_passed_over():
    variance = (0.5**2 * 10 + 0.55**2 * 40) / 2  # 25 days lie half way from 10 to 40
    assert constant_maturity([10 * DAY, 20 * DAY, 40 * DAY], [0.5, None, 0.55], 25 * DAY) == pytest.approx(math.sqrt(variance / 25), abs=1e-12)


def test_a_maturity_s_wings_come_from_interpolated_wings():
    near, far = Figures(0.5, 0.52, 0.56, -0.04, 0.04), Figures(0.6, 0.63, 0.65, -0.02, 0.04)
    found = at_maturity([20 * DAY, 40 * DAY], [near, far], 30 * DAY)
    call, put, atm = (math.sqrt((a * a * 20 + b * b * 40) / 2 / 30) for a, b in ((0.52, 0.63), (0.56, 0.65), (0.5, 0.6)))
    assert (found.call_25, found.put_25, found.atm) == pytest.approx((call, put, atm), abs=1e-12)
    assert (found.risk_reversal, found.butterfly) == pytest.approx((call - put, (call + put) / 2 - atm), abs=1e-12)
    assert at_maturity([20 * DAY, 40 * DAY], [Figures(0.5), Figures(0.6)], 30 * DAY) == Figures(atm=pytest.approx(atm))


def test_forward_volatility_is_what_two_variances_leave():
    assert forward_vol(0.1, 0.5, 0.3, 0.6) == pytest.approx(math.sqrt((0.36 * 0.3 - 0.25 * 0.1) / 0.2), abs=1e-12)
    assert forward_vol(0.1, 0.9, 0.2, 0.5) is None and forward_vol(0.1, None, 0.2, 0.5) is None
