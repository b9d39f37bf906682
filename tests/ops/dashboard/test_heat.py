"""The heat map's columns: hand-computed rows, and what holds for any book."""

import base64
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.ops.dashboard.heat import OCTAVE, ROWS, ZERO, Heat, nice, shade


def book(bids, asks, state="synced"):
    return {"state": state, "bids": bids, "asks": asks}


def rows_of(column):
    lowest, step, code, _, _ = column
    return {round(lowest + n * step, 9): byte for n, byte in enumerate(base64.b64decode(code)) if byte}


def test_what_rests_is_in_the_row_of_its_price():
    heat = Heat()
    heat.step = 1.0
    column = heat.column(book([("100.5", "2"), ("100.1", "1"), ("98", "4"), ("52.5", "1")], [("101", "1"), ("103.9", "8"), ("148.4", "1")]))
    assert column[1] == 1.0 and column[3:] == [100.5, 101.0] and column[0] == 100 - ROWS // 2
    # money: 100.5 * 2 + 100.1 = 301.1; a doubling is OCTAVE steps from ZERO at one coin
    expected = {100.0: 301.1, 98.0: 392.0, 52.0: 52.5, 101.0: 101.0, 103.0: 831.2}  # 148.4 lies beyond the highest row, 147
    assert rows_of(column) == {price: round(ZERO + OCTAVE * math.log2(money)) for price, money in expected.items()}


@pytest.mark.parametrize("state, bids, asks", [("buffering", [("1", "1")], [("2", "1")]), ("synced", [], [("2", "1")]), ("synced", [("1", "1")], [])])
def test_without_two_sides_of_a_synced_book_there_is_no_column(state, bids, asks):
    assert Heat().column(book(bids, asks, state)) is None


@pytest.mark.parametrize("wanted, found", [(1.0, 1.0), (1.3, 1.0), (1.5, 2.0), (3.0, 2.0), (3.3, 5.0), (8.0, 10.0), (0.00042, 0.0005), (7e-12, 5e-12)])
def test_rows_have_heights_that_people_can_read(wanted, found):
    assert nice(wanted) == pytest.approx(found)


def test_the_height_stays_while_the_book_breathes():
    heat, seen = Heat(), set()
    for n in range(100):
        reach = 40 + 10 * math.sin(n)
        heat.column(book([("100", "1"), (str(100 - reach), "1")], [("100.1", "1"), (str(100.1 + reach), "1")]))
        seen.add(heat.step)
    assert len(seen) == 1
    heat.column(book([("100", "1"), ("99", "1")], [("100.1", "1"), ("101", "1")]))
    assert heat.step < min(seen)


@given(st.floats(1e-9, 1e15), st.floats(1.0, 1e6))
def test_more_money_is_never_paler(money, times):
    assert 1 <= shade(money) <= shade(money * times) <= 255 and shade(0.0) == 0
