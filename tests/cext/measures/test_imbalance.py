"""Imbalances by levels, weighted and by distance: the formula on random books at every step, and the checks of its definition (design, 4.1)."""

import random
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

import numpy as np
import pytest
from cext.measures.imbalance import Imbalances
from cext.measures.survey import Survey, price_at
from cext.streams.book_ticker import BookTicker
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import Desk
from tests.cext.streams.random_book import RandomBook
from tests.reference import book as reference

DEPTHS, BANDS = (1, 5, 10, 20, 50), (10, 50, 100, 200)


def ticker(names):
    return BookTicker(names, imbalances=Imbalances(depths=DEPTHS, bands_bps=BANDS))


def expected(bids, asks, decay=0.5) -> dict:
    bids, asks = reference.side(bids), reference.side(asks)
    return {
        "depths": {n: reference.imbalance_of_levels(bids, asks, n) for n in DEPTHS},
        "weighted": reference.imbalance_weighted(bids, asks, DEPTHS[-1], decay),
        "bands": {bps: reference.imbalance_within(bids, asks, bps) for bps in BANDS},
    }


def flat(values: dict) -> list[float]:
    return [np.nan if value is None else value for value in (*values["depths"].values(), values["weighted"], *values["bands"].values())]


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(3, 80), st.sampled_from([150, 900, 4000]))
def test_every_step_of_a_random_book_is_the_formula(seed, levels, width):
    desk = Desk(ticker, tick=100)
    book = RandomBook(desk, random.Random(seed), levels=levels, width=width)
    for step in range(1, 25):
        book.step(at_s=step * 0.25)
        desk.tick(step * 0.25, step_s=0.25)
        values = desk.streams[0].values()["imbalances"]
        np.testing.assert_allclose(flat(values), flat(expected(book.levels(0), book.levels(1))), rtol=1e-12, atol=1e-15)
        assert all(-1 <= value <= 1 for value in flat(values) if value == value)


def told(bids, asks) -> list[float]:
    """All imbalances of one book, as they are published."""
    desk = Desk(ticker, tick=100)
    desk.synced(bids, asks)
    desk.tick(0.3)
    event = desk.published("book_ticker:venue:BTC-USDT")[-1]
    return [event[name] for name in (*(f"imbalance_{n}" for n in DEPTHS[1:]), "imbalance_weighted", *(f"imbalance_{bps}bps" for bps in BANDS))]


level = st.tuples(st.integers(1, 300), st.integers(1, 10**6))
sides = st.tuples(st.lists(level, min_size=1, max_size=30), st.lists(level, min_size=1, max_size=30))


@settings(max_examples=40)
@given(sides, st.sampled_from([2, 10, 1000]))
def test_swapped_sides_change_the_sign_and_scale_changes_nothing(sides, scale):
    """4.1: odd under side swap, scale-free. The sides are swapped by mirroring every price at the mid."""
    bids, asks = ({100_000 + sign * away: size for away, size in side} for side, sign in zip(sides, (-1, 1), strict=True))
    double_mid = max(bids) + min(asks)

    def rows(side, *, mirrored=False, factor=1):
        return [[f"{double_mid - px if mirrored else px}", f"{size * factor / 1000:.3f}"] for px, size in side.items()]

    values = [np.nan if value is None else value for value in told(rows(bids), rows(asks))]
    swapped = [np.nan if value is None else -value for value in told(rows(asks, mirrored=True), rows(bids, mirrored=True))]
    scaled = [np.nan if value is None else value for value in told(rows(bids, factor=scale), rows(asks, factor=scale))]
    np.testing.assert_allclose(swapped, values, atol=1e-8)
    np.testing.assert_allclose(scaled, values, atol=1e-8)


def test_by_hand():
    """weights e^-0.5(i-1): 1, 0.60653, 0.36788"""
    desk = Desk(ticker, tick=100)
    desk.synced([["100", "3"], ["99.9", "2"], ["98", "10"]], [["100.2", "1"], ["101", "4"]])
    desk.tick(0.3)
    event = desk.published("book_ticker:venue:BTC-USDT")[-1]
    assert (event["imbalance"], event["imbalance_5"], event["imbalance_10"]) == (0.5, 0.5, 0.5)
    bids, asks = 3 + 2 * 0.6065306597 + 10 * 0.3678794412, 1 + 4 * 0.6065306597
    assert event["imbalance_weighted"] == pytest.approx((bids - asks) / (bids + asks), rel=1e-8)
    # the mid is 100.1: within 0.1 % from 99.9999 to 100.2001, within 0.5 % to 99.5995 and 100.6005
    assert event["imbalance_10bps"] == pytest.approx((3 - 1) / 4, rel=1e-8)
    assert event["imbalance_50bps"] == pytest.approx((5 - 1) / 6, rel=1e-8)
    assert event["imbalance_100bps"] == pytest.approx((5 - 5) / 10, abs=1e-9)
    assert event["imbalance_200bps"] == pytest.approx((5 - 5) / 10, abs=1e-9), "98 is further than 2 % from 100.1"


