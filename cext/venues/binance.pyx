"""Binance's market data frames and REST order books to events: spot, USDⓈ-M and COIN-M futures.

Sources: developers.binance.com, "WebSocket Streams for Binance" (spot) and "Websocket Market Streams" (futures).

| stream                   | becomes     | ids                                              | time     |
|--------------------------|-------------|--------------------------------------------------|----------|
| `@depth`, `@depth@100ms` | EVENT_DEPTH | first U, last u, prev pu (futures), cross u      | T, else E|
| `@depth5`, `@depth10` …  | ignored     | a top-N image in the same shape: never to merge  |          |
| `@bookTicker`            | EVENT_BBO   | last u, cross u                                  | T, else E|
| `@aggTrade`              | EVENT_TRADE | agg_id a, fills f..l; trade_id a                 | T        |
| `@trade`                 | EVENT_TRADE | fill t; trade_id t                               | T        |

The stream's name decides what a frame is: futures send partial and diff depth in the same shape, and spot's bookTicker names no event.
A frame without a stream (a raw connection) is read by its `e`, or as spot's bookTicker where it has none.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcmp, memcpy, strlen

from cext.cursor cimport (
    Cursor, View, cursor_bool, cursor_expect, cursor_int, cursor_next_key, cursor_of, cursor_peek, cursor_scalar, cursor_skip,
    cursor_string, view_int, view_is, view_unescape,
)
from cext.decimal cimport DECIMAL_OK, DecimalVerdict, decimal_parse
from cext.events cimport (
    EVENT_BBO, EVENT_DEPTH, EVENT_FROM_REST, EVENT_OFF_BOOK, EVENT_SNAPSHOT, EVENT_TRADE, OUTCOME_CONTROL, OUTCOME_EVENTS, OUTCOME_IGNORED,
    OUTCOME_MALFORMED, OUTCOME_OVERSIZED, OUTCOME_UNKNOWN_ENUM, OUTCOME_UNKNOWN_SYMBOL, OUTCOME_UNKNOWN_TOPIC, SIDE_BUY, SIDE_SELL, TOPIC_BBO,
    TOPIC_CONTROL, TOPIC_DEPTH, TOPIC_TRADES, Batch, Event, Level, Outcome, batch_event, batch_level,
)
from cext.normalizer cimport Normalizer, outcome_of, read_levels
from cext.symbols cimport Symbol
from cext.units cimport NO_ID, NO_TIME, ns_t

cdef enum _Kind:  # what a stream's name or an event's `e` announces
    KIND_NONE           # not said
    KIND_UNKNOWN
    KIND_IGNORED
    KIND_CONTROL
    KIND_DEPTH
    KIND_BBO
    KIND_TRADE
    KIND_AGG_TRADE

cdef enum:
    NAME_ROOM = 64      # for a name with escapes; the venue's longest has about 30 bytes

# the word after the symbol's '@' (or after '!'), up to the next '@' or '_' (kline_1m)
cdef const char** _IGNORED_STREAMS = [
    b"kline", b"continuousKline", b"markPrice", b"markPriceKline", b"indexPriceKline", b"indexPrice", b"miniTicker", b"ticker", b"forceOrder",
    b"contractInfo", b"compositeIndex", b"assetIndex", b"tradingSession", b"blockTrade", b"avgPrice", b"referencePrice", b"rpiDepth",
    b"optionTrade", b"optionTicker", b"optionMarkPrice", b"optionSymbol", b"openInterest", b"index", NULL,
]
cdef const char** _IGNORED_EVENTS = [
    b"kline", b"continuous_kline", b"markPriceUpdate", b"indexPriceUpdate", b"24hrMiniTicker", b"24hrTicker", b"1hTicker", b"4hTicker", b"1dTicker",
    b"forceOrder", b"contractInfo", b"compositeIndex", b"assetIndexUpdate", b"EquityUpdate", b"CommodityUpdate", b"KR_EquityUpdate",
    b"HK_EquityUpdate", b"CN_EquityUpdate", b"blockTrade", b"avgPrice", b"referencePrice", b"indexPrice", b"markPrice", b"optionSymbol",
    b"openInterest", NULL,
]

cdef struct _Stream:    # a stream's name, taken apart
    _Kind kind
    View symbol         # empty where the name has none


cdef bint _one_of(View v, const char** names) noexcept nogil:
    cdef int32_t i = 0
    while names[i] != NULL:
        if view_is(v, names[i], <Py_ssize_t>strlen(names[i])):
            return True
        i += 1
    return False


cdef _Kind _kind_of_event(View e) noexcept nogil:
    """By the `e` of an event."""
    cdef char room[NAME_ROOM]
    if view_is(e, b"depthUpdate", 11):
        return KIND_DEPTH
    if view_is(e, b"bookTicker", 10):
        return KIND_BBO
    if view_is(e, b"trade", 5):
        return KIND_TRADE
    if view_is(e, b"aggTrade", 8):
        return KIND_AGG_TRADE
    if view_is(e, b"serverShutdown", 14):
        return KIND_CONTROL
    if e.escaped:
        return _kind_of_event(view_unescape(e, room, sizeof(room)))
    return KIND_IGNORED if _one_of(e, _IGNORED_EVENTS) else KIND_UNKNOWN


cdef _Stream _stream_of(View name) noexcept nogil:
    """By a stream's name: `<symbol>@<word>[<n>][@<speed>]` or `!<word>[@arr]`."""
    cdef _Stream s
    cdef View word
    cdef const char* p = name.at
    cdef const char* end = name.at + name.size
    s.symbol.at = name.at
    s.symbol.size = 0
    s.symbol.escaped = name.escaped
    while p < end and p[0] != c'@':
        p += 1
    if p < end and name.at[0] != c'!':
        s.symbol.size = p - name.at
        word.at = p + 1
    else:
        word.at = name.at + 1 if name.size > 0 and name.at[0] == c'!' else name.at
    word.escaped = False
    p = word.at
    while p < end and p[0] != c'@' and p[0] != c'_':
        p += 1
    word.size = p - word.at
    if p < end and p[0] == c'_':
        s.kind = KIND_IGNORED if _one_of(word, _IGNORED_STREAMS) else KIND_UNKNOWN
    elif s.symbol.size > 0 and word.size >= 5 and memcmp(word.at, b"depth", 5) == 0:
        # depth<n> is an image of the top n levels, and futures give it the shape of a change
        s.kind = KIND_DEPTH
        p = word.at + 5
        while p < word.at + word.size:
            s.kind = KIND_IGNORED
            if p[0] < c'0' or p[0] > c'9':
                s.kind = KIND_UNKNOWN
                break
            p += 1
    elif view_is(word, b"bookTicker", 10):
        s.kind = KIND_BBO
    elif view_is(word, b"trade", 5):
        s.kind = KIND_TRADE
    elif view_is(word, b"aggTrade", 8):
        s.kind = KIND_AGG_TRADE
    elif view_is(word, b"serverShutdown", 14):
        s.kind = KIND_CONTROL
    else:
        s.kind = KIND_IGNORED if _one_of(word, _IGNORED_STREAMS) else KIND_UNKNOWN
    return s


