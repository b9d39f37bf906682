"""OKX V5: public channels of /ws/v5/{public,business} and the REST order book, to events.

    {"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[[price,size,"0",orders],…],"bids":[…],"ts":"…",
     "checksum":0,"seqId":…,"prevSeqId":…}]}
    {"arg":{"channel":"trades","instId":…},"data":[{"instId":…,"tradeId":…,"px":…,"sz":…,"side":"buy","ts":…,"count":"1","source":"0","seqId":…}]}

A book names its instrument in `arg` alone. Numbers are strings, except seqId, prevSeqId and checksum. Recordings from before 2023 have no
seqId; `checksum` is 0 since June 2026 and then says nothing. (https://www.okx.com/docs-v5/en/#order-book-trading-market-data)

Frames as OKX writes them today are read by okx_plain.pyx; what it does not take comes here, is read in any order and spelling, and is refused here.
"""

cimport cython
from libc.stdint cimport INT32_MAX, INT32_MIN, int32_t, int64_t, uint32_t
from libc.string cimport memcmp

from cext.cursor cimport (
    Cursor, View, cursor_expect, cursor_next_item, cursor_of, cursor_peek, cursor_scalar, cursor_skip, cursor_string,
    view_int, view_is, view_is_null, view_unescape,
)
from cext.decimal cimport DECIMAL_OK, DecimalVerdict, decimal_parse
from cext.events cimport (
    EVENT_BBO, EVENT_DEPTH, EVENT_FROM_REST, EVENT_HAS_CHECKSUM, EVENT_OFF_BOOK, EVENT_SNAPSHOT, EVENT_TRADE, OUTCOME_CONTROL,
    OUTCOME_EVENTS, OUTCOME_IGNORED, OUTCOME_MALFORMED, OUTCOME_OVERSIZED, OUTCOME_UNKNOWN_ENUM, OUTCOME_UNKNOWN_SYMBOL,
    OUTCOME_UNKNOWN_TOPIC, SIDE_BUY, SIDE_SELL, TOPIC_BBO, TOPIC_CONTROL, TOPIC_DEPTH, TOPIC_LIQUIDATIONS, TOPIC_NONE, TOPIC_TRADES, Batch,
    Event, EventKind, Outcome, Topic, batch_clear, batch_event,
)
from cext.normalizer cimport Normalizer, outcome_of, read_levels
from cext.symbols cimport Symbol
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.venues.okx_forced cimport okx_forced
from cext.venues.okx_plain cimport okx_plain
from cext.venues.fields cimport NAME_ROOM, event_set_trade_id, find_name, id_of_text, meet, next_key, read_id, read_ms, says
from cext.venues.rows cimport row_refuses, rows_outcome

cdef enum:
    ARG = 1
    CHANNEL = 2
    INSTRUMENT = 4
    ACTION = 8
    DATA = 16
    EVENT = 32
    BIDS = 64
    ASKS = 128
    TS = 256
    CHECKSUM = 512
    SEQ = 1024
    PREV_SEQ = 2048
    PRICE = 4096
    SIZE = 8192
    SIDE = 16384
    TRADE_ID = 32768
    COUNT = 65536
    SOURCE = 131072
    CODE = 262144

cdef struct Arg:
    View channel
    View name           # instId


