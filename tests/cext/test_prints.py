"""Fills merged into prints, against tables written by hand and a slow model (design, 4.7)."""

from itertools import pairwise

import pytest
from cext.prints import merge
from hypothesis import given, settings
from hypothesis import strategies as st

MS = 1_000_000
T0 = 1_786_233_600_000 * MS
BACKFILL, RESTING_ELSEWHERE, BLOCK = 4, 16, 48
HOLD = 20 * MS
BUY, SELL = 1, -1
CLOCK = T0 + 3_600_000 * MS  # a tick so late that whatever is open is finished


def fill(first, *, last=None, side=BUY, at_ms=0, recv_ms=5, cross=-1, px=100, qty=1, flags=0):
    return (side, T0 + at_ms * MS, T0 + recv_ms * MS, first, first if last is None else last, cross, px, qty, flags)


def prints(*trades, **more):
    told, lost = merge([*trades, CLOCK], **more)
    assert lost == 0
    return told


def test_one_takers_sweep_is_one_print():
    (one,) = prints(fill(10, px=100, qty=3), fill(11, last=14, px=101, qty=5), fill(15, px=103, qty=2, recv_ms=7))
    assert one == {
        "side": BUY, "flags": 0, "n_rows": 3, "ts_event": T0, "ts_recv": T0 + 5 * MS, "ts_last": T0 + 7 * MS, "first_id": 10, "last_id": 15,
        "first_px": 100, "last_px": 103, "low_px": 100, "high_px": 103, "size": 3 * 100 + 5 * 101 + 2 * 103, "native": 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    "second",
    [fill(11, side=SELL), fill(11, at_ms=1), fill(12), fill(10), fill(11, flags=BLOCK)],
    ids=["the other side", "a millisecond later", "a fill of somebody else's between", "ids that do not go on", "a negotiated trade"],
)
def test_what_ends_a_print(second):
    told = prints(fill(10), second)
    assert [row["n_rows"] for row in told] == ([1] if second[-1] == BLOCK else [1, 1])


def test_names_that_are_no_numbers_belong_together_by_the_venues_count():
    unnumbered = {"last": -1}
    told = prints(
        fill(-1, cross=7, **unnumbered),
        fill(-1, cross=7, **unnumbered),
        fill(-1, cross=8, **unnumbered),
        fill(-1, **unnumbered),
        fill(-1, **unnumbered),
    )
    assert [row["n_rows"] for row in told] == [2, 1, 1, 1]


def test_a_negotiated_trade_is_no_print_and_finishes_what_was_open():
    told, _ = merge([fill(10), fill(11, flags=BLOCK)])
    assert [row["last_id"] for row in told] == [10]


def test_fetched_fills_make_prints_that_say_so():
    told = prints(fill(10), fill(3, at_ms=-9, flags=BACKFILL), fill(4, at_ms=-9, flags=BACKFILL | RESTING_ELSEWHERE))
    assert [(row["n_rows"], row["flags"]) for row in told] == [(1, 0), (2, BACKFILL | RESTING_ELSEWHERE)]


def test_the_clock_finishes_a_print_that_nothing_follows():
    told, _ = merge([fill(10, recv_ms=5), T0 + 5 * MS + HOLD - 1])
    assert told == []
    told, _ = merge([fill(10, recv_ms=5), T0 + 5 * MS + HOLD])
    assert len(told) == 1
    told, _ = merge([fill(10, recv_ms=5), T0 + 5 * MS + HOLD, fill(11, recv_ms=26), T0 + 4 * MS])
    assert [row["first_id"] for row in told] == [10, 11], "a clock that steps back holds nothing up"


def test_an_order_whose_last_row_the_venue_folds_for_a_tenth_of_a_second_is_one_print():
    # it was told in two pieces: the last price's row comes when its time is over, and the print had been closed after 20 ms
    order = [fill(10, recv_ms=5), T0 + 30 * MS, fill(11, last=12, recv_ms=105)]
    assert [row["n_rows"] for row in merge([*order, CLOCK])[0]] == [1, 1]
    assert [row["n_rows"] for row in merge([*order, CLOCK], hold_ns=HOLD + 100 * MS)[0]] == [2]
    assert merge([*order, T0 + 105 * MS + 119 * MS], hold_ns=HOLD + 100 * MS)[0] == []


@pytest.mark.parametrize(
    "contract, value, size",
    [("base", 1, 60837.63 * 2.5), ("linear", 1, 60837.63 * 2.5 * 0.01), ("inverse", 10_000, 2.5 * 100)],
)
def test_the_size_is_in_quote_coins(contract, value, size):
    (one,) = prints(
        fill(1, px=6083763, qty=25),
        px_scale=2,
        qty_scale=1,
        contract=contract,
        contract_value=value,
        contract_value_scale=2 if contract != "base" else 0,
    )
    assert one["size"] == pytest.approx(size, rel=1e-12)


def test_a_sum_beyond_128_bits_is_no_print():
    huge = [fill(n, px=2**62, qty=2**62) for n in range(1, 20)]
    told, lost = merge([*huge, fill(30), CLOCK])
    assert lost == 1 and [row["first_id"] for row in told] == [30]


def model(trades):
    """Runs of neighbours that belong together."""
    runs = []
    for trade in trades:
        side, at, _, first, _, cross, *_ = trade
        if (
            runs
            and (before := runs[-1][-1])[0] == side
            and before[1] // MS == at // MS
            and (first == before[4] + 1 or (cross == before[5] and cross != -1))
        ):
            runs[-1].append(trade)
        else:
            runs.append([trade])
    return runs


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([BUY, SELL]),
            st.integers(0, 1),
            st.integers(1, 2),
            st.integers(1, 3),
            st.sampled_from([-1, 5, 6]),
            st.integers(1, 50),
            st.integers(1, 9),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_any_tape_is_cut_where_the_model_cuts_it_and_loses_nothing(rows):
    trades, number, at = [], 100, 0
    for side, pause_ms, step, n_fills, cross, px, qty in rows:
        number += step
        at += pause_ms
        trades.append(fill(number, last=number + n_fills - 1, side=side, at_ms=at, cross=cross, px=px, qty=qty))
        number += n_fills - 1
    told = prints(*trades)
    runs = model(trades)
    assert [(row["n_rows"], row["first_id"], row["last_id"]) for row in told] == [(len(run), run[0][3], run[-1][4]) for run in runs]
    for row, run in zip(told, runs, strict=True):
        assert row["size"] == sum(trade[6] * trade[7] for trade in run) and row["native"] == sum(trade[7] for trade in run)
        assert (row["low_px"], row["high_px"]) == (min(trade[6] for trade in run), max(trade[6] for trade in run))
    assert all(before["last_id"] < after["first_id"] for before, after in pairwise(told))
