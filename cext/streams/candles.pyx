"""Candles of fifteen timeframes out of the trades themselves, with nothing lost to rounding, order or lateness."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memmove, memset

from cext.book cimport Book
from cext.events cimport EVENT_BLOCK, SIDE_BUY, Event
from cext.names cimport Names
from cext.outbox cimport HIGH, LOW, MARK_ROUNDED, MARK_SUSPECT_TIME, MARK_SYNTHETIC, Channel, Outbox
from cext.stream cimport HEARS_TAPE, HEARS_TIMER, HEARS_TRADES, Stream
from cext.symbols cimport CONTRACT_BASE, CONTRACT_INVERSE, Symbol
from cext.tape cimport NEWS_HOLE, NEWS_INTERRUPTED, NEWS_LOST, NEWS_RESUMED, Hole, TapeNews
from cext.turnover cimport (
    Turnover, put_base, put_contracts, put_quote, put_vwap, turnover_add, turnover_merge, turnover_rescale,
)
from cext.units cimport NO_ID, NO_TIME, ns_t, px_t
from cext.writer cimport Writer, put_bytes, put_decimal, put_int, writer_free, writer_init

import msgspec

SECONDS = {"1s": 1, "5s": 5, "10s": 10, "15s": 15, "30s": 30, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200,
           "4h": 14400, "12h": 43200, "1d": 86400}

cdef enum:
    MAX_TIMEFRAMES = 15
    GRACE_S = 2                 # a trade this much after a second's end closes it, whatever the clock says; longer where the delay is
    MAX_DELAY_S = 10
    MAX_AHEAD_S = 60            # a trade stamped later than that after we received it has no time that could be believed
    MAX_CLOSES = 600            # seconds in one tick of the timer: after a long sleep the loop must go on breathing
    LOST = -1                   # the number of a doubt that became a certainty
    MAX_DOUBTS = 32             # spans that may lack trades; beyond it the oldest is taken for lost
    MAX_FILL_S = 86400          # a longer silence of the clock (a stopped machine) is not filled: the grid begins anew
    SLOW_S = 60                 # from this timeframe up the forming candle is drawn every second
    NS = 1000000000

cdef struct Doubt:          # seconds from..to may lack trades that can still come
    int64_t number          # of the tape's hole; 0: a lost socket, `to` is open
    int64_t from_s
    int64_t to_s

# One interval of one timeframe. `open_at`, `close_at` and the ids order trades that arrive in any order.
cdef struct Bar:
    int64_t index           # its beginning in whole timeframes since 1970; NO_ID: free
    px_t open
    px_t high
    px_t low
    px_t close
    ns_t open_at
    ns_t close_at
    int64_t open_id
    int64_t close_id
    Turnover bought         # by the aggressor
    Turnover rest           # sold, or the venue does not say
    int64_t trades
    int64_t seq             # of the event that published it last
    int32_t revision
    uint32_t marks
    bint closed
    bint amended            # since it was published
    bint incomplete         # trades of it are missing, and will not come
    bint told_complete      # as published last
    bint outgrown           # the sums are not known any more: one did not fit

# A timeframe and the bars of late: a ring by index, the forming one among them.
cdef struct Timeframe:
    int64_t seconds
    Bar* bars
    int32_t n_bars
    int32_t n_amended
    int64_t drawn           # _n_changes when the forming candle was last marked
    Bar shown               # the forming candle as it was then
    void* closed            # channels, borrowed; NULL: not published
    void* forming


cdef inline Bar* _slot(const Timeframe* frame, int64_t index) noexcept nogil:
    return &frame.bars[index % frame.n_bars]


cdef void _blank(Bar* bar, int64_t index) noexcept nogil:
    memset(bar, 0, sizeof(Bar))
    bar.index = index
    bar.seq = NO_ID


cdef inline bint _add(Bar* bar, const Symbol* symbol, const Event* event, ns_t at) noexcept nogil:
    """Add one trade, whatever came before it. False if it outgrew the sums."""
    cdef bint fits = turnover_add(&bar.bought if event.side == SIDE_BUY else &bar.rest, symbol, event.px, event.qty)
    if bar.trades == 0:
        bar.open = bar.high = bar.low = bar.close = event.px
        bar.open_at = bar.close_at = at
        bar.open_id = event.first_id
        bar.close_id = event.last_id
    else:
        if event.px > bar.high:
            bar.high = event.px
        elif event.px < bar.low:
            bar.low = event.px
        # the venues' times are milliseconds: within one the ids decide, and where there are none the order of arrival
        if at > bar.close_at or (at == bar.close_at and event.last_id >= bar.close_id):
            bar.close = event.px
            bar.close_at = at
            bar.close_id = event.last_id
        elif at < bar.open_at or (at == bar.open_at and event.first_id < bar.open_id):
            bar.open = event.px
            bar.open_at = at
            bar.open_id = event.first_id
    bar.trades += event.last_id - event.first_id + 1 if 0 <= event.first_id <= event.last_id else 1
    if not fits:
        bar.outgrown = True
    return fits


cdef bint _merge(Bar* bar, const Bar* second) noexcept nogil:
    """Add a second that comes after all that `bar` holds. False if it outgrew the sums."""
    bar.incomplete = bar.incomplete or second.incomplete
    bar.outgrown = bar.outgrown or second.outgrown
    bar.marks |= second.marks
    if second.trades == 0:
        return True
    if bar.trades == 0:
        bar.open = second.open
        bar.high = second.high
        bar.low = second.low
        bar.open_at = second.open_at
        bar.open_id = second.open_id
    else:
        if second.high > bar.high:
            bar.high = second.high
        if second.low < bar.low:
            bar.low = second.low
    bar.close = second.close
    bar.close_at = second.close_at
    bar.close_id = second.close_id
    bar.trades += second.trades
    if turnover_merge(&bar.bought, &second.bought) and turnover_merge(&bar.rest, &second.rest):
        return True
    bar.outgrown = True
    return False


cdef inline void _flatten(Bar* bar, px_t px) noexcept nogil:
    bar.open = bar.high = bar.low = bar.close = px


cdef bint _rescale_px(px_t* px, int64_t factor) noexcept nogil:
    if px[0] > INT64_MAX // factor:
        return False
    px[0] *= factor
    return True


cdef bint _rescale(Bar* bar, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil:
    return _rescale_px(&bar.open, px_factor) and _rescale_px(&bar.high, px_factor) and _rescale_px(&bar.low, px_factor) \
        and _rescale_px(&bar.close, px_factor) and turnover_rescale(&bar.bought, symbol, px_factor, qty_factor) \
        and turnover_rescale(&bar.rest, symbol, px_factor, qty_factor)


cdef class Candles(Stream):
    """`candles` (at each close) and `candles_open` (the forming ones, when they changed).

    open_time, close_time (ns; the first one after the interval), open, high, low, close, volume (base coins; inverse contracts: rounded
    once, half-even to 8 decimals, flag `rounded`), quote_volume, buy_volume and buy_quote_volume (of aggressors that bought), trades (fills,
    as the venue counts them; rows where it gives no fill ids), vwap (quote_volume / volume, half-even to four decimals under the tick; null
    without trades), revision, final, complete (false: trades are or may be missing, as in the interval of the very first one and around a
    gap; once they were fetched the candle is published again). Contracts only: contracts, buy_contracts.

    A trade belongs to the second of its ts_event (ts_recv where there is none). A second is closed `close_delay_ns` after its end by the
    clock, or by a trade two seconds later (later by the delay where that is longer); larger candles are made of closed seconds. A trade that
    comes later still amends every candle it touches, and the flat ones that repeat their close: these are published again at the next tick
    with revision + 1 and `amends`. Later than `late_s` it is only counted. Seconds without trades are flat at the previous close, flag
    `synthetic`; there are none before the first trade. Block trades are left out, as the venues leave them out of their own. A sum that
    outgrew 128 bits makes the volumes null, never wrong.
    """

    cdef readonly Names names
    cdef readonly str word
    cdef readonly str open_word
    cdef readonly tuple timeframes
    cdef readonly int64_t n_late            # trades that amended closed candles
    cdef readonly int64_t n_too_late        # and those that were left out
    cdef readonly int64_t n_suspect_times
    cdef readonly int64_t n_overflows
    cdef readonly int64_t n_restarts        # of the grid
    cdef tuple _channels                    # owns what the timeframes borrow
    cdef bint _draws
    cdef Timeframe _frames[MAX_TIMEFRAMES]  # the first is the second, published or not
    cdef int32_t _n_frames
    cdef int64_t _late_s
    cdef ns_t _close_delay_ns
    cdef int64_t _grace_s
    cdef int64_t _first                     # second of the first trade; NO_ID: none came
    cdef int64_t _closed_to                 # the oldest second that is not closed
    cdef int64_t _newest                    # the newest second with a trade
    cdef ns_t _newest_at
    cdef int64_t _n_changes
    cdef Doubt _doubts[MAX_DOUBTS]
    cdef int32_t _n_doubts
    cdef int64_t _fast_turn
    cdef int64_t _slow_turn

    def __cinit__(self):
        self._n_frames = 0

    def __init__(self, Names names not None, timeframes=tuple(SECONDS), *, ns_t close_delay_ns=250_000_000, int64_t late_s=600, bint forming=True,
                 str word="", str open_word=""):
        if self._n_frames > 0:
            raise RuntimeError("already initialised")
        strangers = [name for name in timeframes if name not in SECONDS]
        if strangers or not timeframes:
            raise ValueError(f"timeframes {strangers or 'none'}: known are {', '.join(SECONDS)}")
        if not 0 <= close_delay_ns <= <ns_t>MAX_DELAY_S * NS:
            raise ValueError(f"close delay {close_delay_ns} ns is outside 0..{MAX_DELAY_S} s")
        if not 1 <= late_s <= 86400:
            raise ValueError(f"late_s {late_s} is outside 1..86400")
        self.names = names
        self.word = word
        self.open_word = open_word
        self.timeframes = tuple(name for name in SECONDS if name in timeframes)
        self.hears = HEARS_TRADES | HEARS_TIMER | HEARS_TAPE
        self._draws = forming
        self._late_s = late_s
        self._close_delay_ns = close_delay_ns
        self._grace_s = max(GRACE_S, (close_delay_ns + NS - 1) // NS)
        self._first = self._newest = NO_ID
        self._n_doubts = 0
        for name in ("1s", *(name for name in self.timeframes if name != "1s")):
            self._add_frame(SECONDS[name])

    def __dealloc__(self):
        cdef int32_t i
        for i in range(self._n_frames):
            free(self._frames[i].bars)

    cdef int _add_frame(self, int64_t seconds) except -1:
        cdef Timeframe* frame = &self._frames[self._n_frames]
        memset(frame, 0, sizeof(Timeframe))
        frame.seconds = seconds
        # all that a late trade may touch, the forming one, and one for the ends that do not align
        frame.n_bars = <int32_t>(self._late_s // seconds + 2 + (self._grace_s + 1 if seconds == 1 else 0))
        frame.bars = <Bar*>calloc(frame.n_bars, sizeof(Bar))
        if frame.bars == NULL:
            raise MemoryError
        self._n_frames += 1
        self._clear(frame)
        return 0

    cdef void _clear(self, Timeframe* frame) noexcept nogil:
        cdef int32_t i
        for i in range(frame.n_bars):
            frame.bars[i].index = NO_ID
        frame.n_amended = 0

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        cdef Channel channel
        cdef int32_t i
        Stream.attach(self, book, out, symbol)
        channels = []
        for name in self.timeframes:
            i = 0
            while self._frames[i].seconds != SECONDS[name]:
                i += 1
            channel = self.names.channel(out, "candles", self.word, HIGH, self, False, False, name)
            channels.append(channel)
            self._frames[i].closed = <void*>channel
            if self._draws:
                channel = self.names.channel(out, "candles_open", self.open_word, LOW, self, True, False, name)
                channels.append(channel)
                self._frames[i].forming = <void*>channel
        self._channels = tuple(channels)

    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil:
        cdef ns_t at = event.ts_event
        cdef int64_t second
        cdef uint32_t marks = 0
        cdef Timeframe* seconds = &self._frames[0]
        cdef Bar* bar
        if event.flags & EVENT_BLOCK or event.px <= 0 or event.qty <= 0:
            return
        if at == NO_TIME:
            at = ts_recv
        elif at > ts_recv + <ns_t>MAX_AHEAD_S * NS:
            at = ts_recv
            marks = MARK_SUSPECT_TIME
            self.n_suspect_times += 1
        second = at // NS
        if self._first != NO_ID and second - self._closed_to > MAX_FILL_S:
            self._restart()
        if self._first == NO_ID or (second < self._closed_to == self._first and self._newest - second < seconds.n_bars):
            # the first trade, or one from before it while nothing is closed
            self._first = self._closed_to = second
        elif second < self._closed_to:
            self._amend(event, second, at, marks)
            return
        while self._closed_to + 1 + self._grace_s <= second:
            self._close_second()
        bar = _slot(seconds, second)
        if bar.index != second:
            self._begin(seconds, bar, second)
        if not _add(bar, self.symbol, event, at):
            self.n_overflows += 1
        bar.marks |= marks
        if at > self._newest_at:
            self._newest = second
            self._newest_at = at
        self._n_changes += 1

    cdef void _begin(self, Timeframe* frame, Bar* bar, int64_t index) noexcept nogil:
        """Give the ring's slot to a new interval."""
        if bar.index != NO_ID and bar.amended:
            self._publish(frame, bar)
            frame.n_amended -= 1
        _blank(bar, index)

    cdef void _close_second(self) noexcept nogil:
        """Close the oldest open second, roll it up, and close what ends with it."""
        cdef int64_t second = self._closed_to
        cdef int64_t index
        cdef Timeframe* frame = &self._frames[0]
        cdef Bar* bar = _slot(frame, second)
        cdef Bar* larger
        cdef int32_t i
        if bar.index != second:
            self._begin(frame, bar, second)
        if bar.trades == 0:
            _flatten(bar, _slot(frame, second - 1).close)
        if second == self._first:
            bar.incomplete = True
        self._closed_to = second + 1
        self._close(frame, bar)
        if self._n_doubts > 0:
            self._end_losses()
        for i in range(1, self._n_frames):
            frame = &self._frames[i]
            index = second // frame.seconds
            larger = _slot(frame, index)
            if larger.index != index:
                self._begin(frame, larger, index)
            if not _merge(larger, bar):
                self.n_overflows += 1
            if (index + 1) * frame.seconds == second + 1:
                if larger.trades == 0:
                    _flatten(larger, bar.close)
                if index * frame.seconds < self._first:
                    larger.incomplete = True
                self._close(frame, larger)

    cdef void _close(self, Timeframe* frame, Bar* bar) noexcept nogil:
        bar.closed = True
        self._publish(frame, bar)

    cdef void _amend(self, const Event* event, int64_t second, ns_t at, uint32_t marks) noexcept nogil:
        """A trade of a second that is closed: into every bar it touches; those that are closed too are published again at the next tick."""
        cdef Timeframe* frame
        cdef Bar* bar
        cdef px_t close
        cdef bint changed = False
        cdef int32_t i
        if second < self._first or second < self._closed_to - self._late_s:
            self.n_too_late += 1
            return
        self.n_late += 1
        for i in range(self._n_frames):
            frame = &self._frames[i]
            bar = _slot(frame, second // frame.seconds)
            close = bar.close
            if not _add(bar, self.symbol, event, at):
                self.n_overflows += 1
            bar.marks |= marks
            if bar.closed:
                self._mark_amended(frame, bar)
                if bar.close != close:
                    self._spread_close(frame, bar)
            else:
                changed = True
        if at > self._newest_at:
            self._newest = second
            self._newest_at = at
            changed = True
        self._n_changes += changed

    cdef void _mark_amended(self, Timeframe* frame, Bar* bar) noexcept nogil:
        if not bar.amended:
            bar.amended = True
            bar.revision += 1
            frame.n_amended += 1

    cdef void _spread_close(self, Timeframe* frame, Bar* bar) noexcept nogil:
        """The flat candles after an amended one repeat its close."""
        cdef px_t close = bar.close
        cdef Bar* next = _slot(frame, bar.index + 1)
        while next.index == bar.index + 1 and next.closed and next.trades == 0:
            bar = next
            _flatten(bar, close)
            self._mark_amended(frame, bar)
            next = _slot(frame, bar.index + 1)

    cdef void _republish(self, Timeframe* frame) noexcept nogil:
        """What was amended since the last tick, oldest first."""
        cdef int64_t index = (self._closed_to - 1) // frame.seconds - frame.n_bars + 1
        cdef Bar* bar
        while frame.n_amended > 0 and index < self._closed_to:
            bar = _slot(frame, index) if index >= 0 else NULL
            if bar != NULL and bar.index == index and bar.amended:
                bar.amended = False
                frame.n_amended -= 1
                self._publish(frame, bar)
            index += 1

    cdef void _restart(self) noexcept nogil:
        """The clock leapt over more than may be filled: what was forming cannot be finished."""
        cdef int32_t i
        for i in range(self._n_frames):
            self._republish(&self._frames[i])
            self._clear(&self._frames[i])
        self._first = self._newest = NO_ID
        self._n_doubts = 0
        self._newest_at = 0
        self.n_restarts += 1

    cdef void on_tape(self, TapeNews news, const Hole* hole, ns_t now_ns) noexcept nogil:
        """A candle is complete when no trade of it can be missing: what is settled is published again."""
        cdef int64_t since = (hole.since if hole.since != NO_TIME else now_ns) // NS
        cdef Doubt doubt
        if self._first == NO_ID:
            return
        if news == NEWS_INTERRUPTED:
            self._doubt(0, since, INT64_MAX)
        elif news == NEWS_HOLE:
            self._doubt(hole.number, since, hole.until // NS)
        elif self._take_doubt(0 if news == NEWS_RESUMED else hole.number, &doubt):
            if news == NEWS_RESUMED:
                doubt.to_s = hole.until // NS
            if news == NEWS_LOST:
                self._lose(&doubt)
            else:
                self._settle(&doubt, False)

    cdef void _lose(self, const Doubt* doubt) noexcept nogil:
        """Trades of these seconds will not come. Seconds that are still open are remembered until they close."""
        if doubt.to_s < self._closed_to:
            self._settle(doubt, True)
        else:
            self._doubt(LOST, doubt.from_s, doubt.to_s)

    cdef void _doubt(self, int64_t number, int64_t from_s, int64_t to_s) noexcept nogil:
        cdef Doubt oldest
        if self._n_doubts == MAX_DOUBTS:
            self._take_doubt(self._doubts[0].number, &oldest)
            self._settle(&oldest, True)
        self._doubts[self._n_doubts].number = number
        self._doubts[self._n_doubts].from_s = from_s
        self._doubts[self._n_doubts].to_s = to_s
        self._n_doubts += 1
        self._settle(&self._doubts[self._n_doubts - 1], False)

    cdef void _end_losses(self) noexcept nogil:
        cdef Doubt doubt
        cdef int32_t i = 0
        while i < self._n_doubts:
            doubt = self._doubts[i]
            if doubt.number == LOST and doubt.to_s < self._closed_to:
                self._n_doubts -= 1
                memmove(&self._doubts[i], &self._doubts[i + 1], (self._n_doubts - i) * sizeof(Doubt))
                self._settle(&doubt, True)
            else:
                i += 1

    cdef bint _take_doubt(self, int64_t number, Doubt* doubt) noexcept nogil:
        cdef int32_t i
        for i in range(self._n_doubts):
            if self._doubts[i].number == number:
                doubt[0] = self._doubts[i]
                self._n_doubts -= 1
                memmove(&self._doubts[i], &self._doubts[i + 1], (self._n_doubts - i) * sizeof(Doubt))
                return True
        return False

    cdef bint _doubted(self, int64_t from_s, int64_t to_s) noexcept nogil:
        """Whether any of these seconds may lack trades."""
        cdef int32_t i
        for i in range(self._n_doubts):
            if self._doubts[i].from_s <= to_s and self._doubts[i].to_s >= from_s:
                return True
        return False

    cdef void _settle(self, const Doubt* doubt, bint lost) noexcept nogil:
        """What is known of these seconds has changed: the candles that said otherwise are published again."""
        cdef Timeframe* frame
        cdef Bar* bar
        cdef bint complete
        cdef int32_t i, j
        for i in range(self._n_frames):
            frame = &self._frames[i]
            for j in range(frame.n_bars):
                bar = &frame.bars[j]
                if bar.index == NO_ID or bar.index * frame.seconds > doubt.to_s or (bar.index + 1) * frame.seconds <= doubt.from_s:
                    continue
                if lost:
                    bar.incomplete = True
                complete = self._complete(frame, bar)
                if bar.closed and bar.told_complete != complete:
                    self._mark_amended(frame, bar)

    cdef bint _complete(self, const Timeframe* frame, const Bar* bar) noexcept nogil:
        return not bar.incomplete and not self._doubted(bar.index * frame.seconds, (bar.index + 1) * frame.seconds - 1)

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        cdef int64_t due = (now_ns - self._close_delay_ns) // NS    # seconds before this one are over
        cdef int64_t fast_turn, slow_turn
        cdef bint fast, slow
        cdef int32_t n = 0
        cdef int32_t i
        if self._first == NO_ID:
            return
        if due - self._closed_to > MAX_FILL_S:
            self._restart()
            return
        while self._closed_to < due and n < MAX_CLOSES:
            self._close_second()
            n += 1
        for i in range(self._n_frames):
            if self._frames[i].n_amended > 0:
                self._republish(&self._frames[i])
        if not self._draws:
            return
        # instruments take turns, so that they do not all draw at one tick
        fast_turn = (now_ns + self.symbol.ix % 5 * 50_000_000) // 250_000_000
        slow_turn = (now_ns + self.symbol.ix % 20 * 50_000_000) // NS
        fast = fast_turn != self._fast_turn
        slow = slow_turn != self._slow_turn
        self._fast_turn = fast_turn
        self._slow_turn = slow_turn
        for i in range(self._n_frames):
            if self._frames[i].forming != NULL and self._frames[i].drawn != self._n_changes and (slow if self._frames[i].seconds >= SLOW_S else fast):
                self._draw(&self._frames[i])

    cdef void _draw(self, Timeframe* frame) noexcept nogil:
        """Mark the newest interval that has a trade, as it stands now: its closed seconds, then the open ones."""
        cdef int64_t index = self._newest // frame.seconds
        cdef int64_t second = index * frame.seconds
        cdef Bar* bar = _slot(frame, index)
        frame.drawn = self._n_changes
        if frame.seconds > 1 and bar.index == index:
            frame.shown = bar[0]
        else:
            _blank(&frame.shown, index)
        if frame.seconds == 1:
            if bar.index == index:
                frame.shown = bar[0]
        else:
            if second < self._closed_to:
                second = self._closed_to
            while second <= self._newest:
                bar = _slot(&self._frames[0], second)
                if bar.index == second:
                    _merge(&frame.shown, bar)
                second += 1
        frame.shown.closed = (index + 1) * frame.seconds <= self._closed_to
        if index * frame.seconds <= self._first:
            frame.shown.incomplete = True
        self.out.mark(<Channel>frame.forming, frame.shown.close_at, NO_TIME, self._marks(&frame.shown))

    cdef uint32_t _marks(self, const Bar* bar) noexcept nogil:
        if bar.trades == 0:
            return bar.marks | MARK_SYNTHETIC
        return bar.marks | (MARK_ROUNDED if self.symbol.contract == CONTRACT_INVERSE else 0)

    cdef void _publish(self, Timeframe* frame, Bar* bar) noexcept nogil:
        cdef Writer* w
        cdef int64_t seq
        if frame.closed == NULL:
            return
        w = self.out.open(<Channel>frame.closed, bar.close_at if bar.trades > 0 else NO_TIME, NO_TIME, self._marks(bar))
        if bar.revision > 0 and bar.seq != NO_ID:
            self.out.amends(self.out.epoch, bar.seq)
        bar.told_complete = self._complete(frame, bar)
        self._put(w, frame, bar)
        seq = self.out.close(<Channel>frame.closed)
        if seq >= 0:
            bar.seq = seq

    cdef void render(self, Channel channel, Writer* w) noexcept nogil:
        cdef int32_t i
        for i in range(self._n_frames):
            if self._frames[i].forming == <void*>channel:
                self._put(w, &self._frames[i], &self._frames[i].shown)

    cdef void _put(self, Writer* w, const Timeframe* frame, const Bar* bar) noexcept nogil:
        cdef const Symbol* symbol = self.symbol
        cdef Turnover all = bar.bought
        put_bytes(w, b',"open_time":', 13)
        put_int(w, bar.index * frame.seconds * NS)
        put_bytes(w, b',"close_time":', 14)
        put_int(w, (bar.index + 1) * frame.seconds * NS)
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
            put_bytes(w, b',"buy_volume":', 14)
            put_base(w, symbol, &bar.bought)
            put_bytes(w, b',"buy_quote_volume":', 20)
            put_quote(w, symbol, &bar.bought)
            if symbol.contract != CONTRACT_BASE:
                put_bytes(w, b',"contracts":', 13)
                put_contracts(w, symbol, &all)
                put_bytes(w, b',"buy_contracts":', 17)
                put_contracts(w, symbol, &bar.bought)
        put_bytes(w, b',"trades":', 10)
        put_int(w, bar.trades)
        put_bytes(w, b',"revision":', 12)
        put_int(w, bar.revision)
        if bar.closed:
            put_bytes(w, b',"final":true', 13)
        else:
            put_bytes(w, b',"final":false', 14)
        if self._complete(frame, bar):
            put_bytes(w, b',"complete":true', 16)
        else:
            put_bytes(w, b',"complete":false', 17)

    def closed(self, str timeframe):
        """The closed candles of `timeframe` that late trades can still amend, oldest first, as published."""
        cdef Timeframe* frame = NULL
        cdef Bar* bar
        cdef Writer w
        cdef int32_t i
        for i in range(self._n_frames):
            if self._frames[i].seconds == SECONDS[timeframe]:
                frame = &self._frames[i]
        if frame == NULL:
            raise ValueError(f"{timeframe} is not kept")
        if not writer_init(&w, 1024):
            raise MemoryError
        rows = []
        for i in range(frame.n_bars):
            bar = &frame.bars[i]
            if bar.index == NO_ID or not bar.closed:
                continue
            w.size = 0
            self._put(&w, frame, bar)
            rows.append(msgspec.json.decode(b"{" + w.at[1:w.size] + b"}"))
        writer_free(&w)
        return sorted(rows, key=lambda row: row["open_time"])

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        """All bars or none: where one does not fit, the grid begins anew rather than mix two scales."""
        cdef Timeframe* frame
        cdef Bar tried
        cdef int32_t i, j
        for i in range(self._n_frames):
            frame = &self._frames[i]
            for j in range(frame.n_bars):
                if frame.bars[j].index != NO_ID:
                    tried = frame.bars[j]
                    if not _rescale(&tried, self.symbol, px_factor, qty_factor):
                        self._restart()
                        return False
        for i in range(self._n_frames):
            frame = &self._frames[i]
            _rescale(&frame.shown, self.symbol, px_factor, qty_factor)
            for j in range(frame.n_bars):
                if frame.bars[j].index != NO_ID:
                    _rescale(&frame.bars[j], self.symbol, px_factor, qty_factor)
        return True
