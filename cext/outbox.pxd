"""Finished Redis commands on their way out, kept until Redis has confirmed them. Written by pipelines, drained by the publisher.

CRITICAL and HIGH: an event is written at once, its `seq` and stream id fixed, and held until confirmed.
MEDIUM and LOW: one dirty slot a channel; the text is written by the channel's stream when the slot is taken into a flush. What was sent is
never conflated. A `queued` LOW channel (depth) is written at once into a bounded queue of its own: over the bound it is emptied as a unit,
its `seq` goes back to the first one emptied, and its stream is asked for a full image.

To write an event at once:   w = out.open(channel, ts_event, ts_recv, flags)   put_bytes(w, ',"price":', 9) …   out.close(channel)
To mark a channel dirty:     out.mark(channel, ts_event, ts_recv)              and later the outbox calls  channel.source.render(channel, w)
The envelope and the closing brace are the outbox's; a stream writes its own fields, each with its leading comma.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.clock cimport Clock
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
    cdef bytes _head                    # {"v":1,"type":…,"epoch":E,"seq":
    cdef bytes _publish                 # the RESP words that never change
    cdef bytes _add
    cdef bytes _set
    cdef int64_t _stream_ms             # last stream id given
    cdef int64_t _stream_n
    cdef bint _dirty
    cdef int32_t _n_queued
    cdef int64_t _queued_from           # seq of the first event in the queue

cdef class Outbox:
    cdef readonly Clock clock
    cdef readonly int64_t epoch

    cpdef Channel channel(self, str type, str exchange, str symbol, str market, str venue_symbol, DeliveryClass cls,
                          Source source=*, str timeframe=*, str word=*, bint queued=*, bint keeps_last=*)
    cdef Writer* open(self, Channel channel, ns_t ts_event, ns_t ts_recv, uint32_t flags) noexcept nogil
    cdef void amends(self, int64_t epoch, int64_t seq) noexcept nogil  # right after open: this event corrects that one
    cdef int64_t close(self, Channel channel) noexcept nogil            # the event's seq; -1 if it was dropped (counted)
    cdef void mark(self, Channel channel, ns_t ts_event, ns_t ts_recv, uint32_t flags) noexcept nogil
