"""Frames of one Binance market: which of them are events, and where in a frame the event stands."""

from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memcmp

from cext.cursor cimport Cursor, View, cursor_expect, cursor_next_key, cursor_of, cursor_peek, cursor_skip, cursor_string, view_is
from cext.events cimport (
    OUTCOME_CONTROL, OUTCOME_EVENTS, OUTCOME_IGNORED, OUTCOME_MALFORMED, OUTCOME_UNKNOWN_SYMBOL, OUTCOME_UNKNOWN_TOPIC, TOPIC_BBO, TOPIC_BLOCKS,
    TOPIC_CONTROL, TOPIC_DEPTH, TOPIC_LIQUIDATIONS, TOPIC_TRADES, Batch, Outcome, batch_clear,
)
from cext.normalizer cimport Normalizer
from cext.venues.binance.bbo cimport plain_bbo, read_bbo
from cext.venues.binance.depth cimport plain_depth, read_depth, read_image
from cext.venues.binance.forced cimport read_forced
from cext.venues.binance.payload cimport NAME_ROOM, has_all, letter_of, once
from cext.venues.binance.topic cimport (
    KIND_AGG_TRADE, KIND_BBO, KIND_BLOCK, KIND_CONTROL, KIND_DEPTH, KIND_FORCED, KIND_IGNORED, KIND_NONE, KIND_UNKNOWN, STREAM_ROOM, Kind, Stream, kind_of_event, stream_of,
)
from cext.venues.binance.trade cimport plain_trade, read_trade


