"""What a frame is read with where it is written as its venue always writes: no white space, known keys in a known order, plain numbers.

Whole runs of keys and brackets are compared at once, and what varies between them is read in words of eight bytes. A function that finds
anything else says False, and the frame is then read from its beginning by the walk that takes keys in any order and spelling;
nothing is refused here. Whatever is read here, the walk would read alike. Only functions of this file move `at`.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from cext.cursor cimport Cursor, View
from cext.decimal cimport DECIMAL_OK, POW10, decimal_parse
from cext.events cimport EVENT_BBO, TRADE_ID_SIZE, Batch, Event, EventKind, Level, batch_event, batch_level
from cext.symbols cimport Symbol
from cext.units cimport ns_t
from cext.venues.fields cimport MAX_MS, id_of_text
from cext.word cimport DIGITS, TENS, bytes_equal, digits8, load8, lowest_bit, not_digits, string_stops

cdef enum:
    MAX_PLAIN_SCALE = 10    # eight digits before the point fit int64 at it
    PLAIN_SIZE = 64         # no frame that is read so is shorter
    MAX_LEVEL = 56          # bytes of a level that is read so, the last quote apart
    NO_SHAPE = 64           # longer than any text in such a level

cdef extern from *:
    """
    #if defined(__SSE2__) || defined(_M_X64)
    #include <emmintrin.h>
    static inline uint64_t p9_quotes16(const char* at) {
        return (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i*)at), _mm_set1_epi8('"')));
    }
    static inline uint64_t p9_quotes32(const char* at) { return p9_quotes16(at) | p9_quotes16(at + 16) << 16; }
    #else
    static inline uint64_t p9_quotes8(const char* at) {  /* exact for every byte, then one bit of each, gathered in the highest byte */
        uint64_t word = p9_load8(at) ^ (0x0101010101010101ULL * '"');
        word = ~(((word & 0x7F7F7F7F7F7F7F7FULL) + 0x7F7F7F7F7F7F7F7FULL) | word) & 0x8080808080808080ULL;
        return (word >> 7) * 0x0102040810204080ULL >> 56;
    }
    static inline uint64_t p9_quotes32(const char* at) {
        return p9_quotes8(at) | p9_quotes8(at + 8) << 8 | p9_quotes8(at + 16) << 16 | p9_quotes8(at + 24) << 24;
    }
    #endif
    static inline uint64_t p9_quotes64(const char* at) { return p9_quotes32(at) | p9_quotes32(at + 32) << 32; }
    """
    uint64_t quotes32 "p9_quotes32" (const char* at) noexcept nogil     # bit i: a quote stands at at[i]
    uint64_t quotes64 "p9_quotes64" (const char* at) noexcept nogil
    const uint64_t NO_DIGIT "0x8080808080808080ULL"
    const uint64_t BLANKS "0x2121212121212121ULL"   # the first visible letter, eight times
    const uint64_t NO_QUOTES "0xFF00000000000000ULL"    # above MAX_LEVEL: more of them than a level has quotes
    const uint64_t LAST "0x8000000000000000ULL"


cdef struct Shape:
    size_t size             # bytes of the text, or NO_SHAPE
    uint64_t within         # the highest bit of each of them
    uint64_t stops          # of the point
    uint64_t over_point     # the bytes up to the point, and it
    size_t mark             # the place of the point; where there is none, of the quote behind it
    char marked             # what stands there
    uint64_t factor         # the digits as one number, times this


cdef inline bint plain_text(Cursor* c, const char* text, Py_ssize_t size) noexcept nogil:
    """Step over `text`. `size` is a constant, so that the comparison is a few words."""
    if c.end - c.at < size or memcmp(c.at, text, size) != 0:
        return False
    c.at += size
    return True


cdef inline bint plain_name(Cursor* c, View* name) noexcept nogil:
    """The text up to the next quote, which stays; no escapes in it."""
    cdef const char* p = c.at
    cdef uint64_t stops = 0
    while c.end - p >= 8:
        stops = string_stops(load8(p))
        if stops != 0:
            break
        p += 8
    if stops == 0:
        return False
    p += lowest_bit(stops) >> 3
    name.at = c.at
    name.size = p - c.at
    name.escaped = False
    c.at = p
    return p[0] == c'"' and name.size > 0


cdef inline bint plain_again(Cursor* c, View name) noexcept nogil:
    """Step over the same text once more."""
    cdef const char* p = c.at
    cdef Py_ssize_t i = 0
    if c.end - p < name.size + 8:
        return False
    while name.size - i >= 8:
        if load8(p + i) != load8(name.at + i):
            return False
        i += 8
    if i < name.size and ((load8(p + i) ^ load8(name.at + i)) << (64 - 8 * (name.size - i))) != 0:
        return False
    c.at += name.size
    return True


cdef inline bint plain_whole(Cursor* c, int64_t* out) noexcept nogil:
    """A whole number of 1 to 15 digits without a needless zero before it; it ends at the first byte that is no digit.

    At least eight bytes of the frame stand before it: at the frame's end, the last words are loaded from there.
    """
    cdef Py_ssize_t left = c.end - c.at
    cdef uint64_t high, low, stops
    cdef int n
    if left >= 8:
        high = load8(c.at) ^ DIGITS
    elif left > 0:
        high = (load8(c.end - 8) >> (64 - 8 * left)) ^ DIGITS
    else:
        return False
    stops = not_digits(high)
    if stops != 0:
        n = lowest_bit(stops) & ~7  # bits of the digits
        if n == 0 or (high & 0xFF == 0 and n > 8):
            return False
        out[0] = <int64_t>digits8(high << (64 - n))
        c.at += n >> 3
        return True
    if high & 0xFF == 0:
        return False
    if left >= 16:
        low = load8(c.at + 8) ^ DIGITS
    else:
        low = ((load8(c.end - 8) >> 8) >> (120 - 8 * left)) ^ DIGITS
    stops = not_digits(low)
    if stops == 0:
        return False
    n = lowest_bit(stops) & ~7
    out[0] = <int64_t>(digits8(high) * TENS[n >> 3] + digits8((low << 8) << (56 - n)))
    c.at += 8 + (n >> 3)
    return True


cdef inline bint plain_ms(Cursor* c, ns_t* out) noexcept nogil:
    """Thirteen digits of milliseconds since 1970 (2001 to 2286), as nanoseconds. What follows is the caller's to look at."""
    cdef uint64_t high, low, ms
    if c.end - c.at < 13:
        return False
    high = load8(c.at) ^ DIGITS
    low = load8(c.at + 5) ^ DIGITS
    if not_digits(high) | not_digits(low) != 0:
        return False
    ms = digits8(high) * 100000 + digits8(low >> 24 << 24)
    out[0] = <int64_t>(ms * 1000000)
    c.at += 13
    return high & 0xFF != 0 and ms <= <uint64_t>MAX_MS


