"""What balances were: against a plain list of everything that was ever said."""

import os
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from p9.analysis.balances import COMPACT_NS, HEARTBEAT_NS, HOUR_NS, KEPT_NS, SPACING_NS, Balances, Past

T = 1_790_000_000 * 10**9
MINUTE = 60 * 10**9


@given(st.lists(st.tuples(st.integers(0, 240), st.integers(1, 5)), min_size=1, max_size=60), st.integers(0, 28 * 60))
def test_a_balance_of_then_is_one_that_was_said_around_then(steps, back):
    past, said, at = Past(), [], T
    for minutes, value in steps:
        at += minutes * MINUTE
        past.add(at, Decimal(value))
        said.append((at, value))
    when, tolerance = at - back * MINUTE, 40 * MINUTE
    found = past.at(when, tolerance)
    near = [value for t, value in said if abs(t - when) <= tolerance]
    assert found is None or found in {Decimal(value) for value in near}
    if when >= at - KEPT_NS + HOUR_NS and any(abs(t - when) <= tolerance - HEARTBEAT_NS for t, _ in said):
        assert found is not None, "what was said within the tolerance less the spacing is known"


def test_samples_are_spaced_and_what_does_not_change_is_kept_rarely():
    past = Past()
    assert [past.add(T + n * SPACING_NS // 2, Decimal(n)) for n in range(5)] == [True, False, True, False, True]
    past = Past()
    n = sum(past.add(T + n * MINUTE, Decimal(7)) for n in range(24 * 60))
    assert n == 48


def test_old_samples_leave_memory():
    past = Past()
    for n in range(3000):
        past.add(T + n * 5 * MINUTE, Decimal(n))
    assert len(past.samples) == KEPT_NS // (5 * MINUTE)


async def test_the_file_is_written_anew_without_what_is_too_old_and_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "insurance.jsonl"
    balances = Balances(path)
    for n in range(40):
        balances.add("venue", "USDT", "A", T + n * HOUR_NS, Decimal(n))
    await balances.flush(T + 40 * HOUR_NS)
    assert len(path.read_text().splitlines()) == 26
    balances.add("venue", "USDT", "A", T + 41 * HOUR_NS, Decimal(1))
    await balances.flush(T + 41 * HOUR_NS)
    assert len(path.read_text().splitlines()) == 27, "appended"
    await balances.flush(T + 41 * HOUR_NS + COMPACT_NS)
    assert len(path.read_text().splitlines()) == 20 and os.listdir(path.parent) == ["insurance.jsonl"]


async def test_a_disk_that_refuses_delays_nothing_and_loses_nothing(tmp_path):
    path = tmp_path / "insurance.jsonl"
    path.mkdir()
    logged = []
    balances = Balances(path, log=lambda event, **more: logged.append(event))
    balances.add("venue", "USDT", "A", T, Decimal(1))
    await balances.flush(T)
    balances.add("venue", "USDT", "A", T + HOUR_NS, Decimal(2))
    await balances.flush(T + HOUR_NS)
    assert balances.counts["unwritten"] == 2 and logged == ["balances not written"]
    path.rmdir()
    await balances.flush(T + HOUR_NS)
    again = Balances(path)
    again.load(T + 2 * HOUR_NS)
    assert again.counts["loaded"] == 2


async def test_pools_that_are_gone_are_forgotten(tmp_path):
    """Contracts and their pools come and go: each that ever was kept its samples."""
    balances = Balances(tmp_path / "insurance.jsonl")
    for n in range(40):
        balances.add("venue", "USDT", f"P{n}", T + n * COMPACT_NS, Decimal(n))
        balances.add("venue", "USDT", "stays", T + n * COMPACT_NS, Decimal(n))
        await balances.flush(T + n * COMPACT_NS)
    assert len(balances._pasts) <= KEPT_NS // COMPACT_NS + 2
    assert balances.past("venue", "USDT", "stays").at(T + 36 * COMPACT_NS, 0) == 36
