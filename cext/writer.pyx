"""JSON text into memory that grows: the parts that are not inline, and the door for tests and cold code."""

from libc.math cimport fabs, floor, isfinite
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport malloc, free, realloc

from cext.decimal cimport EIGHT_DIGITS, POW10
from cext.units cimport NO_TIME
from cext.word cimport DIGITS, store8, text8
from cext.wide cimport Wide, wide_write

cdef enum:
    WIDE_TEXT_SIZE = 48
    MAX_DIGITS = 17         # a double's every value is told apart by 17 significant digits

cdef double[23] TENS = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
                        1e20, 1e21, 1e22]  # each exact as a double


cdef bint writer_init(Writer* w, Py_ssize_t capacity) noexcept nogil:
    """False if there is no memory; the writer is then empty and failed."""
    w.size = 0
    w.capacity = 0
    w.at = <char*>malloc(capacity)
    w.failed = w.at == NULL
    if not w.failed:
        w.capacity = capacity
    return not w.failed


cdef void writer_free(Writer* w) noexcept nogil:
    free(w.at)
    w.at = NULL
    w.size = 0
    w.capacity = 0


cdef bint writer_grow(Writer* w, Py_ssize_t more) noexcept nogil:
    """Double the memory until `more` bytes fit. A failed writer takes nothing more until its owner resets it."""
    cdef Py_ssize_t capacity = w.capacity if w.capacity > 256 else 256
    cdef char* grown
    if w.failed:
        return False
    while capacity - w.size < more:
        capacity *= 2
    grown = <char*>realloc(w.at, capacity)
    if grown == NULL:
        w.failed = True
        return False
    w.at = grown
    w.capacity = capacity
    return True


cdef void put_int(Writer* w, int64_t value) noexcept nogil:
    """A bare whole number."""
    if not writer_room(w, DECIMAL_TEXT_SIZE):
        return
    if value < 0:
        w.at[w.size] = c'-'
        w.size += 1
    w.size += whole_write(w.at + w.size, <uint64_t>value if value >= 0 else <uint64_t>0 - <uint64_t>value)


cdef void put_wide(Writer* w, Wide value, int32_t scale) noexcept nogil:
    """A 128-bit scaled integer as a quoted decimal."""
    if writer_room(w, WIDE_TEXT_SIZE + 2):
        w.at[w.size] = c'"'
        w.size += 1
        w.size += wide_write(w.at + w.size, value, scale)
        w.at[w.size] = c'"'
        w.size += 1


