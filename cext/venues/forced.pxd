"""Liquidations as all venues come to tell them: a row's texts made an event, or left out."""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.cursor cimport View, view_is_null
from cext.decimal cimport DECIMAL_OK, MAX_SCALE, decimal_parse, decimal_places
from cext.events cimport EVENT_LIQUIDATION, OUTCOME_EVENTS, OUTCOME_MALFORMED, OUTCOME_OVERSIZED, Batch, Event, Outcome, Side, batch_event
from cext.symbols cimport Symbol
from cext.units cimport ns_t
from cext.venues.fields cimport event_set_trade_id


cdef inline bint _number(View v, int32_t scale, int64_t* out) noexcept nogil:
    """A positive number, or 0 where there is none: absent, null, empty, or the zero that stands for it."""
    out[0] = 0
    return view_is_null(v) or (decimal_parse(v.at, v.size, scale, out) == DECIMAL_OK and out[0] >= 0)


cdef inline int32_t _scale(int32_t least, View v) noexcept nogil:
    cdef int32_t places = decimal_places(v.at, v.size)
    return min(max(least, places), <int32_t>MAX_SCALE)


cdef inline Outcome add_liquidation(Batch* batch, const Symbol* symbol, Side side, View own_side, View px, View order_px, View qty, ns_t ts,
                                    uint32_t flags) noexcept nogil:
    """One row. Its numbers are read at scales of their own, so that none of them is too fine: at the instrument's, or finer. MALFORMED where one is no
    number at all. A row without a price or a quantity makes no event: it says that something was forced, and neither what nor how much."""
    cdef Event* event
    cdef int64_t price, ordered, amount
    cdef int32_t px_scale = _scale(_scale(symbol.px_scale, px), order_px)
    cdef int32_t qty_scale = _scale(symbol.qty_scale, qty)
    if not _number(px, px_scale, &price) or not _number(order_px, px_scale, &ordered) or not _number(qty, qty_scale, &amount):
        return OUTCOME_MALFORMED
    if price == 0 or amount == 0:
        batch.unknown_enums += 1
        return OUTCOME_EVENTS
    event = batch_event(batch, EVENT_LIQUIDATION, symbol.ix)
    if event == NULL:
        return OUTCOME_OVERSIZED
    event.flags = flags
    event.ts_event = ts
    event.side = side
    event.px = price
    event.order_px = ordered
    event.qty = amount
    event.px_scale = px_scale
    event.qty_scale = qty_scale
    return OUTCOME_EVENTS if event_set_trade_id(event, own_side) else OUTCOME_MALFORMED
