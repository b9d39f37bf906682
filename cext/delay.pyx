"""How long frames are on their way."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memset

from cext.events cimport EVENT_BACKFILL, EVENT_BBO, EVENT_DEPTH, EVENT_OFF_BOOK, EVENT_TRADE, Event
from cext.units cimport NO_TIME, ns_t

cdef enum:
    FIRST_BIT = 19          # 2**19 ns is about half a millisecond
    FUTURE_NS = 1000000000


cdef void delays_clear(Delays* d) noexcept nogil:
    """Forget what was measured; the totals of impossible times stay."""
    cdef int32_t i
    memset(d.of_topic, 0, sizeof(d.of_topic))
    for i in range(3):
        d.of_topic[i].least = INT64_MAX


cdef int32_t _bucket(ns_t delay) noexcept nogil:
    cdef int32_t octave = 0
    if delay < 0:
        return 0
    if delay < <ns_t>1 << FIRST_BIT:
        return 1
    while delay >> (FIRST_BIT + octave + 1) > 0:
        octave += 1
    return min(2 + octave * 4 + <int32_t>((delay >> (FIRST_BIT + octave - 2)) & 3), N_DELAYS - 1)


cdef ns_t _upper(int32_t bucket) noexcept nogil:
    cdef int32_t step = bucket - 2
    if bucket == 0:
        return 0
    if bucket == 1:
        return <ns_t>1 << FIRST_BIT
    return (<ns_t>(5 + step % 4)) << (FIRST_BIT + step // 4 - 2)


cdef void delays_add(Delays* d, const Event* event, ns_t ts_recv) noexcept nogil:
    """One frame, by its first event. Images and trades that were negotiated or fetched tell nothing about the road."""
    cdef Delay* delay
    cdef ns_t took
    if event.ts_event == NO_TIME or event.flags & (EVENT_OFF_BOOK | EVENT_BACKFILL):
        return
    if event.kind == EVENT_DEPTH:
        delay = &d.of_topic[0]
    elif event.kind == EVENT_BBO:
        delay = &d.of_topic[1]
    elif event.kind == EVENT_TRADE:
        delay = &d.of_topic[2]
    else:
        return
    took = ts_recv - event.ts_event
    if took < -FUTURE_NS:
        d.n_future += 1
    elif took > 86400 * <ns_t>1000000000:
        d.n_ancient += 1
    delay.n += 1
    if took < delay.least:
        delay.least = took
    delay.counts[_bucket(took)] += 1


cdef ns_t delay_quantile(const Delay* d, double q) noexcept nogil:
    """The upper edge of the bucket in which the quantile lies; 0 where all came before they were sent."""
    cdef int64_t rank = <int64_t>(q * d.n)
    cdef int32_t i
    for i in range(N_DELAYS):
        rank -= d.counts[i]
        if rank < 0:
            return _upper(i)
    return _upper(N_DELAYS - 1)
