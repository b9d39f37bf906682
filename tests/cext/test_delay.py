"""Delays as the pipeline measures them, against sorted lists."""

import json
import random

import pytest

from tests.cext.test_tape import T0, Desk, S


def live(desk: Desk, number: int, delay_ns: int) -> None:
    sent_ms = T0 // 1_000_000
    frame = {"e": "trade", "E": 0, "s": "BTCUSDT", "t": number, "p": "100.5", "q": "1", "T": sent_ms, "m": False, "M": True}
    desk.pipeline.feed_bytes(json.dumps({"stream": "btcusdt@trade", "data": frame}).encode(), sent_ms * 1_000_000 + delay_ns)


@pytest.mark.parametrize("scale_ns", [10**5, 10**7, 10**9, 5 * 10**10])
def test_quantiles_are_the_next_quarter_octave_above_the_true_ones(scale_ns):
    desk = Desk()
    delays = [round(random.Random(scale_ns).expovariate(1 / scale_ns)) for _ in range(2000)]
    for number, delay in enumerate(delays):
        live(desk, number, delay)
    n, least, median, p99 = desk.pipeline.take_delays()["trades"]
    ordered = sorted(delays)
    assert (n, least) == (2000, ordered[0])
    for told, true in ((median, ordered[1000]), (p99, ordered[1980])):
        assert true <= told <= max(1.26 * true, 2**19) or told >= 2**41
    assert desk.pipeline.take_delays() == {}, "taken"


def test_a_frame_that_came_before_it_was_sent_tells_that_our_clock_is_behind():
    desk = Desk()
    live(desk, 1, -1270 * 10**6)
    live(desk, 2, -1265 * 10**6)
    live(desk, 3, 2 * 86400 * S)
    assert desk.pipeline.take_delays()["trades"][:2] == (3, -1270 * 10**6)
    assert desk.pipeline.impossible_times() == (2, 1)


def test_fetched_trades_tell_nothing_about_the_road():
    desk = Desk()
    desk.live(1)
    desk.pipeline.take_delays()
    desk.fetched(2, 3)
    assert desk.pipeline.take_delays() == {}
