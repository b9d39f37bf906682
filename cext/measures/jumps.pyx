"""Jumps of the price (Lee, Mykland 2008), and spikes with their volume."""

from libc.math cimport M_PI, NAN, fabs, log, sqrt
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from cext.units cimport NO_TIME, ns_t

cdef enum:
    NS = 1_000_000_000
    DAY_S = 86_400


cdef double jumps_limit(double n, double significance) noexcept nogil:
    """Of |L|, for n returns a day."""
    cdef double c = sqrt(2 / M_PI)
    cdef double root = sqrt(2 * log(n))
    return -log(-log(1 - significance)) / (c * root) + root / c - (log(M_PI) + log(log(n))) / (2 * c * root)


cdef void jumps_init(Jumps* j, ns_t step_ns) noexcept nogil:
    memset(j, 0, sizeof(Jumps))
    j.step_ns = step_ns
    j.window = 270
    j.limit = jumps_limit(<double>DAY_S * NS / step_ns, 0.01)
    j.spike_sigmas = 6
    j.spike_volume_z = 3
    j.sigma = j.statistic = NAN
    j.jump.at_ns = j.spike.at_ns = NO_TIME


cdef void jumps_begin(Jumps* j, ns_t now_ns) noexcept nogil:
    j.known = False
    j.statistic = NAN
    j.step = (now_ns - 1) // j.step_ns


cdef inline int32_t _place(const Jumps* j, int64_t back) noexcept nogil:
    return <int32_t>((j.n - back) % MAX_WINDOW)


cdef double _sigma(const Jumps* j) noexcept nogil:
    """From the last K - 1 returns; NAN while there are fewer, or where nothing moved."""
    cdef double sum = 0
    cdef double before, now
    cdef int32_t i
    if j.n < j.window - 1:
        return NAN
    before = fabs(j.returns[_place(j, j.window - 1)])
    for i in range(j.window - 2, 0, -1):
        now = fabs(j.returns[_place(j, i)])
        sum += now * before
        before = now
    return sqrt(sum / (j.window - 2)) if sum > 0 else NAN


cdef double _volume_z(const Jumps* j, double volume) noexcept nogil:
    """How far it lies above those of the last K - 1 steps, in their deviations."""
    cdef double mean = 0, square = 0
    cdef int32_t i
    if j.n < j.window - 1:
        return NAN
    for i in range(1, j.window):
        mean += j.volumes[_place(j, i)] / (j.window - 1)
    for i in range(1, j.window):
        square += (j.volumes[_place(j, i)] - mean) ** 2
    return (volume - mean) / sqrt(square / (j.window - 2)) if square > 0 else NAN


cdef void _note(Jump* jump, const Jumps* j, double move, double volume_z) noexcept nogil:
    jump.at_ns = j.step * j.step_ns
    jump.move = move
    jump.statistic = j.statistic
    jump.volume_z = volume_z


cdef void _take(Jumps* j, double move, double volume) noexcept nogil:
    """The return and the volume of one step."""
    cdef double sigma = _sigma(j)
    cdef double volume_z
    j.sigma = sigma
    j.statistic = move / sigma      # NAN stays NAN
    if fabs(j.statistic) > min(j.limit, j.spike_sigmas):
        volume_z = _volume_z(j, volume)
        if fabs(j.statistic) > j.limit:
            j.n_jumps += 1
            _note(&j.jump, j, move, volume_z)
        if fabs(j.statistic) > j.spike_sigmas and volume_z > j.spike_volume_z:
            j.n_spikes += 1
            _note(&j.spike, j, move, volume_z)
    j.returns[_place(j, 0)] = move
    j.volumes[_place(j, 0)] = volume
    j.n += 1


cdef bint jumps_pass(Jumps* j, double price, ns_t now_ns) noexcept nogil:
    cdef int64_t step = (now_ns - 1) // j.step_ns   # a price that comes at the very moment of a sample is in it
    cdef double before = j.price
    if step <= j.step:
        return False
    j.price = price
    if not j.known:
        j.known = True
        j.step += 1
        j.volume = 0        # of a part of a step
        before = price
    while j.step < step:
        j.step += 1
        _take(j, price - before, j.volume)
        before = price
        j.volume = 0
    return True


def statistics(returns, *, double interval_s, int32_t window=270, double significance=0.01):
    """(limit, [L of each return; NAN: not known]) for tests and studies."""
    cdef Jumps jumps
    cdef double move
    jumps_init(&jumps, <ns_t>(interval_s * NS))
    jumps.window = window
    jumps.limit = jumps_limit(DAY_S / interval_s, significance)
    told = []
    for move in returns:
        _take(&jumps, move, 0)
        told.append(jumps.statistic)
    return jumps.limit, told