cdef inline bint _stamp_ns(int64_t stamp, ns_t* out) noexcept nogil:
    """A time of the venue's in nanoseconds; 0 is none. False if it is no time at all.

    Milliseconds, or microseconds where spot was asked for them: from 10**15 on. The other two bounds are what int64 nanoseconds can hold.
    """
    if 0 < stamp <= <int64_t>9223372036854:
        out[0] = stamp * 1000000
    elif <int64_t>1000000000000000 <= stamp <= <int64_t>9223372036854775:
        out[0] = stamp * 1000
    elif stamp == 0:
        out[0] = NO_TIME
    else:
        return False
    return True


cdef inline bint _once(uint64_t* seen, char key) noexcept nogil:
    """False if this one-letter key was there before in its object: then nobody can tell which value holds."""
    cdef uint64_t bit
    if key < c'A' or key > c'z':
        return True
    bit = <uint64_t>1 << (key - c'A')
    if seen[0] & bit:
        return False
    seen[0] |= bit
    return True


cdef inline bint _ended(Cursor* c) noexcept nogil:
    """Nothing but white space is left."""
    return cursor_peek(c) == 0 and not c.bad and c.at == c.end


cdef inline char _letter(View* key, char* room) noexcept nogil:
    """A one-letter key's letter, 0 for a longer key. A key that was written with escapes is put right first."""
    if key.escaped:
        key[0] = view_unescape(key[0], room, NAME_ROOM)
    return key.at[0] if key.size == 1 else 0


