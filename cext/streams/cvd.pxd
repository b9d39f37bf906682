"""Cumulative volume delta: bought less sold, exactly, by timeframe."""

from libc.stdint cimport int32_t, int64_t

from cext.cadence cimport Cadence
from cext.deltas cimport Delta
from cext.doubts cimport Doubts
from cext.names cimport Names
from cext.stream cimport Stream
from cext.turnover cimport Turnover
from cext.units cimport ns_t
from cext.writer cimport Writer

cdef enum:
    N_TIMEFRAMES = 15

cdef struct CvdNow:         # of one timeframe, for scores: in base and in quote coins
    double delta
    double quote_delta
    double rolling
    double quote_rolling
    double session
    double quote_session
    bint complete           # nothing of the rolling span is or may be missing

cdef class Cvd(Stream):
    cdef readonly Names names
    cdef readonly str word
    cdef readonly tuple timeframes
    cdef readonly int64_t n_suspect_times   # trades whose time could not be believed
    cdef readonly int64_t n_restarts        # sums that began anew: one did not fit, or our clock was set back
    cdef Delta deltas[N_TIMEFRAMES]         # all of them, published or not; the last is the session
    cdef Cadence _cadence
    cdef void* _outlets[N_TIMEFRAMES]       # channels, borrowed; NULL: not published
    cdef tuple _channels                    # owns them
    cdef Turnover _bought                   # of the second _second, not yet in the deltas
    cdef Turnover _sold
    cdef int64_t _second
    cdef bint _pending
    cdef ns_t _ts_event                     # of the newest trade
    cdef ns_t _ts_recv
    cdef int64_t _since                     # second of the first trade; NO_ID: none came
    cdef int64_t _passed                    # where the clock was last
    cdef int64_t _lost_to                   # the newest second that lacks trades for good
    cdef Doubts _doubts

    cdef bint now(self, int64_t seconds, CvdNow* to) noexcept nogil     # False: not such a timeframe, or no trade yet
    cdef void _begin(self, int64_t second) noexcept nogil
    cdef void _fold(self) noexcept nogil
    cdef bint _complete(self, int64_t from_s, int64_t to_s) noexcept nogil
    cdef void _mark(self, int32_t i) noexcept nogil
    cdef void _put(self, Writer* w, const Delta* d) noexcept nogil
