"""When a derived channel may be written again: four times a second by default, instruments in turns, so that they do not all come at one tick."""

from libc.stdint cimport int32_t, int64_t

from cext.units cimport ns_t

cdef enum:
    TICK_NS = 50_000_000    # of the pipeline's timer, by default

cdef struct Cadence:
    ns_t every_ns
    int64_t turn


cdef inline bint cadence_due(Cadence* c, ns_t now_ns, int32_t ix) noexcept nogil:
    """Once in `every_ns`, at the first tick of the timer after it."""
    cdef int64_t turn = (now_ns + ix * <ns_t>TICK_NS) // c.every_ns
    if turn == c.turn:
        return False
    c.turn = turn
    return True
