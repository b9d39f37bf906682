"""Large orders that are posted near the touch and withdrawn."""

from libc.math cimport NAN, ceil, exp, fabs, log2
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.string cimport memset

from cext.book cimport ASKS, BIDS, Book, BookSide
from cext.events cimport Level
from cext.measures.imbalance cimport imbalance_of
from cext.measures.median cimport median_of
from cext.measures.survey cimport px_at
from cext.quantiles cimport quantiles_add, quantiles_at, quantiles_free, quantiles_init
from cext.units cimport ns_t, px_t, qty_t

cdef enum:
    NS = 1_000_000_000
    DAY_NS = 86_400_000_000_000     # of additions among which one is large
    MOST_LEVELS = 512               # near the touch, whose median is taken
    FEWEST_LEVELS = 5               # with fewer nothing is typical

cdef double LARGEST_TIMES = 8.0     # what is large: a size feature of 1
cdef double FULL_TILT = 0.4
cdef double FULL_OPPOSITE = 2.0
cdef double FULL_REPEATS = 5.0


cdef bint postings_init(Postings* p, const PostingRules* rules) noexcept nogil:
    memset(p, 0, sizeof(Postings))
    p.rules = rules[0]
    p.large = INT64_MAX
    p.threshold = NAN
    p.second = p.first_second = -1
    return quantiles_init(&p.adds, DAY_NS)


cdef void postings_free(Postings* p) noexcept nogil:
    quantiles_free(&p.adds)


cdef void postings_forget(Postings* p) noexcept nogil:
    """Nothing is large until the next survey."""
    p.n = 0
    p.marks[0] = p.marks[1] = 0
    p.best[0] = p.best[1] = 0
    p.large = INT64_MAX


cdef inline uint64_t _mark(px_t px) noexcept nogil:
    return <uint64_t>1 << (<uint64_t>px * <uint64_t>0x9E3779B97F4A7C15 >> 58)


cdef void _drop(Postings* p, int32_t i) noexcept nogil:
    cdef int32_t k
    p.n -= 1
    p.rows[i] = p.rows[p.n]
    p.marks[0] = p.marks[1] = 0
    for k in range(p.n):
        p.marks[p.rows[k].side] |= _mark(p.rows[k].px)


cdef void _pass_seconds(Postings* p, ns_t now_ns) noexcept nogil:
    """Close the seconds that are over."""
    cdef int64_t second = now_ns // NS
    cdef int32_t side
    if p.second < 0:
        p.first_second = p.second = second
    while p.second < second:
        if second - p.second > VOLUME_SECONDS:  # nothing came for longer than is remembered
            p.second = second - VOLUME_SECONDS
        for side in range(2):
            p.by_second[side][p.second % VOLUME_SECONDS] = p.volume[side] - p.second_from[side]
            p.second_from[side] = p.volume[side]
        p.second += 1


cdef double postings_typical(const Postings* p, BookSide side) noexcept nogil:
    """Volume that aggressors take from a side in a second: the median of those remembered, or their mean where that is none."""
    cdef int64_t rows[VOLUME_SECONDS]
    cdef int32_t n = <int32_t>min(p.second - p.first_second, <int64_t>VOLUME_SECONDS)
    cdef int32_t i
    cdef double sum = 0.0
    cdef double median
    if n <= 0:
        return 0.0
    for i in range(n):  # in millionths of a unit: whole numbers have a median of their own
        rows[i] = <int64_t>(p.by_second[side][i] * 1e6)
        sum += p.by_second[side][i]
    median = median_of(rows, n) / 1e6
    return median if median > 0.0 else sum / n


cdef void postings_trade(Postings* p, BookSide side, px_t px, qty_t qty, double unit, ns_t now_ns) noexcept nogil:
    cdef int32_t i
    _pass_seconds(p, now_ns)
    p.volume[side] += <double>qty * unit
    if not p.marks[side] & _mark(px):
        return
    for i in range(p.n):
        if p.rows[i].px == px and p.rows[i].side == side and p.rows[i].traded <= INT64_MAX - qty:
            p.rows[i].traded += qty


cdef Posting* _find(Postings* p, BookSide side, px_t px) noexcept nogil:
    """The posting that stands at a price."""
    cdef int32_t i
    if not p.marks[side] & _mark(px):
        return NULL
    for i in range(p.n):
        if p.rows[i].px == px and p.rows[i].side == side and p.rows[i].withdrawn_ns == 0:
            return &p.rows[i]
    return NULL


