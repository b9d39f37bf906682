"""Exact decimals against Python's Decimal: every text a venue or a fuzzer may write, at every scale."""

import re
from decimal import Context, Decimal

import pytest
from cext.decimal import parse, places, read, write
from hypothesis import example, given, settings
from hypothesis import strategies as st

SCALES = st.integers(0, 18)
EXACTLY = Context(prec=2000, Emax=10_000, Emin=-10_000)
DIGITS = st.text("0123456789", max_size=24)
# what venues write (digits, a point, zeros behind), and what only a fuzzer would
PLAIN = st.builds(lambda whole, part, zeros: whole + "." + part + "0" * zeros, st.text("0123456789", min_size=1, max_size=11), DIGITS, st.integers(0, 12))
ANY = st.builds(lambda sign, whole, rest, e: sign + whole + rest + e, st.sampled_from(["", "-", "+", "--"]), DIGITS,
                st.sampled_from(["", ".", ".0", ".5", ".000000001", "..", ".1.", ",5", " ", "x", "\x00", "٣", ".00000000", ".12345678", ".123456789"]),
                st.sampled_from(["", "e3", "E-3", "e+18", "e", "e-", "e1000", "e999", "e-999", "e1x"]))  # fmt: skip


def expected(text, scale):
    """The integer, or the reason why there is none."""
    if len(text.encode()) > 400 or not re.fullmatch(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text, re.ASCII):
        return "malformed"
    value = Decimal(text).scaleb(scale, EXACTLY)
    if value != value.to_integral_value(context=EXACTLY):
        return "finer than the scale"
    return int(value) if abs(value) < 2**63 else "overflow"


def parsed(text, scale):
    try:
        return parse(text.encode(), scale)
    except ValueError as error:
        return str(error)


def read_from(frame, scale):
    """As decoders read: (the integer, bytes taken), or the reason why not."""
    try:
        return read(frame, scale)
    except ValueError as error:
        return str(error)


@settings(max_examples=700)
@given(PLAIN | ANY | DIGITS, SCALES)
@example("9223372036854775807", 0)
@example("9223372036854775808", 0)
@example("92233720368547758.07", 2)
@example("92233720368547758.08", 2)
@example("0.00000000", 0)
@example("99999999.99999999", 8)
@example("999999999999999999", 0)
def test_text_is_the_scaled_integer_or_says_why_not(text, scale):
    assert parsed(text, scale) == expected(text, scale)


@settings(max_examples=700)
@given(PLAIN | ANY | DIGITS, SCALES, st.sampled_from(["", "]", '","1"],["123456789', ',"b":[[]]}' + " " * 20]))
def test_a_quoted_number_is_read_the_same_wherever_the_frame_ends(text, scale, rest):
    """Near the end of the frame no word is loaded; before it, eight digits a step."""
    if '"' in text or "\\" in text:
        return
    frame = f'"{text}"{rest}'.encode()
    value = expected(text, scale)
    assert read_from(frame, scale) == ((value, len(text.encode()) + 2) if isinstance(value, int) else value)


def test_every_length_of_both_parts_at_every_scale():
    """The words of eight digits: each boundary, with the largest digits and with zeros behind that need no room."""
    for whole in ("", *("9" * n for n in range(1, 20))):
        for part in (None, *("9" * n for n in range(20)), *("1" + "0" * n for n in range(20))):
            text = whole if part is None else f"{whole}.{part}"
            for scale in (0, 1, 4, 7, 8, 9, 17, 18):
                value = expected(text, scale)
                assert parsed(text, scale) == value, (text, scale)
                assert read_from(b'"%s","0.00000000"],' % text.encode(), scale) == ((value, len(text) + 2) if isinstance(value, int) else value)


@pytest.mark.parametrize("other", [c for c in range(256) if not 48 <= c <= 57 and c != 46])
def test_a_byte_that_is_no_digit_is_refused_wherever_it_stands(other):
    for text in (b"12345678.12345678", b"1.5", b"1234", b"61837.63000000"):
        for place in range(len(text)):
            broken = text[:place] + bytes([other]) + text[place + 1 :]
            if re.fullmatch(rb"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", broken):
                continue
            with pytest.raises(ValueError, match="malformed"):
                parse(broken, 8)
            if other not in b'"\\':
                assert read_from(b'"%s","0.00000000"]' % broken, 8) == "malformed"


def test_numbers_of_every_length_are_written_at_every_scale():
    """Eight digits are written at a time: a number that ends a word, begins one, or has zeros where one ends."""
    lengths = {sign * (10**k + d) for k in range(19) for d in (-1, 0, 1, 10**k // 2, -(10 ** (k // 2))) for sign in (1, -1)}
    for value in lengths:
        for scale in range(19):
            text = write(value, scale)
            assert Decimal(text) == Decimal(value).scaleb(-scale), (value, scale)
            assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", text), (value, scale)


@settings(max_examples=500)
@given(st.integers(-(2**63), 2**63 - 1), SCALES)
def test_written_text_is_the_number_without_needless_zeros(value, scale):
    text = write(value, scale)
    assert Decimal(text) == Decimal(value).scaleb(-scale)
    assert len(text) <= 24
    assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", text)
    if value > -(2**63):
        assert parse(text.encode(), scale) == value


@given(PLAIN | DIGITS)
def test_places_are_the_decimals_that_are_needed(text):
    if not text:
        assert places(b"") is None
        return
    assert places(text.encode()) == len(text.partition(".")[2].rstrip("0"))


@pytest.mark.parametrize("text", [b"", b"1e5", b"1.2.3", b"x", b"1-", b"+1"])
def test_places_of_what_is_no_plain_decimal(text):
    assert places(text) is None


@pytest.mark.parametrize("scale", [-1, 19])
def test_a_scale_that_does_not_exist_is_refused(scale):
    with pytest.raises(ValueError, match="outside"):
        parse(b"1", scale)
    with pytest.raises(ValueError, match="outside"):
        write(1, scale)
