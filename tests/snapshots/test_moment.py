"""Times as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.errors import ConfigError
from p9.snapshots.moment import EARLIEST_NS, moment_ns, moment_text

AT_NS = 1_786_024_985_250_000_000


@pytest.mark.parametrize("text, at_ns", [
    ("1786024985", 1_786_024_985_000_000_000), ("1786024985.25", AT_NS), ("1786024985250", AT_NS), ("1786024985250000", AT_NS), ("1786024985250000000", AT_NS),
    ("1786024985250.000001", AT_NS + 1), ("2026-08-06T14:03:05Z", AT_NS - 250_000_000), ("2026-08-06 14:03:05.250", AT_NS), (" 2026-08-06T14:03:05,250+00:00 ", AT_NS),
    ("2026-08-06T16:03:05.25+02:00", AT_NS), ("2026-08-06T09:33:05.25-04:30", AT_NS), ("2026-08-06T14:03:05.123456789Z", AT_NS - 126_543_211),
    ("2026-08-06T14:03", 1_786_024_980_000_000_000), ("2026-08-06", 1_785_974_400_000_000_000), ("20260806T140305Z", AT_NS - 250_000_000),
    ("1980-01-01", EARLIEST_NS), ("2262-04-11T23:47:16.854775807", 2**63 - 1),
])  # fmt: skip
def test_a_time_in_each_form(text, at_ns):
    assert moment_ns(text) == at_ns


@pytest.mark.parametrize("text", [
    "", " ", "now", "yesterday", "-5", "+1786024985", "12", "20260806", "1e9", "0x10", "nan", "inf", "1786024985.", "1,786,024,985", "2026-13-01", "2026-08-06T25:00",
    "1979-12-31", "0001-01-01", "2262-04-11T23:47:17", "9999-12-31T23:59:59Z", "99999999999999999999", "9223372036854775808", "\u0661" * 10, "../../etc/passwd", "1" * 5000,
])  # fmt: skip
def test_what_is_no_time_says_what_would_be_one(text):
    with pytest.raises(ConfigError, match="such as 2026-08-06T14:03:05Z") as error:
        moment_ns(text, "at")
    assert error.value.where == "at" and len(str(error.value)) < 300


@given(st.integers(EARLIEST_NS, 4 * 10**18))
def test_numbers_of_every_unit_are_told_apart(at_ns):
    assert moment_ns(str(at_ns)) == at_ns
    for unit, to_ns in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        assert moment_ns(str(at_ns // to_ns)) == at_ns // to_ns * to_ns, unit


@given(st.integers(EARLIEST_NS, 9 * 10**18))
def test_a_time_that_was_shown_can_be_asked_for(at_ns):
    assert moment_ns(moment_text(at_ns)) == at_ns // 10**6 * 10**6
