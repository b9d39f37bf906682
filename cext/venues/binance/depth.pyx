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
from cext.venues.plain cimport plain_name, plain_text, plain_whole

cdef struct Change:
    int64_t stamp           # T; 0 where there is none
    int64_t sent            # E
    int64_t first_id
    int64_t last_id
    int64_t prev_id
    int32_t bids
    int32_t n_bids
    int32_t asks
    int32_t n_asks


cdef inline Change _no_change() noexcept nogil:
    cdef Change d
    d.stamp = d.sent = 0
    d.first_id = d.last_id = d.prev_id = NO_ID
    d.bids = d.n_bids = d.asks = d.n_asks = 0
    return d


cdef Outcome _tell(const Change* d, const Symbol* symbol, bint futures, Batch* batch) noexcept nogil:
    """The event, if what was read makes one."""
    cdef Event* event
    if d.first_id < 0 or d.last_id < d.first_id or (futures and d.prev_id == NO_ID):
        return OUTCOME_MALFORMED
    event = batch_event(batch, EVENT_DEPTH, symbol.ix)
    if event == NULL:
        return OUTCOME_OVERSIZED
    if not stamp_ns(d.stamp if d.stamp != 0 else d.sent, &event.ts_event):
        return OUTCOME_MALFORMED
    event.first_id = d.first_id
    event.last_id = event.cross_id = d.last_id
    event.prev_id = d.prev_id if futures else NO_ID
    event.bids = d.bids
    event.n_bids = d.n_bids
    event.asks = d.asks
    event.n_asks = d.n_asks
    return OUTCOME_EVENTS


cdef bint plain_depth(Cursor* c, Symbols symbols, bint futures, Batch* batch) noexcept nogil:
    """`read_depth` of an object written as the venue writes it today. False, and the batch in any state, for any other."""
    cdef Change d = _no_change()
    cdef View name
    cdef Symbol* symbol
    cdef int64_t other
    if not plain_text(c, b'{"e":"depthUpdate","E":', 23) or not plain_whole(c, &d.sent) \
            or (plain_text(c, b',"T":', 5) and not plain_whole(c, &d.stamp)) or not plain_text(c, b',"s":"', 6) or not plain_name(c, &name):
        return False
    batch.instrument = symbols.find(name.at, name.size)
    if batch.instrument < 0:
        return False
    symbol = symbols.row(batch.instrument)
    if plain_text(c, b'","ps":"', 8) and not plain_name(c, &name):
        return False
    if not plain_text(c, b'","U":', 6) or not plain_whole(c, &d.first_id) or not plain_text(c, b',"u":', 5) or not plain_whole(c, &d.last_id):
        return False
    if plain_text(c, b',"pu":', 6) and not plain_whole(c, &d.prev_id):
        return False
    if not plain_text(c, b',"b":', 5) or read_levels(c, symbol, batch, &d.bids, &d.n_bids) != OUTCOME_EVENTS \
            or not plain_text(c, b',"a":', 5) or read_levels(c, symbol, batch, &d.asks, &d.n_asks) != OUTCOME_EVENTS:
        return False
    if plain_text(c, b',"st":', 6) and not plain_whole(c, &other):
        return False
    return plain_text(c, b'}', 1) and _tell(&d, symbol, futures, batch) == OUTCOME_EVENTS


cdef Outcome read_depth(Cursor* c, const Stream* stream, Symbols symbols, bint futures, Batch* batch) noexcept nogil:
    """{"e":"depthUpdate","E":…,"T":…,"s":"BTCUSDT","U":…,"u":…,"pu":…,"b":[["price","quantity"],…],"a":[…]}; spot has no T and no pu.

    `futures`: the predecessor `pu` must be said, as the sequence rule needs it.
    """
    cdef View key
    cdef Symbol* symbol = NULL
    cdef Outcome outcome
    cdef Change d = _no_change()
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
                outcome = read_levels(c, symbol, batch, &d.bids, &d.n_bids)
            else:
                outcome = read_levels(c, symbol, batch, &d.asks, &d.n_asks)
            if outcome != OUTCOME_EVENTS:
                return outcome
        elif letter == c'u':
            d.last_id = cursor_int(c)
        elif letter == c'U':
            d.first_id = cursor_int(c)
        elif letter == c'E':
            d.sent = cursor_int(c)
        elif letter == c'T':
            d.stamp = cursor_int(c)
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
            if d.prev_id != NO_ID:
                return OUTCOME_MALFORMED
            d.prev_id = cursor_int(c)
            if d.prev_id < 0:
                return OUTCOME_MALFORMED
        else:
            cursor_skip(c)
    return OUTCOME_MALFORMED if c.bad or not has_all(seen, b"ba") else _tell(&d, symbol, futures, batch)


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
