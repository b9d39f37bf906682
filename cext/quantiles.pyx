"""Quantiles of sizes over a sliding window, without keeping the sizes: a DDSketch that is cut into slices of time.

C. Masson, J. E. Rim, H. K. Lee, DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees, VLDB 2019. Its collapsing of the
lowest buckets is kept: what is too small beside the largest size is nobody's threshold.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memmove, memset

from cext.units cimport ns_t

cdef enum:
    KEPT_BITS = 5       # of the mantissa: 32 buckets to an octave
    CUT_BITS = 52 - KEPT_BITS
    HEADROOM = 256      # columns kept free above the first size of an empty window


cdef inline int64_t _bucket(double size) noexcept nogil:
    """Positive doubles are ordered as their bits are: exponent, then mantissa."""
    cdef uint64_t bits
    memcpy(&bits, &size, 8)
    return <int64_t>(bits >> CUT_BITS)


cdef inline double _middle(int64_t bucket) noexcept nogil:
    cdef uint64_t bits = (<uint64_t>bucket << CUT_BITS) | (<uint64_t>1 << (CUT_BITS - 1))
    cdef double size
    memcpy(&size, &bits, 8)
    return size


cdef bint quantiles_init(Quantiles* q, ns_t window_ns) noexcept nogil:
    q.slice_ns = max(window_ns // N_SLICES, <ns_t>1)
    q.slice = 0
    q.lowest = 0
    q.n = 0
    q.counts = <uint32_t*>calloc((N_SLICES + 1) * N_BUCKETS, sizeof(uint32_t))
    return q.counts != NULL


cdef void quantiles_free(Quantiles* q) noexcept nogil:
    free(q.counts)
    q.counts = NULL


cdef void _forget(Quantiles* q, int64_t slice) noexcept nogil:
    """Take a slice's counts out of the sums."""
    cdef uint32_t* row = q.counts + (slice % N_SLICES) * N_BUCKETS
    cdef uint32_t* sums = q.counts + N_SLICES * N_BUCKETS
    cdef int32_t i
    for i in range(N_BUCKETS):
        sums[i] -= row[i]
        q.n -= row[i]
        row[i] = 0


cdef void quantiles_pass(Quantiles* q, ns_t now_ns) noexcept nogil:
    cdef int64_t slice
    if now_ns < (q.slice + 1) * q.slice_ns:  # a product: this is asked with every size
        return
    slice = now_ns // q.slice_ns
    if slice - q.slice >= N_SLICES:
        memset(q.counts, 0, (N_SLICES + 1) * N_BUCKETS * sizeof(uint32_t))
        q.n = 0
        q.slice = slice
    while q.slice < slice:
        q.slice += 1
        _forget(q, q.slice)  # the row is that of the slice a window ago


cdef void _raise(Quantiles* q, int64_t by) noexcept nogil:
    """A size lies above the last column: all go down by so many, the lowest into one."""
    cdef uint32_t* row
    cdef uint32_t sunk
    cdef int32_t i, n
    cdef int32_t moved = <int32_t>min(by, <int64_t>(N_BUCKETS - 1))
    q.lowest += by
    for n in range(N_SLICES + 1):
        row = q.counts + n * N_BUCKETS
        sunk = 0
        for i in range(moved):
            sunk += row[i]
        memmove(row, row + moved, (N_BUCKETS - moved) * sizeof(uint32_t))
        memset(row + N_BUCKETS - moved, 0, moved * sizeof(uint32_t))
        row[0] += sunk


cdef void _lower(Quantiles* q, int64_t bucket) noexcept nogil:
    """A size lies below the first column: go down to it, as far as the largest counted one allows. What was sunk before stays where it is."""
    cdef uint32_t* row = q.counts + N_SLICES * N_BUCKETS
    cdef int32_t room = N_BUCKETS - 1
    cdef int32_t n, moved
    while room >= 0 and row[room] == 0:
        room -= 1
    moved = <int32_t>min(q.lowest - bucket, <int64_t>(N_BUCKETS - 1 - room))
    if moved == 0:
        return
    q.lowest -= moved
    for n in range(N_SLICES + 1):
        row = q.counts + n * N_BUCKETS
        memmove(row + moved, row, (N_BUCKETS - moved) * sizeof(uint32_t))
        memset(row, 0, moved * sizeof(uint32_t))


cdef void quantiles_add(Quantiles* q, double size, ns_t now_ns) noexcept nogil:
    cdef int64_t bucket, column
    if not isfinite(size) or size <= 0.0:
        return
    quantiles_pass(q, now_ns)
    bucket = _bucket(size)
    if q.n == 0:
        q.lowest = max(bucket - (N_BUCKETS - HEADROOM), <int64_t>0)
    column = bucket - q.lowest
    if column >= N_BUCKETS:
        _raise(q, column - (N_BUCKETS - 1))
    elif column < 0:
        _lower(q, bucket)
    column = max(bucket - q.lowest, <int64_t>0)
    q.counts[(q.slice % N_SLICES) * N_BUCKETS + column] += 1
    q.counts[N_SLICES * N_BUCKETS + column] += 1
    q.n += 1


cdef bint quantiles_at(const Quantiles* q, double share, double* size) noexcept nogil:
    cdef const uint32_t* sums = q.counts + N_SLICES * N_BUCKETS
    cdef int64_t above, rank
    cdef int32_t i = N_BUCKETS
    rank = <int64_t>(share * q.n)  # sizes below it; cut down, then up again unless it is whole
    if <double>rank < share * q.n:
        rank += 1
    above = q.n - rank
    if q.n == 0 or above < 1 or rank < 1:
        return False
    # from above: of the large sizes, whose quantiles are wanted mostly, there are few
    while i > 0:
        i -= 1
        above -= sums[i]
        if above < 0:
            break
    size[0] = _middle(q.lowest + i)
    return True


cdef class Sketch:
    """The same for Python: for tests, and for what is too slow to need C."""

    cdef Quantiles _quantiles

    def __init__(self, ns_t window_ns):
        quantiles_free(&self._quantiles)
        if not quantiles_init(&self._quantiles, window_ns):
            raise MemoryError

    def __dealloc__(self):
        quantiles_free(&self._quantiles)

    def add(self, double size, ns_t now_ns):
        """Count one size."""
        quantiles_add(&self._quantiles, size, now_ns)

    def at(self, double share, now_ns=None):
        """The quantile, or None while it is not known."""
        cdef double size = 0.0
        if now_ns is not None:
            quantiles_pass(&self._quantiles, now_ns)
        return size if quantiles_at(&self._quantiles, share, &size) else None

    @property
    def n(self):
        """Sizes in the window."""
        return self._quantiles.n
