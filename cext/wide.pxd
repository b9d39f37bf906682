"""128-bit signed accumulators in two 64-bit limbs: notional, VWAP, CVD. `__int128` does not exist for MSVC."""

from libc.stdint cimport int32_t, int64_t, uint64_t

cdef struct Wide:
    int64_t high
    uint64_t low

cdef Wide wide_of(int64_t value) noexcept nogil
cdef Wide wide_product(int64_t a, int64_t b) noexcept nogil
cdef bint wide_add(Wide* sum, Wide term) noexcept nogil                      # False on overflow, and nothing added
cdef Wide wide_negated(Wide value) noexcept nogil
cdef int32_t wide_compare(Wide a, Wide b) noexcept nogil
cdef bint wide_scaled(Wide* value, int64_t factor) noexcept nogil            # value *= factor; False on overflow
cdef bint wide_divide(Wide value, int64_t by, int64_t* quotient) noexcept nogil   # half-even; False if it does not fit or by == 0
cdef bint wide_ratio(Wide num, Wide den, int32_t places, int64_t* quotient) noexcept nogil  # num * 10**places / den, half-even
cdef Py_ssize_t wide_write(char* to, Wide value, int32_t scale) noexcept nogil    # decimal text, no trailing zeros; at most 48 bytes
cdef double wide_double(Wide value, int32_t scale) noexcept nogil
