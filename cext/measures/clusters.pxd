"""Large prints that come in a row: each on the same side, and none longer after the one before than a gap. A convention, without a literature."""

from libc.stdint cimport int64_t

from cext.turnover cimport Turnover
from cext.units cimport ns_t

cdef struct Cluster:        # of one side, as it stands; what is shorter than `least` is none
    int64_t n               # prints
    ns_t since
    ns_t until
    Turnover turnover

cdef struct Clusters:
    int64_t least           # prints
    ns_t gap_ns
    int64_t n_ever          # that became long enough
    Cluster bought
    Cluster sold

cdef void clusters_init(Clusters* c) noexcept nogil
cdef void clusters_add(Clusters* c, bint bought, const Turnover* turnover, ns_t at_ns) noexcept nogil


cdef inline bint cluster_stands(const Clusters* c, const Cluster* one, ns_t now_ns) noexcept nogil:
    """Long enough, and the next one may still follow."""
    return one.n >= c.least and now_ns - one.until <= c.gap_ns