cdef inline bint _ended(Cursor* c) noexcept nogil:
    """Nothing but white space is left."""
    return cursor_peek(c) == 0 and not c.bad and c.at == c.end


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
        """{"stream":"…","data":{…}} written just so: read in one go, or where its event is written otherwise than today, key by key.

        All other frames, and all that hold anything odd around the event, take the other road.
        """
        cdef Cursor c = at[0]
        cdef Cursor data
        cdef Stream stream
        cdef Outcome outcome
        cdef bint plain
        cdef char room[STREAM_ROOM]
        if c.end - c.at < 24 or memcmp(c.at, b'{"stream":"', 11) != 0:
            return self._decode_otherwise(at, batch)
        c.at += 10
        stream = stream_of(cursor_string(&c), room)
        if c.bad or stream.kind < KIND_DEPTH or c.end - c.at < 8 or memcmp(c.at, b',"data":', 8) != 0:
            return self._decode_otherwise(at, batch)
        c.at += 8
        data = c
        if stream.kind == KIND_DEPTH:
            batch.topic = TOPIC_DEPTH
            plain = plain_depth(&c, self.symbols, self._futures, batch)
        elif stream.kind == KIND_BBO:
            batch.topic = TOPIC_BBO
            plain = plain_bbo(&c, self.symbols, batch)
        elif stream.kind >= KIND_FORCED:
            plain = False
        else:
            batch.topic = TOPIC_TRADES
            plain = plain_trade(&c, stream.kind == KIND_AGG_TRADE, self.symbols, batch)
        if plain and c.end - c.at == 1 and c.at[0] == c'}':
            return OUTCOME_EVENTS
        batch_clear(batch)
        outcome = self._payload(&data, &stream, batch)
        if outcome != OUTCOME_EVENTS or (data.end - data.at == 1 and data.at[0] == c'}'):
            return outcome
        batch_clear(batch)
        return self._decode_otherwise(at, batch)

    cdef Outcome _decode_otherwise(self, Cursor* at, Batch* batch) noexcept nogil:
        """Anything at all: looked over once to see what it is, then read."""
        cdef Cursor c = at[0]
        cdef Cursor data
        cdef View key, e, name
        cdef Stream stream
        cdef Outcome outcome
        cdef bint first = True
        cdef bint has_stream = False
        cdef bint has_data = False
        cdef bint reply = False
        cdef bint image = False
        cdef bint broken
        cdef uint64_t seen = 0
        cdef char stream_room[STREAM_ROOM]
        cdef char room[NAME_ROOM]
        cdef char letter
        if cursor_peek(&c) == c'[':
            # the all-market arrays of a raw connection
            c.at += 1
            return OUTCOME_IGNORED if cursor_peek(&c) == c'{' else OUTCOME_MALFORMED
        name.size = e.size = 0
        name.at = e.at = c.at
        name.escaped = e.escaped = False
        data = c
        cursor_expect(&c, c'{')
        while cursor_next_key(&c, first, &key):
            first = False
            letter = letter_of(&key, room)
            if not once(&seen, letter):
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
        broken = c.bad or not _ended(&c)
        stream = stream_of(name, stream_room)
        if not has_stream:
            stream.kind = KIND_NONE
        if has_data:
            if has_stream and stream.kind < KIND_DEPTH:
                return OUTCOME_MALFORMED if broken else self._not_events(stream.kind, batch)
            outcome = self._payload(&data, &stream, batch)
            return OUTCOME_MALFORMED if broken else outcome
        if has_stream:
            # a broken frame still tells whose it was, so that the right book is asked for anew
            self._tell_place(&stream, batch)
            return OUTCOME_MALFORMED
        if e.size > 0:
            stream.kind = kind_of_event(e)
            if stream.kind < KIND_DEPTH:
                return OUTCOME_MALFORMED if broken else self._not_events(stream.kind, batch)
        elif broken:
            return OUTCOME_MALFORMED
        elif reply:
            return self._not_events(KIND_CONTROL, batch)
        elif image:
            return OUTCOME_IGNORED  # spot's partial depth
        elif has_all(seen, b"usbBaA"):
            stream.kind = KIND_BBO
        else:
            return OUTCOME_UNKNOWN_TOPIC
        c = at[0]
        outcome = self._payload(&c, &stream, batch)
        return OUTCOME_MALFORMED if outcome == OUTCOME_EVENTS and broken else outcome

    cdef Outcome _not_events(self, Kind kind, Batch* batch) noexcept nogil:
        if kind == KIND_CONTROL:
            batch.topic = TOPIC_CONTROL
            return OUTCOME_CONTROL
        return OUTCOME_IGNORED if kind == KIND_IGNORED else OUTCOME_UNKNOWN_TOPIC

    cdef void _tell_place(self, const Stream* stream, Batch* batch) noexcept nogil:
        """What is known of a frame by its stream alone."""
        if stream.kind == KIND_DEPTH:
            batch.topic = TOPIC_DEPTH
        elif stream.kind == KIND_BBO:
            batch.topic = TOPIC_BBO
        elif stream.kind == KIND_FORCED:
            batch.topic = TOPIC_LIQUIDATIONS
        elif stream.kind == KIND_BLOCK:
            batch.topic = TOPIC_BLOCKS
        elif stream.kind > KIND_BBO:
            batch.topic = TOPIC_TRADES
        if batch.instrument < 0 and stream.symbol.size > 0:
            batch.instrument = self.symbols.find(stream.symbol.at, stream.symbol.size)

    cdef Outcome _payload(self, Cursor* c, Stream* stream, Batch* batch) noexcept nogil:
        """The event's object itself; the cursor is moved behind it."""
        cdef Outcome outcome
        if stream.kind == KIND_NONE:
            stream.kind = _kind_within(c[0])
            if stream.kind < KIND_DEPTH:
                return self._not_events(stream.kind, batch)
        if stream.kind == KIND_DEPTH:
            batch.topic = TOPIC_DEPTH
            outcome = read_depth(c, stream, self.symbols, self._futures, batch)
        elif stream.kind == KIND_BBO:
            batch.topic = TOPIC_BBO
            outcome = read_bbo(c, stream, self.symbols, batch)
        elif stream.kind == KIND_FORCED:
            batch.topic = TOPIC_LIQUIDATIONS
            outcome = read_forced(c, stream, self.symbols, batch)
        else:
            batch.topic = TOPIC_BLOCKS if stream.kind == KIND_BLOCK else TOPIC_TRADES
            outcome = read_trade(c, stream, self.symbols, batch)
        if outcome != OUTCOME_EVENTS:
            self._tell_place(stream, batch)
        return outcome

    cdef Outcome decode_snapshot(self, int32_t instrument, const char* body, Py_ssize_t size, Batch* batch) noexcept nogil:
        """GET …/depth of `instrument`."""
        cdef Cursor c = cursor_of(body, size)
        cdef Outcome outcome
        batch.topic = TOPIC_DEPTH
        if not 0 <= instrument < self.symbols.n:
            return OUTCOME_UNKNOWN_SYMBOL
        batch.instrument = instrument
        outcome = read_image(&c, self.symbols.row(instrument), self.symbols, batch)
        if outcome == OUTCOME_EVENTS and not _ended(&c):
            outcome = OUTCOME_MALFORMED
        if outcome != OUTCOME_EVENTS:
            batch.instrument = instrument
            batch.n_events = 0
            batch.n_levels = 0
        return outcome


cdef Kind _kind_within(Cursor c) noexcept nogil:
    """The kind that the object's own `e` tells, wherever it stands; KIND_UNKNOWN without one."""
    cdef View key
    cdef bint first = True
    cdef char room[NAME_ROOM]
    cursor_expect(&c, c'{')
    while cursor_next_key(&c, first, &key):
        first = False
        if letter_of(&key, room) == c'e':
            return kind_of_event(cursor_string(&c))
        cursor_skip(&c)
    return KIND_UNKNOWN
