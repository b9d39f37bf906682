"""VPIN against its formula: its limits, the values that a fair coin must give, and a reference without buckets."""

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from cext.measures.vpin import estimates
from cext.streams.flow import Flow
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import START, Desk, S
from tests.reference import vpin as reference


def desk_of(**settings) -> Desk:
    return Desk(lambda names: Flow(names, **settings))


def value(desk: Desk, at_s: float) -> dict:
    return desk.streams[0].values(START + round(at_s * S))


def test_analytics_4_5_one_sided_is_1_and_perfectly_balanced_is_0():
    assert estimates([(7, True, 100.0)] * 400, daily=1000)[-1] == 1
    assert estimates([(7, False, 100.0)] * 400, daily=1000)[-1] == 1
    assert estimates([(10, True, 100.0), (10, False, 100.0)] * 200, daily=1000)[-1] == 0


@pytest.mark.parametrize("trades, expected, runs", [(10, 0.2461, 400), (100, 0.0796, 60), (1000, 0.0252, 12)])
def test_analytics_4_5_a_fair_coin_gives_the_expected_value(trades, expected, runs):
    """E|2k - m| / m of m fair coins: sqrt(2 / (pi m)) nearly."""
    exact = sum(math.comb(trades, k) * Fraction(abs(2 * k - trades)) for k in range(trades + 1)) / (Fraction(2) ** trades * trades)
    assert float(exact) == pytest.approx(expected, abs=5e-5)
    draw = random.Random(1)
    got = [estimates([(3, draw.random() < 0.5, 100.0) for _ in range(50 * trades)], daily=50 * 3 * trades)[-1] for _ in range(runs)]
    assert np.mean(got) == pytest.approx(expected, abs=4 * np.std(got) / math.sqrt(runs))
    assert np.std(got) / math.sqrt(runs) < 0.03 * expected, "else it shows nothing"


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(1, 400), st.booleans(), st.integers(90, 110)), min_size=1, max_size=60), st.integers(1, 90), st.sampled_from([3, 50]),
    st.booleans(),
)  # fmt: skip
def test_analytics_4_5_the_stream_is_the_formula_at_every_step_however_trades_lie_across_buckets(trades, volume, n, bulk):
    quantity, bought, price = (np.array(column) for column in zip(*trades, strict=True))
    for i, got in enumerate(estimates([(q, b, float(p)) for q, b, p in trades], daily=50 * volume, n=n, bulk=bulk), 1):
        expected = reference.bulk(quantity[:i], price[:i].astype(float), volume, n) if bulk else reference.vpin(quantity[:i], bought[:i], volume, n)
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def test_a_trade_is_split_where_a_bucket_is_full():
    """Buckets of 20: +15 +5 | -20 | -5 +15 | 5 is left over."""
    assert estimates([(15, True, 1.0), (30, False, 1.0), (20, True, 1.0)], daily=1000)[-1] == pytest.approx((10 + 20 + 10) / 60)


def test_one_trade_of_a_thousand_buckets_costs_no_thousand_steps_and_counts_as_what_it_is():
    got = estimates([(10, True, 1.0), (10**12, False, 1.0), (13, True, 1.0)], daily=1000, n=50)
    assert got[1] == 1 and got[2] == pytest.approx(49 / 50), "the newest is half bought"


def test_nothing_is_told_before_an_hour_of_trading_was_seen():
    """The stated warm-up: the day's volume is then what was seen, as a day's; a fiftieth of it is a bucket."""
    desk = desk_of()
    for minute in range(61):
        desk.trade(minute * 60, "100", "1")
        desk.trade(minute * 60 + 1, "100", "1", buyer_is_maker=True)
        if minute == 59:
            early = value(desk, minute * 60 + 2)
    assert (early["vpin"], early["vpin_buckets"], early["vpin_bucket_volume"]) == (None, 0, None)
    desk.tick(3602, from_s=3601.9)
    row = value(desk, 3602)
    assert row["vpin"] is None and row["vpin_bucket_volume"] == pytest.approx(122 / 3602 * 86_400 / 50, rel=1e-6)
    for second in range(120):
        desk.trade(3605 + second, "100", "1")
    desk.tick(3730, step_s=1, from_s=3725)
    row = value(desk, 3730)
    assert (row["vpin"], row["vpin_buckets"]) == (pytest.approx(1, abs=0.05), 2)


def test_what_history_knows_of_a_days_volume_ends_the_warm_up():
    desk = desk_of(vpin_buckets_n=10)
    desk.streams[0].tell_daily_volume(500.0)
    for i in range(12):
        desk.trade(i, "100", "5", buyer_is_maker=i % 2 == 0)
    desk.tick(13)
    row = value(desk, 13)
    assert (row["vpin"], row["vpin_buckets"], row["vpin_bucket_volume"]) == (0, 6, 10)
    with pytest.raises(ValueError, match="volume"):
        desk.streams[0].tell_daily_volume(math.nan)


def test_buckets_follow_the_volume_of_the_last_day():
    """A busy first day, then a quiet one: a bucket is a fiftieth of the last 24 hours."""
    desk = desk_of()
    for hour in range(24):
        desk.trade(hour * 3600, "100", "100")
    for hour in range(24, 60):
        desk.trade(hour * 3600, "100", "10")
    desk.tick(60 * 3600, step_s=3600, from_s=59 * 3600)
    assert value(desk, 60 * 3600)["vpin_bucket_volume"] == pytest.approx(240 / 24 * 24 / 50, rel=0.05)


def test_a_rescale_changes_no_estimate():
    desk = Desk(lambda names: Flow(names), px_scale=2, qty_scale=1, tick=1)
    desk.streams[0].tell_daily_volume(500.0)
    for i in range(5):
        desk.trade(i, "100", "7", buyer_is_maker=i % 2 == 0)
    desk.tick(6)
    before = value(desk, 6)
    desk.trade(6, "100", "0.0005")
    desk.tick(7)
    after = value(desk, 7)
    assert desk.pipeline.instrument_counters(desk.ix)["rescales"] == 1
    assert (after["vpin"], after["vpin_buckets"], after["vpin_bucket_volume"]) == (before["vpin"], before["vpin_buckets"], before["vpin_bucket_volume"])
