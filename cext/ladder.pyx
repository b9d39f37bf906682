"""One side of a book. A level change in the ladder costs one multiplication, one store and one bit, and takes no branch that the market decides. It is laid
anew when the touch has left its middle part and enough changes have come since to pay for it; until then, and for every price off the grid or
far away, the sorted overflow holds the level: slower, and just as exact. A level that leaves the overflow leaves its place behind, so that the
next one beside it moves a few neighbours and not thousands; real books have most of their changes there.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove, memset

from cext.events cimport Level
from cext.units cimport px_t, qty_t
from cext.word cimport highest_bit, lowest_bit

cdef enum:
    TOUCH_SLOT = 1024       # where the touch stands in a new ladder, counted from the side's inner end
    OUTER_SLOT = 3072       # a touch that came this far towards the outer end wants a new ladder
    SLOTS_A_LAYING = 4      # changes a level that pay for laying it
    CHANGES_AT_ONCE = 64    # of a frame, whose places are looked up before the first of them is made
    NEAR = 32               # entries of the overflow on either side in which a dead one is looked for
    DEAD_SHIFT = 3          # an overflow that is full, of which more than an eighth is dead, grows no further
    INVERSE_SHIFT = 51
    MAX_INVERSE_TICK = 1 << 19  # offset * inverse fits 64 bits and its quotient is exact for offsets below SLOTS * tick up to this tick


cdef inline int32_t _slot_of(const Ladder* side, px_t px) noexcept nogil:
    """The ladder slot of a price, or -1: outside, or off the grid."""
    cdef uint64_t offset = <uint64_t>px - <uint64_t>side.base
    cdef uint64_t slot
    if offset >= <uint64_t>side.span:
        return -1
    if side.inverse != 0:
        slot = offset * side.inverse >> INVERSE_SHIFT  # a fifth of what a division costs
    else:
        slot = offset // <uint64_t>side.tick
    return <int32_t>slot if slot * <uint64_t>side.tick == offset else -1


cdef inline int32_t _far_place(const Ladder* side, px_t px) noexcept nogil:
    """Where `px` stands or would stand in `far`: behind all that are worse."""
    cdef int32_t low = 0
    cdef int32_t n = side.n_far
    cdef int32_t half
    if n == 0:
        return 0
    while n > 1:  # no branch depends on the prices: nothing to guess wrong
        half = n >> 1
        low += half if ladder_better(side, px, side.far[low + half - 1].px) else 0
        n -= half
    return low + ladder_better(side, px, side.far[low].px)


cdef qty_t ladder_quantity(const Ladder* side, px_t px) noexcept nogil:
    """The quantity at a price; 0 where there is none."""
    cdef int32_t slot = _slot_of(side, px)
    cdef int32_t at
    if slot >= 0:
        return side.slots[slot] if side.bits[slot >> 6] & (<uint64_t>1 << (slot & 63)) else 0
    at = _far_place(side, px)
    return side.far[at].qty if at < side.n_far and side.far[at].px == px else 0


cdef void _far_compact(Ladder* side) noexcept nogil:
    """Give up the places of the dead."""
    cdef int32_t i
    cdef int32_t n = 0
    for i in range(side.n_far):
        side.far[n] = side.far[i]
        n += side.far[i].qty != 0
    side.n_far = n
    side.n_dead = 0


cdef bint _far_room(Ladder* side, int32_t n) noexcept nogil:
    """Room for `n` entries at least. False when memory ends."""
    cdef Level* grown
    if side.max_far < n:
        grown = <Level*>realloc(side.far, n * sizeof(Level))
        if grown == NULL:
            return False
        side.far = grown
        side.max_far = n
    return True


cdef bint _far_insert(Ladder* side, int32_t at, px_t px, qty_t qty) noexcept nogil:
    """A price that `far` has no entry for, at its place. False only when memory ends."""
    cdef Level* far = side.far
    cdef int32_t i
    cdef int32_t n_dead = 0
    for i in range(NEAR if side.n_dead > 0 else 0):
        if at + i < side.n_far and far[at + i].qty == 0:
            memmove(&far[at + 1], &far[at], i * sizeof(Level))
            side.n_dead -= 1
            break
        if at - 1 - i >= 0 and far[at - 1 - i].qty == 0:
            memmove(&far[at - 1 - i], &far[at - i], i * sizeof(Level))
            at -= 1
            side.n_dead -= 1
            break
    else:
        if side.n_far == side.max_far and side.n_dead > side.n_far >> DEAD_SHIFT:
            for i in range(at):
                n_dead += far[i].qty == 0
            at -= n_dead
            _far_compact(side)
        if side.n_far == side.max_far and not _far_room(side, 2 * side.max_far + 64):
            return False
        far = side.far
        memmove(&far[at + 1], &far[at], (side.n_far - at) * sizeof(Level))
        side.n_far += 1
    far[at].px = px
    far[at].qty = qty
    return True


cdef bint _far_set(Ladder* side, int32_t at, px_t px, qty_t qty, int64_t* n_unknown, qty_t* before) noexcept nogil:
    """One level of the overflow. `at` is its place, or was before a few other changes."""
    cdef bint alive
    at = min(at, side.n_far)
    while at < side.n_far and ladder_better(side, px, side.far[at].px):
        at += 1
    while at > 0 and not ladder_better(side, px, side.far[at - 1].px):
        at -= 1
    if at == side.n_far or side.far[at].px != px:
        before[0] = 0
        if qty != 0:
            return _far_insert(side, at, px, qty)
        n_unknown[0] += 1
        return True
    before[0] = side.far[at].qty
    alive = before[0] != 0
    side.far[at].qty = qty
    if qty != 0:
        side.n_dead -= not alive
        return True
    n_unknown[0] += not alive
    side.n_dead += alive
    while side.n_far > 0 and side.far[side.n_far - 1].qty == 0:  # the best one is never dead
        side.n_far -= 1
        side.n_dead -= 1
    if side.n_dead > 64 + (side.n_far >> 1):
        _far_compact(side)
    return True


cdef inline int32_t _place_of(const Ladder* side, px_t px) noexcept nogil:
    """Where a price belongs: its slot, or ~(its place in the overflow)."""
    cdef int32_t slot = _slot_of(side, px)
    return slot if slot >= 0 else ~_far_place(side, px)


cdef inline bint _set(Ladder* side, int32_t place, px_t px, qty_t qty, int64_t* n_unknown, qty_t* before) noexcept nogil:
    """One level at its place: an absolute quantity, 0 removes; `before` is told what stood there. False only when memory ends."""
    cdef int32_t word
    cdef uint64_t used = qty != 0
    cdef uint64_t bits, was
    if place < 0:
        return _far_set(side, ~place, px, qty, n_unknown, before)
    # which levels come and which go is what no processor can guess: sums instead of branches
    word = place >> 6
    bits = side.bits[word]
    was = bits >> (place & 63) & 1
    bits = bits & ~(<uint64_t>1 << (place & 63)) | used << (place & 63)
    side.bits[word] = bits
    side.words = side.words & ~(<uint64_t>1 << word) | <uint64_t>(bits != 0) << word
    before[0] = side.slots[place] & -<qty_t>was
    side.slots[place] = qty
    side.n_slots += <int32_t>used - <int32_t>was
    n_unknown[0] += (used | was) == 0
    return True


cdef bint ladder_worst(const Ladder* side, Level* out) noexcept nogil:
    """The level furthest from the touch; False if the side is empty."""
    cdef int32_t word, slot
    cdef int32_t i = 0
    cdef bint found = False
    if side.n_slots > 0:
        word = lowest_bit(side.words) if side.bids else highest_bit(side.words)
        slot = (word << 6) + (lowest_bit(side.bits[word]) if side.bids else highest_bit(side.bits[word]))
        out.px = ladder_px_of(side, slot)
        out.qty = side.slots[slot]
        found = True
    while i < side.n_far and side.far[i].qty == 0:
        i += 1
    if i < side.n_far and (not found or ladder_better(side, out.px, side.far[i].px)):
        out[0] = side.far[i]
        found = True
    return found


cdef inline void _walk_on(Walk* walk) noexcept nogil:
    """To the next word that has any slots, when those of this one are taken."""
    if walk.bits == 0 and walk.words != 0:
        walk.word = ladder_first_bit(walk.ladder, walk.words)
        walk.words ^= <uint64_t>1 << walk.word
        walk.bits = walk.ladder.bits[walk.word]


cdef Walk ladder_walk(const Ladder* side) noexcept nogil:
    cdef Walk walk
    walk.ladder = side
    walk.bits = 0
    walk.words = side.words
    walk.word = 0
    walk.far = side.n_far
    _walk_on(&walk)
    return walk


cdef bint walk_next(Walk* walk, Level* out) noexcept nogil:
    """The next level away from the touch; False at the end."""
    cdef const Ladder* side = walk.ladder
    cdef bint found = walk.bits != 0
    cdef int32_t bit, slot
    while walk.far > 0 and side.far[walk.far - 1].qty == 0:
        walk.far -= 1
    if found:
        bit = ladder_first_bit(side, walk.bits)
        slot = (walk.word << 6) + bit
        out.px = ladder_px_of(side, slot)
        out.qty = side.slots[slot]
    if walk.far > 0 and (not found or ladder_better(side, side.far[walk.far - 1].px, out.px)):
        walk.far -= 1
        out[0] = side.far[walk.far]
        return True
    if found:
        walk.bits ^= <uint64_t>1 << bit
        _walk_on(walk)
    return found


cdef void ladder_init(Ladder* side, bint bids, px_t tick) noexcept nogil:
    memset(side, 0, sizeof(Ladder))
    side.bids = bids
    side.tick = tick


cdef void ladder_free(Ladder* side) noexcept nogil:
    free(side.slots)
    free(side.far)
    side.slots = NULL
    side.far = NULL


cdef void ladder_empty(Ladder* side) noexcept nogil:
    memset(side.bits, 0, sizeof(side.bits))
    side.words = 0
    side.n_slots = 0
    side.n_far = 0
    side.n_dead = 0
    side.n_changes = 0


cdef void _lay(Ladder* side, px_t touch) noexcept nogil:
    """Place an empty ladder around `touch`. Without memory, or for a tick too large, there is none: everything lies far."""
    cdef px_t inner = (SLOTS - 1 - TOUCH_SLOT) if side.bids else TOUCH_SLOT
    side.span = 0
    side.n_changes = 0
    if side.tick > INT64_MAX // (2 * SLOTS):
        return
    if side.slots == NULL:
        side.slots = <qty_t*>malloc(SLOTS * sizeof(qty_t))
        if side.slots == NULL:
            return
        memset(side.slots, 0xFF, SLOTS * sizeof(qty_t))  # whatever it says: so all its pages are there, and the process does not grow by where prices go
    side.base = (touch // side.tick - inner) * side.tick
    if side.base < 0:
        side.base = 0
    if side.base > INT64_MAX - SLOTS * side.tick:
        return
    side.span = SLOTS * side.tick
    side.inverse = (<uint64_t>1 << INVERSE_SHIFT) // <uint64_t>side.tick + 1 if side.tick <= MAX_INVERSE_TICK else 0


cdef bint _relay(Ladder* side) noexcept nogil:
    """Lay the ladder anew around the touch, and bring every level to its place. False (and nothing changed) when memory ends."""
    cdef int32_t n = ladder_n_levels(side)
    cdef Level* levels = <Level*>malloc((n + 1) * sizeof(Level))
    cdef Walk walk = ladder_walk(side)
    cdef int32_t i = 0
    cdef int64_t unknown = 0
    cdef qty_t before
    if levels == NULL:
        return False
    if not _far_room(side, n):  # so that no level can be lost below
        free(levels)
        return False
    while walk_next(&walk, &levels[i]):
        i += 1
    ladder_empty(side)
    _lay(side, levels[0].px)
    for i in range(n - 1, -1, -1):  # worst first: an overflow that only grows at its end
        _set(side, _place_of(side, levels[i].px), levels[i].px, levels[i].qty, &unknown, &before)
    free(levels)
    return True


cdef bint _wants_laying(const Ladder* side, px_t touch) noexcept nogil:
    cdef int64_t slot
    if side.n_changes < ladder_n_levels(side) // SLOTS_A_LAYING + 64:
        return False
    if side.span == 0:
        return side.slots == NULL and side.tick <= INT64_MAX // (2 * SLOTS)
    if touch < side.base or touch - side.base >= side.span:
        return True
    slot = (touch - side.base) // side.tick
    return slot < SLOTS - OUTER_SLOT if side.bids else slot > OUTER_SLOT


cdef void _renew(Ladder* side) noexcept nogil:
    """After changes: lay it anew where that has come to pay."""
    cdef Level touch
    if side.n_changes >= 64 and ladder_best(side, &touch) and _wants_laying(side, touch.px):
        side.n_laid += _relay(side)
        side.n_changes = 0


cdef bint ladder_change(Ladder* side, const Level* rows, int32_t n, px_t low, px_t high, int64_t* n_unknown, qty_t* was) noexcept nogil:
    """The rows from `low` to `high` into the book, and what stood there before into `was` (NULL: nobody asks). First all places are looked up, as no
    search need wait for another; then the changes are made."""
    cdef int32_t places[CHANGES_AT_ONCE]
    cdef qty_t unasked[CHANGES_AT_ONCE]
    cdef qty_t* before
    cdef int32_t i, m
    cdef bint good = True
    side.n_changes += n
    while n > 0:
        m = min(n, <int32_t>CHANGES_AT_ONCE)
        for i in range(m):
            places[i] = _place_of(side, rows[i].px)
        before = was if was != NULL else unasked
        for i in range(m):
            if low <= rows[i].px <= high:
                good = _set(side, places[i], rows[i].px, rows[i].qty, n_unknown, &before[i]) and good
            else:
                before[i] = rows[i].qty  # passed over: no change
        rows += m
        n -= m
        if was != NULL:
            was += m
    _renew(side)
    return good


cdef bint ladder_load(Ladder* side, const Level* rows, int32_t n) noexcept nogil:
    """Rows in any order into an empty side; of a price that stands twice, the first. False when memory ends."""
    cdef px_t touch = 0
    cdef bint found = False
    cdef int32_t i
    cdef int64_t unknown = 0
    cdef qty_t before
    for i in range(n):
        if rows[i].qty != 0 and (not found or ladder_better(side, rows[i].px, touch)):
            touch = rows[i].px
            found = True
    if not found:
        return True
    _lay(side, touch)
    side.n_laid += 1
    if not _far_room(side, n + n // 2 + 64):  # for all of them, if the price goes away, and for dead ones: a book that stays as large takes no more ever
        return False
    for i in range(n - 1, -1, -1):  # venues write images best first: from the end, the overflow grows at its end
        if rows[i].qty != 0 and not _set(side, _place_of(side, rows[i].px), rows[i].px, rows[i].qty, &unknown, &before):
            return False
    return True


cdef bint ladder_cut(Ladder* side, px_t last) noexcept nogil:
    """Remove what lies beyond `last`, away from the touch. False when memory ends."""
    cdef Walk walk = ladder_walk(side)
    cdef Level level
    cdef Level* outside
    cdef int32_t n = 0
    cdef int32_t i
    cdef int64_t unknown = 0
    cdef qty_t before
    outside = <Level*>malloc((side.n_slots + side.n_far + 1) * sizeof(Level))
    if outside == NULL:
        return False
    while walk_next(&walk, &level):
        if ladder_better(side, last, level.px):
            outside[n] = level
            n += 1
    for i in range(n):
        _set(side, _place_of(side, outside[i].px), outside[i].px, 0, &unknown, &before)
    free(outside)
    return True
