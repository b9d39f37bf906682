"""Signals of one instrument and what they come to together; `total` is its newest state for who looks across venues."""

from libc.stdint cimport int32_t, int64_t

from cext.latency cimport N_BUCKETS
from cext.measures.signal cimport Signal, SignalNews, SignalRules
from cext.names cimport Names
from cext.outbox cimport Channel
from cext.stream cimport Stream
from cext.streams.flow cimport Flow
from cext.streams.liquidity cimport Liquidity
from cext.streams.momentum cimport Momentum
from cext.streams.spoofing cimport Spoofing
from cext.units cimport ns_t
from cext.writer cimport Writer

cdef enum SignalKind:
    KIND_IMBALANCE = 0
    KIND_FLOW
    KIND_CVD_DIVERGENCE
    KIND_MOMENTUM
    KIND_WALLS
    KIND_LIQUIDATIONS
    KIND_SPOOFING
    KIND_FUNDING        # from here on told from outside (p9): they work on polled data
    KIND_BASIS
    KIND_INSURANCE
    KIND_IV_SKEW
    N_KINDS

cdef enum SignalGroup:      # signals of one group see the same thing: only the strongest of them counts
    GROUP_BOOK = 0
    GROUP_TRADES
    GROUP_PRICE
    GROUP_FORCED
    GROUP_CARRY
    GROUP_STRESS
    GROUP_OPTIONS
    N_GROUPS

cdef struct Total:
    double strength         # NAN: nothing is known
    double confidence
    int32_t counted         # signals that count
    int32_t known           # signals whose inputs live

cdef class Signals(Stream):
    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef readonly Flow flow                 # inputs; None: that signal is not known
    cdef readonly Momentum momentum
    cdef readonly Liquidity liquidity
    cdef readonly Spoofing spoofing
    cdef Signal signals[N_KINDS]
    cdef Signal aggregate
    cdef Total total
    cdef double weights[N_KINDS]
    cdef int32_t counted[N_KINDS]           # whether it is the one of its group that counts now
    cdef SignalRules _rules
    cdef SignalRules _total_rules
    cdef double _ofi_ticks
    cdef double _wall_bps
    cdef double _cascade                    # quote coins of forced orders in a minute that are a cascade
    cdef double _divergence_z
    cdef bint _synced
    cdef double _imbalance                  # exponential mean in time …
    cdef double _imbalance_now              # … of what is in force; NAN: not known
    cdef int64_t _top_version               # of the book that _imbalance_now is of
    cdef ns_t _imbalance_ns
    cdef double _volume                     # decayed sums of what was traded, in quote coins: all of it …
    cdef double _net                        # … and bought less sold
    cdef ns_t _volume_ns
    cdef double _quote_unit                 # quote coins that px * qty of 1 are; inverse contracts: that qty of 1 is
    cdef double _forced                     # decayed sum of forced orders, signed, in quote coins
    cdef ns_t _forced_ns
    cdef bint _hears_forced
    cdef double _outside[N_KINDS]           # strengths told from outside, as of _outside_ns; NAN: not known
    cdef double _outside_confidence[N_KINDS]
    cdef ns_t _outside_ns[N_KINDS]
    cdef ns_t _outside_half_ns[N_KINDS]     # half-life; 0: it stands
    cdef list _inputs                       # bytes: what is told with them
    cdef int64_t base_ns[N_BUCKETS]         # from the input to the base signal
    cdef int64_t total_ns[N_BUCKETS]        # and to the aggregated one

    cdef ns_t _origin(self, int32_t kind, ns_t now_ns) noexcept nogil
    cdef void _put_outside(self, Writer* w, int32_t kind) noexcept nogil
    cdef double _measure(self, int32_t kind, ns_t now_ns, double* confidence) noexcept nogil
    cdef void _take(self, int32_t kind, ns_t now_ns, ns_t origin_ns) noexcept nogil
    cdef void _sum(self, ns_t now_ns, ns_t origin_ns) noexcept nogil
    cdef void _tell(self, int32_t kind, SignalNews news, ns_t now_ns, ns_t origin_ns) noexcept nogil
    cdef void _tell_total(self, SignalNews news, ns_t now_ns, ns_t origin_ns) noexcept nogil
    cdef void _put_state(self, Writer* w, const Signal* s, SignalNews news) noexcept nogil
    cdef void _put_inputs(self, Writer* w, int32_t kind) noexcept nogil
    cdef double _top(self) noexcept nogil
    cdef void _pass(self, ns_t now_ns) noexcept nogil
    cdef void _see_imbalance(self, ns_t now_ns) noexcept nogil
