"""Records of one delivery class in the order in which they were accepted. It owns their memory.

    tail ... front ... next ... end        kept for a replay | sent, or done out of turn | waiting

A record never moves: a pointer to it is good until the tail has passed it. Memory comes in chunks that are used again, so that a bus that keeps up
stays in the cache and one that is away costs what waits, no more.
"""

from libc.stdint cimport int8_t, int32_t, int64_t

from cext.units cimport ns_t

cdef enum RecordState:
    RECORD_WAITING
    RECORD_SENT
    RECORD_DONE         # in one of its ends: what it says counts only for a replay

cdef struct Record:  # Its payload follows it.
    Record* link                # the next waiting one of the same queued channel
    int64_t epoch
    int64_t seq
    int64_t ms                  # stream id = ms-seq; 0 where there is no stream
    ns_t accepted_ns            # once it is confirmed: when that was
    ns_t recv_ns                # of the frame that it comes from; NO_TIME where there is none
    int32_t size                # of the payload
    int32_t channel             # its row in the outbox
    int8_t state
    int8_t cls
    bint confirmed              # once at least: a second time it is a replay
    int64_t place               # its ordinal in the journal; -1: only here

cdef struct Chunk:  # Its bytes follow it.
    Chunk* next
    Py_ssize_t size
    Py_ssize_t capacity

cdef struct Place:
    Chunk* chunk
    Py_ssize_t offset

cdef struct Backlog:
    Chunk* first
    Chunk* last
    Chunk* spare                # one, so that a quiet backlog asks for no memory
    Place tail
    Place front
    Place next
    Place fresh                 # what is older is done, or in the journal too
    int64_t n_added             # records, ever
    int64_t n_passed            # of them, by `fresh`
    int64_t n_open              # records that are not done
    int64_t open_bytes
    int64_t kept_bytes          # done ones behind the front
    int64_t room_bytes          # of all its chunks

cdef void backlog_init(Backlog* b) noexcept nogil
cdef void backlog_free(Backlog* b) noexcept nogil
cdef Record* backlog_add(Backlog* b, const char* payload, Py_ssize_t size) noexcept nogil    # NULL: no memory
cdef Record* backlog_next(Backlog* b) noexcept nogil            # the oldest waiting one, or NULL
cdef void backlog_done(Backlog* b, Record* record) noexcept nogil
cdef void backlog_rewind(Backlog* b) noexcept nogil             # what was sent and is not done waits again
cdef void backlog_forget(Backlog* b, ns_t before_ns, int64_t max_bytes) noexcept nogil  # gives up kept records
cdef Record* backlog_fresh(Backlog* b) noexcept nogil           # the oldest one that is open and only here, or NULL
cdef int64_t backlog_reopen(Backlog* b) noexcept nogil          # everything kept is looked at again: `front`, `next`, `fresh` go to the tail
cdef Record* backlog_at(Place* place) noexcept nogil            # the record at a place, or NULL at the end
cdef void backlog_step(Place* place) noexcept nogil

cdef inline char* record_payload(Record* record) noexcept nogil:
    return <char*>record + sizeof(Record)

cdef inline Py_ssize_t record_room(const Record* record) noexcept nogil:
    """Bytes from a record to the next one."""
    return (sizeof(Record) + record.size + 7) & ~7
