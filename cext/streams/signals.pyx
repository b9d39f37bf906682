"""Signals of one instrument, each with what made it, and what they come to together."""

from libc.math cimport NAN, exp2, fabs, isnan
from libc.stdint cimport int32_t, int64_t

from cext.book cimport ASKS, BIDS, Book
from cext.decimal cimport POW10
from cext.events cimport EVENT_BACKFILL, EVENT_BLOCK, SIDE_BUY, SIDE_SELL, Event, Level
from cext.latency cimport N_BUCKETS, bucket_of
from cext.measures.signal cimport (
    SIGNAL_BEGINS, SIGNAL_CHANGES, SIGNAL_ENDS, SIGNAL_NOTHING, Signal, SignalNews, signal_init, signal_take, squashed,
)
from cext.measures.walls cimport WALL_ABSORB, WALL_FORMING, WALL_PULL, Wall
from cext.names cimport Names
from cext.outbox cimport CRITICAL, Outbox
from cext.stream cimport (
    BOOK_SYNCED, HEARS_BBO, HEARS_BOOK, HEARS_LIQUIDATIONS, HEARS_STATE, HEARS_TIMER, HEARS_TRADES, BookState, Reason, Stream,
)
from cext.streams.flow cimport Flow
from cext.streams.liquidity cimport Liquidity
from cext.streams.momentum cimport Momentum
from cext.streams.spoofing cimport Spoofing
from cext.symbols cimport CONTRACT_BASE, CONTRACT_INVERSE, Symbol
from cext.units cimport NO_TIME, ns_t
from cext.writer cimport Writer, put_bool, put_bytes, put_double, put_int, put_text

KINDS = ("imbalance", "flow", "cvd_divergence", "momentum", "walls", "liquidations", "spoofing", "funding", "basis", "insurance", "iv_skew")
GROUPS = ("book", "trades", "price", "forced", "carry", "stress", "options")

cdef enum:
    DIGITS = 6              # significant, of scores
    NS = 1_000_000_000
    IMBALANCE_HALF_S = 1    # half-lives: of the imbalance's mean …
    VOLUME_HALF_S = 150     # … of what was traded (five minutes, nearly all of it)
    FORCED_HALF_S = 15      # … of forced orders (a minute)
    SPOOFING_HALF_S = 5     # … of a spoof-like pattern
    FULL_LEVELS = 5         # the book's best levels

ctypedef const char* text_t

cdef text_t[11] NAMES = [b'"imbalance"', b'"flow"', b'"cvd_divergence"', b'"momentum"', b'"walls"', b'"liquidations"', b'"spoofing"', b'"funding"',
                         b'"basis"', b'"insurance"', b'"iv_skew"']
cdef int[11] GROUP_OF = [GROUP_BOOK, GROUP_TRADES, GROUP_TRADES, GROUP_PRICE, GROUP_BOOK, GROUP_FORCED, GROUP_BOOK, GROUP_CARRY, GROUP_CARRY, GROUP_STRESS,
                         GROUP_OPTIONS]
cdef int[11] HORIZON_S = [5, 10, 300, 60, 60, 60, 10, 28800, 28800, 3600, 86400]
HORIZONS = dict(zip(KINDS, HORIZON_S))  # seconds


cdef inline double _faded(double value, ns_t since_ns, ns_t now_ns, ns_t half_ns) noexcept nogil:
    """What is left of a sum after so long a time."""
    return value * exp2(-<double>(now_ns - since_ns) / <double>half_ns) if now_ns > since_ns else value


