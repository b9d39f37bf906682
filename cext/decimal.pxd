"""Exact decimals: the venue's text to a scaled int64 and back. No binary float on the way.

A text finer than the scale is not rounded: it is DECIMAL_FINER, and the instrument is rescaled (instrument.pyx).
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.cursor cimport Cursor, View, cursor_scalar

cdef enum DecimalVerdict:
    DECIMAL_OK
    DECIMAL_FINER      # non-zero digits beyond the scale
    DECIMAL_OVERFLOW   # does not fit int64 at this scale
    DECIMAL_MALFORMED  # not a number (an empty text is not one either)

cdef enum:
    MAX_SCALE = 18
    DECIMAL_TEXT_SIZE = 24  # sign, 19 digits, point, leading zero, and slack

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
    """
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


cdef inline DecimalVerdict decimal_read(Cursor* c, int32_t scale, int64_t* out) noexcept nogil:
    """The next scalar of the cursor as a decimal. A bad cursor is DECIMAL_MALFORMED."""
    cdef View v = cursor_scalar(c)
    if c.bad:
        return DECIMAL_MALFORMED
    return decimal_parse(v.at, v.size, scale, out)


cdef Py_ssize_t decimal_write(char* to, int64_t value, int32_t scale) noexcept nogil
cdef int32_t decimal_places(const char* at, Py_ssize_t size) noexcept nogil
