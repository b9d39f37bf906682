"""OKX's liquidations: all instruments of a type in one channel, several details to a row; not every one is published.

    {"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"details":[{"bkLoss":"0","bkPx":"82655.7","ccy":"","posSide":"long","side":"sell",
     "sz":"8.55","ts":"1791565600771"}],"instFamily":"BTC-USDT","instId":"BTC-USDT-SWAP","instType":"SWAP","uly":"BTC-USDT"}]}

`side` is the forced order's: sell closes a long. `posSide` says the same in other words (long, short; net: nothing), and a row in which the two
disagree is left out. `bkPx` is the price of the takeover, not of a fill. (https://www.okx.com/docs-v5/en/#public-data-websocket-liquidation-orders-channel)
"""

from libc.stdint cimport int32_t, uint32_t

from cext.cursor cimport Cursor, View, cursor_expect, cursor_next_item, cursor_scalar, cursor_skip, cursor_string
from cext.events cimport (
    EVENT_BANKRUPTCY, EVENT_SAMPLED, OUTCOME_EVENTS, OUTCOME_IGNORED, OUTCOME_MALFORMED, OUTCOME_UNKNOWN_ENUM, SIDE_BUY, SIDE_SELL, Batch, Outcome,
)
from cext.symbols cimport Symbol, Symbols
from cext.units cimport NO_TIME, ns_t
from cext.venues.fields cimport NAME_ROOM, find_name, meet, next_key, read_ms, says
from cext.venues.forced cimport add_liquidation

cdef enum:
    INSTRUMENT = 1
    DETAILS = 2
    PRICE = 4
    SIZE = 8
    SIDE = 16
    POSITION = 32
    TIME = 64


cdef Outcome okx_forced(Symbols symbols, Cursor* c, Batch* batch) noexcept nogil:
    """The array of rows. Most are of instruments that nobody asked for: a push of nothing else is IGNORED."""
    cdef bint first = True
    cdef Outcome outcome
    if not cursor_expect(c, c'['):
        return OUTCOME_MALFORMED
    while cursor_next_item(c, first):
        first = False
        outcome = _row(symbols, c, batch)
        if outcome != OUTCOME_EVENTS:
            return outcome
    if c.bad:
        return OUTCOME_MALFORMED
    if batch.n_events == 0:
        return OUTCOME_UNKNOWN_ENUM if batch.unknown_enums > 0 else OUTCOME_IGNORED
    return OUTCOME_EVENTS


cdef Outcome _row(Symbols symbols, Cursor* c, Batch* batch) noexcept nogil:
    """One instrument's: its name stands behind its details."""
    cdef uint32_t met = 0
    cdef bint first = True
    cdef char room[NAME_ROOM]
    cdef View key, name
    cdef Cursor details
    cdef int32_t instrument
    cdef Outcome outcome
    if not cursor_expect(c, c'{'):
        return OUTCOME_MALFORMED
    while next_key(c, first, &key, room):
        first = False
        if says(key, b"instId", 6):
            if meet(c, &met, INSTRUMENT):
                name = cursor_string(c)
        elif says(key, b"details", 7):
            if meet(c, &met, DETAILS):
                details = c[0]
                cursor_skip(c)
        else:
            cursor_skip(c)
    if c.bad or met != (INSTRUMENT | DETAILS):
        return OUTCOME_MALFORMED
    instrument = find_name(symbols, name)
    if instrument < 0:
        return OUTCOME_EVENTS
    batch.instrument = instrument
    if not cursor_expect(&details, c'['):
        return OUTCOME_MALFORMED
    first = True
    while cursor_next_item(&details, first):
        first = False
        outcome = _detail(&details, symbols.row(instrument), batch)
        if outcome == OUTCOME_UNKNOWN_ENUM:
            batch.unknown_enums += 1
        elif outcome != OUTCOME_EVENTS:
            return outcome
    return OUTCOME_MALFORMED if details.bad else OUTCOME_EVENTS


cdef Outcome _detail(Cursor* c, const Symbol* symbol, Batch* batch) noexcept nogil:
    cdef uint32_t met = 0
    cdef bint first = True
    cdef char room[NAME_ROOM]
    cdef View key, px, qty, side, position, nothing
    cdef ns_t ts = NO_TIME
    cdef bint sells
    if not cursor_expect(c, c'{'):
        return OUTCOME_MALFORMED
    while next_key(c, first, &key, room):
        first = False
        if says(key, b"bkPx", 4):
            if meet(c, &met, PRICE):
                px = cursor_scalar(c)
        elif says(key, b"sz", 2):
            if meet(c, &met, SIZE):
                qty = cursor_scalar(c)
        elif says(key, b"side", 4):
            if meet(c, &met, SIDE):
                side = cursor_string(c)
        elif says(key, b"posSide", 7):
            if meet(c, &met, POSITION):
                position = cursor_string(c)
        elif says(key, b"ts", 2):
            if meet(c, &met, TIME):
                ts = read_ms(c)
        else:
            cursor_skip(c)
    if c.bad or met & (PRICE | SIZE | SIDE) != (PRICE | SIZE | SIDE):
        return OUTCOME_MALFORMED
    sells = says(side, b"sell", 4)
    if not sells and not says(side, b"buy", 3):
        return OUTCOME_UNKNOWN_ENUM
    if met & POSITION and ((sells and says(position, b"short", 5)) or (not sells and says(position, b"long", 4))):
        return OUTCOME_UNKNOWN_ENUM
    nothing = px
    nothing.size = 0
    return add_liquidation(batch, symbol, SIDE_SELL if sells else SIDE_BUY, side, px, nothing, qty, ts, EVENT_BANKRUPTCY | EVENT_SAMPLED)
