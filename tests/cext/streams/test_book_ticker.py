"""Best bid and ask: whose word counts, and the numbers that follow from them."""

from decimal import Decimal
from fractions import Fraction

import pytest
from cext.streams.book_ticker import BookTicker
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cext.streams.desk import Desk

CHANNEL = "book_ticker:venue:BTC-USDT"


def last(desk):
    events = desk.published(CHANNEL)
    return events[-1] if events else None


def best(event):
    return event["bid_price"], event["bid_quantity"], event["ask_price"], event["ask_quantity"]


def test_word_by_word():
    """4.3: the weighted mid of 100 x 30 / 101 x 10 is 100.75."""
    desk = Desk(BookTicker, px_scale=4)
    desk.synced([["100", "3"], ["99", "1"], ["98", "1"], ["97", "1"], ["96", "1"], ["95", "50"]],
                [["101", "2"], ["102", "1"], ["103", "1"], ["104", "1"], ["105", "1"], ["106", "50"]])  # fmt: skip
    desk.published()
    desk.bbo(105, "100", "30", "101", "10")
    event = last(desk)
    assert best(event) == ("100", "30", "101", "10")
    assert (event["spread"], event["mid"], event["micro_price"]) == ("1", "100.5", "100.75")  # the weighted mid of the literature's vector
    assert event["spread_bps"] == pytest.approx(1 / 100.5 * 1e4, rel=1e-8)
    assert event["imbalance"] == 0.5
    assert event["imbalance_5"] == pytest.approx((7 - 6) / (7 + 6), rel=1e-8), "of five levels, without the sixth"
    assert event["update_id"] == 105
    assert "bid_contracts" not in event


def test_the_book_stands_in_until_the_venues_own_word_comes():
    desk = Desk(BookTicker)
    desk.synced([["100", "1"]], [["101", "2"]])
    assert best(last(desk)) == ("100", "1", "101", "2")
    desk.depth(101, 101, [["100.5", "3"]])
    assert best(last(desk)) == ("100.5", "3", "101", "2")
    desk.bbo(102, "100.6", "4", "101", "2")
    assert best(last(desk)) == ("100.6", "4", "101", "2")


def test_a_crossed_word_of_the_venue_is_not_passed_on():
    """One spoiled digit once gave a negative spread to every consumer."""
    desk = Desk(BookTicker)
    desk.synced([["100", "1"]], [["101", "2"]])
    desk.published()
    desk.bbo(101, "102", "3", "101", "2")
    assert last(desk) is None
    desk.bbo(102, "100.5", "3", "101", "2")
    assert best(last(desk)) == ("100.5", "3", "101", "2")
    desk.pipeline.set_auction(desk.ix, True)
    desk.bbo(103, "102", "3", "101", "2")
    assert best(last(desk)) == ("102", "3", "101", "2"), "in an auction it may be so"


def test_an_older_book_never_overwrites_the_best_and_a_newer_one_does():
    desk = Desk(BookTicker)
    desk.synced([["100", "1"]], [["101", "2"]])
    desk.bbo(110, "100.5", "5", "101", "1")
    assert best(last(desk)) == ("100.5", "5", "101", "1")
    desk.depth(101, 105, [["100.2", "9"]])
    event = last(desk)
    assert best(event) == ("100.5", "5", "101", "1") and event["update_id"] == 110, "only imbalance_5 is new"
    desk.depth(106, 110, [["100.5", "5"], ["100.2", "0"]], [["101", "1"]])
    assert best(last(desk)) == ("100.5", "5", "101", "1")
    desk.depth(111, 115, [["100.5", "4"]])
    event = last(desk)
    assert best(event) == ("100.5", "4", "101", "1") and event["update_id"] == 115
    desk.bbo(113, "100.5", "4.5", "101", "1")
    assert last(desk) is None, "older than the book by now"
    desk.bbo(116, "100.5", "6", "101", "1")
    assert best(last(desk)) == ("100.5", "6", "101", "1")


def test_ids_that_begin_anew_are_believed_after_a_while():
    desk = Desk(BookTicker)
    desk.bbo(9_000_000, "100", "1", "101", "1", at_s=1)
    last(desk)
    desk.bbo(5, "100", "2", "101", "1", at_s=2)
    assert last(desk) is None
    desk.bbo(6, "100", "3", "101", "1", at_s=6.1)
    assert best(last(desk)) == ("100", "3", "101", "1")


def test_only_changes_are_published():
    desk = Desk(BookTicker)
    desk.bbo(1, "100", "1", "101", "1")
    desk.bbo(2, "100", "1", "101", "1")
    assert last(desk)["conflated"] == 1
    desk.bbo(3, "100", "1", "101", "1")
    assert last(desk) is None
    desk.bbo(4, "100", "2", "101", "1")
    desk.bbo(5, "100", "3", "101", "1")
    event = last(desk)
    assert event["conflated"] == 2 and event["bid_quantity"] == "3" and event["update_id"] == 5


