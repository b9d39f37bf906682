"""Liquidity: what stands in the book by distance, what an order would cost, and the walls."""

from libc.math cimport NAN
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from cext.book cimport ASKS, BIDS, Book, BookSide
from cext.cadence cimport cadence_due
from cext.decimal cimport POW10
from cext.events cimport EVENT_BACKFILL, EVENT_OFF_BOOK, SIDE_BUY, SIDE_SELL, Event, Level
from cext.measures.depth_shift cimport shift_init, shift_pause, shift_survey
from cext.measures.survey cimport MAX_EDGES, Survey
from cext.measures.walls cimport (
    MAX_NEIGHBOURS, WALL_ABSORB, WALL_APPEAR, WALL_FORMING, WALL_GROW, WALL_PERSIST, WALL_PULL, Wall, WallRules, walls_forget, walls_free, walls_init,
    walls_rescale, walls_survey, walls_trade,
)
from cext.names cimport Names
from cext.outbox cimport MEDIUM, Channel, Outbox
from cext.stream cimport BOOK_SYNCED, HEARS_STATE, HEARS_SURVEY, HEARS_TRADES, BookState, Reason, Stream
from cext.symbols cimport Symbol
from cext.turnover cimport put_quantity
from cext.units cimport NO_TIME, ns_t
from cext.wide cimport Wide, wide_add, wide_of, wide_scaled
from cext.worth cimport Worth, worth_base, worth_of, worth_quote
from cext.writer cimport Writer, put_bytes, put_decimal, put_double, put_int, put_wide

import json

cdef enum:
    DIGITS = 6          # significant, of amounts and scores: there are hundreds in an event
    TEXT_STEPS = 0
    TEXT_BANDS = 1
    TEXT_SIZES = 2

WALL_STATES = {WALL_FORMING: "forming", WALL_APPEAR: "appear", WALL_GROW: "grow", WALL_PERSIST: "persist", WALL_ABSORB: "absorb", WALL_PULL: "pull"}
ctypedef const char* text_t

cdef text_t[6] STATE_TEXTS = [b'"forming"', b'"appear"', b'"grow"', b'"persist"', b'"absorb"', b'"pull"']
cdef Py_ssize_t[6] STATE_SIZES = [9, 8, 6, 9, 8, 6]


