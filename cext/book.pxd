"""One instrument's L2 book: a price-indexed ladder around the touch with a presence bitmap, and a sorted overflow for what lies far.

Prices are scaled integers; a slot of the ladder is one tick. What is off the tick grid or outside the ladder lives in the overflow, so the
book is exact for every price. Bounded only by what it is told to prune.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.events cimport Level
from cext.units cimport px_t, qty_t

cdef enum:
    SLOTS = 4096            # 64 words of 64 bits: one word tells which words have any
    WORDS = 64

cdef enum:
    BIDS = 0
    ASKS = 1
ctypedef int BookSide

cdef struct Ladder:         # one side of the book; private to book.pyx
    bint bids
    px_t tick
    px_t base               # price of slot 0; a multiple of the tick
    px_t span               # SLOTS * tick; 0: no ladder, everything lies far
    uint64_t inverse        # of the tick (_slot_of); 0: divide
    qty_t* slots
    uint64_t bits[WORDS]    # one bit a slot
    uint64_t words          # one bit a word of `bits`
    int32_t n_slots
    Level* far              # every level that is not in the ladder; the best one last, and never a dead one
    int32_t n_far
    int32_t n_dead          # of these: removed (quantity 0), their place kept for the next level that comes near them
    int32_t max_far
    int64_t n_changes       # since the ladder was laid

cdef struct Walk:           # from the touch outwards; any change of the book ends it
    const Ladder* ladder
    uint64_t bits           # of the word that it has come to: slots not yet taken; 0 where none is left at all
    uint64_t words          # words behind that one
    int32_t word
    int32_t far             # entries of `far` not yet taken

cdef class Book:
    cdef Ladder _sides[2]
    cdef readonly px_t valid_bid        # bids below it are unknown (0: known to the bottom)
    cdef readonly px_t valid_ask        # asks above it are unknown (INT64_MAX: known to the top)
    cdef readonly int64_t n_removed_unknown   # removals of levels that were not there: normal on some venues, telling on others
    cdef readonly int64_t n_laid        # how often a ladder was laid anew
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
    cdef bint _load(self, Ladder* side, const Level* rows, int32_t n) noexcept nogil
    cdef bint _cut(self, Ladder* side, px_t last) noexcept nogil

cdef bint walk_next(Walk* walk, Level* out) noexcept nogil
