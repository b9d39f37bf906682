"""Large prints that come in a row."""

from libc.string cimport memset

from cext.turnover cimport Turnover, turnover_clear, turnover_merge
from cext.units cimport ns_t


cdef void clusters_init(Clusters* c) noexcept nogil:
    memset(c, 0, sizeof(Clusters))


cdef void clusters_add(Clusters* c, bint bought, const Turnover* turnover, ns_t at_ns) noexcept nogil:
    """A large print. One that comes too late to follow what came before it, or would not fit its sums, is left out."""
    cdef Cluster* one = &c.bought if bought else &c.sold
    if one.n > 0 and at_ns < one.until - c.gap_ns:
        return
    if one.n == 0 or at_ns - one.until > c.gap_ns:
        one.n = 0
        one.since = one.until = at_ns
        turnover_clear(&one.turnover)
    if not turnover_merge(&one.turnover, turnover):
        return
    one.n += 1
    one.since = min(one.since, at_ns)
    one.until = max(one.until, at_ns)
    if one.n == c.least:
        c.n_ever += 1