cdef class Liquidity(Stream):
    """`liquidity`: the newest state, when it changed.

    mid. known_bps_bid, known_bps_ask: how far from the mid the book is known, in basis points, as far as it is looked at. Amounts in quote coins,
    JSON numbers; null where it is not known. bands_bps with bid_depth, ask_depth: all within each of these distances. sizes with
    buy_slippage_bps, sell_slippage_bps: how far from the mid the mean price of a market order of such a size would be; null where the book that is
    looked at and known cannot fill it. profile: steps_bps ([[1, 50], [5, 200]]: steps of 1 up to 50, then of 5 up to 200) with bids and asks, the
    amount in each step. shift_bps_bid, shift_bps_ask: how far the depth lies from where it lay in the last hour (depth_shift.pxd; null while that is
    not known). walls (walls.pxd), each with number, side, price, quantity (base coins), quote_quantity, distance_bps, state (appear, grow,
    persist, absorb, pull), since (it was first seen), state_since, peak and traded (quantities); wall_quote_quantity: what the day's large levels
    begin at (null while too few were seen).
    """

    def __init__(self, Names names not None, *, str word="", **settings):
        self.names = names
        self.word = word
        self.hears = HEARS_SURVEY | HEARS_STATE | HEARS_TRADES
        self._at_ns = NO_TIME
        self.configure(**settings)

    def __dealloc__(self):
        walls_free(&self.walls)

    def configure(self, *, ns_t every_ns=250_000_000, profile=((1, 50), (5, 200)), bands_bps=(10, 25, 50, 100, 200), sizes=(10_000, 100_000, 1_000_000),
                  double wall_times=8.0, double wall_quantile=0.995, int32_t wall_neighbours=25, int32_t wall_bps=200, int64_t wall_least_sizes=2_000,
                  ns_t wall_persist_ns=10_000_000_000, double wall_gone_share=0.5, double wall_absorbed_share=0.5, double wall_grow_share=0.25,
                  ns_t wall_settle_ns=1_000_000_000, ns_t wall_keep_ns=10_000_000_000, ns_t wall_day_ns=86_400_000_000_000,
                  ns_t shift_baseline_ns=3_600_000_000_000):
        """Settings from now on; walls, the day's sizes and the baseline stay, unless their own length of time is another."""
        cdef WallRules rules
        cdef int32_t i
        edges, reached = [], 0
        for step, to in profile:
            if step < 1 or to <= reached or (to - reached) % step:
                raise ValueError(f"profile {profile}: allowed are rising distances in whole steps, in basis points")
            edges += range(reached + step, to + 1, step)
            reached = to
        bands_bps, sizes = sorted(set(bands_bps)), sorted(set(sizes))
        if not edges or len({*edges, *bands_bps, wall_bps}) > MAX_EDGES - 8:
            raise ValueError(f"profile {profile}: allowed are up to {MAX_EDGES - 8} steps and bands together")
        if len(bands_bps) > MAX_BANDS or len(sizes) > MAX_SIZES or (sizes and sizes[0] <= 0):
            raise ValueError(f"bands {bands_bps}, sizes {sizes}: allowed are up to {MAX_BANDS} and {MAX_SIZES}, sizes above 0")
        within = (
            ("every_ns", every_ns, 10_000_000, 60_000_000_000), ("wall_times", wall_times, 1, 1000), ("wall_quantile", wall_quantile, 0.5, 0.99999),
            ("wall_neighbours", wall_neighbours, 2, MAX_NEIGHBOURS), ("wall_bps", wall_bps, 1, 1000), ("wall_least_sizes", wall_least_sizes, 100, 10**9),
            ("wall_persist_ns", wall_persist_ns, 0, 3_600_000_000_000), ("wall_gone_share", wall_gone_share, 0.01, 0.99),
            ("wall_absorbed_share", wall_absorbed_share, 0.01, 1), ("wall_grow_share", wall_grow_share, 0.01, 100),
            ("wall_settle_ns", wall_settle_ns, 0, 60_000_000_000), ("wall_keep_ns", wall_keep_ns, 0, 3_600_000_000_000),
            ("wall_day_ns", wall_day_ns, 60_000_000_000, 7 * 86_400_000_000_000), ("shift_baseline_ns", shift_baseline_ns, 1_000_000_000, 86_400_000_000_000),
        )
        for name, value, least, most in within:
            if not least <= value <= most:
                raise ValueError(f"{name} {value} is outside {least}..{most}")
        rules.times, rules.share, rules.neighbours, rules.max_bps, rules.least_sizes = wall_times, wall_quantile, wall_neighbours, wall_bps, wall_least_sizes
        rules.persist_ns, rules.gone_share, rules.absorbed_share, rules.grow_share = wall_persist_ns, wall_gone_share, wall_absorbed_share, wall_grow_share
        rules.settle_ns, rules.keep_ns = wall_settle_ns, wall_keep_ns
        if self.walls.sizes.counts == NULL or wall_day_ns != self._day_ns:
            walls_free(&self.walls)
            if not walls_init(&self.walls, &rules, wall_day_ns):
                raise MemoryError
            self._day_ns = wall_day_ns
        self.walls.rules = rules
        for i in range(2):
            if self.shift[i].tau_ns != shift_baseline_ns:
                shift_init(&self.shift[i], shift_baseline_ns)
        self._cadence.every_ns = every_ns
        self._n_profile = <int32_t>len(edges)
        for i in range(self._n_profile):
            self._profile_edges[i] = edges[i]
        self._texts = tuple([json.dumps(each, separators=(",", ":")).encode() for each in (profile, bands_bps, sizes)])
        for i in range(3):
            self._text_at[i] = self._texts[i]
            self._text_size[i] = len(self._texts[i])
        memset(&self.figures, 0, sizeof(LiquidityFigures))
        self.figures.n_bands = <int32_t>len(bands_bps)
        self.figures.n_sizes = <int32_t>len(sizes)
        for i in range(self.figures.n_bands):
            self.figures.bands_bps[i] = bands_bps[i]
        for i in range(self.figures.n_sizes):
            self.figures.sizes[i] = sizes[i]
        self._forget()
        if self._survey is not None:
            self.ask_survey(self._survey)
            self._survey.renew()

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self.channel = self.names.channel(out, "liquidity", self.word, MEDIUM, self, True)

    cdef void ask_survey(self, Survey survey):
        self._survey = survey
        survey.ask([*[self._profile_edges[i] for i in range(self._n_profile)], *[self.figures.bands_bps[i] for i in range(self.figures.n_bands)],
                    self.walls.rules.max_bps], self._cadence.every_ns)

    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        """A lost book takes its walls along: nobody sees what becomes of them."""
        if state == BOOK_SYNCED:
            self._synced = True
        elif self._synced:
            self._synced = False
            self._forget()
            walls_forget(&self.walls)
            shift_pause(&self.shift[BIDS])
            shift_pause(&self.shift[ASKS])
            self.out.mark(self.channel, NO_TIME, now_ns, 0)

    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil:
        """What an aggressor buys is taken from the asks. Where the venue does not say who it was, the price tells the side."""
        if event.flags & (EVENT_OFF_BOOK | EVENT_BACKFILL) or not self._synced:
            return
        if event.side != SIDE_SELL:
            walls_trade(&self.walls, ASKS, event.px, event.qty)
        if event.side != SIDE_BUY:
            walls_trade(&self.walls, BIDS, event.px, event.qty)

    cdef void on_survey(self, Survey survey, ns_t now_ns) noexcept nogil:
        cdef int32_t side
        self._at_ns = now_ns
        if survey.fresh or survey.n != self._survey_n:
            self._measure(survey)
        for side in range(2):
            shift_survey(&self.shift[side], survey, side, now_ns)
            self.figures.shift_bps[side] = self.shift[side].bps
        if walls_survey(&self.walls, self.book, survey, 1.0 / <double>POW10[self.symbol.qty_scale], now_ns) or survey.n != self._survey_n:
            self._survey_n = survey.n
            self._news = True
        if self._news and cadence_due(&self._cadence, now_ns, self.symbol.ix):
            self._news = False
            self.out.mark(self.channel, NO_TIME, now_ns, 0)

    cdef void _measure(self, Survey survey) noexcept nogil:
        cdef int32_t side, i, edge
        self.figures.known = survey.valid
        self._bid_px = survey.bid_px
        self._ask_px = survey.ask_px
        self._px_scale = self.symbol.px_scale
        self.figures.mid = (<double>survey.bid_px + <double>survey.ask_px) / 2 * survey.worth.px if survey.valid else NAN
        for side in range(2):
            for i in range(self.figures.n_bands):
                edge = survey.edge(self.figures.bands_bps[i])
                self.figures.depth[side][i] = survey.within(side, edge).quote if survey.known(side, edge) else NAN
            self._slip(survey, side)

    cdef void _slip(self, Survey survey, BookSide side) noexcept nogil:
        """How far the mean price of orders of all sizes is from the mid. An order takes level after level, and of the last one what it still needs."""
        cdef int32_t n
        cdef const Level* levels = survey.levels(side, &n)
        cdef int32_t i
        cdef int32_t k = 0
        cdef double quote = 0.0
        cdef double base = 0.0
        cdef double more, price
        for i in range(n):
            if k == self.figures.n_sizes:
                return
            more = worth_quote(&survey.worth, levels[i].px, levels[i].qty)
            price = <double>levels[i].px * survey.worth.px
            while k < self.figures.n_sizes and quote + more >= self.figures.sizes[k]:
                self.figures.slippage[side][k] = self.figures.sizes[k] / (base + (self.figures.sizes[k] - quote) / price)
                self.figures.slippage[side][k] = 1e4 * (self.figures.slippage[side][k] / self.figures.mid - 1.0)
                if side == BIDS:
                    self.figures.slippage[side][k] = -self.figures.slippage[side][k]
                k += 1
            quote += more
            base += worth_base(&survey.worth, levels[i].px, levels[i].qty)
        while k < self.figures.n_sizes:
            self.figures.slippage[side][k] = NAN
            k += 1

    cdef void _forget(self) noexcept nogil:
        cdef int32_t side, i
        self.figures.known = False
        self.figures.mid = NAN
        self._survey_n = -1
        for side in range(2):
            self.figures.shift_bps[side] = NAN
            for i in range(MAX_BANDS):
                self.figures.depth[side][i] = NAN
            for i in range(MAX_SIZES):
                self.figures.slippage[side][i] = NAN

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        return walls_rescale(&self.walls, px_factor, qty_factor)

    cdef void _put_known(self, Writer* w, BookSide side) noexcept nogil:
        """How far the side is known, of what is looked at."""
        cdef int32_t n = self._survey.sides[side].n_known if self.figures.known else 0
        if self.figures.known:
            put_int(w, self._survey.bps_of(n - 1) if n > 0 else 0)
        else:
            put_bytes(w, b"null", 4)

    cdef void _put_text(self, Writer* w, int32_t number) noexcept nogil:
        put_bytes(w, self._text_at[number], self._text_size[number])

    cdef void _put_mid(self, Writer* w) noexcept nogil:
        cdef Wide sum = wide_of(self._bid_px)
        if not self.figures.known:
            put_bytes(w, b"null", 4)
            return
        wide_add(&sum, wide_of(self._ask_px))
        wide_scaled(&sum, 5)  # half of a sum is five tenths of it
        put_wide(w, sum, self._px_scale + 1)

    cdef void _put_doubles(self, Writer* w, const double* values, int32_t n) noexcept nogil:
        cdef int32_t i
        put_bytes(w, b"[", 1)
        for i in range(n):
            if i > 0:
                put_bytes(w, b",", 1)
            put_double(w, values[i], DIGITS)
        put_bytes(w, b"]", 1)

    cdef void _put_profile(self, Writer* w, BookSide side) noexcept nogil:
        """The amount in each step: of the survey's finer bins the sum."""
        cdef int32_t k
        cdef int32_t bin = 0
        cdef double sum
        for k in range(self._n_profile):
            put_bytes(w, b"[" if k == 0 else b",", 1)
            sum = 0.0
            while bin < self._survey.sides[side].n_known and self._survey.bps_of(bin) <= self._profile_edges[k]:
                sum += self._survey.sides[side].bins[bin].quote
                bin += 1
            if bin > 0 and self._survey.bps_of(bin - 1) == self._profile_edges[k]:
                put_double(w, sum, DIGITS)
            else:
                put_bytes(w, b"null", 4)
        put_bytes(w, b"]", 1)

    cdef void _put_wall(self, Writer* w, const Wall* wall) noexcept nogil:
        cdef Worth worth = worth_of(self.symbol)
        put_bytes(w, b'{"number":', 10)
        put_int(w, wall.number)
        put_bytes(w, b',"side":"bid","price":' if wall.side == BIDS else b',"side":"ask","price":', 22)
        put_decimal(w, wall.px, self.symbol.px_scale)
        put_bytes(w, b',"quantity":', 12)
        put_quantity(w, self.symbol, wall.px, wall.qty)
        put_bytes(w, b',"quote_quantity":', 18)
        put_double(w, worth_quote(&worth, wall.px, wall.qty), DIGITS)
        put_bytes(w, b',"distance_bps":', 16)
        put_double(w, 1e4 * (<double>wall.px * worth.px / self.figures.mid - 1.0) * (-1.0 if wall.side == BIDS else 1.0), DIGITS)
        put_bytes(w, b',"state":', 9)
        put_bytes(w, STATE_TEXTS[<int>wall.state], STATE_SIZES[<int>wall.state])
        put_bytes(w, b',"since":', 9)
        put_int(w, wall.since_ns)
        put_bytes(w, b',"state_since":', 15)
        put_int(w, wall.state_ns)
        put_bytes(w, b',"peak":', 8)
        put_quantity(w, self.symbol, wall.px, wall.peak)
        put_bytes(w, b',"traded":', 10)
        put_quantity(w, self.symbol, wall.px, wall.traded)
        put_bytes(w, b"}", 1)

    cdef void render(self, Channel channel, Writer* w) noexcept nogil:
        cdef int32_t i
        cdef bint first = True
        cdef Worth worth
        put_bytes(w, b',"mid":', 7)
        self._put_mid(w)
        put_bytes(w, b',"known_bps_bid":', 17)
        self._put_known(w, BIDS)
        put_bytes(w, b',"known_bps_ask":', 17)
        self._put_known(w, ASKS)
        put_bytes(w, b',"bands_bps":', 13)
        self._put_text(w, TEXT_BANDS)
        put_bytes(w, b',"bid_depth":', 13)
        self._put_doubles(w, self.figures.depth[BIDS], self.figures.n_bands)
        put_bytes(w, b',"ask_depth":', 13)
        self._put_doubles(w, self.figures.depth[ASKS], self.figures.n_bands)
        put_bytes(w, b',"sizes":', 9)
        self._put_text(w, TEXT_SIZES)
        put_bytes(w, b',"buy_slippage_bps":', 20)
        self._put_doubles(w, self.figures.slippage[ASKS], self.figures.n_sizes)
        put_bytes(w, b',"sell_slippage_bps":', 21)
        self._put_doubles(w, self.figures.slippage[BIDS], self.figures.n_sizes)
        put_bytes(w, b',"shift_bps_bid":', 17)
        put_double(w, self.figures.shift_bps[BIDS], DIGITS)
        put_bytes(w, b',"shift_bps_ask":', 17)
        put_double(w, self.figures.shift_bps[ASKS], DIGITS)
        put_bytes(w, b',"profile":', 11)
        if self.figures.known:
            put_bytes(w, b'{"steps_bps":', 13)
            self._put_text(w, TEXT_STEPS)
            put_bytes(w, b',"bids":', 8)
            self._put_profile(w, BIDS)
            put_bytes(w, b',"asks":', 8)
            self._put_profile(w, ASKS)
            put_bytes(w, b"}", 1)
        else:
            put_bytes(w, b"null", 4)
        put_bytes(w, b',"wall_quote_quantity":', 23)
        worth = worth_of(self.symbol)
        put_double(w, self.walls.threshold * <double>self.symbol.contract_value / <double>POW10[self.symbol.contract_value_scale]
                   * (1.0 if worth.inverse else self.figures.mid), DIGITS)
        put_bytes(w, b',"walls":[', 10)
        for i in range(self.walls.n):
            if self.walls.rows[i].state != WALL_FORMING:
                if not first:
                    put_bytes(w, b",", 1)
                first = False
                self._put_wall(w, &self.walls.rows[i])
        put_bytes(w, b"]", 1)

    def values(self):
        """The newest state as plain data; None where it is not known."""
        def known(double value):
            return value if value == value else None

        cdef int32_t i, side
        names = {BIDS: "bid", ASKS: "ask"}
        bands = [self.figures.bands_bps[i] for i in range(self.figures.n_bands)]
        sizes = [self.figures.sizes[i] for i in range(self.figures.n_sizes)]
        unit = 10 ** self.symbol.qty_scale
        return {
            "mid": known(self.figures.mid),
            "depth": {name: {bps: known(self.figures.depth[side][i]) for i, bps in enumerate(bands)} for side, name in names.items()},
            "slippage": {word: {size: known(self.figures.slippage[side][i]) for i, size in enumerate(sizes)} for side, word in ((ASKS, "buy"), (BIDS, "sell"))},
            "shift_bps": {name: known(self.figures.shift_bps[side]) for side, name in names.items()},
            "wall_threshold": known(self.walls.threshold), "sizes_seen": self.walls.sizes.n,
            "walls": [
                {"number": wall["number"], "side": names[wall["side"]], "px": wall["px"], "quantity": wall["qty"] / unit, "peak": wall["peak"] / unit,
                 "traded": wall["traded"] / unit, "state": WALL_STATES[wall["state"]], "since_ns": wall["since_ns"], "gone": wall["gone_ns"] != 0}
                for wall in [dict(self.walls.rows[i]) for i in range(self.walls.n)]
            ],
            "counts": {name: self.walls.n_of[<int>state] for state, name in WALL_STATES.items()},
        }
