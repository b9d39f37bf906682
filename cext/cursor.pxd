"""A forward-only window on borrowed bytes. It owns nothing, frees nothing, and never reads past `end`.

The venues' JSON is walked key by key in any order; a function that cannot go on sets `bad` and stays where it is, and a
caller may go on asking: a bad cursor answers nothing more. Only functions of this file, and what is built on it in decimal.pxd and
normalizer.pyx, move `at`.

Where the venues write as they always do (no white space, keys of one letter, plain digits), eight bytes are looked at in one step.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcmp

from cext.word cimport DIGITS, TENS, digits8, load8, lowest_bit, not_digits, string_stops

cdef extern from *:
    """
    #define P9_KEY_MASK 0x000000FFFF00FFFFULL
    #define P9_KEY 0x0000003A2200222CULL  /* ,"?": */
    """
    const uint64_t KEY_MASK "P9_KEY_MASK"
    const uint64_t KEY "P9_KEY"

cdef enum:
    MAX_NESTING = 64  # deeper than any venue ever was; a hostile frame must not grow our stack

cdef struct View:
    const char* at
    Py_ssize_t size
    bint escaped    # a backslash stands in it: the text is not yet what it says (view_unescape)

cdef struct Cursor:
    const char* at
    const char* end
    bint bad


cdef inline Cursor cursor_of(const char* at, Py_ssize_t size) noexcept nogil:
    cdef Cursor c
    c.at = at
    c.end = at + size
    c.bad = False
    return c


cdef inline char cursor_peek(Cursor* c) noexcept nogil:
    """The next byte after white space, or 0 at the end."""
    while c.at < c.end and (c.at[0] == c' ' or c.at[0] == c'\n' or c.at[0] == c'\r' or c.at[0] == c'\t'):
        c.at += 1
    return c.at[0] if c.at < c.end and not c.bad else 0


cdef inline bint cursor_take(Cursor* c, char wanted) noexcept nogil:
    """Step over `wanted` if it comes next (white space apart)."""
    if c.at < c.end and c.at[0] == wanted and not c.bad:
        c.at += 1
        return True
    if cursor_peek(c) == wanted:
        c.at += 1
        return True
    return False


cdef inline bint cursor_expect(Cursor* c, char wanted) noexcept nogil:
    """Step over `wanted`; anything else makes the cursor bad."""
    if not cursor_take(c, wanted):
        c.bad = True
    return not c.bad


cdef inline View cursor_string(Cursor* c) noexcept nogil:
    """The raw bytes between the quotes of a string; escapes are left as they are, and said."""
    cdef View v
    cdef const char* p
    cdef uint64_t stops
    v.at = c.at
    v.size = 0
    v.escaped = False
    if not cursor_expect(c, c'"'):
        return v
    v.at = p = c.at
    while p < c.end:
        if c.end - p >= 8:
            stops = string_stops(load8(p))
            if stops == 0:
                p += 8
                continue
            p += lowest_bit(stops) >> 3
        if p[0] == c'"':
            v.size = p - v.at
            c.at = p + 1
            return v
        if p[0] == c'\\':
            v.escaped = True
            p += 1
        p += 1
    c.bad = True
    return v


cdef inline bint view_is(View v, const char* text, Py_ssize_t size) noexcept nogil:
    return v.size == size and memcmp(v.at, text, size) == 0


cdef inline View cursor_scalar(Cursor* c) noexcept nogil:
    """A string's inside, or the text of a bare number, true, false, null."""
    cdef View v
    cdef const char* p
    if cursor_peek(c) == c'"':
        return cursor_string(c)
    v.at = p = c.at
    v.escaped = False
    while p < c.end and p[0] != c',' and p[0] != c'}' and p[0] != c']' and p[0] != c' ' \
            and p[0] != c'\n' and p[0] != c'\r' and p[0] != c'\t':
        if p[0] == c'{' or p[0] == c'[' or p[0] == c'"' or p[0] == c':':
            c.bad = True
            break
        p += 1
    v.size = 0 if c.bad else p - v.at
    if v.size == 0:
        c.bad = True
    else:
        c.at = p
    return v