cdef class BinanceNormalizer(Normalizer):
    """Frames of one Binance market. `futures`: a depth change must say its predecessor (`pu`), as the sequence rule needs it."""

    cdef bint _futures

    def __init__(self, bint futures=False):
        super().__init__()
        self._futures = futures

    cdef Outcome decode(self, const char* frame, Py_ssize_t size, Batch* batch) noexcept nogil:
        """One WebSocket frame, combined or raw."""
        cdef Cursor c = cursor_of(frame, size)
        cdef Outcome outcome = self._decode(&c, batch)
        if outcome != OUTCOME_EVENTS:
            batch.n_events = 0
            batch.n_levels = 0
        return outcome

    cdef Outcome _decode(self, Cursor* at, Batch* batch) noexcept nogil:
        """The road of nearly every frame: {"stream":…,"data":…} in this order, or a raw event that begins with its `e`."""
        cdef Cursor c = at[0]
        cdef View key
        cdef _Stream stream
        cdef Outcome outcome
        cdef char room[NAME_ROOM]
        if cursor_peek(&c) == c'[':
            # the all-market arrays of a raw connection
            c.at += 1
            return OUTCOME_IGNORED if cursor_peek(&c) == c'{' else OUTCOME_MALFORMED
        if not cursor_expect(&c, c'{') or not cursor_next_key(&c, True, &key):
            return OUTCOME_MALFORMED if c.bad or not _ended(&c) else OUTCOME_UNKNOWN_TOPIC
        if not view_is(key, b"stream", 6):
            return self._decode_otherwise(at, batch)
        stream = _stream_of(cursor_string(&c))
        if c.bad:
            return OUTCOME_MALFORMED
        if stream.kind < KIND_DEPTH:
            return self._not_events(stream.kind, batch)
        if not cursor_next_key(&c, False, &key) or not view_is(key, b"data", 4):
            return self._decode_otherwise(at, batch)
        outcome = self._payload(&c, &stream, batch)
        if outcome != OUTCOME_EVENTS:
            return outcome
        while cursor_next_key(&c, False, &key):
            _letter(&key, room)
            if view_is(key, b"stream", 6) or view_is(key, b"data", 4):
                return OUTCOME_MALFORMED
            cursor_skip(&c)
        return OUTCOME_EVENTS if _ended(&c) else OUTCOME_MALFORMED

    cdef Outcome _decode_otherwise(self, Cursor* at, Batch* batch) noexcept nogil:
        """Any other object: looked over once to see what it is, then read."""
        cdef Cursor c = at[0]
        cdef Cursor data
        cdef View key, e
        cdef View name
        cdef _Stream stream
        cdef Outcome outcome
        cdef bint first = True
        cdef bint has_stream = False
        cdef bint has_data = False
        cdef bint reply = False
        cdef bint image = False
        cdef bint seen_bad
        cdef uint64_t seen = 0
        cdef char room[NAME_ROOM]
        cdef char letter
        name.size = e.size = 0
        name.at = e.at = c.at
        name.escaped = e.escaped = False
        cursor_expect(&c, c'{')
        while cursor_next_key(&c, first, &key):
            first = False
            letter = _letter(&key, room)
            if not _once(&seen, letter):
                c.bad = True
            elif letter == c'e':
                e = cursor_string(&c)
            elif view_is(key, b"stream", 6):
                c.bad |= has_stream
                has_stream = True
                name = cursor_string(&c)
            elif view_is(key, b"data", 4):
                c.bad |= has_data
                has_data = True
                cursor_peek(&c)
                data = c
                cursor_skip(&c)
            else:
                reply |= view_is(key, b"result", 6) or view_is(key, b"error", 5) or view_is(key, b"code", 4)
                image |= view_is(key, b"lastUpdateId", 12)
                cursor_skip(&c)
            if c.bad:
                break
        stream = _stream_of(name)
        if not has_stream:
            stream.kind = KIND_NONE
        if has_data:
            if has_stream and stream.kind < KIND_DEPTH:
                return OUTCOME_MALFORMED if c.bad else self._not_events(stream.kind, batch)
            outcome = self._payload(&data, &stream, batch)
            return OUTCOME_MALFORMED if c.bad or not _ended(&c) else outcome
        if e.size > 0:
            stream.kind = _kind_of_event(e)
            if stream.kind < KIND_DEPTH:
                return OUTCOME_MALFORMED if c.bad else self._not_events(stream.kind, batch)
        elif c.bad or not _ended(&c):
            return OUTCOME_MALFORMED
        elif reply:
            return self._not_events(KIND_CONTROL, batch)
        elif image:
            return OUTCOME_IGNORED  # spot's partial depth
        elif _has_all(seen, b"usbBaA"):
            stream.kind = KIND_BBO
        else:
            return OUTCOME_UNKNOWN_TOPIC
        seen_bad = c.bad
        c = at[0]
        outcome = self._payload(&c, &stream, batch)
        return OUTCOME_MALFORMED if outcome == OUTCOME_EVENTS and (seen_bad or not _ended(&c)) else outcome

    cdef Outcome _not_events(self, _Kind kind, Batch* batch) noexcept nogil:
        if kind == KIND_CONTROL:
            batch.topic = TOPIC_CONTROL
            return OUTCOME_CONTROL
        return OUTCOME_IGNORED if kind == KIND_IGNORED else OUTCOME_UNKNOWN_TOPIC

    cdef Outcome _payload(self, Cursor* c, _Stream* stream, Batch* batch) noexcept nogil:
        """The event's object itself; the cursor is moved behind it."""
        cdef Outcome outcome
        if stream.kind == KIND_NONE:
            stream.kind = _kind_within(c[0])
            if stream.kind < KIND_DEPTH:
                return self._not_events(stream.kind, batch)
        if stream.kind == KIND_DEPTH:
            batch.topic = TOPIC_DEPTH
            outcome = self._depth(c, stream, batch)
        elif stream.kind == KIND_BBO:
            batch.topic = TOPIC_BBO
            outcome = self._bbo(c, stream, batch)
        else:
            batch.topic = TOPIC_TRADES
            outcome = self._trade(c, stream, batch)
        if outcome != OUTCOME_EVENTS and batch.instrument < 0 and stream.symbol.size > 0:
            batch.instrument = self.symbols.find(stream.symbol.at, stream.symbol.size)
        return outcome

    cdef Symbol* _symbol(self, View name, Batch* batch) noexcept nogil:
        """The instrument's row; NULL, and the name in `batch.unknown`, if nobody asked for it."""
        cdef char room[NAME_ROOM]
        cdef View plain
        cdef int32_t ix = self.symbols.find(name.at, name.size)
        if ix < 0 and name.escaped:
            plain = view_unescape(name, room, sizeof(room))
            ix = self.symbols.find(plain.at, plain.size)
        if ix < 0:
            batch.unknown = name
            return NULL
        batch.instrument = ix
        return self.symbols.row(ix)

    cdef Outcome _depth(self, Cursor* c, _Stream* stream, Batch* batch) noexcept nogil:
        """{"e":"depthUpdate","E":…,"T":…,"s":"BTCUSDT","U":…,"u":…,"pu":…,"b":[["price","quantity"],…],"a":[…]}; spot has no T and no pu."""
        cdef Cursor bids, asks
        cdef View key
        cdef Symbol* symbol = NULL
        cdef Event* event
        cdef Outcome outcome
        cdef int64_t stamp = 0
        cdef int64_t sent = 0
        cdef int64_t first_id = NO_ID
        cdef int64_t last_id = NO_ID
        cdef int64_t prev_id = NO_ID
        cdef int32_t at_bids = 0
        cdef int32_t at_asks = 0
        cdef int32_t n_bids = -1
        cdef int32_t n_asks = -1
        cdef bint late_bids = False     # the levels came before the symbol
        cdef bint late_asks = False
        cdef bint first = True
        cdef uint64_t seen = 0
        cdef char room[NAME_ROOM]
        cdef char letter
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        while cursor_next_key(c, first, &key):
            first = False
            letter = _letter(&key, room)
            if not _once(&seen, letter):
                return OUTCOME_MALFORMED
            if letter == c'b':
                if symbol == NULL:
                    late_bids = True
                    cursor_peek(c)
                    bids = c[0]
                    cursor_skip(c)
                else:
                    outcome = read_levels(c, symbol, batch, &at_bids, &n_bids)
                    if outcome != OUTCOME_EVENTS:
                        return outcome
            elif letter == c'a':
                if symbol == NULL:
                    late_asks = True
                    cursor_peek(c)
                    asks = c[0]
                    cursor_skip(c)
                else:
                    outcome = read_levels(c, symbol, batch, &at_asks, &n_asks)
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
                symbol = self._symbol(cursor_string(c), batch)
                if symbol == NULL:
                    return OUTCOME_MALFORMED if c.bad else OUTCOME_UNKNOWN_SYMBOL
            elif letter == c'e':
                if _kind_of_event(cursor_string(c)) != KIND_DEPTH:
                    return OUTCOME_MALFORMED
            elif view_is(key, b"pu", 2):
                if prev_id != NO_ID:
                    return OUTCOME_MALFORMED
                prev_id = cursor_int(c)
                if prev_id < 0:
                    return OUTCOME_MALFORMED
            else:
                cursor_skip(c)
        if c.bad or first_id < 0 or last_id < first_id:
            return OUTCOME_MALFORMED
        if symbol == NULL:
            symbol = self._symbol(stream.symbol, batch)
            if symbol == NULL:
                return OUTCOME_UNKNOWN_SYMBOL
        if late_bids:
            outcome = read_levels(&bids, symbol, batch, &at_bids, &n_bids)
            if outcome != OUTCOME_EVENTS:
                return outcome
        if late_asks:
            outcome = read_levels(&asks, symbol, batch, &at_asks, &n_asks)
            if outcome != OUTCOME_EVENTS:
                return outcome
        if n_bids < 0 or n_asks < 0 or (self._futures and prev_id == NO_ID):
            return OUTCOME_MALFORMED
        event = batch_event(batch, EVENT_DEPTH, symbol.ix)
        if event == NULL:
            return OUTCOME_OVERSIZED
        if not _stamp_ns(stamp if stamp != 0 else sent, &event.ts_event):
            return OUTCOME_MALFORMED
        event.first_id = first_id
        event.last_id = event.cross_id = last_id
        event.prev_id = prev_id if self._futures else NO_ID
        event.bids = at_bids
        event.n_bids = n_bids
        event.asks = at_asks
        event.n_asks = n_asks
        return OUTCOME_EVENTS

    cdef Outcome _bbo(self, Cursor* c, _Stream* stream, Batch* batch) noexcept nogil:
        """{"u":…,"s":"BTCUSDT","b":"price","B":"quantity","a":"price","A":"quantity"}; futures add e, T and E."""
        cdef View key, bid_px, bid_qty, ask_px, ask_qty
        cdef Symbol* symbol = NULL
        cdef Event* event
        cdef Outcome outcome
        cdef int64_t stamp = 0
        cdef int64_t sent = 0
        cdef int64_t last_id = NO_ID
        cdef bint first = True
        cdef uint64_t seen = 0
        cdef char room[NAME_ROOM]
        cdef char letter
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        bid_px.at = bid_qty.at = ask_px.at = ask_qty.at = c.at
        bid_px.size = bid_qty.size = ask_px.size = ask_qty.size = 0  # an empty text is no number
        while cursor_next_key(c, first, &key):
            first = False
            letter = _letter(&key, room)
            if not _once(&seen, letter):
                return OUTCOME_MALFORMED
            if letter == c'b':
                bid_px = cursor_scalar(c)
            elif letter == c'B':
                bid_qty = cursor_scalar(c)
            elif letter == c'a':
                ask_px = cursor_scalar(c)
            elif letter == c'A':
                ask_qty = cursor_scalar(c)
            elif letter == c'u':
                last_id = cursor_int(c)
            elif letter == c'E':
                sent = cursor_int(c)
            elif letter == c'T':
                stamp = cursor_int(c)
            elif letter == c's':
                symbol = self._symbol(cursor_string(c), batch)
                if symbol == NULL:
                    return OUTCOME_MALFORMED if c.bad else OUTCOME_UNKNOWN_SYMBOL
            elif letter == c'e':
                if _kind_of_event(cursor_string(c)) != KIND_BBO:
                    return OUTCOME_MALFORMED
            else:
                cursor_skip(c)
        if c.bad or last_id < 0:
            return OUTCOME_MALFORMED
        if symbol == NULL:
            symbol = self._symbol(stream.symbol, batch)
            if symbol == NULL:
                return OUTCOME_UNKNOWN_SYMBOL
        event = batch_event(batch, EVENT_BBO, symbol.ix)
        if event == NULL:
            return OUTCOME_OVERSIZED
        if not _stamp_ns(stamp if stamp != 0 else sent, &event.ts_event):
            return OUTCOME_MALFORMED
        event.last_id = event.cross_id = last_id
        outcome = _best(bid_px, bid_qty, symbol, batch, &event.n_bids)
        if outcome != OUTCOME_EVENTS:
            return outcome
        event.asks = batch.n_levels
        return _best(ask_px, ask_qty, symbol, batch, &event.n_asks)

    cdef Outcome _trade(self, Cursor* c, _Stream* stream, Batch* batch) noexcept nogil:
        """A fill {"e":"trade","E":…,"s":…,"t":id,"p":…,"q":…,"T":…,"m":buyer is maker} or the fills f..l of one taker order at one price, "a".

        Futures tell the kind of a fill in X: only MARKET ones met the book (the others: insurance fund, auto-deleveraging).
        """
        cdef View key, px, qty, trade_id, kind
        cdef Symbol* symbol = NULL
        cdef Event* event
        cdef DecimalVerdict verdict
        cdef bint aggregate = stream.kind == KIND_AGG_TRADE
        cdef int64_t stamp = 0
        cdef int64_t sent = 0
        cdef int64_t first_id = NO_ID
        cdef int64_t last_id = NO_ID
        cdef int64_t own_id = NO_ID
        cdef bint buyer_is_maker = False
        cdef bint first = True
        cdef uint64_t seen = 0
        cdef char room[NAME_ROOM]
        cdef char letter
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        px.at = qty.at = trade_id.at = kind.at = c.at
        px.size = qty.size = trade_id.size = kind.size = 0
        while cursor_next_key(c, first, &key):
            first = False
            letter = _letter(&key, room)
            if not _once(&seen, letter):
                return OUTCOME_MALFORMED
            if letter == c'p':
                px = cursor_scalar(c)
            elif letter == c'q':
                qty = cursor_scalar(c)
            elif letter == c'T':
                stamp = cursor_int(c)
            elif letter == c'E':
                sent = cursor_int(c)
            elif letter == c'm':
                buyer_is_maker = cursor_bool(c)
            elif letter == (c'a' if aggregate else c't'):
                trade_id = cursor_scalar(c)
                if c.bad or not view_int(trade_id, &own_id) or own_id < 0:
                    return OUTCOME_MALFORMED
            elif letter == c'f' and aggregate:
                first_id = cursor_int(c)
            elif letter == c'l' and aggregate:
                last_id = cursor_int(c)
            elif letter == c'X':
                kind = cursor_scalar(c)
            elif letter == c's':
                symbol = self._symbol(cursor_string(c), batch)
                if symbol == NULL:
                    return OUTCOME_MALFORMED if c.bad else OUTCOME_UNKNOWN_SYMBOL
            elif letter == c'e':
                if _kind_of_event(cursor_string(c)) != stream.kind:
                    return OUTCOME_MALFORMED
            else:
                cursor_skip(c)
        if c.bad or own_id < 0 or not _has_all(seen, b"mpq"):
            return OUTCOME_MALFORMED
        if symbol == NULL:
            symbol = self._symbol(stream.symbol, batch)
            if symbol == NULL:
                return OUTCOME_UNKNOWN_SYMBOL
        event = batch_event(batch, EVENT_TRADE, symbol.ix)
        if event == NULL:
            return OUTCOME_OVERSIZED
        if not _stamp_ns(stamp if stamp != 0 else sent, &event.ts_event):
            return OUTCOME_MALFORMED
        verdict = decimal_parse(px.at, px.size, symbol.px_scale, &event.px)
        if verdict != DECIMAL_OK:
            return outcome_of(verdict)
        verdict = decimal_parse(qty.at, qty.size, symbol.qty_scale, &event.qty)
        if verdict != DECIMAL_OK:
            return outcome_of(verdict)
        if event.px < 0 or event.qty < 0:
            return OUTCOME_MALFORMED
        if event.px == 0 or event.qty == 0:
            # X "NA" rows, and fills that the venue took back: nothing was traded
            batch.unknown_enums += 1
            return OUTCOME_UNKNOWN_ENUM
        if kind.size > 0 and not view_is(kind, b"MARKET", 6):
            event.flags |= EVENT_OFF_BOOK
        if aggregate:
            if first_id < NO_ID or last_id < first_id or (first_id < 0 and last_id >= 0):
                return OUTCOME_MALFORMED
            event.agg_id = own_id
            event.first_id = first_id
            event.last_id = last_id
        else:
            event.first_id = event.last_id = own_id
        event.side = SIDE_SELL if buyer_is_maker else SIDE_BUY
        event.trade_id_size = <int32_t>trade_id.size
        memcpy(event.trade_id, trade_id.at, trade_id.size)
        return OUTCOME_EVENTS

    cdef Outcome decode_snapshot(self, int32_t instrument, const char* body, Py_ssize_t size, Batch* batch) noexcept nogil:
        """GET …/depth: {"lastUpdateId":…,"E":…,"T":…,"bids":[["price","quantity"],…],"asks":[…]}; spot has no times, COIN-M names symbol and pair."""
        cdef Cursor c = cursor_of(body, size)
        cdef Outcome outcome
        batch.topic = TOPIC_DEPTH
        if not 0 <= instrument < self.symbols.n:
            return OUTCOME_UNKNOWN_SYMBOL
        batch.instrument = instrument
        outcome = self._image(&c, self.symbols.row(instrument), batch)
        if outcome != OUTCOME_EVENTS:
            batch.n_events = 0
            batch.n_levels = 0
        return outcome

    cdef Outcome _image(self, Cursor* c, Symbol* symbol, Batch* batch) noexcept nogil:
        cdef View key, name
        cdef Event* event
        cdef Outcome outcome
        cdef int64_t stamp = 0
        cdef int64_t sent = 0
        cdef int64_t last_id = NO_ID
        cdef int32_t at_bids = 0
        cdef int32_t at_asks = 0
        cdef int32_t n_bids = -1
        cdef int32_t n_asks = -1
        cdef bint first = True
        cdef uint64_t seen = 0
        cdef char room[NAME_ROOM]
        cdef char letter
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        while cursor_next_key(c, first, &key):
            first = False
            letter = _letter(&key, room)
            if not _once(&seen, letter):
                return OUTCOME_MALFORMED
            if view_is(key, b"bids", 4) or view_is(key, b"asks", 4):
                if (n_bids if key.at[0] == c'b' else n_asks) >= 0:
                    return OUTCOME_MALFORMED
                if key.at[0] == c'b':
                    outcome = read_levels(c, symbol, batch, &at_bids, &n_bids)
                else:
                    outcome = read_levels(c, symbol, batch, &at_asks, &n_asks)
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
                if self.symbols.find(name.at, name.size) != symbol.ix:
                    return OUTCOME_MALFORMED  # another instrument's book
            else:
                cursor_skip(c)
        if not _ended(c) or last_id < 0 or n_bids < 0 or n_asks < 0:
            return OUTCOME_MALFORMED
        event = batch_event(batch, EVENT_SNAPSHOT, symbol.ix)
        if event == NULL:
            return OUTCOME_OVERSIZED
        if not _stamp_ns(stamp if stamp != 0 else sent, &event.ts_event):
            return OUTCOME_MALFORMED
        event.flags = EVENT_FROM_REST
        event.last_id = event.cross_id = last_id
        event.bids = at_bids
        event.n_bids = n_bids
        event.asks = at_asks
        event.n_asks = n_asks
        return OUTCOME_EVENTS


