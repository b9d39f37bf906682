"""Momentum: which way the price goes by horizon, its jumps, its spikes."""

from libc.stdint cimport int32_t, int64_t

from cext.cadence cimport Cadence
from cext.measures.jumps cimport Jump, Jumps
from cext.measures.trend cimport Trend
from cext.names cimport Names
from cext.outbox cimport Channel
from cext.stream cimport Stream
from cext.units cimport ns_t, px_t
from cext.worth cimport Worth
from cext.writer cimport Writer

cdef enum:
    N_HORIZONS = 4          # 1 s, 10 s, 1 m, 5 m
    N_INTERVALS = 2         # of jumps: 1 s, 1 m

cdef struct MomentumNow:            # NAN: not known
    ns_t at_ns
    bint followed                   # the book is synced: there is a price
    double moves[N_HORIZONS]        # logarithmic returns of a horizon
    double z[N_HORIZONS]
    int32_t trends[N_HORIZONS]      # 1 or -1 beyond the threshold, else 0
    double statistics[N_INTERVALS]  # of jumps
    int64_t n_jumps
    int64_t n_spikes

cdef class Momentum(Stream):
    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef MomentumNow newest
    cdef MomentumNow _told          # as published last
    cdef Trend trends[N_HORIZONS]
    cdef Jumps jumps[N_INTERVALS]   # spikes are those of the first
    cdef double _threshold          # of |z|
    cdef Cadence _cadence
    cdef Worth _worth
    cdef px_t _bid                  # as they are in force; 0: not known
    cdef px_t _ask
    cdef ns_t _passed_ns
    cdef ns_t _ts_event
    cdef ns_t _ts_recv

    cdef void _begin(self, ns_t now_ns) noexcept nogil
    cdef void _pass(self, ns_t now_ns) noexcept nogil
    cdef void _take_top(self, ns_t now_ns) noexcept nogil
    cdef void _look(self, ns_t now_ns) noexcept nogil
    cdef bint _moved(self) noexcept nogil
    cdef void _put_jump(self, Writer* w, int32_t interval, const Jump* jump) noexcept nogil