cdef inline int32_t _hex4(const char* at) noexcept nogil:
    """The value of four hexadecimal digits, or -1."""
    cdef int32_t n = 0
    cdef int32_t i
    cdef char ch
    for i in range(4):
        ch = at[i]
        n <<= 4
        if c'0' <= ch <= c'9':
            n += ch - c'0'
        elif c'a' <= ch <= c'f':
            n += ch - c'a' + 10
        elif c'A' <= ch <= c'F':
            n += ch - c'A' + 10
        else:
            return -1
    return n


cdef inline View view_unescape(View v, char* room, Py_ssize_t n_room) noexcept nogil:
    """The text that an escaped string stands for (UTF-8), written into `room`; empty if it is no text or finds no room.

    For names only: a symbol of the venue's may hold letters beyond ASCII, and a sender may write any letter as an escape.
    """
    cdef View out
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t n = 0
    cdef int32_t point, low
    cdef char ch
    out.at = room
    out.size = 0
    out.escaped = False
    while i < v.size:
        if n + 4 > n_room:
            return out
        ch = v.at[i]
        i += 1
        if ch != c'\\':
            room[n] = ch
            n += 1
            continue
        if i >= v.size:
            return out
        ch = v.at[i]
        i += 1
        if ch != c'u':
            if ch == c'b':
                ch = 8
            elif ch == c'f':
                ch = 12
            elif ch == c'n':
                ch = 10
            elif ch == c'r':
                ch = 13
            elif ch == c't':
                ch = 9
            elif ch != c'"' and ch != c'\\' and ch != c'/':
                return out
            room[n] = ch
            n += 1
            continue
        point = _hex4(v.at + i) if v.size - i >= 4 else -1
        if point < 0:
            return out
        i += 4
        if 0xD800 <= point < 0xDC00:  # the first half of a pair
            low = _hex4(v.at + i + 2) if v.size - i >= 6 and v.at[i] == c'\\' and v.at[i + 1] == c'u' else -1
            if not 0xDC00 <= low < 0xE000:
                return out
            i += 6
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
        elif 0xDC00 <= point < 0xE000:
            return out
        if point < 0x80:
            room[n] = <char>point
            n += 1
        elif point < 0x800:
            room[n] = <char>(0xC0 | (point >> 6))
            room[n + 1] = <char>(0x80 | (point & 0x3F))
            n += 2
        elif point < 0x10000:
            room[n] = <char>(0xE0 | (point >> 12))
            room[n + 1] = <char>(0x80 | ((point >> 6) & 0x3F))
            room[n + 2] = <char>(0x80 | (point & 0x3F))
            n += 3
        else:
            room[n] = <char>(0xF0 | (point >> 18))
            room[n + 1] = <char>(0x80 | ((point >> 12) & 0x3F))
            room[n + 2] = <char>(0x80 | ((point >> 6) & 0x3F))
            room[n + 3] = <char>(0x80 | (point & 0x3F))
            n += 4
    out.size = n
    return out


cdef inline bint view_is_null(View v) noexcept nogil:
    """JSON null, or the empty string that venues write for it."""
    return v.size == 0 or (v.size == 4 and memcmp(v.at, b"null", 4) == 0)


cdef inline bint view_int(View v, int64_t* out) noexcept nogil:
    """A whole number that fits; False (and nothing written) for anything else."""
    cdef Py_ssize_t i = 0
    cdef int64_t n = 0
    cdef bint negative = v.size > 0 and v.at[0] == c'-'
    if negative:
        i = 1
    if v.size - i < 1 or v.size - i > 18:
        return False
    while i < v.size:
        if v.at[i] < c'0' or v.at[i] > c'9':
            return False
        n = n * 10 + (v.at[i] - c'0')
        i += 1
    out[0] = -n if negative else n
    return True


cdef inline int64_t _int_slowly(Cursor* c) noexcept nogil:
    cdef int64_t number = 0
    cdef View v = cursor_scalar(c)
    if not c.bad and not view_int(v, &number):
        c.bad = True
    return number


