"""Fills of one taker's burst as the one print that it was: the same side, the same millisecond, and nothing of anybody else's in between.

Fills belong together where their ids follow each other, or where the venue counts them alike (cross_id: some number all fills of one order the
same). A print is finished by the first fill that is not of it, or when none has come for `hold_ns`: PRINT_HOLD_NS, and the time over which a venue folds
fills of one price into a row, as the last row of an order is told when that is over. A negotiated trade (EVENT_BLOCK) is nobody's
burst: it finishes what is open and is no print. Fills that were fetched make prints like the others, which say so in their flags.

An instrument merges once for all its streams (Stream.on_print), and knows how large its prints were over the last day (quantiles.pxd).
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.events cimport Event, Side
from cext.symbols cimport Symbol
from cext.turnover cimport Turnover
from cext.units cimport ns_t, px_t

cdef enum:
    PRINT_HOLD_NS = 20_000_000

cdef struct Print:
    Side side
    uint32_t flags          # EventFlags of any of its fills
    int32_t n_rows          # events merged; one may stand for several fills
    ns_t ts_event           # the first fill's, NO_TIME where there is none
    ns_t ts_recv            # the first fill's frame
    ns_t ts_last            # the last one's
    int64_t first_id        # NO_ID where fills have no numbers
    int64_t last_id
    int64_t cross_id        # the last fill's; NO_ID where there is none
    px_t first_px
    px_t last_px
    px_t low_px
    px_t high_px
    Turnover turnover
    double size             # in quote coins, for thresholds and scores; what is published comes from the turnover

cdef struct Prints:
    Print open              # n_rows 0: none is
    int64_t n_lost          # sums that did not fit: no print
    bint broken             # the open one's did not
    ns_t hold_ns

cdef void prints_init(Prints* p, ns_t hold_ns=*) noexcept nogil
cdef bint prints_add(Prints* p, const Symbol* symbol, const Event* trade, ns_t ts_recv, Print* done) noexcept nogil     # True: `done` is finished
cdef bint prints_due(Prints* p, const Symbol* symbol, ns_t now_ns, Print* done) noexcept nogil                          # the same, by the clock
cdef void prints_rescale(Prints* p, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil
