"""Trades: single fills, and the aggregates of a taker order's fills at one price."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from cext.cursor cimport (
    Cursor, View, cursor_bool, cursor_expect, cursor_int, cursor_next_key, cursor_scalar, cursor_skip, cursor_string, view_is, view_unescape,
)
from cext.decimal cimport DECIMAL_OK, DecimalVerdict, decimal_read
from cext.events cimport (
    EVENT_BLOCK, EVENT_BLOCK_TRADE, EVENT_OFF_BOOK, EVENT_TRADE, OUTCOME_EVENTS, OUTCOME_MALFORMED, OUTCOME_OVERSIZED, OUTCOME_UNKNOWN_ENUM, OUTCOME_UNKNOWN_SYMBOL, SIDE_BUY,
    SIDE_SELL, TRADE_ID_SIZE, Batch, Event, Outcome, batch_event,
)
from cext.normalizer cimport outcome_of
from cext.symbols cimport Symbol, Symbols
from cext.units cimport NO_ID, px_t, qty_t
from cext.venues.binance.payload cimport NAME_ROOM, has_all, letter_of, once, stamp_ns, symbol_ahead, symbol_of
from cext.venues.binance.topic cimport KIND_AGG_TRADE, KIND_BLOCK, Stream, kind_of_event
from cext.venues.plain cimport plain_name, plain_text, plain_whole

cdef struct Fill:
    int64_t stamp           # T; 0 where there is none
    int64_t sent            # E
    int64_t own_id
    View own_text
    int64_t first_id
    int64_t last_id
    px_t px
    qty_t qty
    bint aggregate
    bint buyer_is_maker
    bint off_book
    bint block


cdef inline Fill _no_fill(bint aggregate) noexcept nogil:
    cdef Fill f
    f.stamp = f.sent = f.px = f.qty = 0
    f.own_id = f.first_id = f.last_id = NO_ID
    f.own_text.size = 0
    f.aggregate = aggregate
    f.buyer_is_maker = f.off_book = f.block = False
    return f


cdef Outcome _tell(const Fill* f, const Symbol* symbol, Batch* batch) noexcept nogil:
    """The event, if what was read makes one."""
    cdef Event* event
    if f.own_id < 0 or f.px < 0 or f.qty < 0 or f.own_text.size > TRADE_ID_SIZE:
        return OUTCOME_MALFORMED
    if f.aggregate and (f.first_id < NO_ID or f.last_id < f.first_id or (f.first_id < 0 and f.last_id >= 0)):
        return OUTCOME_MALFORMED
    event = batch_event(batch, EVENT_BLOCK_TRADE if f.block else EVENT_TRADE, symbol.ix)
    if event == NULL:
        return OUTCOME_OVERSIZED
    if not stamp_ns(f.stamp if f.stamp != 0 else f.sent, &event.ts_event):
        return OUTCOME_MALFORMED
    if f.px == 0 or f.qty == 0:
        # X "NA" rows, and fills that the venue took back: nothing was traded
        batch.unknown_enums += 1
        return OUTCOME_UNKNOWN_ENUM
    if f.off_book:
        event.flags |= EVENT_OFF_BOOK
    if f.block:
        event.flags |= EVENT_OFF_BOOK | EVENT_BLOCK
    if f.aggregate:
        event.agg_id = f.own_id
        event.first_id = f.first_id
        event.last_id = f.last_id
    else:
        event.first_id = event.last_id = f.own_id
    event.side = SIDE_SELL if f.buyer_is_maker else SIDE_BUY
    event.px = f.px
    event.qty = f.qty
    event.trade_id_size = <int32_t>f.own_text.size
    memcpy(event.trade_id, f.own_text.at, f.own_text.size)
    return OUTCOME_EVENTS


cdef inline bint _plain_id(Cursor* c, Fill* f) noexcept nogil:
    f.own_text.at = c.at
    if not plain_whole(c, &f.own_id):
        return False
    f.own_text.size = c.at - f.own_text.at
    return True


cdef bint plain_trade(Cursor* c, bint aggregate, Symbols symbols, Batch* batch) noexcept nogil:
    """`read_trade` of an object written as the venue writes it today. False, and the batch in any state, for any other."""
    cdef Fill f = _no_fill(aggregate)
    cdef View name
    cdef Symbol* symbol
    cdef int64_t other
    if not (plain_text(c, b'{"e":"aggTrade","E":', 20) if aggregate else plain_text(c, b'{"e":"trade","E":', 17)) or not plain_whole(c, &f.sent) \
            or (plain_text(c, b',"T":', 5) and not plain_whole(c, &f.stamp)):
        return False
    if aggregate and plain_text(c, b',"a":', 5) and not _plain_id(c, &f):  # futures
        return False
    if not plain_text(c, b',"s":"', 6) or not plain_name(c, &name):
        return False
    batch.instrument = symbols.find(name.at, name.size)
    if batch.instrument < 0 or not plain_text(c, b'"', 1):
        return False
    symbol = symbols.row(batch.instrument)
    if f.own_id == NO_ID and (not (plain_text(c, b',"a":', 5) if aggregate else plain_text(c, b',"t":', 5)) or not _plain_id(c, &f)):
        return False
    if not plain_text(c, b',"p":', 5) or decimal_read(c, symbol.px_scale, &f.px) != DECIMAL_OK \
            or not plain_text(c, b',"q":', 5) or decimal_read(c, symbol.qty_scale, &f.qty) != DECIMAL_OK:
        return False
    if aggregate:
        if plain_text(c, b',"nq":"', 7) and (not plain_name(c, &name) or not plain_text(c, b'"', 1)):
            return False
        if not plain_text(c, b',"f":', 5) or not plain_whole(c, &f.first_id) or not plain_text(c, b',"l":', 5) or not plain_whole(c, &f.last_id):
            return False
    elif plain_text(c, b',"X":"', 6):
        if not plain_text(c, b'MARKET"', 7):
            return False
    if f.stamp == 0 and (not plain_text(c, b',"T":', 5) or not plain_whole(c, &f.stamp)):
        return False
    f.buyer_is_maker = plain_text(c, b',"m":true', 9)
    if not f.buyer_is_maker and not plain_text(c, b',"m":false', 10):
        return False
    plain_text(c, b',"M":true', 9)
    if plain_text(c, b',"st":', 6) and not plain_whole(c, &other):
        return False
    return plain_text(c, b'}', 1) and _tell(&f, symbol, batch) == OUTCOME_EVENTS


cdef Outcome read_trade(Cursor* c, const Stream* stream, Symbols symbols, Batch* batch) noexcept nogil:
    """A fill {"e":"trade","E":…,"s":…,"t":id,"p":…,"q":…,"T":…,"m":buyer is maker} or the fills f..l of one taker order at one price, "a".

    A block trade is a fill of a feed of its own ("blockTrade", spot), never in the others: its ids are its own.
    Futures tell the kind of a fill in X: only MARKET ones met the book (the others: insurance fund, auto-deleveraging).
    """
    cdef View key, kind
    cdef Cursor id_at
    cdef Symbol* symbol = NULL
    cdef DecimalVerdict verdict
    cdef Fill f = _no_fill(stream.kind == KIND_AGG_TRADE)
    cdef char id_letter = c'a' if f.aggregate else c't'
    cdef bint first = True
    cdef uint64_t seen = 0
    cdef char room[NAME_ROOM]
    cdef char letter
    f.block = stream.kind == KIND_BLOCK
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
                verdict = decimal_read(c, symbol.px_scale, &f.px)
            else:
                verdict = decimal_read(c, symbol.qty_scale, &f.qty)
            if verdict != DECIMAL_OK:
                return outcome_of(verdict)
        elif letter == id_letter:
            id_at = c[0]
            f.own_id = cursor_int(c)
        elif letter == c'T':
            f.stamp = cursor_int(c)
        elif letter == c'E':
            f.sent = cursor_int(c)
        elif letter == c'm':
            f.buyer_is_maker = cursor_bool(c)
        elif letter == c'f' and f.aggregate:
            f.first_id = cursor_int(c)
        elif letter == c'l' and f.aggregate:
            f.last_id = cursor_int(c)
        elif letter == c'X':
            kind = cursor_string(c)
            if kind.escaped:
                kind = view_unescape(kind, room, NAME_ROOM)
            f.off_book = not view_is(kind, b"MARKET", 6)
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
    if c.bad or f.own_id < 0 or not has_all(seen, b"mpq"):
        return OUTCOME_MALFORMED
    f.own_text = cursor_scalar(&id_at)  # the venue's own text, of at most 18 digits
    return _tell(&f, symbol, batch)
