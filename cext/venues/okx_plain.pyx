"""OKX's frames as OKX writes them: books of every speed, best bid and ask, trades. One element of `data` in a book, any number of trades."""

from libc.stdint cimport INT32_MAX, INT32_MIN, int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from cext.cursor cimport Cursor, View, cursor_of
from cext.events cimport (
    EVENT_BBO, EVENT_DEPTH, EVENT_HAS_CHECKSUM, EVENT_OFF_BOOK, EVENT_SNAPSHOT, EVENT_TRADE, SIDE_BUY, SIDE_SELL, TOPIC_BBO, TOPIC_DEPTH, TOPIC_TRADES,
    Batch, Event, batch_clear, batch_event, batch_free, batch_init,
)
from cext.symbols cimport Symbol, Symbols
from cext.units cimport NO_ID, ns_t
from cext.venues.plain cimport (
    PLAIN_SIZE, plain_again, plain_book, plain_decimal, plain_levels, plain_ms, plain_name, plain_text, plain_trade_id, plain_whole,
)


cdef bint okx_plain(Symbols symbols, const char* frame, Py_ssize_t size, Batch* batch) noexcept nogil:
    """True: the batch holds what the frame says. False: the batch may hold anything, and the frame is to be read the long way."""
    cdef Cursor c = cursor_of(frame, size)
    if size < PLAIN_SIZE or not plain_text(&c, b'{"arg":{"channel":"', 19):
        return False
    if plain_text(&c, b'books","instId":"', 17) or plain_text(&c, b'books-l2-tbt","instId":"', 24) \
            or plain_text(&c, b'books50-l2-tbt","instId":"', 26):
        batch.topic = TOPIC_DEPTH
        return _books(symbols, &c, batch)
    if plain_text(&c, b'bbo-tbt","instId":"', 19):
        batch.topic = TOPIC_BBO
        return _bbo(symbols, &c, batch)
    if plain_text(&c, b'trades","instId":"', 18):
        batch.topic = TOPIC_TRADES
        return _trades(symbols, &c, batch)
    return False


cdef inline const Symbol* _instrument(Symbols symbols, Cursor* c, View* name, Batch* batch) noexcept nogil:
    """The symbol at the cursor, its quote and the end of `arg` behind it; NULL if nobody knows it."""
    if not plain_name(c, name):
        return NULL
    batch.instrument = symbols.find(name.at, name.size)
    if batch.instrument < 0 or not plain_text(c, b'"},', 3):
        return NULL
    return symbols.row(batch.instrument)


cdef bint _books(Symbols symbols, Cursor* c, Batch* batch) noexcept nogil:
    cdef View name
    cdef const Symbol* symbol = _instrument(symbols, c, &name, batch)
    cdef bint update
    cdef ns_t ts
    cdef int32_t bids, n_bids, asks, n_asks
    cdef int64_t seq
    cdef int64_t prev_seq = NO_ID
    cdef int64_t checksum = 0
    cdef bint negative
    if symbol == NULL or not plain_text(c, b'"action":"', 10):
        return False
    update = plain_text(c, b"update", 6)
    if not update and not plain_text(c, b"snapshot", 8):
        return False
    if not plain_text(c, b'","data":[{"asks":', 18) or not plain_levels(c, symbol, True, batch, &asks, &n_asks):
        return False
    if not plain_text(c, b',"bids":', 8) or not plain_levels(c, symbol, True, batch, &bids, &n_bids):
        return False
    if not plain_text(c, b',"ts":"', 7) or not plain_ms(c, &ts) or not plain_text(c, b'","checksum":', 13):
        return False
    negative = plain_text(c, b"-", 1)
    if not plain_whole(c, &checksum) or not plain_text(c, b',"seqId":', 9) or not plain_whole(c, &seq) or not plain_text(c, b',"prevSeqId":', 13):
        return False
    if negative:
        checksum = -checksum
    if checksum > INT32_MAX or checksum < INT32_MIN:
        return False
    if not plain_text(c, b"-1", 2) and not plain_whole(c, &prev_seq):
        return False
    if not plain_text(c, b"}]}", 3) or c.at != c.end:
        return False
    if not plain_book(EVENT_DEPTH if update else EVENT_SNAPSHOT, ts, NO_ID, seq, prev_seq, seq, bids, n_bids, asks, n_asks, batch):
        return False
    if checksum != 0:
        batch.events[0].checksum = <int32_t>checksum
        batch.events[0].flags = EVENT_HAS_CHECKSUM
    return True


