"""The best bid and ask of one symbol over all venues, and whether they cross."""

from libc.stdint cimport int32_t
from libc.string cimport memset

from cext.channel cimport LOW, Channel
from cext.decimal cimport POW10
from cext.events cimport Level
from cext.measures.imbalance cimport imbalance_of
from cext.outbox cimport Outbox
from cext.symbols cimport Symbol
from cext.turnover cimport put_quantity
from cext.units cimport NO_TIME, ns_t, px_t
from cext.wide cimport Wide, wide_add, wide_compare, wide_product, wide_scaled
from cext.worth cimport Worth, worth_base, worth_of
from cext.writer cimport Writer, put_bytes, put_decimal, put_double, put_time, put_wide

cdef enum:
    DIGITS = 9

STANDING_NAMES = {
    STANDS_NOT_YET: "not_yet", STANDS: "live", STANDS_INVALID: "invalid", STANDS_STALE: "stale", STANDS_CROSSED: "crossed", STANDS_EMPTY: "empty",
}
ctypedef const char* text_t

cdef text_t[6] STANDING_TEXTS = [b'"not_yet"', b'"live"', b'"invalid"', b'"stale"', b'"crossed"', b'"empty"']
cdef Py_ssize_t[6] STANDING_SIZES = [9, 6, 9, 7, 9, 7]


cdef int32_t _compare(px_t a, int32_t a_scale, px_t b, int32_t b_scale) noexcept nogil:
    """Two prices of different scales, exactly: -1, 0, 1."""
    cdef Wide wide_a, wide_b
    if a_scale == b_scale:
        return (a > b) - (a < b)
    wide_a = wide_product(a, POW10[b_scale - a_scale] if b_scale > a_scale else 1)
    wide_b = wide_product(b, POW10[a_scale - b_scale] if a_scale > b_scale else 1)
    return wide_compare(wide_a, wide_b)


cdef inline double _base(const VenueQuote* quote, bint bid) noexcept nogil:
    """Base coins of a side, to choose between venues of the same price."""
    cdef Worth worth = worth_of(&quote.symbol)
    return worth_base(&worth, quote.bid.px, quote.bid.qty) if bid else worth_base(&worth, quote.ask.px, quote.ask.qty)


