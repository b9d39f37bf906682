"""128-bit signed accumulators in two 64-bit limbs (two's complement: high carries the sign)."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from cext.decimal cimport EIGHT_DIGITS, MAX_SCALE, POW10, decimal_write
from cext.word cimport DIGITS, highest_bit, store8, text8

cdef extern from *:
    """
    #define P9_LOW_HALF 0xFFFFFFFFULL
    """
    const uint64_t LOW_HALF "P9_LOW_HALF"


cdef struct _Limbs:         # an unsigned 128-bit magnitude
    uint64_t high
    uint64_t low


cdef inline bint _negative(Wide value) noexcept nogil:
    return value.high < 0


cdef inline _Limbs _magnitude(Wide value) noexcept nogil:
    cdef _Limbs m
    m.high = <uint64_t>value.high
    m.low = value.low
    if value.high < 0:
        m.low = ~m.low + 1
        m.high = ~m.high + (m.low == 0)
    return m


cdef inline Wide _signed(_Limbs m, bint negative) noexcept nogil:
    cdef Wide value
    if negative:
        m.low = ~m.low + 1
        m.high = ~m.high + (m.low == 0)
    value.high = <int64_t>m.high
    value.low = m.low
    return value


cdef inline _Limbs _product(uint64_t a, uint64_t b) noexcept nogil:
    """64 x 64 -> 128 by 32-bit halves."""
    cdef uint64_t a_low = a & LOW_HALF
    cdef uint64_t a_high = a >> 32
    cdef uint64_t b_low = b & LOW_HALF
    cdef uint64_t b_high = b >> 32
    cdef uint64_t low = a_low * b_low
    cdef uint64_t middle = a_high * b_low + (low >> 32)
    cdef uint64_t other = a_low * b_high + (middle & LOW_HALF)
    cdef _Limbs m
    m.low = (other << 32) | (low & LOW_HALF)
    m.high = a_high * b_high + (middle >> 32) + (other >> 32)
    return m


cdef inline bint _less(_Limbs a, _Limbs b) noexcept nogil:
    return a.high < b.high or (a.high == b.high and a.low < b.low)


cdef inline _Limbs _minus(_Limbs a, _Limbs b) noexcept nogil:
    cdef _Limbs m
    m.low = a.low - b.low
    m.high = a.high - b.high - (a.low < b.low)
    return m


cdef inline _Limbs _doubled(_Limbs m, uint64_t carry) noexcept nogil:
    m.high = (m.high << 1) | (m.low >> 63)
    m.low = (m.low << 1) | carry
    return m


cdef uint64_t _quotient(uint64_t high, uint64_t low, uint64_t den, uint64_t* rest) noexcept nogil:
    """(high * 2**64 + low) / den, for high < den: Knuth's algorithm D (The Art of Computer Programming, 4.3.1) with digits of 32 bits."""
    cdef int shift = 63 - highest_bit(den)
    cdef uint64_t high_half, digit, quotient, left
    cdef int32_t _i
    quotient = 0
    den <<= shift
    high = (high << shift) | (low >> 1 >> (63 - shift))
    low <<= shift
    high_half = den >> 32
    for _i in range(2):
        digit = high // high_half
        left = high - digit * high_half
        while digit > LOW_HALF or digit * (den & LOW_HALF) > (left << 32 | low >> 32):
            digit -= 1
            left += high_half
            if left > LOW_HALF:
                break
        high = (high << 32 | low >> 32) - digit * den  # modulo 2**64: what is left is less than `den`
        low <<= 32
        quotient = quotient << 32 | digit
    rest[0] = high >> shift
    return quotient


