"""A signal: a strength between -1 (down) and 1 (up), told when it begins, when it changes by something, and when it ends.

It begins where its size reaches `enter`, and ends where it falls under `leave`, turns without reaching `enter` on the other side, or is not known any
more. In between it is told again when it moved by `step` or turned, but not more often than `pause_ns`. A Signal is plain memory of its owner's.
"""

from libc.stdint cimport int64_t

from cext.units cimport ns_t

cdef enum SignalNews:
    SIGNAL_NOTHING = 0
    SIGNAL_BEGINS
    SIGNAL_CHANGES
    SIGNAL_ENDS

cdef struct SignalRules:
    double enter
    double leave
    double step
    ns_t pause_ns

cdef struct Signal:
    double strength         # as measured last; NAN: its inputs are not known
    double confidence       # in [0, 1]
    double told             # 0: it is not in force
    double last             # what was told before that
    ns_t since_ns           # it is in force
    ns_t told_ns
    int64_t n_begun

cdef void signal_init(Signal* s) noexcept nogil
cdef SignalNews signal_take(Signal* s, const SignalRules* rules, double strength, double confidence, ns_t now_ns) noexcept nogil
cdef double squashed(double x) noexcept nogil       # into [-1, 1], x where it is small; NAN stays
