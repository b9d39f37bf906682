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

from libc.stdint cimport int64_t

from cext.backlog cimport Record
from cext.batch cimport Answers, Batch
from cext.channel cimport (
    CRITICAL, HIGH, LOW, MARK_BACKFILL, MARK_MAYBE_BAD, MARK_ROUNDED, MARK_SAMPLED, MARK_SNAPSHOT, MARK_SUSPECT_TIME, MARK_SYNTHETIC, MEDIUM,
    N_CLASSES, Channel, DeliveryClass, EventMark, Source,
)  # streams find them here
from cext.intake cimport Intake
from cext.retention cimport Retention
from cext.units cimport ns_t
from cext.writer cimport Writer

cdef enum:
    N_LANES = 2

cdef class Outbox(Intake):
    cdef readonly int64_t n_batch_items
    cdef readonly int64_t n_batch_bytes
    cdef readonly int64_t n_flight_bytes
    cdef readonly int64_t retain_ms
    cdef public int64_t tail_ns         # confirmed CRITICAL and HIGH are kept so long …
    cdef public int64_t tail_bytes      # … and so much
    cdef Batch[2] _batches
    cdef int64_t[4][128] _confirm_ns    # accepted to confirmed
    cdef Retention _retention
    cdef Answers _answers
    cdef int64_t[4][128] _age_ns         # frame received to confirmed
    cdef Writer _rendered

    cdef void _fill_written(self, Batch* batch, int cls, int64_t max_items, int64_t max_bytes, int64_t* bytes, ns_t now_ns) noexcept nogil
    cdef void _unqueue(self, Channel channel, Record* record) noexcept nogil
    cdef void _fill_slots(self, Batch* batch, int cls, int64_t max_bytes, int64_t* bytes, ns_t now_ns) noexcept nogil
    cdef bint _render(self, Channel channel, Batch* batch, ns_t now_ns) noexcept nogil
    cdef void _settle(self, Batch* batch, ns_t now_ns) noexcept nogil
    cdef void _confirm(self, Record* record, ns_t now_ns) noexcept nogil
