"""Order-flow imbalance: what was added at the best bid, less what was added at the best ask; the same rule at every level.

R. Cont, A. Kukanov, S. Stoikov, The price impact of order book events, J. Financial Econometrics 12(1), 2014. With P, q the price and size of a
level now, P', q' before the book changed (b bid, a ask):

    e = 1{Pb >= Pb'} qb - 1{Pb <= Pb'} qb' - 1{Pa <= Pa'} qa + 1{Pa >= Pa'} qa'        OFI = sum of e        mid moves about OFI / 2D ticks

where D is the mean size of the level. A level that is not there has no size, and a price worse than any. Windows are made of whole steps and of the
one that is filling: a second of ten tenths, ten seconds and a minute of seconds. An Ofi is plain memory of its owner's.
"""

from libc.stdint cimport int32_t, int64_t

from cext.events cimport Level
from cext.units cimport ns_t

cdef enum:
    OFI_LEVELS = 10
    OFI_WINDOWS = 3         # 1 s, 10 s, 1 m
    TENTHS = 10
    SECONDS = 60

cdef struct OfiStep:
    int64_t index           # in whole steps since 1970
    int64_t n               # changes of the levels looked at
    double flow[OFI_LEVELS]
    double depth[OFI_LEVELS]    # sums of the mean of both sides' sizes

cdef struct Ofi:
    bint known              # bids and asks are what the book was
    int32_t n_levels        # looked at
    Level bids[OFI_LEVELS]
    Level asks[OFI_LEVELS]
    OfiStep filling         # a tenth that is in no ring yet
    OfiStep tenths[TENTHS]
    OfiStep seconds[SECONDS]

cdef struct OfiWindow:      # means over the changes; nothing changed: n 0 and no depth
    int64_t n
    double flow[OFI_LEVELS]
    double depth[OFI_LEVELS]

cdef void ofi_init(Ofi* o, int32_t n_levels) noexcept nogil
cdef void ofi_levels(Ofi* o, int32_t n_levels) noexcept nogil       # look at so many from now on
cdef void ofi_forget(Ofi* o) noexcept nogil                         # the next book is no change of the one before
cdef void ofi_take(Ofi* o, Level* bids, int32_t n_bids, Level* asks, int32_t n_asks, double unit, ns_t at_ns) noexcept nogil
cdef void ofi_window(Ofi* o, int32_t window, ns_t now_ns, OfiWindow* to) noexcept nogil
cdef void ofi_rescale(Ofi* o, int64_t px_factor, int64_t qty_factor) noexcept nogil
