"""How much of the streams is kept: a time, or less of it where the bytes of all streams would be too many."""

from libc.stdint cimport int64_t
from libc.string cimport memset


cdef void retention_init(Retention* r, int64_t retain_ms, int64_t max_bytes) noexcept nogil:
    memset(r, 0, sizeof(Retention))
    r.retain_ms = r.trim_after_ms = retain_ms
    r.max_bytes = max_bytes


cdef void retention_count(Retention* r, int64_t bytes, int64_t now_ms) noexcept nogil:
    """`bytes` more are stored. Keep `trim_after_ms` such that all streams together stay under their bound: the youngest buckets that fit in it are kept."""
    cdef int64_t width_ms = r.retain_ms // N_TRIM_BUCKETS + 1
    cdef int64_t bucket = now_ms // width_ms
    cdef int64_t total = 0
    cdef int i
    if bucket != r.bucket:
        if bucket - r.bucket >= N_TRIM_BUCKETS or bucket < r.bucket:
            memset(r.stored, 0, sizeof(r.stored))
        else:
            for i in range(<int>(bucket - r.bucket)):
                r.stored[(r.bucket + 1 + i) % N_TRIM_BUCKETS] = 0
        r.bucket = bucket
        r.trim_after_ms = r.retain_ms
        for i in range(N_TRIM_BUCKETS):
            total += r.stored[(bucket - i + N_TRIM_BUCKETS) % N_TRIM_BUCKETS]
            if total > r.max_bytes - r.max_bytes // 16:
                r.trim_after_ms = i * width_ms
                break
    r.stored[bucket % N_TRIM_BUCKETS] += bytes