cdef bint _bbo(Symbols symbols, Cursor* c, Batch* batch) noexcept nogil:
    cdef View name
    cdef const Symbol* symbol = _instrument(symbols, c, &name, batch)
    cdef ns_t ts
    cdef int32_t bids, n_bids, asks, n_asks
    cdef int64_t seq
    if symbol == NULL or not plain_text(c, b'"data":[{"asks":', 16) or not plain_levels(c, symbol, True, batch, &asks, &n_asks):
        return False
    if not plain_text(c, b',"bids":', 8) or not plain_levels(c, symbol, True, batch, &bids, &n_bids):
        return False
    if not plain_text(c, b',"ts":"', 7) or not plain_ms(c, &ts) or not plain_text(c, b'","seqId":', 10) or not plain_whole(c, &seq):
        return False
    return plain_text(c, b"}]}", 3) and c.at == c.end \
        and plain_book(EVENT_BBO, ts, NO_ID, seq, NO_ID, seq, bids, n_bids, asks, n_asks, batch)


cdef bint _trades(Symbols symbols, Cursor* c, Batch* batch) noexcept nogil:
    cdef View name
    cdef const Symbol* symbol = _instrument(symbols, c, &name, batch)
    if symbol == NULL or not plain_text(c, b'"data":[', 8):
        return False
    while True:
        if not _trade(c, name, symbol, batch):
            return False
        if not plain_text(c, b",", 1):
            return plain_text(c, b"]}", 2) and c.at == c.end


cdef inline bint _trade(Cursor* c, View name, const Symbol* symbol, Batch* batch) noexcept nogil:
    """One row: `count` fills, of which tradeId is the last."""
    cdef int64_t count
    cdef Event* event = batch_event(batch, EVENT_TRADE, symbol.ix)
    if event == NULL or not plain_text(c, b'{"instId":"', 11) or not plain_again(c, name) or not plain_text(c, b'","tradeId":"', 13):
        return False
    if not plain_trade_id(c, event) or not plain_text(c, b',"px":"', 7) or not plain_decimal(c, symbol.px_scale, &event.px):
        return False
    if not plain_text(c, b',"sz":"', 7) or not plain_decimal(c, symbol.qty_scale, &event.qty) or not plain_text(c, b',"side":"', 9):
        return False
    event.side = SIDE_BUY
    if not plain_text(c, b'buy"', 4):
        event.side = SIDE_SELL
        if not plain_text(c, b'sell"', 5):
            return False
    if not plain_text(c, b',"ts":"', 7) or not plain_ms(c, &event.ts_event) or not plain_text(c, b'","count":"', 11):
        return False
    if not plain_whole(c, &count) or not plain_text(c, b'","source":"', 12):
        return False
    if not plain_text(c, b"0", 1):
        event.flags = EVENT_OFF_BOOK
        if not plain_text(c, b"1", 1):
            return False
    if not plain_text(c, b'","seqId":', 10) or not plain_whole(c, &event.cross_id) or count < 1 or event.last_id < count - 1:
        return False
    event.first_id = event.last_id - count + 1
    return plain_text(c, b"}", 1)


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
    taken = bool(okx_plain(symbols, copy, size, &batch))
    batch_free(&batch)
    free(copy)
    return taken