cdef inline int64_t cursor_int(Cursor* c) noexcept nogil:
    """A whole number, quoted or bare; anything else makes the cursor bad."""
    cdef uint64_t high, low, stops
    cdef int n
    cdef char after
    if c.end - c.at >= 16 and not c.bad:  # 8 to 15 bare digits: every id and time of today
        high = load8(c.at) ^ DIGITS
        low = load8(c.at + 8) ^ DIGITS
        stops = not_digits(low)
        if not_digits(high) == 0 and stops != 0:
            n = lowest_bit(stops) & ~7  # bits of the digits in the second word
            after = c.at[8 + (n >> 3)]
            if after == c',' or after == c'}':
                c.at += 8 + (n >> 3)
                return <int64_t>(digits8(high) * TENS[n >> 3] + digits8((low << 8) << (56 - n)))
    return _int_slowly(c)


cdef inline bint cursor_bool(Cursor* c) noexcept nogil:
    """true or false, quoted or bare; anything else makes the cursor bad."""
    cdef View v
    if c.end - c.at >= 6 and not c.bad:
        if memcmp(c.at, b"true", 4) == 0 and (c.at[4] == c',' or c.at[4] == c'}'):
            c.at += 4
            return True
        if memcmp(c.at, b"false", 5) == 0 and (c.at[5] == c',' or c.at[5] == c'}'):
            c.at += 5
            return False
    v = cursor_scalar(c)
    if view_is(v, b"true", 4):
        return True
    if not view_is(v, b"false", 5):
        c.bad = True
    return False


cdef inline void cursor_skip(Cursor* c) noexcept nogil:
    """Step over one value of any kind, however nested, without recursion. Brackets must match, commas and colons stand where they belong."""
    cdef uint64_t objects = 0   # bit i: level i is an object
    cdef int32_t depth = 0
    cdef char ch
    while not c.bad:
        # a value must begin here
        ch = cursor_peek(c)
        if ch == c'{' or ch == c'[':
            if depth == MAX_NESTING:
                c.bad = True
                return
            c.at += 1
            objects = (objects << 1) | (ch == c'{')
            depth += 1
            if cursor_peek(c) == (c'}' if ch == c'{' else c']'):
                c.at += 1
                objects >>= 1
                depth -= 1
            else:
                if ch == c'{':
                    cursor_string(c)
                    cursor_expect(c, c':')
                continue
        elif ch == c'"':
            cursor_string(c)
        else:
            cursor_scalar(c)
        # a value has ended here: close what it ends, then the next one begins
        while depth > 0 and not c.bad:
            if cursor_take(c, c','):
                if objects & 1:
                    cursor_string(c)
                    cursor_expect(c, c':')
                break
            if not cursor_expect(c, c'}' if objects & 1 else c']'):
                return
            objects >>= 1
            depth -= 1
        if depth == 0:
            return


cdef inline bint cursor_next_key(Cursor* c, bint first, View* key) noexcept nogil:
    """The next key of the object that the cursor stands in, with its colon taken; False at the closing brace.

    Walk an object so:  cursor_expect(c, '{');  first = True;  while cursor_next_key(c, first, &key): first = False; ...
    """
    cdef uint64_t word
    if c.end - c.at >= 8 and not first and not c.bad:
        word = load8(c.at)
        if word & KEY_MASK == KEY and ((word >> 16 & 0xFF) | 0x20) - c'a' < 26:
            key.at = c.at + 2
            key.size = 1
            key.escaped = False
            c.at += 5
            return True
    if cursor_take(c, c'}'):
        return False
    if not first and not cursor_expect(c, c','):
        return False
    key[0] = cursor_string(c)
    return cursor_expect(c, c':')


cdef inline bint cursor_next_item(Cursor* c, bint first) noexcept nogil:
    """True if another item of the array follows (its comma taken); False at the closing bracket."""
    if cursor_take(c, c']'):
        return False
    if c.bad or c.at >= c.end:
        c.bad = True
        return False
    return first or cursor_expect(c, c',')
