"""Stoikov's micro-price: the mid plus the mean of all its moves to come, as a function of the imbalance and the spread, learnt from the quotes.

S. Stoikov, The micro-price: a high-frequency estimator of future prices, Quantitative Finance 18 (2018). States are (bucket of I, spread in ticks),
I = bid size / (bid size + ask size). Q: transitions without a move of the mid, T: those of a move, Rk: its mean from a state, in ticks; then
G1 = (E - Q)^-1 Rk, B = (E - Q)^-1 T, G* = sum over i of B^i G1. Every sample counts for its mirror too, (I, S, dM) <-> (1 - I, S, -dM), so that
G*(I) = -G*(1 - I) exactly. Buckets are mirrored as well: sizes that are equal stand between the two in the middle and count half in each.

Quotes with a wider spread than the states have are passed over, as in the paper's own code. The counts belong to the hot path; a fit is made of a
copy of them, anywhere, without the interpreter's lock.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.events cimport Level
from cext.units cimport px_t

cdef enum:
    MAX_BUCKETS = 20
    MAX_SPREADS = 8
    MAX_STATES = 160

cdef struct States:         # one, or the two that equal sizes stand between
    int32_t first
    int32_t second          # the same as `first` where there is one only

cdef struct Learnt:         # what was counted. A sample weighs 4, so that halves of halves are whole
    int32_t n_buckets
    int32_t n_spreads
    int32_t n_states
    int64_t n_samples
    uint32_t* stays         # n_states x n_states: from, to, the mid unmoved
    uint32_t* moves         # the same, the mid moved
    int64_t* ticks          # sum of the moves from a state, in half ticks, by weight

cdef class MicroPrice:
    cdef Learnt _learnt
    cdef readonly int32_t max_move      # ticks: a longer one is no sample
    cdef bint _has_last
    cdef States _last
    cdef px_t _last_bid
    cdef px_t _last_ask
    cdef double _g[MAX_STATES]          # G* in ticks; not a number where a state was never seen
    cdef readonly bint fitted
    cdef readonly int64_t fit_samples   # that the fit was made of

    cdef bint states_of(self, const Level* bid, const Level* ask, px_t tick, States* out) noexcept nogil
    cdef void hear(self, const Level* bid, const Level* ask, px_t tick) noexcept nogil
    cdef void interrupt(self) noexcept nogil
    cdef bint adjustment(self, const Level* bid, const Level* ask, px_t tick, double* ticks) noexcept nogil
