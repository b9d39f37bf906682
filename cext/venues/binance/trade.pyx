"""Trades: single fills, and the aggregates of a taker order's fills at one price."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from cext.cursor cimport (
    Cursor, View, cursor_bool, cursor_expect, cursor_int, cursor_next_key, cursor_scalar, cursor_skip, cursor_string, view_is, view_unescape,
)
from cext.decimal cimport DECIMAL_OK, DecimalVerdict, decimal_read
from cext.events cimport (
    EVENT_OFF_BOOK, EVENT_TRADE, OUTCOME_EVENTS, OUTCOME_MALFORMED, OUTCOME_OVERSIZED, OUTCOME_UNKNOWN_ENUM, OUTCOME_UNKNOWN_SYMBOL, SIDE_BUY,
    SIDE_SELL, Batch, Event, Outcome, batch_event,
)
from cext.normalizer cimport outcome_of
from cext.symbols cimport Symbol, Symbols
from cext.units cimport NO_ID, px_t, qty_t
from cext.venues.binance.payload cimport NAME_ROOM, has_all, letter_of, once, stamp_ns, symbol_ahead, symbol_of
from cext.venues.binance.topic cimport KIND_AGG_TRADE, Stream, kind_of_event


cdef Outcome read_trade(Cursor* c, const Stream* stream, Symbols symbols, Batch* batch) noexcept nogil:
    """A fill {"e":"trade","E":…,"s":…,"t":id,"p":…,"q":…,"T":…,"m":buyer is maker} or the fills f..l of one taker order at one price, "a".

    Futures tell the kind of a fill in X: only MARKET ones met the book (the others: insurance fund, auto-deleveraging).
    """
    cdef View key, kind
    cdef Cursor id_at
    cdef Symbol* symbol = NULL
    cdef Event* event
    cdef DecimalVerdict verdict
    cdef bint aggregate = stream.kind == KIND_AGG_TRADE
    cdef char id_letter = c'a' if aggregate else c't'
    cdef int64_t stamp = 0
    cdef int64_t sent = 0
    cdef int64_t first_id = NO_ID
    cdef int64_t last_id = NO_ID
    cdef int64_t own_id = NO_ID
    cdef px_t px = 0
    cdef qty_t qty = 0
    cdef bint buyer_is_maker = False
    cdef bint off_book = False
    cdef bint first = True
    cdef uint64_t seen = 0
    cdef char room[NAME_ROOM]
    cdef char letter
    if not cursor_expect(c, c'{'):
        return OUTCOME_MALFORMED
    id_at = c[0]
    while cursor_next_key(c, first, &key):
        first = False
        letter = letter_of(&key, room)
        if not once(&seen, letter):
            return OUTCOME_MALFORMED
        if letter == c'p' or letter == c'q':
            if symbol == NULL:
                symbol = symbol_ahead(c, stream, symbols, batch)
                if symbol == NULL:
                    return OUTCOME_MALFORMED if c.bad else OUTCOME_UNKNOWN_SYMBOL
            if letter == c'p':
                verdict = decimal_read(c, symbol.px_scale, &px)
            else:
                verdict = decimal_read(c, symbol.qty_scale, &qty)
            if verdict != DECIMAL_OK:
                return outcome_of(verdict)
        elif letter == id_letter:
            id_at = c[0]
            own_id = cursor_int(c)
        elif letter == c'T':
            stamp = cursor_int(c)
        elif letter == c'E':
            sent = cursor_int(c)
        elif letter == c'm':
            buyer_is_maker = cursor_bool(c)
        elif letter == c'f' and aggregate:
            first_id = cursor_int(c)
        elif letter == c'l' and aggregate:
            last_id = cursor_int(c)
        elif letter == c'X':
            kind = cursor_string(c)
            if kind.escaped:
                kind = view_unescape(kind, room, NAME_ROOM)
            off_book = not view_is(kind, b"MARKET", 6)
        elif letter == c's':
            if symbol != NULL:
                cursor_string(c)  # was read ahead
                continue
            symbol = symbol_of(symbols, cursor_string(c), batch)
            if symbol == NULL:
                return OUTCOME_MALFORMED if c.bad else OUTCOME_UNKNOWN_SYMBOL
        elif letter == c'e':
            if kind_of_event(cursor_string(c)) != stream.kind:
                return OUTCOME_MALFORMED
        else:
            cursor_skip(c)
    if c.bad or own_id < 0 or not has_all(seen, b"mpq") or px < 0 or qty < 0:
        return OUTCOME_MALFORMED
    if aggregate:
        if first_id < NO_ID or last_id < first_id or (first_id < 0 and last_id >= 0):
            return OUTCOME_MALFORMED
    else:
        first_id = last_id = own_id
    event = batch_event(batch, EVENT_TRADE, symbol.ix)
    if event == NULL:
        return OUTCOME_OVERSIZED
    if not stamp_ns(stamp if stamp != 0 else sent, &event.ts_event):
        return OUTCOME_MALFORMED
    if px == 0 or qty == 0:
        # X "NA" rows, and fills that the venue took back: nothing was traded
        batch.unknown_enums += 1
        return OUTCOME_UNKNOWN_ENUM
    if off_book:
        event.flags |= EVENT_OFF_BOOK
    if aggregate:
        event.agg_id = own_id
    event.first_id = first_id
    event.last_id = last_id
    event.side = SIDE_SELL if buyer_is_maker else SIDE_BUY
    event.px = px
    event.qty = qty
    key = cursor_scalar(&id_at)  # the venue's own text, of at most 18 digits
    event.trade_id_size = <int32_t>key.size
    memcpy(event.trade_id, key.at, key.size)
    return OUTCOME_EVENTS
