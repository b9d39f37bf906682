"""Bybit's liquidations."""

from cext.cursor cimport Cursor, View
from cext.events cimport Batch, Outcome
from cext.symbols cimport Symbols

cdef Outcome bybit_forced(Symbols symbols, Cursor* c, View name, Batch* batch) noexcept nogil
