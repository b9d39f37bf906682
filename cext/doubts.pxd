"""Which seconds may lack trades that can still come: what the tape tells (tape.pxd), as spans of time."""

from libc.stdint cimport int32_t, int64_t

cdef enum:
    LOST = -1           # the number of a doubt that became a certainty
    MAX_DOUBTS = 32     # beyond it the oldest is taken for lost

cdef struct Doubt:      # seconds from_s..to_s
    int64_t number      # of the tape's hole; 0: a lost socket, `to_s` is open
    int64_t from_s
    int64_t to_s

cdef struct Doubts:
    int32_t n
    Doubt rows[MAX_DOUBTS]      # oldest first

cdef bint doubts_full(const Doubts* doubts) noexcept nogil
cdef void doubts_add(Doubts* doubts, const Doubt* doubt) noexcept nogil
cdef bint doubts_take(Doubts* doubts, int64_t number, Doubt* doubt) noexcept nogil
cdef bint doubts_take_lost(Doubts* doubts, int64_t before_s, Doubt* doubt) noexcept nogil
cdef bint doubts_touch(const Doubts* doubts, int64_t from_s, int64_t to_s) noexcept nogil