cdef _Limbs _divided(_Limbs num, _Limbs den, _Limbs* rest) noexcept nogil:
    """num / den, which is not 0. Where `den` has more than 64 bits: schoolbook long division by bits, which hardly anything needs."""
    cdef _Limbs quotient
    cdef _Limbs remainder
    cdef int32_t i
    cdef bint spilled
    quotient.high = quotient.low = remainder.high = remainder.low = 0
    if den.high == 0:
        quotient.high = num.high // den.low
        if num.high == 0:
            quotient.low = num.low // den.low
            remainder.low = num.low - quotient.low * den.low
        else:
            quotient.low = _quotient(num.high - quotient.high * den.low, num.low, den.low, &remainder.low)
        rest[0] = remainder
        return quotient
    for i in range(127, -1, -1):
        spilled = (remainder.high >> 63) != 0  # the doubled remainder would have a 129th bit: it is above any divisor
        remainder = _doubled(remainder, (num.high >> (i - 64)) & 1 if i >= 64 else (num.low >> i) & 1)
        quotient = _doubled(quotient, 0)
        if spilled or not _less(remainder, den):
            remainder = _minus(remainder, den)
            quotient.low |= 1
    rest[0] = remainder
    return quotient


cdef bint _rounded(_Limbs num, _Limbs den, bint negative, int64_t* quotient) noexcept nogil:
    """Half-even, into int64."""
    cdef _Limbs rest
    cdef _Limbs whole = _divided(num, den, &rest)
    cdef _Limbs other = _minus(den, rest)  # rest against the half of den, without doubling it
    if _less(other, rest) or (not _less(rest, other) and whole.low & 1):
        whole.low += 1
        whole.high += whole.low == 0
    if whole.high != 0 or whole.low > <uint64_t>INT64_MAX:
        return False
    quotient[0] = -<int64_t>whole.low if negative else <int64_t>whole.low
    return True


cdef Wide wide_of(int64_t value) noexcept nogil:
    cdef Wide wide
    wide.high = -1 if value < 0 else 0
    wide.low = <uint64_t>value
    return wide


cdef Wide wide_product(int64_t a, int64_t b) noexcept nogil:
    """Always fits."""
    cdef uint64_t x = <uint64_t>a if a >= 0 else <uint64_t>0 - <uint64_t>a
    cdef uint64_t y = <uint64_t>b if b >= 0 else <uint64_t>0 - <uint64_t>b
    return _signed(_product(x, y), (a < 0) != (b < 0))


cdef bint wide_add(Wide* sum, Wide term) noexcept nogil:
    """False on overflow, and nothing added."""
    cdef Wide total
    total.low = sum.low + term.low
    total.high = <int64_t>(<uint64_t>sum.high + <uint64_t>term.high + (total.low < term.low))
    if (sum.high < 0) == (term.high < 0) and (total.high < 0) != (sum.high < 0):
        return False
    sum[0] = total
    return True


cdef Wide wide_negated(Wide value) noexcept nogil:
    return _signed(_magnitude(value), not _negative(value))


cdef int32_t wide_compare(Wide a, Wide b) noexcept nogil:
    """-1, 0 or 1."""
    if a.high != b.high:
        return -1 if a.high < b.high else 1
    if a.low != b.low:
        return -1 if a.low < b.low else 1
    return 0


cdef bint wide_scaled(Wide* value, int64_t factor) noexcept nogil:
    """value *= factor; False on overflow, and nothing changed."""
    cdef _Limbs m = _magnitude(value[0])
    cdef uint64_t by = <uint64_t>factor if factor >= 0 else <uint64_t>0 - <uint64_t>factor
    cdef _Limbs low = _product(m.low, by)
    cdef _Limbs high = _product(m.high, by)
    cdef _Limbs total
    total.low = low.low
    total.high = low.high + high.low
    if high.high != 0 or total.high < low.high or total.high >> 63:
        return False
    value[0] = _signed(total, _negative(value[0]) != (factor < 0))
    return True


cdef bint wide_divide(Wide value, int64_t by, int64_t* quotient) noexcept nogil:
    """value / by, half-even; False if it does not fit or `by` is 0."""
    cdef _Limbs den
    if by == 0:
        return False
    den.high = 0
    den.low = <uint64_t>by if by > 0 else <uint64_t>0 - <uint64_t>by
    return _rounded(_magnitude(value), den, _negative(value) != (by < 0), quotient)


