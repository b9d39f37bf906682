"""Changes of a book, and whole books by REST."""

from cext.cursor cimport Cursor
from cext.events cimport Batch, Outcome
from cext.symbols cimport Symbol, Symbols
from cext.venues.binance.topic cimport Stream

cdef bint plain_depth(Cursor* c, Symbols symbols, bint futures, Batch* batch) noexcept nogil
cdef Outcome read_depth(Cursor* c, const Stream* stream, Symbols symbols, bint futures, Batch* batch) noexcept nogil
cdef Outcome read_image(Cursor* c, Symbol* symbol, Symbols symbols, Batch* batch) noexcept nogil
