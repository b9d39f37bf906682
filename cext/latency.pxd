"""Histograms of latency: four buckets to an octave from a microsecond."""

from cext.units cimport ns_t

cdef enum:
    N_BUCKETS = 128

cdef int bucket_of(ns_t ns) noexcept nogil