cdef void _post(Postings* p, BookSide side, px_t px, qty_t before, qty_t now, double unit, ns_t now_ns) noexcept nogil:
    """A large addition near the touch: what the book looked like, with it and without."""
    cdef Posting* row
    cdef double depth[2]
    cdef double mid = (<double>p.best[BIDS] + <double>p.best[ASKS]) / 2
    p.n_posted += 1
    if p.n == MAX_POSTINGS or _find(p, side, px) != NULL:
        return  # of several additions at one price the first is followed
    row = &p.rows[p.n]
    p.n += 1
    memset(row, 0, sizeof(Posting))
    depth[BIDS] = p.depth[BIDS]
    depth[ASKS] = p.depth[ASKS]
    p.marks[side] |= _mark(px)
    row.side = side
    row.px = px
    row.before = before
    row.added = now - before
    row.peak = row.left = now
    row.posted_ns = now_ns
    row.threshold = p.threshold
    row.distance_bps = 1e4 * fabs(<double>px / mid - 1.0)
    row.rho_posted = imbalance_of(depth[BIDS], depth[ASKS])
    row.opposite_depth = row.opposite_least = depth[1 - side] * unit
    row.opposite_before = p.volume[1 - side]
    depth[side] -= <double>row.added
    row.rho_before = imbalance_of(depth[BIDS], depth[ASKS])


cdef void _withdraw(Postings* p, Posting* row, qty_t left, double unit, ns_t now_ns) noexcept nogil:
    """Most of a posting is gone: what the book looks like without it."""
    row.left = left
    row.withdrawn_ns = now_ns
    row.rho_withdrawn = imbalance_of(p.depth[BIDS], p.depth[ASKS])
    row.opposite_volume = p.volume[1 - row.side] - row.opposite_before
    row.opposite_least = min(row.opposite_least, p.depth[1 - row.side] * unit)


cdef bint _count(Postings* p, BookSide side, const Level* rows, const qty_t* was, int32_t n, double unit, ns_t now_ns) noexcept nogil:
    """What a frame adds near the touch, and what it makes of the depth there. True: a row of it is large, or may be of one that is followed."""
    cdef int32_t i
    cdef qty_t added
    cdef bint found = False
    for i in range(n):
        if rows[i].px < p.near[BIDS] if side == BIDS else rows[i].px > p.near[ASKS]:
            continue
        added = rows[i].qty - was[i]
        p.depth[side] += <double>added
        if added > 0:
            quantiles_add(&p.adds, <double>added * unit, now_ns)
            found = found or added >= p.large
        found = found or (p.marks[side] & _mark(rows[i].px)) != 0
    p.depth[side] = max(p.depth[side], 0.0)
    return found


cdef void _follow(Postings* p, BookSide side, const Level* rows, const qty_t* was, int32_t n, double unit, ns_t now_ns) noexcept nogil:
    """Once the frame is counted: what was posted, and what was withdrawn."""
    cdef int32_t i
    cdef Posting* row
    for i in range(n):
        if rows[i].px < p.near[BIDS] if side == BIDS else rows[i].px > p.near[ASKS]:
            continue
        row = _find(p, side, rows[i].px)
        if row == NULL:
            if rows[i].qty - was[i] >= p.large:
                _post(p, side, rows[i].px, was[i], rows[i].qty, unit, now_ns)
            continue
        row.peak = max(row.peak, rows[i].qty)
        if rows[i].qty < was[i] and now_ns - row.posted_ns <= p.rules.life_ns \
                and <double>(rows[i].qty - row.before) <= (1.0 - p.rules.removed_share) * <double>row.added:
            _withdraw(p, row, rows[i].qty, unit, now_ns)


cdef void postings_frame(Postings* p, Book book, const Level* bids, int32_t n_bids, const Level* asks, int32_t n_asks, double unit,
                         ns_t now_ns) noexcept nogil:
    """One frame of changes that the book has just taken. What is near follows the touch as it is after the frame."""
    cdef Level bid, ask
    cdef bint found
    if book.was == NULL or not (book.best(BIDS, &bid) and book.best(ASKS, &ask)) or bid.px >= ask.px:
        return
    if bid.px != p.best[BIDS] or ask.px != p.best[ASKS]:
        p.best[BIDS] = bid.px
        p.best[ASKS] = ask.px
        p.near[BIDS] = px_at(bid.px, ask.px, p.rules.max_bps, BIDS)
        p.near[ASKS] = px_at(bid.px, ask.px, p.rules.max_bps, ASKS)
    found = _count(p, BIDS, bids, book.was, n_bids, unit, now_ns)
    found = _count(p, ASKS, asks, book.was + n_bids, n_asks, unit, now_ns) or found
    if found:
        _follow(p, BIDS, bids, book.was, n_bids, unit, now_ns)
        _follow(p, ASKS, asks, book.was + n_bids, n_asks, unit, now_ns)


