"""Numbers and times of slow data, exact: decimal text as it is published, times in ns whatever unit a venue counts in.

Nothing here passes through a binary float. Sums and products are made with EXACT, whose precision no figure of a venue comes near.
"""

from decimal import Context, Decimal, DecimalException
from typing import Any

import msgspec

EXACT = Context(prec=120)
LONGEST = 64  # signs of a number
MOST_DIGITS = 40  # before or behind the point: beyond it a figure is a mistake of somebody's
EARLIEST_NS = 1_420_070_400 * 10**9  # 2015: before any of the venues
LATEST_NS = 4_133_980_800 * 10**9  # 2101; 2100 stands for "never" on one venue
_UNITS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (10**20, 1))  # below so much, it counts s, ms, us, ns

_json = msgspec.json.Decoder(float_hook=str)


def decoded(payload: bytes) -> Any:
    """JSON as plain data; its numbers with a point or an exponent as the text that stands there. Raises ValueError."""
    try:
        return _json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None


def exact(value: Any) -> Decimal:
    """A venue's number: text or a JSON integer. Raises ValueError for anything else, a binary float too."""
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > LONGEST:
        raise ValueError(f"{value!r:.80} is no number")
    try:
        number = EXACT.create_decimal(value)
    except DecimalException:
        raise ValueError(f"{value!r:.80} is no number") from None
    if not number.is_finite() or not str(value).isascii() or "_" in str(value) or (number and not -MOST_DIGITS < number.adjusted() < MOST_DIGITS):
        raise ValueError(f"{value!r:.80} is no number")
    return number


def plain(number: Decimal) -> str:
    """Its text without needless zeros, signs and exponents."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def rounded(number: Decimal, places: int) -> str:
    """The same, half-even to so many places."""
    return plain(EXACT.quantize(number, Decimal(1).scaleb(-places)))


def instant(value: Any) -> int:
    """A venue's time as ns since 1970 UTC; its unit is told by its size. Raises ValueError for what is no time of our days."""
    number = exact(value)
    if number != number.to_integral_value() or number <= 0:
        raise ValueError(f"{value!r:.80} is no time")
    count = int(number)
    for below, unit_ns in _UNITS:
        if count < below:
            if EARLIEST_NS <= count * unit_ns <= LATEST_NS:
                return count * unit_ns
            break
    raise ValueError(f"{value!r:.80} is no time of our days")
