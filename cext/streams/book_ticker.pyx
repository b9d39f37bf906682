"""Best bid and ask, and what follows from them."""

from libc.math cimport NAN
from libc.stdint cimport INT64_MAX, int32_t, int64_t

from cext.book cimport ASKS, BIDS, Book
from cext.events cimport Event, Level
from cext.names cimport Names
from cext.outbox cimport LOW, MARK_ROUNDED, Channel, Outbox
from cext.stream cimport BOOK_SYNCED, HEARS_BBO, HEARS_BOOK, HEARS_STATE, BookState, Reason, Stream
from cext.symbols cimport CONTRACT_BASE, CONTRACT_INVERSE, Symbol
from cext.turnover cimport mean_places, put_mean, put_quantity
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.wide cimport Wide, wide_add, wide_of, wide_product, wide_scaled
from cext.writer cimport Writer, put_bytes, put_decimal, put_double, put_int, put_wide

cdef enum:
    TOP = 5             # levels a side of imbalance_5
    DIGITS = 9          # significant, of scores
    SILENCE_S = 5       # after that much, what comes is believed whatever its id: the venue may have begun anew


cdef double _imbalance(double bids, double asks) noexcept nogil:
    """(bids - asks) / (bids + asks), in [-1, 1]; not a number where there is nothing (put_double makes it null)."""
    return (bids - asks) / (bids + asks) if bids + asks > 0 else NAN


