"""Walls: levels that are far larger than their neighbours and than the day's levels, and that stay; and what became of each.

A level is a wall-to-be while its size is at least `times` the median of its `neighbours` on either side of it on its own side of the book, at
least the day's quantile `share` of level sizes, and no further than `max_bps` from the mid. One that has been that for `persist_ns` appears.
From then on it is a wall until it holds less than `gone_share` of the most that it held: `settle_ns` later, as trades may come after the
change of the book, it was absorbed if at least `absorbed_share` of what is missing was traded at its price since it was first seen, else it was pulled.
One that leaves the distance is forgotten without a word, as is every one when the book is lost: nobody knows what became of it.

The day's sizes are those of every SAMPLE-th level of a survey, in turns (of every level until there are enough), in base or contract units.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from cext.book cimport Book, BookSide
from cext.measures.survey cimport Survey
from cext.quantiles cimport Quantiles
from cext.units cimport ns_t, px_t, qty_t

cdef enum:
    MAX_WALLS = 64
    MAX_NEIGHBOURS = 50
    SAMPLE = 16

cdef enum WallState:
    WALL_FORMING = 0        # not told
    WALL_APPEAR
    WALL_GROW               # by `grow_share` since it was last told
    WALL_PERSIST            # neither of both for WALL_NEWS_NS
    WALL_ABSORB             # these two are told for `keep_ns`
    WALL_PULL
    N_WALL_STATES

cdef struct WallRules:
    double times
    double share
    int32_t neighbours
    int32_t max_bps
    int64_t least_sizes     # seen before anything is called large
    ns_t persist_ns
    double gone_share
    double absorbed_share
    double grow_share
    ns_t settle_ns
    ns_t keep_ns

cdef struct Wall:
    int64_t number          # counts an instrument's walls from the first level that was one to be
    BookSide side
    px_t px
    qty_t qty               # as it stands now
    qty_t peak
    qty_t told              # when it appeared or last grew
    qty_t traded            # at its price, since it was first seen
    WallState state
    ns_t since_ns           # first seen
    ns_t state_ns           # when its state last changed
    ns_t gone_ns            # when it was found gone; 0: it stands

cdef struct Walls:
    WallRules rules
    Wall rows[MAX_WALLS]
    int32_t n
    int64_t numbers
    double threshold        # the day's quantile now, in units of a quantity; not a number while it is not known
    uint32_t turn
    int64_t n_of[N_WALL_STATES]     # how often each state was entered
    Quantiles sizes

cdef bint walls_init(Walls* w, const WallRules* rules, ns_t day_ns) noexcept nogil      # False: no memory
cdef void walls_free(Walls* w) noexcept nogil
cdef void walls_forget(Walls* w) noexcept nogil                                         # the book is lost; the day's sizes stay
cdef void walls_trade(Walls* w, BookSide side, px_t px, qty_t qty) noexcept nogil       # an aggressor took so much from this side
cdef bint walls_survey(Walls* w, Book book, Survey survey, double unit, ns_t now_ns) noexcept nogil     # True: there is something to tell
cdef bint walls_rescale(Walls* w, int64_t px_factor, int64_t qty_factor) noexcept nogil
cdef double median_around(const qty_t* sizes, int32_t n) noexcept nogil
