"""What a level or a trade is worth, as doubles, for thresholds and figures: base coins and quote coins of a native amount, by the kind of contract.

The exact amounts are turnover.pxd's; these are right to about 1e-15 of themselves and cost a multiplication.
"""

from libc.stdint cimport int32_t

from cext.decimal cimport POW10
from cext.symbols cimport CONTRACT_INVERSE, Symbol
from cext.units cimport px_t, qty_t

cdef struct Worth:          # of one instrument at its present scales
    double px               # one unit of px_t as a price
    double amount           # one unit of qty_t in base coins, of an inverse contract in quote coins
    bint inverse


cdef inline Worth worth_of(const Symbol* symbol) noexcept nogil:
    cdef Worth w
    w.px = 1.0 / <double>POW10[symbol.px_scale]
    w.amount = <double>symbol.contract_value / <double>POW10[symbol.contract_value_scale] / <double>POW10[symbol.qty_scale]
    w.inverse = symbol.contract == CONTRACT_INVERSE
    return w


cdef inline double worth_quote(const Worth* w, px_t px, qty_t qty) noexcept nogil:
    """In quote coins."""
    cdef double amount = <double>qty * w.amount
    return amount if w.inverse else amount * (<double>px * w.px)


cdef inline double worth_base(const Worth* w, px_t px, qty_t qty) noexcept nogil:
    """In base coins; of an inverse contract at `px`, which must be positive."""
    cdef double amount = <double>qty * w.amount
    return amount / (<double>px * w.px) if w.inverse else amount
