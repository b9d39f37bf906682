"""A published channel: its class, its sequence, its words; and what writes its text."""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.backlog cimport Record
from cext.tap cimport Tap
from cext.units cimport ns_t
from cext.writer cimport Writer

cdef enum DeliveryClass:
    CRITICAL = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3
    N_CLASSES = 4

cdef enum EventMark:  # The envelope's `flags`.
    MARK_SNAPSHOT = 1
    MARK_BACKFILL = 2
    MARK_SYNTHETIC = 4
    MARK_SAMPLED = 8
    MARK_SUSPECT_TIME = 16
    MARK_MAYBE_BAD = 32
    MARK_ROUNDED = 64

cdef class Source:
    """What a channel's dirty slot asks for its text. Streams are Sources."""
    cdef void render(self, Channel channel, Writer* w) noexcept nogil
    cdef void restart(self, Channel channel) noexcept nogil     # a queued channel was emptied: a full image must come next

cdef class Channel:
    """One published channel: one class, one sequence, one writer."""
    cdef readonly bytes name            # type:exchange:symbol[:timeframe], as published
    cdef readonly str type
    cdef readonly str exchange
    cdef readonly str symbol
    cdef readonly str timeframe         # "" where there is none
    cdef uint32_t _standing             # EventMarks of all its events for now
    cdef readonly DeliveryClass cls
    cdef readonly bint queued           # written at once though LOW
    cdef readonly bint keeps_last       # newest value at last:{name}
    cdef readonly int64_t seq           # of the last event written
    cdef readonly int64_t n_pending     # updates that the dirty slot stands for
    cdef Source source
    cdef ns_t ts_event                  # of the newest update in the dirty slot
    cdef ns_t ts_recv
    cdef uint32_t flags                 # of the newest update in the dirty slot
    # the outbox's own
    cdef int32_t _row
    cdef int32_t _next_dirty            # rows, linked: -1 ends
    cdef int32_t _next_shut
    cdef bytes _head                    # {"v":1,"type":…,"epoch":E,"seq":
    cdef const char* _head_at           # borrowed from _head, for code without the interpreter
    cdef Py_ssize_t _head_size
    cdef bytes _words                   # the RESP words that never change: PUBLISH, XADD, SET with their keys
    cdef const char* _publish_at
    cdef Py_ssize_t _publish_size
    cdef const char* _store_at          # XADD's or SET's
    cdef Py_ssize_t _store_size
    cdef int64_t _stream_ms             # last stream id given
    cdef ns_t _trimmed_ns               # when its stream was last trimmed
    cdef bint _dirty
    cdef const char* _name_at           # borrowed from name
    cdef Py_ssize_t _name_size
    cdef int64_t _n_spooled             # events that live in the journal alone: newer ones go behind them
    cdef readonly bint orphan           # known from the journal alone: nobody writes to it in this process
    cdef readonly bint quarantined              # its key refuses our command: its events go aside
    cdef bint _shut                     # emptied, and waiting for room before its stream is asked for an image
    cdef int32_t _n_queued
    cdef Record* _queue_first           # its waiting records, by their links
    cdef Record* _queue_last
    cdef int64_t _n_emptied             # events that the next one stands for
    cdef bint has_source
    cdef bint _tapped
    cdef readonly Tap tap               # somebody looks at it; None: nobody
    cdef readonly int64_t n_shed
    cdef bytes _held                    # newest fields of a channel without a Source
    cdef const char* _held_at
    cdef Py_ssize_t _held_size

cdef void channel_begin(Channel channel, Writer* w, int64_t conflated, ns_t ts_event, ns_t ts_recv, ns_t ts_pub, uint32_t flags) noexcept nogil
