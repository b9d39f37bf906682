"""Bought less sold in one timeframe, exactly: in its intervals, and in the sliding span of its length.

A Turnover holds the difference here, so it may be negative. The span slides by steps of a sixtieth of the timeframe, of a second at least: it is
made of whole steps and of the one that is filling. Seconds are counted since 1970. What comes late goes where it belongs.
"""

from libc.stdint cimport int32_t, int64_t

from cext.symbols cimport Symbol
from cext.turnover cimport Turnover

cdef enum:
    MAX_STEPS = 60

cdef struct Delta:
    int64_t seconds         # of the timeframe
    int64_t step_s
    int32_t n_steps
    int64_t index           # of the forming interval, in whole timeframes since 1970; NO_ID: nothing came yet
    int64_t step            # the step that is filling, likewise
    Turnover forming
    Turnover previous       # of the interval before it
    Turnover sliding        # of the steps, together
    Turnover steps[MAX_STEPS]
    bint changed            # since its owner last looked

cdef void delta_begin(Delta* d, int64_t seconds, int64_t second) noexcept nogil
cdef bint delta_pass(Delta* d, int64_t second) noexcept nogil                       # it is that second now; False: a sum did not fit
cdef bint delta_add(Delta* d, int64_t second, const Turnover* net) noexcept nogil   # the same
cdef bint delta_rescale(Delta* d, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil
cdef int64_t delta_sliding_from(const Delta* d) noexcept nogil                      # the first second of the sliding span
