"""Trades: single fills, and the aggregates of a taker order's fills at one price."""

from cext.cursor cimport Cursor
from cext.events cimport Batch, Outcome
from cext.symbols cimport Symbols
from cext.venues.binance.topic cimport Stream

cdef bint plain_trade(Cursor* c, bint aggregate, Symbols symbols, Batch* batch) noexcept nogil
cdef Outcome read_trade(Cursor* c, const Stream* stream, Symbols symbols, Batch* batch) noexcept nogil
