"""Stoikov's micro-price: counting on the hot path, fitting off it."""

from libc.math cimport NAN, fabs, isnan
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from cext.events cimport Level
from cext.units cimport px_t

from collections import namedtuple

cdef enum:
    WEIGHT = 4              # of a sample
    MAX_ROUNDS = 10_000     # of B^i G1
    MAX_SAMPLES = 1 << 29   # then the counts are halved: four of each fit 32 bits

cdef double SETTLED_TICKS = 1e-9    # the sum's terms have come to nothing
cdef double SINGULAR = 1e-12        # of a pivot

Fit = namedtuple("Fit", "g_star first b_sums rounds residual samples refused")
Fit.__doc__ = """G* and G1 by state (bucket * spreads + spread - 1) in ticks, None where a state was never seen; the sums of B's rows; how many terms it took
and how large the last one was; the samples; why there is no fit, or ""."""


cdef bint _alloc(Learnt* learnt, int32_t n_buckets, int32_t n_spreads) noexcept nogil:
    cdef int32_t n = n_buckets * n_spreads
    memset(learnt, 0, sizeof(Learnt))
    learnt.n_buckets = n_buckets
    learnt.n_spreads = n_spreads
    learnt.n_states = n
    learnt.stays = <uint32_t*>calloc(2 * n * n, sizeof(uint32_t))
    learnt.ticks = <int64_t*>calloc(n, sizeof(int64_t))
    learnt.moves = learnt.stays + n * n if learnt.stays != NULL else NULL
    return learnt.stays != NULL and learnt.ticks != NULL


cdef void _free(Learnt* learnt) noexcept nogil:
    free(learnt.stays)
    free(learnt.ticks)
    learnt.stays = learnt.moves = NULL
    learnt.ticks = NULL


cdef inline int32_t _mirror(const Learnt* learnt, int32_t state) noexcept nogil:
    cdef int32_t bucket = state // learnt.n_spreads
    return (learnt.n_buckets - 1 - bucket) * learnt.n_spreads + state % learnt.n_spreads


cdef inline void _count(uint32_t* row, States to, uint32_t weight) noexcept nogil:
    """Half of the weight to each of two states."""
    row[to.first] += weight // 2
    row[to.second] += weight // 2


cdef void _halve(Learnt* learnt) noexcept nogil:
    cdef int32_t i
    for i in range(2 * learnt.n_states * learnt.n_states):
        learnt.stays[i] //= 2
    for i in range(learnt.n_states):
        learnt.ticks[i] = learnt.ticks[i] // 2
    learnt.n_samples //= 2


cdef bint _solve(double* a, double* b, int32_t n, int32_t m) noexcept nogil:
    """a x = b for `m` columns of b, by elimination with pivots; b becomes x. False: a is singular."""
    cdef int32_t i, j, k, best
    cdef double factor, keep
    for k in range(n):
        best = k
        for i in range(k + 1, n):
            if fabs(a[i * n + k]) > fabs(a[best * n + k]):
                best = i
        if fabs(a[best * n + k]) < SINGULAR:
            return False
        if best != k:
            for j in range(n):
                keep = a[k * n + j]
                a[k * n + j] = a[best * n + j]
                a[best * n + j] = keep
            for j in range(m):
                keep = b[k * m + j]
                b[k * m + j] = b[best * m + j]
                b[best * m + j] = keep
        for i in range(n):
            if i != k and a[i * n + k] != 0.0:
                factor = a[i * n + k] / a[k * n + k]
                for j in range(k, n):
                    a[i * n + j] -= factor * a[k * n + j]
                for j in range(m):
                    b[i * m + j] -= factor * b[k * m + j]
    for i in range(n):
        for j in range(m):
            b[i * m + j] /= a[i * n + i]
    return True


cdef void _find_left(const Learnt* learnt, bint* left) noexcept nogil:
    """Which states a move leaves sooner or later; of the others, and of those never seen, nothing can be told."""
    cdef int32_t n = learnt.n_states
    cdef int32_t s, t
    cdef bint grew = True
    memset(left, 0, n * sizeof(bint))
    while grew:
        grew = False
        for s in range(n):
            for t in range(n):
                if not left[s] and (learnt.moves[s * n + t] > 0 or (left[t] and learnt.stays[s * n + t] > 0)):
                    left[s] = left[_mirror(learnt, s)] = grew = True


