"""The memory of a Batch: grown when a frame needs it, never shrunk, bounded by MAX_LEVELS and MAX_EVENTS."""

from libc.stdint cimport int32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from cext.units cimport NO_ID, NO_TIME


cdef bint batch_init(Batch* batch) noexcept nogil:
    """False if there is no memory."""
    memset(batch, 0, sizeof(Batch))
    batch.max_events = 64
    batch.max_levels = 4096
    batch.events = <Event*>malloc(batch.max_events * sizeof(Event))
    batch.levels = <Level*>malloc(batch.max_levels * sizeof(Level))
    batch.instrument = -1
    return batch.events != NULL and batch.levels != NULL


cdef void batch_free(Batch* batch) noexcept nogil:
    free(batch.events)
    free(batch.levels)
    batch.events = NULL
    batch.levels = NULL


cdef void batch_clear(Batch* batch) noexcept nogil:
    batch.n_events = 0
    batch.n_levels = 0
    batch.instrument = -1
    batch.topic = TOPIC_NONE
    batch.unknown_enums = 0
    batch.unknown.at = NULL
    batch.unknown.size = 0


cdef Event* batch_event(Batch* batch, EventKind kind, int32_t instrument) noexcept nogil:
    """Room for one more event, blank; NULL when the frame holds more than any venue sends, or memory ends.

    The pointer holds until the next call.
    """
    cdef Event* grown
    cdef Event* event
    if batch.n_events == batch.max_events:
        if batch.max_events >= MAX_EVENTS:
            return NULL
        grown = <Event*>realloc(batch.events, 2 * batch.max_events * sizeof(Event))
        if grown == NULL:
            return NULL
        batch.events = grown
        batch.max_events *= 2
    event = &batch.events[batch.n_events]
    batch.n_events += 1
    event.kind = kind
    event.instrument = instrument
    event.flags = 0
    event.ts_event = NO_TIME
    event.first_id = event.last_id = event.prev_id = event.cross_id = NO_ID
    event.bids = event.asks = batch.n_levels
    event.n_bids = event.n_asks = 0
    event.checksum = 0
    event.side = SIDE_NONE
    event.px = 0
    event.qty = 0
    event.agg_id = NO_ID
    event.trade_id_size = 0
    return event


cdef Level* batch_level(Batch* batch) noexcept nogil:
    """Room for one more level; NULL as above. The pointer holds until the next call."""
    cdef Level* grown
    if batch.n_levels == batch.max_levels:
        if batch.max_levels >= MAX_LEVELS:
            return NULL
        grown = <Level*>realloc(batch.levels, 2 * batch.max_levels * sizeof(Level))
        if grown == NULL:
            return NULL
        batch.levels = grown
        batch.max_levels *= 2
    batch.n_levels += 1
    return &batch.levels[batch.n_levels - 1]
