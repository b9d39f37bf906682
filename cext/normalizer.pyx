"""CONTRACT bytes -> events, and what every venue's levels have in common."""

from libc.stdint cimport int32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from cext.cursor cimport Cursor, cursor_expect, cursor_skip, cursor_take
from cext.decimal cimport DECIMAL_FINER, DECIMAL_OK, DECIMAL_OVERFLOW, DECIMAL_REACH, MAX_QUOTED_SCALE, DecimalVerdict, Widths, decimal_quoted, decimal_read
from cext.events cimport (
    EVENT_BBO, EVENT_BLOCK_TRADE, EVENT_DEPTH, EVENT_LIQUIDATION, EVENT_SNAPSHOT, EVENT_TRADE, OUTCOME_CONTROL, OUTCOME_EVENTS, OUTCOME_FINER, OUTCOME_IGNORED,
    OUTCOME_MALFORMED, OUTCOME_OVERFLOW, OUTCOME_OVERSIZED, OUTCOME_UNKNOWN_ENUM, OUTCOME_UNKNOWN_SYMBOL, OUTCOME_UNKNOWN_TOPIC, Batch, Event, Level, Outcome,
    batch_clear, batch_free, batch_init, batch_level,
)
from cext.symbols cimport Symbol, Symbols
from cext.word cimport load8, lowest_bit, string_stops

cdef enum:
    MAX_EXTRAS = 2  # short strings behind the quantity; each with its comma and quotes takes a word and three bytes at most
    ROW_REACH = 2 + DECIMAL_REACH + 2 + DECIMAL_REACH + MAX_EXTRAS * 11 + 2  # bytes that _plain_row may look at

OUTCOME_NAMES = {
    OUTCOME_EVENTS: "events", OUTCOME_CONTROL: "control", OUTCOME_IGNORED: "ignored", OUTCOME_UNKNOWN_TOPIC: "unknown_topic",
    OUTCOME_UNKNOWN_SYMBOL: "unknown_symbol", OUTCOME_UNKNOWN_ENUM: "unknown_enum", OUTCOME_FINER: "finer",
    OUTCOME_OVERFLOW: "overflow", OUTCOME_MALFORMED: "malformed", OUTCOME_OVERSIZED: "oversized",
}
KIND_NAMES = {EVENT_DEPTH: "depth", EVENT_SNAPSHOT: "snapshot", EVENT_BBO: "bbo", EVENT_TRADE: "trade", EVENT_LIQUIDATION: "liquidation",
              EVENT_BLOCK_TRADE: "block"}


cdef Outcome outcome_of(DecimalVerdict verdict) noexcept nogil:
    """What a decimal that was refused makes of its frame."""
    if verdict == DECIMAL_FINER:
        return OUTCOME_FINER
    if verdict == DECIMAL_OVERFLOW:
        return OUTCOME_OVERFLOW
    return OUTCOME_MALFORMED


cdef inline const char* _plain_row(const char* at, const Symbol* symbol, Widths* px, Widths* qty, Level* level) noexcept nogil:
    """The row ["price","quantity"] that begins at `at`, or one with a few short strings more; where it ends, or NULL if it is written otherwise.

    It looks at up to ROW_REACH bytes, whatever stands there.
    """
    cdef uint64_t stops
    cdef int32_t extras = 0
    if at[0] != c'[' or at[1] != c'"':
        return NULL
    at = decimal_quoted(at + 2, symbol.px_scale, px, &level.px)
    if at == NULL or memcmp(at + 1, b',"', 2) != 0:
        return NULL
    at = decimal_quoted(at + 3, symbol.qty_scale, qty, &level.qty)
    if at == NULL:
        return NULL
    while at[1] == c',' and at[2] == c'"' and extras < MAX_EXTRAS:
        stops = string_stops(load8(at + 3))
        if stops == 0:
            return NULL
        at += 3 + (lowest_bit(stops) >> 3)
        if at[0] != c'"':
            return NULL
        extras += 1
    return at + 2 if at[1] == c']' else NULL


cdef bint _plain_rows(Cursor* c, const Symbol* symbol, Batch* batch) noexcept nogil:
    """As many rows as are written plainly. True if the cursor stands behind a row now, False if before one that is for `_row`."""
    cdef const char* at = c.at
    cdef const char* after
    cdef Level* level = batch.levels + batch.n_levels
    cdef Level* end = batch.levels + batch.max_levels
    cdef Widths px, qty
    cdef bint behind = False
    px.whole = px.part = qty.whole = qty.part = 0
    while level < end and c.end - at > ROW_REACH:
        after = _plain_row(at, symbol, &px, &qty, level)
        if after == NULL:
            break
        level += 1
        at = after
        if at[0] != c',':
            behind = True
            break
        at += 1
    batch.n_levels = <int32_t>(level - batch.levels)
    c.at = at
    return behind


