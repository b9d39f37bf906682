"""VPIN: how one-sided the last buckets of equal volume were.

D. Easley, M. Lopez de Prado, M. O'Hara, Flow toxicity and liquidity in a high-frequency world, Review of Financial Studies 25(5), 2012:

    VPIN = sum of |VB - VS| / (n V)         over n buckets of volume V = average daily volume / 50

Venues tell who was the aggressor, so VB and VS are known. As an option they are guessed in bulk, as in the paper: VB = V * Phi(dP / sd(dP)), dP the
change of price over a bucket. A trade is split where a bucket is full. V may change from one bucket to the next, so the sum of their volumes
stands for nV. Until `warm_ns` of trading was seen the daily volume is not known and no bucket fills, unless it is told (history); then it is what was
seen, as a day's. Its predictive power is disputed (T. Andersen, O. Bondarenko, J. Financial Markets 17, 2014): it measures imbalance, no more.
A Vpin is plain memory of its owner's; volumes are native, exact.
"""

from libc.stdint cimport int32_t, int64_t

from cext.units cimport ns_t

cdef enum:
    MAX_BUCKETS = 250
    HOURS = 24

cdef struct Bucket:
    int64_t volume
    int64_t imbalance       # bought less sold
    double move             # of the price over it

cdef struct Vpin:
    int32_t n               # buckets of an estimate
    int32_t a_day           # V is the daily volume divided by this
    bint bulk               # guess by prices
    ns_t warm_ns
    int64_t size            # of the bucket that is filling; 0: none is
    int64_t bought          # in it
    int64_t sold
    double before_px        # at its beginning
    double last_px
    int64_t n_filled        # ever
    Bucket buckets[MAX_BUCKETS]
    double hours[HOURS]     # volume
    int64_t hour            # the newest
    ns_t first_at           # of all trades; NO_TIME: none came
    double told             # daily volume from elsewhere; 0: none

cdef void vpin_init(Vpin* v) noexcept nogil
cdef void vpin_add(Vpin* v, int64_t qty, bint bought, double px, ns_t at_ns) noexcept nogil
cdef int32_t vpin_buckets(const Vpin* v) noexcept nogil             # that an estimate has now
cdef double vpin_value(const Vpin* v) noexcept nogil                # NAN: no bucket is full
cdef double vpin_daily(const Vpin* v, ns_t at_ns) noexcept nogil    # the daily volume; 0: not known
cdef void vpin_rescale(Vpin* v, int64_t qty_factor) noexcept nogil
