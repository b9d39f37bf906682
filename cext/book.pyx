"""One instrument's L2 book.

A level change in the ladder costs one multiplication, one store and one bit, and takes no branch that the market decides. The ladder is laid
anew when the touch has left its middle part and enough changes have come since to pay for it; until then, and for every price off the grid or
far away, the sorted overflow holds the level: slower, and just as exact. A level that leaves the overflow leaves its place behind, so that the
next one beside it moves a few neighbours and not thousands; real books have most of their changes there.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint64_t
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
    INVERSE_SHIFT = 51
    MAX_INVERSE_TICK = 1 << 19  # offset * inverse fits 64 bits and its quotient is exact for offsets below SLOTS * tick up to this tick


cdef inline bint _better(const Ladder* side, px_t a, px_t b) noexcept nogil:
    return a > b if side.bids else a < b


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


cdef inline px_t _px_of(const Ladder* side, int32_t slot) noexcept nogil:
    return side.base + slot * side.tick


cdef inline int32_t _first_bit(const Ladder* side, uint64_t bits) noexcept nogil:
    """Of those set in a word that is not 0, the one nearest to the touch."""
    return highest_bit(bits) if side.bids else lowest_bit(bits)


cdef inline int32_t _far_place(const Ladder* side, px_t px) noexcept nogil:
    """Where `px` stands or would stand in `far`: behind all that are worse."""
    cdef int32_t low = 0
    cdef int32_t n = side.n_far
    cdef int32_t half
    if n == 0:
        return 0
    while n > 1:  # no branch depends on the prices: nothing to guess wrong
        half = n >> 1
        low += half if _better(side, px, side.far[low + half - 1].px) else 0
        n -= half
    return low + _better(side, px, side.far[low].px)


cdef void _far_compact(Ladder* side) noexcept nogil:
    """Give up the places of the dead."""
    cdef int32_t i
    cdef int32_t n = 0
    for i in range(side.n_far):
        side.far[n] = side.far[i]
        n += side.far[i].qty != 0
    side.n_far = n
    side.n_dead = 0


cdef bint _far_insert(Ladder* side, int32_t at, px_t px, qty_t qty) noexcept nogil:
    """A price that `far` has no entry for, at its place. False only when memory ends."""
    cdef Level* far = side.far
    cdef int32_t i
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
        if side.n_far == side.max_far:
            far = <Level*>realloc(far, (2 * side.max_far + 64) * sizeof(Level))
            if far == NULL:
                return False
            side.far = far
            side.max_far = 2 * side.max_far + 64
        memmove(&far[at + 1], &far[at], (side.n_far - at) * sizeof(Level))
        side.n_far += 1
    far[at].px = px
    far[at].qty = qty
    return True


cdef bint _far_set(Ladder* side, int32_t at, px_t px, qty_t qty, int64_t* n_unknown, qty_t* before) noexcept nogil:
    """One level of the overflow. `at` is its place, or was before a few other changes."""
    cdef bint alive
    at = min(at, side.n_far)
    while at < side.n_far and _better(side, px, side.far[at].px):
        at += 1
    while at > 0 and not _better(side, px, side.far[at - 1].px):
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


cdef inline bint _touch(const Ladder* side, Level* out) noexcept nogil:
    """The best level; False if the side is empty."""
    cdef int32_t word, slot
    cdef bint found = False
    if side.words != 0:
        word = _first_bit(side, side.words)
        slot = (word << 6) + _first_bit(side, side.bits[word])
        out.px = _px_of(side, slot)
        out.qty = side.slots[slot]
        found = True
    if side.n_far > 0 and (not found or _better(side, side.far[side.n_far - 1].px, out.px)):
        out[0] = side.far[side.n_far - 1]
        found = True
    return found


cdef bint _worst(const Ladder* side, Level* out) noexcept nogil:
    """The level furthest from the touch; False if the side is empty."""
    cdef int32_t word, slot
    cdef int32_t i = 0
    cdef bint found = False
    if side.n_slots > 0:
        word = lowest_bit(side.words) if side.bids else highest_bit(side.words)
        slot = (word << 6) + (lowest_bit(side.bits[word]) if side.bids else highest_bit(side.bits[word]))
        out.px = _px_of(side, slot)
        out.qty = side.slots[slot]
        found = True
    while i < side.n_far and side.far[i].qty == 0:
        i += 1
    if i < side.n_far and (not found or _better(side, out.px, side.far[i].px)):
        out[0] = side.far[i]
        found = True
    return found


cdef inline void _walk_on(Walk* walk) noexcept nogil:
    """To the next word that has any slots, when those of this one are taken."""
    if walk.bits == 0 and walk.words != 0:
        walk.word = _first_bit(walk.ladder, walk.words)
        walk.words ^= <uint64_t>1 << walk.word
        walk.bits = walk.ladder.bits[walk.word]


cdef Walk _walk_of(const Ladder* side) noexcept nogil:
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
        bit = _first_bit(side, walk.bits)
        slot = (walk.word << 6) + bit
        out.px = _px_of(side, slot)
        out.qty = side.slots[slot]
    if walk.far > 0 and (not found or _better(side, side.far[walk.far - 1].px, out.px)):
        walk.far -= 1
        out[0] = side.far[walk.far]
        return True
    if found:
        walk.bits ^= <uint64_t>1 << bit
        _walk_on(walk)
    return found


cdef void _empty(Ladder* side) noexcept nogil:
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
    side.base = (touch // side.tick - inner) * side.tick
    if side.base < 0:
        side.base = 0
    if side.base > INT64_MAX - SLOTS * side.tick:
        return
    side.span = SLOTS * side.tick
    side.inverse = (<uint64_t>1 << INVERSE_SHIFT) // <uint64_t>side.tick + 1 if side.tick <= MAX_INVERSE_TICK else 0


cdef bint _relay(Ladder* side) noexcept nogil:
    """Lay the ladder anew around the touch, and bring every level to its place. False (and nothing changed) when memory ends."""
    cdef int32_t n = side.n_slots + side.n_far - side.n_dead
    cdef Level* levels = <Level*>malloc((n + 1) * sizeof(Level))
    cdef Level* grown
    cdef Walk walk = _walk_of(side)
    cdef int32_t i = 0
    cdef int64_t unknown = 0
    cdef qty_t before
    if levels == NULL:
        return False
    if side.max_far < n:  # so that no level can be lost below
        grown = <Level*>realloc(side.far, n * sizeof(Level))
        if grown == NULL:
            free(levels)
            return False
        side.far = grown
        side.max_far = n
    while walk_next(&walk, &levels[i]):
        i += 1
    _empty(side)
    _lay(side, levels[0].px)
    for i in range(n - 1, -1, -1):  # worst first: an overflow that only grows at its end
        _set(side, _place_of(side, levels[i].px), levels[i].px, levels[i].qty, &unknown, &before)
    free(levels)
    return True


cdef bint _wants_laying(const Ladder* side, px_t touch) noexcept nogil:
    cdef int64_t slot
    if side.n_changes < (side.n_slots + side.n_far - side.n_dead) // SLOTS_A_LAYING + 64:
        return False
    if side.span == 0:
        return side.slots == NULL and side.tick <= INT64_MAX // (2 * SLOTS)
    if touch < side.base or touch - side.base >= side.span:
        return True
    slot = (touch - side.base) // side.tick
    return slot < SLOTS - OUTER_SLOT if side.bids else slot > OUTER_SLOT


cdef bint _change(Ladder* side, const Level* rows, int32_t n, px_t low, px_t high, int64_t* n_unknown, qty_t* was) noexcept nogil:
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
    return good


cdef class Book:
    """`tick` is the price step, scaled; quantities and prices of every call are scaled alike."""

    def __cinit__(self, px_t tick=1):
        cdef int32_t i
        if tick < 1:
            raise ValueError(f"tick {tick} is not positive")
        for i in range(2):
            memset(&self._sides[i], 0, sizeof(Ladder))
            self._sides[i].bids = i == BIDS
            self._sides[i].tick = tick
        self.valid_bid = 0
        self.valid_ask = INT64_MAX

    def __dealloc__(self):
        cdef int32_t i
        for i in range(2):
            free(self._sides[i].slots)
            free(self._sides[i].far)
        free(self.was)

    cpdef keep_was(self):
        """From now on `apply` tells in `was` what stood before; who wants to know says it once."""
        self.keeps_was = True

    cdef qty_t* _room_for_was(self, int32_t n) noexcept nogil:
        """NULL when nobody asked or memory ends."""
        cdef qty_t* grown
        if not self.keeps_was:
            return NULL
        if n > self._max_was:
            grown = <qty_t*>realloc(self.was, 2 * n * sizeof(qty_t))
            if grown == NULL:
                free(self.was)
                self.was = NULL
                self._max_was = 0
                return NULL
            self.was = grown
            self._max_was = 2 * n
        return self.was

    cdef void clear(self) noexcept nogil:
        """No levels, and no bound on what is known."""
        _empty(&self._sides[BIDS])
        _empty(&self._sides[ASKS])
        self.version += 1
        self.valid_bid = 0
        self.valid_ask = INT64_MAX

    cdef bint load(self, const Level* bids, int32_t n_bids, const Level* asks, int32_t n_asks) noexcept nogil:
        """A full image in place of what was. Rows in any order; of a price that stands twice, the first. False when memory ends: the book is empty then."""
        self.clear()
        if self._load(&self._sides[BIDS], bids, n_bids) and self._load(&self._sides[ASKS], asks, n_asks):
            return True
        self.clear()
        return False

    cdef bint _load(self, Ladder* side, const Level* rows, int32_t n) noexcept nogil:
        cdef px_t touch = 0
        cdef bint found = False
        cdef int32_t i
        cdef int64_t unknown = 0
        cdef qty_t before
        for i in range(n):
            if rows[i].qty != 0 and (not found or _better(side, rows[i].px, touch)):
                touch = rows[i].px
                found = True
        if not found:
            return True
        _lay(side, touch)
        self.n_laid += 1
        for i in range(n - 1, -1, -1):  # venues write images best first: from the end, the overflow grows at its end
            if rows[i].qty != 0 and not _set(side, _place_of(side, rows[i].px), rows[i].px, rows[i].qty, &unknown, &before):
                return False
        return True

    cdef bint apply(self, const Level* bids, int32_t n_bids, const Level* asks, int32_t n_asks) noexcept nogil:
        """Level changes: absolute quantities, 0 removes, what lies outside the valid window is passed over. False when memory ends."""
        cdef int32_t i
        cdef bint good
        cdef Ladder* side = &self._sides[BIDS]
        cdef Level touch
        cdef qty_t* was = self._room_for_was(n_bids + n_asks)
        self.version += 1
        good = _change(side, bids, n_bids, self.valid_bid, INT64_MAX, &self.n_removed_unknown, was)
        if was != NULL:
            was += n_bids
        good = _change(&self._sides[ASKS], asks, n_asks, INT64_MIN, self.valid_ask, &self.n_removed_unknown, was) and good
        for i in range(2):
            side = &self._sides[i]
            if side.n_changes >= 64 and _touch(side, &touch) and _wants_laying(side, touch.px):
                self.n_laid += _relay(side)
                side.n_changes = 0
        return good

    cdef bint best(self, BookSide side, Level* out) noexcept nogil:
        """The best level; False, and nothing written, if the side is empty."""
        cdef Level level
        if not _touch(&self._sides[side], &level):
            return False
        out[0] = level
        return True

    cdef bint crossed(self) noexcept nogil:
        """Best bid at or above best ask."""
        cdef Level bid
        cdef Level ask
        return _touch(&self._sides[BIDS], &bid) and _touch(&self._sides[ASKS], &ask) and bid.px >= ask.px

    cdef int32_t n_levels(self, BookSide side) noexcept nogil:
        return self._sides[side].n_slots + self._sides[side].n_far - self._sides[side].n_dead

    cdef qty_t quantity(self, BookSide side, px_t px) noexcept nogil:
        """The quantity at a price; 0 where there is none."""
        cdef const Ladder* ladder = &self._sides[side]
        cdef int32_t slot = _slot_of(ladder, px)
        cdef int32_t at
        if slot >= 0:
            return ladder.slots[slot] if ladder.bits[slot >> 6] & (<uint64_t>1 << (slot & 63)) else 0
        at = _far_place(ladder, px)
        return ladder.far[at].qty if at < ladder.n_far and ladder.far[at].px == px else 0

    cdef Walk walk(self, BookSide side) noexcept nogil:
        """From the touch outwards: walk_next until it is False."""
        return _walk_of(&self._sides[side])

    cdef int32_t take(self, BookSide side, Level* out, int32_t n) noexcept nogil:
        """The best `n` levels, best first; how many there were."""
        cdef Walk walk = _walk_of(&self._sides[side])
        cdef int32_t i = 0
        while i < n and walk_next(&walk, &out[i]):
            i += 1
        return i

    cdef px_t known_to(self, BookSide side) noexcept nogil:
        """The price to which this side is known, away from the touch: 0 or INT64_MAX where that is to the end."""
        cdef const Ladder* ladder = &self._sides[side]
        cdef px_t last = self.valid_bid if ladder.bids else self.valid_ask
        cdef Level worst
        if self.max_levels > 0 and self.n_levels(side) >= self.max_levels and _worst(ladder, &worst) and _better(ladder, worst.px, last):
            last = worst.px
        return last

    cdef int32_t take_to(self, BookSide side, px_t last, Level* out, int32_t n) noexcept nogil:
        """The levels from the touch to `last` and at it, best first, at most `n`; how many there were."""
        cdef const Ladder* ladder = &self._sides[side]
        cdef Walk walk = _walk_of(ladder)
        cdef int32_t i = 0
        while i < n and walk_next(&walk, &out[i]) and not _better(ladder, last, out[i].px):
            i += 1
        return i

    cdef bint set_window(self, px_t valid_bid, px_t valid_ask) noexcept nogil:
        """Nothing is claimed below `valid_bid` or above `valid_ask`: what the book has there goes, and what comes is passed over."""
        self.version += 1
        self.valid_bid = valid_bid
        self.valid_ask = valid_ask
        return self._cut(&self._sides[BIDS], valid_bid) and self._cut(&self._sides[ASKS], valid_ask)

    cdef bint _cut(self, Ladder* side, px_t last) noexcept nogil:
        cdef Walk walk = _walk_of(side)
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
            if _better(side, last, level.px):
                outside[n] = level
                n += 1
        for i in range(n):
            _set(side, _place_of(side, outside[i].px), outside[i].px, 0, &unknown, &before)
        free(outside)
        return True

    cdef bint rescale(self, int64_t px_factor, int64_t qty_factor, px_t tick) noexcept nogil:
        """Multiply all prices and quantities; `tick` is the new one. False, and nothing changed, when one does not fit or memory ends."""
        cdef Level* levels[2]
        cdef int32_t n[2]
        cdef int32_t side, i
        cdef bint fits = True
        cdef px_t valid_bid = self.valid_bid
        cdef px_t valid_ask = self.valid_ask
        levels[0] = levels[1] = NULL
        n[0] = n[1] = 0
        for side in range(2):
            levels[side] = <Level*>malloc((self.n_levels(<BookSide>side) + 1) * sizeof(Level))
            if levels[side] == NULL:
                fits = False
                break
            n[side] = self.take(<BookSide>side, levels[side], self.n_levels(<BookSide>side))
            for i in range(n[side]):
                if levels[side][i].px > INT64_MAX // px_factor or levels[side][i].qty > INT64_MAX // qty_factor:
                    fits = False
                    break
                levels[side][i].px *= px_factor
                levels[side][i].qty *= qty_factor
        if fits:
            self._sides[BIDS].tick = self._sides[ASKS].tick = tick
            fits = self.load(levels[0], n[0], levels[1], n[1])
            self.valid_bid = valid_bid * px_factor if valid_bid <= INT64_MAX // px_factor else INT64_MAX
            self.valid_ask = valid_ask * px_factor if valid_ask <= INT64_MAX // px_factor else INT64_MAX
        free(levels[0])
        free(levels[1])
        return fits

    def levels(self, int side, int32_t n=0):
        """The best `n` levels (0: all) of side 0 (bids) or 1 (asks) as (price, quantity) integers, best first."""
        cdef Walk walk = self.walk(<BookSide>side)
        cdef Level level
        taken = []
        while (n == 0 or len(taken) < n) and walk_next(&walk, &level):
            taken.append((level.px, level.qty))
        return taken

    def load_rows(self, bids, asks):
        """`load` for tests: rows of (price, quantity) integers."""
        return self._rows(bids, asks, True)

    def apply_rows(self, bids, asks):
        """`apply` for tests."""
        return self._rows(bids, asks, False)

    def _rows(self, bids, asks, bint replace):
        cdef int32_t n_bids = len(bids)
        cdef int32_t n_asks = len(asks)
        cdef Level* rows = <Level*>malloc((n_bids + n_asks + 1) * sizeof(Level))
        cdef int32_t i
        if rows == NULL:
            raise MemoryError
        try:
            for i, (px, qty) in enumerate([*bids, *asks]):
                rows[i].px = px
                rows[i].qty = qty
            if replace:
                return bool(self.load(rows, n_bids, rows + n_bids, n_asks))
            return bool(self.apply(rows, n_bids, rows + n_bids, n_asks))
        finally:
            free(rows)

    def window(self, px_t valid_bid, px_t valid_ask):
        """`set_window` for tests."""
        return bool(self.set_window(valid_bid, valid_ask))

    def scale_up(self, int64_t px_factor, int64_t qty_factor):
        """`rescale` for tests; the tick keeps its meaning."""
        return bool(self.rescale(px_factor, qty_factor, self._sides[0].tick * px_factor))

    def known(self, int side):
        """`known_to` for tests."""
        return self.known_to(<BookSide>side)

    def levels_to(self, int side, px_t last, int32_t n):
        """`take_to` for tests."""
        cdef Level* rows = <Level*>malloc((n + 1) * sizeof(Level))
        cdef int32_t i
        if rows == NULL:
            raise MemoryError
        try:
            return [(rows[i].px, rows[i].qty) for i in range(self.take_to(<BookSide>side, last, rows, n))]
        finally:
            free(rows)

    def before(self, int32_t n):
        """The first `n` of `was`, for tests."""
        cdef int32_t i
        return [self.was[i] for i in range(n)]

    def at(self, int side, px_t px):
        """The quantity at a price, 0 where there is none."""
        return self.quantity(<BookSide>side, px)
