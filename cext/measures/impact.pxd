"""What trading does to the price, minute by minute: Kyle's lambda and Amihud's illiquidity.

A. Kyle, Continuous auctions and insider trading, Econometrica 53(6), 1985: dp = a + lambda * (sum of signed volume) over a minute, by least squares
over the last minutes, with the t of lambda and R^2. Y. Amihud, Illiquidity and stock returns, J. Financial Markets 5, 2002: the mean of |r| / quote
volume over the minutes with trades. A minute's price is that of its last trade, or of the one before it. Minutes are over when the clock or a trade
is in a later one; the very first, of which only the end was seen, does not count. What comes late goes where it belongs.
An Impact is plain memory of its owner's.
"""

from libc.stdint cimport int32_t, int64_t

from cext.units cimport ns_t

cdef enum:
    MAX_MINUTES = 240
    KEPT_MINUTES = 242      # with the one that is forming and the one before the first
    LEAST_MINUTES = 10      # for an answer

cdef struct Minute:
    ns_t close_at
    double close
    double net              # signed volume, base coins
    double quote            # volume, quote coins

cdef struct Impact:
    int32_t n               # minutes looked at
    int64_t first           # minute since 1970 of the first trade; NO_ID: none came
    int64_t newest          # the forming one
    bint changed            # a minute ended, or one that had was amended
    Minute minutes[KEPT_MINUTES]    # by minute since 1970

cdef struct ImpactNow:      # NAN: not known
    int32_t n               # minutes in it
    double kyle             # lambda: quote coins a base coin
    double t
    double r2
    double amihud

cdef void impact_init(Impact* m) noexcept nogil
cdef void impact_add(Impact* m, double px, double base, double quote, int32_t sign, ns_t at_ns) noexcept nogil
cdef void impact_pass(Impact* m, ns_t now_ns) noexcept nogil
cdef void impact_now(Impact* m, ImpactNow* to) noexcept nogil