cdef inline size_t _first(uint64_t bits) noexcept nogil:
    """The place of the lowest bit; something above all places if there is none."""
    return <unsigned int>lowest_bit(bits | LAST)


cdef inline bint _shape(const char* at, size_t size, int32_t scale, Shape* shape) noexcept nogil:
    """How the `size` bytes at `at`, which a quote follows, are read at `scale`; False if not by `_shaped`.

    Every other quantity is a plain 0: with a point or without is computed alike, as a branch that nobody can foretell costs more.
    """
    cdef uint64_t stops, pointed
    cdef size_t n, decimals
    if size < 1 or size > 8:
        return False
    shape.size = size
    shape.within = NO_DIGIT >> (64 - 8 * size)
    stops = not_digits(load8(at) ^ DIGITS) & shape.within
    pointed = 0 - <uint64_t>(stops != 0)    # all ones, or none
    n = _first(stops) >> 3
    decimals = (size - 1 - n) & pointed
    shape.stops = stops
    shape.over_point = (stops ^ (stops - 1)) & pointed
    shape.mark = (n & pointed) | (size & ~pointed)
    shape.marked = c'.' if pointed else c'"'
    if (decimals > <size_t>scale) | (at[shape.mark] != shape.marked) | (stops & (stops - 1) != 0) | (((n == 0) | (decimals == 0)) & (stops != 0)):
        return False
    shape.factor = <uint64_t>POW10[<size_t>scale - decimals]
    return True


