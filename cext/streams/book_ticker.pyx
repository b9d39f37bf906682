"""Best bid and ask, and what follows from them."""

from libc.math cimport NAN, llrint
from libc.stdint cimport INT64_MAX, int32_t, int64_t

from cext.book cimport ASKS, BIDS, Book
from cext.consolidated cimport STANDS_INVALID, STANDS_STALE, Standing
from cext.decimal cimport POW10
from cext.events cimport Event, Level
from cext.measures.imbalance cimport Imbalances, imbalance_of
from cext.measures.micro_price cimport MicroPrice
from cext.names cimport Names
from cext.outbox cimport LOW, MARK_ROUNDED, Channel, Outbox
from cext.stream cimport BOOK_SYNCED, HEARS_BBO, HEARS_BOOK, HEARS_STATE, HEARS_SURVEY, HEARS_TIMER, BookState, Reason, Stream
from cext.measures.survey cimport Survey
from cext.symbols cimport CONTRACT_BASE, CONTRACT_INVERSE, Symbol
from cext.turnover cimport mean_places, put_mean, put_quantity
from cext.units cimport NO_ID, NO_TIME, ns_t
from cext.wide cimport Wide, wide_add, wide_of, wide_product, wide_scaled
from cext.worth cimport Worth, worth_of
from cext.writer cimport Writer, put_bytes, put_copy, put_decimal, put_double, put_int, put_wide

cdef enum:
    TOP = 5             # levels a side of imbalance_5
    DIGITS = 9          # significant, of scores
    SILENCE_S = 5       # after that much, what comes is believed whatever its id: the venue may have begun anew


