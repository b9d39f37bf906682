"""A run of stops, as far as public data can show one (no venue publishes resting stops): a burst of prints of one side, fast, beyond a price where stops
are likely to be set. An inference, never a fact, so it has a confidence below 1.

A burst goes on while its prints follow each other within `window_ns`; it counts when so many of them as are `least` fell into one window, and what traded
against it meanwhile was at most a fifth of it. The evidence is put together as independent hints are: 1 - product of (1 - weight * strength).

    prints      0.30 * (how many more than were needed, of 8)
    level       0.35 beyond a swing (swings.pxd), half of that at a round price
    size        0.20 * (its worth, of `least` prints of the size that one in a hundred of a day's prints exceeds)
    interest    0.50 * (how much the open interest fell, of what the burst traded); where it rose by half of that or more, the confidence is cut to a third
"""

from libc.stdint cimport int32_t, int64_t

from cext.events cimport Side
from cext.prints cimport Print
from cext.turnover cimport Turnover
from cext.units cimport ns_t, px_t

cdef enum:
    MAX_LEAST = 32
    SIZE_HINTS = 8          # prints more than needed that are as many as can be

cdef struct Burst:
    Side side
    int64_t n               # prints; 0: none
    ns_t since              # the venue's times of the first and the last one
    ns_t until
    ns_t heard              # our time of the last one
    px_t start              # the first one's first price
    px_t end                # the furthest
    double size             # quote coins
    double against          # of the other side meanwhile
    bint dense              # `least` of them fell into one window
    Turnover turnover
    ns_t times[MAX_LEAST]   # of the last ones, by number modulo `least`

cdef struct StopHints:      # NAN: not known
    double prints
    double level
    double size
    double interest

cdef bint burst_add(Burst* b, const Print* print, ns_t at, ns_t heard, ns_t window_ns, int32_t least, Burst* over) noexcept nogil  # True: `over` has ended
cdef void burst_against(Burst* b, double size, ns_t at, ns_t window_ns) noexcept nogil
cdef bint burst_counts(const Burst* b) noexcept nogil
cdef double stop_confidence(const StopHints* h) noexcept nogil
cdef px_t round_crossed(px_t start, px_t end) noexcept nogil                # the furthest round price from beyond `start` up to `end`; 0: none