cdef int32_t _fit(const Learnt* learnt, double* a, double* b, double* g, double* first, double* sums, double* residual) noexcept nogil:
    """G* into g, G1 into first, the sums of B's rows; how many terms were added, 0 where (E - Q) is singular."""
    cdef int32_t n = learnt.n_states
    cdef int32_t m = n + 1      # columns: Rk, then T
    cdef int32_t s, t, mirrored, rounds
    cdef double total, weight, largest
    cdef double term[MAX_STATES]
    cdef double then[MAX_STATES]
    cdef bint left[MAX_STATES]
    _find_left(learnt, left)
    for s in range(n):
        mirrored = _mirror(learnt, s)
        total = 0.0
        for t in range(n):
            a[s * n + t] = <double>learnt.stays[s * n + t] + <double>learnt.stays[mirrored * n + _mirror(learnt, t)]
            b[s * m + 1 + t] = <double>learnt.moves[s * n + t] + <double>learnt.moves[mirrored * n + _mirror(learnt, t)]
            total += a[s * n + t] + b[s * m + 1 + t]
        b[s * m] = (<double>learnt.ticks[s] - <double>learnt.ticks[mirrored]) / 2
        weight = 1.0 / total if left[s] else 0.0
        for t in range(m):
            b[s * m + t] *= weight
        for t in range(n):
            a[s * n + t] = (1.0 if s == t else 0.0) - a[s * n + t] * weight
        g[s] = 0.0 if left[s] else NAN
    if not _solve(a, b, n, m):
        return 0
    for s in range(n):
        first[s] = term[s] = b[s * m]
        sums[s] = 0.0
        for t in range(n):
            sums[s] += b[s * m + 1 + t]
    largest = 1.0
    rounds = 0
    while rounds < MAX_ROUNDS and largest > SETTLED_TICKS:
        largest = 0.0
        for s in range(n):
            g[s] += term[s]
            largest = max(largest, fabs(term[s]))
        for s in range(n):
            then[s] = 0.0
            for t in range(n):
                then[s] += b[s * m + 1 + t] * term[t]
        memcpy(term, then, n * sizeof(double))
        rounds += 1
    residual[0] = largest
    return rounds


