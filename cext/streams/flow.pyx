"""Order flow: who pushes, how large, and what it does to the price."""

from libc.math cimport NAN, isfinite
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.string cimport memcmp, memset

from cext.book cimport ASKS, BIDS, Book
from cext.cadence cimport cadence_due
from cext.events cimport EVENT_BACKFILL, EVENT_SNAPSHOT, SIDE_BUY, SIDE_NONE, Event, Level
from cext.measures.clusters cimport Cluster, cluster_stands, clusters_add, clusters_init
from cext.measures.impact cimport MAX_MINUTES, LEAST_MINUTES, impact_add, impact_init, impact_now, impact_pass
from cext.measures.ofi cimport (
    OFI_LEVELS, OFI_WINDOWS, OfiWindow, ofi_forget, ofi_init, ofi_levels, ofi_rescale, ofi_take, ofi_window,
)
from cext.measures.sizes cimport (
    N_CLASSES, N_TIERS, SIZE_LARGE, SIZE_MEGA, SIZE_MID, SIZE_RETAIL, SIZE_WHALE, SIZE_WINDOWS, SizeClass, SizeStep, sizes_add, sizes_init, sizes_of,
    sizes_pass, sizes_rescale,
)
from cext.measures.vpin cimport MAX_BUCKETS, vpin_add, vpin_buckets, vpin_daily, vpin_init, vpin_rescale, vpin_value
from cext.names cimport Names
from cext.outbox cimport MEDIUM, Channel, Outbox
from cext.prints cimport Print
from cext.quantiles cimport Quantiles
from cext.stream cimport (
    BOOK_SYNCED, HEARS_BOOK, HEARS_PRINTS, HEARS_STATE, HEARS_TIMER, BookState, Reason, Stream,
)
from cext.symbols cimport Symbol
from cext.turnover cimport Turnover, put_quote, turnover_base, turnover_rescale
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.wide cimport Wide, wide_add, wide_negated
from cext.worth cimport worth_of
from cext.writer cimport Writer, put_bool, put_bytes, put_decimal, put_double, put_int, put_text, put_time, writer_free, writer_init

import msgspec

cdef enum:
    DIGITS = 9          # significant, of scores

cdef const char* OFI_NAMES[OFI_WINDOWS]
cdef const char* SIZE_WINDOW_NAMES[SIZE_WINDOWS]
cdef const char* CLASS_NAMES[N_CLASSES]
cdef const char* TIER_NAMES[5]
OFI_NAMES[:] = [b'"1s":', b'"10s":', b'"1m":']
SIZE_WINDOW_NAMES[:] = [b'"1m":{', b'"1h":{']
CLASS_NAMES[:] = [b'"retail":', b'"mid":', b'"large":', b'"whale":']
TIER_NAMES[:] = [b"", b"", b'"large"', b'"whale"', b'"mega"']


