"""The smile of one expiry: its figures, its interpolations, the arbitrages that it would allow (design, 4.11)."""

import math

import pytest
from cext.black76 import delta, price
from hypothesis import given, settings
from hypothesis import strategies as st

from p9.analysis.options.smile import Smile, between, calendars, malz, monotone, read

MONTH = 30 / 365

# scipy 1.17's PchipInterpolator through these points
XS, YS = [0.05, 0.15, 0.27, 0.5, 0.58, 0.9], [0.81, 0.62, 0.55, 0.5, 0.53, 0.53]
SCIPY = [
    (0.05, 0.81), (0.1, 0.6951088525812068), (0.2, 0.582276958187054), (0.25, 0.5572856142412439), (0.4, 0.5119611916325538), (0.52, 0.5046875),
    (0.57, 0.5287109375000001), (0.6, 0.53), (0.75, 0.53), (0.9, 0.53),
]  # fmt: skip
SCIPY_THREE = [(0.25, 0.58544921875), (0.5, 0.5), (0.7, 0.51875)]


def test_monotone_interpolation_is_that_of_fritsch_and_carlson():
    assert [monotone(XS, YS, x) for x, _ in SCIPY] == pytest.approx([y for _, y in SCIPY], abs=1e-15)
    assert [monotone([0.1, 0.5, 0.9], [0.7, 0.5, 0.6], x) for x, _ in SCIPY_THREE] == pytest.approx([y for _, y in SCIPY_THREE], abs=1e-15)
    assert monotone([0.2, 0.8], [0.5, 0.6], 0.5) == pytest.approx(0.55, abs=1e-15)
    assert [monotone(XS, YS, x) for x in (0.0499, 0.9001)] == [None, None] and monotone([0.5], [0.5], 0.5) is None


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 3)), min_size=2, max_size=9, unique_by=lambda point: round(point[0], 3)), st.floats(0, 1))
def test_the_curve_never_leaves_the_box_of_its_two_points(points, x):
    points.sort()
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    y = monotone(xs, ys, x)
    if not xs[0] <= x <= xs[-1]:
        assert y is None
        return
    right = next(i for i in range(1, len(xs)) if x <= xs[i])
    low, high = sorted(ys[right - 1 : right + 1])
    assert low - 1e-9 <= y <= high + 1e-9


def drawn(vol_of, *, forward=100_000.0, years=MONTH, n=41, reach=0.45):
    """A smile whose volatility at log-moneyness k is vol_of(k)."""
    strikes = [forward * math.exp(reach * (2 * i / (n - 1) - 1)) for i in range(n)]
    return Smile(forward, years, strikes, [vol_of(math.log(strike / forward)) for strike in strikes])


def test_at_the_money_is_linear_in_total_variance_at_the_forward():
    smile = Smile(100.0, 0.25, [90.0, 120.0], [0.5, 0.7])
    share = (0 - math.log(0.9)) / (math.log(1.2) - math.log(0.9))
    assert smile.vol(0.0) == pytest.approx(math.sqrt(0.25 + share * (0.49 - 0.25)), abs=1e-12)
    assert smile.vol(math.log(1.21)) is None and Smile(100.0, 0.25, [101.0, 120.0], [0.5, 0.7]).vol(0.0) is None
    assert Smile(100.0, 0.25, [90.0, 100.0, 120.0], [0.5, 0.61, 0.7]).vol(0.0) == pytest.approx(0.61, abs=1e-12)


def test_wings_at_the_design_s_strikes():
    """60 % at the 25-delta call's strike, 65 % at the put's: what stands there is read there."""
    smile = Smile(100_000.0, MONTH, [80_000.0, 89_733.36, 100_000.0, 113_975.88, 130_000.0], [0.7, 0.65, 0.61, 0.6, 0.62])
    figures = read(smile)
    assert (figures.call_25, figures.put_25, figures.atm) == pytest.approx((0.6, 0.65, 0.61), abs=1e-7)
    assert figures.risk_reversal == pytest.approx(-0.05, abs=1e-7)
    assert figures.butterfly == pytest.approx(0.015, abs=1e-7)


