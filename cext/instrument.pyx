"""One symbol of one market: its book and the book's life.

    BUFFERING/INVALID --image--> SYNCED --gap, crossed, malformed, disconnect--> BUFFERING (image by REST) or INVALID (image in the stream)

A book that is not SYNCED is never shown to a stream. The sequence check comes before the book is touched, so that a frame that does not
fit changes nothing.
"""

from libc.stdint cimport INT64_MAX, int32_t, int64_t

from cext.book cimport ASKS, BIDS, Book
from cext.checksum cimport book_checksum
from cext.events cimport (
    EVENT_BACKFILL, EVENT_BBO, EVENT_BLOCK, EVENT_BLOCK_TRADE, EVENT_FROM_REST, EVENT_HAS_CHECKSUM, EVENT_LIQUIDATION, EVENT_RESTART, EVENT_SNAPSHOT, EVENT_TRADE, Batch, Event,
    Level,
)
from cext.heard cimport heard_before, heard_free
from cext.held cimport held_clear, held_free
from cext.notice cimport Notices, notices_add
from cext.outbox cimport Outbox
from cext.prints cimport PRINT_HOLD_NS, Print, prints_add, prints_due, prints_init, prints_rescale
from cext.quantiles cimport quantiles_add, quantiles_free, quantiles_init
from cext.sequence cimport (
    LINK_PREV, VERDICT_APPLY, VERDICT_GAP, VERDICT_KEEPALIVE, VERDICT_REPLACE, VERDICT_STALE, VERDICT_TOO_OLD, VERDICT_UNSEEDED, SequenceRule,
    Verdict, sequence_check, sequence_reset,
)
from cext.stream cimport (
    BOOK_BUFFERING, BOOK_INVALID, BOOK_RETIRED, BOOK_SYNCED, HEARS_BBO, HEARS_BLOCKS, HEARS_BOOK, HEARS_LIQUIDATIONS, HEARS_PRINTS, HEARS_STATE,
    HEARS_SURVEY, HEARS_TAPE, HEARS_TIMER, HEARS_TRADES, REASON_CHECKSUM, REASON_CROSSED, REASON_DISAGREES, REASON_GAP, REASON_OVERFLOW,
    REASON_REMOVED, REASON_RESTART, REASON_SNAPSHOT, REASON_START, REASON_WINDOW, BookState, Reason, Stream,
)
from cext.measures.survey cimport Survey
from cext.symbols cimport Symbol
from cext.tape cimport (
    NEWS_FILLED, NEWS_HOLE, NEWS_INTERRUPTED, NEWS_LOST, NEWS_RESUMED, TAPE_FILLED, TAPE_HOLE, TAPE_NEW, TAPE_OVERLAP, TAPE_REPEAT, TAPE_RESTART, Hole,
    NewsList, Numbering, TapeNews, TapeVerdict, news_add, tape_check, tape_close, tape_free, tape_init, tape_since,
)
from cext.touch cimport Touch, touches_add, touches_at, touches_clear, touches_first, touches_free, touches_init
from cext.units cimport NO_ID, NO_TIME, ns_t

cdef enum:
    LEFT_BEHIND_NS = 1_000_000_000
    PRINT_WINDOW_S = 86_400     # of what is a large print
    AHEAD_NS = 60_000_000_000   # a trade stamped so much later than we received it would make all that follow look old
    WORN_SHARE = 20             # of an image's levels: with fewer left than one in so many, another image is due


cdef dict counters_named(const InstrumentCounters* n):
    """What was counted, by name."""
    return {
        "depth_frames": n.depth_frames, "images": n.images, "applied": n.applied, "stale": n.stale,
        "unseeded": n.unseeded, "keepalives": n.keepalives, "gaps": n.gaps, "too_old": n.too_old,
        "crossed": n.crossed, "lost_frames": n.lost_frames, "checksums": n.checksums,
        "checksums_matched": n.checksums_matched, "touches": n.touches, "touches_compared": n.touches_compared,
        "touches_agreed": n.touches_agreed, "touches_crossed": n.touches_crossed, "trades": n.trades,
        "repeated_trades": n.repeated_trades, "backfilled_trades": n.backfilled_trades, "trade_gaps": n.trade_gaps,
        "rescales": n.rescales, "prints": n.prints, "liquidations": n.liquidations,
        "repeated_liquidations": n.repeated_liquidations, "blocks": n.blocks, "repeated_blocks": n.repeated_blocks,
    }


