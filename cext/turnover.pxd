"""What was traded, exactly: the venue's native amount and its counter value, in 128 bits.

Native amounts are base coins or contracts (symbols.pxd). Base and quote amounts of both kinds of contract come out of the same two sums; only
the base coins of inverse contracts need a division, and are the only amounts here that are rounded.
"""

from libc.stdint cimport int32_t, int64_t

from cext.symbols cimport Symbol
from cext.units cimport px_t, qty_t
from cext.wide cimport Wide
from cext.writer cimport Writer

cdef enum:
    BASE_PLACES = 8     # decimals of an inverse contract's base coins, where they are published
    FINE_PLACES = 26    # and where they are summed

cdef struct Turnover:
    Wide native         # sum of qty, at qty_scale
    Wide cross          # sum of px * qty, at px_scale + qty_scale; inverse: sum of base coins, at FINE_PLACES

cdef void turnover_clear(Turnover* t) noexcept nogil
cdef bint turnover_add(Turnover* t, const Symbol* symbol, px_t px, qty_t qty) noexcept nogil
cdef bint turnover_merge(Turnover* t, const Turnover* other) noexcept nogil
cdef void turnover_negate(Turnover* t) noexcept nogil       # a turnover may also stand for a difference
cdef bint turnover_rescale(Turnover* t, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil

# Base and quote coins, nearly: for scores, never for what is published.
cdef double turnover_base(const Symbol* symbol, const Turnover* t) noexcept nogil
cdef double turnover_quote(const Symbol* symbol, const Turnover* t) noexcept nogil

cdef void put_base(Writer* w, const Symbol* symbol, const Turnover* t) noexcept nogil
cdef void put_quote(Writer* w, const Symbol* symbol, const Turnover* t) noexcept nogil
cdef void put_contracts(Writer* w, const Symbol* symbol, const Turnover* t) noexcept nogil
cdef void put_vwap(Writer* w, const Symbol* symbol, const Turnover* t) noexcept nogil
cdef void put_quantity(Writer* w, const Symbol* symbol, px_t px, qty_t qty) noexcept nogil
cdef void put_notional(Writer* w, const Symbol* symbol, px_t px, qty_t qty) noexcept nogil
cdef void put_unit(Writer* w, const Symbol* symbol) noexcept nogil
cdef void put_amount(Writer* w, const Symbol* symbol, px_t px, qty_t qty) noexcept nogil
cdef void put_amounts(Writer* w, const Symbol* symbol, const Turnover* t) noexcept nogil

cdef int32_t mean_places(const Symbol* symbol) noexcept nogil
cdef void put_mean(Writer* w, Wide num, Wide den, int32_t shift, int32_t places) noexcept nogil
