"""One instrument's L2 book: two ladders (ladder.pxd), and how far they are known. Bounded only by what it is told to prune."""

from libc.stdint cimport int32_t, int64_t

from cext.events cimport Level
from cext.ladder cimport Ladder, Walk
from cext.units cimport px_t, qty_t

cdef enum:
    BIDS = 0
    ASKS = 1
ctypedef int BookSide

cdef class Book:
    cdef Ladder _sides[2]
    cdef readonly px_t valid_bid        # bids below it are unknown (0: known to the bottom)
    cdef readonly px_t valid_ask        # asks above it are unknown (INT64_MAX: known to the top)
    cdef readonly int64_t n_removed_unknown   # removals of levels that were not there: normal on some venues, telling on others
    cdef readonly int64_t version       # grows with whatever may have changed a level
    cdef public int32_t max_levels      # a side that has so many may end there only for us (0: no such bound): known_to
    cdef readonly bint keeps_was
    cdef qty_t* was                     # keep_was: what stood at each row of the last `apply`, bids then asks; borrowed until the next one
    cdef int32_t _max_was

    cdef bint load(self, const Level* bids, int32_t n_bids, const Level* asks, int32_t n_asks) noexcept nogil
    cdef bint apply(self, const Level* bids, int32_t n_bids, const Level* asks, int32_t n_asks) noexcept nogil
    cdef void clear(self) noexcept nogil
    cdef bint best(self, BookSide side, Level* out) noexcept nogil
    cdef bint crossed(self) noexcept nogil
    cdef int32_t n_levels(self, BookSide side) noexcept nogil
    cdef qty_t quantity(self, BookSide side, px_t px) noexcept nogil
    cdef Walk walk(self, BookSide side) noexcept nogil
    cdef int32_t take(self, BookSide side, Level* out, int32_t n) noexcept nogil
    cdef bint set_window(self, px_t valid_bid, px_t valid_ask) noexcept nogil
    cdef px_t known_to(self, BookSide side) noexcept nogil
    cdef int32_t take_to(self, BookSide side, px_t last, Level* out, int32_t n) noexcept nogil
    cpdef keep_was(self)
    cdef qty_t* _room_for_was(self, int32_t n) noexcept nogil
    cdef bint rescale(self, int64_t px_factor, int64_t qty_factor, px_t tick) noexcept nogil
