"""Best bid and ask of one instrument, and what follows from them; `figures` is its newest state for other hot code."""

from libc.stdint cimport int32_t, int64_t

from cext.book cimport Book
from cext.channel cimport Channel
from cext.consolidated cimport Consolidated
from cext.events cimport Event, Level
from cext.measures.imbalance cimport Imbalances
from cext.measures.micro_price cimport MicroPrice
from cext.names cimport Names
from cext.outbox cimport Outbox
from cext.stream cimport BookState, Reason, Stream
from cext.measures.survey cimport Survey
from cext.symbols cimport Symbol
from cext.units cimport ns_t
from cext.writer cimport Writer

cdef struct TopFigures:     # not a number where it is not known
    bint known              # there is a best bid and a best ask, and they do not cross
    double bid              # in quote coins
    double ask
    double mid
    double spread_bps
    double micro            # the mid weighted by the opposite sizes
    double stoikov          # the fitted one; `micro` while there is no fit
    bint fitted
    double imbalance        # of the best sizes
    double imbalance_5
    ns_t ts_event
    ns_t ts_recv

cdef class BookTicker(Stream):
    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef readonly Imbalances imbalances     # None: only those of the best level and the best five
    cdef readonly MicroPrice micro_price    # None: the weighted mid alone
    cdef public Consolidated group          # None: the symbol is nobody else's; given before `attach`
    cdef readonly ns_t stale_ns             # without any event for so long, the group is not told by us any more
    cdef int32_t _member
    cdef bint _stands                       # the group counts us
    cdef ns_t _heard_ns                     # when anything of it came last
    cdef int64_t _survey_n
    cdef Survey _survey
    cdef bint _tops                         # follow the TOP best levels
    cdef bint _known
    cdef bint _synced
    cdef bint _heard_bbo
    cdef bint _from_book
    cdef Level _bid                         # qty 0: the side is empty
    cdef Level _ask
    cdef double _top_bids                   # quantity of the TOP best levels; negative: unknown
    cdef double _top_asks
    cdef int64_t _shown_id                  # cross_id of what is shown
    cdef int64_t _update_id
    cdef ns_t _ts_event                     # of what is shown
    cdef ns_t _ts_recv

    cdef void figures(self, TopFigures* out) noexcept nogil
    cdef int _age(self, const Event* event, ns_t ts_recv) noexcept nogil
    cdef bint _show(self, int64_t cross_id, int64_t last_id, ns_t ts_event, Level bid, Level ask, ns_t ts_recv) noexcept nogil
    cdef void _mark(self) noexcept nogil
    cdef void _tell_group(self) noexcept nogil
    cdef void _leave_group(self, int standing, ns_t now_ns) noexcept nogil
    cdef bint _look(self, Level* bid, Level* ask) noexcept nogil
    cdef void _forget(self) noexcept nogil
    cdef void _put_best(self, Writer* w, Level best) noexcept nogil
    cdef void _put_best_quantity(self, Writer* w, Level best) noexcept nogil
    cdef void _put_best_contracts(self, Writer* w, Level best) noexcept nogil
    cdef void _put_micro_prices(self, Writer* w) noexcept nogil
