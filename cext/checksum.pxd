"""CRC-32 of a book's best 25 levels, as one venue sent it until June 2026."""

from libc.stdint cimport int32_t

from cext.book cimport Book

cdef int32_t book_checksum(Book book, int32_t px_scale, int32_t qty_scale) noexcept nogil
