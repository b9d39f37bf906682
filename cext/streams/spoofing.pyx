"""Spoof-like patterns, each with its evidence. A pattern says what happened in the book, never who did it or why."""

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from cext.book cimport ASKS, BIDS, Book
from cext.decimal cimport POW10
from cext.events cimport EVENT_BACKFILL, EVENT_DEPTH, EVENT_OFF_BOOK, SIDE_BUY, SIDE_SELL, Event, Level
from cext.measures.postings cimport (
    N_POSTING_FEATURES, POSTING_EXECUTED, POSTING_MARKET_WIDE, POSTING_SCORED, POSTING_SLIGHT, POSTING_STOOD, Posting, PostingRules, postings_due, postings_forget,
    postings_frame, postings_free, postings_init, postings_rescale, postings_survey, postings_trade,
)
from cext.measures.survey cimport Survey
from cext.names cimport Names
from cext.outbox cimport HIGH, MARK_ROUNDED, Outbox
from cext.stream cimport BOOK_SYNCED, HEARS_BOOK, HEARS_STATE, HEARS_SURVEY, HEARS_TIMER, HEARS_TRADES, BookState, Reason, Stream
from cext.streams.liquidity cimport Liquidity
from cext.symbols cimport CONTRACT_INVERSE, Symbol
from cext.turnover cimport put_quantity
from cext.units cimport NO_TIME, ns_t
from cext.worth cimport Worth, worth_of, worth_quote
from cext.writer cimport Writer, put_bytes, put_decimal, put_double, put_int

cdef enum:
    DIGITS = 6

FEATURES = ("size", "near", "briefly", "unexecuted", "opposite", "tilt", "reverted", "repeated")
WEIGHTS = {"size": 1.5, "near": 1.5, "briefly": 0.5, "unexecuted": 0.5, "opposite": 2.0, "tilt": 2.0, "reverted": 1.0, "repeated": 1.5}
ENDS = {POSTING_SCORED: "scored", POSTING_EXECUTED: "executed", POSTING_MARKET_WIDE: "market_wide", POSTING_STOOD: "stood", POSTING_SLIGHT: "slight"}
ctypedef const char* text_t

cdef text_t[8] FEATURE_TEXTS = [b'{"size":', b',"near":', b',"briefly":', b',"unexecuted":', b',"opposite":', b',"tilt":', b',"reverted":', b',"repeated":']
cdef Py_ssize_t[8] FEATURE_SIZES = [8, 8, 11, 14, 12, 8, 12, 12]


