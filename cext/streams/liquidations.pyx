"""Every liquidation that the venue tells, at once."""

from libc.stdint cimport uint32_t

from cext.book cimport Book
from cext.events cimport EVENT_BANKRUPTCY, EVENT_ORDERED, EVENT_SAMPLED, SIDE_SELL, Event
from cext.names cimport Names
from cext.outbox cimport CRITICAL, MARK_ROUNDED, MARK_SAMPLED, Channel, Outbox
from cext.stream cimport HEARS_LIQUIDATIONS, Stream
from cext.symbols cimport CONTRACT_INVERSE, Symbol
from cext.turnover cimport Turnover, put_amount, turnover_add, turnover_base, turnover_clear, turnover_quote
from cext.units cimport ns_t
from cext.writer cimport Writer, put_bytes, put_decimal, put_string


cdef class Liquidations(Stream):
    """`liquidations`: one event a forced order.

    side (the order's) and position (what was closed: long is sold), price and price_type: average (what the order got), bankruptcy (the price of
    the takeover, at which nothing need have traded), ordered (what the order asked for; what it got is not told). bankruptcy_price and
    order_price: these prices where the venue tells them, else null. quantity (base coins; inverse contracts: rounded half-even to 8 decimals, flag
    `rounded`), quote_quantity (at `price`; exact). Contracts only: contracts, contract_value, contract_unit. venue_side: the venue's own word, which
    on one venue is the position's. Flag `sampled`: the venue does not tell all of them.
    """

    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef uint32_t _marks
    cdef double _base, _quote   # since they were taken

    def __init__(self, Names names not None, *, str word=""):
        self.names = names
        self.word = word
        self.hears = HEARS_LIQUIDATIONS

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self._marks = MARK_ROUNDED if symbol.contract == CONTRACT_INVERSE else 0
        self.channel = self.names.channel(out, "liquidations", self.word, CRITICAL, self)

    def take(self) -> tuple[float, float]:
        """Base and quote coins of what came since the last call, nearly: for one who weighs them."""
        cdef double base = self._base
        cdef double quote = self._quote
        self._base = self._quote = 0.0
        return base, quote

    cdef void on_liquidation(self, const Event* event, ns_t ts_recv) noexcept nogil:
        cdef Symbol symbol = self.symbol[0]  # with the event's own scales
        cdef Turnover turnover
        cdef Writer* w
        symbol.px_scale = event.px_scale
        symbol.qty_scale = event.qty_scale
        turnover_clear(&turnover)
        if turnover_add(&turnover, &symbol, event.px, event.qty):
            self._base += turnover_base(&symbol, &turnover)
            self._quote += turnover_quote(&symbol, &turnover)
        w = self.out.open(self.channel, event.ts_event, ts_recv, self._marks | (MARK_SAMPLED if event.flags & EVENT_SAMPLED else 0))
        if event.side == SIDE_SELL:
            put_bytes(w, b',"side":"sell","position":"long","price":', 41)
        else:
            put_bytes(w, b',"side":"buy","position":"short","price":', 41)
        put_decimal(w, event.px, event.px_scale)
        if event.flags & EVENT_BANKRUPTCY:
            put_bytes(w, b',"price_type":"bankruptcy","bankruptcy_price":', 46)
            put_decimal(w, event.px, event.px_scale)
            put_bytes(w, b',"order_price":null', 19)
        elif event.flags & EVENT_ORDERED:
            put_bytes(w, b',"price_type":"ordered","bankruptcy_price":null,"order_price":', 62)
            put_decimal(w, event.px, event.px_scale)
        else:
            put_bytes(w, b',"price_type":"average","bankruptcy_price":null,"order_price":', 62)
            if event.order_px > 0:
                put_decimal(w, event.order_px, event.px_scale)
            else:
                put_bytes(w, b"null", 4)
        put_amount(w, &symbol, event.px, event.qty)
        put_bytes(w, b',"venue_side":', 14)
        put_string(w, event.trade_id, event.trade_id_size)
        self.out.close(self.channel)
