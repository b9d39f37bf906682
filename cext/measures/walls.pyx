"""Walls: found at each survey of the book, followed price by price."""

from libc.math cimport NAN
from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.string cimport memcpy

from cext.book cimport ASKS, BIDS, Book, BookSide
from cext.events cimport Level
from cext.measures.median cimport median_of
from cext.measures.survey cimport Survey, px_at
from cext.quantiles cimport quantiles_add, quantiles_at, quantiles_free, quantiles_init
from cext.units cimport ns_t, px_t, qty_t

cdef enum:
    WALL_NEWS_NS = 1_000_000_000    # an appearance or a growth is news for so long


cdef bint walls_init(Walls* w, const WallRules* rules, ns_t day_ns) noexcept nogil:
    cdef int32_t i
    w.rules = rules[0]
    w.n = 0
    w.numbers = 0
    w.turn = 0
    w.threshold = NAN
    for i in range(N_WALL_STATES):
        w.n_of[i] = 0
    return quantiles_init(&w.sizes, day_ns)


cdef void walls_free(Walls* w) noexcept nogil:
    quantiles_free(&w.sizes)


cdef void walls_forget(Walls* w) noexcept nogil:
    w.n = 0


cdef void _enter(Walls* w, Wall* wall, WallState state, ns_t now_ns) noexcept nogil:
    wall.state = state
    wall.state_ns = now_ns
    w.n_of[<int>state] += 1


cdef inline void _drop(Walls* w, int32_t i) noexcept nogil:
    w.n -= 1
    w.rows[i] = w.rows[w.n]


cdef double median_around(const qty_t* sizes, int32_t n) noexcept nogil:
    """The median of up to 2 * MAX_NEIGHBOURS sizes, which stay in their order."""
    cdef qty_t rows[2 * MAX_NEIGHBOURS]
    memcpy(rows, sizes, n * sizeof(qty_t))
    return median_of(rows, n)


cdef bint _stands_out(const Walls* w, const Level* levels, int32_t n, int32_t at) noexcept nogil:
    """Is a level `times` the median of its neighbours? Not to be told where it has too few."""
    cdef qty_t around[2 * MAX_NEIGHBOURS]
    cdef int32_t first = max(at - w.rules.neighbours, 0)
    cdef int32_t last = min(at + w.rules.neighbours, n - 1)
    cdef int32_t i
    cdef int32_t m = 0
    if last - first < w.rules.neighbours:
        return False
    for i in range(first, last + 1):
        if i != at:
            around[m] = levels[i].qty
            m += 1
    return <double>levels[at].qty >= w.rules.times * median_around(around, m)


cdef Wall* _find(Walls* w, BookSide side, px_t px) noexcept nogil:
    """The wall at a price that still stands or may come back."""
    cdef int32_t i
    for i in range(w.n):
        if w.rows[i].px == px and w.rows[i].side == side and w.rows[i].state < WALL_ABSORB:
            return &w.rows[i]
    return NULL


cdef void walls_trade(Walls* w, BookSide side, px_t px, qty_t qty) noexcept nogil:
    cdef Wall* wall
    if w.n > 0:
        wall = _find(w, side, px)
        if wall != NULL and wall.traded <= INT64_MAX - qty:
            wall.traded += qty


cdef bint _follow(Walls* w, Book book, Survey survey, ns_t now_ns) noexcept nogil:
    """Bring every wall up to the book as it is now. True: a state changed, or the size of one that is told."""
    cdef px_t last[2]
    cdef Wall* wall
    cdef qty_t was
    cdef bint news = False
    cdef int32_t i = 0
    last[BIDS] = px_at(survey.bid_px, survey.ask_px, w.rules.max_bps, BIDS)
    last[ASKS] = px_at(survey.bid_px, survey.ask_px, w.rules.max_bps, ASKS)
    while i < w.n:
        wall = &w.rows[i]
        if wall.state >= WALL_ABSORB:
            if now_ns - wall.state_ns >= w.rules.keep_ns:
                _drop(w, i)
                news = True
            else:
                i += 1
            continue
        was = wall.qty
        wall.qty = book.quantity(wall.side, wall.px)
        wall.peak = max(wall.peak, wall.qty)
        news = news or (wall.qty != was and wall.state != WALL_FORMING)
        if wall.px < last[BIDS] if wall.side == BIDS else wall.px > last[ASKS]:
            news = news or wall.state != WALL_FORMING
            _drop(w, i)
            continue
        if <double>wall.qty >= w.rules.gone_share * <double>wall.peak:
            wall.gone_ns = 0
            if wall.state != WALL_FORMING and <double>wall.qty >= (1.0 + w.rules.grow_share) * <double>wall.told:
                wall.told = wall.qty
                _enter(w, wall, WALL_GROW, now_ns)
                news = True
            elif (wall.state == WALL_APPEAR or wall.state == WALL_GROW) and now_ns - wall.state_ns >= WALL_NEWS_NS:
                _enter(w, wall, WALL_PERSIST, now_ns)
                news = True
        elif wall.state == WALL_FORMING:
            _drop(w, i)
            continue
        elif wall.gone_ns == 0:
            wall.gone_ns = now_ns
        elif now_ns - wall.gone_ns >= w.rules.settle_ns:
            _enter(w, wall, WALL_ABSORB if <double>wall.traded >= w.rules.absorbed_share * <double>(wall.peak - wall.qty) else WALL_PULL, now_ns)
            news = True
        i += 1
    return news


