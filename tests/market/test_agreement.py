"""When stream and poll agree, against a table made by hand and a model written from the rule."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.market.agreement import Agreement, Tolerance

S = 10**9


def agreement(within_s=3.0, share="0", absolute="0", in_a_row=2):
    return Agreement(Tolerance(within_s, Decimal(share), Decimal(absolute)), in_a_row)


@pytest.mark.parametrize(
    "streamed, polled, agrees",
    [
        ([(10, "100")], (10, "100"), True),
        ([(10, "100"), (12, "104")], (11, "102"), True),  # between the two
        ([(10, "100"), (12, "104")], (11, "104.1"), False),
        ([(1, "100")], (50, "100"), True),  # stood when the span began
        ([(1, "100"), (2, "200")], (50, "100"), False),  # but was replaced since
        ([(50, "100"), (53, "104")], (51, "104"), True),  # the stream's is younger, within the span
        ([(50, "100"), (55, "104")], (51, "104"), False),
    ],
)
def test_a_polled_value_agrees_if_the_stream_said_as_much_around_its_time(streamed, polled, agrees):
    one = agreement(in_a_row=1)
    for at_s, value in streamed:
        one.streamed(Decimal(value), at_s * S)
    one.polled(Decimal(polled[1]), polled[0] * S)
    assert bool(one.judge(1000 * S)) != agrees and (one.agreed, one.differed) == ((1, 0) if agrees else (0, 1))


def test_nothing_is_judged_before_the_stream_had_its_time_and_nothing_without_a_stream():
    one = agreement(in_a_row=1)
    one.polled(Decimal(5), 10 * S)
    assert one.judge(13 * S) == "" and one.differed == 0, "no stream, no judgement"
    one.streamed(Decimal(1), 20 * S)
    one.polled(Decimal(5), 20 * S)
    assert one.judge(22 * S) == "" and one.differed == 0, "the stream may still say it"
    assert one.judge(23 * S) == "5 by poll, 1 to 1 by stream"


def test_one_disagreement_may_be_a_cache_only_some_in_a_row_are_a_finding_and_then_again():
    one, found = agreement(in_a_row=3), []
    one.streamed(Decimal(1), 0)
    for n, value in enumerate([2, 2, 1, 2, 2, 2, 2, 2, 2, 2]):
        one.polled(Decimal(value), (n + 1) * 10 * S)
        found.append(bool(one.judge((n + 1) * 10 * S + 3 * S)))
    assert found == [False] * 5 + [True, False, False, True, False]


def test_a_lost_stream_is_no_witness():
    one = agreement(in_a_row=1)
    one.streamed(Decimal(1), 0)
    one.polled(Decimal(2), 1 * S)
    one.interrupted()
    assert one.judge(100 * S) == "" and one.differed == 0


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(90, 110)), min_size=1, max_size=12), st.integers(0, 30), st.integers(85, 115),
    st.integers(0, 5), st.sampled_from(["0", "0.01", "0.05"]),
)  # fmt: skip
def test_it_is_the_rule_as_a_model_has_it(said, at_s, value, within_s, share):
    said = sorted(said, key=lambda pair: pair[0])
    one = agreement(within_s=within_s, share=share, in_a_row=1)
    for said_s, said_value in said:
        one.streamed(Decimal(said_value), said_s * S)
    one.polled(Decimal(value), at_s * S)
    before = [v for t, v in said if t < at_s - within_s]
    around = ([before[-1]] if before else []) + [v for t, v in said if abs(t - at_s) <= within_s]
    slack = value * Decimal(share)
    expected = "" if not around else "agrees" if min(around) - slack <= value <= max(around) + slack else "differs"
    one.judge(1000 * S)
    assert (one.agreed, one.differed) == {"": (0, 0), "agrees": (1, 0), "differs": (0, 1)}[expected]
