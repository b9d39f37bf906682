"""OKX's liquidations."""

from cext.cursor cimport Cursor
from cext.events cimport Batch, Outcome
from cext.symbols cimport Symbols

cdef Outcome okx_forced(Symbols symbols, Cursor* c, Batch* batch) noexcept nogil
