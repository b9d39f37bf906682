"""Liquidations of futures: of each symbol at most one a second is told, the largest (it was the latest until 2026): a sample.

    {"e":"forceOrder","E":…,"o":{"s":"ILVUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"116.5","p":"3.80300","ap":"3.85642","X":"FILLED","l":"25.2",
     "z":"116.5","T":…,"ps":"ILVUSDT","st":1}}

`S` is the order's side: SELL was a long. `z` of `q` were filled, at `ap` in the mean; `p` is what the order asked for. What stands in the stream's
name is the symbol, lower case, or nothing (!forceOrder@arr: one object, no array). (https://developers.binance.com/docs/derivatives/
usds-margined-futures/websocket-market-streams/Liquidation-Order-Streams)
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from cext.cursor cimport (
    Cursor, View, cursor_expect, cursor_int, cursor_next_key, cursor_scalar, cursor_skip, cursor_string, view_is, view_is_null, view_unescape,
)
from cext.events cimport (
    EVENT_ORDERED, EVENT_SAMPLED, OUTCOME_EVENTS, OUTCOME_MALFORMED, OUTCOME_UNKNOWN_ENUM, OUTCOME_UNKNOWN_SYMBOL, SIDE_BUY, SIDE_SELL, Batch,
    Outcome,
)
from cext.symbols cimport Symbol, Symbols
from cext.units cimport ns_t
from cext.venues.binance.payload cimport NAME_ROOM, has_all, letter_of, once, stamp_ns, symbol_of
from cext.venues.binance.topic cimport KIND_FORCED, Stream, kind_of_event
from cext.venues.fields cimport meet, says
from cext.venues.forced cimport add_liquidation

cdef enum:
    SYMBOL = 1
    SIDE = 2
    PRICE = 4
    AVERAGE = 8
    ASKED = 16
    FILLED = 32
    TIME = 64


cdef bint _nothing(View v) noexcept nogil:
    """No number, or a zero that stands for it: "0", "0.000"."""
    cdef Py_ssize_t i
    if view_is_null(v):
        return True
    for i in range(v.size):
        if v.at[i] != c'0' and v.at[i] != c'.':
            return False
    return True


cdef Outcome read_forced(Cursor* c, const Stream* stream, Symbols symbols, Batch* batch) noexcept nogil:
    """The event's object; what is asked for stands in its `o`."""
    cdef View key
    cdef Cursor order
    cdef bint first = True
    cdef uint64_t seen = 0
    cdef int64_t sent = 0
    cdef char room[NAME_ROOM]
    cdef char letter
    if not cursor_expect(c, c'{'):
        return OUTCOME_MALFORMED
    order = c[0]
    while cursor_next_key(c, first, &key):
        first = False
        letter = letter_of(&key, room)
        if not once(&seen, letter):
            return OUTCOME_MALFORMED
        if letter == c'o':
            order = c[0]
            cursor_skip(c)
        elif letter == c'E':
            sent = cursor_int(c)
        elif letter == c'e':
            if kind_of_event(cursor_string(c)) != KIND_FORCED:
                return OUTCOME_MALFORMED
        else:
            cursor_skip(c)
    if c.bad or not has_all(seen, b"o"):
        return OUTCOME_MALFORMED
    return _order(&order, sent, symbols, batch)


cdef Outcome _order(Cursor* c, int64_t sent, Symbols symbols, Batch* batch) noexcept nogil:
    cdef View key, name, side, px, average, asked, filled
    cdef bint first = True
    cdef uint32_t met = 0
    cdef int64_t stamp = 0
    cdef ns_t ts
    cdef Symbol* symbol
    cdef bint sells
    cdef uint32_t flags = EVENT_SAMPLED
    cdef char room[NAME_ROOM]
    if not cursor_expect(c, c'{'):
        return OUTCOME_MALFORMED
    name.size = px.size = average.size = asked.size = filled.size = 0
    name.at = px.at = average.at = asked.at = filled.at = c.at
    while cursor_next_key(c, first, &key):
        first = False
        if key.escaped:
            key = view_unescape(key, room, NAME_ROOM)
        if view_is(key, b"s", 1):
            if meet(c, &met, SYMBOL):
                name = cursor_string(c)
        elif view_is(key, b"S", 1):
            if meet(c, &met, SIDE):
                side = cursor_string(c)
        elif view_is(key, b"p", 1):
            if meet(c, &met, PRICE):
                px = cursor_scalar(c)
        elif view_is(key, b"ap", 2):
            if meet(c, &met, AVERAGE):
                average = cursor_scalar(c)
        elif view_is(key, b"q", 1):
            if meet(c, &met, ASKED):
                asked = cursor_scalar(c)
        elif view_is(key, b"z", 1):
            if meet(c, &met, FILLED):
                filled = cursor_scalar(c)
        elif view_is(key, b"T", 1):
            if meet(c, &met, TIME):
                stamp = cursor_int(c)
        else:
            cursor_skip(c)
    if c.bad or met & (SYMBOL | SIDE) != (SYMBOL | SIDE) or not stamp_ns(stamp if stamp != 0 else sent, &ts):
        return OUTCOME_MALFORMED
    symbol = symbol_of(symbols, name, batch)
    if symbol == NULL:
        return OUTCOME_UNKNOWN_SYMBOL
    sells = says(side, b"SELL", 4)
    if not sells and not says(side, b"BUY", 3):
        batch.unknown_enums += 1
        return OUTCOME_UNKNOWN_ENUM
    if not met & FILLED:
        filled = asked
    if _nothing(average):
        average = px
        px.size = 0
        flags |= EVENT_ORDERED
    if add_liquidation(batch, symbol, SIDE_SELL if sells else SIDE_BUY, side, average, px, filled, ts, flags) != OUTCOME_EVENTS:
        return OUTCOME_MALFORMED
    return OUTCOME_EVENTS if batch.n_events > 0 else OUTCOME_UNKNOWN_ENUM
