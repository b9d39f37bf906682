"""A monitor's hysteresis, against its definition on random figures."""

from hypothesis import given
from hypothesis import strategies as st

from p9.breaker import Breaker

LEVELS = (("degraded", 0.25), ("stale", 2.0))


def test_a_level_is_entered_at_once_and_left_only_after_calm():
    breaker = Breaker(LEVELS, calm_s=30)
    assert not breaker.judge(0.2, 0) and breaker.judge(0.3, 1) and breaker.state == "degraded"
    assert breaker.judge(5.0, 2) and breaker.state == "stale"
    assert not breaker.judge(1.9, 3), "below the limit, not below 70 % of it"
    assert not breaker.judge(0.1, 4) and not breaker.judge(0.1, 33.9)
    assert breaker.judge(0.1, 34) and breaker.state == "degraded"
    assert not breaker.judge(0.18, 60), "0.175 is 70 % of the lower limit: its calm begins anew"
    assert not breaker.judge(0.1, 61) and not breaker.judge(0.1, 90) and breaker.judge(0.1, 91)
    assert breaker.state == "normal" and breaker.trips == 2


def test_a_single_pause_trips_nothing_where_several_are_asked_for():
    breaker = Breaker(LEVELS, over_times=3)
    assert [breaker.judge(figure, n) for n, figure in enumerate((1, 1, 0, 1, 1, 1))] == [False] * 5 + [True]


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 20)), max_size=60))
def test_it_is_never_milder_than_the_newest_figure_nor_left_before_its_calm(rows):
    breaker, now_s, changed_s = Breaker(LEVELS, calm_s=30), 0.0, 0.0
    for figure, step_s in rows:
        now_s += step_s
        before = breaker.height
        changed = breaker.judge(figure, now_s)
        assert changed == (breaker.height != before)
        assert breaker.height >= sum(figure > limit for _, limit in LEVELS)
        if breaker.height < before:
            assert breaker.height == before - 1 and now_s - changed_s >= 30
        if changed or figure >= 0.7 * LEVELS[max(before - 1, 0)][1]:
            changed_s = now_s
