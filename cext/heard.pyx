"""What was heard in the last minute, known by its content."""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free

from cext.events cimport Event
from cext.units cimport NO_TIME, ns_t


cdef inline uint64_t _mixed(uint64_t key, int64_t value) noexcept nogil:
    key = (key ^ <uint64_t>value) * <uint64_t>0x9E3779B97F4A7C15
    return key ^ key >> 29


cdef bint heard_before(Heard* h, const Event* event, int64_t frame, ns_t ts_recv) noexcept nogil:
    cdef uint64_t key
    cdef int64_t i
    cdef Sound* sound
    if event.ts_event == NO_TIME:  # without a time, alike is not the same
        return False
    if h.ring == NULL:
        h.ring = <Sound*>calloc(HEARD, sizeof(Sound))
        if h.ring == NULL:
            return False
    key = _mixed(_mixed(_mixed(_mixed(_mixed(0, event.ts_event), event.px), event.qty), <int64_t>event.side), event.last_id)
    i = h.n
    while i > 0 and i > h.n - HEARD:
        i -= 1
        sound = &h.ring[i % HEARD]
        if ts_recv - sound.at > HEARD_S * <ns_t>1_000_000_000:
            break
        if sound.key == key and sound.frame != frame:
            return True
    sound = &h.ring[h.n % HEARD]
    sound.key = key
    sound.frame = frame
    sound.at = ts_recv
    h.n += 1
    return False


cdef void heard_free(Heard* h) noexcept nogil:
    free(h.ring)
    h.ring = NULL
