"""Changes of a book, and whole books by REST."""

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.cursor cimport Cursor, View, cursor_expect, cursor_int, cursor_next_key, cursor_skip, cursor_string, view_is
from cext.events cimport (
    EVENT_DEPTH, EVENT_FROM_REST, EVENT_SNAPSHOT, OUTCOME_EVENTS, OUTCOME_MALFORMED, OUTCOME_OVERSIZED, OUTCOME_UNKNOWN_SYMBOL, Batch, Event,
    Outcome, batch_event,
)
from cext.normalizer cimport read_levels
from cext.symbols cimport Symbol, Symbols
from cext.units cimport NO_ID
from cext.venues.binance.payload cimport NAME_ROOM, has_all, letter_of, once, stamp_ns, symbol_ahead, symbol_of
from cext.venues.binance.topic cimport KIND_DEPTH, Stream, kind_of_event


cdef Outcome read_depth(Cursor* c, const Stream* stream, Symbols symbols, bint futures, Batch* batch) noexcept nogil:
    """{"e":"depthUpdate","E":…,"T":…,"s":"BTCUSDT","U":…,"u":…,"pu":…,"b":[["price","quantity"],…],"a":[…]}; spot has no T and no pu.

    `futures`: the predecessor `pu` must be said, as the sequence rule needs it.
    """
    cdef View key
    cdef Symbol* symbol = NULL
    cdef Event* event
    cdef Outcome outcome
    cdef int64_t stamp = 0
    cdef int64_t sent = 0
    cdef int64_t first_id = NO_ID
    cdef int64_t last_id = NO_ID
    cdef int64_t prev_id = NO_ID
    cdef int32_t bids = 0
    cdef int32_t asks = 0
    cdef int32_t n_bids = 0
    cdef int32_t n_asks = 0
    cdef bint first = True
    cdef uint64_t seen = 0
    cdef char room[NAME_ROOM]
    cdef char letter
    if not cursor_expect(c, c'{'):
        return OUTCOME_MALFORMED
    while cursor_next_key(c, first, &key):
        first = False
        letter = letter_of(&key, room)
        if not once(&seen, letter):
            return OUTCOME_MALFORMED
        if letter == c'b' or letter == c'a':
            if symbol == NULL:
                symbol = symbol_ahead(c, stream, symbols, batch)
                if symbol == NULL:
                    return OUTCOME_MALFORMED if c.bad else OUTCOME_UNKNOWN_SYMBOL
            if letter == c'b':
                outcome = read_levels(c, symbol, batch, &bids, &n_bids)
            else:
                outcome = read_levels(c, symbol, batch, &asks, &n_asks)
            if outcome != OUTCOME_EVENTS:
                return outcome
        elif letter == c'u':
            last_id = cursor_int(c)
        elif letter == c'U':
            first_id = cursor_int(c)
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
            if kind_of_event(cursor_string(c)) != KIND_DEPTH:
                return OUTCOME_MALFORMED
        elif view_is(key, b"pu", 2):
            if prev_id != NO_ID:
                return OUTCOME_MALFORMED
            prev_id = cursor_int(c)
            if prev_id < 0:
                return OUTCOME_MALFORMED
        else:
            cursor_skip(c)
    if c.bad or first_id < 0 or last_id < first_id or not has_all(seen, b"ba") or (futures and prev_id == NO_ID):
        return OUTCOME_MALFORMED
    event = batch_event(batch, EVENT_DEPTH, symbol.ix)
    if event == NULL:
        return OUTCOME_OVERSIZED
    if not stamp_ns(stamp if stamp != 0 else sent, &event.ts_event):
        return OUTCOME_MALFORMED
    event.first_id = first_id
    event.last_id = event.cross_id = last_id
    event.prev_id = prev_id if futures else NO_ID
    event.bids = bids
    event.n_bids = n_bids
    event.asks = asks
    event.n_asks = n_asks
    return OUTCOME_EVENTS


cdef Outcome read_image(Cursor* c, Symbol* symbol, Symbols symbols, Batch* batch) noexcept nogil:
    """GET …/depth: {"lastUpdateId":…,"E":…,"T":…,"bids":[["price","quantity"],…],"asks":[…]}; spot has no times, COIN-M names symbol and pair."""
    cdef View key, name
    cdef Event* event
    cdef Outcome outcome
    cdef int64_t stamp = 0
    cdef int64_t sent = 0
    cdef int64_t last_id = NO_ID
    cdef int32_t bids = 0
    cdef int32_t asks = 0
    cdef int32_t n_bids = -1
    cdef int32_t n_asks = -1
    cdef bint named = False
    cdef bint first = True
    cdef uint64_t seen = 0
    cdef char room[NAME_ROOM]
    cdef char letter
    if not cursor_expect(c, c'{'):
        return OUTCOME_MALFORMED
    while cursor_next_key(c, first, &key):
        first = False
        letter = letter_of(&key, room)
        if not once(&seen, letter):
            return OUTCOME_MALFORMED
        if view_is(key, b"bids", 4) or view_is(key, b"asks", 4):
            if (n_bids if key.at[0] == c'b' else n_asks) >= 0:
                return OUTCOME_MALFORMED
            if key.at[0] == c'b':
                outcome = read_levels(c, symbol, batch, &bids, &n_bids)
            else:
                outcome = read_levels(c, symbol, batch, &asks, &n_asks)
            if outcome != OUTCOME_EVENTS:
                return outcome
        elif view_is(key, b"lastUpdateId", 12):
            if last_id != NO_ID:
                return OUTCOME_MALFORMED
            last_id = cursor_int(c)
            if last_id < 0:
                return OUTCOME_MALFORMED
        elif letter == c'E':
            sent = cursor_int(c)
        elif letter == c'T':
            stamp = cursor_int(c)
        elif view_is(key, b"symbol", 6):
            name = cursor_string(c)
            if named or c.bad or symbol_of(symbols, name, batch) != symbol:
                return OUTCOME_MALFORMED  # another instrument's book
            named = True
        else:
            cursor_skip(c)
    if c.bad or last_id < 0 or n_bids < 0 or n_asks < 0:
        return OUTCOME_MALFORMED
    event = batch_event(batch, EVENT_SNAPSHOT, symbol.ix)
    if event == NULL:
        return OUTCOME_OVERSIZED
    if not stamp_ns(stamp if stamp != 0 else sent, &event.ts_event):
        return OUTCOME_MALFORMED
    event.flags = EVENT_FROM_REST
    event.last_id = event.cross_id = last_id
    event.bids = bids
    event.n_bids = n_bids
    event.asks = asks
    event.n_asks = n_asks
    return OUTCOME_EVENTS
