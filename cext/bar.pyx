"""One interval of trading: its prices in the order of time, and what was traded in it, exactly."""

from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memset

from cext.events cimport SIDE_BUY, Event
from cext.symbols cimport Symbol
from cext.turnover cimport turnover_add, turnover_merge, turnover_rescale
from cext.units cimport NO_ID, ns_t, px_t
from cext.wide cimport wide_compare


cdef void bar_blank(Bar* bar, int64_t index) noexcept nogil:
    memset(bar, 0, sizeof(Bar))
    bar.index = index
    bar.seq = bar.settled_id = NO_ID


cdef bint bar_add(Bar* bar, const Symbol* symbol, const Event* event, ns_t at) noexcept nogil:
    """Add one trade, whatever came before it. False if it outgrew the sums."""
    # the venues' times are milliseconds: within one their numbers of trades decide, where these are names the engine's count, and then the arrival
    cdef int64_t first = event.first_id if event.first_id != NO_ID else event.cross_id
    cdef int64_t last = event.last_id if event.last_id != NO_ID else event.cross_id
    cdef bint fits = turnover_add(&bar.bought if event.side == SIDE_BUY else &bar.rest, symbol, event.px, event.qty)
    if bar.trades == 0:
        bar.open = bar.high = bar.low = bar.close = event.px
        bar.open_at = bar.close_at = at
        bar.open_id = first
        bar.close_id = last
    else:
        if event.px > bar.high:
            bar.high = event.px
        elif event.px < bar.low:
            bar.low = event.px
        if at > bar.close_at or (at == bar.close_at and last >= bar.close_id):
            bar.close = event.px
            bar.close_at = at
            bar.close_id = last
        elif at < bar.open_at or (at == bar.open_at and first < bar.open_id):
            bar.open = event.px
            bar.open_at = at
            bar.open_id = first
    bar.trades += event.last_id - event.first_id + 1 if 0 <= event.first_id <= event.last_id else 1
    if not fits:
        bar.outgrown = True
    return fits


cdef bint bar_merge(Bar* bar, const Bar* second) noexcept nogil:
    """Add a bar that comes after all that `bar` holds. False if it outgrew the sums."""
    bar.incomplete = bar.incomplete or second.incomplete
    bar.outgrown = bar.outgrown or second.outgrown
    bar.unsplit = bar.unsplit or second.unsplit
    bar.uncounted = bar.uncounted or second.uncounted
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


cdef bint bar_equal(const Bar* a, const Bar* b) noexcept nogil:
    """The same candle, whatever became of it."""
    return a.open == b.open and a.high == b.high and a.low == b.low and a.close == b.close and a.trades == b.trades and a.marks == b.marks \
        and wide_compare(a.bought.native, b.bought.native) == 0 and wide_compare(a.bought.cross, b.bought.cross) == 0 \
        and wide_compare(a.rest.native, b.rest.native) == 0 and wide_compare(a.rest.cross, b.rest.cross) == 0 \
        and a.outgrown == b.outgrown and a.unsplit == b.unsplit and a.uncounted == b.uncounted


cdef void bar_flatten(Bar* bar, px_t px) noexcept nogil:
    bar.open = bar.high = bar.low = bar.close = px


cdef bint _rescale_px(px_t* px, int64_t factor) noexcept nogil:
    if px[0] > INT64_MAX // factor:
        return False
    px[0] *= factor
    return True


cdef bint bar_rescale(Bar* bar, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil:
    """The instrument's scales grew. False if something would not fit; then the bar is of no use any more: try a copy first."""
    return _rescale_px(&bar.open, px_factor) and _rescale_px(&bar.high, px_factor) and _rescale_px(&bar.low, px_factor) \
        and _rescale_px(&bar.close, px_factor) and turnover_rescale(&bar.bought, symbol, px_factor, qty_factor) \
        and turnover_rescale(&bar.rest, symbol, px_factor, qty_factor)
