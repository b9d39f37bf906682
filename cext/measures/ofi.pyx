"""Order-flow imbalance (Cont, Kukanov, Stoikov 2014), at every level."""

from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memcmp, memcpy, memset

from cext.events cimport Level
from cext.units cimport NO_ID, ns_t

cdef enum:
    TENTH_NS = 100_000_000


cdef void ofi_init(Ofi* o, int32_t n_levels) noexcept nogil:
    cdef int32_t i
    memset(o, 0, sizeof(Ofi))
    o.n_levels = n_levels
    o.filling.index = NO_ID
    for i in range(TENTHS):
        o.tenths[i].index = NO_ID
    for i in range(SECONDS):
        o.seconds[i].index = NO_ID


cdef void ofi_levels(Ofi* o, int32_t n_levels) noexcept nogil:
    """What was summed at levels that are still looked at stays."""
    if n_levels != o.n_levels:
        o.n_levels = n_levels
        o.known = False


cdef void ofi_forget(Ofi* o) noexcept nogil:
    o.known = False


cdef void _merge(OfiStep* ring, int32_t size, int64_t index, const OfiStep* step) noexcept nogil:
    cdef OfiStep* to = &ring[index % size]
    cdef int32_t i
    if to.index != index:
        to[0] = step[0]
        to.index = index
        return
    to.n += step.n
    for i in range(OFI_LEVELS):
        to.flow[i] += step.flow[i]
        to.depth[i] += step.depth[i]


cdef void _store(Ofi* o) noexcept nogil:
    if o.filling.n > 0:
        _merge(o.tenths, TENTHS, o.filling.index, &o.filling)
        _merge(o.seconds, SECONDS, o.filling.index // TENTHS, &o.filling)
        memset(&o.filling, 0, sizeof(OfiStep))


cdef void ofi_take(Ofi* o, Level* bids, int32_t n_bids, Level* asks, int32_t n_asks, double unit, ns_t at_ns) noexcept nogil:
    """The best levels of a book that has just changed, best first; both arrays have room for n_levels. `unit`: what 1 of a size is worth."""
    cdef OfiStep* step = &o.filling
    cdef Level* bid
    cdef Level* ask
    cdef double flow
    cdef int32_t i
    for i in range(n_bids, o.n_levels):
        bids[i].px = 0
        bids[i].qty = 0
    for i in range(n_asks, o.n_levels):
        asks[i].px = INT64_MAX
        asks[i].qty = 0
    if not o.known:
        o.known = True
    elif memcmp(bids, o.bids, o.n_levels * sizeof(Level)) != 0 or memcmp(asks, o.asks, o.n_levels * sizeof(Level)) != 0:
        if step.index != at_ns // TENTH_NS:
            _store(o)
            step.index = at_ns // TENTH_NS
        step.n += 1
        for i in range(o.n_levels):
            bid = &o.bids[i]
            ask = &o.asks[i]
            flow = 0
            if bids[i].px >= bid.px:
                flow += <double>bids[i].qty
            if bids[i].px <= bid.px:
                flow -= <double>bid.qty
            if asks[i].px <= ask.px:
                flow -= <double>asks[i].qty
            if asks[i].px >= ask.px:
                flow += <double>ask.qty
            step.flow[i] += unit * flow
            step.depth[i] += unit * 0.5 * (<double>bids[i].qty + <double>asks[i].qty)
    else:
        return
    memcpy(o.bids, bids, o.n_levels * sizeof(Level))
    memcpy(o.asks, asks, o.n_levels * sizeof(Level))


cdef void _sum(const OfiStep* ring, int32_t size, int64_t since, int64_t until, OfiWindow* to) noexcept nogil:
    """Steps since < index <= until."""
    cdef int32_t i, j
    for i in range(size):
        if since < ring[i].index <= until:
            to.n += ring[i].n
            for j in range(OFI_LEVELS):
                to.flow[j] += ring[i].flow[j]
                to.depth[j] += ring[i].depth[j]


cdef void ofi_window(Ofi* o, int32_t window, ns_t now_ns, OfiWindow* to) noexcept nogil:
    cdef int64_t tenth = now_ns // TENTH_NS
    cdef int64_t second = tenth // TENTHS
    cdef int32_t i
    _store(o)
    memset(to, 0, sizeof(OfiWindow))
    if window == 0:
        _sum(o.tenths, TENTHS, tenth - TENTHS, tenth, to)
    else:
        _sum(o.seconds, SECONDS, second - (10 if window == 1 else SECONDS), second, to)
    for i in range(OFI_LEVELS):
        to.depth[i] = to.depth[i] / to.n if to.n > 0 else 0.0


cdef void ofi_rescale(Ofi* o, int64_t px_factor, int64_t qty_factor) noexcept nogil:
    """The instrument's scales grew by these powers of ten."""
    cdef Level* level
    cdef int32_t side, i
    for side in range(2):
        for i in range(o.n_levels):
            level = &o.asks[i] if side else &o.bids[i]
            if level.qty == 0:
                continue  # no such level: its price is a bound
            if level.px > INT64_MAX // px_factor or level.qty > INT64_MAX // qty_factor:
                o.known = False
                return
            level.px *= px_factor
            level.qty *= qty_factor
