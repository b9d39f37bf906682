"""Candles of fifteen timeframes out of the trades themselves, with nothing lost to rounding, order or lateness."""

from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memset

from cext.bar cimport Bar, bar_rescale
from cext.book cimport Book
from cext.grid cimport MAX_TIMEFRAMES, NS, Grid
from cext.names cimport Names
from cext.outbox cimport HIGH, LOW, MARK_ROUNDED, MARK_SYNTHETIC, Channel, Outbox
from cext.stream cimport Stream
from cext.symbols cimport CONTRACT_BASE, CONTRACT_INVERSE, Symbol
from cext.turnover cimport Turnover, put_base, put_contracts, put_quote, put_vwap, turnover_merge
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.writer cimport Writer, put_bytes, put_decimal, put_int, writer_free, writer_init

import msgspec
from cext.grid import SECONDS

cdef enum:
    SLOW_S = 60                 # from this timeframe up the forming candle is drawn every second

# Where the candles of one timeframe go.
cdef struct Outlet:
    void* closed            # channels, borrowed; NULL: not published
    void* forming
    int64_t drawn           # n_changes when the forming candle was last marked
    Bar shown               # the forming candle as it was then


cdef class Candles(Grid):
    """`candles` (at each close) and `candles_open` (the forming ones, when they changed).

    open_time, close_time (ns; the first one after the interval), open, high, low, close, volume (base coins; inverse contracts: rounded
    once, half-even to 8 decimals, flag `rounded`), quote_volume, buy_volume and buy_quote_volume (of aggressors that bought), trades (fills,
    as the venue counts them; rows where it gives no fill ids), vwap (quote_volume / volume, half-even to four decimals under the tick; null
    without trades), revision, final, complete (false: trades are or may be missing, as in the interval of the very first one and around a
    gap; once they were fetched the candle is published again). Contracts only: contracts, buy_contracts. What was made of the venue's history
    too (cext/seeding.pyx) has the flag `backfill`; where that does not tell what was bought, or how many trades it was, these are null.

    When a candle closes and what amends it: cext/grid.pyx. An amended one is published again at the next tick with revision + 1 and `amends`.
    Flat ones have the flag `synthetic`. A sum that outgrew 128 bits makes the volumes null, never wrong.
    """

    cdef readonly Names names
    cdef readonly str word
    cdef readonly str open_word
    cdef tuple _channels                    # owns what the outlets borrow
    cdef bint _draws
    cdef Outlet _outlets[MAX_TIMEFRAMES]    # by frame
    cdef int64_t _fast_turn
    cdef int64_t _slow_turn

    def __init__(self, Names names not None, timeframes=tuple(SECONDS), *, ns_t close_delay_ns=250_000_000, int64_t late_s=600, bint forming=True,
                 str word="", str open_word=""):
        Grid.__init__(self, timeframes, close_delay_ns=close_delay_ns, late_s=late_s)
        self.names = names
        self.word = word
        self.open_word = open_word
        self._draws = forming
        memset(self._outlets, 0, sizeof(self._outlets))

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        cdef Channel channel
        cdef int32_t i
        Stream.attach(self, book, out, symbol)
        channels = []
        for name in self.timeframes:
            i = self.frame_of(name)
            channel = self.names.channel(out, "candles", self.word, HIGH, self, False, False, name)
            channels.append(channel)
            self._outlets[i].closed = <void*>channel
            if self._draws:
                channel = self.names.channel(out, "candles_open", self.open_word, LOW, self, True, False, name)
                channels.append(channel)
                self._outlets[i].forming = <void*>channel
        self._channels = tuple(channels)

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        cdef int64_t fast_turn, slow_turn
        cdef bint fast, slow
        cdef int32_t i
        Grid.on_timer(self, now_ns)
        if not self._draws or self.first == NO_ID:
            return
        # instruments take turns, so that they do not all draw at one tick
        fast_turn = (now_ns + self.symbol.ix % 5 * 50_000_000) // 250_000_000
        slow_turn = (now_ns + self.symbol.ix % 20 * 50_000_000) // NS
        fast = fast_turn != self._fast_turn
        slow = slow_turn != self._slow_turn
        self._fast_turn = fast_turn
        self._slow_turn = slow_turn
        for i in range(self.n_frames):
            if self._outlets[i].forming != NULL and self._outlets[i].drawn != self.n_changes and (slow if self.frames[i].seconds >= SLOW_S else fast):
                self._draw(i)

    cdef void _draw(self, int32_t i) noexcept nogil:
        """Mark the forming candle, as it stands now."""
        cdef Outlet* outlet = &self._outlets[i]
        outlet.drawn = self.n_changes
        self.forming(i, &outlet.shown)
        self.out.mark(<Channel>outlet.forming, outlet.shown.close_at, NO_TIME, self._marks(&outlet.shown))

    cdef uint32_t _marks(self, const Bar* bar) noexcept nogil:
        if bar.trades == 0:
            return bar.marks | MARK_SYNTHETIC
        return bar.marks | (MARK_ROUNDED if self.symbol.contract == CONTRACT_INVERSE else 0)

    cdef void on_bar(self, int32_t i, Bar* bar) noexcept nogil:
        """Publish it."""
        cdef Outlet* outlet = &self._outlets[i]
        cdef Writer* w
        cdef int64_t seq
        if outlet.closed == NULL:
            return
        w = self.out.open(<Channel>outlet.closed, bar.close_at if bar.trades > 0 else NO_TIME, NO_TIME, self._marks(bar))
        if bar.revision > 0 and bar.seq != NO_ID:
            self.out.amends(self.out.epoch, bar.seq)
        bar.told_complete = self.complete(i, bar)
        self._put(w, i, bar)
        seq = self.out.close(<Channel>outlet.closed)
        if seq >= 0:
            bar.seq = seq

    cdef void render(self, Channel channel, Writer* w) noexcept nogil:
        cdef int32_t i
        for i in range(self.n_frames):
            if self._outlets[i].forming == <void*>channel:
                self._put(w, i, &self._outlets[i].shown)

    cdef void _put(self, Writer* w, int32_t i, const Bar* bar) noexcept nogil:
        cdef const Symbol* symbol = self.symbol
        cdef int64_t seconds = self.frames[i].seconds
        cdef Turnover all = bar.bought
        put_bytes(w, b',"open_time":', 13)
        put_int(w, bar.index * seconds * NS)
        put_bytes(w, b',"close_time":', 14)
        put_int(w, (bar.index + 1) * seconds * NS)
        put_bytes(w, b',"open":', 8)
        put_decimal(w, bar.open, symbol.px_scale)
        put_bytes(w, b',"high":', 8)
        put_decimal(w, bar.high, symbol.px_scale)
        put_bytes(w, b',"low":', 7)
        put_decimal(w, bar.low, symbol.px_scale)
        put_bytes(w, b',"close":', 9)
        put_decimal(w, bar.close, symbol.px_scale)
        if bar.outgrown or not turnover_merge(&all, &bar.rest):
            put_bytes(w, b',"volume":null,"quote_volume":null,"vwap":null,"buy_volume":null,"buy_quote_volume":null', 88)
            if symbol.contract != CONTRACT_BASE:
                put_bytes(w, b',"contracts":null,"buy_contracts":null', 38)
        else:
            put_bytes(w, b',"volume":', 10)
            put_base(w, symbol, &all)
            put_bytes(w, b',"quote_volume":', 16)
            put_quote(w, symbol, &all)
            put_bytes(w, b',"vwap":', 8)
            put_vwap(w, symbol, &all)
            if bar.unsplit:
                put_bytes(w, b',"buy_volume":null,"buy_quote_volume":null', 42)
            else:
                put_bytes(w, b',"buy_volume":', 14)
                put_base(w, symbol, &bar.bought)
                put_bytes(w, b',"buy_quote_volume":', 20)
                put_quote(w, symbol, &bar.bought)
            if symbol.contract != CONTRACT_BASE:
                put_bytes(w, b',"contracts":', 13)
                put_contracts(w, symbol, &all)
                put_bytes(w, b',"buy_contracts":', 17)
                if bar.unsplit:
                    put_bytes(w, b"null", 4)
                else:
                    put_contracts(w, symbol, &bar.bought)
        put_bytes(w, b',"trades":', 10)
        if bar.uncounted:
            put_bytes(w, b"null", 4)
        else:
            put_int(w, bar.trades)
        put_bytes(w, b',"revision":', 12)
        put_int(w, bar.revision)
        if bar.closed:
            put_bytes(w, b',"final":true', 13)
        else:
            put_bytes(w, b',"final":false', 14)
        if self.complete(i, bar):
            put_bytes(w, b',"complete":true', 16)
        else:
            put_bytes(w, b',"complete":false', 17)

    def closed(self, str timeframe):
        """The closed candles of `timeframe` that late trades can still amend, oldest first, as published."""
        cdef int32_t i = self.frame_of(timeframe)
        cdef Bar* bar
        cdef int32_t j
        if i < 0:
            raise ValueError(f"{timeframe} is not kept")
        rows = []
        for j in range(self.frames[i].n_bars):
            bar = &self.frames[i].bars[j]
            if bar.index != NO_ID and bar.closed:
                rows.append(self._told(i, bar))
        return sorted(rows, key=lambda row: row["open_time"])

    def formed(self, str timeframe):
        """The newest candle of `timeframe` that has a trade, as it stands now; None before the first one."""
        cdef int32_t i = self.frame_of(timeframe)
        cdef Bar bar
        if i < 0:
            raise ValueError(f"{timeframe} is not kept")
        if self.first == NO_ID:
            return None
        self.forming(i, &bar)
        return self._told(i, &bar)

    cdef object _told(self, int32_t i, const Bar* bar):
        """Its fields as published."""
        cdef Writer w
        if not writer_init(&w, 1024):
            raise MemoryError
        self._put(&w, i, bar)
        row = msgspec.json.decode(b"{" + w.at[1:w.size] + b"}")
        writer_free(&w)
        return row

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        cdef int32_t i
        if not Grid.on_rescale(self, px_factor, qty_factor):
            return False
        for i in range(self.n_frames):
            bar_rescale(&self._outlets[i].shown, self.symbol, px_factor, qty_factor)
        return True
