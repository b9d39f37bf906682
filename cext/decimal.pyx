"""Exact decimals: the parts that are not inline, and the door for tests and cold code."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memset

from cext.cursor cimport Cursor, View, cursor_of, cursor_scalar


cdef DecimalVerdict decimal_parse_slowly(const char* at, Py_ssize_t size, int32_t scale, int64_t* out) noexcept nogil:
    """Every shape: sign, exponent, long tails of zeros, and the reason why a text is refused."""
    cdef uint64_t n = 0
    cdef int32_t exponent = 0   # of the digits gathered in n
    cdef int32_t stated = 0     # the text's own exponent
    cdef bint negative = False
    cdef bint point = False
    cdef bint stated_negative = False
    cdef bint overflow = False
    cdef int32_t digits = 0
    cdef int32_t zeros = 0      # zeros held back: a tail of them needs no room
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t first
    cdef char ch
    if size < 1 or size > 400:
        return DECIMAL_MALFORMED
    if at[0] == c'-':
        negative = True
        i = 1
    while i < size:
        ch = at[i]
        if c'0' <= ch <= c'9':
            digits += 1
            if point:
                exponent -= 1
            if ch == c'0':
                zeros += 1
            else:
                while zeros > 0 and n > 0:
                    if n > <uint64_t>INT64_MAX // 10:
                        overflow = True
                    n *= 10
                    zeros -= 1
                zeros = 0
                if n > <uint64_t>INT64_MAX // 10:
                    overflow = True
                n = n * 10 + <uint64_t>(ch - c'0')
                if n > <uint64_t>INT64_MAX:
                    overflow = True
        elif ch == c'.' and not point:
            point = True
        else:
            break
        i += 1
    exponent += zeros
    if digits == 0:
        return DECIMAL_MALFORMED
    if i < size:
        if at[i] != c'e' and at[i] != c'E':
            return DECIMAL_MALFORMED
        i += 1
        if i < size and (at[i] == c'+' or at[i] == c'-'):
            stated_negative = at[i] == c'-'
            i += 1
        first = i
        while i < size:
            if at[i] < c'0' or at[i] > c'9' or i - first >= 3:
                return DECIMAL_MALFORMED
            stated = stated * 10 + (at[i] - c'0')
            i += 1
        if i == first:
            return DECIMAL_MALFORMED
        exponent += -stated if stated_negative else stated
    if n == 0 and not overflow:
        out[0] = 0
        return DECIMAL_OK
    if overflow:
        # too many significant digits: finer than any scale if the point lies among them, else simply too large
        return DECIMAL_FINER if exponent + scale < 0 else DECIMAL_OVERFLOW
    exponent += scale
    if exponent < 0:
        return DECIMAL_FINER
    if exponent > 18 or n > <uint64_t>MAX_BEFORE[exponent]:
        return DECIMAL_OVERFLOW
    out[0] = <int64_t>n * POW10[exponent]
    if negative:
        out[0] = -out[0]
    return DECIMAL_OK


cdef DecimalVerdict decimal_read_slowly(Cursor* c, int32_t scale, int64_t* out) noexcept nogil:
    """Any scalar, quoted or bare, of any length, up to the end of the frame."""
    cdef char copy[DECIMAL_REACH]
    cdef const char* end
    cdef Widths widths
    cdef View v
    cdef Py_ssize_t left = c.end - c.at - 1
    if 0 < left < DECIMAL_REACH and c.at[0] == c'"' and scale <= MAX_QUOTED_SCALE and not c.bad:
        memset(copy, 0, sizeof(copy))  # the frame's last number, with zeros behind it
        memcpy(copy, c.at + 1, left)
        widths.whole = widths.part = 0
        end = decimal_quoted(copy, scale, &widths, out)
        if end != NULL:
            c.at += 2 + (end - copy)
            return DECIMAL_OK
    v = cursor_scalar(c)
    if c.bad:
        return DECIMAL_MALFORMED
    return decimal_parse(v.at, v.size, scale, out)


cdef int32_t decimal_places(const char* at, Py_ssize_t size) noexcept nogil:
    """How many decimals the text needs, trailing zeros apart; -1 if it is no plain decimal."""
    cdef Py_ssize_t i
    cdef int32_t seen = 0
    cdef int32_t needed = 0
    cdef bint point = False
    if size < 1:
        return -1
    for i in range(size):
        if at[i] == c'.' and not point:
            point = True
        elif c'0' <= at[i] <= c'9':
            seen += point
            if at[i] != c'0':
                needed = seen
        elif not (i == 0 and at[i] == c'-'):
            return -1
    return needed


def parse(bytes text, int scale):
    """`text` as an integer x 10**scale. Raises ValueError naming why not; for tests and cold code."""
    cdef int64_t value = 0
    if not 0 <= scale <= MAX_SCALE:
        raise ValueError(f"scale {scale} is outside 0..{MAX_SCALE}")
    cdef DecimalVerdict verdict = decimal_parse(text, len(text), scale, &value)
    return _answer(verdict, value)


def read(bytes frame, int scale):
    """The scalar that `frame` begins with, as decoders read it; (the integer, how many bytes it took). Raises ValueError as `parse`."""
    cdef int64_t value = 0
    if not 0 <= scale <= MAX_SCALE:
        raise ValueError(f"scale {scale} is outside 0..{MAX_SCALE}")
    cdef const char* at = frame
    cdef Cursor c = cursor_of(at, len(frame))
    cdef DecimalVerdict verdict = decimal_read(&c, scale, &value)
    return _answer(verdict, value), c.at - at


cdef _answer(DecimalVerdict verdict, int64_t value):
    if verdict == DECIMAL_OK:
        return value
    raise ValueError({DECIMAL_FINER: "finer than the scale", DECIMAL_OVERFLOW: "overflow"}.get(verdict, "malformed"))


def write(int64_t value, int scale):
    """The text of value / 10**scale, without trailing zeros."""
    cdef char to[DECIMAL_TEXT_SIZE]
    if not 0 <= scale <= MAX_SCALE:
        raise ValueError(f"scale {scale} is outside 0..{MAX_SCALE}")
    return to[:decimal_write(to, value, scale)].decode("ascii")


def places(bytes text):
    """How many decimals `text` needs, trailing zeros apart; None if it is no plain decimal."""
    cdef int32_t n = decimal_places(text, len(text))
    return None if n < 0 else n
