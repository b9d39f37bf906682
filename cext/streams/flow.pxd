"""Order flow: who pushes, how large, and what it does to the price."""

from libc.stdint cimport int32_t, int64_t

from cext.cadence cimport Cadence
from cext.events cimport Level
from cext.measures.clusters cimport Cluster, Clusters
from cext.measures.impact cimport Impact, ImpactNow
from cext.measures.ofi cimport OFI_WINDOWS, Ofi, OfiWindow
from cext.measures.sizes cimport SizeClass, Sizes
from cext.measures.vpin cimport Vpin
from cext.names cimport Names
from cext.outbox cimport Channel
from cext.prints cimport Print
from cext.stream cimport Stream
from cext.units cimport ns_t
from cext.wide cimport Wide
from cext.worth cimport Worth
from cext.writer cimport Writer

cdef struct FlowNow:            # as published last; NAN: not known
    ns_t at_ns
    bint synced                 # ofi is that of a book that is followed
    OfiWindow ofi[OFI_WINDOWS]  # 1 s, 10 s, 1 m
    double vpin
    int32_t vpin_buckets
    double vpin_size            # of a bucket, base coins
    ImpactNow impact

cdef struct LargePrint:         # the newest that has a tier; tier SIZE_RETAIL: there was none
    SizeClass tier
    Print print
    double threshold

cdef class Flow(Stream):
    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef readonly int64_t n_prints
    cdef readonly int64_t n_large           # prints of this tier, not of a higher one
    cdef readonly int64_t n_whale
    cdef readonly int64_t n_mega
    cdef FlowNow newest
    cdef LargePrint last
    cdef Sizes sizes
    cdef Clusters clusters
    cdef Ofi ofi
    cdef Vpin vpin
    cdef Impact impact
    cdef Cadence _cadence
    cdef Worth _worth
    cdef ns_t _followed_since
    cdef ns_t _ts_event                     # of the newest update
    cdef ns_t _ts_recv
    cdef int64_t _n_changes
    cdef int64_t _n_shown

    cdef void _take_top(self, ns_t at_ns) noexcept nogil
    cdef bint _look(self, ns_t now_ns) noexcept nogil
    cdef double _normalised(self, const OfiWindow* window, int32_t level) noexcept nogil
    cdef void _put_ofi(self, Writer* w) noexcept nogil
    cdef void _put_quote(self, Writer* w, Wide amount) noexcept nogil
    cdef void _put_classes(self, Writer* w) noexcept nogil
    cdef void _put_cluster(self, Writer* w, const Cluster* one) noexcept nogil
    cdef void _put_last(self, Writer* w) noexcept nogil
