"""Fills of one taker's burst as the one print that it was."""

from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memset

from cext.events cimport EVENT_BLOCK, Event, Side
from cext.symbols cimport Contract, Symbol
from cext.turnover cimport turnover_add, turnover_clear, turnover_quote, turnover_rescale
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.wide cimport wide_double

cdef enum:
    MS = 1_000_000


cdef void prints_init(Prints* p, ns_t hold_ns=PRINT_HOLD_NS) noexcept nogil:
    memset(p, 0, sizeof(Prints))
    p.hold_ns = hold_ns


cdef inline bint _belongs(const Print* p, const Event* trade) noexcept nogil:
    if trade.side != p.side or trade.ts_event == NO_TIME or trade.ts_event // MS != p.ts_event // MS:
        return False
    return (p.last_id != NO_ID and trade.first_id == p.last_id + 1) or (p.cross_id != NO_ID and trade.cross_id == p.cross_id)


cdef bint _finish(Prints* p, const Symbol* symbol, Print* done) noexcept nogil:
    """Close the open print. False if there is none, or none that can be told."""
    if p.open.n_rows == 0:
        return False
    p.open.size = turnover_quote(symbol, &p.open.turnover)
    done[0] = p.open
    p.open.n_rows = 0
    if p.broken:
        p.n_lost += 1
        p.broken = False
        return False
    return True


cdef bint prints_add(Prints* p, const Symbol* symbol, const Event* trade, ns_t ts_recv, Print* done) noexcept nogil:
    """Take a fill, or a row of fills. The trade's number and price are at the symbol's scales."""
    cdef Print* open = &p.open
    cdef bint finished = False
    if open.n_rows == 0 or trade.flags & EVENT_BLOCK or not _belongs(open, trade):
        finished = _finish(p, symbol, done)
        if trade.flags & EVENT_BLOCK:
            return finished
        open.side = trade.side
        open.flags = 0
        open.ts_event = trade.ts_event
        open.ts_recv = ts_recv
        open.first_id = trade.first_id
        open.first_px = open.low_px = open.high_px = trade.px
        turnover_clear(&open.turnover)
    open.n_rows += 1
    open.flags |= trade.flags
    open.ts_last = ts_recv
    open.last_id = trade.last_id
    open.cross_id = trade.cross_id
    open.last_px = trade.px
    open.low_px = min(open.low_px, trade.px)
    open.high_px = max(open.high_px, trade.px)
    if not turnover_add(&open.turnover, symbol, trade.px, trade.qty):
        p.broken = True
    return finished


cdef bint prints_due(Prints* p, const Symbol* symbol, ns_t now_ns, Print* done) noexcept nogil:
    """Every tick of the timer: has the open print waited long enough for more? A clock that stepped back has it wait no longer than it would have."""
    cdef ns_t waited = now_ns - p.open.ts_last
    return p.open.n_rows > 0 and (waited >= p.hold_ns or waited < 0) and _finish(p, symbol, done)


cdef void prints_rescale(Prints* p, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil:
    """The symbol's scales grew by these powers of ten; its row is new already."""
    cdef Print* open = &p.open
    if open.n_rows == 0:
        return
    if open.high_px > INT64_MAX // px_factor or not turnover_rescale(&open.turnover, symbol, px_factor, qty_factor):
        p.broken = True
        return
    open.first_px *= px_factor
    open.last_px *= px_factor
    open.low_px *= px_factor
    open.high_px *= px_factor


def merge(list trades, *, int px_scale=0, int qty_scale=0, str contract="base", int64_t contract_value=1, int contract_value_scale=0,
          ns_t hold_ns=PRINT_HOLD_NS):
    """The prints that these trades make, for tests: (side, ts_event, ts_recv, first_id, last_id, cross_id, px, qty, flags) each; a number alone in
    their place is a tick of the timer at that time. What is open at the end is not told.
    """
    cdef Prints prints
    cdef Symbol symbol
    cdef Event event
    cdef Print done
    cdef bint finished
    cdef ns_t at
    memset(&symbol, 0, sizeof(Symbol))
    symbol.px_scale = px_scale
    symbol.qty_scale = qty_scale
    symbol.tick = 1
    symbol.contract = <Contract><int>{"base": 0, "linear": 1, "inverse": 2}[contract]
    symbol.contract_value = contract_value
    symbol.contract_value_scale = contract_value_scale
    prints_init(&prints, hold_ns)
    told = []
    for trade in trades:
        if isinstance(trade, int):
            at = trade
            finished = prints_due(&prints, &symbol, at, &done)
        else:
            memset(&event, 0, sizeof(Event))
            side, event.ts_event, at, event.first_id, event.last_id, event.cross_id, event.px, event.qty, event.flags = trade
            event.side = <Side><int>side
            finished = prints_add(&prints, &symbol, &event, at, &done)
        if finished:
            told.append({
                "side": done.side, "flags": done.flags, "n_rows": done.n_rows, "ts_event": done.ts_event, "ts_recv": done.ts_recv,
                "ts_last": done.ts_last, "first_id": done.first_id, "last_id": done.last_id, "first_px": done.first_px, "last_px": done.last_px,
                "low_px": done.low_px, "high_px": done.high_px, "size": done.size, "native": wide_double(done.turnover.native, qty_scale),
            })
    return told, prints.n_lost
