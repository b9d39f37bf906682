"""How much of the streams is kept: a time, or less of it where the bytes of all streams would be too many."""

from libc.stdint cimport int64_t

cdef enum:
    N_TRIM_BUCKETS = 64     # of the retained time: bytes stored in each

cdef struct Retention:
    int64_t retain_ms
    int64_t max_bytes
    int64_t[64] stored          # in streams, in each of the last N_TRIM_BUCKETS parts of the retained time
    int64_t bucket
    int64_t trim_after_ms       # what is older than this goes

cdef void retention_init(Retention* r, int64_t retain_ms, int64_t max_bytes) noexcept nogil
cdef void retention_count(Retention* r, int64_t bytes, int64_t now_ms) noexcept nogil
