"""What a frame is about, told by its stream's name, or by the `e` of its event."""

from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memcmp, strlen

from cext.cursor cimport View, view_is, view_unescape
from cext.word cimport bytes_equal, load8, lowest_bit

cdef enum:
    EVENT_ROOM = 64     # for an event's name written with escapes

# the word after the symbol's '@' (or after '!'), up to the next '@' or '_' (kline_1m)
cdef const char** _IGNORED_STREAMS = [
    b"kline", b"continuousKline", b"markPrice", b"markPriceKline", b"indexPriceKline", b"indexPrice", b"miniTicker", b"ticker",
    b"contractInfo", b"compositeIndex", b"assetIndex", b"tradingSession", b"avgPrice", b"referencePrice", b"rpiDepth",
    b"optionTrade", b"optionTicker", b"optionMarkPrice", b"optionSymbol", b"openInterest", b"index", NULL,
]
cdef const char** _IGNORED_EVENTS = [
    b"kline", b"continuous_kline", b"markPriceUpdate", b"indexPriceUpdate", b"24hrMiniTicker", b"24hrTicker", b"1hTicker", b"4hTicker", b"1dTicker",
    b"contractInfo", b"compositeIndex", b"assetIndexUpdate", b"EquityUpdate", b"CommodityUpdate", b"KR_EquityUpdate",
    b"HK_EquityUpdate", b"CN_EquityUpdate", b"avgPrice", b"referencePrice", b"indexPrice", b"markPrice", b"optionSymbol",
    b"openInterest", NULL,
]


cdef bint _one_of(View v, const char** names) noexcept nogil:
    cdef int32_t i = 0
    while names[i] != NULL:
        if view_is(v, names[i], <Py_ssize_t>strlen(names[i])):
            return True
        i += 1
    return False


cdef Kind kind_of_event(View e) noexcept nogil:
    """By the `e` of an event."""
    cdef char room[EVENT_ROOM]
    if view_is(e, b"depthUpdate", 11):
        return KIND_DEPTH
    if view_is(e, b"bookTicker", 10):
        return KIND_BBO
    if view_is(e, b"trade", 5):
        return KIND_TRADE
    if view_is(e, b"aggTrade", 8):
        return KIND_AGG_TRADE
    if view_is(e, b"forceOrder", 10):
        return KIND_FORCED
    if view_is(e, b"blockTrade", 10):
        return KIND_BLOCK
    if view_is(e, b"serverShutdown", 14):
        return KIND_CONTROL
    if e.escaped:
        return kind_of_event(view_unescape(e, room, sizeof(room)))
    return KIND_IGNORED if _one_of(e, _IGNORED_EVENTS) else KIND_UNKNOWN


cdef inline const char* _find(const char* at, const char* end, char wanted) noexcept nogil:
    """The first `wanted`, or `end`."""
    cdef uint64_t found
    while end - at >= 8:
        found = bytes_equal(load8(at), wanted)
        if found != 0:
            return at + (lowest_bit(found) >> 3)
        at += 8
    while at < end and at[0] != wanted:
        at += 1
    return at


cdef Kind _kind_of_word(View word, bint of_a_symbol) noexcept nogil:
    """By the word behind a stream's symbol, without its speed."""
    cdef Py_ssize_t i
    if of_a_symbol and word.size >= 5 and memcmp(word.at, b"depth", 5) == 0:
        # depth<n> is an image of the top n levels, and futures give it the shape of a change
        for i in range(5, word.size):
            if word.at[i] < c'0' or word.at[i] > c'9':
                return KIND_UNKNOWN
        return KIND_DEPTH if word.size == 5 else KIND_IGNORED
    if view_is(word, b"bookTicker", 10):
        return KIND_BBO
    if view_is(word, b"trade", 5):
        return KIND_TRADE
    if view_is(word, b"aggTrade", 8):
        return KIND_AGG_TRADE
    if view_is(word, b"forceOrder", 10):
        return KIND_FORCED
    if view_is(word, b"blockTrade", 10):
        return KIND_BLOCK
    if view_is(word, b"serverShutdown", 14):
        return KIND_CONTROL
    for i in range(word.size):
        if word.at[i] == c'_':  # kline_1m
            word.size = i
            break
    return KIND_IGNORED if _one_of(word, _IGNORED_STREAMS) else KIND_UNKNOWN


cdef Stream stream_of(View name, char* room) noexcept nogil:
    """By a stream's name: `<symbol>@<word>[<n>][@<speed>]` or `!<word>[@arr]`. The answer lives as long as the name and `room` (STREAM_ROOM bytes)."""
    cdef Stream s
    cdef View word
    cdef const char* end
    if name.escaped:
        name = view_unescape(name, room, STREAM_ROOM)
    end = name.at + name.size
    s.symbol.at = word.at = name.at
    s.symbol.size = 0
    s.symbol.escaped = word.escaped = False
    if name.size > 0 and name.at[0] == c'!':
        word.at += 1
    else:
        word.at = _find(name.at, end, c'@')
        if word.at == end:
            word.at = name.at
        else:
            s.symbol.size = word.at - name.at
            word.at += 1
    word.size = _find(word.at, end, c'@') - word.at
    s.kind = _kind_of_word(word, s.symbol.size > 0)
    return s
