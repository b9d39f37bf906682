"""A bounded copy of what goes by on a channel that somebody looks at. It owns its memory; nobody waits for it and nothing depends on it."""

from libc.stdint cimport int64_t

cdef class Tap:
    cdef readonly int64_t n_seen        # events that went by
    cdef readonly int64_t n_missed      # of them: pushed out before anybody took them
    cdef readonly Py_ssize_t capacity   # most bytes kept
    cdef readonly bint newest           # only the newest event is kept
    cdef char* _at                      # events end to end, each behind its size
    cdef Py_ssize_t _size
    cdef Py_ssize_t _room
    cdef int64_t _n                     # events kept

    cdef void add(self, const char* text, Py_ssize_t size) noexcept nogil