cdef class MicroPrice:
    """Learns from every quote of one instrument. `buckets` of the imbalance (even), spreads up to `spreads` ticks, moves up to `max_move` ticks."""

    def __init__(self, *, int32_t buckets=10, int32_t spreads=4, int32_t max_move=20):
        self._learnt.stays = NULL
        self.configure(buckets=buckets, spreads=spreads, max_move=max_move)

    def __dealloc__(self):
        _free(&self._learnt)

    def configure(self, *, int32_t buckets, int32_t spreads, int32_t max_move):
        """Other states begin to learn anew; another bound on moves keeps what was learnt."""
        if buckets < 2 or buckets > MAX_BUCKETS or buckets % 2:
            raise ValueError(f"buckets {buckets}: allowed is an even number of 2 to {MAX_BUCKETS}")
        if not 1 <= spreads <= MAX_SPREADS or max_move < 1:
            raise ValueError(f"spreads {spreads}, max_move {max_move}: allowed are 1 to {MAX_SPREADS}, and 1 or more")
        self.max_move = max_move
        if self._learnt.stays == NULL or buckets != self._learnt.n_buckets or spreads != self._learnt.n_spreads:
            _free(&self._learnt)
            self.fitted = self._has_last = False
            if not _alloc(&self._learnt, buckets, spreads):
                raise MemoryError

    @property
    def states(self):
        """(buckets, spreads)"""
        return self._learnt.n_buckets, self._learnt.n_spreads

    @property
    def samples(self):
        """Counted since the start; each forgetting halves them."""
        return self._learnt.n_samples

    cdef bint states_of(self, const Level* bid, const Level* ask, px_t tick, States* out) noexcept nogil:
        """False where the spread is none of the states'."""
        cdef int64_t spread = (ask.px - bid.px + tick // 2) // tick
        cdef int32_t half = self._learnt.n_buckets // 2
        cdef int32_t bucket
        cdef int64_t smaller = min(bid.qty, ask.qty)
        if ask.px <= bid.px or spread > self._learnt.n_spreads:
            return False
        if spread < 1:
            spread = 1
        bucket = min(<int32_t>(<double>smaller / (<double>bid.qty + <double>ask.qty) * self._learnt.n_buckets), half - 1)
        if bid.qty == ask.qty:
            out.first = half - 1
            out.second = half
        else:
            out.first = out.second = bucket if bid.qty < ask.qty else self._learnt.n_buckets - 1 - bucket
        out.first = out.first * self._learnt.n_spreads + <int32_t>spread - 1
        out.second = out.second * self._learnt.n_spreads + <int32_t>spread - 1
        return True

    cdef void hear(self, const Level* bid, const Level* ask, px_t tick) noexcept nogil:
        """One more quote, both sides of it standing."""
        cdef States now
        cdef uint32_t* counts
        cdef px_t moved
        cdef int32_t n = self._learnt.n_states
        if not self.states_of(bid, ask, tick, &now):
            return
        moved = (bid.px - self._last_bid) + (ask.px - self._last_ask)
        if self._has_last and -2 * self.max_move <= moved // tick <= 2 * self.max_move:
            counts = self._learnt.stays if moved == 0 else self._learnt.moves
            _count(counts + self._last.first * n, now, WEIGHT // 2)
            _count(counts + self._last.second * n, now, WEIGHT // 2)
            if moved != 0:
                self._learnt.ticks[self._last.first] += moved // tick * (WEIGHT // 2)
                self._learnt.ticks[self._last.second] += moved // tick * (WEIGHT // 2)
            self._learnt.n_samples += 1
            if self._learnt.n_samples >= MAX_SAMPLES:
                _halve(&self._learnt)
        self._last = now
        self._last_bid = bid.px
        self._last_ask = ask.px
        self._has_last = True

    cdef void interrupt(self) noexcept nogil:
        """Quotes were missed: the next one follows none."""
        self._has_last = False

    cdef bint adjustment(self, const Level* bid, const Level* ask, px_t tick, double* ticks) noexcept nogil:
        """G* of this quote, in ticks. False where there is no fit, or none for its state."""
        cdef States now
        cdef double g
        if not self.fitted or not self.states_of(bid, ask, tick, &now):
            return False
        g = (self._g[now.first] + self._g[now.second]) / 2
        if isnan(g):
            return False
        ticks[0] = g
        return True

    def forget_half(self):
        """After a fit: older quotes weigh less in the next one."""
        _halve(&self._learnt)

    def learnt(self):
        """What was counted, as bytes for `fit` and for `learn`."""
        cdef int32_t n = self._learnt.n_states
        return (<char*>&self._learnt.n_samples)[:8] + (<char*>self._learnt.stays)[:8 * n * n] + (<char*>self._learnt.ticks)[:8 * n]

    def learn(self, bytes learnt):
        """Go on from what another run counted. Raises ValueError if its states were others."""
        cdef int32_t n = self._learnt.n_states
        cdef const char* at = learnt
        if len(learnt) != 8 + 8 * n * n + 8 * n:
            raise ValueError(f"{len(learnt)} bytes were learnt of other states than {self._learnt.n_buckets} x {self._learnt.n_spreads}")
        memcpy(&self._learnt.n_samples, at, 8)
        memcpy(self._learnt.stays, at + 8, 8 * n * n)
        memcpy(self._learnt.ticks, at + 8 + 8 * n * n, 8 * n)

    def adopt(self, fit):
        """Tell micro-prices by this fit from now on; one that was refused changes nothing."""
        cdef int32_t i
        if fit.refused or len(fit.g_star) != self._learnt.n_states:
            return
        for i, g in enumerate(fit.g_star):
            self._g[i] = NAN if g is None else g
        self.fit_samples = fit.samples
        self.fitted = True

    def hear_quote(self, px_t bid_px, int64_t bid_qty, px_t ask_px, int64_t ask_qty, px_t tick):
        """`hear` for tests."""
        cdef Level bid, ask
        bid.px, bid.qty, ask.px, ask.qty = bid_px, bid_qty, ask_px, ask_qty
        self.hear(&bid, &ask, tick)

    def ticks_of(self, px_t bid_px, int64_t bid_qty, px_t ask_px, int64_t ask_qty, px_t tick):
        """`adjustment` for tests; None where there is none."""
        cdef Level bid, ask
        cdef double ticks = 0.0
        bid.px, bid.qty, ask.px, ask.qty = bid_px, bid_qty, ask_px, ask_qty
        return ticks if self.adjustment(&bid, &ask, tick, &ticks) else None


def fit_of(bytes learnt, int32_t buckets, int32_t spreads):
    """The Fit of what MicroPrice.learnt told. It needs no other object and holds no lock while it counts: call it from a thread."""
    cdef MicroPrice copy = MicroPrice(buckets=buckets, spreads=spreads)
    cdef int32_t n = copy._learnt.n_states
    cdef int32_t rounds
    cdef double residual = 0.0
    cdef double* memory
    copy.learn(learnt)
    memory = <double*>malloc((n * n + n * (n + 1) + 3 * n) * sizeof(double))
    if memory == NULL:
        raise MemoryError
    cdef double* b = memory + n * n
    cdef double* g = b + n * (n + 1)
    try:
        with nogil:
            rounds = _fit(&copy._learnt, memory, b, g, g + n, g + 2 * n, &residual)
        seen = [i for i in range(n) if g[i] == g[i]] if rounds else []
        refused = "" if seen and residual <= SETTLED_TICKS else "its terms do not come to nothing" if seen else "no move of the mid was seen"
        return Fit(*(tuple([g[k * n + i] if i in seen else None for i in range(n)]) for k in range(3)), rounds, residual, copy._learnt.n_samples, refused)
    finally:
        free(memory)