cdef class Consolidated(Source):
    """`book_ticker:all:{symbol}`, on every change of a venue's top.

    bid_price, bid_quantity (base coins), bid_exchange: the highest bid and whose it is (of the same price: the larger one); ask_ likewise.
    spread, spread_bps, mid: of these two; a negative spread is a crossed market. state: normal, locked (the bid of one venue equals the ask
    of another) or crossed (it is higher). imbalance of the two sizes. venues: for each its exchange, state (live, invalid: its book is lost, stale:
    nothing came for too long, crossed: in itself, empty: a side is, not_yet), and where it is live bid_price, bid_quantity, ask_price, ask_quantity,
    ts_event. A venue that is not live counts for nothing.
    """

    def __init__(self, str symbol not None, *, str word=""):
        self.symbol = symbol
        self.word = word
        self._names = []
        memset(self.quotes, 0, sizeof(self.quotes))

    cdef int32_t join(self, Outbox out, str exchange) except -1:
        """A venue's number here. One that has joined before keeps its own: a new stream speaks for it from now on."""
        cdef int32_t member = self.n
        if exchange.encode() in self._names:
            return self._names.index(exchange.encode())
        if member == MAX_VENUES:
            raise ValueError(f"{self.symbol} of {exchange} cannot join: there are {MAX_VENUES} venues already")
        self._names.append(exchange.encode())
        self._name_at[member] = self._names[member]
        self._name_size[member] = len(self._names[member])
        self.n += 1
        self.out = out
        if self.n == 2:
            self.channel = out.channel("book_ticker", "all", self.symbol, "-", "-", LOW, self, "", self.word, False, True)
        return member

    cdef void tell(self, int32_t member, const Symbol* symbol, const Level* bid, const Level* ask, ns_t ts_event, ns_t ts_recv) noexcept nogil:
        """A venue's top as it is now."""
        cdef VenueQuote* quote = &self.quotes[member]
        quote.symbol = symbol[0]
        quote.bid = bid[0]
        quote.ask = ask[0]
        quote.ts_event = ts_event
        quote.ts_recv = ts_recv
        if bid.qty == 0 or ask.qty == 0:
            quote.standing = STANDS_EMPTY
        elif bid.px >= ask.px:
            quote.standing = STANDS_CROSSED
        else:
            quote.standing = STANDS
        if self.n > 1:
            self.out.mark(self.channel, ts_event, ts_recv, 0)

    cdef void leave(self, int32_t member, Standing standing, ns_t now_ns) noexcept nogil:
        """A venue cannot vouch for its top any more."""
        if self.quotes[member].standing == STANDS_NOT_YET:
            return
        self.quotes[member].standing = standing
        if self.n > 1:
            self.out.mark(self.channel, NO_TIME, now_ns, 0)

    cdef Best best(self) noexcept nogil:
        """Whose bid and whose ask are best, and how they stand to each other."""
        cdef Best best
        cdef const VenueQuote* quote
        cdef const VenueQuote* bid = NULL
        cdef const VenueQuote* ask = NULL
        cdef int32_t i, order
        best.bid = best.ask = best.crossing = -1
        for i in range(self.n):
            quote = &self.quotes[i]
            if quote.standing != STANDS:
                continue
            order = _compare(quote.bid.px, quote.symbol.px_scale, bid.bid.px, bid.symbol.px_scale) if bid != NULL else 1
            if order > 0 or (order == 0 and _base(quote, True) > _base(bid, True)):
                best.bid = i
                bid = quote
            order = _compare(quote.ask.px, quote.symbol.px_scale, ask.ask.px, ask.symbol.px_scale) if ask != NULL else -1
            if order < 0 or (order == 0 and _base(quote, False) > _base(ask, False)):
                best.ask = i
                ask = quote
        if bid != NULL and best.bid != best.ask:
            best.crossing = _compare(bid.bid.px, bid.symbol.px_scale, ask.ask.px, ask.symbol.px_scale)
        return best

    cdef void _put_side(self, Writer* w, int32_t member, bint bid) noexcept nogil:
        """"price","quantity" of one side, with the words before them; null where there is none."""
        cdef const VenueQuote* quote = &self.quotes[member] if member >= 0 else NULL
        put_bytes(w, b'"bid_price":' if bid else b'"ask_price":', 12)
        if quote == NULL:
            put_bytes(w, b"null", 4)
        else:
            put_decimal(w, quote.bid.px if bid else quote.ask.px, quote.symbol.px_scale)
        put_bytes(w, b',"bid_quantity":' if bid else b',"ask_quantity":', 16)
        if quote == NULL:
            put_bytes(w, b"null", 4)
        elif bid:
            put_quantity(w, &quote.symbol, quote.bid.px, quote.bid.qty)
        else:
            put_quantity(w, &quote.symbol, quote.ask.px, quote.ask.qty)

    cdef void _put_venue(self, Writer* w, int32_t member) noexcept nogil:
        cdef const VenueQuote* quote = &self.quotes[member]
        put_bytes(w, b'{"exchange":"', 13)
        put_bytes(w, self._name_at[member], self._name_size[member])
        put_bytes(w, b'","state":', 10)
        put_bytes(w, STANDING_TEXTS[<int>quote.standing], STANDING_SIZES[<int>quote.standing])
        if quote.standing == STANDS:
            put_bytes(w, b",", 1)
            self._put_side(w, member, True)
            put_bytes(w, b",", 1)
            self._put_side(w, member, False)
            put_bytes(w, b',"ts_event":', 12)
            put_time(w, quote.ts_event)
        put_bytes(w, b"}", 1)

    cdef void _put_name(self, Writer* w, int32_t member) noexcept nogil:
        if member < 0:
            put_bytes(w, b"null", 4)
            return
        put_bytes(w, b'"', 1)
        put_bytes(w, self._name_at[member], self._name_size[member])
        put_bytes(w, b'"', 1)

    cdef void _put_between(self, Writer* w, const VenueQuote* bid, const VenueQuote* ask) noexcept nogil:
        """The figures that need both."""
        cdef int32_t scale = max(bid.symbol.px_scale, ask.symbol.px_scale)
        cdef px_t up_bid = POW10[scale - bid.symbol.px_scale]
        cdef px_t up_ask = POW10[scale - ask.symbol.px_scale]
        cdef Wide sum = wide_product(bid.bid.px, up_bid)
        cdef Wide spread = wide_product(ask.ask.px, up_ask)
        cdef Worth worth_bid = worth_of(&bid.symbol)
        cdef Worth worth_ask = worth_of(&ask.symbol)
        cdef double bid_px = <double>bid.bid.px * worth_bid.px
        cdef double ask_px = <double>ask.ask.px * worth_ask.px
        wide_add(&sum, spread)
        wide_scaled(&sum, 5)
        wide_add(&spread, wide_product(-bid.bid.px, up_bid))
        put_bytes(w, b',"spread":', 10)
        put_wide(w, spread, scale)
        put_bytes(w, b',"spread_bps":', 14)
        put_double(w, 2e4 * (ask_px - bid_px) / (ask_px + bid_px), DIGITS)
        put_bytes(w, b',"mid":', 7)
        put_wide(w, sum, scale + 1)
        put_bytes(w, b',"imbalance":', 13)
        put_double(w, imbalance_of(_base(bid, True), _base(ask, False)), DIGITS)

    cdef void render(self, Channel channel, Writer* w) noexcept nogil:
        cdef Best best = self.best()
        cdef int32_t i
        put_bytes(w, b",", 1)
        self._put_side(w, best.bid, True)
        put_bytes(w, b',"bid_exchange":', 16)
        self._put_name(w, best.bid)
        put_bytes(w, b",", 1)
        self._put_side(w, best.ask, False)
        put_bytes(w, b',"ask_exchange":', 16)
        self._put_name(w, best.ask)
        if best.bid < 0:
            put_bytes(w, b',"spread":null,"spread_bps":null,"mid":null,"imbalance":null,"state":null', 73)
        else:
            self._put_between(w, &self.quotes[best.bid], &self.quotes[best.ask])
            put_bytes(w, b',"state":', 9)
            if best.crossing > 0:
                self.n_crossed += 1
                put_bytes(w, b'"crossed"', 9)
            elif best.crossing == 0:
                self.n_locked += 1
                put_bytes(w, b'"locked"', 8)
            else:
                put_bytes(w, b'"normal"', 8)
        put_bytes(w, b',"venues":[', 11)
        for i in range(self.n):
            if i > 0:
                put_bytes(w, b",", 1)
            self._put_venue(w, i)
        put_bytes(w, b"]", 1)

    def values(self):
        """What is best and who stands, as plain data."""
        cdef Best best = self.best()
        names = [name.decode() for name in self._names]
        return {
            "bid_exchange": names[best.bid] if best.bid >= 0 else None, "ask_exchange": names[best.ask] if best.ask >= 0 else None,
            "crossed": best.crossing > 0, "locked": best.crossing == 0, "events_crossed": self.n_crossed,
            "events_locked": self.n_locked, "venues": {name: STANDING_NAMES[self.quotes[i].standing] for i, name in enumerate(names)},
        }
