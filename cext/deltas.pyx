"""Bought less sold in one timeframe, exactly."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from cext.symbols cimport Symbol
from cext.turnover cimport Turnover, turnover_clear, turnover_merge, turnover_negate, turnover_rescale


cdef void delta_begin(Delta* d, int64_t seconds, int64_t second) noexcept nogil:
    """Nothing is known before this second."""
    memset(d, 0, sizeof(Delta))
    d.seconds = seconds
    d.step_s = max(seconds // MAX_STEPS, <int64_t>1)
    d.n_steps = <int32_t>(seconds // d.step_s)
    d.index = second // seconds
    d.step = second // d.step_s


cdef inline bint _nothing(const Turnover* t) noexcept nogil:
    return t.native.high == 0 and t.native.low == 0 and t.cross.high == 0 and t.cross.low == 0


cdef bint _slide(Delta* d, int64_t step) noexcept nogil:
    """Let what left the span go out of its sum."""
    cdef Turnover* left
    if step - d.step >= d.n_steps:
        d.changed = d.changed or not _nothing(&d.sliding)
        turnover_clear(&d.sliding)
        memset(d.steps, 0, sizeof(d.steps))
        d.step = step
    while d.step < step:
        d.step += 1
        left = &d.steps[d.step % d.n_steps]
        if not _nothing(left):
            d.changed = True
            turnover_negate(left)
            if not turnover_merge(&d.sliding, left):
                return False
            turnover_clear(left)
    return True


cdef bint delta_pass(Delta* d, int64_t second) noexcept nogil:
    cdef int64_t index = second // d.seconds
    if index > d.index:
        d.changed = d.changed or not _nothing(&d.forming) or not _nothing(&d.previous)
        if index == d.index + 1:
            d.previous = d.forming
        else:
            turnover_clear(&d.previous)
        turnover_clear(&d.forming)
        d.index = index
    return _slide(d, second // d.step_s)


cdef bint delta_add(Delta* d, int64_t second, const Turnover* net) noexcept nogil:
    cdef int64_t index = second // d.seconds
    cdef int64_t step = second // d.step_s
    d.changed = True
    if not delta_pass(d, second):
        return False
    if index == d.index:
        if not turnover_merge(&d.forming, net):
            return False
    elif index == d.index - 1:
        if not turnover_merge(&d.previous, net):
            return False
    return step <= d.step - d.n_steps or (turnover_merge(&d.steps[step % d.n_steps], net) and turnover_merge(&d.sliding, net))


cdef bint delta_rescale(Delta* d, const Symbol* symbol, int64_t px_factor, int64_t qty_factor) noexcept nogil:
    cdef int32_t i
    for i in range(d.n_steps):
        if not turnover_rescale(&d.steps[i], symbol, px_factor, qty_factor):
            return False
    return turnover_rescale(&d.forming, symbol, px_factor, qty_factor) and turnover_rescale(&d.previous, symbol, px_factor, qty_factor) \
        and turnover_rescale(&d.sliding, symbol, px_factor, qty_factor)


cdef int64_t delta_sliding_from(const Delta* d) noexcept nogil:
    return (d.step - d.n_steps + 1) * d.step_s
