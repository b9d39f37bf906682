"""Bybit V5: public topics of /v5/public/{spot,linear,inverse,option} and the REST order book, to events.

    {"topic":"orderbook.50.BTCUSDT","type":"delta","ts":…,"data":{"s":…,"b":[[price,size],…],"a":[…],"u":…,"seq":…},"cts":…}
    {"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":…,"data":[{"T":…,"s":…,"S":"Buy","v":…,"p":…,"i":…,"BT":false,"seq":…},…]}

`u` counts the messages of one (symbol, depth); `seq` is the matching engine's count, the same in books and trades of a symbol; `cts` is
the matching time and stands beside `data`, mostly after it. Nothing on the wire says spot or linear: that is the pipeline's to know.
(https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook and …/public/trade)

Frames as Bybit writes them today are read by bybit_plain.pyx; what it does not take comes here, is read in any order and spelling, and is refused here.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.cursor cimport (
    Cursor, View, cursor_expect, cursor_next_item, cursor_of, cursor_peek, cursor_scalar, cursor_skip, cursor_string, view_is, view_unescape,
)
from cext.decimal cimport DECIMAL_OK, DecimalVerdict, decimal_parse
from cext.events cimport (
    EVENT_BBO, EVENT_BLOCK, EVENT_DEPTH, EVENT_FROM_REST, EVENT_OFF_BOOK, EVENT_SNAPSHOT, EVENT_TRADE, OUTCOME_CONTROL, OUTCOME_EVENTS, OUTCOME_IGNORED,
    OUTCOME_MALFORMED, OUTCOME_OVERSIZED, OUTCOME_UNKNOWN_ENUM, OUTCOME_UNKNOWN_SYMBOL, OUTCOME_UNKNOWN_TOPIC, SIDE_BUY, SIDE_SELL,
    TOPIC_BBO, TOPIC_CONTROL, TOPIC_DEPTH, TOPIC_LIQUIDATIONS, TOPIC_NONE, TOPIC_TRADES, Batch, Event, EventKind, Outcome, Topic, batch_clear, batch_event,
)
from cext.normalizer cimport Normalizer, outcome_of, read_levels
from cext.symbols cimport Symbol
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.venues.bybit_forced cimport bybit_forced
from cext.venues.bybit_plain cimport bybit_plain
from cext.venues.fields cimport NAME_ROOM, event_set_trade_id, find_name, id_of_text, meet, next_key, read_flag, read_id, read_ms, says
from cext.venues.rows cimport row_refuses, rows_outcome

cdef enum:
    TOPIC = 1
    TYPE = 2
    TS = 4
    CTS = 8
    DATA = 16
    REPLY = 32      # any key that only replies have: op, success, ret_msg
    SYMBOL = 64
    BIDS = 128
    ASKS = 256
    UPDATE_ID = 512
    SEQ = 1024
    PRICE = 2048
    SIZE = 4096
    SIDE = 8192
    TRADE_ID = 16384
    BLOCK = 32768
    RPI = 65536
    CODE = 131072
    RESULT = 262144

cdef enum TypeOfPush:
    TYPE_SNAPSHOT
    TYPE_DELTA
    TYPE_UNKNOWN

cdef struct Book:
    uint32_t met
    int32_t bids
    int32_t n_bids
    int32_t asks
    int32_t n_asks
    int64_t u
    int64_t seq
    ns_t ts         # only in REST, where ts and cts stand inside
    ns_t cts


@cython.final
cdef class BybitNormalizer(Normalizer):
    """One category of Bybit's public V5 market data.

    Level 1 is read from snapshots alone. Until March 2025 the venue also sent deltas of it, which name only the side that changed: they
    cannot be told as a best bid and offer without the state before them, so recordings from that time give IGNORED for them.
    A push that nobody asked for is answered as soon as its topic is read; the rest of it is not looked at.
    """

    cdef Outcome decode(self, const char* frame, Py_ssize_t size, Batch* batch) noexcept nogil:
        cdef Cursor c = cursor_of(frame, size)
        cdef Outcome outcome
        if bybit_plain(self.symbols, frame, size, batch):
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
        cdef View key
        cdef char room[NAME_ROOM]
        cdef View name              # the symbol in the topic
        cdef char topic_room[NAME_ROOM]     # `name` may point into it
        cdef View text
        cdef Topic topic = TOPIC_NONE
        cdef TypeOfPush type_ = TYPE_UNKNOWN
        cdef ns_t ts = NO_TIME
        cdef ns_t cts = NO_TIME
        cdef Cursor data            # where the data stood, if they came before the topic
        cdef bint later = False
        cdef Book book
        cdef Outcome outcome
        name.at = c.at
        name.size = 0
        name.escaped = False
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        while next_key(c, first, &key, room):
            first = False
            if view_is(key, b"topic", 5):
                text = cursor_string(c)
                if not meet(c, &met, TOPIC):
                    return OUTCOME_MALFORMED
                outcome = self._topic(text, topic_room, &topic, &name, batch)
                if outcome != OUTCOME_EVENTS:
                    return outcome
            elif view_is(key, b"type", 4):
                text = cursor_string(c)
                if not meet(c, &met, TYPE):
                    return OUTCOME_MALFORMED
                if says(text, b"delta", 5):
                    type_ = TYPE_DELTA
                    if topic == TOPIC_BBO:
                        return OUTCOME_IGNORED
                elif says(text, b"snapshot", 8):
                    type_ = TYPE_SNAPSHOT
                elif says(text, b"COMMAND_RESP", 12):    # options and spreads answer so, without `op`
                    met |= REPLY
            elif view_is(key, b"data", 4):
                if not meet(c, &met, DATA):
                    return OUTCOME_MALFORMED
                if topic == TOPIC_NONE:
                    later = True
                    data = c[0]
                    cursor_skip(c)
                else:
                    outcome = self._data(c, topic, name, &book, batch)
                    if outcome != OUTCOME_EVENTS:
                        return outcome
            elif view_is(key, b"ts", 2):
                if meet(c, &met, TS):
                    ts = read_ms(c)
            elif view_is(key, b"cts", 3):
                if meet(c, &met, CTS):
                    cts = read_ms(c)
            else:
                if view_is(key, b"op", 2) or view_is(key, b"success", 7) or view_is(key, b"ret_msg", 7):
                    met |= REPLY
                cursor_skip(c)
        if c.bad or cursor_peek(c) != 0 or c.at != c.end:
            return OUTCOME_MALFORMED
        if not met & TOPIC:
            if met & REPLY:
                batch.topic = TOPIC_CONTROL
                return OUTCOME_CONTROL
            return OUTCOME_MALFORMED if first else OUTCOME_UNKNOWN_TOPIC    # an empty object may have been anything
        if not met & DATA or (topic < TOPIC_TRADES and not met & TYPE):
            return OUTCOME_MALFORMED
        if topic == TOPIC_BBO and type_ == TYPE_DELTA:
            return OUTCOME_IGNORED
        if later:
            outcome = self._data(&data, topic, name, &book, batch)
            if outcome != OUTCOME_EVENTS:
                return outcome
        if topic >= TOPIC_TRADES:
            return OUTCOME_EVENTS
        if type_ == TYPE_UNKNOWN:
            batch.unknown_enums += 1
            return OUTCOME_UNKNOWN_ENUM
        return self._event(EVENT_BBO if topic == TOPIC_BBO else EVENT_SNAPSHOT if type_ == TYPE_SNAPSHOT else EVENT_DEPTH,
                           &book, cts if cts != NO_TIME else ts, batch)

    cdef Outcome _topic(self, View text, char* room, Topic* topic, View* name, Batch* batch) noexcept nogil:
        """`orderbook.{depth}.{symbol}` or `publicTrade.{symbol}`; EVENTS if we read it and know the symbol (or must look in the rows).

        `name` points into the frame, or into `room` if the topic is written with escapes.
        """
        cdef View raw = text
        cdef View head
        cdef View depth
        cdef bint dotted
        if text.escaped:
            text = view_unescape(text, room, NAME_ROOM)
        dotted = _cut(&text, &head)
        name[0] = text
        if dotted and view_is(head, b"publicTrade", 11):
            topic[0] = batch.topic = TOPIC_TRADES
            batch.instrument = find_name(self.symbols, name[0])    # -1 for options: their topic names the base coin
            return OUTCOME_EVENTS
        if dotted and view_is(head, b"allLiquidation", 14):
            topic[0] = batch.topic = TOPIC_LIQUIDATIONS
            batch.instrument = find_name(self.symbols, name[0])
            return OUTCOME_EVENTS
        if not view_is(head, b"orderbook", 9):
            return OUTCOME_IGNORED if _is_known(head) else OUTCOME_UNKNOWN_TOPIC
        if not _cut(name, &depth):
            return OUTCOME_IGNORED if view_is(depth, b"rpi", 3) or view_is(depth, b"full", 4) else OUTCOME_UNKNOWN_TOPIC
        if view_is(depth, b"1", 1):
            topic[0] = TOPIC_BBO
        elif view_is(depth, b"50", 2) or view_is(depth, b"200", 3) or view_is(depth, b"1000", 4) \
                or view_is(depth, b"25", 2) or view_is(depth, b"100", 3) or view_is(depth, b"500", 3):
            topic[0] = TOPIC_DEPTH
        else:
            return OUTCOME_IGNORED if view_is(depth, b"rpi", 3) or view_is(depth, b"full", 4) else OUTCOME_UNKNOWN_TOPIC
        batch.topic = topic[0]
        batch.instrument = find_name(self.symbols, name[0])
        if batch.instrument < 0:
            batch.unknown = raw if raw.escaped else name[0]
            return OUTCOME_UNKNOWN_SYMBOL
        return OUTCOME_EVENTS

    cdef Outcome _data(self, Cursor* c, Topic topic, View name, Book* book, Batch* batch) noexcept nogil:
        if topic == TOPIC_TRADES:
            return self._trades(c, name, batch)
        if topic == TOPIC_LIQUIDATIONS:
            return bybit_forced(self.symbols, c, name, batch)
        return self._book(c, name, book, batch)

    cdef Outcome _book(self, Cursor* c, View name, Book* book, Batch* batch) noexcept nogil:
        """The object with both sides and the ids; its `s` is `name`, or another name of the same instrument."""
        cdef const Symbol* symbol = self.symbols.row(batch.instrument)
        cdef bint first = True
        cdef View key
        cdef char room[NAME_ROOM]
        cdef View text
        cdef Outcome outcome
        book.met = 0
        book.bids = book.asks = batch.n_levels
        book.n_bids = book.n_asks = 0
        book.u = book.seq = NO_ID
        book.ts = book.cts = NO_TIME
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        while next_key(c, first, &key, room):
            first = False
            if key.size == 1:
                if key.at[0] == c'b':
                    if not meet(c, &book.met, BIDS):
                        return OUTCOME_MALFORMED
                    outcome = read_levels(c, symbol, batch, &book.bids, &book.n_bids)
                    if outcome != OUTCOME_EVENTS:
                        return outcome
                    continue
                if key.at[0] == c'a':
                    if not meet(c, &book.met, ASKS):
                        return OUTCOME_MALFORMED
                    outcome = read_levels(c, symbol, batch, &book.asks, &book.n_asks)
                    if outcome != OUTCOME_EVENTS:
                        return outcome
                    continue
                if key.at[0] == c'u':
                    if meet(c, &book.met, UPDATE_ID):
                        book.u = read_id(c)
                    continue
                if key.at[0] == c's':
                    text = cursor_string(c)
                    if not meet(c, &book.met, SYMBOL):
                        return OUTCOME_MALFORMED
                    # a frame that names two symbols would put one's levels into the other's book
                    if not (name.size > 0 and view_is(text, name.at, name.size)) and find_name(self.symbols, text) != batch.instrument:
                        return OUTCOME_MALFORMED
                    continue
            if view_is(key, b"seq", 3):
                if meet(c, &book.met, SEQ):
                    book.seq = read_id(c)
            elif view_is(key, b"ts", 2):
                if meet(c, &book.met, TS):
                    book.ts = read_ms(c)
            elif view_is(key, b"cts", 3):
                if meet(c, &book.met, CTS):
                    book.cts = read_ms(c)
            else:
                cursor_skip(c)
        if c.bad or book.u < 0 or book.met & (BIDS | ASKS) != (BIDS | ASKS):
            return OUTCOME_MALFORMED
        return OUTCOME_EVENTS

    cdef Outcome _event(self, EventKind kind, const Book* book, ns_t ts, Batch* batch) noexcept nogil:
        cdef Event* event = batch_event(batch, kind, batch.instrument)
        if event == NULL:
            return OUTCOME_OVERSIZED
        event.ts_event = ts
        event.first_id = event.last_id = book.u
        event.cross_id = book.seq
        event.bids = book.bids
        event.n_bids = book.n_bids
        event.asks = book.asks
        event.n_asks = book.n_asks
        if kind == EVENT_BBO:
            if book.n_bids > 1 or book.n_asks > 1:
                return OUTCOME_MALFORMED
            # a quantity of zero removes, here as in every book: the side is empty
            if book.n_bids == 1 and batch.levels[book.bids].qty == 0:
                event.n_bids = 0
            if book.n_asks == 1 and batch.levels[book.asks].qty == 0:
                event.n_asks = 0
        return OUTCOME_EVENTS

    cdef Outcome _trades(self, Cursor* c, View name, Batch* batch) noexcept nogil:
        """The rows, oldest first. A row of an unknown symbol or side is left out; its reason is the outcome if no row remains."""
        cdef bint first = True
        cdef int32_t of_topic = batch.instrument
        cdef bint strangers = False
        cdef Outcome outcome
        if not cursor_expect(c, c'['):
            return OUTCOME_MALFORMED
        while cursor_next_item(c, first):
            first = False
            outcome = self._trade(c, name, of_topic, batch)
            if row_refuses(outcome, batch, &strangers):
                return outcome
        return rows_outcome(c, batch, strangers)

    cdef Outcome _trade(self, Cursor* c, View name, int32_t of_topic, Batch* batch) noexcept nogil:
        """One row. Spot writes the price before the symbol, so the numbers are read when the whole row was seen."""
        cdef uint32_t met = 0
        cdef bint first = True
        cdef char room[NAME_ROOM]
        cdef View key, s, side, px, qty, trade_id
        cdef ns_t ts = NO_TIME
        cdef int64_t seq = NO_ID
        cdef bint block = False
        cdef bint rpi = False
        cdef bint buys
        cdef const Symbol* symbol
        cdef Event* event
        cdef DecimalVerdict verdict
        cdef int32_t instrument = of_topic
        s = name
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        while next_key(c, first, &key, room):
            first = False
            if key.size == 1:
                if key.at[0] == c'T':
                    if meet(c, &met, TS):
                        ts = read_ms(c)
                    continue
                if key.at[0] == c's':
                    if meet(c, &met, SYMBOL):
                        s = cursor_string(c)
                    continue
                if key.at[0] == c'S':
                    if meet(c, &met, SIDE):
                        side = cursor_string(c)
                    continue
                if key.at[0] == c'v':
                    if meet(c, &met, SIZE):
                        qty = cursor_scalar(c)
                    continue
                if key.at[0] == c'p':
                    if meet(c, &met, PRICE):
                        px = cursor_scalar(c)
                    continue
                if key.at[0] == c'i':
                    if meet(c, &met, TRADE_ID):
                        trade_id = cursor_string(c)
                    continue
            if view_is(key, b"BT", 2):
                if meet(c, &met, BLOCK):
                    block = read_flag(c)
            elif view_is(key, b"RPI", 3):
                if meet(c, &met, RPI):
                    rpi = read_flag(c)
            elif view_is(key, b"seq", 3):
                if meet(c, &met, SEQ):
                    seq = read_id(c)
            else:
                cursor_skip(c)
        if c.bad or met & (SIDE | SIZE | PRICE | TRADE_ID) != (SIDE | SIZE | PRICE | TRADE_ID):
            return OUTCOME_MALFORMED
        if not view_is(s, name.at, name.size):
            instrument = find_name(self.symbols, s)
        if instrument < 0:
            batch.unknown = s
            return OUTCOME_UNKNOWN_SYMBOL
        batch.instrument = instrument
        buys = says(side, b"Buy", 3)
        if not buys and not says(side, b"Sell", 4):
            return OUTCOME_UNKNOWN_ENUM
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
        event.first_id = event.last_id = id_of_text(trade_id)   # spot counts its trades, the others name them by UUID
        event.cross_id = seq
        if block:
            event.flags = EVENT_OFF_BOOK | EVENT_BLOCK
        elif rpi:   # retail price improvement orders do not stand in the standard book
            event.flags = EVENT_OFF_BOOK
        return OUTCOME_EVENTS

    cdef Outcome decode_snapshot(self, int32_t instrument, const char* body, Py_ssize_t size, Batch* batch) noexcept nogil:
        """GET /v5/market/orderbook. Its `u` is that of orderbook.1000: an image for no other depth.

        A refusal (retCode not 0) and the answer for a closed symbol (no time, no id, no level) are MALFORMED: neither is a book.
        """
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
        cdef View name
        cdef Book book
        cdef Outcome outcome
        name.at = c.at
        name.size = 0
        name.escaped = False
        if not cursor_expect(c, c'{'):
            return OUTCOME_MALFORMED
        while next_key(c, first, &key, room):
            first = False
            if view_is(key, b"retCode", 7):
                if meet(c, &met, CODE):
                    refused = not says(cursor_scalar(c), b"0", 1)
            elif view_is(key, b"result", 6):
                if not meet(c, &met, RESULT) or refused:
                    return OUTCOME_MALFORMED
                outcome = self._book(c, name, &book, batch)
                if outcome != OUTCOME_EVENTS:
                    return outcome
            else:
                cursor_skip(c)
        if c.bad or cursor_peek(c) != 0 or c.at != c.end or refused or met != (CODE | RESULT) or book.ts <= 0 or book.u == 0:
            return OUTCOME_MALFORMED
        outcome = self._event(EVENT_SNAPSHOT, &book, book.cts if book.cts != NO_TIME else book.ts, batch)
        if outcome == OUTCOME_EVENTS:
            batch.events[0].flags = EVENT_FROM_REST
        return outcome


cdef inline bint _cut(View* rest, View* head) noexcept nogil:
    """Take what stands before the first dot off `rest` into `head`; all of it, and False, if there is no dot."""
    cdef Py_ssize_t i = 0
    cdef bint dotted
    while i < rest.size and rest.at[i] != c'.':
        i += 1
    head.at = rest.at
    head.size = i
    head.escaped = rest.escaped
    dotted = i < rest.size
    rest.at += i + dotted
    rest.size -= i + dotted
    return dotted


cdef bint _is_known(View head) noexcept nogil:
    """Topics of the public sockets that become no events."""
    return view_is(head, b"tickers", 7) or view_is(head, b"kline", 5) \
        or view_is(head, b"liquidation", 11) or view_is(head, b"insurance", 9) or view_is(head, b"adlAlert", 8) \
        or view_is(head, b"priceLimit", 10) or view_is(head, b"system", 6)
