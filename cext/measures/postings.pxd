"""Large orders that are posted near the touch and withdrawn: how much each looks like a known pattern, in [0, 1]. Books without owners cannot say why.

The published features (analytics page, 4.8): a large one-sided order; near the touch (the distance is a feature: Fabre and Challet, arXiv 2504.15908); removed
soon; next to nothing of it executed; trades on the other side of the book while it stood; an imbalance of the book that it made and that went with it
(Cartea, Jaimungal and Wang 2020).

A posting is an addition of at least max(`quantile` of the additions near the touch, `times` the median level near the touch) no further than `max_bps` from the mid.
It is withdrawn when no more than 1 - `removed_share` of it is left within `life_ns`. Then, `settle_ns` later as trades may come late, its score is
sigma(bias + sum of weight * feature), every feature in [0, 1] (posting_features), or 0 where more than `executed_share` of what went was traded at its price, or where
`market_wide_share` of the depth on the other side went too without being traded (then the market left, not an order), or where it hardly moved the
imbalance: rho changed by less than `least_tilt` when it was posted, or less than `least_reverted` of that change went with it. Nearly every large order that
makers move along with the price ends so.

"Near" is within `max_bps`. rho is the imbalance of all depth near the touch: that of the newest survey, brought up to date by every change near it since.
Typical volume is the median of the seconds of ten minutes (their mean where more than half of them were silent), for as long as the posting stood.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t

from cext.book cimport Book, BookSide
from cext.events cimport Level
from cext.quantiles cimport Quantiles
from cext.units cimport ns_t, px_t, qty_t

cdef enum:
    MAX_POSTINGS = 32       # at a time
    MAX_REPEATS = 64        # patterns of a side that are remembered
    VOLUME_SECONDS = 600
    N_POSTING_FEATURES = 8
    N_POSTING_ENDS = 5

cdef enum PostingFeature:
    POSTED_SIZE = 0         # log2(added / what is large) / 3: eight times as much is 1
    POSTED_NEAR             # 1 at the mid, 0 at max_bps
    POSTED_BRIEFLY          # 1 at once, 0 after life_ns
    POSTED_UNEXECUTED       # 1 if nothing was executed, 0 at executed_share
    POSTED_OPPOSITE         # what aggressors took from the other side, to twice what is typical
    POSTED_TILT             # |change of rho| when it was posted, to 0.4
    POSTED_REVERTED         # the part of that change that went with it
    POSTED_REPEATED         # patterns told on this side in the last ten minutes, to five

cdef enum PostingEnd:
    POSTING_SCORED = 0
    POSTING_EXECUTED        # score 0
    POSTING_MARKET_WIDE     # score 0
    POSTING_STOOD           # it outlived life_ns
    POSTING_SLIGHT          # it hardly moved the imbalance: score 0

cdef struct PostingRules:
    double quantile
    double times
    int32_t max_bps
    int64_t least_adds
    double removed_share
    double executed_share
    double market_wide_share
    double least_tilt
    double least_reverted
    ns_t life_ns
    ns_t settle_ns
    ns_t repeat_ns
    double least_score      # from here on a pattern is told, and counts as a repeat
    double bias
    double weights[N_POSTING_FEATURES]

cdef struct Posting:
    BookSide side
    px_t px
    qty_t before            # what stood there
    qty_t added
    qty_t peak
    qty_t left              # when it was withdrawn, or now
    qty_t traded            # at its price, since
    ns_t posted_ns
    ns_t withdrawn_ns       # 0: it stands
    double size             # of `added`, and what was large then: native units
    double threshold
    double distance_bps
    double rho_before       # without it
    double rho_posted
    double rho_withdrawn
    double opposite_depth   # near the touch on the other side when it was posted, and the least seen since: native units
    double opposite_least
    double opposite_before  # volume of the aggressors of the other side until then
    double opposite_volume  # and while it stood
    double opposite_typical
    int32_t repeats
    double features[N_POSTING_FEATURES]
    double score
    PostingEnd end

cdef struct Postings:
    PostingRules rules
    Quantiles adds
    qty_t large             # what is large now; INT64_MAX while it is not known
    double threshold        # the same in native units
    px_t near[2]            # the last prices near the touch
    double depth[2]         # all that stands near it, in qty_t
    uint64_t marks[2]       # of the prices that are followed, a bit each: what has none of them need not be searched for
    px_t best[2]
    Posting rows[MAX_POSTINGS]
    int32_t n
    double volume[2]        # of aggressors that took from the bids, and from the asks, since the start; native units
    double by_second[2][VOLUME_SECONDS]
    int64_t second          # that is filling
    int64_t first_second
    double second_from[2]   # `volume` when it began
    ns_t told_ns[2][MAX_REPEATS]
    int64_t n_told[2]
    int64_t n_of[N_POSTING_ENDS]
    int64_t n_posted

cdef bint postings_init(Postings* p, const PostingRules* rules) noexcept nogil          # False: no memory
cdef void postings_free(Postings* p) noexcept nogil
cdef void postings_forget(Postings* p) noexcept nogil                                   # the book is lost
cdef void postings_trade(Postings* p, BookSide side, px_t px, qty_t qty, double unit, ns_t now_ns) noexcept nogil   # taken from this side
cdef void postings_frame(Postings* p, Book book, const Level* bids, int32_t n_bids, const Level* asks, int32_t n_asks, double unit,
                         ns_t now_ns) noexcept nogil                                    # right after Book.apply, with Book.was
cdef void postings_survey(Postings* p, const Level* bids, int32_t n_bids, const Level* asks, int32_t n_asks, double bid_depth, double ask_depth,
                          double unit) noexcept nogil                                   # levels best first; depth near the touch in qty_t
cdef bint postings_due(Postings* p, double unit, ns_t now_ns, Posting* judged) noexcept nogil     # True: one is judged; call again
cdef bint postings_rescale(Postings* p, int64_t px_factor, int64_t qty_factor) noexcept nogil
cdef double postings_typical(const Postings* p, BookSide side) noexcept nogil           # volume a second
