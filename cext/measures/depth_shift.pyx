"""How far a side's depth has moved from where it used to lie."""

from libc.math cimport NAN, exp, fabs
from libc.stdint cimport int32_t
from libc.string cimport memset

from cext.measures.survey cimport SideSurvey, Survey
from cext.units cimport NO_TIME, ns_t

cdef enum:
    BASELINE_PART = 6       # of tau: seen before it is a baseline


cdef void shift_init(DepthShift* s, ns_t tau_ns) noexcept nogil:
    memset(s, 0, sizeof(DepthShift))
    s.tau_ns = tau_ns
    s.at_ns = NO_TIME
    s.bps = NAN


cdef void shift_pause(DepthShift* s) noexcept nogil:
    if s.at_ns != NO_TIME:
        s.since_ns -= s.at_ns   # what was seen so far
        s.at_ns = NO_TIME
    s.bps = NAN


cdef double _distance(const DepthShift* s, const SideSurvey* now, Survey survey, int32_t n) noexcept nogil:
    """W1 over the first `n` bins."""
    cdef double total = 0.0
    cdef double usual = 0.0
    cdef double f = 0.0
    cdef double g = 0.0
    cdef double sum = 0.0
    cdef int32_t i
    cdef int32_t from_bps = 0
    for i in range(n):
        total += now.bins[i].quote
        usual += s.means[i]
    if total <= 0.0 or usual <= 0.0:
        return NAN
    for i in range(n):
        f += now.bins[i].quote / total
        g += s.means[i] / usual
        sum += fabs(f - g) * (survey.bps_of(i) - from_bps)
        from_bps = survey.bps_of(i)
    return sum


cdef void shift_survey(DepthShift* s, Survey survey, int32_t side, ns_t now_ns) noexcept nogil:
    """One more survey: first held against the baseline, then made part of it."""
    cdef const SideSurvey* now = &survey.sides[side]
    cdef double share
    cdef int32_t i, n
    if not survey.valid:
        shift_pause(s)
        return
    if survey.n_edges != s.n_edges:
        shift_init(s, s.tau_ns)
        s.n_edges = survey.n_edges
    if s.at_ns == NO_TIME:
        s.since_ns += now_ns    # it goes on from what was seen before a pause
        s.at_ns = now_ns
    n = min(now.n_known, s.n_known)
    s.bps = _distance(s, now, survey, n) if n > 0 and now_ns - s.since_ns >= s.tau_ns // BASELINE_PART else NAN
    share = 1.0 - exp(-<double>(now_ns - s.at_ns) / <double>s.tau_ns)
    for i in range(n):
        s.means[i] += share * (now.bins[i].quote - s.means[i])
    for i in range(s.n_known, now.n_known):
        s.means[i] = now.bins[i].quote
    s.n_known = max(s.n_known, now.n_known)
    s.at_ns = now_ns
