"""Raw frames put aside until an image comes."""

from libc.stdint cimport int32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from cext.units cimport ns_t


cdef void held_init(Held* held, Py_ssize_t max_bytes, int32_t max_frames) noexcept nogil:
    """Empty; memory is taken when the first frame is held."""
    memset(held, 0, sizeof(Held))
    held.max_bytes = max_bytes
    held.max_frames = max_frames


cdef void held_free(Held* held) noexcept nogil:
    free(held.bytes)
    free(held.frames)
    held.bytes = NULL
    held.frames = NULL
    held.n = held._room_frames = 0
    held.n_bytes = held._room = 0


cdef void held_clear(Held* held) noexcept nogil:
    """Forget the frames and give the memory back: a synced book holds none for hours."""
    held_free(held)


cdef bint held_add(Held* held, const char* frame, Py_ssize_t size, ns_t ts_recv) noexcept nogil:
    """A copy of `frame` at the end. False when a bound is reached or memory ends: the chain is broken then."""
    cdef Py_ssize_t room = held._room if held._room > 0 else 65536
    cdef int32_t room_frames = held._room_frames
    cdef char* bytes
    cdef HeldFrame* frames
    if held.n >= held.max_frames or size > held.max_bytes - held.n_bytes:
        return False
    while room < held.n_bytes + size:
        room *= 2
    if room != held._room:
        bytes = <char*>realloc(held.bytes, room)
        if bytes == NULL:
            return False
        held.bytes = bytes
        held._room = room
    if held.n == room_frames:
        room_frames = 2 * room_frames if room_frames > 0 else 64
        frames = <HeldFrame*>realloc(held.frames, room_frames * sizeof(HeldFrame))
        if frames == NULL:
            return False
        held.frames = frames
        held._room_frames = room_frames
    memcpy(held.bytes + held.n_bytes, frame, size)
    held.frames[held.n].offset = held.n_bytes
    held.frames[held.n].size = size
    held.frames[held.n].ts_recv = ts_recv
    held.n += 1
    held.n_bytes += size
    return True
