"""Liquidations of futures."""

from cext.cursor cimport Cursor
from cext.events cimport Batch, Outcome
from cext.symbols cimport Symbols
from cext.venues.binance.topic cimport Stream

cdef Outcome read_forced(Cursor* c, const Stream* stream, Symbols symbols, Batch* batch) noexcept nogil