cdef class Signals(Stream):
    """`signals`: what the instrument's own measures say of where its price goes, each time that begins, changes or ends.

    kind base: signal (its name), state (begins, changes, ends), direction (up, down, none), strength in [-1, 1], confidence in [0, 1],
    horizon_seconds, decay_seconds (half-life of its meaning; null: it stands until it ends), since, duration_ns (when it ends), inputs (the figures that
    made it), latency_ns (from the newest input's arrival to this event). kind aggregate: the same fields without inputs, and parts: of each signal that is
    known signal, strength, confidence, weight, counted (false: a stronger one of its group says the same), and excluded, those that are not known.

    imbalance: exponential mean (half-life 1 s) of that of the best five levels. flow: order-flow imbalance of ten seconds over twice the depth, in ticks,
    squashed by `ofi_ticks`. cvd_divergence: the price went beyond `divergence_z` over five minutes and the net volume of these minutes the other way; its
    direction is the volume's. momentum: z of ten seconds and a minute, the weaker where they agree. walls: standing walls within `wall_bps`, by size and
    nearness; below the price they hold it up. liquidations: forced orders of the last minute over `cascade`, in the direction of the orders. spoofing: the
    newest spoof-like pattern's score, against the side that it made look strong. What works on polled data is told by `outside`.

    The aggregate is the mean of the groups' strongest signals, by weight and confidence; a group of which nothing is known counts for nothing.
    """

    def __init__(self, Names names not None, *, Flow flow=None, Momentum momentum=None, Liquidity liquidity=None,
                 Spoofing spoofing=None, bint liquidations=True, str word="", **settings):
        cdef int32_t i
        self.names = names
        self.word = word
        self.flow, self.momentum, self.liquidity, self.spoofing = flow, momentum, liquidity, spoofing
        self._hears_forced = liquidations
        self.hears = HEARS_BOOK | HEARS_BBO | HEARS_STATE | HEARS_TIMER | HEARS_TRADES | HEARS_LIQUIDATIONS
        for i in range(N_KINDS):
            signal_init(&self.signals[i])
            self.weights[i] = 1.0
            self._outside[i] = NAN
            self._outside_ns[i] = 0
        signal_init(&self.aggregate)
        self._inputs = [b"{}"] * N_KINDS
        self._imbalance = self._imbalance_now = NAN
        self._top_version = -1
        self._imbalance_ns = self._volume_ns = self._forced_ns = 0
        self.total.strength = NAN
        self.configure(**settings)

    def configure(self, *, double enter=0.5, double leave=0.3, double step=0.2, ns_t pause_ns=NS, double total_enter=0.3, double total_leave=0.15,
                  double ofi_ticks=3.0, double wall_bps=50.0, double cascade=1e6, double divergence_z=1.0, weights=None):
        """Settings from now on; nothing that was measured is lost. `weights`: {signal: weight}, 0 leaves it out of the aggregate."""
        for name, value, least, most in (
            ("enter", enter, 0.01, 1.0), ("leave", leave, 0.0, enter), ("step", step, 0.01, 2.0), ("pause_ns", pause_ns, 0, 3_600_000_000_000),
            ("total_enter", total_enter, 0.01, 1.0), ("total_leave", total_leave, 0.0, total_enter), ("ofi_ticks", ofi_ticks, 1e-3, 1e6),
            ("wall_bps", wall_bps, 0.1, 1e4), ("cascade", cascade, 1.0, 1e15), ("divergence_z", divergence_z, 0.0, 100.0),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name} {value} is outside {least}..{most}")
        for name, weight in (weights or {}).items():
            if name not in KINDS or not 0 <= weight <= 100:
                raise ValueError(f"weight {name} {weight}: known are {', '.join(KINDS)}, from 0 to 100")
            self.weights[KINDS.index(name)] = weight
        self._rules.enter, self._rules.leave, self._rules.step, self._rules.pause_ns = enter, leave, step, pause_ns
        self._total_rules.enter, self._total_rules.leave, self._total_rules.step, self._total_rules.pause_ns = total_enter, total_leave, step, pause_ns
        self._ofi_ticks = ofi_ticks
        self._wall_bps = wall_bps
        self._cascade = cascade
        self._divergence_z = divergence_z

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self.channel = self.names.channel(out, "signals", self.word, CRITICAL, self)
        self._units()

    def _units(self):
        cdef double contract = <double>self.symbol.contract_value / <double>POW10[self.symbol.contract_value_scale] if self.symbol.contract != CONTRACT_BASE else 1.0
        self._quote_unit = contract / <double>POW10[self.symbol.qty_scale]
        if self.symbol.contract != CONTRACT_INVERSE:
            self._quote_unit /= <double>POW10[self.symbol.px_scale]

    # ---- what is heard

    cdef void on_book(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        self._see_imbalance(ts_recv)

    cdef void on_bbo(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        self._see_imbalance(ts_recv)

    cdef double _top(self) noexcept nogil:
        """The imbalance of the best levels as the book stands; not a number where there are none."""
        cdef Level top[FULL_LEVELS]
        cdef double bids = 0, asks = 0
        cdef int32_t i, n
        n = self.book.take(BIDS, top, FULL_LEVELS)
        for i in range(n):
            bids += <double>top[i].qty
        n = self.book.take(ASKS, top, FULL_LEVELS)
        for i in range(n):
            asks += <double>top[i].qty
        return (bids - asks) / (bids + asks) if bids + asks > 0 else NAN

    cdef void _pass(self, ns_t now_ns) noexcept nogil:
        """The imbalance that is in force was so until now: into its mean in time."""
        cdef double keep
        if now_ns <= self._imbalance_ns:
            return
        if isnan(self._imbalance):
            self._imbalance = self._imbalance_now
        elif not isnan(self._imbalance_now):
            keep = exp2(-<double>(now_ns - self._imbalance_ns) / (<double>IMBALANCE_HALF_S * NS))
            self._imbalance = keep * self._imbalance + (1 - keep) * self._imbalance_now
        self._imbalance_ns = now_ns

    cdef void _see_imbalance(self, ns_t now_ns) noexcept nogil:
        if self._synced:
            self._pass(now_ns)
            if self._top_version != self.book.version:  # best prices of the venue's come more often than the book changes
                self._top_version = self.book.version
                self._imbalance_now = self._top()
            self._take(KIND_IMBALANCE, now_ns, now_ns)

    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil:
        cdef double quote
        if event.flags & (EVENT_BACKFILL | EVENT_BLOCK):
            return
        quote = <double>event.qty * self._quote_unit
        if self.symbol.contract != CONTRACT_INVERSE:
            quote *= <double>event.px
        self._volume = _faded(self._volume, self._volume_ns, ts_recv, VOLUME_HALF_S * <ns_t>NS) + quote
        self._net = _faded(self._net, self._volume_ns, ts_recv, VOLUME_HALF_S * <ns_t>NS)
        if event.side == SIDE_BUY:
            self._net += quote
        elif event.side == SIDE_SELL:
            self._net -= quote
        self._volume_ns = ts_recv

    cdef void on_liquidation(self, const Event* event, ns_t ts_recv) noexcept nogil:
        cdef double quote = <double>event.qty / <double>POW10[event.qty_scale]
        if self.symbol.contract != CONTRACT_BASE:
            quote *= <double>self.symbol.contract_value / <double>POW10[self.symbol.contract_value_scale]
        if self.symbol.contract != CONTRACT_INVERSE:
            quote *= <double>event.px / <double>POW10[event.px_scale]
        self._forced = _faded(self._forced, self._forced_ns, ts_recv, FORCED_HALF_S * <ns_t>NS) + (quote if event.side == SIDE_BUY else -quote)
        self._forced_ns = ts_recv
        self._take(KIND_LIQUIDATIONS, ts_recv, ts_recv)

    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        self._synced = state == BOOK_SYNCED
        self._imbalance = self._imbalance_now = self._top() if self._synced else NAN
        self._imbalance_ns = now_ns
        self._take(KIND_IMBALANCE, now_ns, now_ns)

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        cdef int32_t kind
        if self._synced:
            self._pass(now_ns)
        for kind in range(N_KINDS):
            self._take(kind, now_ns, self._origin(kind, now_ns))
        self._sum(now_ns, now_ns)

    cdef ns_t _origin(self, int32_t kind, ns_t now_ns) noexcept nogil:
        """When what a signal is made of was measured."""
        if kind == KIND_FLOW and self.flow is not None:
            return self.flow.newest.at_ns
        if (kind == KIND_MOMENTUM or kind == KIND_CVD_DIVERGENCE) and self.momentum is not None:
            return self.momentum.newest.at_ns
        if kind == KIND_IMBALANCE:
            return min(self._imbalance_ns, now_ns)
        if kind == KIND_LIQUIDATIONS:
            return self._forced_ns
        if kind == KIND_SPOOFING and self.spoofing is not None:
            return self.spoofing.last.withdrawn_ns
        if kind >= KIND_FUNDING:
            return self._outside_ns[kind]
        return now_ns

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        self._quote_unit /= <double>qty_factor
        if self.symbol.contract != CONTRACT_INVERSE:
            self._quote_unit /= <double>px_factor
        return True

    def outside(self, str signal, double strength, double confidence, ns_t now_ns, bytes inputs=b"{}", double half_life_s=0.0):
        """A signal that is made elsewhere, as of `now_ns`: not a number: it is not known. `inputs`: a JSON object. With a half-life it fades by itself."""
        kind = KINDS.index(signal)
        if kind < KIND_FUNDING:
            raise ValueError(f"{signal} is made here")
        self._inputs[kind] = inputs
        self._outside[kind] = min(max(strength, -1.0), 1.0) if strength == strength else NAN
        self._outside_confidence[kind] = min(max(confidence, 0.0), 1.0)
        self._outside_ns[kind] = now_ns
        self._outside_half_ns[kind] = <ns_t>(half_life_s * NS)
        self._take(kind, now_ns, now_ns)
        self._sum(now_ns, now_ns)

    # ---- what is made of it

    cdef double _measure(self, int32_t kind, ns_t now_ns, double* confidence) noexcept nogil:
        """The strength of a signal now; not a number where its inputs are not known."""
        cdef double share, z, near, sum, mid, px
        cdef const Wall* wall
        cdef int32_t i
        confidence[0] = 1.0
        if kind == KIND_IMBALANCE:
            return self._imbalance
        if kind == KIND_FLOW:
            if self.flow is None or not self.flow.newest.synced or self.flow.newest.ofi[1].n == 0:
                return NAN
            confidence[0] = min(1.0, <double>self.flow.newest.ofi[1].n / 100.0)
            return squashed(self.flow._normalised(&self.flow.newest.ofi[1], 0) / self._ofi_ticks)
        if kind == KIND_MOMENTUM:
            if self.momentum is None or not self.momentum.newest.followed or isnan(self.momentum.newest.z[1]):
                return NAN
            z = self.momentum.newest.z[1]
            if isnan(self.momentum.newest.z[2]):
                confidence[0] = 0.5
            elif z * self.momentum.newest.z[2] <= 0:
                return 0.0
            elif fabs(self.momentum.newest.z[2]) < fabs(z):
                z = self.momentum.newest.z[2]
            return squashed(z / 3.0)
        if kind == KIND_CVD_DIVERGENCE:
            if self.momentum is None or not self.momentum.newest.followed or isnan(self.momentum.newest.z[3]) or self._volume <= 0:
                return NAN
            share = self._net / self._volume
            z = self.momentum.newest.z[3]
            if z * share >= 0 or fabs(z) < self._divergence_z:
                return 0.0
            return squashed(3.0 * share)
        if kind == KIND_WALLS:
            if self.liquidity is None or not self.liquidity.figures.known:
                return NAN
            sum = 0.0
            mid = self.liquidity.figures.mid
            for i in range(self.liquidity.walls.n):
                wall = &self.liquidity.walls.rows[i]
                if wall.state == WALL_FORMING or wall.state == WALL_ABSORB or wall.state == WALL_PULL:
                    continue
                px = <double>wall.px / <double>POW10[self.symbol.px_scale]
                near = 1.0 - 1e4 * fabs(px / mid - 1.0) / self._wall_bps
                if near > 0:
                    sum += near if wall.side == BIDS else -near
            return squashed(sum)
        if kind == KIND_LIQUIDATIONS:
            if not self._hears_forced:
                return NAN
            return squashed(_faded(self._forced, self._forced_ns, now_ns, FORCED_HALF_S * <ns_t>NS) / self._cascade)
        if kind == KIND_SPOOFING:
            if self.spoofing is None or not self._synced:
                return NAN
            if self.spoofing.last.posted_ns == 0 or self.spoofing.last.score < self.spoofing.postings.rules.least_score:
                return 0.0
            share = _faded(self.spoofing.last.score, self.spoofing.last.withdrawn_ns, now_ns, SPOOFING_HALF_S * <ns_t>NS)
            return -share if self.spoofing.last.side == BIDS else share
        confidence[0] = self._outside_confidence[kind]
        if isnan(self._outside[kind]) or self._outside_half_ns[kind] <= 0:
            return self._outside[kind]
        return _faded(self._outside[kind], self._outside_ns[kind], now_ns, self._outside_half_ns[kind])

    cdef void _take(self, int32_t kind, ns_t now_ns, ns_t origin_ns) noexcept nogil:
        cdef double confidence
        cdef double strength = self._measure(kind, now_ns, &confidence)
        cdef SignalNews news = signal_take(&self.signals[kind], &self._rules, strength, confidence, now_ns)
        if news != SIGNAL_NOTHING:
            self._tell(kind, news, now_ns, origin_ns)
            self._sum(now_ns, origin_ns)

    cdef void _sum(self, ns_t now_ns, ns_t origin_ns) noexcept nogil:
        """The strongest signal of each group, by weight and confidence; the groups' mean by weight."""
        cdef double best[N_GROUPS]
        cdef double heaviest[N_GROUPS]
        cdef int32_t who[N_GROUPS]
        cdef const Signal* s
        cdef double value, sum = 0, size = 0, weight = 0, all_weights = 0
        cdef int32_t kind, group
        cdef SignalNews news
        for group in range(N_GROUPS):
            best[group] = heaviest[group] = 0
            who[group] = -1
        self.total.known = self.total.counted = 0
        for kind in range(N_KINDS):
            s = &self.signals[kind]
            self.counted[kind] = 0
            if isnan(s.strength) or self.weights[kind] <= 0:
                continue
            self.total.known += 1
            group = GROUP_OF[kind]
            value = self.weights[kind] * s.confidence * s.strength
            heaviest[group] = max(heaviest[group], self.weights[kind])
            if who[group] < 0 or fabs(value) > fabs(best[group]):
                best[group] = value
                who[group] = kind
        for group in range(N_GROUPS):
            if who[group] >= 0:
                self.counted[who[group]] = 1
                self.total.counted += 1
                sum += best[group]
                size += fabs(best[group])
                weight += heaviest[group]
        for kind in range(N_KINDS):
            all_weights += self.weights[kind]
        self.total.strength = sum / weight if weight > 0 else NAN
        self.total.confidence = fabs(sum) / size if size > 0 else 0.0  # how far they agree
        news = signal_take(&self.aggregate, &self._total_rules, self.total.strength, self.total.confidence, now_ns)
        if news != SIGNAL_NOTHING:
            self._tell_total(news, now_ns, origin_ns)

    # ---- what is told

    cdef void _put_state(self, Writer* w, const Signal* s, SignalNews news) noexcept nogil:
        if news == SIGNAL_BEGINS:
            put_bytes(w, b',"state":"begins"', 17)
        elif news == SIGNAL_CHANGES:
            put_bytes(w, b',"state":"changes"', 18)
        else:
            put_bytes(w, b',"state":"ends"', 15)
        if s.told > 0:
            put_bytes(w, b',"direction":"up"', 17)
        elif s.told < 0:
            put_bytes(w, b',"direction":"down"', 19)
        else:
            put_bytes(w, b',"direction":"none"', 19)
        put_bytes(w, b',"strength":', 12)
        put_double(w, s.told, DIGITS)
        put_bytes(w, b',"confidence":', 14)
        put_double(w, s.confidence, DIGITS)
        put_bytes(w, b',"since":', 9)
        put_int(w, s.since_ns)
        put_bytes(w, b',"duration_ns":', 15)
        if news == SIGNAL_ENDS:
            put_int(w, s.told_ns - s.since_ns)
        else:
            put_bytes(w, b"null", 4)

    cdef void _tell(self, int32_t kind, SignalNews news, ns_t now_ns, ns_t origin_ns) noexcept nogil:
        cdef Writer* w = self.out.open(self.channel, NO_TIME, origin_ns, 0)
        cdef ns_t late_ns = max(0, now_ns - origin_ns)
        put_bytes(w, b',"kind":"base","signal":', 24)
        put_text(w, NAMES[kind])
        self._put_state(w, &self.signals[kind], news)
        put_bytes(w, b',"horizon_seconds":', 19)
        put_int(w, HORIZON_S[kind])
        put_bytes(w, b',"decay_seconds":', 17)
        if kind == KIND_LIQUIDATIONS or kind == KIND_SPOOFING:
            put_int(w, FORCED_HALF_S if kind == KIND_LIQUIDATIONS else SPOOFING_HALF_S)
        elif self._outside_half_ns[kind] > 0:
            put_double(w, <double>self._outside_half_ns[kind] / NS, DIGITS)
        else:
            put_bytes(w, b"null", 4)
        put_bytes(w, b',"inputs":', 10)
        self._put_inputs(w, kind)
        put_bytes(w, b',"latency_ns":', 14)
        put_int(w, late_ns)
        self.out.close(self.channel)
        if kind < KIND_FUNDING and news != SIGNAL_ENDS:  # what fades ends by the clock: nothing came that it could be late for
            self.base_ns[bucket_of(late_ns)] += 1

    cdef void _put_inputs(self, Writer* w, int32_t kind) noexcept nogil:
        if kind == KIND_IMBALANCE:
            put_bytes(w, b'{"imbalance_5_mean":', 20)
            put_double(w, self._imbalance, DIGITS)
        elif kind == KIND_FLOW:
            put_bytes(w, b'{"ofi_10s_ticks":', 17)
            put_double(w, self.flow._normalised(&self.flow.newest.ofi[1], 0), DIGITS)
            put_bytes(w, b',"changes":', 11)
            put_int(w, self.flow.newest.ofi[1].n)
            put_bytes(w, b',"vpin":', 8)
            put_double(w, self.flow.newest.vpin, DIGITS)
        elif kind == KIND_MOMENTUM:
            put_bytes(w, b'{"z_10s":', 9)
            put_double(w, self.momentum.newest.z[1], DIGITS)
            put_bytes(w, b',"z_1m":', 8)
            put_double(w, self.momentum.newest.z[2], DIGITS)
        elif kind == KIND_CVD_DIVERGENCE:
            put_bytes(w, b'{"z_5m":', 8)
            put_double(w, self.momentum.newest.z[3], DIGITS)
            put_bytes(w, b',"net_share":', 13)
            put_double(w, self._net / self._volume if self._volume > 0 else NAN, DIGITS)
        elif kind == KIND_WALLS:
            put_bytes(w, b'{"walls":', 9)
            put_int(w, self.liquidity.walls.n)
            put_bytes(w, b',"mid":', 7)
            put_double(w, self.liquidity.figures.mid, 12)
        elif kind == KIND_LIQUIDATIONS:
            put_bytes(w, b'{"net_quote":', 13)
            put_double(w, self._forced, DIGITS)
        elif kind == KIND_SPOOFING:
            put_bytes(w, b'{"score":', 9)
            put_double(w, self.spoofing.last.score, DIGITS)
            put_bytes(w, b',"distance_bps":', 16)
            put_double(w, self.spoofing.last.distance_bps, DIGITS)
        else:
            self._put_outside(w, kind)
            return
        put_bytes(w, b"}", 1)

    cdef void _put_outside(self, Writer* w, int32_t kind) noexcept nogil:
        """What came with it, as it was told: rare, so with the interpreter."""
        with gil:
            text = <bytes>self._inputs[kind]
            put_bytes(w, text, len(text))

    cdef void _tell_total(self, SignalNews news, ns_t now_ns, ns_t origin_ns) noexcept nogil:
        cdef Writer* w = self.out.open(self.channel, NO_TIME, origin_ns, 0)
        cdef ns_t late_ns = max(0, now_ns - origin_ns)
        cdef int32_t kind
        cdef bint first = True
        put_bytes(w, b',"kind":"aggregate"', 19)
        self._put_state(w, &self.aggregate, news)
        put_bytes(w, b',"parts":[', 10)
        for kind in range(N_KINDS):
            if isnan(self.signals[kind].strength) or self.weights[kind] <= 0:
                continue
            put_bytes(w, b'{"signal":' if first else b',{"signal":', 10 if first else 11)
            first = False
            put_text(w, NAMES[kind])
            put_bytes(w, b',"strength":', 12)
            put_double(w, self.signals[kind].strength, DIGITS)
            put_bytes(w, b',"confidence":', 14)
            put_double(w, self.signals[kind].confidence, DIGITS)
            put_bytes(w, b',"weight":', 10)
            put_double(w, self.weights[kind], DIGITS)
            put_bytes(w, b',"counted":', 11)
            put_bool(w, self.counted[kind])
            put_bytes(w, b"}", 1)
        put_bytes(w, b'],"excluded":[', 14)
        first = True
        for kind in range(N_KINDS):
            if isnan(self.signals[kind].strength) or self.weights[kind] <= 0:
                if not first:
                    put_bytes(w, b",", 1)
                first = False
                put_text(w, NAMES[kind])
        put_bytes(w, b'],"latency_ns":', 15)
        put_int(w, late_ns)
        self.out.close(self.channel)
        if news != SIGNAL_ENDS:
            self.total_ns[bucket_of(late_ns)] += 1

    # ---- for who looks from outside

    def values(self):
        """Strength and confidence of each signal and of all together, as they are now; None: not known."""
        cdef int32_t i
        known = {KINDS[i]: (self.signals[i].strength, self.signals[i].confidence, bool(self.counted[i])) for i in range(N_KINDS)
                 if not isnan(self.signals[i].strength)}
        total = None if isnan(self.total.strength) else (self.total.strength, self.total.confidence)
        return {"signals": known, "total": total, "in_force": [KINDS[i] for i in range(N_KINDS) if self.signals[i].told != 0]}

    def mid(self):
        """Of the book, as it is now; None: it is not known."""
        cdef Level bid, ask
        if not self._synced or not (self.book.best(BIDS, &bid) and self.book.best(ASKS, &ask)):
            return None
        return (<double>bid.px + <double>ask.px) / 2 / <double>POW10[self.symbol.px_scale]

    def total_now(self):
        """(strength, confidence) of all together; None: nothing is known."""
        return None if isnan(self.total.strength) else (self.total.strength, self.total.confidence)

    def tally(self):
        """{signal: how often it began}, of the aggregate too; and the latencies by bucket (cext.latency)."""
        cdef int32_t i
        return {
            "begun": {**{KINDS[i]: self.signals[i].n_begun for i in range(N_KINDS)}, "aggregate": self.aggregate.n_begun},
            "base_ns": [self.base_ns[i] for i in range(N_BUCKETS)], "total_ns": [self.total_ns[i] for i in range(N_BUCKETS)],
        }
