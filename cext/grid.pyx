"""The bars of one instrument, on a grid without holes: seconds that close, larger intervals made of them, late trades that amend them all."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from cext.bar cimport Bar, bar_add, bar_blank, bar_flatten, bar_merge, bar_rescale
from cext.doubts cimport LOST, Doubt, doubts_add, doubts_full, doubts_take, doubts_take_lost, doubts_touch
from cext.events cimport EVENT_BLOCK, Event
from cext.outbox cimport MARK_SUSPECT_TIME
from cext.stream cimport HEARS_TAPE, HEARS_TIMER, HEARS_TRADES, Stream
from cext.tape cimport NEWS_HOLE, NEWS_INTERRUPTED, NEWS_LOST, NEWS_RESUMED, Hole, TapeNews
from cext.units cimport NO_ID, NO_TIME, ns_t, px_t

SECONDS = {"1s": 1, "5s": 5, "10s": 10, "15s": 15, "30s": 30, "1m": 60, "3m": 180, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "2h": 7200,
           "4h": 14400, "12h": 43200, "1d": 86400}

cdef enum:
    GRACE_S = 2                 # a trade this much after a second's end closes it, whatever the clock says; longer where the delay is
    MAX_DELAY_S = 10
    MAX_AHEAD_S = 60            # a trade stamped later than that after we received it has no time that could be believed
    MAX_CLOSES = 600            # seconds in one tick of the timer: after a long sleep the loop must go on breathing
    MAX_FILL_S = 86400          # a longer silence of the clock (a stopped machine) is not filled: the grid begins anew


cdef inline Bar* _slot(const Timeframe* frame, int64_t index) noexcept nogil:
    return &frame.bars[index % frame.n_bars]


cdef class Grid(Stream):
    """A trade belongs to the second of its ts_event (ts_recv where there is none). A second is closed `close_delay_ns` after its end by the
    clock, or by a trade two seconds later (later by the delay where that is longer); larger bars are made of closed seconds. A trade that
    comes later still amends every bar it touches, and the flat ones that repeat their close: `on_bar` hears of these at the next tick, with
    `revision` + 1. Later than `late_s` it is only counted. Seconds without trades are flat at the previous close; there are none before the
    first trade. Block trades are left out, as the venues leave them out of their own.
    """

    def __cinit__(self):
        self.n_frames = 0

    def __init__(self, timeframes=tuple(SECONDS), *, ns_t close_delay_ns=250_000_000, int64_t late_s=600):
        if self.n_frames > 0:
            raise RuntimeError("already initialised")
        strangers = [name for name in timeframes if name not in SECONDS]
        if strangers or not timeframes:
            raise ValueError(f"timeframes {strangers or 'none'}: known are {', '.join(SECONDS)}")
        if not 0 <= close_delay_ns <= <ns_t>MAX_DELAY_S * NS:
            raise ValueError(f"close delay {close_delay_ns} ns is outside 0..{MAX_DELAY_S} s")
        if not 1 <= late_s <= 86400:
            raise ValueError(f"late_s {late_s} is outside 1..86400")
        self.timeframes = tuple(name for name in SECONDS if name in timeframes)
        self.hears = HEARS_TRADES | HEARS_TIMER | HEARS_TAPE
        self._late_s = late_s
        self._close_delay_ns = close_delay_ns
        self._grace_s = max(GRACE_S, (close_delay_ns + NS - 1) // NS)
        self.first = self.newest = NO_ID
        self._doubts.n = 0
        for name in ("1s", *(name for name in self.timeframes if name != "1s")):
            self._add_frame(SECONDS[name])

    def __dealloc__(self):
        cdef int32_t i
        for i in range(self.n_frames):
            free(self.frames[i].bars)

    cdef int _add_frame(self, int64_t seconds) except -1:
        cdef Timeframe* frame = &self.frames[self.n_frames]
        memset(frame, 0, sizeof(Timeframe))
        frame.seconds = seconds
        # all that a late trade may touch, the forming one, and one for the ends that do not align
        frame.n_bars = <int32_t>(self._late_s // seconds + 2 + (self._grace_s + 1 if seconds == 1 else 0))
        frame.bars = <Bar*>calloc(frame.n_bars, sizeof(Bar))
        if frame.bars == NULL:
            raise MemoryError
        self.n_frames += 1
        self._clear(frame)
        return 0

    cdef void _clear(self, Timeframe* frame) noexcept nogil:
        cdef int32_t i
        for i in range(frame.n_bars):
            frame.bars[i].index = NO_ID
        frame.n_amended = 0

    cdef int32_t frame_of(self, str timeframe) except -2:
        """Its place in `frames`; -1 if it is not kept. Raises KeyError for a name that is none."""
        cdef int64_t seconds = SECONDS[timeframe]
        cdef int32_t i
        for i in range(self.n_frames):
            if self.frames[i].seconds == seconds:
                return i
        return -1

    cdef void on_bar(self, int32_t i, Bar* bar) noexcept nogil:
        """A bar of frames[i] is closed, or was amended since."""
        pass

    cdef Bar* bar_at(self, int32_t i, int64_t index) noexcept nogil:
        """The bar of an interval that is still kept, closed or forming; NULL if it is not."""
        cdef Bar* bar
        if index < 0:
            return NULL
        bar = _slot(&self.frames[i], index)
        return bar if bar.index == index else NULL

    cdef bint complete(self, int32_t i, const Bar* bar) noexcept nogil:
        """No trade of it is or may be missing."""
        cdef int64_t seconds = self.frames[i].seconds
        cdef int64_t open_s = bar.index * seconds
        return not bar.incomplete and open_s >= self.frames[i].known_s \
            and not doubts_touch(&self._doubts, bar.settled_s if bar.settled_s > open_s else open_s, open_s + seconds - 1)

    cdef void _know_from(self, int64_t second) noexcept nogil:
        """The first trade is one of this second; others of it may have come before."""
        cdef int32_t i
        self.first = self.closed_to = second
        for i in range(self.n_frames):
            self.frames[i].known_s = second + 1

    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil:
        cdef ns_t at = event.ts_event
        cdef int64_t second
        cdef uint32_t marks = 0
        cdef Timeframe* seconds = &self.frames[0]
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
        if self.first != NO_ID and second - self.closed_to > MAX_FILL_S:
            self._restart()
        if self.first == NO_ID or (second < self.closed_to == self.first and self.newest - second < seconds.n_bars):
            # the first trade, or one from before it while nothing is closed
            self._know_from(second)
        elif second < self.closed_to:
            self._amend(event, second, at, marks)
            return
        while self.closed_to + 1 + self._grace_s <= second:
            self._close_second()
        bar = _slot(seconds, second)
        if bar.index != second:
            self.begin(0, bar, second)
        if not bar_add(bar, self.symbol, event, at):
            self.n_overflows += 1
        bar.marks |= marks
        if at > self._newest_at:
            self.newest = second
            self._newest_at = at
        self.n_changes += 1

    cdef void begin(self, int32_t i, Bar* bar, int64_t index) noexcept nogil:
        """Give the ring's slot to a new interval."""
        if bar.index != NO_ID and bar.amended:
            self.on_bar(i, bar)
            self.frames[i].n_amended -= 1
        bar_blank(bar, index)

    cdef void _close_second(self) noexcept nogil:
        """Close the oldest open second, roll it up, and close what ends with it."""
        cdef int64_t second = self.closed_to
        cdef int64_t index
        cdef Timeframe* frame = &self.frames[0]
        cdef Bar* bar = _slot(frame, second)
        cdef Bar* larger
        cdef int32_t i
        if bar.index != second:
            self.begin(0, bar, second)
        if bar.trades == 0:
            bar_flatten(bar, _slot(frame, second - 1).close)
        self.closed_to = second + 1
        self._close(0, bar)
        if self._doubts.n > 0:
            self._end_losses()
        for i in range(1, self.n_frames):
            frame = &self.frames[i]
            index = second // frame.seconds
            larger = _slot(frame, index)
            if larger.index != index:
                self.begin(i, larger, index)
            if not bar_merge(larger, bar):
                self.n_overflows += 1
            if (index + 1) * frame.seconds == second + 1:
                if larger.trades == 0:
                    bar_flatten(larger, bar.close)
                self._close(i, larger)

    cdef void _close(self, int32_t i, Bar* bar) noexcept nogil:
        bar.closed = True
        self.on_bar(i, bar)

    cdef void _amend(self, const Event* event, int64_t second, ns_t at, uint32_t marks) noexcept nogil:
        """A trade of a second that is closed: into every bar it touches; those that are closed too are told again at the next tick."""
        cdef Timeframe* frame
        cdef Bar* bar
        cdef px_t close
        cdef bint changed = False
        cdef bint taken = False
        cdef int32_t i
        if second < self.first or second < self.closed_to - self._late_s:
            self.n_too_late += 1
            return
        for i in range(self.n_frames):
            frame = &self.frames[i]
            bar = _slot(frame, second // frame.seconds)
            if second < bar.settled_s and (bar.settled_id == NO_ID or event.first_id <= bar.settled_id):
                continue
            taken = True
            close = bar.close
            if not bar_add(bar, self.symbol, event, at):
                self.n_overflows += 1
            bar.marks |= marks
            if bar.closed:
                self.mark_amended(frame, bar)
                if bar.close != close:
                    self.spread_close(frame, bar)
            else:
                changed = True
        if at > self._newest_at:
            self.newest = second
            self._newest_at = at
            changed = True
        self.n_changes += changed
        self.n_late += taken

    cdef void mark_amended(self, Timeframe* frame, Bar* bar) noexcept nogil:
        if not bar.amended:
            bar.amended = True
            bar.revision += 1
            frame.n_amended += 1

    cdef void spread_close(self, Timeframe* frame, Bar* bar) noexcept nogil:
        """The flat bars after an amended one repeat its close."""
        cdef px_t close = bar.close
        cdef Bar* next = _slot(frame, bar.index + 1)
        while next.index == bar.index + 1 and next.closed and next.trades == 0:
            bar = next
            bar_flatten(bar, close)
            self.mark_amended(frame, bar)
            next = _slot(frame, bar.index + 1)

    cdef void _tell_amended(self, int32_t i) noexcept nogil:
        """What was amended since the last tick, oldest first."""
        cdef Timeframe* frame = &self.frames[i]
        cdef int64_t index = (self.closed_to - 1) // frame.seconds - frame.n_bars + 1
        cdef Bar* bar
        while frame.n_amended > 0 and index < self.closed_to:
            bar = self.bar_at(i, index)
            if bar != NULL and bar.amended:
                bar.amended = False
                frame.n_amended -= 1
                self.on_bar(i, bar)
            index += 1

    cdef void _restart(self) noexcept nogil:
        """The clock leapt over more than may be filled: what was forming cannot be finished."""
        cdef int32_t i
        for i in range(self.n_frames):
            self._tell_amended(i)
            self._clear(&self.frames[i])
        self.first = self.newest = NO_ID
        self._doubts.n = 0
        self._newest_at = 0
        self.n_restarts += 1

    cdef void on_tape(self, TapeNews news, const Hole* hole, ns_t now_ns) noexcept nogil:
        """A bar is complete when no trade of it can be missing: what is settled is told again."""
        cdef int64_t since = (hole.since if hole.since != NO_TIME else now_ns) // NS
        cdef Doubt doubt
        if self.first == NO_ID and news != NEWS_HOLE:
            return
        if news == NEWS_INTERRUPTED:
            self._doubt(0, since, INT64_MAX)
        elif news == NEWS_HOLE:
            self._doubt(hole.number, since, hole.until // NS)
        elif doubts_take(&self._doubts, 0 if news == NEWS_RESUMED else hole.number, &doubt):
            if news == NEWS_RESUMED:
                doubt.to_s = hole.until // NS
            if news == NEWS_LOST:
                self._lose(&doubt)
            else:
                self._settle(&doubt, False)

    cdef void _lose(self, const Doubt* doubt) noexcept nogil:
        """Trades of these seconds will not come. Seconds that are still open are remembered until they close."""
        if doubt.to_s < self.closed_to:
            self._settle(doubt, True)
        else:
            self._doubt(LOST, doubt.from_s, doubt.to_s)

    cdef void _doubt(self, int64_t number, int64_t from_s, int64_t to_s) noexcept nogil:
        cdef Doubt doubt
        if doubts_full(&self._doubts) and doubts_take(&self._doubts, self._doubts.rows[0].number, &doubt):
            self._settle(&doubt, True)
        doubt.number = number
        doubt.from_s = from_s
        doubt.to_s = to_s
        doubts_add(&self._doubts, &doubt)
        self._settle(&doubt, False)

    cdef void _end_losses(self) noexcept nogil:
        cdef Doubt doubt
        while doubts_take_lost(&self._doubts, self.closed_to, &doubt):
            self._settle(&doubt, True)

    cdef void _settle(self, const Doubt* doubt, bint lost) noexcept nogil:
        """What is known of these seconds has changed: the bars that said otherwise are told again."""
        cdef Timeframe* frame
        cdef Bar* bar
        cdef int32_t i, j
        self.n_losses += lost
        for i in range(self.n_frames):
            frame = &self.frames[i]
            for j in range(frame.n_bars):
                bar = &frame.bars[j]
                if bar.index == NO_ID or bar.index * frame.seconds > doubt.to_s or (bar.index + 1) * frame.seconds <= doubt.from_s:
                    continue
                if lost and bar.settled_s <= doubt.to_s:
                    bar.incomplete = True
                if bar.closed and bar.told_complete != self.complete(i, bar):
                    self.mark_amended(frame, bar)

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        cdef int64_t due = (now_ns - self._close_delay_ns) // NS    # seconds before this one are over
        cdef int32_t n = 0
        cdef int32_t i
        if self.first == NO_ID:
            return
        if due - self.closed_to > MAX_FILL_S:
            self._restart()
            return
        while self.closed_to < due and n < MAX_CLOSES:
            self._close_second()
            n += 1
        for i in range(self.n_frames):
            if self.frames[i].n_amended > 0:
                self._tell_amended(i)

    cdef void forming(self, int32_t i, Bar* to) noexcept nogil:
        """The newest interval of frames[i] that has a trade, as it stands now: its closed seconds, then the open ones."""
        cdef Timeframe* frame = &self.frames[i]
        cdef int64_t index = self.newest // frame.seconds
        cdef int64_t second = index * frame.seconds
        cdef Bar* bar = self.bar_at(i, index)
        if bar != NULL:
            to[0] = bar[0]
        else:
            bar_blank(to, index)
        if frame.seconds > 1:
            if second < self.closed_to:
                second = self.closed_to
            while second <= self.newest:
                bar = self.bar_at(0, second)
                if bar != NULL:
                    bar_merge(to, bar)
                second += 1
        to.closed = (index + 1) * frame.seconds <= self.closed_to

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        """All bars or none: where one does not fit, the grid begins anew rather than mix two scales."""
        cdef Timeframe* frame
        cdef Bar tried
        cdef int32_t i, j
        for i in range(self.n_frames):
            frame = &self.frames[i]
            for j in range(frame.n_bars):
                if frame.bars[j].index != NO_ID:
                    tried = frame.bars[j]
                    if not bar_rescale(&tried, self.symbol, px_factor, qty_factor):
                        self._restart()
                        return False
        for i in range(self.n_frames):
            frame = &self.frames[i]
            for j in range(frame.n_bars):
                if frame.bars[j].index != NO_ID:
                    bar_rescale(&frame.bars[j], self.symbol, px_factor, qty_factor)
        return True
