"""A signal: a strength between -1 (down) and 1 (up), told when it begins, when it changes by something, and when it ends."""

from libc.math cimport NAN, fabs, isnan, tanh

from cext.units cimport NO_TIME, ns_t


cdef void signal_init(Signal* s) noexcept nogil:
    s.strength = NAN
    s.confidence = s.told = s.last = 0
    s.since_ns = s.told_ns = NO_TIME
    s.n_begun = 0


cdef double squashed(double x) noexcept nogil:
    return x if isnan(x) else tanh(x)


cdef SignalNews _tell(Signal* s, double told, ns_t now_ns, SignalNews news) noexcept nogil:
    s.last = s.told
    s.told = told
    s.told_ns = now_ns
    if news == SIGNAL_BEGINS:
        s.since_ns = now_ns
        s.n_begun += 1
    return news


cdef SignalNews signal_take(Signal* s, const SignalRules* rules, double strength, double confidence, ns_t now_ns) noexcept nogil:
    """The strength that was measured now; what is to be told of it."""
    s.strength = strength
    s.confidence = confidence
    if s.told == 0:
        if not isnan(strength) and fabs(strength) >= rules.enter:
            return _tell(s, strength, now_ns, SIGNAL_BEGINS)
        return SIGNAL_NOTHING
    if isnan(strength) or fabs(strength) < rules.leave or (strength * s.told < 0 and fabs(strength) < rules.enter):
        return _tell(s, 0, now_ns, SIGNAL_ENDS)
    if (strength * s.told < 0 or fabs(strength - s.told) >= rules.step) and now_ns - s.told_ns >= rules.pause_ns:
        return _tell(s, strength, now_ns, SIGNAL_CHANGES)
    return SIGNAL_NOTHING
