"""Bybit's liquidations: all of them, half a second's in one push.

    {"topic":"allLiquidation.ROSEUSDT","type":"snapshot","ts":…,"data":[{"T":…,"s":"ROSEUSDT","S":"Sell","v":"20000","p":"0.04499"},…]}

`S` is the side of the POSITION: "Buy" was a long, which is sold. `p` is the bankruptcy price, at which nothing need have traded.
(https://bybit-exchange.github.io/docs/v5/websocket/public/all-liquidation)
"""

from libc.stdint cimport int32_t, uint32_t

from cext.cursor cimport Cursor, View, cursor_expect, cursor_next_item, cursor_scalar, cursor_skip, cursor_string, view_is
from cext.events cimport (
    EVENT_BANKRUPTCY, OUTCOME_MALFORMED, OUTCOME_UNKNOWN_ENUM, OUTCOME_UNKNOWN_SYMBOL, SIDE_BUY, SIDE_SELL, Batch, Outcome,
)
from cext.symbols cimport Symbols
from cext.units cimport NO_TIME, ns_t
from cext.venues.fields cimport NAME_ROOM, find_name, meet, next_key, read_ms, says
from cext.venues.forced cimport add_liquidation
from cext.venues.rows cimport row_refuses, rows_outcome

cdef enum:
    TIME = 1
    SYMBOL = 2
    SIDE = 4
    SIZE = 8
    PRICE = 16


cdef Outcome bybit_forced(Symbols symbols, Cursor* c, View name, Batch* batch) noexcept nogil:
    """The array of rows of the topic's symbol `name`. What a row cannot give leaves it out; its reason is the outcome if no row remains."""
    cdef bint first = True
    cdef bint strangers = False
    cdef int32_t of_topic = batch.instrument
    cdef Outcome outcome
    if not cursor_expect(c, c'['):
        return OUTCOME_MALFORMED
    while cursor_next_item(c, first):
        first = False
        outcome = _row(symbols, c, name, of_topic, batch)
        if row_refuses(outcome, batch, &strangers):
            return outcome
    return rows_outcome(c, batch, strangers)


cdef Outcome _row(Symbols symbols, Cursor* c, View name, int32_t of_topic, Batch* batch) noexcept nogil:
    cdef uint32_t met = 0
    cdef bint first = True
    cdef char room[NAME_ROOM]
    cdef View key, s, side, px, qty, nothing
    cdef ns_t ts = NO_TIME
    cdef int32_t instrument = of_topic
    cdef bint long_position
    s = name
    if not cursor_expect(c, c'{'):
        return OUTCOME_MALFORMED
    while next_key(c, first, &key, room):
        first = False
        if key.size != 1:
            cursor_skip(c)
        elif key.at[0] == c'T':
            if meet(c, &met, TIME):
                ts = read_ms(c)
        elif key.at[0] == c's':
            if meet(c, &met, SYMBOL):
                s = cursor_string(c)
        elif key.at[0] == c'S':
            if meet(c, &met, SIDE):
                side = cursor_string(c)
        elif key.at[0] == c'v':
            if meet(c, &met, SIZE):
                qty = cursor_scalar(c)
        elif key.at[0] == c'p':
            if meet(c, &met, PRICE):
                px = cursor_scalar(c)
        else:
            cursor_skip(c)
    if c.bad or met & (SIDE | SIZE | PRICE) != (SIDE | SIZE | PRICE):
        return OUTCOME_MALFORMED
    if not view_is(s, name.at, name.size):
        instrument = find_name(symbols, s)
    if instrument < 0:
        batch.unknown = s
        return OUTCOME_UNKNOWN_SYMBOL
    batch.instrument = instrument
    long_position = says(side, b"Buy", 3)
    if not long_position and not says(side, b"Sell", 4):
        return OUTCOME_UNKNOWN_ENUM
    nothing = px
    nothing.size = 0
    return add_liquidation(batch, symbols.row(instrument), SIDE_SELL if long_position else SIDE_BUY, side, px, nothing, qty, ts, EVENT_BANKRUPTCY)
