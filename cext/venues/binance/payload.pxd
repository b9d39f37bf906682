"""What the objects of all events have in common: keys of one letter, times, and a symbol that says how its numbers are scaled."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.cursor cimport Cursor, View, cursor_next_key, cursor_skip, cursor_string, view_unescape
from cext.events cimport Batch
from cext.symbols cimport Symbol, Symbols
from cext.units cimport NO_TIME, ns_t
from cext.venues.binance.topic cimport Stream
from cext.venues.fields cimport since_1970

cdef enum:
    NAME_ROOM = 64      # for a name with escapes; the venue's longest has about 30 bytes


cdef inline char letter_of(View* key, char* room) noexcept nogil:
    """A one-letter key's letter, 0 for a longer key. A key that was written with escapes is put right first, in `room` (NAME_ROOM bytes)."""
    if key.escaped:
        key[0] = view_unescape(key[0], room, NAME_ROOM)
    return key.at[0] if key.size == 1 else 0


cdef inline bint once(uint64_t* seen, char key) noexcept nogil:
    """False if this one-letter key was there before in its object: then nobody can tell which value holds."""
    cdef uint64_t bit
    if key < c'A' or key > c'z':
        return True
    bit = <uint64_t>1 << (key - c'A')
    if seen[0] & bit:
        return False
    seen[0] |= bit
    return True


cdef inline bint has_all(uint64_t seen, const char* letters) noexcept nogil:
    """Whether every one of these keys was met by `once`."""
    while letters[0] != 0:
        if not seen & (<uint64_t>1 << (letters[0] - c'A')):
            return False
        letters += 1
    return True


cdef inline bint stamp_ns(int64_t stamp, ns_t* out) noexcept nogil:
    """A time of the venue's in nanoseconds; 0 is none. False if it is no time at all. Spot can be asked for microseconds."""
    if stamp == 0:
        out[0] = NO_TIME
        return True
    return since_1970(stamp, out)


cdef inline Symbol* symbol_of(Symbols symbols, View name, Batch* batch) noexcept nogil:
    """The instrument's row; NULL, and the name in `batch.unknown`, if nobody asked for it."""
    cdef char room[NAME_ROOM]
    cdef View plain
    cdef int32_t ix
    if name.escaped:
        plain = view_unescape(name, room, sizeof(room))
        ix = symbols.find(plain.at, plain.size)
    else:
        ix = symbols.find(name.at, name.size)
    if ix < 0:
        batch.unknown = name
        return NULL
    batch.instrument = ix
    return symbols.row(ix)


cdef inline Symbol* symbol_ahead(Cursor* at, const Stream* stream, Symbols symbols, Batch* batch) noexcept nogil:
    """The symbol of an object that shows a number before it says whose it is: found behind the value at the cursor, else by the stream's name.

    NULL as above; what follows may be broken too, then the cursor becomes bad.
    """
    cdef Cursor c = at[0]
    cdef View key, name
    cdef char room[NAME_ROOM]
    cursor_skip(&c)
    while cursor_next_key(&c, False, &key):
        if letter_of(&key, room) == c's':
            name = cursor_string(&c)
            if not c.bad:
                return symbol_of(symbols, name, batch)
        cursor_skip(&c)
    if c.bad:
        at.bad = True
        return NULL
    return symbol_of(symbols, stream.symbol, batch)
