"""Best bid and ask."""

from cext.cursor cimport Cursor
from cext.events cimport Batch, Outcome
from cext.symbols cimport Symbols
from cext.venues.binance.topic cimport Stream

cdef bint plain_bbo(Cursor* c, Symbols symbols, Batch* batch) noexcept nogil
cdef Outcome read_bbo(Cursor* c, const Stream* stream, Symbols symbols, Batch* batch) noexcept nogil
