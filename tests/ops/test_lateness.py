"""Late itself, the appliance sheds LOW, then MEDIUM, never CRITICAL or HIGH; and a step of its clock is told."""

import asyncio
import time

import pytest
from cext.clock import Clock
from cext.outbox import Outbox

from p9.ops.lateness import Lateness, LatenessSettings
from p9.ops.local_clock import LocalClock
from tests.cext.streams.published import published

CRITICAL, HIGH, MEDIUM, LOW = range(4)


def outbox() -> tuple[Outbox, list]:
    out = Outbox(Clock(1_790_000_000_000_000_000), epoch=1)
    return out, [out.channel(kind, "binance", "BTC-USDT", "binance_spot", "BTCUSDT", cls) for kind, cls in
                 (("integrity", CRITICAL), ("trades", HIGH), ("snapshots", MEDIUM), ("book_ticker", LOW))]  # fmt: skip


def told_of(out: Outbox) -> list[str]:
    return sorted(event["type"] for event in published(out))


def say(out: Outbox, channels: list) -> None:
    for channel in channels:
        out.emit(channel, b'{"x":1}')


def test_pain_12_low_goes_first_then_medium_and_the_rest_never():
    out, channels = outbox()
    told = []
    late = Lateness(out, settings=LatenessSettings(), tell=lambda kind, detail, **more: told.append((kind, more["state"])))
    for at_s, late_s, expected in (
        (0, 0.3, ["book_ticker", "integrity", "snapshots", "trades"]),  # one pause is none
        (1, 0.3, ["integrity", "snapshots", "trades"]),
        (2, 1.5, ["integrity", "snapshots", "trades"]),
        (3, 1.5, ["integrity", "trades"]),
        (40, 0.01, ["integrity", "trades"]),
        (71, 0.01, ["integrity", "snapshots", "trades"]),
        (102, 0.01, ["book_ticker", "integrity", "snapshots", "trades"]),
    ):
        late.judge(late_s, at_s)
        say(out, channels)
        assert told_of(out) == expected, at_s
    assert [state for _, state in told] == ["sheds_low", "sheds_medium", "sheds_low", "normal"]
    for cls, counts in out.stats()["classes"].items():
        ends = counts["confirmed"] + counts["conflated"] + counts["shed"] + counts["quarantined"]
        assert counts["accepted"] == ends, (cls, counts)
    with pytest.raises(ValueError, match="never shed"):
        out.shed_from(HIGH)


async def test_a_loop_that_is_held_up_is_noticed():
    out, _ = outbox()
    late = Lateness(out, settings=LatenessSettings(low_s=0.1, medium_s=10, over_times=1))
    task = asyncio.create_task(late.run())
    await asyncio.sleep(0.1)
    time.sleep(0.3)
    await asyncio.sleep(0.1)
    task.cancel()
    assert late.status()["state"] == "sheds_low" and 100 < late.status()["worst_ms"] < 2000


def test_events_of_a_venue_whose_clock_is_not_ours_are_flagged():
    out, channels = outbox()
    other = out.channel("trades", "okx", "BTC-USDT", "okx_spot", "BTC-USDT", HIGH)
    out.suspect("binance", True)
    say(out, [*channels, other])
    flagged = {(event["exchange"], event["type"]): event.get("flags") for event in published(out)}
    assert flagged.pop(("okx", "trades")) is None and set(map(tuple, flagged.values())) == {("suspect_time",)}
    out.suspect("binance", False)
    say(out, channels)
    assert all("flags" not in event for event in published(out))


def test_a_step_of_our_clock_is_told_and_its_drift_is_not():
    told, now = [], [1_790_000_000_000_000_000]
    clock = LocalClock(lambda: now[0], lambda kind, detail, **more: told.append((kind, detail, more["step_ns"])))
    for second in range(100):
        now[0] += 1_000_050_000  # 50 ppm
        clock.look(second)
    assert told == []
    now[0] += 1_000_000_000 - 5_000_000_000
    clock.look(100)
    assert [(kind, detail) for kind, detail, _ in told] == [("clock_step", "our clock was set back by 5.000 s")] and clock.status()["steps"] == 1
