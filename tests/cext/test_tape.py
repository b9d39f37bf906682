"""The tape against a slow model: a set of what was seen."""

import json

import pytest
from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.venues.binance.normalizer import BinanceNormalizer
from hypothesis import given, settings
from hypothesis import strategies as st

S = 1_000_000_000
T0 = 1_786_233_600 * S


class Desk:
    """One instrument whose only story is its trades. `numbered`: as Binance numbers them, else as Bybit names them."""

    def __init__(self, numbered: bool = True):
        clock = Clock(T0)
        self.pipeline = Pipeline(
            market="venue_spot", exchange="venue", normalizer=BinanceNormalizer(), outbox=Outbox(clock, epoch=1), clock=clock, link="next",
            rest_seeded=True, repeats_are_stale=True, trades_numbered=numbered,
        )  # fmt: skip
        self.pipeline.add(venue_symbol=b"BTCUSDT", symbol="BTC-USDT", px_scale=2, qty_scale=3)

    def live(self, number: int, at_s: float = 1.0, recv_s: float | None = None) -> None:
        frame = {"e": "trade", "E": 0, "s": "BTCUSDT", "t": number, "p": "100.5", "q": "1", "T": (T0 + round(at_s * S)) // 1_000_000, "m": False, "M": True}
        recv_ns = T0 + round((at_s if recv_s is None else recv_s) * S)
        assert self.pipeline.feed_bytes(json.dumps({"stream": "btcusdt@trade", "data": frame}).encode(), recv_ns) == "events"

    def fetched(self, *numbers: int, at_s: float = 1.0, price: str = "100.5") -> tuple[int, int]:
        rows = [(str(n), price, "1", "sell", T0 + round(at_s * S), n, n, False, False, False, None) for n in numbers]
        return self.pipeline.backfill(0, rows, T0 + round(at_s * S))

    def news(self) -> list[tuple]:
        return [(row.news, row.first_id, row.last_id) for row in self.pipeline.take_news()]

    @property
    def counters(self) -> dict[str, int]:
        return self.pipeline.instrument_counters(0)


def test_a_hole_is_told_before_the_trade_behind_it_and_filled_by_what_comes_late():
    desk = Desk()
    desk.live(10)
    desk.live(14)
    assert desk.news() == [("hole", 11, 13)] and desk.pipeline.holes(0) == [(1, 11, 13)]
    desk.live(12)
    assert desk.pipeline.holes(0) == [(1, 11, 11), (1, 13, 13)]
    desk.live(12)
    assert desk.counters["repeated_trades"] == 1
    assert desk.fetched(10, 11, 12, 13, 14) == (2, 0)
    assert desk.news() == [("filled", 13, 13)] and desk.pipeline.holes(0) == []
    assert (desk.counters["trades"], desk.counters["backfilled_trades"], desk.counters["trade_gaps"]) == (5, 2, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"id": '"},{"'}, {"id": "a\\n"}, {"id": ""}, {"id": "1" * 41}, {"id": "\u0661"}, {"id": 7}, {"price": "0"}, {"price": "-1"}, {"price": 5}, {"quantity": "0"},
        {"quantity": None}, {"ts": -1}, {"ts": "now"}, {"ts": 2**63}, {"first": 2**63}, {"first": 9, "last": 8}, {"first": "x"}, {"sequence": "x"}, {"sequence": -2}, {"id": "x", "aggregate": True},
    ],
    ids=str,
)  # fmt: skip
def test_a_fetched_trade_that_cannot_be_is_refused_by_itself(change):
    """Its id goes into our JSON as it stands: a quote in it once made the event unreadable; other nonsense ended the back-fill with all its trades."""
    row = {"id": "11", "price": "100.5", "quantity": "1", "side": "buy", "ts": T0, "first": 11, "last": 11, "aggregate": False, "off_book": False, "block": False, "sequence": None}
    desk = Desk()
    good = tuple((row | {"id": "12", "first": 12, "last": 12}).values())
    assert desk.pipeline.backfill(0, [tuple((row | change).values()), good], T0) == (1, 1)


def test_an_interruption_without_a_loss_is_said_to_be_one():
    desk = Desk()
    desk.live(10, 1)
    desk.pipeline.interrupted([0], T0 + 2 * S)
    desk.pipeline.interrupted([0], T0 + 3 * S)
    desk.live(11, 4)
    desk.live(12, 5)
    assert [(row.news, row.since_ns - T0, row.until_ns) for row in desk.pipeline.take_news()] == [
        ("interrupted", S, -1), ("resumed", S, T0 + 4 * S)]  # fmt: skip


def test_named_trades_leave_a_hole_without_numbers_and_repeats_are_known_by_name():
    desk = Desk(numbered=False)
    desk.live(500, 1)
    desk.live(3, 2)
    assert desk.news() == []
    desk.pipeline.interrupted([0], T0 + 2 * S)
    desk.live(77, 9)
    assert desk.news() == [("interrupted", -1, -1), ("hole", -1, -1), ("resumed", -1, -1)]
    assert desk.fetched(500, 3, 8, 9, 77, at_s=8) == (2, 0)
    assert desk.pipeline.close_hole(0, 1, True, T0 + 10 * S) and desk.news() == [("filled", -1, -1)]


def test_a_torn_frame_that_overtook_the_first_trade_is_missed_as_well():
    """It was ignored, as nothing had been seen: the minute that lacked its trades said that it was complete (simulation, seed 623399234)."""
    desk = Desk(numbered=False)
    desk.pipeline.interrupted([0], T0)
    assert desk.pipeline.feed_bytes(b"{", T0) == "malformed" and desk.news() == []
    desk.live(500, 1)
    assert [(row.news, row.since_ns - T0, row.until_ns - T0) for row in desk.pipeline.take_news()] == [("hole", S, 3 * S)]
    desk.live(3, 2)
    assert desk.news() == []