@given(st.floats(0.2, 1.2), st.floats(-0.2, 0.2), st.floats(0.0, 0.4), st.floats(0.02, 1.0))
@settings(max_examples=60)
def test_wings_of_a_known_curve_where_the_curve_itself_has_25_delta(level, skew, bow, years):
    """The independent answer: bisect the strike whose own volatility gives a delta of 0.25."""

    def vol_of(k):
        return level * (1 + skew * math.tanh(k / math.sqrt(years)) + bow * math.tanh(k / math.sqrt(years)) ** 2)

    smile = drawn(vol_of, years=years, n=161, reach=4 * level * math.sqrt(years))
    for call_delta, read_there in ((0.25, read(smile).call_25), (0.75, read(smile).put_25)):
        low, high = -4 * level * math.sqrt(years), 4 * level * math.sqrt(years)
        for _ in range(80):
            middle = (low + high) / 2
            strike = 100_000 * math.exp(middle)
            low, high = (middle, high) if delta(100_000, strike, vol_of(middle), years, True) > call_delta else (low, middle)
        if abs(low) < 3.9 * level * math.sqrt(years):
            assert read_there == pytest.approx(vol_of(low), abs=2e-4 * level)


def test_figures_do_not_change_with_the_unit_of_money():
    figures = read(drawn(lambda k: 0.6 - 0.1 * k + 0.4 * k * k))
    scaled = read(drawn(lambda k: 0.6 - 0.1 * k + 0.4 * k * k, forward=0.031))
    assert scaled == pytest.approx(figures, abs=1e-9)


def test_a_wing_that_folds_over_is_not_read():
    """So steep that a farther call has the greater delta: what lies before it is read all the same."""
    smile = Smile(100.0, 0.02, [90.0, 100.0, 110.0, 120.0], [0.5, 0.5, 0.5, 3.0])
    assert smile.deltas[3] > smile.deltas[2] < 0.25 and smile.vol_at_delta(0.25) == pytest.approx(0.5)
    folded = Smile(100.0, 0.02, [90.0, 100.0, 103.0, 120.0], [0.5, 0.5, 0.5, 3.0])
    assert folded.deltas[3] > folded.deltas[2] > 0.25 and folded.vol_at_delta(0.25) is None
    assert read(folded).risk_reversal is None and read(folded).atm == pytest.approx(0.5)


def test_deltas_that_are_one_or_zero_to_the_last_digit_cost_no_figure():
    """A day to go, and strikes at half and at twice the forward: several deltas are exactly 1, several exactly 0."""
    strikes = [50.0, 60.0, 70.0, 96.0, 98.0, 100.0, 102.0, 104.0, 150.0, 170.0, 200.0]
    smile = Smile(100.0, 1 / 365, strikes, [0.8, 0.75, 0.7, 0.52, 0.51, 0.5, 0.495, 0.5, 0.6, 0.7, 0.8])
    assert smile.deltas[0] == smile.deltas[1] == 1.0
    figures = read(smile)
    assert 0.495 <= figures.call_25 < 0.5 < figures.put_25 <= 0.51 and figures.malz is not None
    sparse = Smile(100.0, 1 / 365, [50.0, 60.0, 100.0, 170.0, 200.0], [0.8, 0.75, 0.5, 0.7, 0.8])
    assert sparse.deltas[0] == sparse.deltas[1] == 1.0 and 0.5 < sparse.vol_at_delta(0.75) < 0.75, "the curve's slope at 60 does not ask for what lies beyond"


def test_malz_passes_through_its_three_quotes():
    assert malz(0.6, -0.04, 0.01, 0.25) == pytest.approx(0.6 - 0.02 + 0.01, abs=1e-15)
    assert malz(0.6, -0.04, 0.01, 0.75) == pytest.approx(0.6 + 0.02 + 0.01, abs=1e-15)
    assert malz(0.6, -0.04, 0.01, 0.5) == 0.6


