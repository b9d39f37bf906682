"""Momentum: which way the price goes by horizon, its jumps, its spikes."""

from libc.math cimport NAN, fabs, isnan, log
from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memset

from cext.book cimport ASKS, BIDS, Book
from cext.cadence cimport cadence_due
from cext.events cimport EVENT_BACKFILL, EVENT_BLOCK, Event, Level
from cext.measures.jumps cimport LEAST_WINDOW, MAX_WINDOW, Jump, jumps_begin, jumps_init, jumps_limit, jumps_pass
from cext.measures.trend cimport trend_begin, trend_init, trend_pass, trend_return, trend_z
from cext.names cimport Names
from cext.outbox cimport MEDIUM, Channel, Outbox
from cext.stream cimport BOOK_SYNCED, HEARS_BOOK, HEARS_STATE, HEARS_TIMER, HEARS_TRADES, BookState, Reason, Stream
from cext.symbols cimport Symbol
from cext.units cimport NO_TIME, ns_t
from cext.worth cimport worth_of
from cext.writer cimport Writer, put_bytes, put_double, put_int, put_text, writer_free, writer_init

import msgspec

cdef enum:
    NS = 1_000_000_000
    TENTH_NS = 100_000_000
    STALL_S = 10        # after so long without a tick of the timer (a machine that slept) prices are not what they were
    DIGITS = 9          # significant, of scores
    DAY_S = 86_400

cdef const char* HORIZON_NAMES[N_HORIZONS]
cdef const char* INTERVAL_NAMES[N_INTERVALS]
HORIZON_NAMES[:] = [b'"1s":{"return_bps":', b'"10s":{"return_bps":', b'"1m":{"return_bps":', b'"5m":{"return_bps":']
INTERVAL_NAMES[:] = [b'"1s":{"l":', b'"1m":{"l":']
cdef int32_t HORIZONS_S[N_HORIZONS]
cdef int32_t INTERVALS_S[N_INTERVALS]
HORIZONS_S[:] = [1, 10, 60, 300]
INTERVALS_S[:] = [1, 60]


cdef inline bint _differ(double a, double b, double by) noexcept nogil:
    return isnan(a) != isnan(b) or fabs(a - b) >= by


