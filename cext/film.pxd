"""One book's snapshots on their way to storage: now and then a whole frame, between them what changed. docs/snapshots.md is the format.

A Film is one book's and remembers the image before; a Reel is what waits, of all books, until p9.snapshots takes it. What is written here is the
body of a record; compression, checksums and files are p9's, off the loop.
"""

from libc.stdint cimport int32_t, int64_t

from cext.events cimport Level
from cext.units cimport ns_t, px_t
from cext.writer cimport Writer

cdef enum FrameKind:
    FRAME_KEY = 0       # whole: needs nothing before it
    FRAME_CHANGES       # against the frame before
    FRAME_END           # the book was not valid from here on

cdef struct Image:      # a book to some depth at one moment
    ns_t taken
    ns_t ts_event
    ns_t ts_recv
    int64_t depth_seq   # NO_ID: there is no depth stream
    int64_t update_id
    px_t valid_bid      # 0: known to the bottom
    px_t valid_ask      # INT64_MAX: known to the top
    int32_t px_scale
    int32_t qty_scale
    int32_t n_bids
    int32_t n_asks
    Level* bids         # best first; borrowed
    Level* asks

cdef struct Shot:       # before each body in the reel
    int32_t book
    int32_t kind
    ns_t taken
    int64_t at_ms       # the turn that it stands for
    int64_t key_ms      # the turn of its key frame
    int64_t size

cdef class Reel:
    cdef readonly int64_t n_key         # frames
    cdef readonly int64_t n_changes
    cdef readonly int64_t n_bytes       # of bodies, ever
    cdef readonly int64_t n_lost        # frames that found no room; the next one of their book is a key frame
    cdef public Py_ssize_t max_bytes    # that may wait
    cdef int32_t _n_books
    cdef Writer _waiting
    cdef Level* _changes                # scratch: of both sides
    cdef int32_t _room

    cdef bint _make_room(self, int32_t n) noexcept nogil
    cdef bint _begin(self, const Shot* shot, Py_ssize_t* from_size) noexcept nogil
    cdef bint _finish(self, Py_ssize_t from_size) noexcept nogil

cdef class Film:
    cdef readonly int32_t book          # its number in the reel
    cdef readonly bytes head
    cdef readonly int64_t interval_ms
    cdef readonly int64_t key_every     # turns
    cdef Reel _reel
    cdef const char* _head_at
    cdef Py_ssize_t _head_size
    cdef Image _before
    cdef int32_t _room                  # levels a side that _before has memory for
    cdef int64_t _at_ms                 # of the frame before
    cdef int64_t _key_ms
    cdef int64_t _scene                 # key_every turns, from one key frame to the next
    cdef bint _running                  # there is a frame to build upon

    cdef bint shoot(self, const Image* image, int64_t turn) noexcept nogil
    cdef void end(self, const char* why, Py_ssize_t size, ns_t now_ns) noexcept nogil
    cdef void _write(self, Writer* w, const Image* image, bint key) noexcept nogil
    cdef bint _remember(self, const Image* image) noexcept nogil
