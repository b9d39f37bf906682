"""The bars of one instrument, on a grid without holes: a second is closed and rolled up into larger intervals, and late trades amend them all.

Abstract: who publishes or measures bars is a subclass (`on_bar` hears each as it closes, and again when it was amended) or reads one that exists.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.bar cimport Bar
from cext.book cimport Book
from cext.doubts cimport Doubt, Doubts
from cext.events cimport Event
from cext.outbox cimport Outbox
from cext.stream cimport Stream
from cext.symbols cimport Symbol
from cext.tape cimport Hole, TapeNews
from cext.units cimport ns_t

cdef enum:
    MAX_TIMEFRAMES = 15
    NS = 1000000000

# A timeframe and its bars of late: a ring by index, the forming one among them. A larger bar holds its closed seconds only.
cdef struct Timeframe:
    int64_t seconds
    Bar* bars
    int32_t n_bars
    int32_t n_amended
    int64_t known_s         # trades before this second may be lacking: nobody saw them

cdef class Grid(Stream):
    cdef readonly tuple timeframes          # as asked for; the second is always kept
    cdef readonly int64_t n_late            # trades that amended closed bars
    cdef readonly int64_t n_too_late        # and those that were left out
    cdef readonly int64_t n_suspect_times
    cdef readonly int64_t n_overflows
    cdef readonly int64_t n_restarts        # of the grid
    cdef readonly int64_t n_losses          # spans whose trades will not come
    cdef readonly int64_t first             # second of the first trade; NO_ID: none came
    cdef readonly int64_t closed_to         # the oldest second that is not closed
    cdef readonly int64_t newest            # the newest second with a trade
    cdef Timeframe frames[MAX_TIMEFRAMES]   # the first is the second
    cdef int32_t n_frames
    cdef int64_t n_changes                  # of what is forming
    cdef int64_t _late_s
    cdef ns_t _close_delay_ns
    cdef int64_t _grace_s
    cdef ns_t _newest_at
    cdef Doubts _doubts

    cdef int32_t frame_of(self, str timeframe) except -2
    cdef void on_bar(self, int32_t i, Bar* bar) noexcept nogil
    cdef Bar* bar_at(self, int32_t i, int64_t index) noexcept nogil
    cdef bint complete(self, int32_t i, const Bar* bar) noexcept nogil
    cdef void begin(self, int32_t i, Bar* bar, int64_t index) noexcept nogil
    cdef void mark_amended(self, Timeframe* frame, Bar* bar) noexcept nogil
    cdef void spread_close(self, Timeframe* frame, Bar* bar) noexcept nogil
    cdef void forming(self, int32_t i, Bar* to) noexcept nogil

    cdef int _add_frame(self, int64_t seconds) except -1
    cdef void _clear(self, Timeframe* frame) noexcept nogil
    cdef void _know_from(self, int64_t second) noexcept nogil
    cdef void _close_second(self) noexcept nogil
    cdef void _close(self, int32_t i, Bar* bar) noexcept nogil
    cdef void _amend(self, const Event* event, int64_t second, ns_t at, uint32_t marks) noexcept nogil
    cdef void _tell_amended(self, int32_t i) noexcept nogil
    cdef void _restart(self) noexcept nogil
    cdef void _doubt(self, int64_t number, int64_t from_s, int64_t to_s) noexcept nogil
    cdef void _lose(self, const Doubt* doubt) noexcept nogil
    cdef void _end_losses(self) noexcept nogil
    cdef void _settle(self, const Doubt* doubt, bint lost) noexcept nogil
