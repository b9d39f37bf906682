"""What was heard in the last minute, known by its content: for events without ids, which a socket that takes over from another tells again.

Two that look alike within one frame are two; one that looks like one of an earlier frame is a repeat. It owns its ring, from the first event on.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.events cimport Event
from cext.units cimport ns_t

cdef enum:
    HEARD = 1024            # events remembered at most
    HEARD_S = 60

cdef struct Sound:
    uint64_t key
    int64_t frame
    ns_t at

cdef struct Heard:
    Sound* ring             # NULL: nothing was heard yet
    int64_t n

cdef bint heard_before(Heard* h, const Event* event, int64_t frame, ns_t ts_recv) noexcept nogil    # and remembers it
cdef void heard_free(Heard* h) noexcept nogil
