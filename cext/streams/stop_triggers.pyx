"""Stop orders that were triggered: inferred from what everybody can see, and told by the private streams of the venues (p9.capture.orders)."""

from libc.math cimport NAN, isnan
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memmove

from cext.book cimport Book
from cext.events cimport EVENT_BACKFILL, SIDE_BUY, SIDE_NONE, Event, Side
from cext.measures.stop_run cimport (
    MAX_LEAST, SIZE_HINTS, Burst, StopHints, burst_add, burst_against, burst_counts, round_crossed, stop_confidence,
)
from cext.measures.swings cimport MAX_WIDTH, Swings, swings_add, swings_crossed, swings_init, swings_rescale
from cext.names cimport Names
from cext.outbox cimport CRITICAL, MARK_BACKFILL, MARK_ROUNDED, Channel, Outbox
from cext.prints cimport Print
from cext.quantiles cimport Quantiles, quantiles_at
from cext.stream cimport HEARS_LIQUIDATIONS, HEARS_PRINTS, HEARS_TIMER, Stream
from cext.symbols cimport CONTRACT_INVERSE, Symbol
from cext.turnover cimport put_amounts, turnover_rescale
from cext.units cimport NO_TIME, ns_t, px_t
from cext.wide cimport wide_double
from cext.writer cimport Writer, put_bytes, put_decimal, put_double, put_int, put_time

cdef enum:
    RUNS = 8            # bursts that wait to be told
    FORCED = 32         # liquidations remembered
    INTERESTS = 16      # figures of open interest remembered
    DIGITS = 6          # significant, of scores

cdef struct Run:
    Burst burst
    px_t swing          # 0: none
    px_t round
    double usual        # a large print's size, as of then; NAN: not known
    ns_t due

cdef struct Forced:
    Side side
    ns_t at

cdef struct Interest:
    double contracts
    ns_t at


