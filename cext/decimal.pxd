"""Exact decimals: the venue's text to a scaled int64 and back. No binary float on the way.

A text finer than the scale is not rounded: it is DECIMAL_FINER, and the instrument is rescaled (instrument.pyx).
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.cursor cimport Cursor
from cext.word cimport DIGITS, digits8, guessed, highest_bit, load8, lowest_bit, not_digits, store8, text8

cdef enum DecimalVerdict:
    DECIMAL_OK
    DECIMAL_FINER      # non-zero digits beyond the scale
    DECIMAL_OVERFLOW   # does not fit int64 at this scale
    DECIMAL_MALFORMED  # not a number (an empty text is not one either)

cdef enum:
    MAX_SCALE = 18
    DECIMAL_TEXT_SIZE = 32  # sign, 19 digits, point, leading zero, and what the last word of eight bytes may touch behind them
    EIGHT_DIGITS = 100_000_000
    DECIMAL_REACH = 17      # bytes that decimal_quoted may look at: seven digits, a point, a word and the quote behind it
    MAX_QUOTED_SCALE = 11   # seven digits before the point fit int64 at it

cdef extern from *:
    """
    static const int64_t P9_POW10[19] = {
        1LL, 10LL, 100LL, 1000LL, 10000LL, 100000LL, 1000000LL, 10000000LL, 100000000LL, 1000000000LL, 10000000000LL, 100000000000LL,
        1000000000000LL, 10000000000000LL, 100000000000000LL, 1000000000000000LL, 10000000000000000LL, 100000000000000000LL,
        1000000000000000000LL};
    static const int64_t P9_MAX_BEFORE[19] = {  /* INT64_MAX / 10**i */
        9223372036854775807LL, 922337203685477580LL, 92233720368547758LL, 9223372036854775LL, 922337203685477LL,
        92233720368547LL, 9223372036854LL, 922337203685LL, 92233720368LL, 9223372036LL, 922337203LL, 92233720LL,
        9223372LL, 922337LL, 92233LL, 9223LL, 922LL, 92LL, 9LL};
    typedef struct { uint64_t inverse; int shift; uint64_t drop; uint64_t raise; } p9_fraction;
    /* Eight decimals to `scale` ones: x / drop * raise, where drop is 10**(8 - scale) or 1, and raise 10**(scale - 8) or 1. The quotient is
       (x * inverse) >> shift, exact for every x below 10**8: inverse is 2**shift / drop rounded up, and 2**shift is at least 2**27 * drop. */
    static const p9_fraction P9_FRACTIONS[12] = {
        {180143986ULL, 54, 100000000ULL, 1ULL}, {225179982ULL, 51, 10000000ULL, 1ULL}, {140737489ULL, 47, 1000000ULL, 1ULL},
        {175921861ULL, 44, 100000ULL, 1ULL}, {219902326ULL, 41, 10000ULL, 1ULL}, {137438954ULL, 37, 1000ULL, 1ULL},
        {171798692ULL, 34, 100ULL, 1ULL}, {214748365ULL, 31, 10ULL, 1ULL}, {1ULL, 0, 1ULL, 1ULL}, {1ULL, 0, 1ULL, 10ULL}, {1ULL, 0, 1ULL, 100ULL},
        {1ULL, 0, 1ULL, 1000ULL}};
    """
    ctypedef struct Fraction "p9_fraction":
        uint64_t inverse
        int shift
        uint64_t drop
        uint64_t raise_ "raise"
    const Fraction FRACTIONS "P9_FRACTIONS" [12]
    const int64_t POW10 "P9_POW10" [19]
    const int64_t MAX_BEFORE "P9_MAX_BEFORE" [19]   # the largest number that may still be multiplied by POW10[i]

cdef DecimalVerdict decimal_parse_slowly(const char* at, Py_ssize_t size, int32_t scale, int64_t* out) noexcept nogil

cdef inline DecimalVerdict decimal_parse(const char* at, Py_ssize_t size, int32_t scale, int64_t* out) noexcept nogil:
    """`size` bytes at `at` as value x 10**scale. The common shape (up to 18 plain digits) stays in this loop."""
    cdef uint64_t n = 0
    cdef int32_t fraction = 0
    cdef bint point = False
    cdef Py_ssize_t i
    cdef char ch
    if size < 1 or size > 18:
        return decimal_parse_slowly(at, size, scale, out)
    for i in range(size):
        ch = at[i]
        if c'0' <= ch <= c'9':
            n = n * 10 + <uint64_t>(ch - c'0')
            fraction += point
        elif ch == c'.' and not point and size > 1:
            point = True
        else:
            return decimal_parse_slowly(at, size, scale, out)
    if fraction > scale or n > <uint64_t>MAX_BEFORE[scale - fraction]:
        return decimal_parse_slowly(at, size, scale, out)
    out[0] = <int64_t>n * POW10[scale - fraction]
    return DECIMAL_OK


cdef struct Widths:     # of the last number read from a column, in bits a digit: before its point and behind it
    int whole
    int part

cdef inline const char* decimal_quoted(const char* at, int32_t scale, Widths* widths, int64_t* out) noexcept nogil:
    """The number that begins at `at`, the first byte after a quote; where its closing quote stands, or NULL if this is not for here.

    For one to seven digits, then nothing, or a point and one to eight more, that fit `scale` (at most MAX_QUOTED_SCALE): what venues write.
    Everything else is decimal_parse's. It looks at up to DECIMAL_REACH bytes, whatever stands there. `widths`: the column's, zeros at first.
    """
    cdef uint64_t word = load8(at) ^ DIGITS
    cdef uint64_t stops = not_digits(word)
    cdef uint64_t whole, part, kept
    cdef const Fraction* fraction = &FRACTIONS[scale]
    cdef int n
    if stops == 0:
        return NULL
    n = guessed(lowest_bit(stops) & ~7, &widths.whole)  # bits of the digits
    if n == 0:
        return NULL
    whole = digits8(word << (64 - n))
    at += n >> 3
    if at[0] == c'"':
        out[0] = <int64_t>(whole * <uint64_t>POW10[scale])
        return at
    if at[0] != c'.':
        return NULL
    at += 1
    word = load8(at) ^ DIGITS
    stops = not_digits(word)
    if stops == 0:
        part = digits8(word)
        at += 8
    else:
        n = guessed(lowest_bit(stops) & ~7, &widths.part)
        if n == 0:
            return NULL
        part = digits8(word & ((<uint64_t>1 << n) - 1))
        at += n >> 3
    kept = part * fraction.inverse >> fraction.shift
    if at[0] != c'"' or kept * fraction.drop != part:
        return NULL
    out[0] = <int64_t>(whole * <uint64_t>POW10[scale] + kept * fraction.raise_)
    return at


cdef DecimalVerdict decimal_read_slowly(Cursor* c, int32_t scale, int64_t* out) noexcept nogil

cdef inline DecimalVerdict decimal_read(Cursor* c, int32_t scale, int64_t* out) noexcept nogil:
    """The next scalar of the cursor as a decimal. A bad cursor is DECIMAL_MALFORMED."""
    cdef const char* end
    cdef Widths widths
    if c.end - c.at > DECIMAL_REACH and c.at[0] == c'"' and scale <= MAX_QUOTED_SCALE and not c.bad:
        widths.whole = widths.part = 0
        end = decimal_quoted(c.at + 1, scale, &widths, out)
        if end != NULL:
            c.at = end + 1
            return DECIMAL_OK
    return decimal_read_slowly(c, scale, out)


cdef inline Py_ssize_t _short_write(char* to, uint64_t number) noexcept nogil:
    """A whole number below 10**8."""
    cdef uint64_t digits = text8(number)
    cdef int zeros = lowest_bit(digits | <uint64_t>1 << 56) & ~7    # bits of those before its first digit
    store8(to, (digits | DIGITS) >> zeros)
    return 8 - (zeros >> 3)


cdef inline Py_ssize_t whole_write(char* to, uint64_t number) noexcept nogil:
    """Write a whole number at `to`; how many digits (1 to 20) it has. Seven bytes behind them may be touched too."""
    cdef uint64_t high
    cdef Py_ssize_t size
    if number < EIGHT_DIGITS:
        return _short_write(to, number)
    high = number // EIGHT_DIGITS
    if high < EIGHT_DIGITS:
        size = _short_write(to, high)
    else:
        size = _short_write(to, high // EIGHT_DIGITS)
        store8(to + size, text8(high % EIGHT_DIGITS) | DIGITS)
        size += 8
    store8(to + size, text8(number % EIGHT_DIGITS) | DIGITS)
    return size + 8


cdef inline Py_ssize_t decimal_write(char* to, int64_t value, int32_t scale) noexcept nogil:
    """Write value / 10**scale at `to` without trailing zeros; the number of bytes. There is room for DECIMAL_TEXT_SIZE."""
    cdef uint64_t part = <uint64_t>value if value >= 0 else <uint64_t>0 - <uint64_t>value
    cdef uint64_t whole = part // <uint64_t>POW10[scale]
    cdef uint64_t digits
    cdef Py_ssize_t size = 0
    part -= whole * <uint64_t>POW10[scale]
    if value < 0:
        to[0] = c'-'
        size = 1
    size += whole_write(to + size, whole)
    if part == 0:
        return size
    to[size] = c'.'
    size += 1
    while scale > 8:
        scale -= 8
        whole = part // <uint64_t>POW10[scale]
        part -= whole * <uint64_t>POW10[scale]
        digits = text8(whole)
        store8(to + size, digits | DIGITS)
        if part == 0:
            return size + (highest_bit(digits) >> 3) + 1
        size += 8
    digits = text8(part * <uint64_t>POW10[8 - scale])
    store8(to + size, digits | DIGITS)
    return size + (highest_bit(digits) >> 3) + 1


cdef int32_t decimal_places(const char* at, Py_ssize_t size) noexcept nogil
