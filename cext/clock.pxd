"""The one source of time. Live it asks the system; in a replay or a simulation it is set by hand, so that the same input gives the same bytes."""

from cext.units cimport ns_t

cdef class Clock:
    cdef readonly bint manual
    cdef ns_t _at_ns

    cdef ns_t now_ns(self) noexcept nogil
