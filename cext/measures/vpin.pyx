"""VPIN (Easley, Lopez de Prado, O'Hara 2012)."""

from libc.math cimport M_SQRT2, NAN, erf, fabs, sqrt
from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memset

from cext.units cimport NO_TIME, ns_t

cdef enum:
    NS = 1_000_000_000
    HOUR_S = 3600


cdef inline ns_t _hours(int64_t n) noexcept nogil:
    return n * HOUR_S * NS


cdef inline int64_t _most() noexcept nogil:
    """Of a bucket: sums of two fit."""
    return INT64_MAX // 4


cdef void vpin_init(Vpin* v) noexcept nogil:
    memset(v, 0, sizeof(Vpin))
    v.n = v.a_day = 50
    v.warm_ns = _hours(1)
    v.first_at = NO_TIME


cdef void _count(Vpin* v, int64_t qty, double px, ns_t at_ns) noexcept nogil:
    """Into the day's volume."""
    cdef int64_t hour = at_ns // _hours(1)
    if v.first_at == NO_TIME:
        v.first_at = at_ns
        v.hour = hour
        v.before_px = v.last_px = px
    if hour - v.hour >= HOURS:
        memset(v.hours, 0, sizeof(v.hours))
        v.hour = hour
    while v.hour < hour:
        v.hour += 1
        v.hours[v.hour % HOURS] = 0
    if v.hour - hour < HOURS:
        v.hours[hour % HOURS] += <double>qty


cdef double vpin_daily(const Vpin* v, ns_t at_ns) noexcept nogil:
    cdef ns_t since = v.first_at
    cdef double sum = 0
    cdef int32_t i
    if since == NO_TIME or at_ns - since < v.warm_ns or (v.told > 0 and at_ns - since < _hours(HOURS)):
        return v.told
    since = max(since, _hours(v.hour - HOURS + 1))
    for i in range(HOURS):
        sum += v.hours[i]
    return sum / <double>(at_ns - since) * <double>_hours(HOURS)


cdef void _close(Vpin* v) noexcept nogil:
    cdef Bucket* bucket = &v.buckets[v.n_filled % MAX_BUCKETS]
    bucket.volume = v.bought + v.sold
    bucket.imbalance = v.bought - v.sold
    bucket.move = v.last_px - v.before_px
    v.n_filled += 1
    v.bought = v.sold = v.size = 0
    v.before_px = v.last_px


cdef void vpin_add(Vpin* v, int64_t qty, bint bought, double px, ns_t at_ns) noexcept nogil:
    """One trade, in the order of arrival."""
    cdef double size
    cdef int64_t part
    _count(v, qty, px, at_ns)
    if v.size == 0:
        size = vpin_daily(v, at_ns) / v.a_day
        if size <= 0:
            v.last_px = v.before_px = px
            return
        v.size = <int64_t>min(max(size + 0.5, 1.0), <double>_most())
    if qty // v.size > MAX_BUCKETS + 1:
        # all but the last buckets of it would be forgotten again
        part = qty // v.size - MAX_BUCKETS - 1
        v.n_filled += part
        qty -= part * v.size
    v.last_px = px
    part = v.size
    while qty > 0:
        v.size = part  # a trade fills buckets of one size
        part = min(qty, v.size - v.bought - v.sold)
        qty -= part
        if bought:
            v.bought += part
        else:
            v.sold += part
        part = v.size
        if v.bought + v.sold == v.size:
            _close(v)


cdef int32_t vpin_buckets(const Vpin* v) noexcept nogil:
    return <int32_t>min(v.n_filled, <int64_t>v.n)


cdef double vpin_value(const Vpin* v) noexcept nogil:
    cdef int32_t n = vpin_buckets(v)
    cdef const Bucket* bucket
    cdef double imbalance = 0, volume = 0, mean = 0, spread = 0
    cdef int32_t i
    if n == 0:
        return NAN
    if v.bulk:
        for i in range(n):
            mean += v.buckets[(v.n_filled - 1 - i) % MAX_BUCKETS].move / n
        for i in range(n):
            spread += (v.buckets[(v.n_filled - 1 - i) % MAX_BUCKETS].move - mean) ** 2
        spread = sqrt(spread / n)
    for i in range(n):
        bucket = &v.buckets[(v.n_filled - 1 - i) % MAX_BUCKETS]
        volume += <double>bucket.volume
        if not v.bulk:
            imbalance += fabs(<double>bucket.imbalance)
        elif spread > 0:
            imbalance += <double>bucket.volume * erf(fabs(bucket.move) / spread / M_SQRT2)  # |2 Phi(z) - 1|
    return imbalance / volume


cdef void vpin_rescale(Vpin* v, int64_t qty_factor) noexcept nogil:
    """The instrument's scale grew by this power of ten. What does not fit begins anew."""
    cdef int32_t n = <int32_t>min(v.n_filled, <int64_t>MAX_BUCKETS)
    cdef int32_t i
    cdef bint fits = v.size <= _most() // qty_factor
    for i in range(n):
        fits = fits and v.buckets[i].volume <= _most() // qty_factor
    v.told *= qty_factor
    for i in range(HOURS):
        v.hours[i] *= qty_factor
    if not fits:
        v.n_filled = v.size = v.bought = v.sold = 0
        return
    v.size *= qty_factor
    v.bought *= qty_factor
    v.sold *= qty_factor
    for i in range(n):
        v.buckets[i].volume *= qty_factor
        v.buckets[i].imbalance *= qty_factor


def estimates(trades, *, double daily, int32_t n=50, int32_t a_day=50, bint bulk=False):
    """VPIN after each of `trades`, (quantity, bought, price) each, where a day's volume is `daily`; for tests and studies. NAN: no bucket is full."""
    cdef Vpin vpin
    cdef int64_t qty
    cdef bint bought
    cdef double px
    vpin_init(&vpin)
    vpin.n = n
    vpin.a_day = a_day
    vpin.bulk = bulk
    vpin.told = daily
    told = []
    for qty, bought, px in trades:
        vpin_add(&vpin, qty, bought, px, 0)
        told.append(vpin_value(&vpin))
    return told
