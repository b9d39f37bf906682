"""The frames of one market: bytes in, events to the instruments, messages in the outbox.

    feed -> Normalizer.decode -> Instrument.on_event -> sequence_check -> Book.apply -> Stream.on_* -> Outbox

Live and replay come through the same `feed`; what differs is the clock. Nothing here raises or logs: every frame ends in an Outcome, each
with its counter.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

import re
from collections import namedtuple

from cext.book cimport ASKS, BIDS
from cext.checksum cimport book_checksum
from cext.clock cimport Clock
from cext.cursor cimport View
from cext.delay cimport Delay, delay_quantile, delays_add, delays_clear
from cext.decimal cimport MAX_SCALE, POW10
from cext.events cimport (
    EVENT_BACKFILL, EVENT_BLOCK, EVENT_BLOCK_TRADE, EVENT_DEPTH, EVENT_OFF_BOOK, EVENT_SNAPSHOT, EVENT_TRADE, OUTCOME_EVENTS, OUTCOME_FINER,
    OUTCOME_MALFORMED, OUTCOME_OVERFLOW, OUTCOME_OVERSIZED, OUTCOME_UNKNOWN_ENUM, SIDE_BUY, SIDE_SELL, TOPIC_DEPTH, TOPIC_NONE, TOPIC_TRADES,
    TRADE_ID_SIZE, Event, Level, Outcome, batch_clear, batch_free, batch_init,
)
from cext.held cimport Held, HeldFrame, held_add, held_free, held_init
from cext.instrument cimport Instrument, InstrumentCounters, counters_named
from cext.normalizer cimport Normalizer
from cext.notice cimport Notice
from cext.outbox cimport Outbox
from cext.sequence cimport LINK_NEXT, LINK_NONE, LINK_PREV, LINK_STEP
from cext.stream cimport BOOK_RETIRED, BOOK_SYNCED, REASON_DISCONNECT, REASON_MALFORMED, REASON_OVERFLOW, REASON_SNAPSHOT
from cext.symbols cimport CONTRACT_BASE, CONTRACT_INVERSE, CONTRACT_LINEAR, Symbol
from cext.tape cimport NAMED, NEWS_FILLED, NEWS_HOLE, NEWS_INTERRUPTED, NEWS_LOST, NEWS_RESUMED, NUMBERED, News
from cext.units cimport NO_ID, NO_TIME, ns_t

from cext import decimal
from cext.normalizer import OUTCOME_NAMES
from cext.stream import REASON_NAMES, STATE_NAMES

PLAIN = re.compile(rb"[!#-\[\]-~]+").fullmatch   # of a trade's id
LINKS = {"none": LINK_NONE, "next": LINK_NEXT, "prev": LINK_PREV, "step": LINK_STEP}
CONTRACTS = {"base": CONTRACT_BASE, "linear": CONTRACT_LINEAR, "inverse": CONTRACT_INVERSE}
REASONS = {name: reason for reason, name in REASON_NAMES.items()}

TOPICS = ("depth", "best", "trades")

BookNotice = namedtuple("BookNotice", "ix state reason expected_id got_id at_ns")
NEWS_NAMES = {NEWS_INTERRUPTED: "interrupted", NEWS_HOLE: "hole", NEWS_RESUMED: "resumed", NEWS_FILLED: "filled", NEWS_LOST: "lost"}
TradeNews = namedtuple("TradeNews", "ix news number first_id last_id since_ns until_ns at_ns")
TradeNews.__doc__ = "What became of one instrument's trades (tape.pxd): ids -1 where unknown, the venue's times of the trades around, and ours."
BookNotice.__doc__ = "A change of one book's state: instrument index, state and reason by name, the ids that did not fit (-1: none), ns."

# Where a number is finer than an instrument's scale, these are tried in turn: (decimals more for prices, for quantities).
cdef int32_t[8][2] FINER = [[0, 2], [2, 0], [2, 2], [0, 4], [4, 0], [4, 4], [0, 6], [6, 6]]


cdef bint crossed_image(const Event* event, const Level* levels) noexcept nogil:
    """Best bid at or above best ask, rows in any order."""
    cdef int64_t bid = -1
    cdef int64_t ask = INT64_MAX
    cdef int32_t i
    for i in range(event.bids, event.bids + event.n_bids):
        if levels[i].qty > 0 and levels[i].px > bid:
            bid = levels[i].px
    for i in range(event.asks, event.asks + event.n_asks):
        if levels[i].qty > 0 and levels[i].px < ask:
            ask = levels[i].px
    return bid >= ask


cdef class Pipeline:
    """One market's road from bytes to the outbox.

    `link`, `rest_seeded`, `repeats_are_stale`, `restart_id`: the market's sequence rule (sequence.pxd). `trades_numbered`: the ids of its trades
    have no holes (tape.pxd). `prune`: live books are held to what
    their image covered; a replay keeps every level.
    """

    def __init__(self, *, str market, str exchange, Normalizer normalizer, Outbox outbox, Clock clock, str link, bint rest_seeded,
                 bint repeats_are_stale, int64_t restart_id=-1, bint trades_numbered=True, Py_ssize_t max_held_bytes=8 << 20, int32_t max_held_frames=2000,
                 bint prune=True):
        if not batch_init(&self.batch):
            raise MemoryError
        delays_clear(&self.delays)
        self.market = market
        self.exchange = exchange
        self.normalizer = normalizer
        self.outbox = outbox
        self.clock = clock
        self.rule.link = LINKS[link]
        self.rule.rest_seeded = rest_seeded
        self.rule.repeats_are_stale = repeats_are_stale
        self.rule.restart_id = restart_id
        self.numbering = NUMBERED if trades_numbered else NAMED
        self.max_held_bytes = max_held_bytes
        self.max_held_frames = max_held_frames
        self.prune = prune
        self._keep = []

    def __dealloc__(self):
        batch_free(&self.batch)
        free(self._instruments)
        free(self.notices.rows)
        free(self.news.rows)

    def add(self, *, bytes venue_symbol, str symbol, int32_t px_scale, int32_t qty_scale, int64_t tick=1, str contract="base",
            str contract_value="1", int32_t depth=0, int32_t folds_ms=0, aliases=(), streams=()):
        """One more instrument; its index. `tick` is scaled, `contract_value` decimal text, `depth` the levels a side of an image (0: unknown), `folds_ms` how
        long a time's fills of one price may stand in one row of its trades.

        Raises ValueError for a symbol that is taken or a scale out of range.
        """
        cdef bytes value = contract_value.encode("ascii")
        cdef int32_t value_scale = decimal.places(value)
        cdef int32_t ix = self.normalizer.symbols.add(venue_symbol, px_scale, qty_scale, tick, CONTRACTS[contract],
                                                      decimal.parse(value, value_scale), value_scale)
        cdef Instrument instrument
        cdef void** grown
        for name in aliases:
            self.normalizer.symbols.alias(name, ix)
        instrument = Instrument(venue_symbol, symbol, tuple(streams), depth, self.prune, folds_ms * <ns_t>1_000_000)
        held_init(&instrument.held, self.max_held_bytes, self.max_held_frames)
        instrument.attach(self.normalizer.symbols.row(ix), self.rule, self.numbering, &self.notices, &self.news, self.outbox)
        grown = <void**>realloc(self._instruments, (ix + 1) * sizeof(void*))
        if grown == NULL:
            raise MemoryError
        self._instruments = grown
        self._instruments[ix] = <void*>instrument
        self._keep.append(instrument)
        self._n_instruments = ix + 1
        return ix

    cdef Outcome _decode(self, int32_t snapshot_of, const char* frame, Py_ssize_t size) noexcept nogil:
        batch_clear(&self.batch)
        if snapshot_of >= 0:
            return self.normalizer.decode_snapshot(snapshot_of, frame, size, &self.batch)
        return self.normalizer.decode(frame, size, &self.batch)

    cdef Outcome _decode_finer(self, int32_t snapshot_of, const char* frame, Py_ssize_t size) noexcept nogil:
        """A number was finer than its instrument's scale: find the scale that takes it, and bring along all that is remembered."""
        cdef int32_t ix = self.batch.instrument
        cdef Symbol* symbol
        cdef Symbol was
        cdef int32_t i
        cdef Outcome outcome = OUTCOME_FINER
        if ix < 0:
            return OUTCOME_MALFORMED
        symbol = self.normalizer.symbols.row(ix)
        was = symbol[0]
        for i in range(8):
            if was.px_scale + FINER[i][0] > MAX_SCALE or was.qty_scale + FINER[i][1] > MAX_SCALE:
                continue
            symbol.px_scale = was.px_scale + FINER[i][0]
            symbol.qty_scale = was.qty_scale + FINER[i][1]
            outcome = self._decode(snapshot_of, frame, size)
            if outcome != OUTCOME_FINER:
                break
        if outcome != OUTCOME_EVENTS:
            symbol[0] = was
            return OUTCOME_OVERFLOW if outcome == OUTCOME_FINER else outcome
        symbol.tick = was.tick * POW10[FINER[i][0]]
        if not (<Instrument>self._instruments[ix]).rescale(POW10[FINER[i][0]], POW10[FINER[i][1]]):
            (<Instrument>self._instruments[ix]).invalidate(REASON_OVERFLOW, -1, -1, self.clock.now_ns())
            return OUTCOME_OVERFLOW
        return outcome

    cdef Outcome feed(self, const char* frame, Py_ssize_t size, ns_t ts_recv) noexcept nogil:
        """One WebSocket frame, received at `ts_recv`. A frame is atomic: it is decoded whole before anything is applied."""
        cdef Outcome outcome
        cdef Event* event
        cdef int32_t i
        self._n_frames += 1
        self.batch.number = self._n_frames
        outcome = self._decode(-1, frame, size)
        if outcome == OUTCOME_FINER:
            outcome = self._decode_finer(-1, frame, size)
        self._n_bytes += size
        self._outcomes[<int>outcome] += 1
        self._n_unknown_enums += self.batch.unknown_enums
        if outcome == OUTCOME_EVENTS:
            if self.batch.n_events > 0 and not (<Instrument>self._instruments[self.batch.events[0].instrument]).told_again(&self.batch.events[0]):
                delays_add(&self.delays, &self.batch.events[0], ts_recv)
            for i in range(self.batch.n_events):
                event = &self.batch.events[i]
                if (<Instrument>self._instruments[event.instrument]).on_event(event, &self.batch, ts_recv):
                    self._hold(<Instrument>self._instruments[event.instrument], frame, size, ts_recv)
                if (<Instrument>self._instruments[event.instrument]).shadowed != NULL and (event.kind == EVENT_DEPTH or event.kind == EVENT_SNAPSHOT) \
                        and (i == 0 or self.batch.events[i - 1].instrument != event.instrument):
                    held_add((<Instrument>self._instruments[event.instrument]).shadowed, frame, size, ts_recv)
        elif outcome == OUTCOME_MALFORMED or outcome == OUTCOME_OVERFLOW or outcome == OUTCOME_OVERSIZED or outcome == OUTCOME_UNKNOWN_ENUM:
            self._lost_frame(ts_recv)
        return outcome

    cdef void _lost_frame(self, ns_t ts_recv) noexcept nogil:
        """The batch is of a frame that could not be read. A book is invalid from here on, where it is known whose it was, or its numbers tell. Trades
        would be missing until the next one's number tells, and for ever where ids are mere names: then they may be whoever's it could have been."""
        cdef int32_t ix = self.batch.instrument
        cdef int32_t i
        if self.batch.topic == TOPIC_DEPTH and ix >= 0:
            (<Instrument>self._instruments[ix]).lost_frame(REASON_MALFORMED, ts_recv)
        elif self.batch.topic == TOPIC_TRADES and ix >= 0:
            (<Instrument>self._instruments[ix]).interrupt(True, ts_recv)
        elif self.numbering == NAMED and (self.batch.topic == TOPIC_NONE or self.batch.topic == TOPIC_TRADES):
            for i in range(self._n_instruments):
                (<Instrument>self._instruments[i]).interrupt(True, ts_recv)

    cdef void _hold(self, Instrument instrument, const char* frame, Py_ssize_t size, ns_t ts_recv) noexcept nogil:
        if not held_add(&instrument.held, frame, size, ts_recv):
            instrument.invalidate(REASON_OVERFLOW, -1, -1, ts_recv)
            held_add(&instrument.held, frame, size, ts_recv)

    def feed_bytes(self, bytes frame, ns_t ts_recv):
        """`feed` for replay and tests; the outcome's name."""
        return OUTCOME_NAMES[self.feed(frame, len(frame), ts_recv)]

    def feed_all(self, list frames, ns_t ts_recv):
        """Feed many frames as if they were received together; for measuring, where a Python call a frame would cost more than the frame."""
        cdef bytes frame
        for frame in frames:
            self.feed(frame, len(frame), ts_recv)

    def image(self, int32_t ix, bytes body, ns_t ts_recv):
        """A REST order book for instrument `ix`; then the held frames, as if they came now, each with its own receive time.

        "events": the book is synced. "awaits": loaded, and nothing held tells whether the stream began before it: the next change will.
        "crossed": its best bid is not below its best ask, and no auction explains it: not loaded; fetch another.
        "retired": the instrument is gone.
        "too_old": older than the changes held; fetch another. "gap": the held changes have a hole; what follows it is still held, fetch another.
        Any other name is the outcome of a body that could not be read.
        """
        cdef Instrument instrument = self._keep[ix]
        cdef Outcome outcome = self._decode(ix, body, len(body))
        cdef Held held
        cdef HeldFrame* row
        cdef int32_t i, j
        cdef int64_t stale = instrument.n.stale
        cdef int64_t too_old = instrument.n.too_old
        if instrument.state == BOOK_RETIRED:
            return "retired"
        if outcome == OUTCOME_FINER:
            outcome = self._decode_finer(ix, body, len(body))
        if outcome != OUTCOME_EVENTS:
            return OUTCOME_NAMES[outcome]
        if crossed_image(&self.batch.events[0], self.batch.levels) and not instrument.in_auction:
            instrument.n.crossed += 1
            return "crossed"
        held = instrument.held  # taken over: what follows may invalidate the book, which empties its own
        held_init(&instrument.held, self.max_held_bytes, self.max_held_frames)
        instrument.loading_recv = ts_recv
        instrument.on_event(&self.batch.events[0], &self.batch, ts_recv)
        for i in range(held.n):
            row = &held.frames[i]
            outcome = self._decode(-1, held.bytes + row.offset, row.size)
            if outcome == OUTCOME_FINER:
                outcome = self._decode_finer(-1, held.bytes + row.offset, row.size)
            if outcome == OUTCOME_EVENTS and instrument.on_event(&self.batch.events[0], &self.batch, row.ts_recv):
                for j in range(i, held.n):
                    row = &held.frames[j]
                    self._hold(instrument, held.bytes + row.offset, row.size, row.ts_recv)
                held_free(&held)
                instrument.loading_recv = 0
                return "too_old" if instrument.n.too_old > too_old else "gap"
        held_free(&held)
        instrument.loading_recv = 0
        if instrument.state != BOOK_SYNCED and instrument.sequence.seeded and instrument.n.stale > stale:
            # a held change that the image already contains proves that the stream began before it: nothing can lie between
            instrument.become_synced(REASON_SNAPSHOT, ts_recv)
        return "events" if instrument.state == BOOK_SYNCED else "awaits"

    def on_timer(self, ns_t now_ns):
        """Every 50 ms of the loop (or of the recording): what is published by the clock."""
        cdef int32_t i
        with nogil:
            for i in range(self._n_instruments):
                (<Instrument>self._instruments[i]).on_timer(now_ns)

    def disconnected(self, indices, ns_t now_ns):
        """The socket of these instruments (None: all) is gone: their books are invalid until an image comes."""
        cdef Instrument instrument
        for ix in range(self._n_instruments) if indices is None else indices:
            instrument = self._keep[ix]
            if instrument.state == BOOK_SYNCED or instrument.sequence.seeded or instrument.held.n > 0:
                instrument.invalidate(REASON_DISCONNECT, instrument.sequence.id, -1, now_ns)

    def invalidate(self, int32_t ix, str reason, ns_t now_ns):
        """An audit or a person found book `ix` wrong. `reason`: one of stream.REASON_NAMES."""
        if (<Instrument>self._keep[ix]).state != BOOK_RETIRED:
            (<Instrument>self._keep[ix]).invalidate(REASONS[reason], -1, -1, now_ns)

    def replace_streams(self, int32_t ix, streams, ns_t now_ns):
        """Other streams for instrument `ix`; those that it has already go on as they are."""
        (<Instrument>self._keep[ix]).replace(tuple(streams), self.outbox, now_ns)

    def retire(self, int32_t ix, ns_t now_ns):
        """Instrument `ix` is gone. Its venue's name may be added again and gets another index; its frames are an unknown symbol's from now on."""
        self.normalizer.symbols.forget(ix)
        (<Instrument>self._keep[ix]).retire(self.outbox, now_ns)

    def interrupted(self, indices, ns_t now_ns):
        """The socket of these instruments' trades is gone: some may be missing from now on."""
        for ix in indices:
            (<Instrument>self._keep[ix]).interrupt(False, now_ns)

    def backfill(self, int32_t ix, trades, ns_t now_ns):
        """Trades of instrument `ix` that REST told, oldest first, as (id, price, quantity, side, ts_event_ns, first_id, last_id, aggregate,
        off_book, block, sequence): texts of the venue, side "buy" or "sell", ids and sequence None where they are no numbers. What is known
        already is left out.

        Returns (how many were new, how many could not be taken: numbers that do not fit this instrument).
        """
        cdef Instrument instrument = self._keep[ix]
        cdef int64_t before = instrument.n.backfilled_trades
        cdef Event event
        cdef bytes name
        refused = 0
        for id, price, quantity, side, ts_event_ns, first_id, last_id, aggregate, off_book, block, sequence in trades:
            memset(&event, 0, sizeof(Event))
            try:
                name = id.encode("ascii")
                event.px = decimal.parse(price.encode(), instrument.symbol.px_scale)
                event.qty = decimal.parse(quantity.encode(), instrument.symbol.qty_scale)
                event.ts_event = ts_event_ns
                event.first_id = NO_ID if first_id is None else first_id
                event.last_id = NO_ID if last_id is None else last_id
                event.agg_id = int(id) if aggregate else NO_ID
                event.cross_id = NO_ID if sequence is None else sequence
            except (ValueError, TypeError, AttributeError, OverflowError):
                refused += 1
                continue
            # the id goes into our JSON as it is
            if not 1 <= len(name) <= TRADE_ID_SIZE or not PLAIN(name) or event.px <= 0 or event.qty <= 0 or event.ts_event < 0 \
                    or event.first_id < NO_ID or event.last_id < event.first_id or event.cross_id < NO_ID:
                refused += 1
                continue
            event.kind = EVENT_TRADE
            event.instrument = ix
            event.flags = EVENT_BACKFILL | (EVENT_OFF_BOOK if off_book or block else 0) | (EVENT_BLOCK if block else 0)
            event.prev_id = NO_ID
            event.side = SIDE_BUY if side == "buy" else SIDE_SELL
            event.trade_id_size = len(name)
            memcpy(event.trade_id, <const char*>name, len(name))
            instrument.on_trade(&event, now_ns)
        return instrument.n.backfilled_trades - before, refused

    def block(self, int32_t ix, str id, str price, str quantity, str side, ts_event_ns, ns_t now_ns):
        """A negotiated trade of instrument `ix`, told by a feed that is not ours to decode: texts of the venue, side "buy" or "sell". False if its numbers
        do not fit this instrument. One that is known already is not told again."""
        cdef Instrument instrument = self._keep[ix]
        cdef Event event
        cdef bytes name
        memset(&event, 0, sizeof(Event))
        try:
            name = id.encode("ascii")
            event.px = decimal.parse(price.encode(), instrument.symbol.px_scale)
            event.qty = decimal.parse(quantity.encode(), instrument.symbol.qty_scale)
            event.ts_event = NO_TIME if ts_event_ns is None else ts_event_ns
        except (ValueError, TypeError, AttributeError, OverflowError):
            return False
        if not 1 <= len(name) <= TRADE_ID_SIZE or not PLAIN(name) or event.px <= 0 or event.qty <= 0:
            return False
        event.kind = EVENT_BLOCK_TRADE
        event.instrument = ix
        event.flags = EVENT_OFF_BOOK | EVENT_BLOCK
        event.first_id = event.last_id = int(id) if id.isdecimal() and len(id) < 19 else NO_ID
        event.prev_id = event.cross_id = event.agg_id = NO_ID
        event.side = SIDE_BUY if side == "buy" else SIDE_SELL
        event.trade_id_size = <int32_t>len(name)
        memcpy(event.trade_id, <const char*>name, len(name))
        self._n_told += 1
        instrument.on_block(&event, -self._n_told, now_ns)
        return True

    def close_hole(self, int32_t ix, int64_t number, bint filled, ns_t now_ns):
        """End a hole of instrument `ix`; False if there is none of that number any more."""
        return (<Instrument>self._keep[ix]).close_hole(number, filled, now_ns)

    def holes(self, int32_t ix):
        """What is missing of instrument `ix`'s trades: (number, first_id, last_id) of each piece, oldest first."""
        cdef Instrument instrument = self._keep[ix]
        cdef int32_t i
        return [(instrument.tape.holes[i].number, instrument.tape.holes[i].first_id, instrument.tape.holes[i].last_id)
                for i in range(instrument.tape.n_holes)]

    def last_trade(self, int32_t ix):
        """(id, ts_event_ns, whether the socket was lost since) of the newest trade seen; -1 where there is none or it has no number."""
        cdef Instrument instrument = self._keep[ix]
        return instrument.tape.last_id, instrument.tape.last_ts, bool(instrument.tape.interrupted)

    def take_news(self):
        """What became of the trades since the last call, oldest first, as TradeNews. Empties the list."""
        cdef int32_t i
        cdef News* row
        taken = []
        for i in range(self.news.n):
            row = &self.news.rows[i]
            taken.append(TradeNews(row.instrument, NEWS_NAMES[row.news], row.hole.number, row.hole.first_id, row.hole.last_id, row.hole.since,
                                   row.hole.until, row.at_ns))
        self.news.n = 0
        return taken

    def streams(self, int32_t ix):
        """What is published of instrument `ix`."""
        return (<Instrument>self._keep[ix])._keep

    def take_notices(self):
        """The changes of state since the last call, oldest first, as BookNotice. Empties the list."""
        cdef int32_t i
        cdef Notice* row
        taken = []
        for i in range(self.notices.n):
            row = &self.notices.rows[i]
            taken.append(BookNotice(row.instrument, STATE_NAMES[row.state], REASON_NAMES[row.reason], row.expected_id, row.got_id, row.at_ns))
        self.notices.n = 0
        if self.notices.lost:
            self.notices.lost = False
            now_ns = self.clock.now()
            taken = [BookNotice(i, STATE_NAMES[(<Instrument>self._keep[i]).state], REASON_NAMES[(<Instrument>self._keep[i]).reason], -1, -1, now_ns)
                     for i in range(self._n_instruments)]
        return taken

    def take_delays(self):
        """The venue's time to ours since the last call, by topic: {"depth", "best", "trades": (frames, least, median, 99 % of them; ns)}, without
        those that brought nothing. Quantiles are upper edges of buckets of a quarter octave."""
        cdef Delay* delay
        cdef int32_t i
        taken = {}
        for i in range(3):
            delay = &self.delays.of_topic[i]
            if delay.n > 0:
                taken[TOPICS[i]] = (delay.n, delay.least, delay_quantile(delay, 0.5), delay_quantile(delay, 0.99))
        delays_clear(&self.delays)
        return taken

    def impossible_times(self):
        """(frames stamped over a second after they came, frames stamped over a day before)"""
        return self.delays.n_future, self.delays.n_ancient

    def unknown_symbol(self):
        """The symbol that the last frame named and nobody knows, or None. Valid until the next frame, while its bytes live."""
        cdef View v = self.batch.unknown
        return v.at[:v.size] if v.size > 0 else None

    def counters(self):
        """Frames, bytes and outcomes by name."""
        return {"frames": self._n_frames, "bytes": self._n_bytes, "unknown_enums": self._n_unknown_enums,
                **{name: self._outcomes[<int>outcome] for outcome, name in OUTCOME_NAMES.items()}}

    def instrument_counters(self, int32_t ix):
        """What instrument `ix` counted, by name."""
        return self._keep[ix].counters()

    def totals(self):
        """What all instruments counted together, by name."""
        cdef InstrumentCounters all
        cdef int64_t* to = <int64_t*>&all
        cdef int64_t* more
        cdef int64_t lost_prints = 0
        cdef int32_t i, j
        memset(&all, 0, sizeof(all))
        for i in range(self._n_instruments):
            more = <int64_t*>&(<Instrument>self._instruments[i]).n
            for j in range(<int32_t>(sizeof(InstrumentCounters) // sizeof(int64_t))):
                to[j] += more[j]
            lost_prints += (<Instrument>self._instruments[i]).prints.n_lost
        return {**counters_named(&all), "lost_prints": lost_prints}

    def states(self):
        """The state of every book by name, in the order of their indices."""
        cdef Instrument instrument
        return [STATE_NAMES[instrument.state] for instrument in self._keep]

    def checksum(self, int32_t ix):
        """CRC-32 of the best 25 levels as they are now, signed."""
        cdef Instrument instrument = self._keep[ix]
        return book_checksum(instrument.book, instrument.symbol.px_scale, instrument.symbol.qty_scale)

    def set_auction(self, int32_t ix, bint in_auction):
        """In a call auction the venue's own book may be crossed."""
        (<Instrument>self._keep[ix]).in_auction = in_auction

    def book(self, int32_t ix, int32_t n=0):
        """The book as plain data: state, last id, valid window, and the best `n` levels a side (0: all) as exact decimal text."""
        cdef Instrument instrument = self._keep[ix]
        cdef Symbol* symbol = instrument.symbol
        write = decimal.write
        sides = {name: [(write(px, symbol.px_scale), write(qty, symbol.qty_scale)) for px, qty in instrument.book.levels(side, n)]
                 for name, side in (("bids", BIDS), ("asks", ASKS))}
        return {
            "symbol": instrument.name, "venue_symbol": instrument.venue_symbol.decode(), "state": STATE_NAMES[instrument.state],
            "reason": REASON_NAMES[instrument.reason], "id": instrument.sequence.id, "cross_id": instrument.cross_id,
            "valid_bid": write(instrument.book.valid_bid, symbol.px_scale) if instrument.book.valid_bid > 0 else None,
            "valid_ask": write(instrument.book.valid_ask, symbol.px_scale) if instrument.book.valid_ask < 9223372036854775807 else None,
            **sides,
        }
