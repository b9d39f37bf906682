"""A bounded copy of what goes by on a channel that somebody looks at (p9/ops/dashboard). Without a Tap a channel pays one comparison an event."""

from libc.stdint cimport int32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

cdef enum:
    SIZE = sizeof(int32_t)
    FIRST_ROOM = 1024


cdef class Tap:
    """`capacity`: most bytes kept between two `take`s. What does not fit pushes out all that is kept, and is counted: whoever comes so late wants
    to know what is, not what was. `newest`: every event pushes out the one before."""

    def __cinit__(self, Py_ssize_t capacity=65536, bint newest=False):
        self.capacity = capacity
        self.newest = newest

    def __dealloc__(self):
        free(self._at)

    cdef void add(self, const char* text, Py_ssize_t size) noexcept nogil:
        cdef int32_t n = <int32_t>size
        cdef Py_ssize_t room
        cdef char* grown
        self.n_seen += 1
        if self.newest or self._size + SIZE + size > self.capacity:
            self.n_missed += self._n
            self._size = self._n = 0
        if SIZE + size > self.capacity:
            self.n_missed += 1
            return
        if self._size + SIZE + size > self._room:
            room = max(2 * self._room, self._size + SIZE + size, <Py_ssize_t>FIRST_ROOM)
            grown = <char*>realloc(self._at, min(room, self.capacity))
            if grown == NULL:
                self.n_missed += 1
                return
            self._at = grown
            self._room = min(room, self.capacity)
        memcpy(self._at + self._size, &n, SIZE)
        memcpy(self._at + self._size + SIZE, text, size)
        self._size += SIZE + size
        self._n += 1

    def take(self):
        """The payloads since the last `take`, oldest first, as bytes."""
        cdef Py_ssize_t at = 0
        cdef int32_t n
        taken = []
        while at < self._size:
            memcpy(&n, self._at + at, SIZE)
            taken.append(self._at[at + SIZE:at + SIZE + n])
            at += SIZE + n
        self._size = self._n = 0
        return taken

    def feed(self, bytes payload):
        """`add` for tests."""
        self.add(payload, len(payload))