cdef void postings_survey(Postings* p, const Level* bids, int32_t n_bids, const Level* asks, int32_t n_asks, double bid_depth, double ask_depth,
                          double unit) noexcept nogil:
    """What is large from now on: by the additions of the day, and by the levels near the touch as they are."""
    cdef int64_t sizes[MOST_LEVELS]
    cdef int32_t n = 0
    cdef int32_t i
    cdef double size
    p.depth[BIDS] = bid_depth
    p.depth[ASKS] = ask_depth
    p.large = INT64_MAX
    p.threshold = NAN
    if p.best[BIDS] == 0:
        return
    for i in range(min(n_bids, <int32_t>(MOST_LEVELS // 2))):
        if bids[i].px >= p.near[BIDS]:
            sizes[n] = bids[i].qty
            n += 1
    for i in range(min(n_asks, <int32_t>(MOST_LEVELS // 2))):
        if asks[i].px <= p.near[ASKS]:
            sizes[n] = asks[i].qty
            n += 1
    if n < FEWEST_LEVELS or p.adds.n < p.rules.least_adds or not quantiles_at(&p.adds, p.rules.quantile, &size):
        return
    p.threshold = max(size, p.rules.times * median_of(sizes, n) * unit)
    if p.threshold / unit < 9e18:
        p.large = <qty_t>ceil(p.threshold / unit)


cdef int32_t _repeats(const Postings* p, BookSide side, ns_t now_ns) noexcept nogil:
    cdef int32_t n = 0
    cdef int64_t i
    for i in range(max(p.n_told[side] - MAX_REPEATS, <int64_t>0), p.n_told[side]):
        n += now_ns - p.told_ns[side][i % MAX_REPEATS] <= p.rules.repeat_ns
    return n


cdef inline double _unit(double value) noexcept nogil:
    """Into [0, 1]; what is not a number is 0."""
    return min(value, 1.0) if value > 0.0 else 0.0


cdef void _judge(Postings* p, Posting* row, ns_t now_ns) noexcept nogil:
    cdef PostingRules* rules = &p.rules
    cdef double removed = <double>(row.peak - row.left)
    cdef double share = <double>row.traded / removed if removed > 0.0 else 1.0
    cdef double lost = row.opposite_depth - row.opposite_least - row.opposite_volume
    cdef double tilt = row.rho_posted - row.rho_before
    cdef double z = rules.bias
    cdef double life_s = <double>(row.withdrawn_ns - row.posted_ns) / NS
    cdef int32_t i
    row.opposite_typical = postings_typical(p, <BookSide>(1 - row.side)) * life_s
    row.repeats = _repeats(p, row.side, now_ns)
    row.features[<int>POSTED_SIZE] = _unit(log2(row.size / row.threshold) / log2(LARGEST_TIMES))
    row.features[<int>POSTED_NEAR] = _unit(1.0 - row.distance_bps / rules.max_bps)
    row.features[<int>POSTED_BRIEFLY] = _unit(1.0 - <double>(row.withdrawn_ns - row.posted_ns) / <double>rules.life_ns)
    row.features[<int>POSTED_UNEXECUTED] = _unit(1.0 - share / rules.executed_share)
    row.features[<int>POSTED_OPPOSITE] = 0.0 if row.opposite_volume <= 0.0 else 1.0 if row.opposite_typical <= 0.0 \
        else _unit(row.opposite_volume / row.opposite_typical / FULL_OPPOSITE)
    row.features[<int>POSTED_TILT] = _unit(fabs(tilt) / FULL_TILT)
    row.features[<int>POSTED_REVERTED] = _unit((row.rho_posted - row.rho_withdrawn) / tilt) if tilt != 0.0 else 0.0
    row.features[<int>POSTED_REPEATED] = _unit(row.repeats / FULL_REPEATS)
    row.score = 0.0
    if share > rules.executed_share:
        row.end = POSTING_EXECUTED
    elif row.opposite_depth > 0.0 and lost >= rules.market_wide_share * row.opposite_depth:
        row.end = POSTING_MARKET_WIDE
    elif fabs(tilt) < rules.least_tilt or row.features[<int>POSTED_REVERTED] < rules.least_reverted:
        row.end = POSTING_SLIGHT
    else:
        row.end = POSTING_SCORED
        for i in range(N_POSTING_FEATURES):
            z += rules.weights[i] * row.features[i]
        row.score = 1.0 / (1.0 + exp(-z))
        if row.score >= rules.least_score:
            p.told_ns[row.side][p.n_told[row.side] % MAX_REPEATS] = now_ns
            p.n_told[row.side] += 1
    p.n_of[<int>row.end] += 1


cdef bint postings_due(Postings* p, double unit, ns_t now_ns, Posting* judged) noexcept nogil:
    """By the clock: forget what stood for too long, judge what was withdrawn and has waited for late trades."""
    cdef Posting* row
    cdef int32_t i = 0
    _pass_seconds(p, now_ns)
    while i < p.n:
        row = &p.rows[i]
        if row.withdrawn_ns == 0:
            if now_ns - row.posted_ns > p.rules.life_ns:
                p.n_of[<int>POSTING_STOOD] += 1
                _drop(p, i)
                continue
        elif now_ns - row.withdrawn_ns >= p.rules.settle_ns:
            row.opposite_least = min(row.opposite_least, p.depth[1 - row.side] * unit)
            row.size = <double>row.added * unit
            _judge(p, row, now_ns)
            judged[0] = row[0]
            _drop(p, i)
            return True
        i += 1
    return False


cdef bint postings_rescale(Postings* p, int64_t px_factor, int64_t qty_factor) noexcept nogil:
    """The instrument's scales grew: what is followed is given up, what is large is found anew with the next survey."""
    postings_forget(p)
    return True
