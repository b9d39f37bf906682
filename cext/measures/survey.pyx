"""One look over the book around its mid: how much lies between which distances."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memcmp, memset

from cext.book cimport ASKS, BIDS, Book, BookSide
from cext.cadence cimport cadence_due
from cext.events cimport Level
from cext.symbols cimport Symbol
from cext.units cimport ns_t, px_t
from cext.worth cimport worth_of, worth_quote

cdef enum:
    EVERY_NS = 250_000_000
    MAX_BPS = 9999
    TEN_THOUSAND = 10_000

# The levels of the newest survey of any instrument, and whose it was. One thread runs them all.
cdef Level _levels[2][MAX_SURVEYED]
cdef int32_t _n_levels[2]
cdef void* _owner = NULL


cdef px_t px_at(px_t bid_px, px_t ask_px, int32_t bps, BookSide side) noexcept nogil:
    """The last price of a side that is not further than `bps` from the mid: exact, though twice the mid times ten thousand may not fit 64 bits."""
    cdef int64_t whole = bid_px // (2 * TEN_THOUSAND) + ask_px // (2 * TEN_THOUSAND)
    cdef int64_t part = bid_px % (2 * TEN_THOUSAND) + ask_px % (2 * TEN_THOUSAND)     # mid * 2 = whole * 20000 + part
    cdef int64_t times = TEN_THOUSAND - bps if side == BIDS else TEN_THOUSAND + bps
    cdef int64_t rest = part * times
    if side == BIDS:
        return whole * times + (rest + 2 * TEN_THOUSAND - 1) // (2 * TEN_THOUSAND)
    if whole > (INT64_MAX - rest // (2 * TEN_THOUSAND)) // times:
        return INT64_MAX
    return whole * times + rest // (2 * TEN_THOUSAND)


cdef class Survey:
    """One object an instrument. It knows the distances that its streams ask for, and makes a survey as often as the hastiest of them wants."""

    def __init__(self):
        self.cadence.every_ns = EVERY_NS
        self.forget()

    cpdef ask(self, edges_bps, ns_t every_ns=EVERY_NS):
        """These distances too from now on, and surveys at least so often. Raises ValueError for more than fit."""
        edges = sorted({*self.edges_bps, *edges_bps})
        if len(edges) > MAX_EDGES or (edges and (edges[0] < 1 or edges[len(edges) - 1] > MAX_BPS)):
            raise ValueError(f"edges {edges}: allowed are up to {MAX_EDGES} of 1 to {MAX_BPS} basis points")
        if every_ns < 1:
            raise ValueError(f"every {every_ns} ns is not positive")
        self.cadence.every_ns = min(self.cadence.every_ns, every_ns)
        if len(edges) > self.n_edges:
            self.n_edges = <int32_t>len(edges)
            for i, bps in enumerate(edges):
                self._bps[<int32_t>i] = bps
            self.n_edges_asked += 1
            self.forget()

    @property
    def edges_bps(self):
        return tuple([self._bps[i] for i in range(self.n_edges)])

    cdef void renew(self) noexcept nogil:
        """The next survey is a fresh one, whether the book changes or not."""
        self._version = -1

    cdef void forget(self) noexcept nogil:
        """The book is lost: nothing is known of it."""
        self.valid = self.fresh = False
        self._version = -1
        self.sides[BIDS].n_known = self.sides[ASKS].n_known = 0

    cdef bint look(self, Book book, const Symbol* symbol, ns_t now_ns) noexcept nogil:
        """True if it is this instrument's turn. If the synced book has changed it is surveyed; `n` grows if its figures are others."""
        global _owner
        if not cadence_due(&self.cadence, now_ns, symbol.ix):
            return False
        self.fresh = book.version != self._version
        if not self.fresh:
            return True
        self._version = book.version
        self.worth = worth_of(symbol)
        self.at_ns = now_ns
        _owner = <void*>self
        if self._make(book):
            self.n += 1
        return True

    cdef bint _make(self, Book book) noexcept nogil:
        """True if any figure is another than before."""
        cdef Level bid, ask
        cdef bint was_valid = self.valid
        cdef bint moved
        _n_levels[BIDS] = _n_levels[ASKS] = 0
        self.valid = book.best(BIDS, &bid) and book.best(ASKS, &ask) and 0 < bid.px < ask.px
        if not self.valid:
            self.sides[BIDS].n_known = self.sides[ASKS].n_known = 0
            return was_valid
        moved = not was_valid or bid.px != self.bid_px or ask.px != self.ask_px
        self.bid_px = bid.px
        self.ask_px = ask.px
        moved = self._survey(book, BIDS) or moved
        return self._survey(book, ASKS) or moved

    cdef bint _survey(self, Book book, BookSide side) noexcept nogil:
        cdef px_t last[MAX_EDGES]
        cdef SideSurvey now
        cdef px_t known = book.known_to(side)
        cdef px_t px
        cdef Level* levels = _levels[side]
        cdef int32_t i, n
        cdef int32_t edge = 0
        cdef bint bids = side == BIDS
        cdef bint changed
        for i in range(self.n_edges):
            last[i] = px_at(self.bid_px, self.ask_px, self._bps[i], side)
        memset(&now, 0, sizeof(SideSurvey))
        n = book.take_to(side, last[self.n_edges - 1], levels, MAX_SURVEYED)
        for i in range(n):
            px = levels[i].px
            while px < last[edge] if bids else px > last[edge]:
                edge += 1
            now.bins[edge].native += <double>levels[i].qty
            now.bins[edge].quote += worth_quote(&self.worth, px, levels[i].qty)
        now.n_levels = _n_levels[side] = n
        now.n_known = edge if n == MAX_SURVEYED else self.n_edges
        for i in range(now.n_known):
            if last[i] < known if bids else last[i] > known:
                now.n_known = i
                break
        changed = memcmp(&now, &self.sides[side], sizeof(SideSurvey)) != 0
        self.sides[side] = now
        return changed

    cdef int32_t edge(self, int32_t bps) noexcept nogil:
        """The number of an edge; -1 if there is none at that distance."""
        cdef int32_t i
        for i in range(self.n_edges):
            if self._bps[i] == bps:
                return i
        return -1

    cdef int32_t bps_of(self, int32_t edge) noexcept nogil:
        return self._bps[edge]

    cdef Amount within(self, BookSide side, int32_t edge) noexcept nogil:
        """All that lies within an edge, known or not."""
        cdef Amount sum
        cdef int32_t i
        sum.native = sum.quote = 0
        for i in range(edge + 1):
            sum.native += self.sides[side].bins[i].native
            sum.quote += self.sides[side].bins[i].quote
        return sum

    cdef bint known(self, BookSide side, int32_t edge) noexcept nogil:
        return 0 <= edge < self.sides[side].n_known

    cdef const Level* levels(self, BookSide side, int32_t* n) noexcept nogil:
        """The levels within the last edge, best first; none if another instrument was surveyed since."""
        n[0] = _n_levels[side] if _owner == <void*>self else 0
        return _levels[side]

    def values(self):
        """The figures as plain data: {"valid", "mid" in quote coins, "bids", "asks": [(edge, native, quote) of each bin that is known]}."""
        sides = {name: [(self._bps[i], self.sides[side].bins[i].native, self.sides[side].bins[i].quote) for i in range(self.sides[side].n_known)]
                 for name, side in (("bids", BIDS), ("asks", ASKS))}
        mid = (<double>self.bid_px + <double>self.ask_px) / 2 * self.worth.px if self.valid else None
        return {"valid": bool(self.valid), "mid": mid, "at_ns": self.at_ns, **sides}


def price_at(px_t bid_px, px_t ask_px, int32_t bps, int side):
    """`px_at` for tests."""
    return px_at(bid_px, ask_px, bps, <BookSide>side)
