"""CRC-32 of a book's best 25 levels.

Level by level, bid then ask, price and quantity in the venue's own text, joined by colons; a side that runs out is passed over. The texts
are written anew from the scaled integers: every recorded text is canonical (no needless zeros), so they are the same bytes.
"""

from libc.stdint cimport int32_t, uint32_t

from cext.book cimport ASKS, BIDS, Book, Walk, walk_next
from cext.decimal cimport DECIMAL_TEXT_SIZE, decimal_write
from cext.events cimport Level

cdef enum:
    CHECKED_LEVELS = 25

cdef uint32_t _TABLE[256]


cdef void _make_table() noexcept nogil:
    """The reflected polynomial 0xEDB88320, as zlib has it."""
    cdef uint32_t i, entry
    cdef int _bit
    for i in range(256):
        entry = i
        for _bit in range(8):
            entry = (entry >> 1) ^ (<uint32_t>0xEDB88320 if entry & 1 else 0)
        _TABLE[i] = entry


_make_table()


cdef uint32_t _update(uint32_t crc, const char* text, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(size):
        crc = _TABLE[(crc ^ <unsigned char>text[i]) & 0xFF] ^ (crc >> 8)
    return crc


cdef int32_t book_checksum(Book book, int32_t px_scale, int32_t qty_scale) noexcept nogil:
    """Signed, as the venue sent it."""
    cdef Walk bids = book.walk(BIDS)
    cdef Walk asks = book.walk(ASKS)
    cdef Level level
    cdef char text[2 * DECIMAL_TEXT_SIZE + 2]
    cdef Py_ssize_t size
    cdef uint32_t crc = <uint32_t>0xFFFFFFFF
    cdef bint first = True
    cdef int32_t _i, side
    for _i in range(CHECKED_LEVELS):
        for side in range(2):
            if not walk_next(&bids if side == BIDS else &asks, &level):
                continue
            size = 0
            if not first:
                text[0] = c':'
                size = 1
            first = False
            size += decimal_write(text + size, level.px, px_scale)
            text[size] = c':'
            size += 1
            size += decimal_write(text + size, level.qty, qty_scale)
            crc = _update(crc, text, size)
    return <int32_t>(crc ^ <uint32_t>0xFFFFFFFF)


def checksum(Book book, int32_t px_scale, int32_t qty_scale):
    """`book_checksum` for tests and cold code."""
    return book_checksum(book, px_scale, qty_scale)
