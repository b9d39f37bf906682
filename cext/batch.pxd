"""One batch of a lane: its events as commands, and each answer to its place. What was refused stays, in its order, and is sent again."""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t

from cext.backlog cimport Record
from cext.replies cimport ErrorKind, Replies, Reply
from cext.retention cimport Retention
from cext.units cimport ns_t
from cext.writer cimport Writer

cdef enum:
    COMMAND_PUBLISH = 1
    COMMAND_STORE = 2       # XADD or SET

cdef struct Item:  # One event of a batch.
    Record* record
    uint8_t wants           # commands not yet answered well: COMMAND_PUBLISH | COMMAND_STORE
    uint8_t sent            # those of the last sending
    int8_t error            # ErrorKind of the last answer that was none
    int8_t error_command
    bint trims

cdef enum BatchPhase:  # What the next reply answers.
    PHASE_IDLE
    PHASE_MULTI
    PHASE_QUEUED
    PHASE_EXEC
    PHASE_RESULTS

cdef struct Batch:
    Item* items
    int32_t n
    int32_t room
    Writer out              # its commands
    bint in_flight          # written to a connection, replies still missing
    BatchPhase phase
    int32_t item            # whose reply comes next
    uint8_t command
    int8_t error            # ErrorKind of the batch as a whole
    ns_t sent_ns
    Replies replies

cdef struct Answers:  # What Redis said that was no confirmation.
    int64_t[20] errors      # by ErrorKind
    int64_t n_unheard       # CRITICAL and HIGH that no subscriber was there for
    char[200] text          # of the newest error reply
    Py_ssize_t size

cdef bint batch_init(Batch* batch) noexcept nogil
cdef void batch_free(Batch* batch) noexcept nogil
cdef bint batch_push(Batch* batch, Record* record, void** rows) noexcept nogil      # False: no memory
cdef void batch_pack(Batch* batch, bint atomic, void** rows, Retention* retention, ns_t now_ns, int64_t* retries) noexcept nogil
cdef bint batch_on_reply(Batch* batch, const Reply* reply, Answers* answers) noexcept nogil  # False: it cannot answer what was sent