def test_a_level_on_the_edge_is_within_it():
    """The mid is 100: 10 basis points are 0.1 exactly."""
    desk = Desk(ticker, tick=100)
    desk.synced([["99.99", "1"], ["99.90", "5"], ["99.89", "100"]], [["100.01", "1"], ["100.10", "2"], ["100.11", "100"]])
    desk.tick(0.3)
    assert desk.published("book_ticker:venue:BTC-USDT")[-1]["imbalance_10bps"] == pytest.approx((6 - 3) / 9, rel=1e-8)


@given(st.integers(1, 2**62), st.integers(1, 2**61), st.integers(1, 9999))
def test_the_edge_of_a_distance_is_exact(bid, spread, bps):
    mid, share = Fraction(2 * bid + spread, 2), Fraction(bps, 10_000)
    assert price_at(bid, bid + spread, bps, 0) == ceil(mid * (1 - share))
    assert price_at(bid, bid + spread, bps, 1) == min(floor(mid * (1 + share)), 2**63 - 1)


def test_beyond_what_is_known_nothing_is_told():
    """A truncated image: what lies beyond its last level is not empty, it is unknown."""
    desk = Desk(ticker, tick=100)
    levels = 1000
    desk.synced([[f"{1000 - i / 100:.2f}", "1"] for i in range(1, levels + 1)], [[f"{1000 + i / 100:.2f}", "1"] for i in range(1, levels + 1)])
    desk.tick(0.3)
    event = desk.published("book_ticker:venue:BTC-USDT")[-1]
    assert (event["imbalance_10bps"], event["imbalance_50bps"], event["imbalance_100bps"]) == (0, 0, 0)
    assert event["imbalance_200bps"] is None, "the image of 1000 levels ends at 1 %"


def test_a_lost_book_tells_none_of_them():
    desk = Desk(ticker, tick=100)
    desk.synced([["100", "3"]], [["100.2", "1"]])
    desk.tick(0.3)
    desk.published()
    desk.depth(150, 150)  # a gap
    desk.bbo(151, "100", "1", "101", "1")
    desk.tick(0.9)
    event = desk.published("book_ticker:venue:BTC-USDT")[-1]
    assert event["imbalance"] == 0
    assert {value for name, value in event.items() if name.startswith("imbalance_")} == {None}


def test_other_depths_from_now_on():
    desk = Desk(ticker, tick=100)
    desk.synced([["100", "3"], ["99.6", "7"]], [["100.2", "1"]])
    desk.tick(0.3)
    desk.streams[0].configure(imbalance=True, stale_ns=10**9, depths=(2,), decay=0.0, bands_bps=(20, 75))
    desk.tick(0.6)
    event = desk.published("book_ticker:venue:BTC-USDT")[-1]
    assert event["imbalance_2"] == event["imbalance_weighted"] == event["imbalance_75bps"] == pytest.approx(9 / 11, rel=1e-8)
    assert event["imbalance_20bps"] == 0.5 and "imbalance_10" not in event and "imbalance_200bps" not in event


@pytest.mark.parametrize("wrong", [{"depths": ()}, {"depths": (0,)}, {"depths": (500,)}, {"decay": -1.0}, {"bands_bps": range(1, 20)}])
def test_depths_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=r"allowed|outside"):
        Imbalances(**wrong)


def test_distances_that_cannot_be_are_refused():
    survey = Survey()
    for edges in ([0], [10_000], range(1, 200)):
        with pytest.raises(ValueError, match="basis points"):
            survey.ask(edges)


def test_the_larger_queue_outlives_the_smaller_one():
    """4.1, after Gould and Bonart (arXiv 1512.03492): of two Poisson queues, P(up) rises with the imbalance of the best sizes, and is 1/2 at 0."""
    rng = np.random.default_rng(1)
    desk, shares = Desk(ticker, tick=100), {}
    for number, (bid_size, ask_size) in enumerate([(1, 9), (2, 8), (3, 7), (4, 6), (5, 5), (6, 4), (7, 3), (8, 2), (9, 1)], 1):
        desk.bbo(number, "100", f"{bid_size}", "101", f"{ask_size}")
        imbalance = desk.published("book_ticker:venue:BTC-USDT")[-1]["imbalance"]
        sizes = np.tile([bid_size, ask_size], (4_000, 1))
        up = np.full(len(sizes), np.nan)
        while np.isnan(up).any():
            walking = np.flatnonzero(np.isnan(up))
            sizes[walking, rng.integers(0, 2, len(walking))] += np.where(rng.random(len(walking)) < 0.6, -1, 1)  # more go than come
            up[walking] = np.where(sizes[walking, 1] == 0, 1.0, np.where(sizes[walking, 0] == 0, 0.0, np.nan))
        shares[imbalance] = up.mean()
    rising = [shares[imbalance] for imbalance in sorted(shares)]
    assert all(a < b for a, b in pairwise(rising)), shares
    assert shares[0.0] == pytest.approx(0.5, abs=0.03)