def test_an_empty_side_is_not_an_unknown_one():
    desk = Desk(BookTicker)
    desk.bbo(1, "0", "0", "101", "2")
    event = last(desk)
    assert best(event) == (None, "0", "101", "2")
    assert [event[name] for name in ("spread", "spread_bps", "mid", "micro_price")] == [None] * 4
    assert event["imbalance"] == -1 and event["imbalance_5"] is None


def test_a_lost_book_takes_its_numbers_along():
    desk = Desk(BookTicker)
    desk.synced([["100", "1"]], [["101", "2"]])
    last(desk)
    desk.depth(150, 150)  # a gap
    event = last(desk)
    assert best(event) == (None, None, None, None)
    assert event["imbalance"] is None and event["imbalance_5"] is None and event["update_id"] is None
    desk.bbo(160, "100", "1", "101", "2")
    event = last(desk)
    assert best(event) == ("100", "1", "101", "2") and event["imbalance_5"] is None, "the venue's word needs no book"


def test_a_lost_book_leaves_the_venues_own_word():
    desk = Desk(BookTicker)
    desk.synced([["100", "1"]], [["101", "2"]])
    desk.bbo(101, "100", "5", "101", "2")
    last(desk)
    desk.depth(150, 150)
    event = last(desk)
    assert best(event) == ("100", "5", "101", "2") and event["imbalance_5"] is None


def test_inverse_contracts_by_hand():
    desk = Desk(BookTicker, px_scale=3, qty_scale=2, contract="inverse", contract_value="100")
    desk.bbo(1, "61837.6", "1", "61837.7", "5000")
    event = last(desk)
    assert (event["bid_contracts"], event["ask_contracts"]) == ("1", "5000")
    assert (event["bid_quantity"], event["ask_quantity"]) == ("0.00161714", "8.08568236")  # 500000 / 61837.7 = 8.085682358...
    assert event["flags"] == ["rounded"]


def test_linear_contracts_by_hand():
    desk = Desk(BookTicker, px_scale=4, qty_scale=4, contract="linear", contract_value="0.01")
    desk.bbo(1, "61837.6", "12.5", "61837.7", "3")
    event = last(desk)
    assert best(event) == ("61837.6", "0.125", "61837.7", "0.03") and event["bid_contracts"] == "12.5"


def test_a_rescale_changes_no_number():
    desk = Desk(BookTicker, px_scale=2, qty_scale=2)
    desk.synced([["100.25", "1.5"]], [["101", "0.5"]])
    desk.bbo(101, "100.25", "1.5", "101", "0.5")
    before = last(desk)
    desk.depth(101, 102, [["90", "0.00001"]])
    desk.bbo(103, "100.25", "1.50001", "101", "0.5")
    event = last(desk)
    assert best(event) == ("100.25", "1.50001", "101", "0.5")
    assert (event["mid"], event["spread"]) == (before["mid"], before["spread"]) == ("100.625", "0.75")


def test_without_the_imbalance_of_five_nothing_deep_is_published():
    desk = Desk(lambda called: BookTicker(called, imbalance=False))
    desk.synced([["100", "1"], ["99", "1"]], [["101", "2"]])
    assert last(desk)["imbalance_5"] is None
    desk.depth(101, 101, [["99", "7"]])
    assert last(desk) is None


@settings(max_examples=200)
@given(st.integers(1, 10**9), st.integers(1, 10**6), st.integers(1, 10**12), st.integers(1, 10**12))
def test_numbers_against_fractions(bid, spread, bid_qty, ask_qty):
    desk = Desk(BookTicker, px_scale=4, qty_scale=8, tick=100)
    ask = bid + spread
    text = [f"{Decimal(px).scaleb(-2):f}" for px in (bid, ask)]
    sizes = [f"{Decimal(qty).scaleb(-8):f}" for qty in (bid_qty, ask_qty)]
    desk.bbo(1, text[0], sizes[0], text[1], sizes[1])
    event = last(desk)
    b, a, qb, qa = Fraction(bid, 100), Fraction(ask, 100), Fraction(bid_qty, 10**8), Fraction(ask_qty, 10**8)
    assert Fraction(event["mid"]) == (a + b) / 2
    assert Fraction(event["spread"]) == a - b
    weighted = (qb * a + qa * b) / (qb + qa)
    assert Fraction(event["micro_price"]) == Fraction(round(weighted * 10**6), 10**6)
    assert b <= Fraction(event["micro_price"]) <= a
    assert event["imbalance"] == pytest.approx(float((qb - qa) / (qb + qa)), rel=1e-8, abs=1e-9)
    assert event["spread_bps"] == pytest.approx(float((a - b) / ((a + b) / 2) * 10_000), rel=1e-8, abs=1e-9)