cdef class Spoofing(Stream):
    """`spoofing`: one event a pattern whose score is at least `least_score`.

    pattern (posted_and_withdrawn), score in [0, 1] and the features that made it, each in [0, 1] (postings.pxd). The evidence: side (bid, ask), price,
    quantity and quote_quantity posted, threshold (what was large then, in base coins or contracts), distance_bps from the mid, posted and
    withdrawn (our times), executed_share (traded at its price, of what went), imbalance_before, imbalance_posted, imbalance_withdrawn (of all depth
    near the touch), opposite_volume (what aggressors took from the other side meanwhile) and opposite_typical, in the unit of threshold,
    repeats (patterns told on this side in the last ten minutes), shift_bps (of that side's depth from the last hour's; null where it is not known).

    `liquidity_stream`, if given, must stand before this stream in the instrument's list.
    """

    def __init__(self, Names names not None, Liquidity liquidity_stream=None, *, str word="", **settings):
        self.names = names
        self.word = word
        self.hears = HEARS_BOOK | HEARS_TRADES | HEARS_STATE | HEARS_SURVEY | HEARS_TIMER
        self._liquidity = liquidity_stream
        memset(&self.last, 0, sizeof(Posting))
        self.configure(**settings)

    def __dealloc__(self):
        postings_free(&self.postings)

    def configure(self, *, double quantile=0.99, double times=5.0, int32_t max_bps=20, int64_t least_adds=1_000, double removed_share=0.8,
                  double executed_share=0.05, double market_wide_share=0.5, double least_tilt=0.2, double least_reverted=0.5, ns_t life_ns=5_000_000_000,
                  ns_t settle_ns=1_000_000_000, ns_t repeat_ns=600_000_000_000, double least_score=0.5, double bias=-4.0, weights=None):
        """Settings from now on; nothing that was seen is lost."""
        cdef PostingRules rules
        cdef int32_t i
        weights = {**WEIGHTS, **(weights or {})}
        within = (
            ("quantile", quantile, 0.5, 0.9999), ("times", times, 1, 1000), ("max_bps", max_bps, 1, 200), ("least_adds", least_adds, 100, 10**9),
            ("removed_share", removed_share, 0.1, 1), ("executed_share", executed_share, 0.001, 1), ("market_wide_share", market_wide_share, 0.05, 1),
            ("least_tilt", least_tilt, 0, 1), ("least_reverted", least_reverted, 0, 1),
            ("life_ns", life_ns, 10_000_000, 600_000_000_000), ("settle_ns", settle_ns, 0, 60_000_000_000),
            ("repeat_ns", repeat_ns, 1_000_000_000, 86_400_000_000_000), ("least_score", least_score, 0, 1), ("bias", bias, -100, 100),
            *((f"weight {name}", weight, -100, 100) for name, weight in weights.items()),
        )
        for name, value, least, most in within:
            if not least <= value <= most:
                raise ValueError(f"{name} {value} is outside {least}..{most}")
        if set(weights) != set(FEATURES):
            raise ValueError(f"weights {sorted(weights)}: known are {', '.join(FEATURES)}")
        rules.quantile, rules.times, rules.max_bps, rules.least_adds, rules.removed_share = quantile, times, max_bps, least_adds, removed_share
        rules.executed_share, rules.market_wide_share, rules.life_ns, rules.settle_ns = executed_share, market_wide_share, life_ns, settle_ns
        rules.repeat_ns, rules.least_score, rules.bias = repeat_ns, least_score, bias
        rules.least_tilt, rules.least_reverted = least_tilt, least_reverted
        for i in range(N_POSTING_FEATURES):
            rules.weights[i] = weights[FEATURES[i]]
        if self.postings.adds.counts == NULL and not postings_init(&self.postings, &rules):
            raise MemoryError
        if self._survey is not None and max_bps != self.postings.rules.max_bps:
            postings_forget(&self.postings)  # near is another distance
            self._survey.ask([max_bps])
            self._survey.renew()
        self.postings.rules = rules

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self.channel = self.names.channel(out, "spoofing", self.word, HIGH, self)
        book.keep_was()

    cdef double _unit(self) noexcept nogil:
        return 1.0 / <double>POW10[self.symbol.qty_scale]

    cdef void ask_survey(self, Survey survey):
        self._survey = survey
        survey.ask([self.postings.rules.max_bps])

    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        self._synced = state == BOOK_SYNCED
        postings_forget(&self.postings)

    cdef void on_book(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        if event.kind == EVENT_DEPTH:
            postings_frame(&self.postings, self.book, levels + event.bids, event.n_bids, levels + event.asks, event.n_asks, self._unit(), ts_recv)
        else:
            postings_forget(&self.postings)  # an image tells no changes

    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil:
        if event.flags & (EVENT_OFF_BOOK | EVENT_BACKFILL):
            return
        if event.side == SIDE_BUY:
            postings_trade(&self.postings, ASKS, event.px, event.qty, self._unit(), ts_recv)
        elif event.side == SIDE_SELL:
            postings_trade(&self.postings, BIDS, event.px, event.qty, self._unit(), ts_recv)

    cdef void on_survey(self, Survey survey, ns_t now_ns) noexcept nogil:
        cdef int32_t n_bids, n_asks, edge
        cdef const Level* bids
        cdef const Level* asks
        if survey.fresh:
            bids = survey.levels(BIDS, &n_bids)
            asks = survey.levels(ASKS, &n_asks)
            edge = survey.edge(self.postings.rules.max_bps)
            postings_survey(&self.postings, bids, n_bids, asks, n_asks, survey.within(BIDS, edge).native, survey.within(ASKS, edge).native, self._unit())

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        cdef Posting judged
        if not self._synced:
            return
        while postings_due(&self.postings, self._unit(), now_ns, &judged):
            self.last = judged
            if judged.end == POSTING_SCORED and judged.score >= self.postings.rules.least_score:
                self._tell(&judged, now_ns)

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        return postings_rescale(&self.postings, px_factor, qty_factor)

    cdef void _tell(self, const Posting* row, ns_t now_ns) noexcept nogil:
        cdef Writer* w = self.out.open(self.channel, NO_TIME, now_ns, MARK_ROUNDED if self.symbol.contract == CONTRACT_INVERSE else 0)
        cdef Worth worth = worth_of(self.symbol)
        cdef int32_t i
        self.n_told += 1
        put_bytes(w, b',"pattern":"posted_and_withdrawn","score":', 42)
        put_double(w, row.score, DIGITS)
        put_bytes(w, b',"features":', 12)
        for i in range(N_POSTING_FEATURES):
            put_bytes(w, FEATURE_TEXTS[i], FEATURE_SIZES[i])
            put_double(w, row.features[i], DIGITS)
        put_bytes(w, b'},"side":"bid","price":' if row.side == BIDS else b'},"side":"ask","price":', 23)
        put_decimal(w, row.px, self.symbol.px_scale)
        put_bytes(w, b',"quantity":', 12)
        put_quantity(w, self.symbol, row.px, row.added)
        put_bytes(w, b',"quote_quantity":', 18)
        put_double(w, worth_quote(&worth, row.px, row.added), DIGITS)
        put_bytes(w, b',"threshold":', 13)
        put_double(w, row.threshold, DIGITS)
        put_bytes(w, b',"distance_bps":', 16)
        put_double(w, row.distance_bps, DIGITS)
        put_bytes(w, b',"posted":', 10)
        put_int(w, row.posted_ns)
        put_bytes(w, b',"withdrawn":', 13)
        put_int(w, row.withdrawn_ns)
        put_bytes(w, b',"executed_share":', 18)
        put_double(w, <double>row.traded / <double>(row.peak - row.left), DIGITS)
        put_bytes(w, b',"imbalance_before":', 20)
        put_double(w, row.rho_before, DIGITS)
        put_bytes(w, b',"imbalance_posted":', 20)
        put_double(w, row.rho_posted, DIGITS)
        put_bytes(w, b',"imbalance_withdrawn":', 23)
        put_double(w, row.rho_withdrawn, DIGITS)
        put_bytes(w, b',"opposite_volume":', 19)
        put_double(w, row.opposite_volume, DIGITS)
        put_bytes(w, b',"opposite_typical":', 20)
        put_double(w, row.opposite_typical, DIGITS)
        put_bytes(w, b',"repeats":', 11)
        put_int(w, row.repeats)
        put_bytes(w, b',"shift_bps":', 13)
        put_double(w, self._liquidity.shift[row.side].bps if self._liquidity is not None else NAN, DIGITS)
        self.out.close(self.channel)

    def values(self):
        """The newest posting that was judged and what was counted, as plain data."""
        counts = {name: self.postings.n_of[<int>end] for end, name in ENDS.items()}
        judged = dict(self.last) if self.last.posted_ns else None
        if judged is not None:
            judged["features"] = dict(zip(FEATURES, [self.last.features[<int>i] for i in range(len(FEATURES))], strict=True))
            judged["end"] = ENDS[self.last.end]
        threshold = self.postings.threshold
        return {"last": judged, "counts": counts, "posted": self.postings.n_posted, "told": self.n_told, "following": self.postings.n,
                "threshold": threshold if threshold == threshold else None}