cdef class StopTriggers(Stream):
    """`stop_triggers`, `kind` stop_run_inferred: a burst of prints beyond a price where stops are set, without a liquidation at the time. Nobody but the
    venue knows whether there were stops: it is an inference, with a confidence below 1 (cext/measures/stop_run.pxd says how it is made).

    confidence, side (of the burst, and so of the orders), since and until (the venue's times), prints, start_price, end_price (the furthest), level
    and level_kind (swing_high, swing_low, round; the swing where there are both), quantity, quote_quantity, and contracts only: contracts,
    contract_value, contract_unit. open_interest_change (contracts; from before the burst to after it) and liquidations_told (whether this market
    tells liquidations at all): null and false leave doubt. It is told `settle` after the burst, when a liquidation would have been heard of.
    """

    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef readonly int64_t n_bursts          # that went beyond a level
    cdef readonly int64_t n_liquidated      # and were left out, as a liquidation was told
    cdef readonly int64_t n_weak            # and were left out for want of confidence
    cdef readonly int64_t n_inferred
    cdef readonly int64_t n_told            # by a venue, of one's own orders
    cdef bint _forced_told
    cdef uint32_t _marks
    cdef int32_t _least
    cdef ns_t _window_ns, _settle_ns, _guard_ns
    cdef double _confident
    cdef bint _inferring
    cdef Swings _swings
    cdef Burst _bought, _sold
    cdef Run _runs[RUNS]                    # oldest first
    cdef int32_t _n_runs
    cdef Forced _forced[FORCED]             # a ring
    cdef int64_t _n_forced
    cdef Interest _interests[INTERESTS]     # a ring
    cdef int64_t _n_interests

    def __init__(self, Names names not None, *, str word="", bint liquidations_told=True, **settings):
        self.names = names
        self.word = word
        self.hears = HEARS_PRINTS | HEARS_LIQUIDATIONS | HEARS_TIMER
        self._forced_told = liquidations_told
        self._bought.n = self._sold.n = 0
        self._swings.bar_ns = 0
        self.configure(**settings)

    def configure(self, *, int32_t prints=5, ns_t window_ns=200_000_000, ns_t swing_bar_ns=10_000_000_000, int32_t swing_bars=6,
                  ns_t swing_lookback_ns=14_400_000_000_000, ns_t settle_ns=2_000_000_000, ns_t guard_ns=1_000_000_000, double confidence=0.4,
                  bint inferred=True):
        """Other thresholds from now on. Other bars forget the swings, another number of prints the bursts that go on."""
        if not (3 <= prints <= MAX_LEAST and 1 <= swing_bars <= MAX_WIDTH and 0.0 <= confidence <= 1.0) \
                or min(window_ns, swing_bar_ns, swing_lookback_ns) <= 0 or min(settle_ns, guard_ns) < 0:
            raise ValueError(f"stop triggers: {prints} prints in {window_ns} ns, {swing_bars} bars of {swing_bar_ns} ns, confidence {confidence}")
        if (swing_bar_ns, swing_bars) != (self._swings.bar_ns, self._swings.width):
            swings_init(&self._swings, swing_bar_ns, swing_bars, swing_lookback_ns)
        self._swings.lookback_ns = swing_lookback_ns
        if prints != self._least:
            self._bought.n = self._sold.n = 0
        self._least = prints
        self._window_ns = window_ns
        self._settle_ns = settle_ns
        self._guard_ns = guard_ns
        self._confident = confidence
        self._inferring = inferred

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self._marks = MARK_ROUNDED if symbol.contract == CONTRACT_INVERSE else 0
        self.channel = self.names.channel(out, "stop_triggers", self.word, CRITICAL, self)

    def told(self, bytes payload not None, *, ns_t ts_event=NO_TIME, ns_t ts_recv=NO_TIME, bint rounded=False, bint backfill=False):
        """One that the venue told of: `payload` is the text of a JSON object with the event's own fields. `backfill`: told when it was asked."""
        cdef uint32_t marks = (MARK_ROUNDED if rounded else 0) | (MARK_BACKFILL if backfill else 0)
        self.n_told += 1
        self.out.emit(self.channel, payload, ts_event=ts_event, ts_recv=ts_recv, flags=marks)

    def open_interest(self, double contracts, ns_t at_ns):
        """What the venue says is open, in its own unit."""
        cdef Interest* one
        if isnan(contracts) or (self._n_interests > 0 and at_ns <= self._interests[(self._n_interests - 1) % INTERESTS].at):
            return
        one = &self._interests[self._n_interests % INTERESTS]
        one.contracts = contracts
        one.at = at_ns
        self._n_interests += 1

    cdef void on_liquidation(self, const Event* event, ns_t ts_recv) noexcept nogil:
        cdef Forced* one = &self._forced[self._n_forced % FORCED]
        one.side = event.side
        one.at = event.ts_event if event.ts_event != NO_TIME else ts_recv
        self._n_forced += 1

    cdef void on_print(self, const Print* print, const Quantiles* sizes, ns_t now_ns) noexcept nogil:
        cdef ns_t at = print.ts_event if print.ts_event != NO_TIME else print.ts_recv
        cdef Burst over
        if print.flags & EVENT_BACKFILL or print.side == SIDE_NONE or not self._inferring:
            return
        if print.side == SIDE_BUY:
            burst_against(&self._sold, print.size, at, self._window_ns)
            if burst_add(&self._bought, print, at, now_ns, self._window_ns, self._least, &over):
                self._ended(&over, sizes, now_ns)
        else:
            burst_against(&self._bought, print.size, at, self._window_ns)
            if burst_add(&self._sold, print, at, now_ns, self._window_ns, self._least, &over):
                self._ended(&over, sizes, now_ns)
        self._look(sizes, now_ns, at)
        swings_add(&self._swings, print.low_px, print.high_px, at)

    cdef void _look(self, const Quantiles* sizes, ns_t now_ns, ns_t at) noexcept nogil:
        """End the bursts that nothing follows any more."""
        cdef Burst over
        if self._bought.n > 0 and (at - self._bought.until > self._window_ns or now_ns - self._bought.heard > 2 * self._window_ns):
            over = self._bought
            self._bought.n = 0
            self._ended(&over, sizes, now_ns)
        if self._sold.n > 0 and (at - self._sold.until > self._window_ns or now_ns - self._sold.heard > 2 * self._window_ns):
            over = self._sold
            self._sold.n = 0
            self._ended(&over, sizes, now_ns)

    cdef void _ended(self, const Burst* burst, const Quantiles* sizes, ns_t now_ns) noexcept nogil:
        """A burst is over: if it went beyond a level, it is judged when liquidations would have been heard of."""
        cdef Run* run
        cdef px_t level = 0
        cdef px_t even
        if not burst_counts(burst):
            return
        even = round_crossed(burst.start, burst.end)
        if not swings_crossed(&self._swings, burst.start, burst.end, burst.since, &level):
            level = 0
        if level == 0 and even == 0:
            return
        self.n_bursts += 1
        if self._n_runs == RUNS:
            self._judge(&self._runs[0])
            self._drop()
        run = &self._runs[self._n_runs]
        self._n_runs += 1
        run.burst = burst[0]
        run.swing = level
        run.round = even
        run.due = now_ns + self._settle_ns
        run.usual = NAN
        if sizes != NULL:
            quantiles_at(sizes, 0.99, &run.usual)

    cdef void _drop(self) noexcept nogil:
        self._n_runs -= 1
        memmove(&self._runs[0], &self._runs[1], self._n_runs * sizeof(Run))

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        self._look(NULL, now_ns, 0)
        while self._n_runs > 0 and now_ns >= self._runs[0].due:
            self._judge(&self._runs[0])
            self._drop()

    cdef double _interest_change(self, const Burst* burst) noexcept nogil:
        """From the last figure before the burst to the first one after it; NAN where one of them is not known."""
        cdef double before = NAN
        cdef double after = NAN
        cdef int64_t i = max(<int64_t>0, self._n_interests - INTERESTS)
        cdef const Interest* one
        while i < self._n_interests:
            one = &self._interests[i % INTERESTS]
            if one.at < burst.since:
                before = one.contracts
            elif one.at > burst.until and isnan(after):
                after = one.contracts
            i += 1
        return after - before

    cdef bint _was_forced(self, const Burst* burst) noexcept nogil:
        """Was a liquidation told that may have been this, or may have begun it?"""
        cdef int64_t i = max(<int64_t>0, self._n_forced - FORCED)
        cdef const Forced* one
        while i < self._n_forced:
            one = &self._forced[i % FORCED]
            if one.side == burst.side and burst.since - self._guard_ns <= one.at <= burst.until + self._guard_ns:
                return True
            i += 1
        return False

    cdef void _judge(self, const Run* run) noexcept nogil:
        cdef const Burst* burst = &run.burst
        cdef const Symbol* symbol = self.symbol
        cdef StopHints hints
        cdef double change = self._interest_change(burst)
        cdef double traded = wide_double(burst.turnover.native, symbol.qty_scale)
        cdef double confidence
        cdef Writer* w
        if self._was_forced(burst):
            self.n_liquidated += 1
            return
        hints.prints = <double>(burst.n - self._least + 1) / SIZE_HINTS
        hints.level = 1.0 if run.swing > 0 else 0.5
        hints.size = burst.size / (run.usual * self._least)
        hints.interest = -change / traded if traded > 0.0 else NAN
        confidence = stop_confidence(&hints)
        if confidence < self._confident:
            self.n_weak += 1
            return
        self.n_inferred += 1
        w = self.out.open(self.channel, burst.until, burst.heard, self._marks)
        put_bytes(w, b',"kind":"stop_run_inferred","confidence":', 41)
        put_double(w, confidence, DIGITS)
        if burst.side == SIDE_BUY:
            put_bytes(w, b',"side":"buy","since":', 22)
        else:
            put_bytes(w, b',"side":"sell","since":', 23)
        put_time(w, burst.since)
        put_bytes(w, b',"until":', 9)
        put_time(w, burst.until)
        put_bytes(w, b',"prints":', 10)
        put_int(w, burst.n)
        put_bytes(w, b',"start_price":', 15)
        put_decimal(w, burst.start, symbol.px_scale)
        put_bytes(w, b',"end_price":', 13)
        put_decimal(w, burst.end, symbol.px_scale)
        put_bytes(w, b',"level":', 9)
        put_decimal(w, run.swing if run.swing > 0 else run.round, symbol.px_scale)
        if run.swing == 0:
            put_bytes(w, b',"level_kind":"round"', 21)
        elif burst.side == SIDE_BUY:
            put_bytes(w, b',"level_kind":"swing_high"', 26)
        else:
            put_bytes(w, b',"level_kind":"swing_low"', 25)
        put_amounts(w, symbol, &burst.turnover)
        put_bytes(w, b',"open_interest_change":', 24)
        put_double(w, change, 15)
        if self._forced_told:
            put_bytes(w, b',"liquidations_told":true', 25)
        else:
            put_bytes(w, b',"liquidations_told":false', 26)
        self.out.close(self.channel)

    def counters(self):
        """What was counted, by name."""
        return {"bursts": self.n_bursts, "liquidated": self.n_liquidated, "weak": self.n_weak, "inferred": self.n_inferred, "told": self.n_told}

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        cdef int32_t i = self._n_runs - 1
        swings_rescale(&self._swings, px_factor)
        if not _rescaled(&self._bought, self.symbol, px_factor, qty_factor):
            self._bought.n = 0
        if not _rescaled(&self._sold, self.symbol, px_factor, qty_factor):
            self._sold.n = 0
        while i >= 0:
            if _rescaled(&self._runs[i].burst, self.symbol, px_factor, qty_factor):
                self._runs[i].swing *= px_factor
                self._runs[i].round *= px_factor
            else:
                self._n_runs -= 1
                memmove(&self._runs[i], &self._runs[i + 1], (self._n_runs - i) * sizeof(Run))
            i -= 1
        return True


cdef bint _rescaled(Burst* burst, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil:
    cdef px_t most = <px_t>9223372036854775807 // px_factor
    if burst.n == 0:
        return True
    if max(burst.start, burst.end) > most or not turnover_rescale(&burst.turnover, symbol, px_factor, qty_factor):
        return False
    burst.start *= px_factor
    burst.end *= px_factor
    return True
