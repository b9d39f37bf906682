"""JSON text into memory that grows: the appliance's only way to write a payload."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, strlen

from cext.decimal cimport DECIMAL_TEXT_SIZE, decimal_write, whole_write
from cext.units cimport ns_t
from cext.wide cimport Wide

cdef struct Writer:
    char* at            # the memory's beginning
    Py_ssize_t size     # written
    Py_ssize_t capacity
    bint failed         # no memory: what was written since is lost, and the owner drops the message and counts it

cdef bint writer_init(Writer* w, Py_ssize_t capacity) noexcept nogil
cdef void writer_free(Writer* w) noexcept nogil
cdef bint writer_grow(Writer* w, Py_ssize_t more) noexcept nogil

cdef inline bint writer_room(Writer* w, Py_ssize_t more) noexcept nogil:
    """Make sure that `more` bytes fit."""
    return w.capacity - w.size >= more or writer_grow(w, more)

cdef inline void put_bytes(Writer* w, const char* text, Py_ssize_t size) noexcept nogil:
    if writer_room(w, size):
        memcpy(w.at + w.size, text, size)
        w.size += size

cdef inline void put_copy(Writer* w, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """Once more what stands at `at` already."""
    if writer_room(w, size):
        memcpy(w.at + w.size, w.at + at, size)
        w.size += size

cdef inline void put_decimal(Writer* w, int64_t value, int32_t scale) noexcept nogil:
    """A scaled integer as a quoted decimal: "61837.63"."""
    if writer_room(w, DECIMAL_TEXT_SIZE + 2):
        w.at[w.size] = c'"'
        w.size += 1
        w.size += decimal_write(w.at + w.size, value, scale)
        w.at[w.size] = c'"'
        w.size += 1

cdef inline void put_text(Writer* w, const char* text) noexcept nogil:
    """A literal that ends with a zero byte, as it is."""
    put_bytes(w, text, strlen(text))

cdef inline void put_bool(Writer* w, bint value) noexcept nogil:
    if value:
        put_bytes(w, b"true", 4)
    else:
        put_bytes(w, b"false", 5)

cdef void put_int(Writer* w, int64_t value) noexcept nogil
cdef void put_wide(Writer* w, Wide value, int32_t scale) noexcept nogil        # quoted decimal
cdef void put_double(Writer* w, double value, int32_t digits) noexcept nogil   # JSON number with `digits` significant digits; null if not finite
cdef void put_time(Writer* w, ns_t at_ns) noexcept nogil                       # null for NO_TIME
cdef void put_string(Writer* w, const char* text, Py_ssize_t size) noexcept nogil  # quoted and escaped
