"""One side of a book: a price-indexed ladder around the touch with a presence bitmap, and a sorted overflow for what lies far.

Prices are scaled integers; a slot of the ladder is one tick. What is off the tick grid or outside the ladder lives in the overflow, so a
side is exact for every price.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.events cimport Level
from cext.units cimport px_t, qty_t
from cext.word cimport highest_bit, lowest_bit

cdef enum:
    SLOTS = 4096            # 64 words of 64 bits: one word tells which words have any
    WORDS = 64

cdef struct Ladder:         # its fields are ladder.pyx's own
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
    int64_t n_laid          # how often it was

cdef struct Walk:           # from the touch outwards; any change of the book ends it
    const Ladder* ladder
    uint64_t bits           # of the word that it has come to: slots not yet taken; 0 where none is left at all
    uint64_t words          # words behind that one
    int32_t word
    int32_t far             # entries of `far` not yet taken

cdef inline bint ladder_better(const Ladder* side, px_t a, px_t b) noexcept nogil:
    return a > b if side.bids else a < b


cdef inline px_t ladder_px_of(const Ladder* side, int32_t slot) noexcept nogil:
    return side.base + slot * side.tick


cdef inline int32_t ladder_first_bit(const Ladder* side, uint64_t bits) noexcept nogil:
    """Of those set in a word that is not 0, the one nearest to the touch."""
    return highest_bit(bits) if side.bids else lowest_bit(bits)


cdef inline bint ladder_best(const Ladder* side, Level* out) noexcept nogil:
    """The best level; False if the side is empty."""
    cdef int32_t word, slot
    cdef bint found = False
    if side.words != 0:
        word = ladder_first_bit(side, side.words)
        slot = (word << 6) + ladder_first_bit(side, side.bits[word])
        out.px = ladder_px_of(side, slot)
        out.qty = side.slots[slot]
        found = True
    if side.n_far > 0 and (not found or ladder_better(side, side.far[side.n_far - 1].px, out.px)):
        out[0] = side.far[side.n_far - 1]
        found = True
    return found


cdef inline int32_t ladder_n_levels(const Ladder* side) noexcept nogil:
    return side.n_slots + side.n_far - side.n_dead


cdef void ladder_init(Ladder* side, bint bids, px_t tick) noexcept nogil
cdef void ladder_free(Ladder* side) noexcept nogil
cdef void ladder_empty(Ladder* side) noexcept nogil
cdef bint ladder_load(Ladder* side, const Level* rows, int32_t n) noexcept nogil
cdef bint ladder_change(Ladder* side, const Level* rows, int32_t n, px_t low, px_t high, int64_t* n_unknown, qty_t* was) noexcept nogil
cdef bint ladder_cut(Ladder* side, px_t last) noexcept nogil
cdef bint ladder_worst(const Ladder* side, Level* out) noexcept nogil
cdef qty_t ladder_quantity(const Ladder* side, px_t px) noexcept nogil
cdef Walk ladder_walk(const Ladder* side) noexcept nogil
cdef bint walk_next(Walk* walk, Level* out) noexcept nogil
