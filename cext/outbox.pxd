"""Finished events on their way out, kept until Redis has confirmed them. Written by pipelines, drained by the publisher.

CRITICAL and HIGH: an event is written at once, its `seq` and stream id fixed, and held until confirmed.
MEDIUM and LOW: one dirty slot a channel; the text is written by the channel's stream when the slot is taken into a flush. What was sent is
never conflated. A `queued` LOW channel (depth) is written at once into a bounded queue of its own: over the bound it is emptied as a unit,
its `seq` goes back to the first one emptied, and its stream is asked for a full image.

To write an event at once:   w = out.open(channel, ts_event, ts_recv, flags)   put_bytes(w, ',"price":', 9) …   out.close(channel)
To mark a channel dirty:     out.mark(channel, ts_event, ts_recv)              and later the outbox calls  channel.source.render(channel, w)
The envelope and the closing brace are the outbox's; a stream writes its own fields, each with its leading comma.

Two lanes, each a connection of its own: lane 0 CRITICAL and HIGH, lane 1 MEDIUM and LOW, so that a burst of snapshots never stands before a
liquidation. A lane has one batch in flight: the next one is made when every reply of it is there, so an error in it overtakes nothing.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t

from cext.backlog cimport Backlog, Record
from cext.clock cimport Clock
from cext.journal cimport Entry, Journal
from cext.replies cimport ErrorKind, Replies, Reply
from cext.units cimport ns_t
from cext.writer cimport Writer

cdef enum DeliveryClass:
    CRITICAL = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3
    N_CLASSES = 4

cdef enum:
    N_LANES = 2
    N_BUCKETS = 128         # of a latency histogram: four to an octave from 1 µs
    N_TRIM_BUCKETS = 64     # of the retained time: bytes stored in each

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
    cdef readonly str exchange
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
    cdef readonly int64_t n_shed
    cdef bytes _held                    # newest fields of a channel without a Source
    cdef const char* _held_at
    cdef Py_ssize_t _held_size

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

cdef class Outbox:
    cdef readonly Clock clock
    cdef readonly int64_t epoch
    cdef public object wake             # called without arguments, once until the next flush, when there is something to flush
    cdef readonly int64_t n_batch_items
    cdef readonly int64_t n_batch_bytes
    cdef readonly int64_t n_flight_bytes
    cdef readonly int32_t n_queue_items  # of one queued channel
    cdef readonly int sheds_from          # classes from this one on are shed, as the appliance is late itself; N_CLASSES: none
    cdef readonly bint sharded          # SPUBLISH instead of PUBLISH
    cdef readonly int64_t retain_ms
    cdef public int64_t tail_ns         # confirmed CRITICAL and HIGH are kept so long …
    cdef public int64_t tail_bytes      # … and so much
    cdef bint _awake
    cdef list _channels                 # owns them
    cdef void** _rows                   # the same, borrowed
    cdef int32_t _n_rows
    cdef dict _by_name
    cdef Backlog[4] _backlogs
    cdef Batch[2] _batches
    cdef ClassCount[4] _counts
    cdef ClassBound[4] _bounds
    cdef int64_t[4][128] _confirm_ns    # accepted to confirmed
    cdef int64_t[4][128] _age_ns         # frame received to confirmed
    cdef int64_t[20] _errors          # by ErrorKind
    cdef int64_t _n_unheard             # CRITICAL and HIGH that no subscriber was there for
    cdef char[200] _error_text          # of the newest error reply
    cdef Py_ssize_t _error_size
    cdef Writer _event                  # the event between open and close
    cdef ns_t _opened_ns
    cdef ns_t _opened_recv_ns
    cdef Writer _rendered
    cdef int32_t[4] _dirty_first        # rows of dirty channels, linked, oldest first
    cdef int32_t[4] _dirty_last
    cdef int32_t _shut_first
    cdef int64_t[64] _stored            # stored in streams, in each of the last N_TRIM_BUCKETS parts of the retained time
    cdef int64_t _bucket
    cdef int64_t _trim_after_ms         # what is older than this goes: the retained time, or less where the bytes bound it
    cdef readonly int64_t max_stream_bytes
    cdef readonly bint spools           # CRITICAL and HIGH have journals
    cdef readonly list journals         # of CRITICAL and HIGH, or nothing
    cdef void* _journals[2]             # the same, borrowed
    cdef int64_t[2] _turn               # records of CRITICAL and HIGH there were at the last `journal`
    cdef dict _orphans                  # {(name, class): Channel}
    cdef dict _classes                  # {type: class}, other than the stream's own

    cpdef Channel channel(self, str type, str exchange, str symbol, str market, str venue_symbol, DeliveryClass cls,
                          Source source=*, str timeframe=*, str word=*, bint queued=*, bint keeps_last=*)
    cdef Writer* open(self, Channel channel, ns_t ts_event, ns_t ts_recv, uint32_t flags) noexcept nogil
    cdef void amends(self, int64_t epoch, int64_t seq) noexcept nogil  # right after open: this event corrects that one
    cdef int64_t close(self, Channel channel) noexcept nogil            # the event's seq; -1 if it was dropped (counted)
    cdef int64_t _shed(self, Channel channel) noexcept nogil
    cdef int64_t _spool(self, Channel channel) noexcept nogil
    cdef bint _journal(self, int cls, int64_t up_to) noexcept nogil
    cdef int64_t _new_ms(self, Channel channel, ns_t now_ns) noexcept nogil
    cdef Channel _name(self, Channel channel, bytes name, DeliveryClass cls)
    cdef Channel _spooled_channel(self, bytes name, int cls)
    cdef void mark(self, Channel channel, ns_t ts_event, ns_t ts_recv, uint32_t flags) noexcept nogil
    cpdef wake_up(self)

    cdef void _begin(self, Channel channel, Writer* w, int64_t conflated, ns_t ts_event, ns_t ts_recv, ns_t ts_pub, uint32_t flags) noexcept nogil
    cdef void _stamp(self, Channel channel, Record* record, ns_t now_ns, ns_t ts_recv) noexcept nogil
    cdef void _empty(self, Channel channel) noexcept nogil
    cdef void _reopen(self) noexcept nogil
    cdef void _restart(self, Channel channel) noexcept nogil
    cdef bint _push(self, Batch* batch, Record* record) noexcept nogil
    cdef void _fill_written(self, Batch* batch, int cls, int64_t max_items, int64_t max_bytes, int64_t* bytes, ns_t now_ns) noexcept nogil
    cdef void _unqueue(self, Channel channel, Record* record) noexcept nogil
    cdef void _fill_slots(self, Batch* batch, int cls, int64_t max_bytes, int64_t* bytes, ns_t now_ns) noexcept nogil
    cdef bint _render(self, Channel channel, Batch* batch, ns_t now_ns) noexcept nogil
    cdef void _pack(self, Batch* batch, bint atomic, ns_t now_ns) noexcept nogil
    cdef void _pack_item(self, Batch* batch, Item* item, Channel channel, ns_t now_ns) noexcept nogil
    cdef void _count_stored(self, int64_t bytes, int64_t now_ms) noexcept nogil
    cdef void _first_command(self, Batch* batch) noexcept nogil
    cdef void _to_command(self, Batch* batch) noexcept nogil
    cdef void _next_command(self, Batch* batch) noexcept nogil
    cdef ErrorKind _count_error(self, const Reply* reply) noexcept nogil
    cdef bint _on_reply(self, Batch* batch, const Reply* reply) noexcept nogil
    cdef void _on_result(self, Item* item, uint8_t command, const Reply* reply) noexcept nogil
    cdef void _settle(self, Batch* batch, ns_t now_ns) noexcept nogil
    cdef void _confirm(self, Record* record, ns_t now_ns) noexcept nogil
    cdef void _end(self, Record* record) noexcept nogil
