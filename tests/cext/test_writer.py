"""The JSON writer against Python's own number formatting and JSON parser."""

import json
import locale
import math
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cext import writer

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(INT64)
@example(0)
@example(-(2**63))
def test_int(value):
    assert writer.text_of_int(value) == str(value).encode()


@given(INT64, st.integers(0, 18))
@example(-(2**63), 18)
def test_decimal_is_exact_and_has_no_trailing_zeros(value, scale):
    text = json.loads(writer.text_of_decimal(value, scale))
    assert Decimal(text) == Decimal(value).scaleb(-scale)
    assert "." not in text or text[-1] not in ".0"


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 17))
@example(9.9999999996, 9)
@example(0.5, 1)
@example(2.5, 1)
@example(0.09999999999999999, 5)
@example(1e22, 17)
@example(5e-324, 17)
@example(1.7976931348623157e308, 17)
@example(-0.0, 3)
@example(123456789.5, 9)
def test_double_is_rounded_as_python_rounds_it(value, digits):
    text = writer.text_of_double(value, digits).decode()
    assert Decimal(text) == Decimal(f"{value:.{digits - 1}e}")
    assert isinstance(json.loads(text), int | float)
    mantissa = text.partition("e")[0]
    assert "." not in mantissa or mantissa[-1] not in ".0"


@given(st.floats(-1e6, 1e6), st.integers(1, 9))
def test_double_of_everyday_size(value, digits):
    assert Decimal(writer.text_of_double(value, digits).decode()) == Decimal(f"{value:.{digits - 1}e}")


@pytest.mark.parametrize(
    "value, digits, text",
    [(1.0, 6, "1"), (0.25, 6, "0.25"), (-1234.5, 6, "-1234.5"), (100.0, 3, "100"), (12345.678, 3, "12300"), (1e-7, 4, "0.0000001"),
     (1.5e-8, 4, "1.5e-8"), (1e17, 4, "1e17"), (99999999999999990.0, 17, "99999999999999984")],
)
def test_double_takes_the_short_form(value, digits, text):
    assert writer.text_of_double(value, digits) == text.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_null(value):
    assert writer.text_of_double(value, 6) == b"null"


def test_double_under_a_locale_with_a_decimal_comma():
    before = locale.setlocale(locale.LC_NUMERIC)
    for name in ("de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"):
        try:
            locale.setlocale(locale.LC_NUMERIC, name)
            break
        except locale.Error:
            continue
    else:
        pytest.skip("no locale with a decimal comma is installed")
    try:
        assert writer.text_of_double(1234.5678901234, 14) == b"1234.5678901234"
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example('"\\\n\r\t\x00\x1f')
@example("é漢😀\u2028")
def test_string(text):
    assert json.loads(writer.text_of_string(text.encode())) == text


@given(st.binary())
@example(b"\xc0\x80")
@example(b"\xed\xa0\x80")
@example(b"\xf4\x90\x80\x80")
@example(b"ok\xe6\xbc")
def test_bytes_that_are_no_utf8_give_valid_json_all_the_same(raw):
    said = json.loads(writer.text_of_string(raw).decode("utf-8"))
    try:
        assert said == raw.decode("utf-8")
    except UnicodeDecodeError:
        assert "\ufffd" in said


def test_time():
    assert writer.text_of_time(1_700_000_000_123_456_789) == b"1700000000123456789"
    assert writer.text_of_time(-1) == b"null"
