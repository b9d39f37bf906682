"""Fault specs: what they mean, and what is none."""

import pytest

from p9.simulate.faults import FaultSpecError, parse


@pytest.mark.parametrize(
    "spec", ["disconnect:-5s", "disconnect:0s", "disconnect:nans", "mute:infs", "mute:60s/-1s", "mute:60s/0s", "disconnect:1e308m", "drop:nan", "drop:inf", "drop:1.1"]
)
def test_what_no_clock_and_no_dice_can_do_is_refused(spec):
    """A negative time between two disconnects was once taken."""
    with pytest.raises(FaultSpecError):
        parse(spec)


def test_times_and_shares():
    rules = parse("disconnect:500ms, mute:2m/5s@okx_swap, drop:0.25@*/BTCUSDT/book")
    assert [(rule.name, rule.value, rule.for_s) for rule in rules] == [("disconnect", 0.5, 0.0), ("mute", 120.0, 5.0), ("drop", 0.25, 0.0)]
    assert rules[2].scope.covers("bybit_spot", "BTCUSDT", "book") and not rules[1].scope.covers("okx_spot", "x", "book")
