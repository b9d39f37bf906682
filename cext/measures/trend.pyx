"""Momentum of one horizon: mean return and its z-score."""

from libc.math cimport NAN, exp, pow, sqrt
from libc.stdint cimport int64_t
from libc.string cimport memset

from cext.units cimport ns_t


cdef inline double _gain() noexcept nogil:
    return 1 - exp(-1.0 / SAMPLES)


cdef void trend_init(Trend* t, ns_t horizon_ns) noexcept nogil:
    memset(t, 0, sizeof(Trend))
    t.step_ns = horizon_ns // SAMPLES
    t.memory = 60


cdef void trend_begin(Trend* t, ns_t now_ns) noexcept nogil:
    t.known = False
    t.step = (now_ns - 1) // t.step_ns


cdef bint trend_pass(Trend* t, double price, ns_t now_ns) noexcept nogil:
    cdef int64_t step = (now_ns - 1) // t.step_ns   # a price that comes at the very moment of a sample is in it
    cdef int64_t quiet
    cdef double kept, move
    if step <= t.step:
        return False
    if not t.known:
        t.known = True
        t.step += 1
        t.price = price
        if t.step == step:
            return True
    move = price - t.price
    quiet = step - t.step - 1       # samples after the first one, at the same price
    t.price = price
    t.step = step
    t.n += 1 + quiet
    kept = exp(-1.0 / SAMPLES)
    t.drift = (t.drift * kept + (1 - kept) * move) * (pow(kept, <double>quiet) if quiet > 0 else 1.0)
    kept = exp(-1.0 / (SAMPLES * t.memory))
    t.square = (t.square * kept + (1 - kept) * move * move) * (pow(kept, <double>quiet) if quiet > 0 else 1.0)
    return True


cdef double trend_return(const Trend* t) noexcept nogil:
    if t.n < LEAST_RETURNS:
        return NAN
    return SAMPLES * t.drift / (1 - exp(-<double>t.n / SAMPLES))


cdef double trend_z(const Trend* t) noexcept nogil:
    cdef double gain = _gain()
    cdef double variance
    if t.n < LEAST_RETURNS or t.square <= 0:
        return NAN
    variance = t.square / (1 - exp(-<double>t.n / (SAMPLES * t.memory)))
    return t.drift / sqrt(variance * gain / (2 - gain) * (1 - exp(-2.0 * t.n / SAMPLES)))


def scores(prices, *, double memory=60):
    """z after each of `prices` (logarithms, one a sample), for tests and studies. NAN: not known."""
    cdef Trend trend
    cdef double price
    cdef ns_t at = 1
    trend_init(&trend, SAMPLES)
    trend.memory = memory
    trend_begin(&trend, at)
    told = []
    for price in prices:
        at += 1
        trend_pass(&trend, price, at)
        told.append(trend_z(&trend))
    return told