cdef inline bint _shaped(const char* at, size_t size, const Shape* shape, int64_t* out) noexcept nogil:
    """The number at `at` if it is written in this shape. The digits before the point go up by a byte, over the point: all are one number then."""
    cdef uint64_t word = load8(at) ^ DIGITS
    if (size != shape.size) | (not_digits(word) & shape.within != shape.stops) or at[shape.mark] != shape.marked:
        return False
    word ^= (word ^ word << 8) & shape.over_point
    out[0] = <int64_t>(digits8(word << (64 - 8 * size)) * shape.factor)
    return True


cdef inline bint _decimal(const char* at, size_t size, int32_t scale, int64_t* out) noexcept nogil:
    """The `size` bytes at `at`, which a quote follows, as an integer at `scale` (at most MAX_PLAIN_SCALE). False if they are none of these: up to
    eight bytes, or up to sixteen with one to seven digits before the point; digits about the point, and no more behind it than the scale has.
    """
    cdef uint64_t word, stops, part
    cdef size_t n, decimals
    cdef Shape shape
    if size <= 8:
        return _shape(at, size, scale, &shape) and _shaped(at, size, &shape, out)
    word = load8(at) ^ DIGITS
    stops = not_digits(word)
    n = _first(stops) >> 3
    decimals = size - 1 - n
    if stops == 0 or size > 16 or n == 0 or decimals > <size_t>scale or decimals > 8 or at[n] != c'.':
        return False
    part = (load8(at + size - 8) ^ DIGITS) >> (64 - 8 * decimals) << (64 - 8 * decimals)
    if not_digits(part) != 0:
        return False
    out[0] = <int64_t>(digits8(word << (64 - 8 * n)) * <uint64_t>POW10[scale] + digits8(part) * <uint64_t>POW10[<size_t>scale - decimals])
    return True


cdef inline bint _any_decimal(const char* at, size_t size, int32_t scale, int64_t* out) noexcept nogil:
    """The same of a number of any length, in plain digits."""
    cdef size_t i
    for i in range(size):
        if at[i] != c'.' and not c'0' <= at[i] <= c'9':
            return False
    return decimal_parse(at, <Py_ssize_t>size, scale, out) == DECIMAL_OK


cdef inline bint plain_decimal(Cursor* c, int32_t scale, int64_t* out) noexcept nogil:
    """A number and the quote behind it. At least sixteen bytes follow it in the frame."""
    cdef uint64_t quotes
    cdef size_t size
    if c.end - c.at < 32 or scale > MAX_PLAIN_SCALE:
        return False
    quotes = quotes32(c.at)
    if quotes == 0:
        return False
    size = _first(quotes)
    if not _decimal(c.at, size, scale, out) and not _any_decimal(c.at, size, scale, out):
        return False
    c.at += size + 1
    return True