cdef Outcome _row(Cursor* c, const Symbol* symbol, Level* level) noexcept nogil:
    """One row in any spelling; what follows the quantity is stepped over."""
    cdef char copy[ROW_REACH + 1]
    cdef const char* at = c.at
    cdef const char* after
    cdef Py_ssize_t left = c.end - at
    cdef Widths px, qty
    cdef DecimalVerdict verdict
    if symbol.px_scale <= MAX_QUOTED_SCALE and symbol.qty_scale <= MAX_QUOTED_SCALE:
        if left < ROW_REACH:  # the frame's last rows: looked at in a copy with zeros behind it
            memset(copy, 0, sizeof(copy))
            memcpy(copy, at, left)
            at = copy
        px.whole = px.part = qty.whole = qty.part = 0
        after = _plain_row(at, symbol, &px, &qty, level)
        if after != NULL:
            c.at += after - at
            return OUTCOME_EVENTS
    if not cursor_expect(c, c'['):
        return OUTCOME_MALFORMED
    verdict = decimal_read(c, symbol.px_scale, &level.px)
    if verdict != DECIMAL_OK:
        return outcome_of(verdict)
    if not cursor_expect(c, c','):
        return OUTCOME_MALFORMED
    verdict = decimal_read(c, symbol.qty_scale, &level.qty)
    if verdict != DECIMAL_OK:
        return outcome_of(verdict)
    while cursor_take(c, c','):
        cursor_skip(c)
    if not cursor_expect(c, c']') or level.px < 0 or level.qty < 0:
        return OUTCOME_MALFORMED
    return OUTCOME_EVENTS


cdef Outcome read_levels(Cursor* c, const Symbol* symbol, Batch* batch, int32_t* first, int32_t* n) noexcept nogil:
    """An array of [price, quantity, ...] rows into the batch; what follows the quantity in a row is stepped over.

    `first` and `n` are the range written. A negative price or quantity is malformed: no venue has one in a book.
    """
    cdef bint plain = symbol.px_scale <= MAX_QUOTED_SCALE and symbol.qty_scale <= MAX_QUOTED_SCALE
    cdef Level* level
    cdef Outcome outcome
    first[0] = batch.n_levels
    n[0] = 0
    if not cursor_expect(c, c'['):
        return OUTCOME_MALFORMED
    if cursor_take(c, c']'):
        return OUTCOME_EVENTS
    while True:
        if not plain or not _plain_rows(c, symbol, batch):
            level = batch_level(batch)
            if level == NULL:
                return OUTCOME_OVERSIZED
            outcome = _row(c, symbol, level)
            if outcome != OUTCOME_EVENTS:
                return outcome
        if not cursor_take(c, c','):
            if not cursor_expect(c, c']'):
                return OUTCOME_MALFORMED
            break
    n[0] = batch.n_levels - first[0]
    return OUTCOME_EVENTS


cdef class Normalizer:
    """Bytes of one market to events. Subclasses write `decode` and, where the venue seeds books by REST, `decode_snapshot`."""

    def __init__(self):
        self.symbols = Symbols()

    cdef Outcome decode(self, const char* frame, Py_ssize_t size, Batch* batch) noexcept nogil:
        """One WebSocket frame."""
        return OUTCOME_UNKNOWN_TOPIC

    cdef Outcome decode_snapshot(self, int32_t instrument, const char* body, Py_ssize_t size, Batch* batch) noexcept nogil:
        """The body of the venue's REST order book, asked for `instrument` (it names no symbol everywhere)."""
        return OUTCOME_UNKNOWN_TOPIC

    def explain(self, bytes frame, snapshot_of=None):
        """What `decode` makes of a frame, as plain data: for tests, golden files and people.

        (outcome, topic, instrument, events); numbers stay scaled integers. `snapshot_of`: an index, and the frame is a REST body.
        """
        cdef Batch batch
        cdef Event* e
        cdef int32_t i, j
        cdef Outcome outcome
        cdef Py_ssize_t size = len(frame)
        # its own memory, exactly as long as the frame: under AddressSanitizer a read past the end is then an error
        cdef char* copy = <char*>malloc(size if size > 0 else 1)
        if copy == NULL or not batch_init(&batch):
            free(copy)
            raise MemoryError
        memcpy(copy, <const char*>frame, size)
        batch_clear(&batch)
        try:
            if snapshot_of is None:
                outcome = self.decode(copy, size, &batch)
            else:
                outcome = self.decode_snapshot(snapshot_of, copy, size, &batch)
            events = []
            for i in range(batch.n_events):
                e = &batch.events[i]
                row = {"kind": KIND_NAMES[e.kind], "instrument": e.instrument, "flags": e.flags, "ts_event": e.ts_event,
                       "first_id": e.first_id, "last_id": e.last_id, "prev_id": e.prev_id, "cross_id": e.cross_id}
                if e.kind == EVENT_TRADE or e.kind == EVENT_BLOCK_TRADE:
                    row |= {"side": e.side, "px": e.px, "qty": e.qty, "agg_id": e.agg_id,
                            "trade_id": e.trade_id[:e.trade_id_size].decode("utf-8", "replace")}
                elif e.kind == EVENT_LIQUIDATION:
                    row |= {"side": e.side, "px": e.px, "order_px": e.order_px, "px_scale": e.px_scale, "qty": e.qty, "qty_scale": e.qty_scale,
                            "own_side": e.trade_id[:e.trade_id_size].decode("utf-8", "replace")}
                else:
                    row |= {"bids": [(batch.levels[j].px, batch.levels[j].qty) for j in range(e.bids, e.bids + e.n_bids)],
                            "asks": [(batch.levels[j].px, batch.levels[j].qty) for j in range(e.asks, e.asks + e.n_asks)],
                            "checksum": e.checksum}
                events.append(row)
            return OUTCOME_NAMES[outcome], batch.topic, batch.instrument, events
        finally:
            batch_free(&batch)
            free(copy)
