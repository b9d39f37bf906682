"""How long frames are on their way: the venue's time against ours, by topic, as histograms that are read and emptied."""

from libc.stdint cimport int32_t, int64_t

from cext.events cimport Event
from cext.units cimport ns_t

cdef enum:
    N_DELAYS = 96       # buckets: 0 below nothing (our clock is behind), 1 under half a millisecond, then four to an octave

cdef struct Delay:
    int64_t n
    ns_t least
    int64_t counts[N_DELAYS]

cdef struct Delays:
    Delay of_topic[3]   # depth, best, trades
    int64_t n_future    # stamped over a second after they came
    int64_t n_ancient   # or over a day before

cdef void delays_clear(Delays* d) noexcept nogil
cdef void delays_add(Delays* d, const Event* event, ns_t ts_recv) noexcept nogil
cdef ns_t delay_quantile(const Delay* d, double q) noexcept nogil