def test_no_socket_that_was_lost_before_the_first_trade_has_cost_any():
    desk = Desk(numbered=False)
    desk.pipeline.interrupted([0], T0)
    desk.live(500, 1)
    assert desk.news() == []


def test_what_was_torn_may_have_come_out_of_its_order():
    """The next trade that could be read was an older one, and only what lay before it was fetched (simulation, seed 623400816)."""
    desk = Desk(numbered=False)
    for number, at_s in ((1, 1), (2, 10)):
        desk.live(number, at_s)
    desk.pipeline.feed_bytes(b"{", T0 + 12 * S)
    desk.live(3, 9)
    assert [(row.news, (row.since_ns - T0) / S, row.until_ns // S - T0 // S) for row in desk.pipeline.take_news() if row.news != "resumed"] == [
        ("interrupted", 8, -T0 // S - 1), ("hole", 8, 12)]  # fmt: skip
    desk.pipeline.feed_bytes(b"{", T0 + 12 * S)
    desk.pipeline.interrupted([0], T0 + 12 * S)
    desk.live(4, 1.5)
    assert [(row.since_ns - T0) / S for row in desk.pipeline.take_news() if row.news == "hole"] == [1.5], "not before the trade that told"


@pytest.mark.parametrize("numbered", [True, False])
def test_one_trade_of_an_absurd_time_does_not_make_all_that_follow_look_old(numbered):
    """No answer of the venue would ever have reached its time, and a numbering that began anew would have gone unnoticed for as long."""
    desk = Desk(numbered)
    desk.live(1, 86_400 * 365, recv_s=1)
    assert desk.pipeline.last_trade(0)[1] == T0 + 61 * S
    desk.live(2, 2)
    desk.live(3, 70)
    assert desk.pipeline.last_trade(0)[1] == T0 + 70 * S


def test_a_row_of_fills_of_which_some_were_seen_is_not_told_and_the_rest_of_it_is_fetched():
    """REST tells single fills, and its answer may end in the midst of what the stream tells as one row: that row came a moment later, and two fills were
    told twice (simulation, seed 1834505484)."""
    desk = Desk()

    def row(first: int, last: int) -> tuple[int, int]:
        return desk.pipeline.backfill(0, [(str(last), "100.5", str(last - first + 1), "sell", T0 + S, first, last, False, False, False, None)], T0 + S)

    desk.live(10)
    assert row(9, 12) == (0, 0) and desk.news() == [("hole", 11, 12)]
    assert row(9, 12) == (0, 0) == row(10, 11) and desk.pipeline.holes(0) == [(1, 11, 12)], "late, and no better for it"
    assert desk.fetched(9, 10, 11, 12) == (2, 0) and desk.news() == [("filled", 12, 12)]
    desk.live(15)
    assert row(13, 14) == (1, 0) and desk.pipeline.holes(0) == [], "one that is missing as a whole is told"
    assert desk.counters["trades"] == 5


def test_numbers_that_begin_anew_are_not_taken_for_repeats_for_ever():
    desk = Desk()
    desk.live(1_000_000, 1)
    desk.live(3, 2)
    assert desk.counters["repeated_trades"] == 1, "a frame that came late"
    desk.live(4, 60)
    desk.live(5, 61)
    assert desk.counters["trades"] == 3 and desk.news() == [("hole", -1, -1)]


def test_a_number_that_does_not_fit_is_refused_and_the_rest_of_the_answer_stands():
    desk = Desk()
    desk.live(10)
    desk.live(13)
    assert desk.fetched(11, price="100.5123") == (0, 1) and desk.fetched(12) == (1, 0)
    assert desk.pipeline.holes(0) == [(1, 11, 11)]


def test_more_holes_than_the_tape_has_room_for_are_told_as_lost():
    desk = Desk()
    for number in range(0, 100, 2):
        desk.live(number)
    news = desk.news()
    assert len([row for row in news if row[0] == "hole"]) == 49
    assert [row for row in news if row[0] == "lost"] == [("lost", 2 * n + 1, 2 * n + 1) for n in range(49 - 32)]
    assert desk.fetched(1) == (0, 0), "given up: a repeat as far as anybody knows"


@settings(max_examples=300)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_numbered_trades_in_any_order_are_told_once_and_what_is_missing_is_known(numbers):
    desk = Desk()
    first, seen = numbers[0], {numbers[0]}
    for number in numbers:
        desk.live(number)
        if number > first:
            seen.add(number)
    assert desk.counters["trades"] == len(seen)
    missing = {n for _, low, high in desk.pipeline.holes(0) for n in range(low, high + 1)}
    assert missing == set(range(first, max(seen) + 1)) - seen


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3000), max_size=400))
def test_names_are_known_for_as_long_as_a_generation(numbers):
    desk = Desk(numbered=False)
    for number in numbers:
        desk.live(number)
    assert desk.counters["trades"] == len(set(numbers))


@pytest.mark.parametrize("n", [2048, 3000])
def test_the_memory_of_names_is_bounded_and_its_last_generation_is_never_forgotten(n):
    desk = Desk(numbered=False)
    for number in range(3 * n):
        desk.live(number)
    for number in range(3 * n - 2048, 3 * n):
        desk.live(number)
    assert desk.counters["repeated_trades"] == 2048
