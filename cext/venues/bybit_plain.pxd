"""Bybit's frames as Bybit writes them."""

from cext.events cimport Batch
from cext.symbols cimport Symbols

cdef bint bybit_plain(Symbols symbols, const char* frame, Py_ssize_t size, Batch* batch) noexcept nogil