cdef class BookTicker(Stream):
    """`book_ticker`: conflated, on every change of a field.

    bid_price, bid_quantity, ask_price, ask_quantity (base coins; null price with quantity "0": that side is empty; both null: unknown).
    Contracts also: bid_contracts, ask_contracts. spread, mid, micro_price (the mid weighted by the opposite sizes, as in Stoikov 2018;
    half-even to four decimals under the tick), micro_price_stoikov (the fitted one of micro_price.pxd; micro_price while micro_price_fitted is
    false), spread_bps (of the mid), imbalance (of the best sizes, native), imbalance_5 (of the five best levels of the book; null while it is not
    synced, or with `imbalance` off), then those of `imbalances` (imbalance.pxd), update_id (the venue's).

    The venue's own best bid/ask stream is the authority. The book's top stands in until the first of it came, and where the book is newer by
    the venue's ids (by its times where it gives no ids); the older of the two never replaces the newer.

    `group` is told of every change. It is told at once that we cannot vouch for our top: when the book is lost (until the venue's own best
    prices come after that) and when nothing came for `stale_ns`.
    """

    def __init__(self, Names names not None, *, bint imbalance=True, Imbalances imbalances=None, MicroPrice micro_price=None,
                 ns_t stale_ns=5_000_000_000, str word=""):
        self.names = names
        self.word = word
        self.hears = HEARS_BOOK | HEARS_BBO | HEARS_STATE | HEARS_TIMER
        self._shown_id = self._update_id = NO_ID
        self._ts_event = self._ts_recv = NO_TIME
        self._top_bids = self._top_asks = -1
        self.imbalances = imbalances
        if imbalances is not None:
            self.hears |= HEARS_SURVEY
        self.micro_price = micro_price
        self.configure(imbalance=imbalance, stale_ns=stale_ns)

    def configure(self, *, bint imbalance, ns_t stale_ns, depths=None, double decay=0.5, bands_bps=()):
        """New thresholds from now on; `depths`, `decay` and `bands_bps` are those of `imbalances`. The micro-price has a door of its own."""
        if stale_ns < 1:
            raise ValueError(f"stale after {stale_ns} ns is not positive")
        if self.imbalances is not None and depths is not None:
            self.imbalances.configure(depths=depths, decay=decay, bands_bps=bands_bps)
            if self._survey is not None:
                self.imbalances.ask(self._survey)
                self._survey_n = 0
        self._tops = imbalance
        self.stale_ns = stale_ns
        if not imbalance:
            self._top_bids = self._top_asks = -1

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self.channel = self.names.channel(out, "book_ticker", self.word, LOW, self, True)
        if self.group is not None:
            self._member = self.group.join(out, self.names.exchange)

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
        if changed and self.micro_price is not None:
            if bid.qty > 0 and ask.qty > 0:
                self.micro_price.hear(&bid, &ask, self.symbol.tick)
            else:
                self.micro_price.interrupt()
        if self.group is not None and (changed or not self._stands):
            self._tell_group()
        return changed

    cdef void _mark(self) noexcept nogil:
        self.out.mark(self.channel, self._ts_event, self._ts_recv, MARK_ROUNDED if self.symbol.contract == CONTRACT_INVERSE else 0)

    cdef void _tell_group(self) noexcept nogil:
        self._stands = True
        self.group.tell(self._member, self.symbol, &self._bid, &self._ask, self._ts_event, self._ts_recv)

    cdef void _leave_group(self, int standing, ns_t now_ns) noexcept nogil:
        if self.group is not None and self._stands:
            self._stands = False
            self.group.leave(self._member, <Standing>standing, now_ns)

    cdef void on_bbo(self, const Event* event, const Level* levels, ns_t ts_recv) noexcept nogil:
        cdef Level bid, ask
        self._heard_bbo = True
        self._heard_ns = ts_recv
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
        self._heard_ns = ts_recv
        if not self._heard_bbo or self._age(event, ts_recv) > 0:
            self._from_book = True
            changed = self._show(event.cross_id, event.last_id, event.ts_event, bid, ask, ts_recv) or changed
        if changed:
            self._mark()

    cdef void on_state(self, BookState state, Reason reason, int64_t expected_id, int64_t got_id, ns_t now_ns) noexcept nogil:
        """A lost book takes along what came from it, and ids may begin anew after it; a new one stands in where no BBO came."""
        cdef Level bid, ask
        self._heard_ns = now_ns
        if state == BOOK_SYNCED:
            self._synced = True
            self._look(&bid, &ask)
            if not self._heard_bbo or not self._known:
                self._from_book = True
                self._show(NO_ID, got_id, NO_TIME, bid, ask, now_ns)
            self._mark()
            return
        self._leave_group(STANDS_INVALID, now_ns)
        if self._synced:
            self._synced = False
            if self.imbalances is not None:
                self.imbalances.forget()
            if self.micro_price is not None:
                self.micro_price.interrupt()
            self._top_bids = self._top_asks = -1
            self._shown_id = NO_ID
            self._ts_event = NO_TIME
            if self._from_book:
                self._forget()
            self.out.mark(self.channel, NO_TIME, now_ns, 0)

    cdef void on_timer(self, ns_t now_ns) noexcept nogil:
        """Silence is told to the group."""
        if self._stands and now_ns - self._heard_ns > self.stale_ns:
            self._leave_group(STANDS_STALE, now_ns)

    cdef void ask_survey(self, Survey survey):
        self._survey = survey
        self.imbalances.ask(survey)

    cdef void on_survey(self, Survey survey, ns_t now_ns) noexcept nogil:
        """Far levels may have changed while the best did not."""
        if survey.n != self._survey_n:
            self._survey_n = survey.n
            self.imbalances.hear(survey)
            self._mark()

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
        if self.micro_price is not None:
            self.micro_price.interrupt()
        return True

    cdef void figures(self, TopFigures* out) noexcept nogil:
        """The newest state, as doubles."""
        cdef Worth worth = worth_of(self.symbol)
        cdef Level bid = self._bid
        cdef Level ask = self._ask
        cdef double ticks
        out.known = self._known and bid.qty > 0 and ask.qty > 0 and bid.px < ask.px
        out.bid = out.ask = out.mid = out.spread_bps = out.micro = out.stoikov = NAN
        out.fitted = False
        out.imbalance = imbalance_of(<double>bid.qty, <double>ask.qty) if self._known else NAN
        out.imbalance_5 = imbalance_of(self._top_bids, self._top_asks)
        out.ts_event = self._ts_event
        out.ts_recv = self._ts_recv
        if not out.known:
            return
        out.bid = <double>bid.px * worth.px
        out.ask = <double>ask.px * worth.px
        out.mid = (out.bid + out.ask) / 2
        out.spread_bps = 1e4 * (out.ask - out.bid) / out.mid
        out.micro = out.bid + (out.ask - out.bid) * (<double>bid.qty / (<double>bid.qty + <double>ask.qty))
        out.stoikov = out.micro
        if self.micro_price is not None and self.micro_price.adjustment(&bid, &ask, self.symbol.tick, &ticks):
            out.fitted = True
            out.stoikov = out.mid + ticks * <double>self.symbol.tick * worth.px

    def values(self):
        """`figures` and all imbalances as plain data; None where it is not known."""
        cdef TopFigures now
        if self.imbalances is not None and self._synced:
            self.imbalances.look(self.book)
        self.figures(&now)
        told = {name: None if value != value else value for name, value in dict(now).items()}
        told.update(known=bool(now.known), fitted=bool(now.fitted))
        if self.imbalances is not None:
            told["imbalances"] = self.imbalances.values()
        return told

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

    cdef void _put_micro_prices(self, Writer* w) noexcept nogil:
        """Both sides stand."""
        cdef Wide weighted = wide_product(self._bid.qty, self._ask.px)
        cdef bint fits = wide_add(&weighted, wide_product(self._ask.qty, self._bid.px))
        cdef Wide sizes = wide_of(self._bid.qty)
        cdef int32_t places = mean_places(self.symbol)
        cdef int32_t more = places - self.symbol.px_scale
        cdef double ticks, px
        cdef Py_ssize_t at, size
        wide_add(&sizes, wide_of(self._ask.qty))
        put_bytes(w, b',"micro_price":', 15)
        at = w.size
        if fits:
            put_mean(w, weighted, sizes, self.symbol.px_scale, places)
        else:
            put_bytes(w, b"null", 4)
        size = w.size - at
        put_bytes(w, b',"micro_price_stoikov":', 23)
        if self.micro_price is None or not self.micro_price.adjustment(&self._bid, &self._ask, self.symbol.tick, &ticks):
            put_copy(w, at, size)
            put_bytes(w, b',"micro_price_fitted":false', 27)
            return
        px = (<double>self._bid.px + <double>self._ask.px) / 2 + ticks * <double>self.symbol.tick
        px = px * <double>POW10[more] if more >= 0 else px / <double>POW10[-more]
        if 0 <= px < 9e18:
            put_decimal(w, llrint(px), places)
        else:
            put_bytes(w, b"null", 4)
        put_bytes(w, b',"micro_price_fitted":true', 26)

    cdef void render(self, Channel channel, Writer* w) noexcept nogil:
        cdef Level bid = self._bid
        cdef Level ask = self._ask
        cdef int32_t px_scale = self.symbol.px_scale
        cdef Wide sum
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
            put_bytes(w, b',"spread":null,"spread_bps":null,"mid":null,"micro_price":null,"micro_price_stoikov":null,"micro_price_fitted":false', 116)
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
            self._put_micro_prices(w)
        put_bytes(w, b',"imbalance":', 13)
        put_double(w, imbalance_of(<double>bid.qty, <double>ask.qty), DIGITS)
        put_bytes(w, b',"imbalance_5":', 15)
        put_double(w, imbalance_of(self._top_bids, self._top_asks), DIGITS)
        if self.imbalances is not None:
            if self._synced:
                self.imbalances.look(self.book)
            self.imbalances.put(w)
        put_bytes(w, b',"update_id":', 13)
        if self._update_id == NO_ID:
            put_bytes(w, b"null", 4)
        else:
            put_int(w, self._update_id)
