"""Momentum of one horizon: the mean return of late, in standard deviations of what it would be if returns had no direction.

Prices are logarithms, sampled ten times a horizon; each sample is the price in force then. With a = 1 - exp(-1/10) and b, as slow as `memory`
horizons:

    m <- (1 - a) m + a r        v <- (1 - b) v + b r^2        z = m / sqrt(v / (1 - (1 - b)^n) * a / (2 - a) * (1 - (1 - a)^2n))

n the returns so far: of independent returns without a direction z has mean 0 and deviation 1, from the first ones on. It is told from a hundred
returns on. A Trend is plain memory of its owner's.
"""

from libc.stdint cimport int64_t

from cext.units cimport ns_t

cdef enum:
    SAMPLES = 10            # a horizon
    LEAST_RETURNS = 100

cdef struct Trend:
    ns_t step_ns
    double memory           # horizons that the volatility remembers
    int64_t step            # newest sample, in whole steps since 1970
    bint known              # what the price was then
    double price
    int64_t n
    double drift            # m
    double square           # v

cdef void trend_init(Trend* t, ns_t horizon_ns) noexcept nogil
cdef void trend_begin(Trend* t, ns_t now_ns) noexcept nogil                      # the next sample is no return
cdef bint trend_pass(Trend* t, double price, ns_t now_ns) noexcept nogil        # `price` was in force until now; True: a sample was due
cdef double trend_return(const Trend* t) noexcept nogil                         # of a horizon, logarithmic; NAN: not known
cdef double trend_z(const Trend* t) noexcept nogil
