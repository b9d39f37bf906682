"""The median of a few whole numbers, by Hoare's selection, in place."""

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t


cdef inline double median_of(int64_t* rows, int32_t n) noexcept nogil:
    """The middle of `n` rows, of an even number the mean of both; not a number where there is none. The rows are left in another order."""
    cdef int64_t pivot, keep, below
    cdef int32_t low = 0
    cdef int32_t high = n - 1
    cdef int32_t middle = n // 2
    cdef int32_t i, j
    if n <= 0:
        return NAN
    while low < high:
        pivot = rows[middle]
        i = low
        j = high
        while i <= j:
            while rows[i] < pivot:
                i += 1
            while rows[j] > pivot:
                j -= 1
            if i <= j:
                keep = rows[i]
                rows[i] = rows[j]
                rows[j] = keep
                i += 1
                j -= 1
        if j < middle:
            low = i
        if i > middle:
            high = j
    if n % 2:
        return <double>rows[middle]
    below = rows[0]
    for i in range(1, middle):
        below = max(below, rows[i])
    return (<double>rows[middle] + <double>below) / 2
