"""Every event that has not come to its end, in memory and in the journals; and what Redis confirmed a short while ago."""

from libc.stdint cimport int32_t, int64_t

from cext.backlog cimport Backlog, Record
from cext.channel cimport Channel, DeliveryClass
from cext.journal cimport Journal

cdef struct ClassCount:  # accepted = confirmed + conflated + shed + quarantined + waiting, at all times
    int64_t accepted
    int64_t confirmed
    int64_t conflated
    int64_t shed
    int64_t quarantined
    int64_t slots           # dirty slots: waiting, not yet written
    int64_t replayed        # confirmed once more, after Redis had forgotten them
    int64_t replaying       # to be: they wait, and were counted as confirmed
    int64_t recovered       # accepted by an earlier process, found in the journal
    int64_t spooled         # ever put into the journal, copies included
    int64_t retries
    int64_t confirmed_bytes

cdef struct ClassBound:
    int64_t items
    int64_t bytes

cdef class Store:
    cdef readonly bint sharded          # SPUBLISH instead of PUBLISH
    cdef readonly bint spools           # CRITICAL and HIGH have journals
    cdef readonly list journals         # of CRITICAL and HIGH, or nothing
    cdef void* _journals[2]             # the same, borrowed
    cdef int64_t[2] _turn               # records of CRITICAL and HIGH there were at the last `journal`
    cdef list _channels                 # owns them
    cdef void** _rows                   # the same, borrowed
    cdef int32_t _n_rows
    cdef dict _by_name
    cdef dict _orphans                  # {(name, class): Channel}
    cdef Backlog[4] _backlogs
    cdef ClassCount[4] _counts
    cdef ClassBound[4] _bounds

    cdef Channel _name(self, Channel channel, bytes name, DeliveryClass cls)
    cdef Channel _spooled_channel(self, bytes name, int cls)
    cdef void _end(self, Record* record) noexcept nogil
    cdef bint _journal(self, int cls, int64_t up_to) noexcept nogil
    cdef int64_t _reopen_tail(self, dict known)