cdef bint _form(Walls* w, const Level* levels, int32_t n, int32_t at, BookSide side, ns_t now_ns) noexcept nogil:
    """A level of the day's largest: is it a wall, or one to be? True: one appeared."""
    cdef Wall* wall = _find(w, side, levels[at].px)
    cdef bint stands_out
    if wall != NULL and wall.state != WALL_FORMING:
        return False
    stands_out = _stands_out(w, levels, n, at)
    if wall == NULL:
        if not stands_out or w.n == MAX_WALLS:
            return False
        wall = &w.rows[w.n]
        w.n += 1
        w.numbers += 1
        wall.number = w.numbers
        wall.side = side
        wall.px = levels[at].px
        wall.qty = wall.peak = wall.told = levels[at].qty
        wall.traded = 0
        wall.gone_ns = 0
        wall.since_ns = now_ns
        _enter(w, wall, WALL_FORMING, now_ns)
        return False
    if stands_out:
        wall.state_ns = now_ns  # of one to be: when it was last one
        if now_ns - wall.since_ns >= w.rules.persist_ns:
            wall.told = wall.qty
            _enter(w, wall, WALL_APPEAR, now_ns)
            return True
    return False


cdef bint walls_survey(Walls* w, Book book, Survey survey, double unit, ns_t now_ns) noexcept nogil:
    """One more survey of a synced book. `unit`: what one qty_t is worth, so that the day's sizes outlive a rescaling."""
    cdef const Level* levels
    cdef int32_t side, n, i
    cdef px_t last
    cdef double size
    cdef bint news
    if not survey.valid:
        return False
    news = _follow(w, book, survey, now_ns)
    if not survey.fresh:
        # the book is as it was: what was a wall to be still is one
        for i in range(w.n):
            if w.rows[i].state == WALL_FORMING:
                w.rows[i].state_ns = now_ns
                if now_ns - w.rows[i].since_ns >= w.rules.persist_ns:
                    w.rows[i].told = w.rows[i].qty
                    _enter(w, &w.rows[i], WALL_APPEAR, now_ns)
                    news = True
        return news
    for side in range(2):
        levels = survey.levels(side, &n)
        last = px_at(survey.bid_px, survey.ask_px, w.rules.max_bps, side)
        for i in range(n):
            if levels[i].px < last if side == BIDS else levels[i].px > last:
                break
            if w.sizes.n < w.rules.least_sizes or (<uint32_t>i + w.turn) % SAMPLE == 0:
                quantiles_add(&w.sizes, <double>levels[i].qty * unit, now_ns)
    w.turn += 1
    w.threshold = NAN
    if w.sizes.n < w.rules.least_sizes or not quantiles_at(&w.sizes, w.rules.share, &size):
        return news
    w.threshold = size
    for side in range(2):
        levels = survey.levels(side, &n)
        last = px_at(survey.bid_px, survey.ask_px, w.rules.max_bps, side)
        for i in range(n):
            if levels[i].px < last if side == BIDS else levels[i].px > last:
                break
            if <double>levels[i].qty * unit >= size and _form(w, levels, n, i, side, now_ns):
                news = True
    i = 0
    while i < w.n:  # one to be that was none at this survey is forgotten
        if w.rows[i].state == WALL_FORMING and w.rows[i].state_ns != now_ns:
            _drop(w, i)
        else:
            i += 1
    return news


cdef bint walls_rescale(Walls* w, int64_t px_factor, int64_t qty_factor) noexcept nogil:
    """The instrument's scales grew: False, and no wall left, if one does not fit."""
    cdef int32_t i
    cdef Wall* wall
    for i in range(w.n):
        wall = &w.rows[i]
        if wall.px > INT64_MAX // px_factor or max(wall.peak, wall.traded) > INT64_MAX // qty_factor:
            w.n = 0
            return False
        wall.px *= px_factor
        wall.qty *= qty_factor
        wall.peak *= qty_factor
        wall.told *= qty_factor
        wall.traded *= qty_factor
    return True
