"""Bybit's frames as Bybit writes them: books, best bid and ask, trades of spot, linear and inverse. Options go the long way (bybit.pyx)."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from cext.cursor cimport Cursor, View, cursor_of
from cext.events cimport (
    EVENT_BBO, EVENT_BLOCK, EVENT_DEPTH, EVENT_OFF_BOOK, EVENT_SNAPSHOT, EVENT_TRADE, SIDE_BUY, SIDE_SELL, TOPIC_BBO, TOPIC_DEPTH,
    TOPIC_NONE, TOPIC_TRADES, Batch, Event, Topic, batch_clear, batch_event, batch_free, batch_init,
)
from cext.symbols cimport Symbol, Symbols
from cext.units cimport NO_ID, ns_t
from cext.venues.plain cimport (
    PLAIN_SIZE, plain_again, plain_book, plain_decimal, plain_levels, plain_ms, plain_name, plain_text, plain_trade_id, plain_whole,
)


cdef bint bybit_plain(Symbols symbols, const char* frame, Py_ssize_t size, Batch* batch) noexcept nogil:
    """True: the batch holds what the frame says. False: the batch may hold anything, and the frame is to be read the long way."""
    cdef Cursor c = cursor_of(frame, size)
    if size < PLAIN_SIZE or not plain_text(&c, b'{"topic":"', 10):
        return False
    if plain_text(&c, b"orderbook.", 10):
        return _book(symbols, &c, batch)
    return plain_text(&c, b"publicTrade.", 12) and _trades(symbols, &c, batch)


cdef inline Topic _depth(Cursor* c) noexcept nogil:
    """The topic by the depth, with the dot behind it."""
    if plain_text(c, b"50.", 3) or plain_text(c, b"1000.", 5) or plain_text(c, b"200.", 4) or plain_text(c, b"500.", 4):
        return TOPIC_DEPTH
    if plain_text(c, b"1.", 2):
        return TOPIC_BBO
    return TOPIC_NONE


cdef inline bint _head(Symbols symbols, Cursor* c, View* name, bint* delta, ns_t* ts, Batch* batch) noexcept nogil:
    """From the symbol in the topic to the value of `data`: type and ts stand in either order."""
    cdef bint ts_first
    if not plain_name(c, name):
        return False
    batch.instrument = symbols.find(name.at, name.size)
    if batch.instrument < 0:
        return False
    ts_first = plain_text(c, b'","ts":', 7)
    if ts_first and not (plain_ms(c, ts) and plain_text(c, b',"type":"', 9)):
        return False
    if not ts_first and not plain_text(c, b'","type":"', 10):
        return False
    delta[0] = plain_text(c, b"delta", 5)
    if not delta[0] and not plain_text(c, b"snapshot", 8):
        return False
    if ts_first:
        return plain_text(c, b'","data":', 9)
    return plain_text(c, b'","ts":', 7) and plain_ms(c, ts) and plain_text(c, b',"data":', 8)


cdef bint _book(Symbols symbols, Cursor* c, Batch* batch) noexcept nogil:
    cdef Topic topic = _depth(c)
    cdef View name
    cdef bint delta
    cdef ns_t ts, cts
    cdef const Symbol* symbol
    cdef int32_t bids, n_bids, asks, n_asks
    cdef int64_t u, seq
    if topic == TOPIC_NONE or not _head(symbols, c, &name, &delta, &ts, batch) or (delta and topic == TOPIC_BBO):
        return False
    if not plain_text(c, b'{"s":"', 6) or not plain_again(c, name) or not plain_text(c, b'","b":', 6):
        return False
    batch.topic = topic
    symbol = symbols.row(batch.instrument)
    if not plain_levels(c, symbol, False, batch, &bids, &n_bids) or not plain_text(c, b',"a":', 5):
        return False
    if not plain_levels(c, symbol, False, batch, &asks, &n_asks) or not plain_text(c, b',"u":', 5):
        return False
    if not plain_whole(c, &u) or not plain_text(c, b',"seq":', 7) or not plain_whole(c, &seq):
        return False
    if not plain_text(c, b'},"cts":', 8) or not plain_ms(c, &cts) or not plain_text(c, b"}", 1) or c.at != c.end:
        return False
    return plain_book(EVENT_BBO if topic == TOPIC_BBO else EVENT_DEPTH if delta else EVENT_SNAPSHOT, cts, u, u, NO_ID, seq, bids, n_bids, asks, n_asks,
                      batch)


cdef bint _trades(Symbols symbols, Cursor* c, Batch* batch) noexcept nogil:
    """All rows of one symbol, written as those of a contract or as those of spot."""
    cdef View name
    cdef bint delta
    cdef ns_t ts
    cdef const Symbol* symbol
    if not _head(symbols, c, &name, &delta, &ts, batch) or not plain_text(c, b"[", 1):
        return False
    batch.topic = TOPIC_TRADES
    symbol = symbols.row(batch.instrument)
    while True:
        if not _trade(c, name, symbol, batch):
            return False
        if not plain_text(c, b",", 1):
            return plain_text(c, b"]}", 2) and c.at == c.end


cdef inline bint _trade(Cursor* c, View name, const Symbol* symbol, Batch* batch) noexcept nogil:
    cdef Event* event = batch_event(batch, EVENT_TRADE, symbol.ix)
    if event == NULL:
        return False
    if plain_text(c, b'{"T":', 5):
        if not plain_ms(c, &event.ts_event) or not plain_text(c, b',"s":"', 6) or not plain_again(c, name) or not plain_text(c, b'","S":', 6):
            return False
        if not _side(c, event) or not plain_text(c, b',"v":"', 6) or not plain_decimal(c, symbol.qty_scale, &event.qty):
            return False
        if not plain_text(c, b',"p":"', 6) or not plain_decimal(c, symbol.px_scale, &event.px) or not _tick_direction(c):
            return False
        return plain_text(c, b',"i":"', 6) and plain_trade_id(c, event) and _marks(c, event) and plain_text(c, b',"seq":', 7) \
            and plain_whole(c, &event.cross_id) and plain_text(c, b"}", 1)
    if not plain_text(c, b'{"i":"', 6) or not plain_trade_id(c, event) or not plain_text(c, b',"T":', 5) or not plain_ms(c, &event.ts_event):
        return False
    if not plain_text(c, b',"p":"', 6) or not plain_decimal(c, symbol.px_scale, &event.px):
        return False
    if not plain_text(c, b',"v":"', 6) or not plain_decimal(c, symbol.qty_scale, &event.qty):
        return False
    if not plain_text(c, b',"S":', 5) or not _side(c, event) or not plain_text(c, b',"seq":', 7) or not plain_whole(c, &event.cross_id):
        return False
    return plain_text(c, b',"s":"', 6) and plain_again(c, name) and plain_text(c, b'"', 1) and _marks(c, event) and plain_text(c, b"}", 1)


cdef inline bint _side(Cursor* c, Event* event) noexcept nogil:
    """The aggressor's, with its quotes."""
    if plain_text(c, b'"Buy"', 5):
        event.side = SIDE_BUY
        return True
    event.side = SIDE_SELL
    return plain_text(c, b'"Sell"', 6)


