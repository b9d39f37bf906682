"""Samples over a window: the answers of a plain list, and not a byte more however long it goes on."""

import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.analysis.balances import HEARTBEAT_NS, KEPT_NS, SPACING_NS, Past
from p9.capture.venue_delay import VenueDelay, VenueDelaySettings
from p9.fact import OpenInterest
from p9.market.agreement import KEPT, Agreement, Tolerance
from p9.market.open_interest import SAMPLE_NS, WINDOW_NS, OpenInterestSheet
from p9.market.sheet import Record, Statement
from p9.samples import Samples

S = 10**9
T = 1_790_000_000 * S
MOST_MORE = 5_000  # bytes: the newest sample's own objects and the interpreter's free lists (2.4 kB of floats); a window's samples, kept as objects, are 18 kB and more

numbers = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=8), st.integers(-(10**40), 10**40).map(Decimal), st.sampled_from(
        [Decimal(text) for text in ("0", "0.00", "-0.000000000000000001", "999999999999999999", "1000000000000000000", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-1E+30", "1E-39", "12345678901234567890.1234567890123456789")]
    ),
)  # fmt: skip


@given(st.integers(1, 7), st.lists(st.one_of(st.tuples(st.just("append"), numbers), st.tuples(st.just("amend"), numbers), st.tuples(st.just("drop"), st.integers(0, 9)), st.just(("clear", 0))), max_size=40))
def test_they_are_what_a_plain_list_has(most, steps):
    samples, model = Samples(most), []
    for at, (does, what) in enumerate(steps):
        if does == "append":
            samples.append(T + at, what)
            model = [*model, (T + at, what)][-most:]
        elif does == "amend" and model:
            samples.amend(what)
            model[-1] = (model[-1][0], what)
        elif does == "drop":
            samples.drop(min(what, len(model)))
            model = model[what:]
        elif does == "clear":
            samples.clear()
            model = []
        found = [(samples.time(n), samples.value(n)) for n in range(len(samples))]
        assert found == model and list(samples.times()) == [at for at, _ in model]
        assert [value.as_tuple().exponent for _, value in found] == [value.as_tuple().exponent for _, value in model], "its zeros stay too: what is written of it is its text"
    for beyond in (-1, len(model)):
        with pytest.raises(IndexError):
            samples.value(beyond)


def past() -> tuple[Callable[[int], None], int]:
    one = Past()
    return lambda n: one.add(T + n * SPACING_NS, Decimal(10**12 + n) / 10**4), KEPT_NS // SPACING_NS


def agreement() -> tuple[Callable[[int], None], int]:
    one = Agreement(Tolerance(within_s=3.0), 2)

    def step(n: int) -> None:
        one.streamed(Decimal(10**12 + n) / 10**4, T + n * S)
        one.polled(Decimal(10**12 + n) / 10**4, T + n * S)
        one.judge(T + n * S)

    return step, KEPT


def agreement_of_times() -> tuple[Callable[[int], None], int]:
    """The next funding's time, in ns: nineteen digits."""
    one = Agreement(Tolerance(within_s=120.0), 2)
    return lambda n: one.streamed(Decimal(T + n // 100 * 3600 * S), T + n * S), KEPT


def open_interest() -> tuple[Callable[[int], None], int]:
    sheet, record = OpenInterestSheet(Decimal(0)), Record(SimpleNamespace(contract="linear", contract_value="1"))

    def step(n: int) -> None:
        at_ns = T + n * SAMPLE_NS
        record.said["contracts"] = Statement(f"{10**9 + n}.25", at_ns, at_ns, "poll", at_ns)
        sheet.write(record, lambda kind, one: None, at_ns)

    assert sheet.fact is OpenInterest
    return step, WINDOW_NS // SAMPLE_NS


def venue_delay() -> tuple[Callable[[int], None], int]:
    road = SimpleNamespace(market="there", ms=0.0)
    road.take_delays = lambda: {"trades": (50, road.ms, road.ms, road.ms)}
    delay = VenueDelay(road, settings=VenueDelaySettings(window_s=600.0))

    def step(n: int) -> None:
        road.ms = 1e6 * (100 + n % 17)
        delay.look(float(n))

    return step, 600


@pytest.mark.parametrize("window", [past, agreement, agreement_of_times, open_interest, venue_delay])
def test_a_window_takes_the_memory_at_first_that_it_takes_for_ever(window):
    """Memory rose for an hour, and would have for a day: each window was a list that filled."""
    step, most = window()
    tracemalloc.start()
    try:
        for n in range(40):
            step(n)
        before, _ = tracemalloc.get_traced_memory()
        for n in range(40, 40 + most):
            step(n)
        full, _ = tracemalloc.get_traced_memory()
        for n in range(40 + most, 40 + 3 * most):
            step(n)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert full - before < MOST_MORE and after - before < MOST_MORE, (before, full, after)


@given(st.lists(st.tuples(st.integers(0, 45), st.integers(1, 4)), min_size=1, max_size=80), st.integers(0, 27 * 60), st.integers(0, 60))
def test_a_balances_past_answers_as_a_list_of_all_that_was_taken(steps, back, tolerance):
    minute = 60 * S
    one, taken, at = Past(), [], T
    for minutes, value in steps:
        at += minutes * minute
        takes = not taken or at - taken[-1][0] >= (HEARTBEAT_NS if value == taken[-1][1] else SPACING_NS)
        assert one.add(at, Decimal(value)) == takes
        taken += [(at, value)] if takes else []
    taken = [row for row in taken if row[0] > taken[-1][0] - KEPT_NS]
    when = at - back * minute
    before, after = [row for row in taken if row[0] <= when], [row for row in taken if row[0] > when]
    near = [value for t, value in before[-1:] + after[:1] if abs(t - when) <= tolerance * minute]
    assert one.at(when, tolerance * minute) == (near[0] if near else None)
    assert one.greatest(when) == max(value for _, value in before[-1:] + after)
