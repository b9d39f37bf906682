"""128-bit arithmetic against Python's integers and Decimal."""

from decimal import Context, Decimal
from fractions import Fraction

from cext.wide import calculate
from hypothesis import example, given, settings
from hypothesis import strategies as st

EXACT = Context(prec=80)
INT64 = st.integers(-(2**63) + 1, 2**63 - 1)
# magnitudes of every size, not only of the largest
WIDE = st.builds(lambda value, shift: value >> shift if value >= 0 else -(-value >> shift), st.integers(-(2**127) + 1, 2**127 - 1), st.integers(0, 126))
# long runs of ones and of zeros: where the guess of a quotient's digit is too high, and where a word of digits ends
EDGY = st.builds(
    lambda sign, a, b, c, d: sign * min(abs((1 << a) + b * (1 << c) + d), 2**127 - 1),
    st.sampled_from([1, -1]), st.integers(0, 126), st.integers(-1, 1), st.integers(0, 126), st.integers(-2, 2),
) | st.builds(lambda k, d: 10**k + d, st.integers(0, 37), st.integers(-1, 1))  # fmt: skip
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


@settings(max_examples=1000)
@given(EDGY, EDGY.filter(lambda by: abs(by) < 2**63), st.integers(0, 18))
def test_division_meets_every_carry(a, by, places):
    assert calculate("divide", a, by) == (half_even(Fraction(a, by)) if by else None)
    if by and abs(a * 10**places) <= MOST:
        assert calculate("ratio", a, by, places) == half_even(Fraction(a * 10**places, by))


@given(st.integers(-1000, 1000), st.integers(-20, 20))
def test_divide_of_small_numbers_meets_every_half(a, b):
    assert calculate("divide", a, b) == (half_even(Fraction(a, b)) if b else None)


@given(WIDE, WIDE, st.integers(0, 18))
def test_ratio(a, b, places):
    fits = abs(a * 10**places) <= MOST
    assert calculate("ratio", a, b, places) == (half_even(Fraction(a * 10**places, b)) if b and fits else None)


@given(WIDE | EDGY, st.integers(0, 38))
@example(0, 38)
@example(1, 38)
@example(-(10**32), 32)
def test_write_is_the_decimal(value, scale):
    text = calculate("write", value, places=scale)
    assert Decimal(text) == Decimal(value).scaleb(-scale, EXACT)
    assert "." not in text or not text.endswith(("0", "."))
    assert text.lstrip("-") == "0" or not text.lstrip("-").startswith("00")


@given(WIDE, st.integers(0, 38))
def test_double_is_close(value, scale):
    expected = float(Decimal(value).scaleb(-scale, EXACT))
    assert abs(calculate("double", value, places=scale) - expected) <= abs(expected) * 1e-14