cdef bint digits_quickly(double value, int32_t n, char* digits, int32_t* exponent) noexcept nogil:
    """The first `n` (up to 9) significant digits of a positive `value` with one rounding, and the power of ten of the first; False if unsure.
    `digits` has room for nine.

    The powers of ten are exact, so the product is off by half a unit in its last place at most: only next to a tie can that change a digit.
    """
    cdef int32_t e = 0
    cdef int32_t shift
    cdef double scaled, rest
    cdef uint64_t whole
    if value >= 1e9 or value < 1e-9:
        return False
    if value >= 1.0:
        while value >= TENS[e + 1]:
            e += 1
    else:
        while value * TENS[-e] < 1.0:
            e -= 1
    shift = n - 1 - e
    scaled = value * TENS[shift] if shift >= 0 else value / TENS[-shift]
    whole = <uint64_t>floor(scaled)
    rest = scaled - <double>whole
    if fabs(rest - 0.5) < 1e-6:
        return False
    whole += rest > 0.5
    if whole >= <uint64_t>TENS[n]:  # 9.9996 became 10.000
        whole //= 10
        e += 1
    if whole < <uint64_t>TENS[n - 1]:  # the guess of the exponent was one too high
        return False
    whole *= <uint64_t>POW10[9 - n]
    digits[0] = <char>(c'0' + whole // EIGHT_DIGITS)
    store8(digits + 1, text8(whole % EIGHT_DIGITS) | DIGITS)
    exponent[0] = e
    return True


cdef bint digits_slowly(double value, int32_t n, char* digits, int32_t* exponent) noexcept nogil:
    """The same for every positive value. C's library rounds exactly; its decimal point, which follows the locale, is stepped over."""
    cdef char[64] text
    cdef int32_t i = 0
    cdef int32_t found = 0
    cdef int32_t e = 0
    cdef bint negative = False
    if snprintf(text, sizeof(text), "%.*e", <int>(n - 1), value) <= 0:
        return False
    while text[i] != 0 and text[i] != c'e':
        if c'0' <= text[i] <= c'9' and found < n:
            digits[found] = text[i]
            found += 1
        i += 1
    if text[i] != c'e' or found != n:
        return False
    i += 1
    if text[i] == c'-' or text[i] == c'+':
        negative = text[i] == c'-'
        i += 1
    while c'0' <= text[i] <= c'9':
        e = e * 10 + (text[i] - c'0')
        i += 1
    exponent[0] = -e if negative else e
    return True


cdef void put_double(Writer* w, double value, int32_t digits) noexcept nogil:
    """A JSON number of at most `digits` (1 to 17) significant digits, correctly rounded, without trailing zeros; null if it is not finite."""
    cdef char[MAX_DIGITS + 1] text
    cdef int32_t n = 1 if digits < 1 else MAX_DIGITS if digits > MAX_DIGITS else digits
    cdef int32_t e = 0
    if not isfinite(value):
        put_bytes(w, b"null", 4)
        return
    if value == 0.0:
        put_bytes(w, b"0", 1)
        return
    if not ((n <= 9 and digits_quickly(fabs(value), n, text, &e)) or digits_slowly(fabs(value), n, text, &e)):
        put_bytes(w, b"null", 4)
        return
    while n > 1 and text[n - 1] == c'0':
        n -= 1
    if value < 0:
        put_bytes(w, b"-", 1)
    if e < -7 or e >= 17:
        put_bytes(w, text, 1)
        if n > 1:
            put_bytes(w, b".", 1)
            put_bytes(w, text + 1, n - 1)
        put_bytes(w, b"e", 1)
        put_int(w, e)
    elif e < 0:
        put_bytes(w, b"0.0000000", 1 - e)
        put_bytes(w, text, n)
    else:
        put_bytes(w, text, n if n <= e + 1 else e + 1)
        put_bytes(w, b"0000000000000000", e + 1 - n if n <= e else 0)
        if n > e + 1:
            put_bytes(w, b".", 1)
            put_bytes(w, text + e + 1, n - e - 1)


cdef void put_time(Writer* w, ns_t at_ns) noexcept nogil:
    if at_ns == NO_TIME:
        put_bytes(w, b"null", 4)
    else:
        put_int(w, at_ns)


cdef Py_ssize_t utf8_size(const unsigned char* at, Py_ssize_t left) noexcept nogil:
    """Bytes of the well-formed character at `at` (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF); 0 if it is none."""
    cdef unsigned char low = 0x80
    cdef unsigned char high = 0xBF
    cdef Py_ssize_t size, i
    if at[0] < 0x80:
        return 1
    if 0xC2 <= at[0] <= 0xDF:
        size = 2
    elif 0xE0 <= at[0] <= 0xEF:
        size = 3
        if at[0] == 0xE0:
            low = 0xA0
        elif at[0] == 0xED:
            high = 0x9F
    elif 0xF0 <= at[0] <= 0xF4:
        size = 4
        if at[0] == 0xF0:
            low = 0x90
        elif at[0] == 0xF4:
            high = 0x8F
    else:
        return 0
    if left < size or at[1] < low or at[1] > high:
        return 0
    for i in range(2, size):
        if at[i] < 0x80 or at[i] > 0xBF:
            return 0
    return size


cdef void put_string(Writer* w, const char* text, Py_ssize_t size) noexcept nogil:
    """Quoted and escaped. What is no UTF-8 becomes U+FFFD: a payload is valid JSON whatever a venue sent."""
    cdef const char* hexadecimal = b"0123456789abcdef"
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t plain = 0       # the run of bytes that need no escape begins here
    cdef Py_ssize_t step
    cdef unsigned char ch
    put_bytes(w, b'"', 1)
    while i < size:
        ch = <unsigned char>text[i]
        step = 1
        if ch >= 0x80:
            step = utf8_size(<const unsigned char*>text + i, size - i)
        if step > 0 and ch >= 0x20 and ch != c'"' and ch != c'\\':
            i += step
            continue
        put_bytes(w, text + plain, i - plain)
        i += 1
        plain = i
        if step == 0:
            put_bytes(w, b"\\ufffd", 6)
        elif ch == c'"':
            put_bytes(w, b'\\"', 2)
        elif ch == c'\\':
            put_bytes(w, b"\\\\", 2)
        elif ch == c'\n':
            put_bytes(w, b"\\n", 2)
        else:
            put_bytes(w, b"\\u00", 4)
            put_bytes(w, hexadecimal + (ch >> 4), 1)
            put_bytes(w, hexadecimal + (ch & 15), 1)
    put_bytes(w, text + plain, size - plain)
    put_bytes(w, b'"', 1)


cdef bytes taken(Writer* w):
    try:
        if w.failed:
            raise MemoryError
        return w.at[:w.size]
    finally:
        writer_free(w)


def text_of_int(int64_t value):
    """`put_int` for tests."""
    cdef Writer w
    writer_init(&w, 1)
    put_int(&w, value)
    return taken(&w)


def text_of_decimal(int64_t value, int32_t scale):
    """`put_decimal` for tests."""
    cdef Writer w
    writer_init(&w, 1)
    put_decimal(&w, value, scale)
    return taken(&w)


def text_of_double(double value, int32_t digits):
    """`put_double` for tests."""
    cdef Writer w
    writer_init(&w, 1)
    put_double(&w, value, digits)
    return taken(&w)


def text_of_time(ns_t at_ns):
    """`put_time` for tests."""
    cdef Writer w
    writer_init(&w, 1)
    put_time(&w, at_ns)
    return taken(&w)


def text_of_string(bytes text):
    """`put_string` for tests."""
    cdef Writer w
    writer_init(&w, 1)
    put_string(&w, text, len(text))
    return taken(&w)
