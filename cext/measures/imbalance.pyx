"""How much more is bid than asked for, by how deep one looks."""

from libc.math cimport NAN, exp
from libc.stdint cimport int32_t

from cext.book cimport ASKS, BIDS, Book
from cext.events cimport Level
from cext.measures.survey cimport Survey
from cext.writer cimport Writer, put_bytes, put_double

cdef enum:
    DIGITS = 9              # significant, of scores


cdef double imbalance_of(double bids, double asks) noexcept nogil:
    """(bids - asks) / (bids + asks), in [-1, 1]; not a number where there is nothing (put_double makes it null)."""
    return (bids - asks) / (bids + asks) if bids + asks > 0 else NAN


cdef class Imbalances:
    """`depths`: levels a side; `decay` of the weighted one, over the deepest of them; `bands_bps`: distances from the mid."""

    def __init__(self, *, depths=(10, 20, 50), double decay=0.5, bands_bps=(10, 50, 100, 200)):
        self.configure(depths=depths, decay=decay, bands_bps=bands_bps)

    def configure(self, *, depths, double decay, bands_bps):
        """Other depths from now on."""
        depths, bands_bps = sorted(set(depths)), sorted(set(bands_bps))
        if not 1 <= len(depths) <= MAX_DEPTHS or depths[0] < 1 or depths[len(depths) - 1] > MAX_DEPTH or len(bands_bps) > MAX_DEPTHS:
            raise ValueError(f"depths {depths}, bands {bands_bps}: allowed are up to {MAX_DEPTHS} of each, depths of 1 to {MAX_DEPTH} levels")
        if not 0.0 <= decay <= 10.0:
            raise ValueError(f"decay {decay} is outside 0..10")
        self.decay = decay
        self.n_depths = <int32_t>len(depths)
        self.n_bands = <int32_t>len(bands_bps)
        self._words = [*(b',"imbalance_%d":' % n for n in depths), *(b',"imbalance_%dbps":' % bps for bps in bands_bps)]
        for i, word in enumerate(self._words):
            self._at[<int32_t>i] = word
            self._size[<int32_t>i] = len(word)
        for i, n in enumerate(depths):
            self.depths[<int32_t>i] = n
        for i, bps in enumerate(bands_bps):
            self.bands_bps[<int32_t>i] = bps
        self._deepest = self.depths[self.n_depths - 1]
        for i in range(MAX_DEPTH):
            self._weights[<int32_t>i] = exp(-decay * i)
        self.forget()

    cdef void forget(self) noexcept nogil:
        """The book is lost."""
        cdef int32_t i
        self._version = -1
        self.weighted = NAN
        for i in range(MAX_DEPTHS):
            self.of_depth[i] = self.within[i] = NAN

    cdef void ask(self, Survey survey):
        """From now on the survey has our distances."""
        survey.ask([self.bands_bps[k] for k in range(self.n_bands)])

    cdef void hear(self, Survey survey) noexcept nogil:
        """A new survey: those within distances."""
        cdef int32_t k, edge
        for k in range(self.n_bands):
            edge = survey.edge(self.bands_bps[k])
            self.within[k] = NAN
            if survey.known(BIDS, edge) and survey.known(ASKS, edge):
                self.within[k] = imbalance_of(survey.within(BIDS, edge).native, survey.within(ASKS, edge).native)

    cdef void look(self, Book book) noexcept nogil:
        """Bring the figures of levels up to the synced book as it is now."""
        cdef Level levels[2][MAX_DEPTH]
        cdef double sums[2]
        cdef double weighted[2]
        cdef int32_t n[2]
        cdef int32_t at[2]
        cdef int32_t i, k, side
        if book.version == self._version:
            return
        self._version = book.version
        for side in range(2):
            n[side] = book.take(side, levels[side], self._deepest)
            sums[side] = weighted[side] = 0.0
            at[side] = 0
            for i in range(n[side]):
                weighted[side] += self._weights[i] * <double>levels[side][i].qty
        self.weighted = imbalance_of(weighted[BIDS], weighted[ASKS])
        for k in range(self.n_depths):
            for side in range(2):
                for i in range(at[side], min(n[side], self.depths[k])):
                    sums[side] += <double>levels[side][i].qty
                at[side] = max(at[side], min(n[side], self.depths[k]))
            self.of_depth[k] = imbalance_of(sums[BIDS], sums[ASKS])

    cdef void put(self, Writer* w) noexcept nogil:
        """The fields imbalance_10, …, imbalance_weighted, imbalance_10bps, …"""
        cdef int32_t k
        for k in range(self.n_depths):
            put_bytes(w, self._at[k], self._size[k])
            put_double(w, self.of_depth[k], DIGITS)
        put_bytes(w, b',"imbalance_weighted":', 22)
        put_double(w, self.weighted, DIGITS)
        for k in range(self.n_bands):
            put_bytes(w, self._at[self.n_depths + k], self._size[self.n_depths + k])
            put_double(w, self.within[k], DIGITS)

    def values(self):
        """{"depths": {levels: imbalance}, "weighted", "bands": {bps: imbalance}}; None where it is not known."""
        def known(double value):
            return value if value == value else None

        return {
            "depths": {self.depths[k]: known(self.of_depth[k]) for k in range(self.n_depths)}, "weighted": known(self.weighted),
            "bands": {self.bands_bps[k]: known(self.within[k]) for k in range(self.n_bands)},
        }
