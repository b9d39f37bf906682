"""Cumulative volume delta: bought less sold, exactly, by timeframe."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t

from cext.book cimport Book
from cext.cadence cimport cadence_due
from cext.deltas cimport Delta, delta_add, delta_begin, delta_pass, delta_rescale, delta_sliding_from
from cext.doubts cimport Doubt, doubts_add, doubts_full, doubts_take, doubts_touch
from cext.events cimport EVENT_BLOCK, SIDE_BUY, Event
from cext.names cimport Names
from cext.outbox cimport MARK_ROUNDED, MEDIUM, Channel, Outbox
from cext.stream cimport HEARS_TAPE, HEARS_TIMER, HEARS_TRADES, Stream
from cext.symbols cimport CONTRACT_BASE, CONTRACT_INVERSE, Symbol
from cext.tape cimport NEWS_HOLE, NEWS_INTERRUPTED, NEWS_LOST, NEWS_RESUMED, Hole, TapeNews
from cext.turnover cimport (
    Turnover, put_base, put_contracts, put_quote, turnover_add, turnover_base, turnover_clear, turnover_merge, turnover_negate, turnover_quote,
    turnover_rescale,
)
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.writer cimport Writer, put_bool, put_bytes, put_int, writer_free, writer_init

import msgspec

from cext.grid import SECONDS

cdef enum:
    NS = 1000000000
    DAY_S = 86400
    MAX_AHEAD_S = 60    # a trade stamped later than that after we received it has no time that could be believed
    MAX_DELAY_S = 10    # and the first one can tell nothing of what was longer ago
    GRACE_S = 2         # so far behind our clock an interval without a newer trade ends


cdef class Cvd(Stream):
    """`cvd`, by timeframe: newest value, when it changed.

    open_time, close_time (ns; of the forming interval), delta (bought less sold by aggressors in it, base coins; inverse contracts: rounded
    once, half-even to 8 decimals, flag `rounded`), quote_delta, previous_delta and previous_quote_delta (of the interval before; null where it
    was not seen), rolling and quote_rolling (of the sliding span as long as the timeframe, in steps of a sixtieth of it, of a second at least;
    it begins at rolling_since), session and quote_session (since 00:00 UTC), since (ns; the first trade that is counted), complete,
    previous_complete, rolling_complete, session_complete (false: trades of that span are or may be missing). Contracts only: contracts_delta,
    contracts_previous, contracts_rolling, contracts_session.

    A trade belongs to the second of its ts_event (ts_recv where there is none), whenever it comes: late and fetched ones amend what is told of
    every span that holds them. Block trades are left out, as from the candles: delta = 2 * buy_volume - volume, to the last digit.
    """

    def __init__(self, Names names not None, timeframes=tuple(SECONDS), *, ns_t every_ns=250_000_000, str word=""):
        strangers = [name for name in timeframes if name not in SECONDS]
        if strangers or not timeframes:
            raise ValueError(f"timeframes {strangers or 'none'}: known are {', '.join(SECONDS)}")
        self.names = names
        self.word = word
        self.timeframes = tuple(name for name in SECONDS if name in timeframes)
        self.hears = HEARS_TRADES | HEARS_TIMER | HEARS_TAPE
        self._since = self._second = self._passed = self._lost_to = NO_ID
        self._doubts.n = 0
        self.configure(every_ns=every_ns)

    def configure(self, *, ns_t every_ns=250_000_000):
        """Settings from now on; no sum is lost."""
        if not 10_000_000 <= every_ns <= 60_000_000_000:
            raise ValueError(f"cadence {every_ns} ns is outside 10 ms..1 m")
        self._cadence.every_ns = every_ns

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        cdef Channel channel
        Stream.attach(self, book, out, symbol)
        channels = []
        for i, name in enumerate(SECONDS):
            self._outlets[<int>i] = NULL
            if name in self.timeframes:
                channel = self.names.channel(out, "cvd", self.word, MEDIUM, self, True, False, name)
                channels.append(channel)
                self._outlets[<int>i] = <void*>channel
        self._channels = tuple(channels)
        for i, seconds in enumerate(SECONDS.values()):
            delta_begin(&self.deltas[<int>i], seconds, 0)

    cdef void _begin(self, int64_t second) noexcept nogil:
        """Nothing is known of what came before this second."""
        cdef int32_t i
        for i in range(N_TIMEFRAMES):
            delta_begin(&self.deltas[i], self.deltas[i].seconds, second)
        turnover_clear(&self._bought)
        turnover_clear(&self._sold)
        self._pending = False
        self._since = self._second = second

    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil:
        cdef ns_t at = event.ts_event
        cdef int64_t second
        if event.flags & EVENT_BLOCK or event.px <= 0 or event.qty <= 0:
            return
        if at == NO_TIME:
            at = ts_recv
        elif at > ts_recv + <ns_t>MAX_AHEAD_S * NS:
            at = ts_recv
            self.n_suspect_times += 1
        second = at // NS
        if at >= self._ts_event:
            self._ts_event = at
            self._ts_recv = ts_recv
        if self._since == NO_ID:
            self._begin(second)
            self._since = max(second, ts_recv // NS - MAX_DELAY_S)
        elif second != self._second:
            self._fold()
            self._second = second
        self._pending = True
        if not turnover_add(&self._bought if event.side == SIDE_BUY else &self._sold, self.symbol, event.px, event.qty):
            self.n_restarts += 1
            self._begin(second)

    cdef void _fold(self) noexcept nogil:
        """Bring the trades of the pending second where they belong."""
        cdef Turnover net = self._sold
        cdef int32_t i
        if not self._pending:
            return
        turnover_negate(&net)
        if turnover_merge(&net, &self._bought):
            for i in range(N_TIMEFRAMES):
                if not delta_add(&self.deltas[i], self._second, &net):
                    break
            else:
                turnover_clear(&self._bought)
                turnover_clear(&self._sold)
                self._pending = False
                return
        self.n_restarts += 1
        self._begin(self._second)

    cdef void on_tape(self, TapeNews news, const Hole* hole, ns_t now_ns) noexcept nogil:
        """What is missing makes every span around it incomplete, until it has come."""
        cdef Doubt doubt
        cdef int32_t i
        if self._since == NO_ID and news != NEWS_HOLE:
            return
        if news == NEWS_INTERRUPTED or news == NEWS_HOLE:
            if doubts_full(&self._doubts) and doubts_take(&self._doubts, self._doubts.rows[0].number, &doubt):
                self._lost_to = max(self._lost_to, min(doubt.to_s, now_ns // NS))
            doubt.number = 0 if news == NEWS_INTERRUPTED else hole.number
            doubt.from_s = (hole.since if hole.since != NO_TIME else now_ns) // NS
            doubt.to_s = INT64_MAX if news == NEWS_INTERRUPTED else hole.until // NS
            doubts_add(&self._doubts, &doubt)
        elif doubts_take(&self._doubts, 0 if news == NEWS_RESUMED else hole.number, &doubt) and news == NEWS_LOST:
            self._lost_to = max(self._lost_to, doubt.to_s)
        for i in range(N_TIMEFRAMES):
            self.deltas[i].changed = True

    cdef bint _complete(self, int64_t from_s, int64_t to_s) noexcept nogil:
        return from_s > self._since and from_s > self._lost_to and not doubts_touch(&self._doubts, from_s, to_s)

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        cdef int64_t second = now_ns // NS - GRACE_S
        cdef int32_t i
        if self._since == NO_ID or not cadence_due(&self._cadence, now_ns, self.symbol.ix):
            return
        if second < self._passed - GRACE_S:
            # our clock was set back: it had ended intervals that were not over
            self.n_restarts += 1
            self._begin(second + GRACE_S)
        self._passed = second
        self._fold()
        for i in range(N_TIMEFRAMES):
            if not delta_pass(&self.deltas[i], second):
                self.n_restarts += 1
                self._begin(second)
                break
        for i in range(N_TIMEFRAMES):
            if self.deltas[i].changed:
                self.deltas[i].changed = False
                self._mark(i)

    cdef void _mark(self, int32_t i) noexcept nogil:
        if self._outlets[i] != NULL:
            self.out.mark(<Channel>self._outlets[i], self._ts_event, self._ts_recv, MARK_ROUNDED if self.symbol.contract == CONTRACT_INVERSE else 0)

    cdef void render(self, Channel channel, Writer* w) noexcept nogil:
        cdef int32_t i
        for i in range(N_TIMEFRAMES):
            if self._outlets[i] == <void*>channel:
                self._put(w, &self.deltas[i])

    cdef void _put(self, Writer* w, const Delta* d) noexcept nogil:
        cdef const Symbol* symbol = self.symbol
        cdef const Turnover* session = &self.deltas[N_TIMEFRAMES - 1].forming
        cdef int64_t open_s = d.index * d.seconds
        cdef int64_t rolling_s = delta_sliding_from(d)
        cdef bint seen = open_s > self._since
        put_bytes(w, b',"open_time":', 13)
        put_int(w, open_s * NS)
        put_bytes(w, b',"close_time":', 14)
        put_int(w, (open_s + d.seconds) * NS)
        put_bytes(w, b',"delta":', 9)
        put_base(w, symbol, &d.forming)
        put_bytes(w, b',"quote_delta":', 15)
        put_quote(w, symbol, &d.forming)
        if seen:
            put_bytes(w, b',"previous_delta":', 18)
            put_base(w, symbol, &d.previous)
            put_bytes(w, b',"previous_quote_delta":', 24)
            put_quote(w, symbol, &d.previous)
        else:
            put_bytes(w, b',"previous_delta":null,"previous_quote_delta":null', 50)
        put_bytes(w, b',"rolling":', 11)
        put_base(w, symbol, &d.sliding)
        put_bytes(w, b',"quote_rolling":', 17)
        put_quote(w, symbol, &d.sliding)
        put_bytes(w, b',"rolling_since":', 17)
        put_int(w, rolling_s * NS)
        put_bytes(w, b',"session":', 11)
        put_base(w, symbol, session)
        put_bytes(w, b',"quote_session":', 17)
        put_quote(w, symbol, session)
        put_bytes(w, b',"since":', 9)
        put_int(w, self._since * NS)
        if symbol.contract != CONTRACT_BASE:
            put_bytes(w, b',"contracts_delta":', 19)
            put_contracts(w, symbol, &d.forming)
            put_bytes(w, b',"contracts_previous":', 22)
            if seen:
                put_contracts(w, symbol, &d.previous)
            else:
                put_bytes(w, b"null", 4)
            put_bytes(w, b',"contracts_rolling":', 21)
            put_contracts(w, symbol, &d.sliding)
            put_bytes(w, b',"contracts_session":', 21)
            put_contracts(w, symbol, session)
        put_bytes(w, b',"complete":', 12)
        put_bool(w, self._complete(open_s, INT64_MAX))
        put_bytes(w, b',"previous_complete":', 21)
        put_bool(w, self._complete(open_s - d.seconds, open_s - 1))
        put_bytes(w, b',"rolling_complete":', 20)
        put_bool(w, self._complete(rolling_s, INT64_MAX))
        put_bytes(w, b',"session_complete":', 20)
        put_bool(w, self._complete(self.deltas[N_TIMEFRAMES - 1].index * DAY_S, INT64_MAX))

    cdef bint now(self, int64_t seconds, CvdNow* to) noexcept nogil:
        """The newest values of the timeframe of so many seconds, whatever was published."""
        cdef const Delta* d = NULL
        cdef int32_t i
        if self._since == NO_ID:
            return False
        self._fold()
        for i in range(N_TIMEFRAMES):
            if self.deltas[i].seconds == seconds:
                d = &self.deltas[i]
        if d == NULL:
            return False
        to.delta = turnover_base(self.symbol, &d.forming)
        to.quote_delta = turnover_quote(self.symbol, &d.forming)
        to.rolling = turnover_base(self.symbol, &d.sliding)
        to.quote_rolling = turnover_quote(self.symbol, &d.sliding)
        to.session = turnover_base(self.symbol, &self.deltas[N_TIMEFRAMES - 1].forming)
        to.quote_session = turnover_quote(self.symbol, &self.deltas[N_TIMEFRAMES - 1].forming)
        to.complete = self._complete(delta_sliding_from(d), INT64_MAX)
        return True

    def counters(self):
        """What was counted, by name."""
        return {"suspect_times": self.n_suspect_times, "restarts": self.n_restarts}

    def values(self):
        """{timeframe: its fields as they stand now}; empty before the first trade."""
        cdef Writer w
        if self._since == NO_ID:
            return {}
        self._fold()
        if not writer_init(&w, 1024):
            raise MemoryError
        told = {}
        for i, name in enumerate(SECONDS):
            w.size = 0
            self._put(&w, &self.deltas[<int>i])
            told[name] = msgspec.json.decode(b"{" + w.at[1:w.size] + b"}")
        writer_free(&w)
        return told

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        """All sums or none: where one does not fit, they begin anew rather than mix two scales."""
        cdef bint fits = turnover_rescale(&self._bought, self.symbol, px_factor, qty_factor) \
            and turnover_rescale(&self._sold, self.symbol, px_factor, qty_factor)
        cdef int32_t i
        for i in range(N_TIMEFRAMES):
            fits = fits and delta_rescale(&self.deltas[i], self.symbol, px_factor, qty_factor)
        if not fits:
            self.n_restarts += 1
            self._begin(self._second)
        return True
