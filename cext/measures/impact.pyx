"""Kyle's lambda and Amihud's illiquidity, minute by minute."""

from libc.math cimport NAN, fabs, sqrt
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from cext.units cimport NO_ID, ns_t

cdef enum:
    NS = 1_000_000_000
    MINUTE_S = 60


cdef void impact_init(Impact* m) noexcept nogil:
    memset(m, 0, sizeof(Impact))
    m.n = MINUTE_S
    m.first = m.newest = NO_ID


cdef inline Minute* _minute(Impact* m, int64_t index) noexcept nogil:
    return &m.minutes[index % KEPT_MINUTES]


cdef void _begin(Impact* m, int64_t index) noexcept nogil:
    """Minutes up to this one begin, each at the price of the one before."""
    cdef Minute* before
    cdef Minute* minute
    if index - m.newest >= KEPT_MINUTES:
        # so long a silence leaves no minute with a trade
        before = _minute(m, m.newest)
        minute = _minute(m, index - KEPT_MINUTES)
        minute.close = before.close
        minute.close_at = before.close_at
        m.newest = index - KEPT_MINUTES
        m.first = max(m.first, m.newest)
    while m.newest < index:
        before = _minute(m, m.newest)
        m.newest += 1
        minute = _minute(m, m.newest)
        minute.close = before.close
        minute.close_at = before.close_at
        minute.net = minute.quote = 0
        m.changed = True


cdef void impact_pass(Impact* m, ns_t now_ns) noexcept nogil:
    """It is so late now."""
    if m.first != NO_ID and now_ns // (<ns_t>MINUTE_S * NS) > m.newest:
        _begin(m, now_ns // (<ns_t>MINUTE_S * NS))


cdef void impact_add(Impact* m, double px, double base, double quote, int32_t sign, ns_t at_ns) noexcept nogil:
    cdef int64_t index = at_ns // (<ns_t>MINUTE_S * NS)
    cdef Minute* minute
    if m.first == NO_ID:
        m.first = m.newest = index
        minute = _minute(m, index)
        minute.close = px
        minute.close_at = at_ns
    elif index > m.newest:
        _begin(m, index)
    elif index < m.first or index <= m.newest - KEPT_MINUTES:
        return
    minute = _minute(m, index)
    minute.net += sign * base
    minute.quote += quote
    m.changed = m.changed or index < m.newest
    while index <= m.newest and at_ns >= _minute(m, index).close_at:
        # its own close, and that of the minutes that only repeat it
        minute = _minute(m, index)
        minute.close = px
        minute.close_at = at_ns
        index += 1


cdef void impact_now(Impact* m, ImpactNow* to) noexcept nogil:
    """Of the last `n` minutes that are over."""
    cdef int64_t since = max(m.first + 1, m.newest - m.n, m.newest - MAX_MINUTES)
    cdef int64_t i
    cdef Minute* minute
    cdef double before, move, mean_x = 0, mean_y = 0, xx = 0, xy = 0, yy = 0, rest = 0, amihud = 0
    cdef int32_t n_traded = 0
    m.changed = False
    to.kyle = to.t = to.r2 = to.amihud = NAN
    to.n = <int32_t>max(m.newest - since, <int64_t>0) if m.first != NO_ID else 0
    if to.n < LEAST_MINUTES:
        return
    for i in range(since, m.newest):
        minute = _minute(m, i)
        before = _minute(m, i - 1).close
        mean_x += minute.net / to.n
        mean_y += (minute.close - before) / to.n
        if minute.quote > 0:
            n_traded += 1
            amihud += fabs(minute.close - before) / before / minute.quote
    if n_traded > 0:
        to.amihud = amihud / n_traded
    for i in range(since, m.newest):
        minute = _minute(m, i)
        move = minute.close - _minute(m, i - 1).close - mean_y
        xx += (minute.net - mean_x) ** 2
        xy += (minute.net - mean_x) * move
        yy += move ** 2
    if xx <= 0:
        return
    to.kyle = xy / xx
    for i in range(since, m.newest):
        minute = _minute(m, i)
        move = minute.close - _minute(m, i - 1).close - mean_y
        rest += (move - to.kyle * (minute.net - mean_x)) ** 2
    if rest > 0:
        to.t = to.kyle / sqrt(rest / (to.n - 2) / xx)
    if yy > 0:
        to.r2 = 1 - rest / yy
