"""Quantiles of sizes over a sliding window, without keeping the sizes: a DDSketch that is cut into slices of time.

A size falls into one of the buckets that grow by at most 1/32, and a quantile is told as the middle of its bucket: whatever the sizes and
their order, it is within 1/64 (QUANTILE_ERROR) of the size that stands at that rank when all are sorted. Neither P-square (no bound, no window)
nor a t-digest (a bound on the rank alone, and its answer depends on the order) promises that; a digest also sorts, this only counts. Buckets
are read off the bits of a double, with no logarithm, so every machine counts alike and a replay gives the same answers.

What leaves the window leaves by slices: the newest of the N_SLICES is filling, so that the window covers 7/8 of its length at least.
It owns its counts, about 27 kB, from quantiles_init to quantiles_free. Times are handed in; one that falls back counts in the current slice.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.units cimport ns_t

cdef enum:
    N_SLICES = 8
    N_BUCKETS = 768     # 24 octaves below the largest size of the window; smaller ones are counted as the smallest that is told apart

cdef extern from *:
    """
    #define P9_QUANTILE_ERROR (1.0 / 64.0)
    """
    const double QUANTILE_ERROR "P9_QUANTILE_ERROR"

cdef struct Quantiles:
    ns_t slice_ns
    int64_t slice           # the current slice's number since 1970
    int64_t lowest          # the bucket, by its bits, that the first column counts, and all below it
    int64_t n               # sizes in the window
    uint32_t* counts        # N_SLICES rows of N_BUCKETS, by slice number modulo N_SLICES; then their sums

cdef bint quantiles_init(Quantiles* q, ns_t window_ns) noexcept nogil           # False: no memory
cdef void quantiles_free(Quantiles* q) noexcept nogil
cdef void quantiles_add(Quantiles* q, double size, ns_t now_ns) noexcept nogil  # what is not a positive finite number is left out
cdef void quantiles_pass(Quantiles* q, ns_t now_ns) noexcept nogil              # time goes on though nothing comes
# The size at rank ceil(share * n), 0 < share < 1. False, and nothing told, while it is not known: with less than one size expected above it.
cdef bint quantiles_at(const Quantiles* q, double share, double* size) noexcept nogil
