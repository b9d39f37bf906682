"""128-bit arithmetic against Python's integers and Decimal."""

from decimal import Context, Decimal
from fractions import Fraction

from cext.wide import calculate
from hypothesis import given
from hypothesis import strategies as st

EXACT = Context(prec=80)
INT64 = st.integers(-(2**63) + 1, 2**63 - 1)
# magnitudes of every size, not only of the largest
WIDE = st.builds(lambda value, shift: value >> shift if value >= 0 else -(-value >> shift), st.integers(-(2**127) + 1, 2**127 - 1), st.integers(0, 126))
LEAST, MOST = -(2**127), 2**127 - 1


@given(INT64, INT64)
def test_product(a, b):
    assert calculate("product", a, b) == a * b


@given(WIDE, WIDE)
def test_add_and_compare_and_negated(a, b):
    assert calculate("add", a, b) == (a + b if LEAST <= a + b <= MOST else None)
    assert calculate("compare", a, b) == (a > b) - (a < b)
    assert calculate("negated", a) == -a


@given(WIDE, INT64)
def test_scaled(a, b):
    expected = a * b
    assert calculate("scaled", a, b) == (expected if abs(expected) <= MOST else None)


def half_even(value: Fraction) -> int | None:
    rounded = round(value)
    return rounded if abs(rounded) <= 2**63 - 1 else None


@given(WIDE, INT64)
def test_divide_rounds_half_to_even(a, b):
    assert calculate("divide", a, b) == (half_even(Fraction(a, b)) if b else None)


@given(st.integers(-1000, 1000), st.integers(-20, 20))
def test_divide_of_small_numbers_meets_every_half(a, b):
    assert calculate("divide", a, b) == (half_even(Fraction(a, b)) if b else None)


@given(WIDE, WIDE, st.integers(0, 18))
def test_ratio(a, b, places):
    fits = abs(a * 10**places) <= MOST
    assert calculate("ratio", a, b, places) == (half_even(Fraction(a * 10**places, b)) if b and fits else None)


@given(WIDE, st.integers(0, 38))
def test_write_is_the_decimal(value, scale):
    text = calculate("write", value, places=scale)
    assert Decimal(text) == Decimal(value).scaleb(-scale, EXACT)
    assert "." not in text or not text.endswith(("0", "."))
    assert text.lstrip("-") == "0" or not text.lstrip("-").startswith("00")


@given(WIDE, st.integers(0, 38))
def test_double_is_close(value, scale):
    expected = float(Decimal(value).scaleb(-scale, EXACT))
    assert abs(calculate("double", value, places=scale) - expected) <= abs(expected) * 1e-14
