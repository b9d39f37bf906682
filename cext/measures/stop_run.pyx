"""A run of stops, as far as public data can show one."""

from libc.math cimport isnan
from libc.stdint cimport int32_t

from cext.events cimport Side
from cext.prints cimport Print
from cext.turnover cimport turnover_clear, turnover_merge
from cext.units cimport ns_t, px_t


cdef bint burst_add(Burst* b, const Print* print, ns_t at, ns_t heard, ns_t window_ns, int32_t least, Burst* over) noexcept nogil:
    """One more print of the burst's side. `at`: the venue's time; one that falls back is as late as the last."""
    cdef bint ended = False
    cdef ns_t before
    if b.n > 0 and (at - b.until > window_ns or not turnover_merge(&b.turnover, &print.turnover)):
        over[0] = b[0]
        ended = True
        b.n = 0
    if b.n == 0:
        b.side = print.side
        b.since = b.until = at
        b.start = b.end = print.first_px
        b.size = b.against = 0.0
        b.dense = False
        turnover_clear(&b.turnover)
        turnover_merge(&b.turnover, &print.turnover)
    b.until = max(b.until, at)
    b.heard = heard
    b.size += print.size
    b.end = max(b.end, print.high_px) if b.side > 0 else min(b.end, print.low_px)
    before = b.times[b.n % (least - 1)]  # of the print `least` - 1 before this one
    b.times[b.n % (least - 1)] = b.until
    b.n += 1
    b.dense = b.dense or (b.n >= least and b.until - before <= window_ns)
    return ended


cdef void burst_against(Burst* b, double size, ns_t at, ns_t window_ns) noexcept nogil:
    """A print of the other side while the burst goes on."""
    if b.n > 0 and at - b.until <= window_ns:
        b.against += size


cdef bint burst_counts(const Burst* b) noexcept nogil:
    return b.n > 0 and b.dense and b.against <= 0.2 * b.size


cdef inline double _hint(double strength, double weight) noexcept nogil:
    if isnan(strength) or strength <= 0.0:
        return 1.0
    return 1.0 - weight * min(strength, 1.0)


cdef double stop_confidence(const StopHints* h) noexcept nogil:
    cdef double doubt = _hint(h.prints, 0.30) * _hint(h.level, 0.35) * _hint(h.size, 0.20) * _hint(h.interest, 0.50)
    return (1.0 - doubt) * (1.0 / 3.0 if h.interest <= -0.5 else 1.0)


cdef px_t round_crossed(px_t start, px_t end) noexcept nogil:
    """A price is round where it has no more than two digits that are not zero, as 86000 or 0.21 (of those around `end`, in steps of the second digit)."""
    cdef px_t step = 1
    cdef px_t level
    while step <= end // 100:
        step *= 10
    if end > start:
        level = end // step * step
        return level if level > start else 0
    level = (end + step - 1) // step * step
    return level if 0 < level < start else 0


def confidence(double prints, double level, double size, double interest):
    """For tests."""
    cdef StopHints h
    h.prints, h.level, h.size, h.interest = prints, level, size, interest
    return stop_confidence(&h)


def round_price(px_t start, px_t end):
    """For tests: the round price crossed, or None."""
    return round_crossed(start, end) or None


def bursts(list prints, ns_t window_ns, int32_t least):
    """For tests: (side, ns, px, size) of each print in order; the bursts of both sides that count, as (side, n, since, until, start, end, size)."""
    cdef Burst[2] open_
    cdef Burst over
    cdef Print print
    cdef int32_t i
    open_[0].n = open_[1].n = 0
    told = []
    for side, at, px, size in prints:
        print.side = <Side><int>side
        print.first_px = print.last_px = print.low_px = print.high_px = px
        print.size = size
        turnover_clear(&print.turnover)
        i = 0 if side > 0 else 1
        burst_against(&open_[1 - i], size, at, window_ns)
        if burst_add(&open_[i], &print, at, at, window_ns, least, &over) and burst_counts(&over):
            told.append((over.side, over.n, over.since, over.until, over.start, over.end, over.size))
    for i in range(2):
        if burst_counts(&open_[i]):
            told.append((open_[i].side, open_[i].n, open_[i].since, open_[i].until, open_[i].start, open_[i].end, open_[i].size))
    return told
