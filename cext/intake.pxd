"""Where events come in: written by streams, each into its place behind what waits of its class."""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.backlog cimport Record
from cext.channel cimport Channel, DeliveryClass, Source
from cext.clock cimport Clock
from cext.store cimport Store
from cext.units cimport ns_t
from cext.writer cimport Writer

cdef class Intake(Store):
    cdef readonly Clock clock
    cdef readonly int64_t epoch
    cdef public object wake             # called without arguments, once until the next flush, when there is something to flush
    cdef readonly int32_t n_queue_items  # of one queued channel
    cdef readonly int sheds_from          # classes from this one on are shed, as the appliance is late itself; N_CLASSES: none
    cdef bint _awake
    cdef Writer _event                  # the event between open and close
    cdef ns_t _opened_ns
    cdef ns_t _opened_recv_ns
    cdef int32_t[4] _dirty_first        # rows of dirty channels, linked, oldest first
    cdef int32_t[4] _dirty_last
    cdef int32_t _shut_first
    cdef dict _classes                  # {type: class}, other than the stream's own
    cdef readonly int64_t n_channel_changes     # channels that came or went, ever

    cpdef Channel channel(self, str type, str exchange, str symbol, str market, str venue_symbol, DeliveryClass cls,
                          Source source=*, str timeframe=*, str word=*, bint queued=*, bint keeps_last=*)
    cpdef leave(self, Channel channel)
    cdef Writer* open(self, Channel channel, ns_t ts_event, ns_t ts_recv, uint32_t flags) noexcept nogil
    cdef void amends(self, int64_t epoch, int64_t seq) noexcept nogil  # right after open: this event corrects that one
    cdef int64_t close(self, Channel channel) noexcept nogil            # the event's seq; -1 if it was dropped (counted)
    cdef int64_t _shed(self, Channel channel) noexcept nogil
    cdef int64_t _spool(self, Channel channel) noexcept nogil
    cdef int64_t _new_ms(self, Channel channel, ns_t now_ns) noexcept nogil
    cdef void mark(self, Channel channel, ns_t ts_event, ns_t ts_recv, uint32_t flags) noexcept nogil
    cpdef wake_up(self)

    cdef void _stamp(self, Channel channel, Record* record, ns_t now_ns, ns_t ts_recv) noexcept nogil
    cdef void _empty(self, Channel channel) noexcept nogil
    cdef void _reopen(self) noexcept nogil
    cdef void _restart(self, Channel channel) noexcept nogil