cdef inline bint _tick_direction(Cursor* c) noexcept nogil:
    """`L`, which nobody reads."""
    if not plain_text(c, b',"L":"', 6):
        return False
    plain_text(c, b"Zero", 4)
    return plain_text(c, b'PlusTick"', 9) or plain_text(c, b'MinusTick"', 10)


cdef inline bint _marks(Cursor* c, Event* event) noexcept nogil:
    """Whether it was a block trade, and whether it met an order that stands in no book."""
    if plain_text(c, b',"BT":false,"RPI":false', 23):
        return True
    if plain_text(c, b',"BT":false,"RPI":true', 22):
        event.flags = EVENT_OFF_BOOK
        return True
    event.flags = EVENT_OFF_BOOK | EVENT_BLOCK
    return plain_text(c, b',"BT":true,"RPI":false', 22)


def takes(Symbols symbols, bytes frame):
    """Whether a frame is read here: for tests, as what it means is the same either way."""
    cdef Batch batch
    cdef Py_ssize_t size = len(frame)
    # its own memory, exactly as long as the frame: under AddressSanitizer a read past the end is then an error
    cdef char* copy = <char*>malloc(size if size > 0 else 1)
    if copy == NULL or not batch_init(&batch):
        free(copy)
        raise MemoryError
    memcpy(copy, <const char*>frame, size)
    batch_clear(&batch)
    taken = bool(bybit_plain(symbols, copy, size, &batch))
    batch_free(&batch)
    free(copy)
    return taken
