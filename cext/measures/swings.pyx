"""Where a market turned: the highs and lows that stops are set beyond."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memmove, memset

from cext.units cimport ns_t, px_t

cdef enum:
    REMEMBERED_S = 60   # after it was broken


cdef void swings_init(Swings* s, ns_t bar_ns, int32_t width, ns_t lookback_ns) noexcept nogil:
    memset(s, 0, sizeof(Swings))
    s.bar_ns = bar_ns
    s.width = width
    s.lookback_ns = lookback_ns


cdef void _drop(Side* side, int32_t i) noexcept nogil:
    memmove(&side.rows[i], &side.rows[i + 1], (side.n - i - 1) * sizeof(Swing))
    side.n -= 1


cdef void _pass(Side* side, bint high, px_t px, ns_t lookback_ns, ns_t at) noexcept nogil:
    """A price of now: what it went beyond is broken; what is too old, or was broken long ago, is forgotten."""
    cdef int32_t i = side.n - 1
    while i >= 0:
        if side.rows[i].broken == 0 and (px > side.rows[i].px if high else px < side.rows[i].px):
            side.rows[i].broken = at
        if at - side.rows[i].at > lookback_ns or (side.rows[i].broken > 0 and at - side.rows[i].broken > REMEMBERED_S * <ns_t>1_000_000_000):
            _drop(side, i)
        i -= 1


cdef void _turned(Swings* s) noexcept nogil:
    """The newest bar is over: was the one `width` bars before it a turn?"""
    cdef int32_t middle = s.n_bars - 1 - s.width
    cdef int32_t i
    cdef bint high = True
    cdef bint low = True
    if middle < s.width:
        return
    for i in range(middle - s.width, middle + s.width + 1):
        if i < middle:
            high = high and s.bars[i].high < s.bars[middle].high
            low = low and s.bars[i].low > s.bars[middle].low
        elif i > middle:
            high = high and s.bars[i].high <= s.bars[middle].high
            low = low and s.bars[i].low >= s.bars[middle].low
    if high:
        _note(&s.highs, s.bars[middle].high, s.bars[middle].slot * s.bar_ns)
    if low:
        _note(&s.lows, s.bars[middle].low, s.bars[middle].slot * s.bar_ns)


cdef void _note(Side* side, px_t px, ns_t at) noexcept nogil:
    if side.n == SWINGS:
        _drop(side, 0)
    side.rows[side.n].px = px
    side.rows[side.n].at = at
    side.rows[side.n].broken = 0
    side.n += 1


cdef void swings_add(Swings* s, px_t low, px_t high, ns_t at) noexcept nogil:
    """Something traded between these prices. A time that falls back counts in the newest bar."""
    cdef int64_t slot = at // s.bar_ns
    cdef Bar* bar
    if s.n_bars > 0 and slot <= s.bars[s.n_bars - 1].slot:
        bar = &s.bars[s.n_bars - 1]
        bar.low = min(bar.low, low)
        bar.high = max(bar.high, high)
    else:
        if s.n_bars > 0:
            _turned(s)
        if s.n_bars == SWING_BARS:
            memmove(&s.bars[0], &s.bars[1], (SWING_BARS - 1) * sizeof(Bar))
            s.n_bars -= 1
        bar = &s.bars[s.n_bars]
        s.n_bars += 1
        bar.slot = slot
        bar.low = low
        bar.high = high
    _pass(&s.highs, True, high, s.lookback_ns, at)
    _pass(&s.lows, False, low, s.lookback_ns, at)


cdef bint swings_crossed(const Swings* s, px_t start, px_t end, ns_t since, px_t* level) noexcept nogil:
    cdef const Side* side = &s.highs if end > start else &s.lows
    cdef bint found = False
    cdef px_t px
    cdef int32_t i
    for i in range(side.n):
        px = side.rows[i].px
        if side.rows[i].broken > 0 and side.rows[i].broken < since:
            continue
        if (start <= px < end and (not found or px > level[0])) if end > start else (end < px <= start and (not found or px < level[0])):
            level[0] = px
            found = True
    return found


cdef void _rescale(Side* side, int64_t px_factor) noexcept nogil:
    cdef int32_t i = side.n - 1
    while i >= 0:
        if side.rows[i].px > INT64_MAX // px_factor:
            _drop(side, i)
        else:
            side.rows[i].px *= px_factor
        i -= 1


cdef void swings_rescale(Swings* s, int64_t px_factor) noexcept nogil:
    """The instrument's price scale grew. What would not fit is forgotten."""
    cdef int32_t i
    for i in range(s.n_bars):
        if s.bars[i].high > INT64_MAX // px_factor:
            s.n_bars = 0
            break
        s.bars[i].high *= px_factor
        s.bars[i].low *= px_factor
    _rescale(&s.highs, px_factor)
    _rescale(&s.lows, px_factor)


def crossed(list prints, px_t start, px_t end, ns_t since, *, ns_t bar_ns, int32_t width, ns_t lookback_ns):
    """For tests: (low, high, ns) of each print; the swing crossed or None, and the swings that stand: highs and lows."""
    cdef Swings s
    cdef px_t level = 0
    cdef int32_t i
    swings_init(&s, bar_ns, width, lookback_ns)
    for low, high, at in prints:
        swings_add(&s, low, high, at)
    found = swings_crossed(&s, start, end, since, &level)
    standing = [[side.rows[i].px for i in range(side.n) if side.rows[i].broken == 0] for side in (s.highs, s.lows)]
    return (level if found else None), standing[0], standing[1]
