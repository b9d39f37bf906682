"""Histograms of latency: four buckets to an octave from a microsecond."""

from libc.stdint cimport int64_t

from cext.units cimport ns_t


cdef int bucket_of(ns_t ns) noexcept nogil:
    """0: under a microsecond; then four to an octave."""
    cdef int64_t quarters = ns // 250
    cdef int octave = 0
    if quarters < 4:
        return 0
    while quarters >= 8:
        quarters >>= 1
        octave += 1
    octave = 1 + 4 * octave + <int>(quarters - 4)
    return octave if octave < N_BUCKETS else N_BUCKETS - 1


def bucket_bounds_s():
    """The upper bound of each bucket of a latency histogram, in seconds."""
    return [1e-6 * (1 if i == 0 else ((i - 1) % 4 + 5) / 4.0 * 2.0 ** ((i - 1) // 4)) for i in range(N_BUCKETS - 1)] + [float("inf")]
