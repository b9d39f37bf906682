"""How large a print is beside the day's others, and what traded in each class of size.

Classes: retail below the median, mid, large from tier `large`, whale from tier `whale`. A tier begins at max(its floor, its quantile of the prints of
24 hours). Floors and quantiles are a convention (percentiles are common in feature catalogues, no academic standard is known). A quantile that is
not known yet (too few prints for it) gives no tier. Sums are exact, in quote coins, by sliding windows of a minute and of an hour in steps of a
sixtieth; a print belongs to the step of its time, whenever it comes. A Sizes is plain memory of its owner's.
"""

from libc.stdint cimport int32_t, int64_t

from cext.events cimport Side
from cext.prints cimport Print
from cext.quantiles cimport Quantiles
from cext.symbols cimport Symbol
from cext.units cimport ns_t
from cext.wide cimport Wide

cdef enum:
    N_CLASSES = 4
    N_TIERS = 4         # the first is no tier: from there on a print is mid
    SIZE_WINDOWS = 2
    SIZE_STEPS = 60

cdef enum SizeClass:
    SIZE_RETAIL = 0
    SIZE_MID
    SIZE_LARGE
    SIZE_WHALE
    SIZE_MEGA           # a tier of its own, in the class of whales

cdef struct Tiers:
    double shares[N_TIERS]      # of the quantiles
    double floors[N_TIERS]      # quote coins
    double thresholds[N_TIERS]  # as they are now; INFINITY: not known
    int64_t asked_at            # prints when they were asked for

cdef struct SizeStep:
    Wide bought[N_CLASSES]      # quote amount, at the scale of the symbol's turnovers
    Wide sold[N_CLASSES]
    int32_t n[N_CLASSES]

cdef struct SizeWindow:
    int64_t step_s
    int64_t step                # the newest, in whole steps since 1970; 0: nothing came yet
    SizeStep sums
    SizeStep steps[SIZE_STEPS]

cdef struct Sizes:
    Tiers tiers
    SizeWindow windows[SIZE_WINDOWS]    # 1 m, 1 h

cdef void sizes_init(Sizes* s) noexcept nogil
cdef SizeClass sizes_of(Tiers* t, double size, const Quantiles* day) noexcept nogil
cdef void sizes_add(Sizes* s, const Symbol* symbol, const Print* print, SizeClass size, ns_t at_ns) noexcept nogil
cdef bint sizes_pass(Sizes* s, ns_t now_ns) noexcept nogil      # it is so late now; True: something left a window
cdef void sizes_rescale(Sizes* s, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil
