"""Jumps of the price: a return that its own recent volatility does not explain.

S. Lee, P. Mykland, Jumps in financial markets: a new nonparametric test and jump dynamics, Review of Financial Studies 21(6), 2008:

    L = r_i / s_i      s_i^2 = sum of |r_j| |r_j-1| / (K - 2)   over j = i-K+2 .. i-1, so that a jump does not hide itself
    a jump where (|L| - C_n) / S_n > -ln(-ln(1 - significance))      c = sqrt(2 / pi)      l = sqrt(2 ln n)
    C_n = l / c - (ln pi + ln ln n) / (2 c l)      S_n = 1 / (c l)      n returns a day

At a significance of 1 % |L| is beyond 5.777 for minutes (n = 1440) and 6.715 for seconds (n = 86,400). Returns are logarithmic, of samples at whole
steps; each sample is the price in force then. Beside the price the volume of each step is kept: a spike is a return of so many s_i on a volume far
above that of the steps before. A Jumps is plain memory of its owner's.
"""

from libc.stdint cimport int32_t, int64_t

from cext.units cimport ns_t

cdef enum:
    LEAST_WINDOW = 30
    MAX_WINDOW = 600

cdef struct Jump:           # the newest; at_ns NO_TIME: there was none
    ns_t at_ns              # end of its step
    double move             # its return
    double statistic        # L
    double volume_z

cdef struct Jumps:
    ns_t step_ns
    int32_t window          # K
    double limit            # of |L|
    double spike_sigmas
    double spike_volume_z
    int64_t step            # newest sample, in whole steps since 1970
    bint known              # what the price was then
    double price
    int64_t n               # returns in the ring, ever
    double returns[MAX_WINDOW]
    double volumes[MAX_WINDOW]
    double volume           # of the step that is filling
    double sigma            # s_i of the newest return; NAN: not known
    double statistic        # its L; NAN: not known
    int64_t n_jumps
    int64_t n_spikes
    Jump jump
    Jump spike

cdef void jumps_init(Jumps* j, ns_t step_ns) noexcept nogil
cdef double jumps_limit(double n, double significance) noexcept nogil
cdef void jumps_begin(Jumps* j, ns_t now_ns) noexcept nogil                      # the next sample is no return
cdef bint jumps_pass(Jumps* j, double price, ns_t now_ns) noexcept nogil        # `price` was in force until now; True: a sample was due
