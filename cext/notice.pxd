"""What became of a book, for p9 to act on: a list that the pipeline hands out and empties."""

from libc.stdint cimport int32_t, int64_t

from cext.stream cimport BookState, Reason
from cext.units cimport ns_t

cdef struct Notice:         # a change of a book's state
    int32_t instrument
    BookState state
    Reason reason
    int64_t expected_id
    int64_t got_id
    ns_t at_ns

cdef struct Notices:
    Notice* rows
    int32_t n
    int32_t _room
    bint lost               # no memory: whoever reads them must look at every book

cdef void notices_add(Notices* notices, int32_t instrument, BookState state, Reason reason, int64_t expected_id, int64_t got_id,
                      ns_t at_ns) noexcept nogil
