"""What stands in one instrument's book by distance, what an order would cost, and the walls; the arrays are its newest state for other hot code."""

from libc.stdint cimport int32_t, int64_t

from cext.book cimport BookSide
from cext.cadence cimport Cadence
from cext.channel cimport Channel
from cext.measures.depth_shift cimport DepthShift
from cext.measures.survey cimport MAX_EDGES, Survey
from cext.measures.walls cimport Wall, Walls
from cext.names cimport Names
from cext.stream cimport Stream
from cext.units cimport ns_t, px_t
from cext.writer cimport Writer

cdef enum:
    MAX_BANDS = 16
    MAX_SIZES = 8

cdef struct LiquidityFigures:   # not a number where it is not known
    bint known                  # the book is synced and has two sides
    double mid                  # in quote coins
    int32_t n_bands
    int32_t bands_bps[MAX_BANDS]
    double depth[2][MAX_BANDS]  # quote coins within a band, by side of the book
    int32_t n_sizes
    double sizes[MAX_SIZES]     # of an order, in quote coins
    double slippage[2][MAX_SIZES]   # basis points from the mid: 0 of a sale (into the bids), 1 of a purchase (into the asks)
    double shift_bps[2]         # depth_shift.pxd

cdef class Liquidity(Stream):
    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef LiquidityFigures figures
    cdef Walls walls
    cdef DepthShift shift[2]
    cdef int32_t _profile_edges[MAX_EDGES]      # basis points
    cdef int32_t _n_profile
    cdef tuple _texts                           # the profile's steps, bands and sizes as they are published; owns what follows
    cdef const char* _text_at[3]
    cdef Py_ssize_t _text_size[3]
    cdef px_t _bid_px                           # of the newest survey, at its scale
    cdef px_t _ask_px
    cdef int32_t _px_scale
    cdef ns_t _day_ns
    cdef Survey _survey
    cdef Cadence _cadence
    cdef int64_t _survey_n
    cdef bint _synced
    cdef bint _news                             # since the last mark
    cdef ns_t _at_ns                            # of the newest survey

    cdef void _measure(self, Survey survey) noexcept nogil
    cdef void _slip(self, Survey survey, BookSide side) noexcept nogil
    cdef void _forget(self) noexcept nogil
    cdef void _put_known(self, Writer* w, BookSide side) noexcept nogil
    cdef void _put_doubles(self, Writer* w, const double* values, int32_t n) noexcept nogil
    cdef void _put_text(self, Writer* w, int32_t number) noexcept nogil
    cdef void _put_mid(self, Writer* w) noexcept nogil
    cdef void _put_profile(self, Writer* w, BookSide side) noexcept nogil
    cdef void _put_wall(self, Writer* w, const Wall* wall) noexcept nogil
