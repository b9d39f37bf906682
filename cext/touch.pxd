"""The venue's own best bids and asks of late, so that the book can be held against the one with its update id."""

from libc.stdint cimport int32_t, int64_t

from cext.events cimport Event, Level

cdef enum:
    TOUCHES = 512   # a best bid/ask stream runs ahead of a batched depth stream by a few hundred at most

cdef struct Touch:
    int64_t cross_id
    Level bid       # qty 0: the side is empty
    Level ask

cdef struct Touches:
    Touch* ring
    int64_t n       # ever added since the last clear

cdef bint touches_init(Touches* t) noexcept nogil
cdef void touches_free(Touches* t) noexcept nogil
cdef void touches_clear(Touches* t) noexcept nogil
cdef Touch* touches_add(Touches* t, const Event* event, const Level* levels) noexcept nogil
cdef int64_t touches_first(const Touches* t, int64_t cross_id) noexcept nogil
cdef Touch* touches_at(const Touches* t, int64_t n) noexcept nogil
