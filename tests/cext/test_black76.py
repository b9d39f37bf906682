"""Black's formula against sixty digits, against tables of the literature, and against itself where the mathematics says what must hold (design, 4.11)."""

import math
from statistics import NormalDist

import pytest
from cext.black76 import delta, gamma, implied_vol, price, theta, vega
from hypothesis import given, settings
from hypothesis import strategies as st

MONTH = 30 / 365
EPS = 2.3e-16

# forward, strike, volatility, years, call, premium: computed with mpmath 1.4 at sixty digits from the textbook's formula
EXACT = [
    (100000, 100000, 0.6, 0.0821917808219178, True, 6853.9407182535468),
    (100000, 250000, 0.6, 0.0821917808219178, True, 0.00023888383937810089),
    (100000, 20000, 0.7, 0.0821917808219178, False, 5.7283986037079218e-13),
    (86000, 86100, 0.45, 0.00000317, True, 2.259898185850415),  # a hundred seconds
    (86000, 86000, 0.45, 0.0000000317, False, 2.7488475950768457),  # one second
    (86000, 90000, 0.35, 0.00137, True, 0.064220787604051356),
    (2900, 12000, 0.9, 0.25, True, 0.56580275909079942),
    (2900, 2900, 0.01, 0.0001, True, 0.11569326126820996),
    (0.2, 5, 1.5, 0.5, True, 0.00031716093784811054),
    (100000, 1000, 2.5, 0.1, False, 3.4093348442737931e-6),
    (1, 1, 5, 2, True, 0.99959304798255504),
    (50, 49.999, 3, 0.00002, False, 0.26711423148097874),
]


@pytest.mark.parametrize("forward, strike, vol, years, call, premium", EXACT)
def test_premiums_to_eleven_digits_and_the_way_back(forward, strike, vol, years, call, premium):
    assert price(forward, strike, vol, years, call) == pytest.approx(premium, rel=1e-11)
    if vol < 5:  # at 700 % of total volatility the premium is its bound to all digits but four
        assert implied_vol(premium, forward, strike, years, call) == pytest.approx(vol, rel=1e-11)


@pytest.mark.parametrize(
    "strike, vol, call, premium, hedge", [(100_000, 0.6, True, 6853.941, 0.53427), (110_000, 0.6, True, 3270.261, 0.31987), (90_000, 0.65, False, 3146.017, -0.25509)]
)
def test_the_design_s_table(strike, vol, call, premium, hedge):
    assert price(100_000, strike, vol, MONTH, call) == pytest.approx(premium, abs=5e-4)
    assert delta(100_000, strike, vol, MONTH, call) == pytest.approx(hedge, abs=5e-6)
    assert implied_vol(premium, 100_000, strike, MONTH, call) == pytest.approx(vol, abs=1e-7)


def test_the_strikes_of_25_delta():
    assert delta(100_000, 113_975.88, 0.6, MONTH, True) == pytest.approx(0.25, abs=1e-7)
    assert delta(100_000, 89_733.36, 0.65, MONTH, False) == pytest.approx(-0.25, abs=1e-7)


def test_hull_s_example_with_a_rate():
    forward, discount = 42 * math.exp(0.05), math.exp(-0.05)
    assert price(forward, 40, 0.2, 0.5, True, discount) == pytest.approx(4.7594, abs=5e-5)
    assert price(forward, 40, 0.2, 0.5, False, discount) == pytest.approx(0.8086, abs=5e-5)
    assert implied_vol(4.759422392871535, forward, 40, 0.5, True, discount) == pytest.approx(0.2, abs=1e-12)


forwards = st.floats(1e-3, 1e6)
moneyness = st.floats(-1.5, 1.5)
vols = st.floats(0.02, 4.0)
times = st.floats(1e-5, 3.0)


@given(forwards, moneyness, vols, times, st.booleans())
@settings(max_examples=300)
def test_every_premium_implies_its_volatility_as_well_as_its_digits_allow(forward, k, vol, years, call):
    strike = forward * math.exp(k)
    premium = price(forward, strike, vol, years, call)
    intrinsic = max(0.0, forward - strike if call else strike - forward)
    if premium - intrinsic < 1e-12 * forward or (forward if call else strike) - premium < 1e-9 * forward:
        return  # a premium that its digits do not hold apart from a bound
    found = implied_vol(premium, forward, strike, years, call)
    lost = 40 * EPS * (premium + forward) / (100 * vega(forward, strike, vol, years))  # what the last digits of premium and forward do to it
    assert abs(found - vol) <= max(1e-10 * vol, lost)
    assert price(forward, strike, found, years, call) == pytest.approx(premium, rel=1e-9, abs=1e-12 * forward)


