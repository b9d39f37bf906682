"""Raw frames put aside until an image comes, in the order they came. It owns copies; bounded in frames and bytes."""

from libc.stdint cimport int32_t

from cext.units cimport ns_t

cdef struct HeldFrame:
    Py_ssize_t offset
    Py_ssize_t size
    ns_t ts_recv

cdef struct Held:
    char* bytes
    Py_ssize_t n_bytes
    Py_ssize_t max_bytes        # the bound
    Py_ssize_t _room
    HeldFrame* frames
    int32_t n
    int32_t max_frames          # the bound
    int32_t _room_frames

cdef void held_init(Held* held, Py_ssize_t max_bytes, int32_t max_frames) noexcept nogil
cdef void held_free(Held* held) noexcept nogil
cdef void held_clear(Held* held) noexcept nogil
cdef bint held_add(Held* held, const char* frame, Py_ssize_t size, ns_t ts_recv) noexcept nogil
