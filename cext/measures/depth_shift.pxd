"""How far a side's depth has moved from where it used to lie: the Wasserstein distance of its shares by distance from those of the last hour.

W1(F, G) = integral of |F - G| over the distance in basis points, F the share of the side's notional that lies within a distance now, G the same of
a baseline, an exponential mean over `tau_ns` (after Tao, Day, Ling and Drapeau, arXiv 2009.14818). Only over distances known both now and then; a baseline is one once it
has seen a sixth of its time.
"""

from libc.stdint cimport int32_t

from cext.measures.survey cimport MAX_EDGES, SideSurvey, Survey
from cext.units cimport ns_t

cdef struct DepthShift:
    ns_t tau_ns
    double means[MAX_EDGES]     # of each bin's notional
    int32_t n_edges             # whose: others begin anew
    int32_t n_known             # so many bins have a mean
    ns_t since_ns
    ns_t at_ns                  # NO_TIME: nothing was seen yet
    double bps                  # not a number while it is not known

cdef void shift_init(DepthShift* s, ns_t tau_ns) noexcept nogil
cdef void shift_pause(DepthShift* s) noexcept nogil             # the book is lost: what passes until the next survey does not count
cdef void shift_survey(DepthShift* s, Survey survey, int32_t side, ns_t now_ns) noexcept nogil
