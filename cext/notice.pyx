"""Notices of changes of state, oldest first."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport realloc

from cext.stream cimport BookState, Reason
from cext.units cimport ns_t


cdef void notices_add(Notices* notices, int32_t instrument, BookState state, Reason reason, int64_t expected_id, int64_t got_id,
                      ns_t at_ns) noexcept nogil:
    """Note a change of state for p9."""
    cdef Notice* rows
    cdef int32_t room
    if notices.n == notices._room:
        room = 2 * notices._room if notices._room > 0 else 64
        rows = <Notice*>realloc(notices.rows, room * sizeof(Notice))
        if rows == NULL:
            notices.lost = True
            return
        notices.rows = rows
        notices._room = room
    notices.rows[notices.n].instrument = instrument
    notices.rows[notices.n].state = state
    notices.rows[notices.n].reason = reason
    notices.rows[notices.n].expected_id = expected_id
    notices.rows[notices.n].got_id = got_id
    notices.rows[notices.n].at_ns = at_ns
    notices.n += 1
