"""One instrument's L2 book."""

from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t
from libc.stdlib cimport free, malloc, realloc

from cext.events cimport Level
from cext.ladder cimport (
    SLOTS, Ladder, Walk, ladder_best, ladder_better, ladder_change, ladder_cut, ladder_empty, ladder_free, ladder_init, ladder_load, ladder_n_levels,
    ladder_quantity, ladder_walk, ladder_worst, walk_next,
)
from cext.units cimport px_t, qty_t


cdef class Book:
    """`tick` is the price step, scaled; quantities and prices of every call are scaled alike."""

    def __cinit__(self, px_t tick=1):
        cdef int32_t i
        if tick < 1:
            raise ValueError(f"tick {tick} is not positive")
        for i in range(2):
            ladder_init(&self._sides[i], i == BIDS, tick)
        self.valid_bid = 0
        self.valid_ask = INT64_MAX

    def __dealloc__(self):
        cdef int32_t i
        for i in range(2):
            ladder_free(&self._sides[i])
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
        ladder_empty(&self._sides[BIDS])
        ladder_empty(&self._sides[ASKS])
        self.version += 1
        self.valid_bid = 0
        self.valid_ask = INT64_MAX

    cdef bint load(self, const Level* bids, int32_t n_bids, const Level* asks, int32_t n_asks) noexcept nogil:
        """A full image in place of what was. Rows in any order; of a price that stands twice, the first. False when memory ends: the book is empty then."""
        self.clear()
        if ladder_load(&self._sides[BIDS], bids, n_bids) and ladder_load(&self._sides[ASKS], asks, n_asks):
            return True
        self.clear()
        return False

    cdef bint apply(self, const Level* bids, int32_t n_bids, const Level* asks, int32_t n_asks) noexcept nogil:
        """Level changes: absolute quantities, 0 removes, what lies outside the valid window is passed over. False when memory ends."""
        cdef bint good
        cdef qty_t* was = self._room_for_was(n_bids + n_asks)
        self.version += 1
        good = ladder_change(&self._sides[BIDS], bids, n_bids, self.valid_bid, INT64_MAX, &self.n_removed_unknown, was)
        if was != NULL:
            was += n_bids
        good = ladder_change(&self._sides[ASKS], asks, n_asks, INT64_MIN, self.valid_ask, &self.n_removed_unknown, was) and good
        return good

    cdef bint best(self, BookSide side, Level* out) noexcept nogil:
        """The best level; False, and nothing written, if the side is empty."""
        cdef Level level
        if not ladder_best(&self._sides[side], &level):
            return False
        out[0] = level
        return True

    cdef bint crossed(self) noexcept nogil:
        """Best bid at or above best ask."""
        cdef Level bid
        cdef Level ask
        return ladder_best(&self._sides[BIDS], &bid) and ladder_best(&self._sides[ASKS], &ask) and bid.px >= ask.px

    cdef int32_t n_levels(self, BookSide side) noexcept nogil:
        return ladder_n_levels(&self._sides[side])

    cdef qty_t quantity(self, BookSide side, px_t px) noexcept nogil:
        """The quantity at a price; 0 where there is none."""
        return ladder_quantity(&self._sides[side], px)

    cdef Walk walk(self, BookSide side) noexcept nogil:
        """From the touch outwards: walk_next until it is False."""
        return ladder_walk(&self._sides[side])

    cdef int32_t take(self, BookSide side, Level* out, int32_t n) noexcept nogil:
        """The best `n` levels, best first; how many there were."""
        cdef Walk walk = ladder_walk(&self._sides[side])
        cdef int32_t i = 0
        while i < n and walk_next(&walk, &out[i]):
            i += 1
        return i

    cdef px_t known_to(self, BookSide side) noexcept nogil:
        """The price to which this side is known, away from the touch: 0 or INT64_MAX where that is to the end."""
        cdef const Ladder* ladder = &self._sides[side]
        cdef px_t last = self.valid_bid if ladder.bids else self.valid_ask
        cdef Level worst
        if self.max_levels > 0 and self.n_levels(side) >= self.max_levels and ladder_worst(ladder, &worst) and ladder_better(ladder, worst.px, last):
            last = worst.px
        return last

    cdef int32_t take_to(self, BookSide side, px_t last, Level* out, int32_t n) noexcept nogil:
        """The levels from the touch to `last` and at it, best first, at most `n`; how many there were."""
        cdef const Ladder* ladder = &self._sides[side]
        cdef Walk walk = ladder_walk(ladder)
        cdef int32_t i = 0
        while i < n and walk_next(&walk, &out[i]) and not ladder_better(ladder, last, out[i].px):
            i += 1
        return i

    cdef bint set_window(self, px_t valid_bid, px_t valid_ask) noexcept nogil:
        """Nothing is claimed below `valid_bid` or above `valid_ask`: what the book has there goes, and what comes is passed over."""
        self.version += 1
        self.valid_bid = valid_bid
        self.valid_ask = valid_ask
        return ladder_cut(&self._sides[BIDS], valid_bid) and ladder_cut(&self._sides[ASKS], valid_ask)

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

    @property
    def n_laid(self):
        """How often a ladder was laid anew."""
        return self._sides[BIDS].n_laid + self._sides[ASKS].n_laid

    @property
    def room_bytes(self):
        """Memory of the levels of both sides."""
        return sum([self._sides[i].max_far * sizeof(Level) + (SLOTS * sizeof(qty_t) if self._sides[i].slots != NULL else 0) for i in range(2)])

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