@cython.final
cdef class OkxNormalizer(Normalizer):
    """OKX's public V5 market data, of any instrument type.

    A push that nobody asked for is answered when its channel is known and its data begin; the rest of it is not looked at.
    """

    cdef Outcome decode(self, const char* frame, Py_ssize_t size, Batch* batch) noexcept nogil:
        cdef Cursor c = cursor_of(frame, size)
        cdef Outcome outcome
        if cursor_peek(&c) == c'p':     # the answer to the text `ping`, the one frame that is not JSON
            if c.end - c.at < 4 or memcmp(c.at, b"pong", 4) != 0:
                return OUTCOME_MALFORMED
            c.at += 4
            if cursor_peek(&c) != 0 or c.at != c.end:
                return OUTCOME_MALFORMED
            batch.topic = TOPIC_CONTROL
            return OUTCOME_CONTROL
        if okx_plain(self.symbols, frame, size, batch):
            return OUTCOME_EVENTS
        batch_clear(batch)
        outcome = self._push(&c, batch)
        if outcome != OUTCOME_EVENTS:
            batch.n_events = 0
            batch.n_levels = 0
        return outcome

    cdef Outcome _push(self, Cursor* c, Batch* batch) noexcept nogil:
        cdef uint32_t met = 0
        cdef bint first = True
        cdef bint later = False
        cdef View key
        cdef char room[NAME_ROOM]
        cdef View action
        cdef Arg arg
        cdef Cursor data        # where the data stood, if they came before `arg`
        cdef Topic topic = TOPIC_NONE
        cdef Outcome known = OUTCOME_EVENTS
        cdef Outcome outcome
        cdef int32_t i
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        while next_key(c, first, &key, room):
            first = False
            if view_is(key, b"arg", 3):
                if not meet(c, &met, ARG) or not _read_arg(c, &arg):
                    return OUTCOME_MALFORMED
                known = self._channel(&arg, &topic, batch)
            elif view_is(key, b"action", 6):
                if meet(c, &met, ACTION):
                    action = cursor_string(c)
            elif view_is(key, b"data", 4):
                if not meet(c, &met, DATA):
                    return OUTCOME_MALFORMED
                if known != OUTCOME_EVENTS:
                    return known
                if not met & ARG:
                    later = True
                    data = c[0]
                    cursor_skip(c)
                else:
                    outcome = self._data(c, topic, &arg, batch)
                    if outcome != OUTCOME_EVENTS:
                        return outcome
            else:
                if view_is(key, b"event", 5) and not meet(c, &met, EVENT):
                    return OUTCOME_MALFORMED
                cursor_skip(c)
        if c.bad or cursor_peek(c) != 0 or c.at != c.end:
            return OUTCOME_MALFORMED
        if met & EVENT:
            batch.topic = TOPIC_CONTROL
            batch.instrument = -1
            return OUTCOME_CONTROL
        if not met & ARG:
            return OUTCOME_UNKNOWN_TOPIC
        if known != OUTCOME_EVENTS:
            return known
        if not met & DATA:
            return OUTCOME_MALFORMED
        if later:
            outcome = self._data(&data, topic, &arg, batch)
            if outcome != OUTCOME_EVENTS:
                return outcome
        if topic != TOPIC_DEPTH:
            return OUTCOME_EVENTS
        if not met & ACTION:
            return OUTCOME_MALFORMED
        if says(action, b"update", 6):
            return OUTCOME_EVENTS
        if not says(action, b"snapshot", 8):
            batch.unknown_enums += 1
            return OUTCOME_UNKNOWN_ENUM
        for i in range(batch.n_events):
            batch.events[i].kind = EVENT_SNAPSHOT
        return OUTCOME_EVENTS

    cdef Outcome _channel(self, const Arg* arg, Topic* topic, Batch* batch) noexcept nogil:
        """EVENTS if we read the channel and know the instrument."""
        cdef char room[NAME_ROOM]
        cdef View channel = arg.channel
        if channel.escaped:
            channel = view_unescape(channel, room, NAME_ROOM)
        if view_is(channel, b"books", 5) or view_is(channel, b"books-l2-tbt", 12) or view_is(channel, b"books50-l2-tbt", 14):
            topic[0] = TOPIC_DEPTH
        elif view_is(channel, b"bbo-tbt", 7):
            topic[0] = TOPIC_BBO
        elif view_is(channel, b"trades", 6) or view_is(channel, b"trades-all", 10):
            topic[0] = TOPIC_TRADES
        elif view_is(channel, b"liquidation-orders", 18):  # of all instruments of a type: the rows say whose they are
            topic[0] = batch.topic = TOPIC_LIQUIDATIONS
            return OUTCOME_EVENTS
        else:
            return OUTCOME_IGNORED if _is_known(channel) else OUTCOME_UNKNOWN_TOPIC
        batch.topic = topic[0]
        batch.instrument = find_name(self.symbols, arg.name)
        if batch.instrument < 0:
            batch.unknown = arg.name
            return OUTCOME_UNKNOWN_SYMBOL
        return OUTCOME_EVENTS

    cdef Outcome _data(self, Cursor* c, Topic topic, const Arg* arg, Batch* batch) noexcept nogil:
        """The array of rows: mostly one. What a row of trades cannot give leaves it out; its reason is the outcome if no row remains."""
        cdef bint first = True
        cdef bint strangers = False
        cdef int32_t instrument = batch.instrument
        cdef Outcome outcome
        if topic == TOPIC_LIQUIDATIONS:
            return okx_forced(self.symbols, c, batch)
        if not cursor_expect(c, c'['):
            return OUTCOME_MALFORMED
        while cursor_next_item(c, first):
            first = False
            if topic == TOPIC_TRADES:
                outcome = self._trade(c, arg.name, instrument, batch)
            else:
                outcome = self._book(c, arg.name, EVENT_BBO if topic == TOPIC_BBO else EVENT_DEPTH, batch)
            if row_refuses(outcome, batch, &strangers):
                return outcome
        return rows_outcome(c, batch, strangers)

    cdef Outcome _book(self, Cursor* c, View name, EventKind kind, Batch* batch) noexcept nogil:
        """One element of a book channel, or of the REST answer. Its event is of `kind`."""
        cdef const Symbol* symbol = self.symbols.row(batch.instrument)
        cdef uint32_t met = 0
        cdef bint first = True
        cdef View key
        cdef char room[NAME_ROOM]
        cdef View text
        cdef int32_t bids = 0, n_bids = 0, asks = 0, n_asks = 0
        cdef int64_t checksum = 0
        cdef int64_t seq = NO_ID
        cdef int64_t prev_seq = NO_ID
        cdef ns_t ts = NO_TIME
        cdef Event* event
        cdef Outcome outcome
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        while next_key(c, first, &key, room):
            first = False
            if view_is(key, b"asks", 4):
                if not meet(c, &met, ASKS):
                    return OUTCOME_MALFORMED
                outcome = read_levels(c, symbol, batch, &asks, &n_asks)
                if outcome != OUTCOME_EVENTS:
                    return outcome
            elif view_is(key, b"bids", 4):
                if not meet(c, &met, BIDS):
                    return OUTCOME_MALFORMED
                outcome = read_levels(c, symbol, batch, &bids, &n_bids)
                if outcome != OUTCOME_EVENTS:
                    return outcome
            elif view_is(key, b"ts", 2):
                if meet(c, &met, TS):
                    ts = read_ms(c)
            elif view_is(key, b"seqId", 5):
                if meet(c, &met, SEQ):
                    seq = read_id(c)
            elif view_is(key, b"prevSeqId", 9):
                if meet(c, &met, PREV_SEQ):
                    prev_seq = read_id(c)
            elif view_is(key, b"checksum", 8):
                if meet(c, &met, CHECKSUM):
                    text = cursor_scalar(c)
                    if not view_is_null(text) and (not view_int(text, &checksum) or checksum < INT32_MIN or checksum > INT32_MAX):
                        return OUTCOME_MALFORMED
            elif view_is(key, b"instId", 6):
                text = cursor_string(c)
                # an element of another instrument than `arg` says would put its levels into the wrong book
                if not meet(c, &met, INSTRUMENT) or (not (name.size > 0 and view_is(text, name.at, name.size))
                                                     and find_name(self.symbols, text) != batch.instrument):
                    return OUTCOME_MALFORMED
            else:
                cursor_skip(c)
        if c.bad or met & (BIDS | ASKS) != (BIDS | ASKS) or (kind == EVENT_BBO and (n_bids > 1 or n_asks > 1)):
            return OUTCOME_MALFORMED
        event = batch_event(batch, kind, batch.instrument)
        if event == NULL:
            return OUTCOME_OVERSIZED
        event.ts_event = ts
        event.last_id = event.cross_id = seq
        event.prev_id = prev_seq
        event.bids = bids
        event.n_bids = n_bids
        event.asks = asks
        event.n_asks = n_asks
        if kind == EVENT_BBO:
            # a quantity of zero removes, here as in every book: the side is empty
            if n_bids == 1 and batch.levels[bids].qty == 0:
                event.n_bids = 0
            if n_asks == 1 and batch.levels[asks].qty == 0:
                event.n_asks = 0
        if checksum != 0:
            event.checksum = <int32_t>checksum
            event.flags = EVENT_HAS_CHECKSUM
        return OUTCOME_EVENTS

    cdef Outcome _trade(self, Cursor* c, View name, int32_t of_arg, Batch* batch) noexcept nogil:
        """One row: in `trades` the fills of one taker order at one price, `tradeId` being the last of `count`; in `trades-all` one fill."""
        cdef uint32_t met = 0
        cdef bint first = True
        cdef char room[NAME_ROOM]
        cdef View key, inst_id, trade_id, px, qty, side, text
        cdef ns_t ts = NO_TIME
        cdef int64_t seq = NO_ID
        cdef int64_t count = 1
        cdef int64_t last
        cdef bint off_book = False
        cdef bint buys
        cdef int32_t instrument = of_arg
        cdef const Symbol* symbol
        cdef Event* event
        cdef DecimalVerdict verdict
        inst_id = name
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        while next_key(c, first, &key, room):
            first = False
            if view_is(key, b"instId", 6):
                if meet(c, &met, INSTRUMENT):
                    inst_id = cursor_string(c)
            elif view_is(key, b"tradeId", 7):
                if meet(c, &met, TRADE_ID):
                    trade_id = cursor_scalar(c)
            elif view_is(key, b"px", 2):
                if meet(c, &met, PRICE):
                    px = cursor_scalar(c)
            elif view_is(key, b"sz", 2):
                if meet(c, &met, SIZE):
                    qty = cursor_scalar(c)
            elif view_is(key, b"side", 4):
                if meet(c, &met, SIDE):
                    side = cursor_string(c)
            elif view_is(key, b"ts", 2):
                if meet(c, &met, TS):
                    ts = read_ms(c)
            elif view_is(key, b"count", 5):
                if meet(c, &met, COUNT):
                    text = cursor_scalar(c)
                    if not view_is_null(text) and (not view_int(text, &count) or count < 1):
                        return OUTCOME_MALFORMED
            elif view_is(key, b"source", 6):
                if meet(c, &met, SOURCE):
                    text = cursor_scalar(c)
                    # 1: the maker's order was none of the standard book. Any other source there may come to be is not known to be one
                    off_book = not says(text, b"0", 1) and not view_is_null(text)
            elif view_is(key, b"seqId", 5):
                if meet(c, &met, SEQ):
                    seq = read_id(c)
            else:
                cursor_skip(c)
        if c.bad or met & (PRICE | SIZE | SIDE | TRADE_ID) != (PRICE | SIZE | SIDE | TRADE_ID):
            return OUTCOME_MALFORMED
        if not view_is(inst_id, name.at, name.size):
            instrument = find_name(self.symbols, inst_id)
        if instrument < 0:
            batch.unknown = inst_id
            return OUTCOME_UNKNOWN_SYMBOL
        batch.instrument = instrument
        buys = says(side, b"buy", 3)
        if not buys and not says(side, b"sell", 4):
            return OUTCOME_UNKNOWN_ENUM
        last = id_of_text(trade_id)
        if last < count - 1:    # also where it is no number
            return OUTCOME_MALFORMED
        event = batch_event(batch, EVENT_TRADE, instrument)
        if event == NULL:
            return OUTCOME_OVERSIZED
        symbol = self.symbols.row(instrument)
        verdict = decimal_parse(px.at, px.size, symbol.px_scale, &event.px)
        if verdict != DECIMAL_OK:
            return outcome_of(verdict)
        verdict = decimal_parse(qty.at, qty.size, symbol.qty_scale, &event.qty)
        if verdict != DECIMAL_OK:
            return outcome_of(verdict)
        if event.px < 0 or event.qty < 0 or not event_set_trade_id(event, trade_id):
            return OUTCOME_MALFORMED
        event.side = SIDE_BUY if buys else SIDE_SELL
        event.ts_event = ts
        event.first_id = last - count + 1
        event.last_id = last
        event.cross_id = seq
        if off_book:
            event.flags = EVENT_OFF_BOOK
        return OUTCOME_EVENTS

    cdef Outcome decode_snapshot(self, int32_t instrument, const char* body, Py_ssize_t size, Batch* batch) noexcept nogil:
        """GET /api/v5/market/books: code "0" and one book with a seqId. A refusal is MALFORMED, and so is the answer of
        /market/books-full, which has no seqId: nothing could say where the stream goes on from it."""
        cdef Cursor c = cursor_of(body, size)
        cdef Outcome outcome
        if instrument < 0 or instrument >= self.symbols.n:
            return OUTCOME_UNKNOWN_SYMBOL
        batch.topic = TOPIC_DEPTH
        batch.instrument = instrument
        outcome = self._answer(&c, batch)
        if outcome != OUTCOME_EVENTS:
            batch.n_events = 0
            batch.n_levels = 0
        return outcome

    cdef Outcome _answer(self, Cursor* c, Batch* batch) noexcept nogil:
        cdef uint32_t met = 0
        cdef bint first = True
        cdef bint refused = False
        cdef View key
        cdef char room[NAME_ROOM]
        cdef Arg arg
        cdef Outcome outcome
        arg.name.at = c.at
        arg.name.size = 0
        arg.name.escaped = False
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        while next_key(c, first, &key, room):
            first = False
            if view_is(key, b"code", 4):
                if meet(c, &met, CODE):
                    refused = not says(cursor_scalar(c), b"0", 1)
            elif view_is(key, b"data", 4):
                if not meet(c, &met, DATA) or refused:
                    return OUTCOME_MALFORMED
                outcome = self._data(c, TOPIC_DEPTH, &arg, batch)
                if outcome != OUTCOME_EVENTS:
                    return outcome
            else:
                cursor_skip(c)
        if c.bad or cursor_peek(c) != 0 or c.at != c.end or refused or met != (CODE | DATA) or batch.n_events != 1 \
                or batch.events[0].last_id == NO_ID:
            return OUTCOME_MALFORMED
        batch.events[0].kind = EVENT_SNAPSHOT
        batch.events[0].flags = EVENT_FROM_REST
        return OUTCOME_EVENTS