cdef class Flow(Stream):
    """`flow`: newest values, when they changed.

    ofi (null while the book is not synced), by window of 1s, 10s and 1m: changes (of the levels looked at), ofi (of the best level; base coins,
    inverse contracts: quote coins), depth (its mean size D), normalised (ofi / 2D: about the ticks that the mid should have moved), levels (the
    same for each level). ofi_since: since when the book has been followed without a break.
    vpin (of vpin_buckets, so far as many as were filled; null without any), vpin_bucket_volume (base coins; inverse contracts: quote coins; null while warming up).
    kyle_lambda (quote coins a base coin), kyle_t, kyle_r2, amihud: of impact_minutes that are over; null under ten.
    thresholds (quote coins; null while too few prints were seen for the quantile): mid, large, whale, mega. classes, by window of 1m and 1h and by
    class of size (retail, mid, large, whale): net and volume (quote coins, exact), prints. clusters, of buy and sell (null: none stands): prints,
    quote_quantity, since, until. prints, large_prints, whale_prints, mega_prints, cluster_count: since the start. last_large (null: none yet):
    tier, side, time, price (the last fill's), quote_quantity, rows (events merged), first_id, last_id, threshold, backfill.

    How each is defined: cext/measures. Prints are merged fills; negotiated trades are none.
    """

    def __init__(self, Names names not None, *, str word="", **settings):
        self.names = names
        self.word = word
        self.hears = HEARS_BOOK | HEARS_STATE | HEARS_PRINTS | HEARS_TIMER
        ofi_init(&self.ofi, OFI_LEVELS)
        vpin_init(&self.vpin)
        impact_init(&self.impact)
        sizes_init(&self.sizes)
        clusters_init(&self.clusters)
        memset(&self.newest, 0, sizeof(FlowNow))
        memset(&self.last, 0, sizeof(LargePrint))
        self.newest.vpin = self.newest.vpin_size = NAN
        self.newest.impact.kyle = self.newest.impact.t = self.newest.impact.r2 = self.newest.impact.amihud = NAN
        self._followed_since = self._ts_event = self._ts_recv = NO_TIME
        self._n_changes = self._n_shown = 0
        self.configure(**settings)

    def configure(self, *, ns_t every_ns=250_000_000, int32_t ofi_levels_n=10, int32_t vpin_buckets_n=50, int32_t vpin_buckets_a_day=50,
                  ns_t vpin_warm_ns=3_600_000_000_000, bint vpin_bulk=False, int32_t impact_minutes=60,
                  shares=(0.5, 0.99, 0.999, 0.9999), floors=(0.0, 0.0, 0.0), int64_t cluster_prints=3, ns_t cluster_gap_ns=5_000_000_000):
        """Settings from now on; nothing that was measured is lost. `shares`: quantiles of mid, large, whale, mega; `floors`: of the last three."""
        cdef int32_t i
        within = (
            ("every_ns", every_ns, 10_000_000, 60_000_000_000), ("ofi_levels_n", ofi_levels_n, 1, OFI_LEVELS),
            ("vpin_buckets_n", vpin_buckets_n, 1, MAX_BUCKETS), ("vpin_buckets_a_day", vpin_buckets_a_day, 1, 10_000),
            ("vpin_warm_ns", vpin_warm_ns, 1, 86_400_000_000_000), ("impact_minutes", impact_minutes, LEAST_MINUTES, MAX_MINUTES),
            ("cluster_prints", cluster_prints, 2, 1000), ("cluster_gap_ns", cluster_gap_ns, 1_000_000, 600_000_000_000),
        )
        for name, value, least, most in within:
            if not least <= value <= most:
                raise ValueError(f"{name} {value} is outside {least}..{most}")
        if len(shares) != N_TIERS or len(floors) != N_TIERS - 1 or list(shares) != sorted(set(shares)) or not 0 < shares[0] <= max(shares) < 1:
            raise ValueError(f"shares {shares} and floors {floors}: allowed are four rising quantiles in (0, 1), and three floors")
        if list(floors) != sorted(floors) or floors[0] < 0:
            raise ValueError(f"floors {floors}: none may be below the one before it")
        self._cadence.every_ns = every_ns
        ofi_levels(&self.ofi, ofi_levels_n)
        self.vpin.n = vpin_buckets_n
        self.vpin.a_day = vpin_buckets_a_day
        self.vpin.warm_ns = vpin_warm_ns
        self.vpin.bulk = vpin_bulk
        self.impact.n = impact_minutes
        self.impact.changed = True
        self.sizes.tiers.floors[0] = 0
        for i in range(N_TIERS):
            self.sizes.tiers.shares[i] = shares[i]
            if i > 0:
                self.sizes.tiers.floors[i] = floors[i - 1]
        self.sizes.tiers.asked_at = 0
        self.clusters.least = cluster_prints
        self.clusters.gap_ns = cluster_gap_ns

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self.channel = self.names.channel(out, "flow", self.word, MEDIUM, self, True)
        self._worth = worth_of(self.symbol)

    def tell_daily_volume(self, double base):
        """What is known from elsewhere (history) of a day's volume, in base coins (inverse contracts: in quote coins): VPIN need not warm up."""
        if not isfinite(base) or base < 0:
            raise ValueError(f"found {base}, allowed is a volume")
        self.vpin.told = base / self._worth.amount

    cdef void _take_top(self, ns_t at_ns) noexcept nogil:
        cdef Level bids[OFI_LEVELS]
        cdef Level asks[OFI_LEVELS]
        cdef int32_t n_bids = self.book.take(BIDS, bids, self.ofi.n_levels)
        cdef int32_t n_asks = self.book.take(ASKS, asks, self.ofi.n_levels)
        ofi_take(&self.ofi, bids, n_bids, asks, n_asks, self._worth.amount, at_ns)

    cdef void on_book(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        if event.kind == EVENT_SNAPSHOT:
            ofi_forget(&self.ofi)
        self._take_top(ts_recv)
        self._ts_event = event.ts_event
        self._ts_recv = ts_recv

    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        """A lost book takes its flow along: what changed meanwhile nobody saw."""
        self._n_changes += 1
        if state == BOOK_SYNCED:
            ofi_init(&self.ofi, self.ofi.n_levels)
            self._take_top(now_ns)
            self._followed_since = now_ns
        else:
            self._followed_since = NO_TIME

    cdef void on_print(self, const Print* print, const Quantiles* sizes, ns_t now_ns) noexcept nogil:
        cdef ns_t at = print.ts_event if print.ts_event != NO_TIME else print.ts_recv
        cdef bint bought = print.side == SIDE_BUY
        cdef SizeClass size
        if print.side == SIDE_NONE:
            return
        at = min(at, now_ns)
        self._n_changes += 1
        self.n_prints += 1
        self._ts_event = print.ts_event
        self._ts_recv = print.ts_last
        if print.turnover.native.high == 0 and print.turnover.native.low <= <uint64_t>INT64_MAX:
            vpin_add(&self.vpin, <int64_t>print.turnover.native.low, bought, self._worth.px * print.last_px, at)
        impact_add(&self.impact, self._worth.px * print.last_px, turnover_base(self.symbol, &print.turnover), print.size, print.side, at)
        size = sizes_of(&self.sizes.tiers, print.size, sizes)
        sizes_add(&self.sizes, self.symbol, print, size, at)
        if size < SIZE_LARGE:
            return
        self.n_large += size == SIZE_LARGE
        self.n_whale += size == SIZE_WHALE
        self.n_mega += size == SIZE_MEGA
        clusters_add(&self.clusters, bought, &print.turnover, at)
        self.last.tier = size
        self.last.print = print[0]
        self.last.threshold = self.sizes.tiers.thresholds[size - SIZE_MID]

    cdef bint _look(self, ns_t now_ns) noexcept nogil:
        """Measure everything as of now. True if anything changed since the last look."""
        cdef FlowNow* newest = &self.newest
        cdef bint changed = self._n_shown != self._n_changes
        cdef bint synced = self._followed_since != NO_TIME
        cdef OfiWindow before
        cdef int32_t i
        self._n_shown = self._n_changes
        newest.at_ns = now_ns
        newest.synced = synced
        for i in range(OFI_WINDOWS):
            before = newest.ofi[i]
            ofi_window(&self.ofi, i, now_ns, &newest.ofi[i])
            changed = changed or (synced and memcmp(&before, &newest.ofi[i], sizeof(OfiWindow)) != 0)
        newest.vpin = vpin_value(&self.vpin)
        newest.vpin_buckets = vpin_buckets(&self.vpin)
        newest.vpin_size = vpin_daily(&self.vpin, now_ns) / self.vpin.a_day * self._worth.amount
        impact_pass(&self.impact, now_ns)
        if self.impact.changed:
            impact_now(&self.impact, &newest.impact)
            changed = True
        return sizes_pass(&self.sizes, now_ns) or changed

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        if self._n_changes > 0 and cadence_due(&self._cadence, now_ns, self.symbol.ix) and self._look(now_ns):
            self.out.mark(self.channel, self._ts_event, self._ts_recv, 0)

    cdef void render(self, Channel channel, Writer* w) noexcept nogil:
        cdef const FlowNow* now = &self.newest
        cdef int32_t i
        put_bytes(w, b',"ofi":', 7)
        if now.synced:
            self._put_ofi(w)
        else:
            put_bytes(w, b"null", 4)
        put_bytes(w, b',"ofi_since":', 13)
        put_time(w, self._followed_since)
        put_bytes(w, b',"vpin":', 8)
        put_double(w, now.vpin, DIGITS)
        put_bytes(w, b',"vpin_buckets":', 16)
        put_int(w, now.vpin_buckets)
        put_bytes(w, b',"vpin_bucket_volume":', 22)
        put_double(w, now.vpin_size if now.vpin_size > 0 else NAN, DIGITS)
        put_bytes(w, b',"kyle_lambda":', 15)
        put_double(w, now.impact.kyle, DIGITS)
        put_bytes(w, b',"kyle_t":', 10)
        put_double(w, now.impact.t, DIGITS)
        put_bytes(w, b',"kyle_r2":', 11)
        put_double(w, now.impact.r2, DIGITS)
        put_bytes(w, b',"amihud":', 10)
        put_double(w, now.impact.amihud, DIGITS)
        put_bytes(w, b',"impact_minutes":', 18)
        put_int(w, now.impact.n)
        put_bytes(w, b',"thresholds":{"mid":', 21)
        put_double(w, self.sizes.tiers.thresholds[0], DIGITS)
        for i in range(1, N_TIERS):
            put_bytes(w, b",", 1)
            put_text(w, TIER_NAMES[SIZE_MID + i])
            put_bytes(w, b":", 1)
            put_double(w, self.sizes.tiers.thresholds[i], DIGITS)
        put_bytes(w, b'},"classes":{', 13)
        self._put_classes(w)
        put_bytes(w, b'},"clusters":{"buy":', 20)
        self._put_cluster(w, &self.clusters.bought)
        put_bytes(w, b',"sell":', 8)
        self._put_cluster(w, &self.clusters.sold)
        put_bytes(w, b'},"prints":', 11)
        put_int(w, self.n_prints)
        put_bytes(w, b',"large_prints":', 16)
        put_int(w, self.n_large)
        put_bytes(w, b',"whale_prints":', 16)
        put_int(w, self.n_whale)
        put_bytes(w, b',"mega_prints":', 15)
        put_int(w, self.n_mega)
        put_bytes(w, b',"cluster_count":', 17)
        put_int(w, self.clusters.n_ever)
        put_bytes(w, b',"last_large":', 14)
        self._put_last(w)

    cdef double _normalised(self, const OfiWindow* window, int32_t level) noexcept nogil:
        """OFI / 2D; of a window in which nothing changed it is 0."""
        if window.depth[level] > 0:
            return window.flow[level] / (2 * window.depth[level])
        return 0.0 if window.n == 0 else NAN

    cdef void _put_ofi(self, Writer* w) noexcept nogil:
        cdef const OfiWindow* window
        cdef int32_t i, j
        put_bytes(w, b"{", 1)
        for i in range(OFI_WINDOWS):
            window = &self.newest.ofi[i]
            if i > 0:
                put_bytes(w, b",", 1)
            put_text(w, OFI_NAMES[i])
            put_bytes(w, b'{"changes":', 11)
            put_int(w, window.n)
            put_bytes(w, b',"ofi":', 7)
            put_double(w, window.flow[0], DIGITS)
            put_bytes(w, b',"depth":', 9)
            put_double(w, window.depth[0] if window.n > 0 else NAN, DIGITS)
            put_bytes(w, b',"normalised":', 14)
            put_double(w, self._normalised(window, 0), DIGITS)
            put_bytes(w, b',"levels":', 10)
            for j in range(self.ofi.n_levels):
                put_bytes(w, b"[" if j == 0 else b",", 1)
                put_double(w, self._normalised(window, j), DIGITS)
            put_bytes(w, b"]}", 2)
        put_bytes(w, b"}", 1)

    cdef void _put_quote(self, Writer* w, Wide amount) noexcept nogil:
        cdef Turnover t
        t.native = t.cross = amount
        put_quote(w, self.symbol, &t)

    cdef void _put_classes(self, Writer* w) noexcept nogil:
        cdef const SizeStep* sums
        cdef Wide all, net
        cdef int32_t i, j
        for i in range(SIZE_WINDOWS):
            sums = &self.sizes.windows[i].sums
            if i > 0:
                put_bytes(w, b",", 1)
            put_text(w, SIZE_WINDOW_NAMES[i])
            for j in range(N_CLASSES):
                if j > 0:
                    put_bytes(w, b",", 1)
                put_text(w, CLASS_NAMES[j])
                all = net = sums.bought[j]
                put_bytes(w, b'{"net":', 7)
                if wide_add(&net, wide_negated(sums.sold[j])) and wide_add(&all, sums.sold[j]):
                    self._put_quote(w, net)
                    put_bytes(w, b',"volume":', 10)
                    self._put_quote(w, all)
                else:
                    put_bytes(w, b'null,"volume":null', 18)
                put_bytes(w, b',"prints":', 10)
                put_int(w, sums.n[j])
                put_bytes(w, b"}", 1)
            put_bytes(w, b"}", 1)

    cdef void _put_cluster(self, Writer* w, const Cluster* one) noexcept nogil:
        if not cluster_stands(&self.clusters, one, self.newest.at_ns):
            put_bytes(w, b"null", 4)
            return
        put_bytes(w, b'{"prints":', 10)
        put_int(w, one.n)
        put_bytes(w, b',"quote_quantity":', 18)
        put_quote(w, self.symbol, &one.turnover)
        put_bytes(w, b',"since":', 9)
        put_int(w, one.since)
        put_bytes(w, b',"until":', 9)
        put_int(w, one.until)
        put_bytes(w, b"}", 1)

    cdef void _put_last(self, Writer* w) noexcept nogil:
        cdef const Print* print = &self.last.print
        if self.last.tier == SIZE_RETAIL:
            put_bytes(w, b"null", 4)
            return
        put_bytes(w, b'{"tier":', 8)
        put_text(w, TIER_NAMES[<int>self.last.tier])
        if print.side == SIDE_BUY:
            put_bytes(w, b',"side":"buy","time":', 21)
        else:
            put_bytes(w, b',"side":"sell","time":', 22)
        put_time(w, print.ts_event)
        put_bytes(w, b',"price":', 9)
        put_decimal(w, print.last_px, self.symbol.px_scale)
        put_bytes(w, b',"quote_quantity":', 18)
        put_quote(w, self.symbol, &print.turnover)
        put_bytes(w, b',"rows":', 8)
        put_int(w, print.n_rows)
        put_bytes(w, b',"first_id":', 12)
        if print.first_id == NO_ID:
            put_bytes(w, b'null,"last_id":null', 19)
        else:
            put_int(w, print.first_id)
            put_bytes(w, b',"last_id":', 11)
            put_int(w, print.last_id)
        put_bytes(w, b',"threshold":', 13)
        put_double(w, self.last.threshold, DIGITS)
        put_bytes(w, b',"backfill":', 12)
        put_bool(w, print.flags & EVENT_BACKFILL != 0)
        put_bytes(w, b"}", 1)

    def values(self, now_ns):
        """What would be published at that time, as plain data."""
        cdef Writer w
        cdef ns_t at = now_ns
        self._n_changes += self._look(at)  # whatever changed is still to be told
        if not writer_init(&w, 4096):
            raise MemoryError
        self.render(self.channel, &w)
        told = msgspec.json.decode(b"{" + w.at[1:w.size] + b"}")
        writer_free(&w)
        return told

    def floors(self):
        """Of large, whale and mega prints, quote coins."""
        return tuple(self.sizes.tiers.floors[i] for i in range(1, N_TIERS))

    def counters(self):
        """What was counted, by name."""
        return {"prints": self.n_prints, "large_prints": self.n_large, "whale_prints": self.n_whale, "mega_prints": self.n_mega,
                "clusters": self.clusters.n_ever}

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        """What does not fit begins anew."""
        cdef Print* print = &self.last.print
        self._worth = worth_of(self.symbol)
        ofi_rescale(&self.ofi, px_factor, qty_factor)
        vpin_rescale(&self.vpin, qty_factor)
        sizes_rescale(&self.sizes, self.symbol, px_factor, qty_factor)
        if not turnover_rescale(&self.clusters.bought.turnover, self.symbol, px_factor, qty_factor):
            self.clusters.bought.n = 0
        if not turnover_rescale(&self.clusters.sold.turnover, self.symbol, px_factor, qty_factor):
            self.clusters.sold.n = 0
        if print.last_px > INT64_MAX // px_factor or not turnover_rescale(&print.turnover, self.symbol, px_factor, qty_factor):
            self.last.tier = SIZE_RETAIL
        else:
            print.last_px *= px_factor
        return True
