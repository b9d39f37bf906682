"""One look over the book around its mid, shared by all that is published of depth: how much lies between which distances.

An instrument makes it for those of its streams that hear of it (Stream.on_survey), once in `every_ns`, instruments in turns.
Distances are whole basis points of the mid: a level belongs to the first edge that it does not pass, |price - mid| <= edge. The comparison is in
whole numbers, so a level on an edge is always on it. Beyond what is known of the book (Book.known_to) nothing is told.

The levels themselves lie in memory that all surveys share: `levels` lends them to the streams of the instrument until the next survey is made.
"""

from libc.stdint cimport int32_t, int64_t

from cext.book cimport Book, BookSide
from cext.cadence cimport Cadence
from cext.events cimport Level
from cext.symbols cimport Symbol
from cext.units cimport ns_t, px_t
from cext.worth cimport Worth

cdef enum:
    MAX_EDGES = 160
    MAX_SURVEYED = 16384    # levels a side; what lies beyond so many is not known

cdef struct Amount:
    double native           # as the venue counts
    double quote            # in quote coins

cdef struct SideSurvey:
    Amount bins[MAX_EDGES]  # between the edge before and this one
    int32_t n_known         # so many edges lie within what is known
    int32_t n_levels        # within the last edge

cdef class Survey:
    cdef int32_t _bps[MAX_EDGES]
    cdef readonly int32_t n_edges
    cdef SideSurvey sides[2]
    cdef readonly bint valid        # there is a book with two sides that do not cross
    cdef readonly bint fresh        # the book had changed, and `levels` are this survey's
    cdef readonly int64_t n         # surveys that brought other figures
    cdef readonly int64_t n_edges_asked     # grows with each new edge: then their numbers are others
    cdef readonly ns_t at_ns
    cdef px_t bid_px
    cdef px_t ask_px
    cdef Worth worth                # at the scales of this survey
    cdef Cadence cadence
    cdef int64_t _version           # of the book, when it was last looked at

    cpdef ask(self, edges_bps, ns_t every_ns=*)
    cdef bint look(self, Book book, const Symbol* symbol, ns_t now_ns) noexcept nogil
    cdef void renew(self) noexcept nogil
    cdef void forget(self) noexcept nogil
    cdef int32_t edge(self, int32_t bps) noexcept nogil
    cdef int32_t bps_of(self, int32_t edge) noexcept nogil
    cdef Amount within(self, BookSide side, int32_t edge) noexcept nogil
    cdef bint known(self, BookSide side, int32_t edge) noexcept nogil
    cdef const Level* levels(self, BookSide side, int32_t* n) noexcept nogil
    cdef bint _make(self, Book book) noexcept nogil
    cdef bint _survey(self, Book book, BookSide side) noexcept nogil

cdef px_t px_at(px_t bid_px, px_t ask_px, int32_t bps, BookSide side) noexcept nogil
