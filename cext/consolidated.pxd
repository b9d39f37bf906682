"""The best bid and ask of one symbol over all venues: `book_ticker:all:{symbol}`.

Each venue's BookTicker hands its top in whenever it changes, and takes it out the moment it cannot vouch for it. What is best is found when the
event is written, or when somebody asks: a change costs the copy of a quote. It opens its channel when the second venue joins.
"""

from libc.stdint cimport int32_t, int64_t

from cext.channel cimport Channel, Source
from cext.events cimport Level
from cext.outbox cimport Outbox
from cext.symbols cimport Symbol
from cext.units cimport ns_t
from cext.writer cimport Writer

cdef enum:
    MAX_VENUES = 16

cdef enum Standing:
    STANDS_NOT_YET = 0      # it never had a quote
    STANDS                  # counts
    STANDS_INVALID          # its book is lost
    STANDS_STALE            # nothing of it came for too long
    STANDS_CROSSED          # its own bid is not below its own ask (an auction)
    STANDS_EMPTY            # a side of it is empty

cdef struct VenueQuote:
    Standing standing
    Symbol symbol           # as it was at the quote: its scales, and what a contract is
    Level bid
    Level ask
    ns_t ts_event
    ns_t ts_recv

cdef struct Best:           # over the venues that stand; -1: there is none
    int32_t bid
    int32_t ask
    int32_t crossing        # 1 crossed, 0 locked, -1 neither: bid against ask of different venues

cdef class Consolidated(Source):
    cdef readonly str symbol
    cdef readonly str word
    cdef readonly Channel channel       # None while fewer than two venues have joined
    cdef Outbox out
    cdef VenueQuote quotes[MAX_VENUES]
    cdef readonly int32_t n
    cdef readonly int64_t n_crossed     # events that told so
    cdef readonly int64_t n_locked
    cdef list _names
    cdef const char* _name_at[MAX_VENUES]
    cdef Py_ssize_t _name_size[MAX_VENUES]

    cdef int32_t join(self, Outbox out, str exchange) except -1
    cdef void tell(self, int32_t member, const Symbol* symbol, const Level* bid, const Level* ask, ns_t ts_event, ns_t ts_recv) noexcept nogil
    cdef void leave(self, int32_t member, Standing standing, ns_t now_ns) noexcept nogil
    cdef Best best(self) noexcept nogil
    cdef void _put_side(self, Writer* w, int32_t member, bint bid) noexcept nogil
    cdef void _put_venue(self, Writer* w, int32_t member) noexcept nogil
    cdef void _put_name(self, Writer* w, int32_t member) noexcept nogil
    cdef void _put_between(self, Writer* w, const VenueQuote* bid, const VenueQuote* ask) noexcept nogil