@given(forwards, moneyness, vols, times)
@settings(max_examples=200)
def test_parity_scale_and_the_textbook_s_own_words(forward, k, vol, years):
    strike, s = forward * math.exp(k), vol * math.sqrt(years)
    call, put = price(forward, strike, vol, years, True), price(forward, strike, vol, years, False)
    assert call - put == pytest.approx(forward - strike, abs=1e-12 * (forward + strike))
    assert price(7 * forward, 7 * strike, vol, years, True) == pytest.approx(7 * call, rel=1e-9, abs=1e-14 * forward)
    d1 = -k / s + s / 2
    phi = NormalDist().cdf
    assert call == pytest.approx(forward * phi(d1) - strike * phi(d1 - s), abs=1e-11 * (forward + strike))
    assert delta(forward, strike, vol, years, True) == pytest.approx(phi(d1), abs=1e-12 + 4 * EPS / s)  # the last digit of the strike
    assert delta(forward, strike, vol, years, True) - delta(forward, strike, vol, years, False) == pytest.approx(1.0, abs=1e-12)


@given(st.floats(0.5, 2.0), st.floats(0.2, 1.5), st.floats(0.02, 2.0), st.booleans(), st.floats(-0.1, 0.2))
@settings(max_examples=200)
def test_greeks_are_the_slopes_of_the_premium(strike, vol, years, call, rate):
    def worth(forward=1.0, vol=vol, years=years):
        return price(forward, strike, vol, years, call, math.exp(-rate * years))

    h, undiscounted = 1e-4, math.exp(rate * years)
    assert delta(1.0, strike, vol, years, call) == pytest.approx(undiscounted * (worth(1 + h) - worth(1 - h)) / (2 * h), abs=1e-5)
    assert gamma(1.0, strike, vol, years) == pytest.approx(undiscounted * (worth(1 + h) - 2 * worth() + worth(1 - h)) / h**2, rel=1e-3, abs=1e-3)
    assert vega(1.0, strike, vol, years, 1 / undiscounted) == pytest.approx(0.01 * (worth(vol=vol + h) - worth(vol=vol - h)) / (2 * h), abs=1e-6)
    assert theta(1.0, strike, vol, years, call, rate) == pytest.approx(-(worth(years=years + h) - worth(years=years - h)) / (2 * h) / 365, rel=2e-2, abs=1e-5)


@pytest.mark.parametrize(
    "premium, strike, years, call",
    [
        (0, 100, 1, True), (-1, 100, 1, True), (100, 100, 1, True), (101, 50, 1, True),  # nothing, and a call that costs the forward
        (50, 50, 1, True), (49.999, 50, 1, True), (20, 120, 1, False), (120, 120, 1, False),  # the intrinsic value, and a put that costs its strike
        (5, 100, 0, True), (5, 100, -1, True), (5, 0, 1, True), (5, -3, 1, True), (math.nan, 100, 1, True), (math.inf, 100, 1, True), (5, math.nan, 1, True),
        (5, math.inf, 1, True), (5, 100, math.inf, True),
    ],
)  # fmt: skip
def test_what_has_no_volatility_says_so(premium, strike, years, call):
    assert math.isnan(implied_vol(premium, 100, strike, years, call))


def test_what_has_no_price_says_so_and_the_end_of_an_option_is_its_intrinsic_value():
    assert math.isnan(price(-1, 100, 0.5, 1, True)) and math.isnan(price(100, 100, math.nan, 1, True)) and math.isnan(price(100, 100, -0.1, 1, True))
    assert (price(110, 100, 0.5, 0, True), price(110, 100, 0.5, 0, False), price(100, 110, 0, 1, False)) == (10, 0, 10)
    assert (delta(110, 100, 0.5, 0, True), delta(110, 100, 0.5, 0, False), delta(90, 100, 0.5, 0, False)) == (1, 0, -1)
    assert all(math.isnan(greek(100, 100, 0.5, 0)) for greek in (gamma, vega))


def test_a_sixpence_above_the_bound_is_found_and_one_below_is_not():
    """The step from intrinsic value to a wing worth one part in ten billion: the volatility is small, and exists."""
    found = implied_vol(20 + 1e-8, 120, 100, 0.1, True)
    assert 0 < found < 0.2 and price(120, 100, found, 0.1, True) == pytest.approx(20 + 1e-8, abs=1e-12)
    assert math.isnan(implied_vol(20 - 1e-8, 120, 100, 0.1, True))