cdef class Instrument:
    """Made by Pipeline.add; `streams` are told of everything in the order given."""

    def __init__(self, bytes venue_symbol, str name, tuple streams, int32_t depth, bint bounded, ns_t folds_ns=0):
        cdef Stream stream
        if len(streams) > 32:
            raise ValueError(f"{name}: more than 32 streams")
        if not touches_init(&self.touches):
            raise MemoryError
        self.venue_symbol = venue_symbol
        self.name = name
        self.depth = depth
        self.bounded = bounded
        self.folds_ns = folds_ns
        self._keep = streams
        for stream in streams:
            self._streams[self._n_streams] = <void*>stream
            self._n_streams += 1

    def __dealloc__(self):
        touches_free(&self.touches)
        held_free(&self.held)
        tape_free(&self.tape)
        quantiles_free(&self.print_sizes)
        heard_free(&self.heard)

    cdef void attach(self, Symbol* symbol, SequenceRule rule, Numbering numbering, Notices* notices, NewsList* news, Outbox out):
        """Called once by the pipeline, before any event."""
        cdef Stream stream
        self.symbol = symbol
        self.notices = notices
        self.news = news
        tape_init(&self.tape, numbering)
        self.sequence.rule = rule
        sequence_reset(&self.sequence)
        self.state = BOOK_BUFFERING if rule.rest_seeded else BOOK_INVALID
        self.reason = REASON_START
        self.cross_id = NO_ID
        self._moved_recv = self.loading_recv = 0
        self._moved_event = self._touched_event = NO_TIME
        self._touched_id = NO_ID
        self.book = Book(symbol.tick)
        prints_init(&self.prints, PRINT_HOLD_NS + self.folds_ns)
        if self.bounded and not rule.rest_seeded:
            self.book.max_levels = self.depth  # the venue's window: it removes what leaves it
        for stream in self._keep:
            self._attach(stream, out)

    def replace(self, tuple streams, Outbox out not None, ns_t now_ns):
        """Other streams from now on; those that are among the old ones go on as they are."""
        cdef Stream stream
        cdef int32_t i
        if len(streams) > 32:
            raise ValueError(f"{self.name}: more than 32 streams")
        new = [stream for stream in streams if stream not in self._keep]
        for stream in self._keep:
            if stream not in streams:
                out.leave_all(stream)
        self._n_streams = 0
        for stream in new:
            self._attach(stream, out)
        self._keep = streams
        for i in range(len(streams)):
            self._streams[i] = <void*>streams[i]
        self._n_streams = <int32_t>len(streams)
        if self.state == BOOK_SYNCED:
            for stream in new:
                if stream.hears & HEARS_STATE:
                    stream.on_state(BOOK_SYNCED, self.reason, NO_ID, self.sequence.id, now_ns)

    def retire(self, Outbox out not None, ns_t now_ns):
        """The instrument is gone: its streams hear that last, then it has none, and no memory but its counters."""
        if self.state == BOOK_RETIRED:
            return
        self.invalidate(REASON_REMOVED, self.sequence.id, NO_ID, now_ns)
        self.state = BOOK_RETIRED
        self.replace((), out, now_ns)
        held_free(&self.held)
        prints_init(&self.prints)  # one that is open has nowhere to be counted
        quantiles_free(&self.print_sizes)
        heard_free(&self.heard)
        self.book = Book(self.symbol.tick)

    cdef int _attach(self, Stream stream, Outbox out) except -1:
        stream.attach(self.book, out, self.symbol)
        if stream.hears & HEARS_SURVEY:
            if self.survey is None:
                self.survey = Survey()
            stream.ask_survey(self.survey)
        if stream.hears & HEARS_PRINTS and self.print_sizes.counts == NULL and not quantiles_init(&self.print_sizes, PRINT_WINDOW_S * <ns_t>1_000_000_000):
            raise MemoryError
        return 0

    cdef void _tell_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        cdef int32_t i
        self.state = state
        self.reason = reason
        notices_add(self.notices, self.symbol.ix, state, reason, expected_id, got_id, now_ns)
        if self.survey is not None and state != BOOK_SYNCED:
            self.survey.forget()
        for i in range(self._n_streams):
            if (<Stream>self._streams[i]).hears & HEARS_STATE:
                (<Stream>self._streams[i]).on_state(state, reason, expected_id, got_id, now_ns)

    cdef void invalidate(self, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        """Nothing derived from this book may be published until an image has come."""
        sequence_reset(&self.sequence)
        held_clear(&self.held)
        touches_clear(&self.touches)
        self.cross_id = NO_ID
        self._tell_state(BOOK_BUFFERING if self.sequence.rule.rest_seeded else BOOK_INVALID, reason, expected_id, got_id, now_ns)

    cdef void lost_frame(self, Reason reason, ns_t now_ns) noexcept nogil:
        """A depth frame of ours could not be read: whatever it said is missing from now on."""
        self.n.lost_frames += 1
        if self.state == BOOK_SYNCED:
            self.n.gaps += 1
        if self.state == BOOK_SYNCED or self.held.n > 0:
            self.invalidate(reason, self.sequence.id, NO_ID, now_ns)

    cdef bint on_event(self, const Event* event, const Batch* batch, ns_t ts_recv) noexcept nogil:
        """Take one event. True asks the owner to hold the frame: it belongs after an image that has not come."""
        if event.kind == EVENT_TRADE:
            self.on_trade(event, ts_recv)
            return False
        if event.kind == EVENT_BBO:
            self._on_touch(event, batch.levels, ts_recv)
            return False
        if event.kind == EVENT_LIQUIDATION:
            self._on_liquidation(event, batch.number, ts_recv)
            return False
        if event.kind == EVENT_BLOCK_TRADE:
            self.on_block(event, batch.number, ts_recv)
            return False
        return self._on_depth(event, batch.levels, ts_recv)

    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil:
        """Take one trade, live or fetched: each is told once, and what is missing before it is told first."""
        cdef ns_t at = min(event.ts_event, ts_recv + <ns_t>AHEAD_NS) if event.ts_event != NO_TIME else ts_recv
        cdef bint interrupted = self.tape.interrupted and self.tape.begun
        cdef Hole gap
        cdef TapeVerdict verdict
        cdef Print print
        cdef int32_t i
        gap.number = 0
        gap.first_id = gap.last_id = NO_ID
        gap.since = self.tape.last_ts
        gap.until = at
        verdict = tape_check(&self.tape, event, at)
        if verdict == TAPE_REPEAT:
            self.n.repeated_trades += 1
            return
        if verdict == TAPE_OVERLAP:
            self.n.repeated_trades += 1
        else:
            self.n.trades += 1
            self.n.backfilled_trades += event.flags & EVENT_BACKFILL != 0
        if verdict != TAPE_NEW and self.tape.dropped.number > 0:
            self._tell_tape(NEWS_LOST, &self.tape.dropped, ts_recv)
        if verdict == TAPE_HOLE or verdict == TAPE_RESTART or verdict == TAPE_OVERLAP:
            self.n.trade_gaps += 1
            self._tell_tape(NEWS_HOLE, &self.tape.holes[self.tape.n_holes - 1], ts_recv)
        if interrupted and not self.tape.interrupted:
            self._tell_tape(NEWS_RESUMED, &gap, ts_recv)
        if verdict == TAPE_OVERLAP:
            return
        for i in range(self._n_streams):
            if (<Stream>self._streams[i]).hears & HEARS_TRADES:
                (<Stream>self._streams[i]).on_trade(event, ts_recv)
        if event.flags & EVENT_BLOCK:
            self._tell_block(event, ts_recv)
        if self.print_sizes.counts != NULL and prints_add(&self.prints, self.symbol, event, ts_recv, &print):
            self._tell_print(&print, ts_recv)
        if verdict == TAPE_FILLED:
            self._tell_tape(NEWS_FILLED, &self.tape.filled, ts_recv)

    cdef void on_block(self, const Event* event, int64_t frame, ns_t ts_recv) noexcept nogil:
        """Take a negotiated trade of a feed of its own: no tape knows its ids."""
        if heard_before(&self.heard, event, frame, ts_recv):
            self.n.repeated_blocks += 1
            return
        self._tell_block(event, ts_recv)

    cdef void _tell_block(self, const Event* event, ns_t ts_recv) noexcept nogil:
        cdef int32_t i
        self.n.blocks += 1
        for i in range(self._n_streams):
            if (<Stream>self._streams[i]).hears & HEARS_BLOCKS:
                (<Stream>self._streams[i]).on_block(event, ts_recv)

    cdef void _on_liquidation(self, const Event* event, int64_t frame, ns_t ts_recv) noexcept nogil:
        cdef int32_t i
        if heard_before(&self.heard, event, frame, ts_recv):
            self.n.repeated_liquidations += 1
            return
        self.n.liquidations += 1
        for i in range(self._n_streams):
            if (<Stream>self._streams[i]).hears & HEARS_LIQUIDATIONS:
                (<Stream>self._streams[i]).on_liquidation(event, ts_recv)

    cdef void _tell_print(self, const Print* print, ns_t now_ns) noexcept nogil:
        cdef int32_t i
        self.n.prints += 1
        for i in range(self._n_streams):
            if (<Stream>self._streams[i]).hears & HEARS_PRINTS:
                (<Stream>self._streams[i]).on_print(print, &self.print_sizes, now_ns)
        quantiles_add(&self.print_sizes, print.size, now_ns)

    cdef void interrupt(self, bint torn, ns_t now_ns) noexcept nogil:
        """The socket of its trades is lost, or (`torn`) a frame that may have held some: whether any are missing, the next one tells. Before the first
        one nothing is missed, but a frame that could not be read may have overtaken it."""
        cdef Hole gap
        cdef bint known = self.tape.interrupted or not self.tape.begun
        if not self.tape.begun and not torn:
            return
        self.tape.interrupted = True
        self.tape.torn = self.tape.torn or torn
        if known:
            return
        gap.number = 0
        gap.first_id = gap.last_id = NO_ID
        gap.since = tape_since(&self.tape)
        gap.until = NO_TIME
        self._tell_tape(NEWS_INTERRUPTED, &gap, now_ns)

    cdef bint close_hole(self, int64_t number, bint filled, ns_t now_ns) noexcept nogil:
        """End a hole by what REST has told: all of it came, or the rest never will. False if there is no such hole any more."""
        cdef Hole hole
        cdef int32_t i
        for i in range(self.tape.n_holes):
            if self.tape.holes[i].number == number:
                hole = self.tape.holes[i]
                tape_close(&self.tape, number)
                self._tell_tape(NEWS_FILLED if filled else NEWS_LOST, &hole, now_ns)
                return True
        return False

    cdef void _tell_tape(self, TapeNews news, const Hole* hole, ns_t now_ns) noexcept nogil:
        cdef int32_t i
        news_add(self.news, self.symbol.ix, news, hole, now_ns)
        for i in range(self._n_streams):
            if (<Stream>self._streams[i]).hears & HEARS_TAPE:
                (<Stream>self._streams[i]).on_tape(news, hole, now_ns)

    cdef bint _on_depth(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        cdef int64_t known = self.sequence.id
        cdef Verdict verdict = sequence_check(&self.sequence, event)
        cdef Reason reason
        if event.kind != EVENT_SNAPSHOT:
            self.n.depth_frames += 1
        if verdict == VERDICT_STALE:
            if not self._left_behind(event, ts_recv):
                self.n.stale += 1
                return False
            verdict = VERDICT_GAP
        elif verdict == VERDICT_APPLY or verdict == VERDICT_REPLACE or verdict == VERDICT_KEEPALIVE:
            self._moved_recv = self.loading_recv if self.loading_recv else ts_recv  # no maximum: our clock may step back
            self._moved_event = event.ts_event
        if verdict == VERDICT_APPLY:
            self.n.applied += 1
            if not self.book.apply(levels + event.bids, event.n_bids, levels + event.asks, event.n_asks):
                self.invalidate(REASON_OVERFLOW, known, event.last_id, ts_recv)
                return False
            self.cross_id = event.cross_id
            self._on_applied(event, levels, ts_recv, REASON_SNAPSHOT)
        elif verdict == VERDICT_REPLACE:
            self.n.images += 1
            reason = REASON_SNAPSHOT if event.kind == EVENT_SNAPSHOT and not event.flags & EVENT_RESTART else REASON_RESTART
            if not self.book.load(levels + event.bids, event.n_bids, levels + event.asks, event.n_asks):
                self.invalidate(REASON_OVERFLOW, known, event.last_id, ts_recv)
                return False
            self.cross_id = event.cross_id
            if event.flags & EVENT_FROM_REST:
                self._set_window(event, levels)
            else:
                self._on_applied(event, levels, ts_recv, reason)
        elif verdict == VERDICT_KEEPALIVE:
            self.n.keepalives += 1
            self._checksum_holds(event, ts_recv)
        elif verdict == VERDICT_UNSEEDED:
            self.n.unseeded += 1
            return self.sequence.rule.rest_seeded
        elif self.state == BOOK_SYNCED:
            self.n.gaps += 1
            if self.sequence.rule.link == LINK_PREV:
                self.invalidate(REASON_GAP, known, event.prev_id, ts_recv)
            else:
                self.invalidate(REASON_GAP, known + 1, event.first_id, ts_recv)
            return self.sequence.rule.rest_seeded
        else:
            # the image was older than the changes held, or these have a hole: only another image helps
            if verdict == VERDICT_TOO_OLD:
                self.n.too_old += 1
            else:
                self.n.gaps += 1
            sequence_reset(&self.sequence)
            return self.sequence.rule.rest_seeded
        return False

    cdef bint _left_behind(self, const Event* event, ns_t ts_recv) noexcept nogil:
        """Is this frame, whose ids the book has passed, newer than the book all the same?

        So it is where the venue began to count anew and the very frame that said so was lost: every later one would be dropped as a repeat, and
        the book would stand still for ever and claim to be synced, or go on with the first one whose new number fits the old ones. A repeat (of a
        venue, of a socket that takes over, of what was held for an image) is not: where the matching engine counts too, and that goes on, its
        count is no higher; and it was sent, or came, no later than what last moved the book. Times are compared each within its own clock.
        """
        if event.last_id >= self.sequence.id:
            return False
        if self.cross_id != NO_ID and event.cross_id > self.cross_id:
            return True
        return ts_recv - self._moved_recv > LEFT_BEHIND_NS and (
            self._moved_event == NO_TIME or event.ts_event == NO_TIME or event.ts_event - self._moved_event > LEFT_BEHIND_NS)

    cdef void _on_applied(self, const Event* event, const Level* levels, ns_t ts_recv, Reason reason) noexcept nogil:
        """The book has a new state that the stream vouches for: check it, then tell."""
        cdef int32_t i
        if self.book.crossed() and not self.in_auction:
            self.n.crossed += 1
            self.invalidate(REASON_CROSSED, NO_ID, event.last_id, ts_recv)
            return
        if not self._checksum_holds(event, ts_recv):
            return
        if self.bounded and self.depth > 0 and not self.sequence.rule.rest_seeded and (
                self.book.n_levels(BIDS) > self.depth or self.book.n_levels(ASKS) > self.depth):
            # the venue itself removes what leaves its window: more levels than that means that a removal was lost
            self.invalidate(REASON_WINDOW, self.depth, event.last_id, ts_recv)
            return
        if self._worn():
            self.invalidate(REASON_WINDOW, NO_ID, event.last_id, ts_recv)
            return
        if not self._agrees(ts_recv):
            return
        if self.state != BOOK_SYNCED:
            self.become_synced(reason, self._moved_recv)  # now: what was held came before the image that let it in
            return
        for i in range(self._n_streams):
            if (<Stream>self._streams[i]).hears & HEARS_BOOK:
                (<Stream>self._streams[i]).on_book(event, levels, ts_recv)

    cdef bint _worn(self) noexcept nogil:
        """The price has moved so far that a side has next to nothing left of what its truncated image covered: an empty side would be said to be
        empty at the venue."""
        if not self.bounded or self.depth <= 0:
            return False
        return (self.book.valid_bid > 0 and self.book.n_levels(BIDS) * WORN_SHARE < self.depth) \
            or (self.book.valid_ask < INT64_MAX and self.book.n_levels(ASKS) * WORN_SHARE < self.depth)

    cdef bint _checksum_holds(self, const Event* event, ns_t ts_recv) noexcept nogil:
        """Where the venue sends a checksum. False: the book is wrong, and is invalid now."""
        if not event.flags & EVENT_HAS_CHECKSUM:
            return True
        self.n.checksums += 1
        if book_checksum(self.book, self.symbol.px_scale, self.symbol.qty_scale) != event.checksum:
            self.invalidate(REASON_CHECKSUM, NO_ID, event.last_id, ts_recv)
            return False
        self.n.checksums_matched += 1
        return True

    cdef void become_synced(self, Reason reason, ns_t now_ns) noexcept nogil:
        """From here on the streams may show the book; each begins with a full image of it."""
        self._tell_state(BOOK_SYNCED, reason, NO_ID, self.sequence.id, now_ns)

    cdef void _set_window(self, const Event* event, const Level* levels) noexcept nogil:
        """What lies beyond a truncated image is unknown, and must not be claimed."""
        cdef int64_t low = 0
        cdef int64_t high = INT64_MAX
        cdef int32_t i
        if not self.bounded or self.depth <= 0:
            return
        if event.n_bids >= self.depth:
            low = levels[event.bids].px
            for i in range(event.bids, event.bids + event.n_bids):
                low = min(low, levels[i].px)
        if event.n_asks >= self.depth:
            high = levels[event.asks].px
            for i in range(event.asks, event.asks + event.n_asks):
                high = max(high, levels[i].px)
        self.book.set_window(low, high)

    cdef bint told_again(self, const Event* event) noexcept nogil:
        """Are these the best prices that were told before? A venue sends them again when nothing has changed for a while, with the time of the change."""
        if event.kind != EVENT_BBO:
            return False
        if event.ts_event == self._touched_event and event.cross_id == self._touched_id:
            return True
        self._touched_event = event.ts_event
        self._touched_id = event.cross_id
        return False

    cdef void _on_touch(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        cdef int32_t i
        cdef Touch* touch
        self.n.touches += 1
        if event.n_bids > 0 and event.n_asks > 0 and levels[event.bids].px >= levels[event.asks].px and not self.in_auction:
            self.n.touches_crossed += 1  # it says nothing, neither to consumers nor about the book
            return
        if event.cross_id != NO_ID:
            touch = touches_add(&self.touches, event, levels)
            if self.state == BOOK_SYNCED and touch.cross_id == self.cross_id:
                self._compare(touch, ts_recv)
        for i in range(self._n_streams):
            if (<Stream>self._streams[i]).hears & HEARS_BBO:
                (<Stream>self._streams[i]).on_bbo(event, levels, ts_recv)

    cdef bint _compare(self, const Touch* touch, ns_t ts_recv) noexcept nogil:
        """The book's top against the venue's own best bid and ask at the same update id. False: the book is wrong, and is invalid now."""
        cdef Level bid
        cdef Level ask
        cdef bint same
        self.n.touches_compared += 1
        bid.px = bid.qty = ask.px = ask.qty = 0
        self.book.best(BIDS, &bid)
        self.book.best(ASKS, &ask)
        same = bid.qty == touch.bid.qty and ask.qty == touch.ask.qty \
            and (bid.qty == 0 or bid.px == touch.bid.px) and (ask.qty == 0 or ask.px == touch.ask.px)
        if same:
            self.n.touches_agreed += 1
        else:
            self.invalidate(REASON_DISAGREES, touch.cross_id, self.cross_id, ts_recv)
        return same

    cdef bint _agrees(self, ns_t ts_recv) noexcept nogil:
        """Hold the new state against the touches that came before it."""
        cdef int64_t i
        if self.cross_id == NO_ID or self.touches.n == 0:
            return True
        i = touches_first(&self.touches, self.cross_id)
        while i < self.touches.n and touches_at(&self.touches, i).cross_id == self.cross_id:
            if not self._compare(touches_at(&self.touches, i), ts_recv):
                return False
            i += 1
        return True

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        """Every tick of the pipeline's timer."""
        cdef Print print
        cdef int32_t i
        if prints_due(&self.prints, self.symbol, now_ns, &print):
            self._tell_print(&print, now_ns)
        if self.survey is not None and self.state == BOOK_SYNCED and self.survey.look(self.book, self.symbol, now_ns):
            for i in range(self._n_streams):
                if (<Stream>self._streams[i]).hears & HEARS_SURVEY:
                    (<Stream>self._streams[i]).on_survey(self.survey, now_ns)
        for i in range(self._n_streams):
            if (<Stream>self._streams[i]).hears & HEARS_TIMER:
                (<Stream>self._streams[i]).on_timer(now_ns)

    cdef bint rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        """Finer scales for all that is remembered; the symbol's row is the caller's. False: something does not fit."""
        cdef int32_t i
        cdef bint fits = self.book.rescale(px_factor, qty_factor, self.symbol.tick)
        for i in range(self._n_streams):
            fits = (<Stream>self._streams[i]).on_rescale(px_factor, qty_factor) and fits
        touches_clear(&self.touches)
        if self.survey is not None:
            self.survey.forget()
        prints_rescale(&self.prints, self.symbol, px_factor, qty_factor)
        self.n.rescales += 1
        return fits

    def counters(self):
        """What was counted, by name."""
        return {**counters_named(&self.n), "lost_prints": self.prints.n_lost}
