"""Amounts as text against decimal arithmetic."""

import re
from decimal import Decimal

import pytest
from cext.amount import ANY, POSITIVE, UNSIGNED, amount, amounts
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "text, told",
    [
        ("0.34500957", "0.34500957"), ("800.000", "800"), ("800", "800"), ("-227.33432684", "-227.33432684"), ("0.000", "0"), ("-1.0", "-1"), ("00.50", "0.5"),
        ("-0.0", "0"), ("-00", "0"), ("0100", "100"), ("-007.10", "-7.1"), ("", None), (None, None),
    ],
)  # fmt: skip
def test_needless_zeros_go_and_digits_stay(text, told):
    assert amount(text) == told


@pytest.mark.parametrize("text, unsigned, positive", [("0.000", "0", None), ("-1.0", None, None), ("-0", "0", None), ("0.0", "0", None), ("0.10", "0.1", "0.1")])
def test_what_stands_for_nothing_is_nothing(text, unsigned, positive):
    assert (amount(text, UNSIGNED), amount(text, POSITIVE)) == (unsigned, positive)


@pytest.mark.parametrize("text", ["1e5", " 1", "1 ", "+1", "1.", ".5", "-", "-.5", "--1", "1.2.3", "nan", "inf", "0x1", "1_0", "٣", "1,5", "1" * 41, 5, 1.5, True, b"1"])
def test_what_is_no_plain_number_is_refused(text):
    with pytest.raises(ValueError):
        amount(text)


@given(st.text("0015.-", max_size=9))
def test_equal_to_its_decimal_and_as_short_as_can_be(text):
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        if text:
            with pytest.raises(ValueError):
                amount(text)
        return
    told = amount(text, ANY)
    assert Decimal(told) == Decimal(text) and told == amount(told)
    assert re.fullmatch(r"0|-?(?:0\.\d*[1-9]|[1-9]\d*(?:\.\d*[1-9])?)", told)


def test_a_row_of_them_and_how_many_are_none():
    assert amounts(("1.50", "0", "-2", "x", None, "", 5), (ANY, POSITIVE, UNSIGNED, ANY, ANY, POSITIVE, ANY)) == (["1.5", None, None, None, None, None, None], 2)
    assert amounts((), ()) == ([], 0)
    with pytest.raises(ValueError):
        amounts(("1",), ())