cdef class Momentum(Stream):
    """`momentum`: newest values, when they changed. Prices are mids of the book.

    horizons (null while the book is not synced), each of 1s, 10s, 1m, 5m: return_bps (mean return of late, as of a whole horizon), z (the same in
    deviations of what chance would give; null until ten horizons were seen), trend (1 or -1 where |z| is beyond its threshold, else 0).
    jumps, each of 1s and 1m: l (Lee and Mykland's statistic of the newest interval; null until `window` returns were seen, or where nothing
    moved), limit (of |l|), sigma_bps (their volatility of one return), count (jumps since the start). last_jump, last_spike (null: none yet): interval,
    time (its end), return_bps, l, volume_z. spikes (since the start): returns of a second beyond so many sigma on a volume so far above its mean.

    How each is defined: cext/measures/trend.pxd and jumps.pxd. Returns across a break of the book are none.
    """

    def __init__(self, Names names not None, *, str word="", **settings):
        cdef int32_t i
        self.names = names
        self.word = word
        self.hears = HEARS_BOOK | HEARS_STATE | HEARS_TRADES | HEARS_TIMER
        memset(&self.newest, 0, sizeof(MomentumNow))
        for i in range(N_HORIZONS):
            trend_init(&self.trends[i], HORIZONS_S[i] * <ns_t>NS)
            self.newest.moves[i] = self.newest.z[i] = NAN
        for i in range(N_INTERVALS):
            jumps_init(&self.jumps[i], INTERVALS_S[i] * <ns_t>NS)
            self.newest.statistics[i] = NAN
        self._told = self.newest
        self._bid = self._ask = 0
        self._passed_ns = self._ts_event = self._ts_recv = NO_TIME
        self.configure(**settings)

    def configure(self, *, ns_t every_ns=250_000_000, double threshold=3.0, double volatility_horizons=60.0, int32_t jump_window=270,
                  double jump_significance=0.01, double spike_sigmas=6.0, double spike_volume_z=3.0):
        """Settings from now on; nothing that was measured is lost."""
        cdef int32_t i
        within = (
            ("every_ns", every_ns, 10_000_000, 60_000_000_000), ("threshold", threshold, 0.1, 100.0), ("volatility_horizons", volatility_horizons, 2.0, 10_000.0),
            ("jump_window", jump_window, LEAST_WINDOW, MAX_WINDOW), ("jump_significance", jump_significance, 1e-9, 0.5),
            ("spike_sigmas", spike_sigmas, 0.1, 1000.0), ("spike_volume_z", spike_volume_z, -100.0, 1000.0),
        )
        for name, value, least, most in within:
            if not least <= value <= most:
                raise ValueError(f"{name} {value} is outside {least}..{most}")
        self._cadence.every_ns = every_ns
        self._threshold = threshold
        for i in range(N_HORIZONS):
            self.trends[i].memory = volatility_horizons
        for i in range(N_INTERVALS):
            self.jumps[i].window = jump_window
            self.jumps[i].limit = jumps_limit(<double>DAY_S / INTERVALS_S[i], jump_significance)
            self.jumps[i].spike_sigmas = spike_sigmas
            self.jumps[i].spike_volume_z = spike_volume_z

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self.channel = self.names.channel(out, "momentum", self.word, MEDIUM, self, True)
        self._worth = worth_of(symbol)

    cdef void _begin(self, ns_t now_ns) noexcept nogil:
        """What comes next is no return of what was."""
        cdef int32_t i
        self._bid = self._ask = 0
        for i in range(N_HORIZONS):
            trend_begin(&self.trends[i], now_ns)
        for i in range(N_INTERVALS):
            jumps_begin(&self.jumps[i], now_ns)

    cdef void _pass(self, ns_t now_ns) noexcept nogil:
        """The price that is in force was so until now."""
        cdef double price
        cdef int32_t i
        if self._passed_ns != NO_TIME and (now_ns < self._passed_ns - TENTH_NS or now_ns - self._passed_ns > STALL_S * <ns_t>NS):
            self._begin(now_ns)  # our clock was set, or stood still
            self._take_top(now_ns)
        elif (now_ns - 1) // TENTH_NS != (self._passed_ns - 1) // TENTH_NS and self._bid > 0:
            price = log(0.5 * (<double>self._bid + <double>self._ask) * self._worth.px)
            for i in range(N_HORIZONS):
                trend_pass(&self.trends[i], price, now_ns)
            for i in range(N_INTERVALS):
                jumps_pass(&self.jumps[i], price, now_ns)
        self._passed_ns = now_ns

    cdef void _take_top(self, ns_t now_ns) noexcept nogil:
        cdef Level bid, ask
        if self.newest.followed and self.book.best(BIDS, &bid) and self.book.best(ASKS, &ask):
            if self._bid == 0:
                self._begin(now_ns)
            self._bid = bid.px
            self._ask = ask.px
        else:
            self._bid = self._ask = 0

    cdef void on_book(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        self._pass(ts_recv)
        self._take_top(ts_recv)
        self._ts_event = event.ts_event
        self._ts_recv = ts_recv

    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        self._pass(now_ns)  # until a book is lost its price was in force
        self._begin(now_ns)
        self.newest.followed = state == BOOK_SYNCED
        self._passed_ns = now_ns
        self._take_top(now_ns)

    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil:
        """Only its volume counts, and only of what comes as it happens."""
        cdef int32_t i
        if event.flags & (EVENT_BACKFILL | EVENT_BLOCK):
            return
        self._pass(ts_recv)
        for i in range(N_INTERVALS):
            self.jumps[i].volume += <double>event.qty

    cdef void _look(self, ns_t now_ns) noexcept nogil:
        """Measure everything as of now."""
        cdef MomentumNow* newest = &self.newest
        cdef int32_t i
        newest.at_ns = now_ns
        for i in range(N_HORIZONS):
            newest.moves[i] = trend_return(&self.trends[i]) if newest.followed else NAN
            newest.z[i] = trend_z(&self.trends[i]) if newest.followed else NAN
            newest.trends[i] = (newest.z[i] > self._threshold) - (newest.z[i] < -self._threshold)
        newest.n_jumps = 0
        for i in range(N_INTERVALS):
            newest.statistics[i] = self.jumps[i].statistic
            newest.n_jumps += self.jumps[i].n_jumps
        newest.n_spikes = self.jumps[0].n_spikes

    cdef bint _moved(self) noexcept nogil:
        """By more than nobody would notice, since it was told."""
        cdef int32_t i
        for i in range(N_HORIZONS):
            if _differ(self.newest.z[i], self._told.z[i], 0.001) or self.newest.trends[i] != self._told.trends[i]:
                return True
        for i in range(N_INTERVALS):
            if _differ(self.newest.statistics[i], self._told.statistics[i], 0.001):
                return True
        return self.newest.n_jumps != self._told.n_jumps or self.newest.n_spikes != self._told.n_spikes

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        self._pass(now_ns)
        if not cadence_due(&self._cadence, now_ns, self.symbol.ix):
            return
        self._look(now_ns)
        if self._moved():
            self._told = self.newest
            self.out.mark(self.channel, self._ts_event, self._ts_recv, 0)

    cdef void render(self, Channel channel, Writer* w) noexcept nogil:
        cdef const MomentumNow* now = &self.newest
        cdef int32_t i
        put_bytes(w, b',"horizons":', 12)
        for i in range(N_HORIZONS if now.followed else 0):
            put_bytes(w, b"{" if i == 0 else b",", 1)
            put_text(w, HORIZON_NAMES[i])
            put_double(w, 1e4 * now.moves[i], DIGITS)
            put_bytes(w, b',"z":', 5)
            put_double(w, now.z[i], DIGITS)
            put_bytes(w, b',"trend":', 9)
            if isnan(now.z[i]):
                put_bytes(w, b"null", 4)
            else:
                put_int(w, now.trends[i])
            put_bytes(w, b"}", 1)
        if now.followed:
            put_bytes(w, b"}", 1)
        else:
            put_bytes(w, b"null", 4)
        put_bytes(w, b',"jumps":{', 10)
        for i in range(N_INTERVALS):
            if i > 0:
                put_bytes(w, b",", 1)
            put_text(w, INTERVAL_NAMES[i])
            put_double(w, now.statistics[i], DIGITS)
            put_bytes(w, b',"limit":', 9)
            put_double(w, self.jumps[i].limit, DIGITS)
            put_bytes(w, b',"sigma_bps":', 13)
            put_double(w, 1e4 * self.jumps[i].sigma, DIGITS)
            put_bytes(w, b',"count":', 9)
            put_int(w, self.jumps[i].n_jumps)
            put_bytes(w, b"}", 1)
        put_bytes(w, b'},"last_jump":', 14)
        i = self.jumps[1].jump.at_ns >= self.jumps[0].jump.at_ns
        self._put_jump(w, i, &self.jumps[i].jump)
        put_bytes(w, b',"spikes":', 10)
        put_int(w, now.n_spikes)
        put_bytes(w, b',"last_spike":', 14)
        self._put_jump(w, 0, &self.jumps[0].spike)

    cdef void _put_jump(self, Writer* w, int32_t interval, const Jump* jump) noexcept nogil:
        if jump.at_ns == NO_TIME:
            put_bytes(w, b"null", 4)
            return
        if interval == 0:
            put_bytes(w, b'{"interval":"1s","time":', 24)
        else:
            put_bytes(w, b'{"interval":"1m","time":', 24)
        put_int(w, jump.at_ns)
        put_bytes(w, b',"return_bps":', 14)
        put_double(w, 1e4 * jump.move, DIGITS)
        put_bytes(w, b',"l":', 5)
        put_double(w, jump.statistic, DIGITS)
        put_bytes(w, b',"volume_z":', 12)
        put_double(w, jump.volume_z, DIGITS)
        put_bytes(w, b"}", 1)

    def values(self, now_ns):
        """What would be published at that time, as plain data."""
        cdef Writer w
        cdef ns_t at = now_ns
        self._pass(at)
        self._look(at)
        if not writer_init(&w, 2048):
            raise MemoryError
        self.render(self.channel, &w)
        told = msgspec.json.decode(b"{" + w.at[1:w.size] + b"}")
        writer_free(&w)
        return told

    def counters(self):
        """What was counted, by name."""
        return {"jumps": self.jumps[0].n_jumps + self.jumps[1].n_jumps, "spikes": self.jumps[0].n_spikes}

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        """A price that does not fit is not known."""
        cdef int32_t i
        cdef int64_t j
        self._worth = worth_of(self.symbol)
        for i in range(N_INTERVALS):
            self.jumps[i].volume *= qty_factor
            for j in range(MAX_WINDOW):
                self.jumps[i].volumes[j] *= qty_factor
        if self._bid > INT64_MAX // px_factor or self._ask > INT64_MAX // px_factor:
            self._bid = self._ask = 0
            return True
        self._bid *= px_factor
        self._ask *= px_factor
        return True