def test_malz_s_distance_is_that_of_a_curve_that_is_not_his():
    """Points on his parabola are at no distance but that of the at-the-money point, which is not at a delta of one half; a dent is seen."""
    strikes = [100.0 * math.exp(0.02 * i) for i in range(-12, 13)]
    vols = [0.5] * len(strikes)
    for _ in range(60):
        vols = [malz(0.5, -0.03, 0.01, delta(100.0, strike, vol, 0.1, True)) for strike, vol in zip(strikes, vols, strict=True)]
    clean = read(Smile(100.0, 0.1, strikes, vols)).malz
    assert clean < 0.004
    dented = [vol + 0.02 * (i == 9) for i, vol in enumerate(vols)]
    assert read(Smile(100.0, 0.1, strikes, dented)).malz == pytest.approx(0.02, abs=0.004)


def test_a_butterfly_is_where_the_density_would_be_negative():
    flat = drawn(lambda k: 0.6)
    assert flat.butterflies(0.0) == []
    strikes, vols = [90.0, 100.0, 110.0], [0.6, 0.63, 0.6]
    smile = Smile(100.0, MONTH, strikes, vols)
    calls = [price(100.0, strike, vol, MONTH, True) for strike, vol in zip(strikes, vols, strict=True)]
    bow = calls[1] - (calls[0] + calls[2]) / 2
    assert bow < 0 and smile.butterflies(0.0) == []  # a bump of three points is none yet
    vols[1] = 1.2
    calls[1] = price(100.0, 100.0, 1.2, MONTH, True)
    (found,) = Smile(100.0, MONTH, strikes, vols).butterflies(0.0005)
    assert found.strike == 100.0 and found.excess == pytest.approx(calls[1] - (calls[0] + calls[2]) / 2, abs=1e-9)


def test_a_call_that_costs_more_than_the_one_below_it_is_flagged_at_the_end_of_the_line_too():
    smile = Smile(100.0, MONTH, [90.0, 100.0, 110.0], [0.6, 0.6, 1.5])
    assert price(100.0, 110.0, 1.5, MONTH, True) > price(100.0, 100.0, 0.6, MONTH, True)
    assert [found.strike for found in smile.butterflies(0.0005)] == [110.0]


def test_what_the_rounding_of_volatilities_explains_is_no_arbitrage():
    """Marks to three decimals, strikes close together: violations of the rounded curve, none that an error of half a thousandth does not explain."""
    smile = drawn(lambda k: round(0.6 - 0.1 * k + 0.3 * k * k, 3), n=401, years=1.0)
    assert smile.butterflies(0.0) and smile.butterflies(0.0005) == []


def test_total_variance_must_not_fall_with_time():
    near, far = drawn(lambda k: 0.6, years=0.1), drawn(lambda k: 0.5, years=0.2, n=21)
    assert calendars(near, far, 0.0005) == []
    inverted = drawn(lambda k: 0.4, years=0.2, n=21, reach=0.2)
    found = calendars(near, inverted, 0.0005)
    assert len(found) == sum(abs(k) <= 0.2 for k in near.log_moneyness)  # where both can be read
    assert found[0].excess == pytest.approx(0.6**2 * 0.1 - 0.4**2 * 0.2, abs=1e-12)
    equal = drawn(lambda k: 0.6 * math.sqrt(0.5) - 0.0004, years=0.2)
    assert calendars(near, equal, 0.0) and calendars(near, equal, 0.0005) == []


def test_between_is_a_line_and_ends_where_its_points_end():
    assert [between([1, 2, 4], [10, 20, 0], x) for x in (1, 1.5, 2, 3, 4)] == [10, 15, 20, 10, 0]
    assert [between([1, 2, 4], [10, 20, 0], x) for x in (0.99, 4.01)] == [None, None] and between([], [], 1) is None