cdef inline bint plain_levels(Cursor* c, const Symbol* symbol, bint counted, Batch* batch, int32_t* first, int32_t* n) noexcept nogil:
    """A side of a book: the array of its levels, ["price","quantity"], or where they are `counted`, ["price","quantity","0","orders"].

    The frame has PLAIN_SIZE bytes at least. The quotes of a level are found first, all at once: so the next level is known before this one's
    numbers are read. Prices mostly have the shape of the one before.
    """
    cdef int32_t px_scale = symbol.px_scale
    cdef int32_t qty_scale = symbol.qty_scale
    cdef const char* p = c.at
    cdef const char* stop = c.end
    cdef const char* at
    cdef Level* level = batch.levels + batch.n_levels
    cdef Level* full = batch.levels + batch.max_levels
    cdef uint64_t quotes
    cdef size_t px_end, qty_end, end
    cdef Shape shape
    memset(&shape, 0, sizeof(shape))
    shape.size = NO_SHAPE
    first[0] = batch.n_levels
    n[0] = 0
    if stop - p < 2 or p[0] != c'[' or px_scale > MAX_PLAIN_SCALE or qty_scale > MAX_PLAIN_SCALE:
        return False
    p += 1
    if p[0] == c']':
        c.at = p + 1
        return True
    while stop - p >= 32:
        if not counted:
            quotes = quotes32(p)
        elif stop - p >= 64:
            quotes = quotes64(p)
        else:
            quotes = quotes64(stop - 64) >> (64 - (stop - p))
        quotes = (quotes | NO_QUOTES) & ((quotes | NO_QUOTES) - 1)
        px_end = <unsigned int>lowest_bit(quotes)
        quotes &= quotes - 1
        quotes &= quotes - 1
        qty_end = end = <unsigned int>lowest_bit(quotes)
        if counted:
            quotes &= quotes - 1
            quotes &= quotes - 1
            quotes &= quotes - 1
            quotes &= quotes - 1
            end = <unsigned int>lowest_bit(quotes)
        # what follows a book's levels is longer than a word, so that words may be loaded where numbers begin
        if end >= MAX_LEVEL or stop - p < <Py_ssize_t>end + 16 or memcmp(p, b'["', 2) != 0 or memcmp(p + px_end + 1, b',"', 2) != 0:
            return False
        if counted:
            at = p + qty_end
            if memcmp(at, b'","0","', 7) != 0 or end - qty_end - 8 > 6 or not_digits((load8(at + 7) ^ DIGITS) << (64 - 8 * (end - qty_end - 7))) != 0:
                return False
        if level == full:
            batch.n_levels = <int32_t>(level - batch.levels)
            if batch_level(batch) == NULL:
                return False
            batch.n_levels -= 1
            level = batch.levels + batch.n_levels
            full = batch.levels + batch.max_levels
        if not _shaped(p + 2, px_end - 2, &shape, &level.px):
            if _shape(p + 2, px_end - 2, px_scale, &shape):
                _shaped(p + 2, px_end - 2, &shape, &level.px)
            else:
                shape.size = NO_SHAPE
                if not _decimal(p + 2, px_end - 2, px_scale, &level.px) and not _any_decimal(p + 2, px_end - 2, px_scale, &level.px):
                    return False
        at = p + px_end + 3
        if not _decimal(at, qty_end - px_end - 3, qty_scale, &level.qty) and not _any_decimal(at, qty_end - px_end - 3, qty_scale, &level.qty):
            return False
        level += 1
        p += end + 1
        if p[0] != c']':
            return False
        if p[1] != c',':
            batch.n_levels = <int32_t>(level - batch.levels)
            n[0] = batch.n_levels - first[0]
            c.at = p + 2
            return p[1] == c']'
        p += 2
    return False


cdef inline bint plain_trade_id(Cursor* c, Event* event) noexcept nogil:
    """A trade's own id, and the quote behind it; as the event's first and last id too, if it is a number."""
    cdef View v
    cdef uint64_t word, odd
    cdef Py_ssize_t i = 0
    if c.end - c.at < TRADE_ID_SIZE:
        return False
    while i < TRADE_ID_SIZE:
        word = load8(c.at + i)
        memcpy(event.trade_id + i, &word, 8)
        odd = string_stops(word) | bytes_equal(word, 127) | ((word - BLANKS) & ~word | word) & NO_DIGIT
        if odd != 0:
            i += lowest_bit(odd) >> 3
            break
        i += 8
    if i == 0 or i == TRADE_ID_SIZE or c.at[i] != c'"':
        return False
    v.at = c.at
    v.size = i
    v.escaped = False
    event.trade_id_size = <int32_t>i
    event.first_id = event.last_id = id_of_text(v)
    c.at += i + 1
    return True


cdef inline bint plain_book(EventKind kind, ns_t ts, int64_t first_id, int64_t last_id, int64_t prev_id, int64_t cross_id, int32_t bids, int32_t n_bids,
                            int32_t asks, int32_t n_asks, Batch* batch) noexcept nogil:
    """The one event of a book's frame. A best bid and ask with more than a level, or with an empty one, is not for here."""
    cdef Event* event
    if kind == EVENT_BBO and (n_bids > 1 or n_asks > 1 or (n_bids == 1 and batch.levels[bids].qty == 0)
                              or (n_asks == 1 and batch.levels[asks].qty == 0)):
        return False
    event = batch_event(batch, kind, batch.instrument)
    if event == NULL:
        return False
    event.ts_event = ts
    event.first_id = first_id
    event.last_id = last_id
    event.prev_id = prev_id
    event.cross_id = cross_id
    event.bids = bids
    event.n_bids = n_bids
    event.asks = asks
    event.n_asks = n_asks
    return True
