"""CONTRACT bytes -> events. One subclass a venue (cext/venues); it knows no socket, no clock and no book.

`decode` is handed one whole frame and writes a Batch. It walks the JSON key by key, in any order, over unknown keys, escapes and white space.
What it needs before it can read a number (the instrument's scale) may come after the numbers: then it remembers where they stood and reads
them when it knows. On any outcome but OUTCOME_EVENTS the batch holds no event, yet `topic` and `instrument` say as much as was understood.
"""

from libc.stdint cimport int32_t

from cext.cursor cimport Cursor
from cext.decimal cimport DecimalVerdict
from cext.events cimport Batch, Outcome
from cext.symbols cimport Symbol, Symbols


cdef class Normalizer:
    cdef readonly Symbols symbols

    cdef Outcome decode(self, const char* frame, Py_ssize_t size, Batch* batch) noexcept nogil
    cdef Outcome decode_snapshot(self, int32_t instrument, const char* body, Py_ssize_t size, Batch* batch) noexcept nogil


cdef Outcome read_levels(Cursor* c, const Symbol* symbol, Batch* batch, int32_t* first, int32_t* n) noexcept nogil
cdef Outcome outcome_of(DecimalVerdict verdict) noexcept nogil
