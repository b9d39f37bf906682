"""Liquidity: every figure against NumPy on random books, the checks of its definition (design, 4.10), and walls from their first second to their end."""

import random

import numpy as np
import pytest
from cext.streams.liquidity import Liquidity
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import Desk
from tests.cext.streams.random_book import RandomBook
from tests.reference import liquidity as reference

CHANNEL = "liquidity:venue:BTC-USDT"
BANDS, SIZES = (10, 25, 50, 100, 200), (100, 2_000, 40_000)
EDGES = [*range(1, 51), *range(55, 201, 5)]
CONTRACTS = {
    "base": ({}, lambda px, size: (size, px / 100 * size)),
    "linear": ({"contract": "linear", "contract_value": "0.01"}, lambda px, size: (size * 0.01, px / 100 * size * 0.01)),
    "inverse": ({"contract": "inverse", "contract_value": "100"}, lambda px, size: (size * 100 / (px / 100), size * 100)),
}


def desk_of(contract="base", **wanted) -> Desk:
    return Desk(lambda names: Liquidity(names, **{"sizes": SIZES, **wanted}), px_scale=4, qty_scale=5, tick=100, **CONTRACTS[contract][0])


def sized(book: RandomBook) -> list[list[tuple[int, float]]]:
    return [[(tick, lots / 1000) for tick, lots in book.levels(side)] for side in (0, 1)]


def nan(values) -> list[float]:
    return [np.nan if value is None else value for value in values]