cdef bint _has_all(uint64_t seen, const char* letters) noexcept nogil:
    while letters[0] != 0:
        if not seen & (<uint64_t>1 << (letters[0] - c'A')):
            return False
        letters += 1
    return True


cdef _Kind _kind_within(Cursor c) noexcept nogil:
    """The kind that the object's own `e` tells, wherever it stands; KIND_UNKNOWN without one."""
    cdef View key
    cdef bint first = True
    cdef char room[NAME_ROOM]
    cursor_expect(&c, c'{')
    while cursor_next_key(&c, first, &key):
        first = False
        if _letter(&key, room) == c'e':
            return _kind_of_event(cursor_string(&c))
        cursor_skip(&c)
    return KIND_UNKNOWN


cdef Outcome _best(View px, View qty, const Symbol* symbol, Batch* batch, int32_t* n) noexcept nogil:
    """One side of the best prices into the batch: 0 or 1 level. A price or quantity of 0 is an empty side."""
    cdef Level best
    cdef Level* level
    cdef DecimalVerdict verdict = decimal_parse(px.at, px.size, symbol.px_scale, &best.px)
    if verdict == DECIMAL_OK:
        verdict = decimal_parse(qty.at, qty.size, symbol.qty_scale, &best.qty)
    if verdict != DECIMAL_OK:
        return outcome_of(verdict)
    if best.px < 0 or best.qty < 0:
        return OUTCOME_MALFORMED
    if best.px > 0 and best.qty > 0:
        level = batch_level(batch)
        if level == NULL:
            return OUTCOME_OVERSIZED
        level[0] = best
        n[0] = 1
    return OUTCOME_EVENTS
