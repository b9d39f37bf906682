"""One interval of trading: its prices in the order of time, and what was traded in it, exactly.

A bar is plain memory of its owner's (grid.pxd). Trades may be added in any order; whole bars are merged in the order of time.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.events cimport Event
from cext.symbols cimport Symbol
from cext.turnover cimport Turnover
from cext.units cimport ns_t, px_t

# `open_at`, `close_at` and the ids (or the counts of the matching engine, where ids are no numbers) order trades that arrive in any order.
cdef struct Bar:
    int64_t index           # its beginning in whole intervals since 1970; NO_ID: free
    px_t open
    px_t high
    px_t low
    px_t close
    ns_t open_at
    ns_t close_at
    int64_t open_id
    int64_t close_id
    Turnover bought         # by the aggressor
    Turnover rest           # sold, or the venue does not say
    int64_t trades
    int64_t seq             # of the event that published it last
    int32_t revision
    uint32_t marks
    bint closed
    bint amended            # since it was published
    bint incomplete         # trades of it are missing, and will not come
    bint told_complete      # as published last
    bint outgrown           # the sums are not known any more: one did not fit
    bint unsplit            # what of them was bought is not known: a part came from a venue that does not say, and is all in `rest`
    bint uncounted          # nor how many trades they are
    int64_t settled_s       # trades before this second are in it, whoever brings them again: it was made of history
    int64_t settled_id      # but not those of higher numbers than this, which that history had not; NO_ID: it had them all

cdef void bar_blank(Bar* bar, int64_t index) noexcept nogil
cdef bint bar_add(Bar* bar, const Symbol* symbol, const Event* event, ns_t at) noexcept nogil
cdef bint bar_merge(Bar* bar, const Bar* second) noexcept nogil
cdef bint bar_equal(const Bar* a, const Bar* b) noexcept nogil
cdef void bar_flatten(Bar* bar, px_t px) noexcept nogil
cdef bint bar_rescale(Bar* bar, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil
