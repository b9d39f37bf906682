"""The venue's own best bids and asks of late: a ring in the order of their ids."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from cext.events cimport Event, Level


cdef bint touches_init(Touches* t) noexcept nogil:
    """False if there is no memory."""
    t.n = 0
    t.ring = <Touch*>calloc(TOUCHES, sizeof(Touch))
    return t.ring != NULL


cdef void touches_free(Touches* t) noexcept nogil:
    free(t.ring)
    t.ring = NULL


cdef void touches_clear(Touches* t) noexcept nogil:
    t.n = 0


cdef Touch* touches_at(const Touches* t, int64_t n) noexcept nogil:
    return &t.ring[n % TOUCHES]


cdef Touch* touches_add(Touches* t, const Event* event, const Level* levels) noexcept nogil:
    """Keep a best bid/ask event; an id that falls (the venue began anew) empties the ring first."""
    cdef Touch* touch
    if t.n > 0 and event.cross_id < touches_at(t, t.n - 1).cross_id:
        t.n = 0
    touch = touches_at(t, t.n)
    t.n += 1
    touch.cross_id = event.cross_id
    touch.bid.px = touch.bid.qty = touch.ask.px = touch.ask.qty = 0
    if event.n_bids > 0:
        touch.bid = levels[event.bids]
    if event.n_asks > 0:
        touch.ask = levels[event.asks]
    return touch


cdef int64_t touches_first(const Touches* t, int64_t cross_id) noexcept nogil:
    """The number of the first touch kept whose id is not below `cross_id` (t.n if there is none)."""
    cdef int64_t low = t.n - TOUCHES if t.n > TOUCHES else 0
    cdef int64_t high = t.n
    cdef int64_t middle
    while low < high:
        middle = (low + high) // 2
        if touches_at(t, middle).cross_id < cross_id:
            low = middle + 1
        else:
            high = middle
    return low
