"""Delays as the pipeline measures them, against sorted lists."""

import json
import random

import pytest

from tests.cext.pipelines import NOW_NS, pipeline_for
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


def test_best_prices_that_are_told_again_on_a_quiet_market_were_not_so_long_on_their_way():
    """The venue repeats them every three seconds with the time of their last change: a market that stood still was called stale."""
    pipeline = pipeline_for("bybit_linear")

    def best(seq: int, sent_ms: int, recv_ms: int) -> None:
        data = {"s": "BTCUSDT", "b": [["100", "1"]], "a": [["101", "1"]], "u": seq, "seq": seq}
        frame = {"topic": "orderbook.1.BTCUSDT", "ts": recv_ms, "type": "snapshot", "data": data, "cts": sent_ms}
        assert pipeline.feed_bytes(json.dumps(frame).encode(), recv_ms * 1_000_000) == "events"

    now_ms = NOW_NS // 1_000_000
    best(7, now_ms, now_ms + 4)
    for again in range(1, 6):
        best(7, now_ms, now_ms + 3_000 * again)
    best(8, now_ms + 15_000, now_ms + 15_006)
    best(9, now_ms + 15_000, now_ms + 15_008)  # another one of the same millisecond
    n, least, _, p99 = pipeline.take_delays()["best"]
    assert (n, least) == (3, 4_000_000) and p99 < 20_000_000


def test_fetched_trades_tell_nothing_about_the_road():
    desk = Desk()
    desk.live(1)
    desk.pipeline.take_delays()
    desk.fetched(2, 3)
    assert desk.pipeline.take_delays() == {}
