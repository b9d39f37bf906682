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
from cext.venues.plain cimport plain_name, plain_text, plain_whole

cdef struct Best:
    int64_t stamp           # T; 0 where there is none
    int64_t sent            # E
    int64_t last_id
    Level bid
    Level ask


cdef inline Best _nothing() noexcept nogil:
    cdef Best b
    b.stamp = b.sent = b.bid.px = b.bid.qty = b.ask.px = b.ask.qty = 0
    b.last_id = NO_ID
    return b


cdef inline bint _side(const Level* best, Batch* batch, int32_t* first, int32_t* n) noexcept nogil:
    """One side into the batch: 0 or 1 level. A price or quantity of 0 is an empty side. False where memory ends."""
    cdef Level* level
    first[0] = batch.n_levels
    if best.px == 0 or best.qty == 0:
        return True
    level = batch_level(batch)
    if level == NULL:
        return False
    level[0] = best[0]
    n[0] = 1
    return True


cdef Outcome _tell(const Best* b, const Symbol* symbol, Batch* batch) noexcept nogil:
    """The event, if what was read makes one."""
    cdef Event* event
    if b.last_id < 0 or b.bid.px < 0 or b.bid.qty < 0 or b.ask.px < 0 or b.ask.qty < 0:
        return OUTCOME_MALFORMED
    event = batch_event(batch, EVENT_BBO, symbol.ix)
    if event == NULL:
        return OUTCOME_OVERSIZED
    if not stamp_ns(b.stamp if b.stamp != 0 else b.sent, &event.ts_event):
        return OUTCOME_MALFORMED
    event.last_id = event.cross_id = b.last_id
    if not _side(&b.bid, batch, &event.bids, &event.n_bids) or not _side(&b.ask, batch, &event.asks, &event.n_asks):
        return OUTCOME_OVERSIZED
    return OUTCOME_EVENTS


cdef bint plain_bbo(Cursor* c, Symbols symbols, Batch* batch) noexcept nogil:
    """`read_bbo` of an object written as the venue writes it today. False, and the batch in any state, for any other."""
    cdef Best b = _nothing()
    cdef View name
    cdef Symbol* symbol
    cdef int64_t other
    if plain_text(c, b'{"e":"bookTicker","u":', 22):
        if not plain_whole(c, &b.last_id):
            return False
    elif not plain_text(c, b'{"u":', 5) or not plain_whole(c, &b.last_id):
        return False
    else:
        plain_text(c, b',"e":"bookTicker"', 17)  # futures, until 2024
    if not plain_text(c, b',"s":"', 6) or not plain_name(c, &name):
        return False
    batch.instrument = symbols.find(name.at, name.size)
    if batch.instrument < 0:
        return False
    symbol = symbols.row(batch.instrument)
    if plain_text(c, b'","ps":"', 8) and not plain_name(c, &name):
        return False
    if not plain_text(c, b'","b":', 6) or decimal_read(c, symbol.px_scale, &b.bid.px) != DECIMAL_OK \
            or not plain_text(c, b',"B":', 5) or decimal_read(c, symbol.qty_scale, &b.bid.qty) != DECIMAL_OK \
            or not plain_text(c, b',"a":', 5) or decimal_read(c, symbol.px_scale, &b.ask.px) != DECIMAL_OK \
            or not plain_text(c, b',"A":', 5) or decimal_read(c, symbol.qty_scale, &b.ask.qty) != DECIMAL_OK:
        return False
    if plain_text(c, b',"T":', 5) and (not plain_whole(c, &b.stamp) or not plain_text(c, b',"E":', 5) or not plain_whole(c, &b.sent)):
        return False
    if plain_text(c, b',"st":', 6) and not plain_whole(c, &other):
        return False
    return plain_text(c, b'}', 1) and _tell(&b, symbol, batch) == OUTCOME_EVENTS


cdef Outcome read_bbo(Cursor* c, const Stream* stream, Symbols symbols, Batch* batch) noexcept nogil:
    """{"u":…,"s":"BTCUSDT","b":"price","B":"quantity","a":"price","A":"quantity"}; futures add e, T and E."""
    cdef View key
    cdef Symbol* symbol = NULL
    cdef Best b = _nothing()
    cdef DecimalVerdict verdict
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
        if letter == c'b' or letter == c'B' or letter == c'a' or letter == c'A':
            if symbol == NULL:
                symbol = symbol_ahead(c, stream, symbols, batch)
                if symbol == NULL:
                    return OUTCOME_MALFORMED if c.bad else OUTCOME_UNKNOWN_SYMBOL
            if letter == c'b':
                verdict = decimal_read(c, symbol.px_scale, &b.bid.px)
            elif letter == c'B':
                verdict = decimal_read(c, symbol.qty_scale, &b.bid.qty)
            elif letter == c'a':
                verdict = decimal_read(c, symbol.px_scale, &b.ask.px)
            else:
                verdict = decimal_read(c, symbol.qty_scale, &b.ask.qty)
            if verdict != DECIMAL_OK:
                return outcome_of(verdict)
        elif letter == c'u':
            b.last_id = cursor_int(c)
        elif letter == c'E':
            b.sent = cursor_int(c)
        elif letter == c'T':
            b.stamp = cursor_int(c)
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
    return OUTCOME_MALFORMED if c.bad or not has_all(seen, b"bBaA") else _tell(&b, symbol, batch)