cdef bint _read_arg(Cursor* c, Arg* arg) noexcept nogil:
    """The object that echoes the subscription: channel, and instId where the channel is one instrument's."""
    cdef uint32_t met = 0
    cdef bint first = True
    cdef View key
    cdef char room[NAME_ROOM]
    arg.channel.at = arg.name.at = c.at
    arg.channel.size = arg.name.size = 0
    arg.channel.escaped = arg.name.escaped = False
    if not cursor_expect(c, c'{'):
        return False
    while next_key(c, first, &key, room):
        first = False
        if view_is(key, b"channel", 7):
            if meet(c, &met, CHANNEL):
                arg.channel = cursor_string(c)
        elif view_is(key, b"instId", 6):
            if meet(c, &met, INSTRUMENT):
                arg.name = cursor_string(c)
        else:
            cursor_skip(c)
    return not c.bad and met & CHANNEL != 0


cdef inline bint _begins(View v, const char* text, Py_ssize_t size) noexcept nogil:
    v.size = min(v.size, size)
    return view_is(v, text, size)


cdef bint _is_known(View channel) noexcept nogil:
    """Channels of the public and business sockets that become no events: other depths, tickers, candles, derivatives' figures, blocks."""
    return view_is(channel, b"tickers", 7) or view_is(channel, b"books5", 6) or view_is(channel, b"books-rpi", 9) \
        or view_is(channel, b"books-elp", 9) or view_is(channel, b"index-tickers", 13) or view_is(channel, b"mark-price", 10) \
        or view_is(channel, b"funding-rate", 12) or view_is(channel, b"open-interest", 13) or view_is(channel, b"price-limit", 11) \
        or view_is(channel, b"liquidations", 12) or view_is(channel, b"adl-warning", 11) \
        or view_is(channel, b"instruments", 11) or view_is(channel, b"status", 6) or view_is(channel, b"opt-summary", 11) \
        or view_is(channel, b"option-trades", 13) or view_is(channel, b"estimated-price", 15) \
        or view_is(channel, b"call-auction-details", 20) or view_is(channel, b"public-block-trades", 19) \
        or view_is(channel, b"public-struc-block-trades", 25) or view_is(channel, b"block-tickers", 13) \
        or _begins(channel, b"candle", 6) or _begins(channel, b"index-candle", 12) or _begins(channel, b"mark-price-candle", 17) \
        or _begins(channel, b"sprd-", 5)