cdef class BookTicker(Stream):
    """`book_ticker`: conflated, on every change of a field.

    bid_price, bid_quantity, ask_price, ask_quantity (base coins; null price with quantity "0": that side is empty; both null: unknown).
    Contracts also: bid_contracts, ask_contracts. spread, mid, micro_price (the mid weighted by the opposite sizes, as in Stoikov 2018;
    half-even to four decimals under the tick), spread_bps (of the mid), imbalance (of the best sizes, native), imbalance_5 (of the five best
    levels of the book; null while it is not synced, or with `imbalance` off), update_id (the venue's).

    The venue's own best bid/ask stream is the authority. The book's top stands in until the first of it came, and where the book is newer by
    the venue's ids (by its times where it gives no ids); the older of the two never replaces the newer.
    """

    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef bint _tops                 # follow the TOP best levels
    cdef bint _known
    cdef bint _synced
    cdef bint _heard_bbo
    cdef bint _from_book
    cdef Level _bid                 # qty 0: the side is empty
    cdef Level _ask
    cdef double _top_bids           # quantity of the TOP best levels; negative: unknown
    cdef double _top_asks
    cdef int64_t _shown_id          # cross_id of what is shown
    cdef int64_t _update_id
    cdef ns_t _ts_event             # of what is shown
    cdef ns_t _ts_recv

    def __init__(self, Names names not None, *, bint imbalance=True, str word=""):
        self.names = names
        self.word = word
        self._tops = imbalance
        self.hears = HEARS_BOOK | HEARS_BBO | HEARS_STATE
        self._shown_id = self._update_id = NO_ID
        self._ts_event = self._ts_recv = NO_TIME
        self._top_bids = self._top_asks = -1

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self.channel = self.names.channel(out, "book_ticker", self.word, LOW, self, True)

    cdef int _age(self, const Event* event, ns_t ts_recv) noexcept nogil:
        """How `event` stands to what is shown: 1 newer, -1 older, 0 the same or not to be told."""
        if not self._known or ts_recv - self._ts_recv > <ns_t>SILENCE_S * 1_000_000_000:
            return 1
        if event.cross_id != NO_ID and self._shown_id != NO_ID:
            return (event.cross_id > self._shown_id) - (event.cross_id < self._shown_id)
        if event.ts_event != NO_TIME and self._ts_event != NO_TIME:
            return (event.ts_event > self._ts_event) - (event.ts_event < self._ts_event)
        return 0

    cdef bint _show(self, int64_t cross_id, int64_t last_id, ns_t ts_event, Level bid, Level ask, ns_t ts_recv) noexcept nogil:
        """True if a price or quantity changed."""
        cdef bint changed = not self._known or bid.px != self._bid.px or bid.qty != self._bid.qty \
            or ask.px != self._ask.px or ask.qty != self._ask.qty
        self._known = True
        self._bid = bid
        self._ask = ask
        self._shown_id = cross_id
        self._update_id = last_id if last_id != NO_ID else cross_id
        self._ts_event = ts_event
        self._ts_recv = ts_recv
        return changed

    cdef void _mark(self) noexcept nogil:
        self.out.mark(self.channel, self._ts_event, self._ts_recv, MARK_ROUNDED if self.symbol.contract == CONTRACT_INVERSE else 0)

    cdef void on_bbo(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        cdef Level bid, ask
        self._heard_bbo = True
        if self._age(event, ts_recv) < 0:
            return
        bid.px = bid.qty = ask.px = ask.qty = 0
        if event.n_bids > 0 and levels[event.bids].qty > 0:
            bid = levels[event.bids]
        if event.n_asks > 0 and levels[event.asks].qty > 0:
            ask = levels[event.asks]
        self._from_book = False
        if self._show(event.cross_id, event.last_id, event.ts_event, bid, ask, ts_recv):
            self._mark()

    cdef bint _look(self, Level* bid, Level* ask) noexcept nogil:
        """The book's top. True if the quantity of its TOP best levels changed."""
        cdef Level top[TOP]
        cdef double bids = 0, asks = 0
        cdef bint changed
        cdef int32_t i, n
        bid.px = bid.qty = ask.px = ask.qty = 0
        n = self.book.take(BIDS, top, TOP if self._tops else 1)
        for i in range(n):
            bids += <double>top[i].qty
        if n > 0:
            bid[0] = top[0]
        n = self.book.take(ASKS, top, TOP if self._tops else 1)
        for i in range(n):
            asks += <double>top[i].qty
        if n > 0:
            ask[0] = top[0]
        if not self._tops:
            return False
        changed = bids != self._top_bids or asks != self._top_asks
        self._top_bids = bids
        self._top_asks = asks
        return changed

    cdef void on_book(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        cdef Level bid, ask
        cdef bint changed = self._look(&bid, &ask)
        if not self._heard_bbo or self._age(event, ts_recv) > 0:
            self._from_book = True
            changed = self._show(event.cross_id, event.last_id, event.ts_event, bid, ask, ts_recv) or changed
        if changed:
            self._mark()

    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        """A lost book takes along what came from it, and ids may begin anew after it; a new one stands in where no BBO came."""
        cdef Level bid, ask
        if state == BOOK_SYNCED:
            self._synced = True
            self._look(&bid, &ask)
            if not self._heard_bbo or not self._known:
                self._from_book = True
                self._show(NO_ID, got_id, NO_TIME, bid, ask, now_ns)
            self._mark()
        elif self._synced:
            self._synced = False
            self._top_bids = self._top_asks = -1
            self._shown_id = NO_ID
            self._ts_event = NO_TIME
            if self._from_book:
                self._forget()
            self.out.mark(self.channel, NO_TIME, now_ns, 0)

    cdef void _forget(self) noexcept nogil:
        self._bid.px = self._bid.qty = self._ask.px = self._ask.qty = 0
        self._update_id = NO_ID
        self._known = False

    cdef bint on_rescale(self, int64_t px_factor, int64_t qty_factor) noexcept nogil:
        if self._bid.px > INT64_MAX // px_factor or self._ask.px > INT64_MAX // px_factor \
                or self._bid.qty > INT64_MAX // qty_factor or self._ask.qty > INT64_MAX // qty_factor:
            self._forget()
            return False
        self._bid.px *= px_factor
        self._ask.px *= px_factor
        self._bid.qty *= qty_factor
        self._ask.qty *= qty_factor
        if self._top_bids >= 0:
            self._top_bids *= qty_factor
            self._top_asks *= qty_factor
        return True

    cdef void _put_best(self, Writer* w, Level best) noexcept nogil:
        if best.qty == 0:
            put_bytes(w, b"null", 4)
        else:
            put_decimal(w, best.px, self.symbol.px_scale)

    cdef void _put_best_quantity(self, Writer* w, Level best) noexcept nogil:
        if not self._known:
            put_bytes(w, b"null", 4)
        elif best.qty == 0:
            put_bytes(w, b'"0"', 3)
        else:
            put_quantity(w, self.symbol, best.px, best.qty)

    cdef void _put_best_contracts(self, Writer* w, Level best) noexcept nogil:
        if self._known:
            put_decimal(w, best.qty, self.symbol.qty_scale)
        else:
            put_bytes(w, b"null", 4)

    cdef void render(self, Channel channel, Writer* w) noexcept nogil:
        cdef Level bid = self._bid
        cdef Level ask = self._ask
        cdef int32_t px_scale = self.symbol.px_scale
        cdef Wide sum, weighted
        cdef bint fits
        put_bytes(w, b',"bid_price":', 13)
        self._put_best(w, bid)
        put_bytes(w, b',"bid_quantity":', 16)
        self._put_best_quantity(w, bid)
        put_bytes(w, b',"ask_price":', 13)
        self._put_best(w, ask)
        put_bytes(w, b',"ask_quantity":', 16)
        self._put_best_quantity(w, ask)
        if self.symbol.contract != CONTRACT_BASE:
            put_bytes(w, b',"bid_contracts":', 17)
            self._put_best_contracts(w, bid)
            put_bytes(w, b',"ask_contracts":', 17)
            self._put_best_contracts(w, ask)
        if bid.qty == 0 or ask.qty == 0:
            put_bytes(w, b',"spread":null,"spread_bps":null,"mid":null,"micro_price":null', 62)
        else:
            sum = wide_of(bid.px)
            wide_add(&sum, wide_of(ask.px))
            put_bytes(w, b',"spread":', 10)
            put_decimal(w, ask.px - bid.px, px_scale)
            put_bytes(w, b',"spread_bps":', 14)
            put_double(w, 2e4 * <double>(ask.px - bid.px) / (<double>ask.px + <double>bid.px), DIGITS)
            put_bytes(w, b',"mid":', 7)
            wide_scaled(&sum, 5)  # half of a sum is five tenths of it: exact with one decimal more
            put_wide(w, sum, px_scale + 1)
            put_bytes(w, b',"micro_price":', 15)
            weighted = wide_product(bid.qty, ask.px)
            fits = wide_add(&weighted, wide_product(ask.qty, bid.px))
            sum = wide_of(bid.qty)
            wide_add(&sum, wide_of(ask.qty))
            if fits:
                put_mean(w, weighted, sum, px_scale, mean_places(self.symbol))
            else:
                put_bytes(w, b"null", 4)
        put_bytes(w, b',"imbalance":', 13)
        put_double(w, _imbalance(<double>bid.qty, <double>ask.qty), DIGITS)
        put_bytes(w, b',"imbalance_5":', 15)
        put_double(w, _imbalance(self._top_bids, self._top_asks), DIGITS)
        put_bytes(w, b',"update_id":', 13)
        if self._update_id == NO_ID:
            put_bytes(w, b"null", 4)
        else:
            put_int(w, self._update_id)
