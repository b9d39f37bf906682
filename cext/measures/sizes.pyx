"""How large a print is beside the day's others, and what traded in each class of size."""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from cext.events cimport SIDE_BUY
from cext.prints cimport Print
from cext.quantiles cimport Quantiles, quantiles_at
from cext.symbols cimport CONTRACT_INVERSE, Symbol
from cext.units cimport ns_t
from cext.wide cimport Wide, wide_add, wide_negated, wide_scaled

cdef enum:
    NS = 1_000_000_000
    FRESH = 128         # thresholds are asked for anew when there is one print more in so many


cdef void sizes_init(Sizes* s) noexcept nogil:
    cdef int32_t i
    memset(s, 0, sizeof(Sizes))
    s.windows[0].step_s = 1
    s.windows[1].step_s = 60
    for i in range(N_TIERS):
        s.tiers.thresholds[i] = INFINITY


cdef SizeClass sizes_of(Tiers* t, double size, const Quantiles* day) noexcept nogil:
    """The class of a print that is not yet among the day's."""
    cdef int32_t i
    cdef double quantile = 0
    if day.n - t.asked_at >= 1 + t.asked_at // FRESH or day.n < t.asked_at:
        t.asked_at = day.n
        for i in range(N_TIERS):
            t.thresholds[i] = max(t.floors[i], quantile) if quantiles_at(day, t.shares[i], &quantile) else INFINITY
    for i in range(N_TIERS - 1, -1, -1):
        if size >= t.thresholds[i]:
            return <SizeClass>(SIZE_MID + i)
    return SIZE_RETAIL


cdef bint _leave(SizeWindow* w, SizeStep* left) noexcept nogil:
    """Take a step out of the sums. True if it held anything."""
    cdef bint held = False
    cdef int32_t i
    for i in range(N_CLASSES):
        if left.n[i] > 0:
            held = True
            w.sums.n[i] -= left.n[i]
            wide_add(&w.sums.bought[i], wide_negated(left.bought[i]))
            wide_add(&w.sums.sold[i], wide_negated(left.sold[i]))
    if held:
        memset(left, 0, sizeof(SizeStep))
    return held


cdef bint _pass(SizeWindow* w, int64_t step) noexcept nogil:
    cdef bint left = False
    if step - w.step > SIZE_STEPS:
        w.step = step - SIZE_STEPS  # all of them leave
    while w.step < step:
        w.step += 1
        left = _leave(w, &w.steps[w.step % SIZE_STEPS]) or left
    return left


cdef bint sizes_pass(Sizes* s, ns_t now_ns) noexcept nogil:
    cdef bint left = False
    cdef int32_t i
    for i in range(SIZE_WINDOWS):
        left = _pass(&s.windows[i], now_ns // (s.windows[i].step_s * NS)) or left
    return left


cdef bint _grow(Wide* sum, Wide* part, Wide amount) noexcept nogil:
    """Add to a window's sum and to the step's part of it: both or none."""
    cdef Wide before = sum[0]
    if not wide_add(sum, amount):
        return False
    if not wide_add(part, amount):
        sum[0] = before
        return False
    return True


cdef void sizes_add(Sizes* s, const Symbol* symbol, const Print* print, SizeClass size, ns_t at_ns) noexcept nogil:
    cdef Wide amount = print.turnover.native if symbol.contract == CONTRACT_INVERSE else print.turnover.cross
    cdef int32_t cls = min(<int32_t>size, <int32_t>SIZE_WHALE)
    cdef SizeWindow* w
    cdef SizeStep* part
    cdef int64_t step
    cdef int32_t i
    for i in range(SIZE_WINDOWS):
        w = &s.windows[i]
        step = at_ns // (w.step_s * NS)
        _pass(w, step)
        if step <= w.step - SIZE_STEPS:
            continue
        part = &w.steps[step % SIZE_STEPS]
        if _grow(&w.sums.bought[cls], &part.bought[cls], amount) if print.side == SIDE_BUY else _grow(&w.sums.sold[cls], &part.sold[cls], amount):
            w.sums.n[cls] += 1
            part.n[cls] += 1


cdef bint _scaled(SizeStep* step, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil:
    cdef int32_t i
    for i in range(N_CLASSES):
        if not wide_scaled(&step.bought[i], qty_factor) or not wide_scaled(&step.sold[i], qty_factor):
            return False
        if symbol.contract != CONTRACT_INVERSE and not (wide_scaled(&step.bought[i], px_factor) and wide_scaled(&step.sold[i], px_factor)):
            return False
    return True


cdef void sizes_rescale(Sizes* s, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil:
    """The symbol's scales grew by these powers of ten. A window with a sum that does not fit begins anew."""
    cdef SizeWindow* w
    cdef bint fits
    cdef int32_t i, j
    for i in range(SIZE_WINDOWS):
        w = &s.windows[i]
        fits = _scaled(&w.sums, symbol, px_factor, qty_factor)
        for j in range(SIZE_STEPS):
            fits = fits and _scaled(&w.steps[j], symbol, px_factor, qty_factor)
        if not fits:
            memset(&w.sums, 0, sizeof(SizeStep))
            memset(w.steps, 0, sizeof(w.steps))
