"""How much more is bid than asked for, in [-1, 1], by how deep one looks: (B - A) / (B + A), as in Gould and Bonart (arXiv 1512.03492).

Over the best n levels; weighted, where level i counts exp(-decay * (i - 1)); and within a distance of the mid (from the survey of the book, so
up to a quarter of a second old). Sizes are native: of one instrument they are all of a kind.
"""

from libc.stdint cimport int32_t, int64_t

from cext.book cimport Book
from cext.measures.survey cimport Survey
from cext.writer cimport Writer

cdef enum:
    MAX_DEPTHS = 8
    MAX_DEPTH = 200         # levels a side

cdef class Imbalances:
    cdef readonly double decay
    cdef readonly int32_t n_depths
    cdef readonly int32_t n_bands
    cdef int32_t depths[MAX_DEPTHS]
    cdef int32_t bands_bps[MAX_DEPTHS]
    cdef double of_depth[MAX_DEPTHS]    # not a number where it is not known
    cdef double weighted
    cdef double within[MAX_DEPTHS]
    cdef double _weights[MAX_DEPTH]
    cdef int32_t _deepest
    cdef int64_t _version               # of the book that of_depth and weighted are of
    cdef list _words                    # owns what _at points at
    cdef const char* _at[2 * MAX_DEPTHS]
    cdef Py_ssize_t _size[2 * MAX_DEPTHS]

    cdef void look(self, Book book) noexcept nogil
    cdef void ask(self, Survey survey)
    cdef void hear(self, Survey survey) noexcept nogil
    cdef void forget(self) noexcept nogil
    cdef void put(self, Writer* w) noexcept nogil

cdef double imbalance_of(double bids, double asks) noexcept nogil
