"""OKX's frames as OKX writes them."""

from cext.events cimport Batch
from cext.symbols cimport Symbols

cdef bint okx_plain(Symbols symbols, const char* frame, Py_ssize_t size, Batch* batch) noexcept nogil
