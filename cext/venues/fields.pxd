"""Single fields that several venues write alike: times in milliseconds, ids, flags of keys already met, a trade's own id.

A field that is absent, null or empty is not an error here where the venue may leave it out; anything else that is not what
it should be makes the cursor bad, and with it the frame.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from cext.cursor cimport Cursor, View, cursor_next_key, cursor_scalar, view_int, view_is, view_is_null, view_unescape
from cext.events cimport TRADE_ID_SIZE, Event
from cext.symbols cimport Symbols
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.word cimport DIGITS, digits8, load8, not_digits

cdef extern from *:
    """
    #define P9_MAX_MS 9223372036854LL  /* the last millisecond whose nanoseconds fit int64: April 2262 */
    """
    const int64_t MAX_MS "P9_MAX_MS"

cdef enum:
    NAME_ROOM = 64      # for a name that was written with escapes


cdef inline bint next_key(Cursor* c, bint first, View* key, char* room) noexcept nogil:
    """`cursor_next_key`, and a key written with escapes is read into `room` (NAME_ROOM bytes): JSON has it as the same key."""
    if not cursor_next_key(c, first, key):
        return False
    if key.escaped:
        key[0] = view_unescape(key[0], room, NAME_ROOM)
    return True


cdef inline bint says(View v, const char* text, Py_ssize_t size) noexcept nogil:
    """Whether a string's text is `text`, however it is spelled."""
    cdef char room[NAME_ROOM]
    if v.escaped:
        v = view_unescape(v, room, NAME_ROOM)
    return view_is(v, text, size)


cdef inline int32_t find_name(Symbols symbols, View name) noexcept nogil:
    """The index of the instrument that a venue calls `name`, or -1."""
    cdef char room[NAME_ROOM]
    if name.escaped:
        name = view_unescape(name, room, NAME_ROOM)
    return symbols.find(name.at, name.size)


cdef inline bint meet(Cursor* c, uint32_t* met, uint32_t key) noexcept nogil:
    """Note that `key` (a bit) was met. A second time makes the cursor bad: which of the two would be true?"""
    if met[0] & key:
        c.bad = True
    met[0] |= key
    return not c.bad


cdef inline bint since_1970(int64_t stamp, ns_t* out) noexcept nogil:
    """A time in nanoseconds. The venues write milliseconds; another unit is told by its size: as milliseconds, 10**9 to 10**11 would be the first years after
    1970 and are seconds, and from 10**15 on it counts microseconds. False: it is no time that int64 nanoseconds can hold.
    """
    if <int64_t>100000000000 <= stamp <= MAX_MS or 0 <= stamp < 1000000000:
        out[0] = stamp * 1000000
    elif <int64_t>1000000000 <= stamp <= <int64_t>9223372036:
        out[0] = stamp * 1000000000
    elif <int64_t>1000000000000000 <= stamp <= <int64_t>9223372036854775:
        out[0] = stamp * 1000
    else:
        return False
    return True


cdef inline ns_t view_ms(Cursor* c, View v) noexcept nogil:
    """A time of the venue's as nanoseconds since 1970; NO_TIME where there is none."""
    cdef int64_t stamp = 0
    cdef ns_t found = NO_TIME
    if view_is_null(v):
        return NO_TIME
    if not view_int(v, &stamp) or not since_1970(stamp, &found):
        c.bad = True
        return NO_TIME
    return found


cdef inline ns_t read_ms(Cursor* c) noexcept nogil:
    return view_ms(c, cursor_scalar(c))


cdef inline int64_t read_id(Cursor* c) noexcept nogil:
    """An id, quoted or bare; NO_ID where there is none, also where the venue writes -1 for that."""
    cdef int64_t n = NO_ID
    cdef View v = cursor_scalar(c)
    if not view_is_null(v) and (not view_int(v, &n) or n < NO_ID):
        c.bad = True
    return n


cdef inline bint read_flag(Cursor* c) noexcept nogil:
    """true or false, also quoted; False where nothing is said."""
    cdef View v = cursor_scalar(c)
    if view_is(v, b"true", 4):
        return True
    if not view_is(v, b"false", 5) and not view_is_null(v):
        c.bad = True
    return False


cdef inline int64_t id_of_text(View v) noexcept nogil:
    """A trade id as a number if it is one (19 digits are common); NO_ID if it is a UUID or does not fit."""
    cdef uint64_t n = 0
    cdef uint64_t word
    cdef Py_ssize_t i = 0
    if v.size < 1 or v.size > 19:
        return NO_ID
    while v.size - i >= 8:
        word = load8(v.at + i) ^ DIGITS
        if not_digits(word) != 0:
            return NO_ID
        n = n * 100000000 + digits8(word)
        i += 8
    while i < v.size:
        if v.at[i] < c'0' or v.at[i] > c'9':
            return NO_ID
        n = n * 10 + <uint64_t>(v.at[i] - c'0')
        i += 1
    return <int64_t>n if n <= <uint64_t>INT64_MAX else NO_ID


cdef inline bint event_set_trade_id(Event* event, View v) noexcept nogil:
    """Copy a trade's id. False if it is empty, too long, or holds anything that could not stand as it is in our own JSON."""
    cdef Py_ssize_t i
    cdef bint odd = False
    if v.size < 1 or v.size > TRADE_ID_SIZE:
        return False
    for i in range(v.size):
        odd |= v.at[i] <= c' ' or v.at[i] > c'~' or v.at[i] == c'\\' or v.at[i] == c'"'
    memcpy(event.trade_id, v.at, v.size)
    event.trade_id_size = <int>v.size
    return not odd
