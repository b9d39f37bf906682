"""Exact numbers and times of slow data, against Decimal and a table made by hand."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p9.number import decoded, exact, instant, plain, rounded


@pytest.mark.parametrize(
    "value, text",
    [
        ("0.0000500000000000", "0.00005"), ("64991.37858696", "64991.37858696"), ("-0.00011", "-0.00011"), ("0", "0"), ("-0.000", "0"), ("100", "100"),
        ("1e-7", "0.0000001"), ("1.50E3", "1500"), (12, "12"), ("2216113.01000000309", "2216113.01000000309"), ("+5.0", "5"),
    ],
)  # fmt: skip
def test_a_number_is_published_without_needless_signs(value, text):
    assert plain(exact(value)) == text


@pytest.mark.parametrize(
    "value", ["", " ", "abc", "NaN", "Infinity", "-inf", "1e99", "1e-99", "1_000", "0x10", None, True, 1.5, [], "9" * 65, "12,5", "١٢"]
)
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError):
        exact(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12, min_value=-(10**15), max_value=10**15))
def test_the_text_is_the_number(number):
    text = plain(exact(str(number)))
    assert Decimal(text) == number and (text == "0" or not text.endswith(".")) and "E" not in text
    assert "." not in text or not text.endswith("0")


@given(st.integers(-(10**30), 10**30), st.integers(0, 12))
def test_rounding_is_half_even_as_the_standard_library_has_it(digits, places):
    number = Decimal(digits).scaleb(-15)
    assert Decimal(rounded(number, places)) == number.quantize(Decimal(1).scaleb(-places), rounding="ROUND_HALF_EVEN")


@pytest.mark.parametrize(
    "value, ns",
    [
        ("1777284963648", 1_777_284_963_648_000_000), (1777284963648, 1_777_284_963_648_000_000),  # ms
        ("1777284963", 1_777_284_963_000_000_000),  # s
        ("1777284963648123", 1_777_284_963_648_123_000),  # us: spot archives since 2025
        ("1777284963648123456", 1_777_284_963_648_123_456),  # ns
        (1420070400, 1_420_070_400_000_000_000),
    ],
)  # fmt: skip
def test_pain_16_a_time_s_unit_is_told_by_its_size(value, ns):
    assert instant(value) == ns


@pytest.mark.parametrize("value", [0, "0", -1, "abc", "1.5", 1420070399, 10**20, "99999999999999999999999", None, True, 5_000_000_000_000, ""])
def test_pain_16_what_is_no_time_of_our_days_is_refused(value):
    with pytest.raises(ValueError):
        instant(value)


def test_fractions_of_json_stay_text():
    assert decoded(b'{"a":0.1000000000000000055511151231257827,"b":-5421.29889888,"c":7,"d":1E-7}') == {
        "a": "0.1000000000000000055511151231257827", "b": "-5421.29889888", "c": 7, "d": "1E-7",
    }  # fmt: skip
    for bad in (b"", b"<html>", b'{"a":', b"\xff", b"[" * 100_000):
        with pytest.raises(ValueError):
            decoded(bad)