@settings(max_examples=30)
@example(24206383, 3, 100, "inverse")  # three levels that are worth the order to the last dollar
@given(st.integers(0, 2**32), st.integers(3, 120), st.sampled_from([100, 900, 4000]), st.sampled_from(list(CONTRACTS)))
def test_every_step_of_a_random_book_is_the_formula(seed, levels, width, contract):
    desk, worth = desk_of(contract), CONTRACTS[contract][1]
    book = RandomBook(desk, random.Random(seed), levels=levels, width=width)
    stream, event = desk.streams[0], None
    for step in range(1, 20):
        book.step(at_s=step * 0.25)
        desk.tick(step * 0.25, step_s=0.25)
        bids, asks = sized(book)
        best, values = (bids[0][0], asks[0][0]), stream.values()
        mid = sum(best) / 200
        assert values["mid"] == pytest.approx(mid, rel=1e-14)
        for name, side in (("bid", bids), ("ask", asks)):
            np.testing.assert_allclose(nan(values["depth"][name].values()), reference.depth(side, best, BANDS, worth), rtol=1e-12)
        near = [[level for level, kept in zip(side, reference.within([px for px, _ in side], *best, 200), strict=True) if kept] for side in (bids, asks)]
        for name, side in (("sell", near[0]), ("buy", near[1])):
            expected = [reference.slippage(side, mid, size, worth, buy=name == "buy") for size in SIZES]
            np.testing.assert_allclose(nan(values["slippage"][name].values()), nan(expected), rtol=1e-9, atol=1e-9)
        event = [event, *desk.published(CHANNEL)][-1]  # what lies beyond all distances may change without a word
        profiles = [reference.profile(side, best, EDGES, worth) for side in (bids, asks)]
        np.testing.assert_allclose(event["profile"]["bids"], profiles[0], rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(event["profile"]["asks"], profiles[1], rtol=1e-5, atol=1e-9)
    assert event["profile"]["steps_bps"] == [[1, 50], [5, 200]] and event["bands_bps"] == list(BANDS) and event["sizes"] == list(SIZES)
    assert values["shift_bps"] == {"bid": None, "ask": None}, "ten minutes were not seen yet"


def test_depth_slippage_and_profile_by_hand():
    desk = Desk(lambda names: Liquidity(names, sizes=(1_000, 3_000, 10_000)), tick=100)
    desk.synced([["99.9", "10"], ["99.5", "20"], ["98.5", "40"]], [["100.1", "5"], ["100.5", "30"], ["101.9", "100"]])
    desk.tick(0.3)
    event = desk.published(CHANNEL)[-1]
    assert event["mid"] == "100"
    assert event["bid_depth"] == [999, 999, 999 + 1990, 999 + 1990, 999 + 1990 + 3940]  # 10, 25, 50, 100, 200 bps
    assert event["ask_depth"] == [500.5, 500.5, 500.5 + 3015, 500.5 + 3015, pytest.approx(500.5 + 3015 + 10190, rel=1e-5)]
    # 1000 quote coins of asks: 5 at 100.1 (500.5), the other 499.5 at 100.5
    assert event["buy_slippage_bps"][0] == pytest.approx((1000 / (5 + 499.5 / 100.5) / 100 - 1) * 1e4, rel=1e-5)
    assert event["sell_slippage_bps"][0] == pytest.approx((1 - 1000 / (10 + 1 / 99.5) / 100) * 1e4, rel=1e-5)
    assert event["buy_slippage_bps"][2] is not None and event["sell_slippage_bps"][2] is None, "6929 quote coins are all that is bid for"
    assert event["profile"]["bids"][9] == 999 and sum(map(bool, event["profile"]["bids"])) == 3, "at 10, at 50 and at 150 basis points"
    assert event["profile"]["asks"][9] == 500.5 and event["profile"]["bids"][49] == 1990


def test_nothing_is_told_beyond_what_is_known():
    """The image of 1000 levels ends at 1 %."""
    desk = desk_of()
    desk.synced([[f"{1000 - i / 100:.2f}", "1"] for i in range(1, 1001)], [[f"{1000 + i / 100:.2f}", "1"] for i in range(1, 1001)])
    desk.tick(0.3)
    event = desk.published(CHANNEL)[-1]
    assert (event["known_bps_bid"], event["known_bps_ask"]) == (100, 100)
    assert event["bid_depth"][3] is not None and event["bid_depth"][4] is None
    assert event["profile"]["asks"].index(None) == EDGES.index(105) and set(event["profile"]["asks"][EDGES.index(105):]) == {None}


def test_a_lost_book_tells_nothing_and_an_unchanged_one_is_not_said_twice():
    desk = desk_of()
    desk.synced([["99.9", "10"]], [["100.1", "5"]])
    desk.tick(1.0)
    assert len(desk.published(CHANNEL)) == 1
    desk.depth(101, 101, [["99.8", "1"]], at_s=1.1)
    desk.tick(1.6)
    assert len(desk.published(CHANNEL)) == 1
    desk.depth(150, 150, at_s=1.7)  # a gap
    event = desk.published(CHANNEL)[-1]
    assert event["mid"] is event["profile"] is event["known_bps_bid"] is None and set(event["bid_depth"]) == {None} and event["walls"] == []
    desk.tick(3.0)
    assert not desk.published(CHANNEL)


def test_a_rescale_changes_no_figure():
    desk = Desk(lambda names: Liquidity(names, sizes=SIZES), px_scale=2, qty_scale=2, tick=1)
    desk.synced([["99.9", "10"]], [["100.1", "5"]])
    desk.tick(0.3)
    before = desk.published(CHANNEL)[-1]
    desk.depth(101, 101, [["90", "0.00001"]], at_s=0.4)
    desk.tick(0.8)
    after = desk.published(CHANNEL)[-1]
    same = ("mid", "bid_depth", "ask_depth", "buy_slippage_bps", "sell_slippage_bps")
    assert [after[name] for name in same] == [before[name] for name in same]


sides = st.lists(st.tuples(st.integers(1, 150), st.integers(1, 10**5)), min_size=1, max_size=25)


@settings(max_examples=25)
@given(sides, sides, st.sampled_from([10, 1000]))
def test_ten_times_the_sizes_are_ten_times_the_depth_and_the_same_slippage_of_ten_times_the_order(bids, asks, scale):
    """4.10: scale-free."""
    told = []
    for factor in (1, scale):
        desk = Desk(lambda names, factor=factor: Liquidity(names, sizes=[100 * factor, 5_000 * factor]), tick=100)
        rows = ([[f"{10_000 + sign * away}", f"{size * factor / 1000:.3f}"] for away, size in dict(side).items()] for side, sign in ((bids, -1), (asks, 1)))
        desk.synced(*rows)
        desk.tick(0.3)
        told.append(desk.streams[0].values())
    for name in ("bid", "ask"):
        np.testing.assert_allclose(list(told[1]["depth"][name].values()), [scale * value for value in told[0]["depth"][name].values()], rtol=1e-12)
    for name in ("buy", "sell"):
        np.testing.assert_allclose(nan(told[1]["slippage"][name].values()), nan(told[0]["slippage"][name].values()), rtol=1e-9, atol=1e-9)


def test_the_shift_is_the_wasserstein_distance_from_the_baseline():
    """4.8: W1 of the depth's shares against their exponential mean; an hour is a minute here, and told from a sixth of it on."""
    desk = Desk(lambda names: Liquidity(names, shift_baseline_ns=60 * 10**9), tick=100)
    book = RandomBook(desk, random.Random(5), levels=80, width=900)
    rows, worth = [], CONTRACTS["base"][1]
    for step in range(1, 80):
        at_s = step * 0.25
        book.step(at_s)
        desk.tick(at_s, step_s=0.25)
        bids, asks = sized(book)
        now = np.array([reference.profile(side, (bids[0][0], asks[0][0]), EDGES, worth) for side in (bids, asks)])
        shift = desk.streams[0].values()["shift_bps"]
        if at_s - 0.25 < 10:
            assert shift == {"bid": None, "ask": None}
        else:
            usual = reference.exponential_mean(rows, 60)
            assert shift["bid"] == pytest.approx(reference.w1(now[0], usual[0], EDGES), rel=1e-9)
            assert shift["ask"] == pytest.approx(reference.w1(now[1], usual[1], EDGES), rel=1e-9)
        rows.append((at_s, now))
    assert 0 < shift["bid"] < 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"profile": ((1, 50), (5, 203))}, {"profile": ((1, 500),)}, {"profile": ()}, {"sizes": (0,)}, {"bands_bps": range(1, 30)}, {"wall_quantile": 1.0},
        {"wall_neighbours": 99}, {"every_ns": 1}, {"wall_gone_share": 0.0},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=r"allowed|outside"):
        desk_of(**wrong)
