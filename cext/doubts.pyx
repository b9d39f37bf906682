"""Which seconds may lack trades that can still come."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memmove


cdef bint doubts_full(const Doubts* doubts) noexcept nogil:
    return doubts.n == MAX_DOUBTS


cdef void doubts_add(Doubts* doubts, const Doubt* doubt) noexcept nogil:
    """There must be room."""
    doubts.rows[doubts.n] = doubt[0]
    doubts.n += 1


cdef void _remove(Doubts* doubts, int32_t i, Doubt* doubt) noexcept nogil:
    doubt[0] = doubts.rows[i]
    doubts.n -= 1
    memmove(&doubts.rows[i], &doubts.rows[i + 1], (doubts.n - i) * sizeof(Doubt))


cdef bint doubts_take(Doubts* doubts, int64_t number, Doubt* doubt) noexcept nogil:
    """Remove the oldest of this number. False if there is none."""
    cdef int32_t i
    for i in range(doubts.n):
        if doubts.rows[i].number == number:
            _remove(doubts, i, doubt)
            return True
    return False


cdef bint doubts_take_lost(Doubts* doubts, int64_t before_s, Doubt* doubt) noexcept nogil:
    """Remove one of the losses that end before this second. False if there is none."""
    cdef int32_t i
    for i in range(doubts.n):
        if doubts.rows[i].number == LOST and doubts.rows[i].to_s < before_s:
            _remove(doubts, i, doubt)
            return True
    return False


cdef bint doubts_touch(const Doubts* doubts, int64_t from_s, int64_t to_s) noexcept nogil:
    """Whether any of these seconds may lack trades."""
    cdef int32_t i
    for i in range(doubts.n):
        if doubts.rows[i].from_s <= to_s and doubts.rows[i].to_s >= from_s:
            return True
    return False
