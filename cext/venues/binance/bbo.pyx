"""Best bid and ask."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.cursor cimport Cursor, View, cursor_expect, cursor_int, cursor_next_key, cursor_skip, cursor_string
from cext.decimal cimport DECIMAL_OK, DecimalVerdict, decimal_read
from cext.events cimport (
    EVENT_BBO, OUTCOME_EVENTS, OUTCOME_MALFORMED, OUTCOME_OVERSIZED, OUTCOME_UNKNOWN_SYMBOL, Batch, Event, Level, Outcome, batch_event,
    batch_level,
)
from cext.normalizer cimport outcome_of
from cext.symbols cimport Symbol, Symbols
from cext.units cimport NO_ID
from cext.venues.binance.payload cimport NAME_ROOM, has_all, letter_of, once, stamp_ns, symbol_ahead, symbol_of
from cext.venues.binance.topic cimport KIND_BBO, Stream, kind_of_event


cdef Outcome read_bbo(Cursor* c, const Stream* stream, Symbols symbols, Batch* batch) noexcept nogil:
    """{"u":…,"s":"BTCUSDT","b":"price","B":"quantity","a":"price","A":"quantity"}; futures add e, T and E."""
    cdef View key
    cdef Symbol* symbol = NULL
    cdef Event* event
    cdef Level bid, ask
    cdef DecimalVerdict verdict
    cdef int64_t stamp = 0
    cdef int64_t sent = 0
    cdef int64_t last_id = NO_ID
    cdef bint first = True
    cdef uint64_t seen = 0
    cdef char room[NAME_ROOM]
    cdef char letter
    if not cursor_expect(c, c'{'):
        return OUTCOME_MALFORMED
    bid.px = bid.qty = ask.px = ask.qty = 0
    while cursor_next_key(c, first, &key):
        first = False
        letter = letter_of(&key, room)
        if not once(&seen, letter):
            return OUTCOME_MALFORMED
        if letter == c'b' or letter == c'B' or letter == c'a' or letter == c'A':
            if symbol == NULL:
                symbol = symbol_ahead(c, stream, symbols, batch)
                if symbol == NULL:
                    return OUTCOME_MALFORMED if c.bad else OUTCOME_UNKNOWN_SYMBOL
            if letter == c'b':
                verdict = decimal_read(c, symbol.px_scale, &bid.px)
            elif letter == c'B':
                verdict = decimal_read(c, symbol.qty_scale, &bid.qty)
            elif letter == c'a':
                verdict = decimal_read(c, symbol.px_scale, &ask.px)
            else:
                verdict = decimal_read(c, symbol.qty_scale, &ask.qty)
            if verdict != DECIMAL_OK:
                return outcome_of(verdict)
        elif letter == c'u':
            last_id = cursor_int(c)
        elif letter == c'E':
            sent = cursor_int(c)
        elif letter == c'T':
            stamp = cursor_int(c)
        elif letter == c's':
            if symbol != NULL:
                cursor_string(c)  # was read ahead
                continue
            symbol = symbol_of(symbols, cursor_string(c), batch)
            if symbol == NULL:
                return OUTCOME_MALFORMED if c.bad else OUTCOME_UNKNOWN_SYMBOL
        elif letter == c'e':
            if kind_of_event(cursor_string(c)) != KIND_BBO:
                return OUTCOME_MALFORMED
        else:
            cursor_skip(c)
    if c.bad or last_id < 0 or not has_all(seen, b"bBaA") or bid.px < 0 or bid.qty < 0 or ask.px < 0 or ask.qty < 0:
        return OUTCOME_MALFORMED
    event = batch_event(batch, EVENT_BBO, symbol.ix)
    if event == NULL:
        return OUTCOME_OVERSIZED
    if not stamp_ns(stamp if stamp != 0 else sent, &event.ts_event):
        return OUTCOME_MALFORMED
    event.last_id = event.cross_id = last_id
    if not _side(bid, batch, &event.bids, &event.n_bids) or not _side(ask, batch, &event.asks, &event.n_asks):
        return OUTCOME_OVERSIZED
    return OUTCOME_EVENTS


cdef inline bint _side(Level best, Batch* batch, int32_t* first, int32_t* n) noexcept nogil:
    """One side into the batch: 0 or 1 level. A price or quantity of 0 is an empty side. False where memory ends."""
    cdef Level* level
    first[0] = batch.n_levels
    if best.px == 0 or best.qty == 0:
        return True
    level = batch_level(batch)
    if level == NULL:
        return False
    level[0] = best
    n[0] = 1
    return True