cdef bint wide_ratio(Wide num, Wide den, int32_t places, int64_t* quotient) noexcept nogil:
    """num x 10**places / den, half-even; False if it does not fit or `den` is 0."""
    if (den.high == 0 and den.low == 0) or not 0 <= places <= 18 or not wide_scaled(&num, POW10[places]):
        return False
    return _rounded(_magnitude(num), _magnitude(den), _negative(num) != _negative(den), quotient)


cdef Py_ssize_t wide_write(char* to, Wide value, int32_t scale) noexcept nogil:
    """Decimal text of value / 10**scale without trailing zeros; at most 48 bytes (scale up to 38)."""
    cdef char digits[40]
    cdef _Limbs m = _magnitude(value)
    cdef _Limbs sixteen
    cdef _Limbs part
    cdef int32_t at
    cdef int32_t first = 0
    cdef int32_t point = 40 - scale
    cdef int32_t last = 40
    cdef Py_ssize_t size = 0
    if value.high == <int64_t>value.low >> 63 and scale <= MAX_SCALE:
        return decimal_write(to, <int64_t>value.low, scale)
    sixteen.high = 0
    sixteen.low = <uint64_t>POW10[16]
    for at in range(24, 0, -16):
        m = _divided(m, sixteen, &part)
        store8(digits + at, text8(part.low // EIGHT_DIGITS) | DIGITS)
        store8(digits + at + 8, text8(part.low % EIGHT_DIGITS) | DIGITS)
    store8(digits, text8(m.low) | DIGITS)
    while first < point - 1 and digits[first] == c'0':
        first += 1
    while last > point and digits[last - 1] == c'0':
        last -= 1
    if _negative(value):
        to[0] = c'-'
        size = 1
    memcpy(to + size, digits + first, point - first)
    size += point - first
    if last > point:
        to[size] = c'.'
        memcpy(to + size + 1, digits + point, last - point)
        size += 1 + last - point
    return size


cdef double wide_double(Wide value, int32_t scale) noexcept nogil:
    """The nearest double or its neighbour: for scores, never for published prices."""
    cdef _Limbs m = _magnitude(value)
    cdef double magnitude = <double>m.high * 18446744073709551616.0 + <double>m.low
    while scale > 18:
        magnitude /= 1e18
        scale -= 18
    magnitude /= <double>POW10[scale]
    return -magnitude if _negative(value) else magnitude


cdef Wide _from_python(value):
    cdef Wide wide
    if not -(1 << 127) <= value < 1 << 127:
        raise OverflowError("beyond 128 bits")
    wide.high = value >> 64
    wide.low = value & ((1 << 64) - 1)
    return wide


cdef _to_python(Wide value):
    return (int(value.high) << 64) | int(value.low)


def calculate(str what, a, b=0, int32_t places=0):
    """One operation on Python integers, for tests: product, add, negated, scaled, compare, divide, ratio, write, double. None: it did not fit."""
    cdef Wide wide = _from_python(a)
    cdef int64_t quotient = 0
    cdef char text[48]
    if what == "product":
        return _to_python(wide_product(a, b))
    if what == "add":
        return (_to_python(wide) if wide_add(&wide, _from_python(b)) else None)
    if what == "negated":
        return _to_python(wide_negated(wide))
    if what == "scaled":
        return _to_python(wide) if wide_scaled(&wide, b) else None
    if what == "compare":
        return wide_compare(wide, _from_python(b))
    if what == "divide":
        return quotient if wide_divide(wide, b, &quotient) else None
    if what == "ratio":
        return quotient if wide_ratio(wide, _from_python(b), places, &quotient) else None
    if what == "write":
        return text[:wide_write(text, wide, places)].decode("ascii")
    if what == "double":
        return wide_double(wide, places)
    raise ValueError(what)
