"""CRC-32 of a book's best 25 levels.

Level by level, bid then ask, price and quantity in the venue's own text, joined by colons; a side that runs out is passed over. The texts
are written anew from the scaled integers: every recorded text is canonical (no needless zeros), so they are the same bytes.
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t

from cext.book cimport ASKS, BIDS, Book
from cext.decimal cimport DECIMAL_TEXT_SIZE, decimal_write
from cext.events cimport Level
from cext.ladder cimport Walk, walk_next
from cext.word cimport load8

cdef enum:
    CHECKED_LEVELS = 25

cdef uint32_t[8][256] _TABLES   # [i]: the sum of a byte with i zeros behind it


cdef void _make_tables() noexcept nogil:
    """The reflected polynomial 0xEDB88320, as zlib has it."""
    cdef uint32_t i, entry
    cdef int _bit, zeros
    for i in range(256):
        entry = i
        for _bit in range(8):
            entry = (entry >> 1) ^ (<uint32_t>0xEDB88320 if entry & 1 else 0)
        _TABLES[0][i] = entry
    for zeros in range(1, 8):
        for i in range(256):
            entry = _TABLES[zeros - 1][i]
            _TABLES[zeros][i] = (entry >> 8) ^ _TABLES[0][entry & 0xFF]


_make_tables()


cdef uint32_t _sum(const char* text, Py_ssize_t size) noexcept nogil:
    """Eight bytes in a step: each looked up where it stands, as if the others were zeros."""
    cdef uint32_t crc = <uint32_t>0xFFFFFFFF
    cdef uint64_t word
    cdef Py_ssize_t i = 0
    while size - i >= 8:
        word = load8(text + i) ^ crc
        crc = _TABLES[7][word & 0xFF] ^ _TABLES[6][word >> 8 & 0xFF] ^ _TABLES[5][word >> 16 & 0xFF] ^ _TABLES[4][word >> 24 & 0xFF] \
            ^ _TABLES[3][word >> 32 & 0xFF] ^ _TABLES[2][word >> 40 & 0xFF] ^ _TABLES[1][word >> 48 & 0xFF] ^ _TABLES[0][word >> 56]
        i += 8
    while i < size:
        crc = _TABLES[0][(crc ^ <unsigned char>text[i]) & 0xFF] ^ (crc >> 8)
        i += 1
    return crc ^ <uint32_t>0xFFFFFFFF


cdef int32_t book_checksum(Book book, int32_t px_scale, int32_t qty_scale) noexcept nogil:
    """Signed, as the venue sent it."""
    cdef Walk[2] walks
    cdef Level level
    cdef char[CHECKED_LEVELS * 2 * (2 * DECIMAL_TEXT_SIZE + 2)] text
    cdef Py_ssize_t size = 0
    cdef int _i, side
    walks[<int>BIDS] = book.walk(BIDS)
    walks[<int>ASKS] = book.walk(ASKS)
    for _i in range(CHECKED_LEVELS):
        for side in range(2):
            if not walk_next(&walks[side], &level):
                continue
            size += decimal_write(text + size, level.px, px_scale)
            text[size] = c':'
            size += 1
            size += decimal_write(text + size, level.qty, qty_scale)
            text[size] = c':'
            size += 1
    return <int32_t>_sum(text, size - 1 if size > 0 else 0)


def checksum(Book book, int32_t px_scale, int32_t qty_scale):
    """`book_checksum` for tests and cold code."""
    return book_checksum(book, px_scale, qty_scale)
