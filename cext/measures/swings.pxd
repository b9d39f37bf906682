"""Where a market turned: the highs and lows that stops are set beyond. A convention of chart readers (a fractal), without a literature.

Prices are gathered into bars of time; a bar's high is a swing high when the `width` bars on either side of it were lower (its equals to the right count as
lower), and stands until a price goes beyond it or it is too old. So one is known `width` bars after it was. Only bars in which something traded count.
"""

from libc.stdint cimport int32_t, int64_t

from cext.units cimport ns_t, px_t

cdef enum:
    MAX_WIDTH = 30
    SWING_BARS = 2 * MAX_WIDTH + 1
    SWINGS = 32             # of a side; beyond it the oldest is given up

cdef struct Bar:
    int64_t slot
    px_t high
    px_t low

cdef struct Swing:
    px_t px
    ns_t at                 # the beginning of its bar
    ns_t broken             # when a price went beyond it; 0: none did

cdef struct Side:
    int32_t n
    Swing rows[SWINGS]      # oldest first

cdef struct Swings:
    ns_t bar_ns
    ns_t lookback_ns
    int32_t width
    int32_t n_bars
    Bar bars[SWING_BARS]    # the newest is the last one, and still forming
    Side highs
    Side lows

cdef void swings_init(Swings* s, ns_t bar_ns, int32_t width, ns_t lookback_ns) noexcept nogil   # forgets everything
cdef void swings_add(Swings* s, px_t low, px_t high, ns_t at) noexcept nogil
# The furthest swing that a move from `since` on went beyond, on its way from `start` to `end` (up or down); False: none.
cdef bint swings_crossed(const Swings* s, px_t start, px_t end, ns_t since, px_t* level) noexcept nogil
cdef void swings_rescale(Swings* s, int64_t px_factor) noexcept nogil
