"""The window that no span of time may overfill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.budget import Window


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 10)), min_size=1, max_size=60), st.integers(10, 40), st.floats(0.5, 5))
def test_who_waits_as_told_never_overfills_any_span(questions, limit, span_s):
    window, now_s, log = Window(limit, span_s), 0.0, []
    for pause_s, n in questions:
        now_s += pause_s
        wait_s = window.wait_s(n, now_s)
        assert wait_s >= 0
        now_s += wait_s
        assert window.wait_s(n, now_s + 1e-9) <= 1e-6  # having waited, it fits
        now_s += 1e-9
        window.take(n, now_s)
        log.append((now_s, n))
    for at_s, _ in log:
        assert sum(n for when_s, n in log if at_s <= when_s < at_s + span_s - 1e-6) <= limit


def test_nobody_waits_while_there_is_room():
    window = Window(10, 60)
    for _ in range(10):
        assert window.wait_s(1, 0.0) == 0
        window.take(1, 0.0)
    assert window.wait_s(1, 0.0) == pytest.approx(60)
    assert window.wait_s(1, 60.0) == 0


def test_a_lower_class_may_fill_only_its_share():
    window = Window(10, 60)
    window.take(5, 0.0)
    assert window.wait_s(1, 1.0, share=0.5) == pytest.approx(59)
    assert window.wait_s(5, 1.0) == 0


def test_a_question_larger_than_its_share_fits_into_an_empty_window():
    window = Window(10, 60)
    assert window.wait_s(50, 0.0) == 0
    window.take(50, 0.0)
    assert window.wait_s(1, 1.0) == pytest.approx(59)


def test_what_is_old_is_forgotten():
    window = Window(10, 60)
    window.take(7, 0.0)
    window.take(2, 30.0)
    assert (window.used(59.9), window.used(60.0), window.used(90.0)) == (9, 2, 0)
    assert window.used_since(10.0) == 0
