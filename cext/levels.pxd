"""Price levels as JSON, in the venue's native unit: [["61837.63","0.02"],...]."""

from libc.stdint cimport int32_t

from cext.book cimport Book, BookSide
from cext.decimal cimport DECIMAL_TEXT_SIZE, decimal_write
from cext.events cimport Level
from cext.ladder cimport Walk, walk_next
from cext.writer cimport Writer, put_bytes, writer_room


cdef inline void put_level(Writer* w, const Level* level, int32_t px_scale, int32_t qty_scale) noexcept nogil:
    """One [price, quantity] pair with its leading comma."""
    cdef char* to
    if not writer_room(w, 2 * DECIMAL_TEXT_SIZE + 8):
        return
    to = w.at + w.size
    to[0] = c','
    to[1] = c'['
    to[2] = c'"'
    to += 3
    to += decimal_write(to, level.px, px_scale)
    to[0] = c'"'
    to[1] = c','
    to[2] = c'"'
    to += 3
    to += decimal_write(to, level.qty, qty_scale)
    to[0] = c'"'
    to[1] = c']'
    w.size = to + 2 - w.at


cdef inline void _close_levels(Writer* w, Py_ssize_t from_size) noexcept nogil:
    """Turn the comma before the first pair into the opening bracket."""
    if w.size == from_size:
        put_bytes(w, b"[]", 2)
    elif not w.failed:
        w.at[from_size] = c'['
        put_bytes(w, b"]", 1)


cdef inline void put_levels(Writer* w, const Level* levels, int32_t n, int32_t px_scale, int32_t qty_scale) noexcept nogil:
    cdef Py_ssize_t from_size = w.size
    cdef int32_t i
    for i in range(n):
        put_level(w, &levels[i], px_scale, qty_scale)
    _close_levels(w, from_size)


cdef inline void put_side(Writer* w, Book book, BookSide side, int32_t px_scale, int32_t qty_scale) noexcept nogil:
    """Every level of one side, best first."""
    cdef Py_ssize_t from_size = w.size
    cdef Walk walk = book.walk(side)
    cdef Level level
    while walk_next(&walk, &level):
        put_level(w, &level, px_scale, qty_scale)
    _close_levels(w, from_size)
