"""Every trade, at once."""

from libc.stdint cimport uint32_t

from cext.book cimport Book
from cext.events cimport EVENT_BACKFILL, EVENT_BLOCK, EVENT_OFF_BOOK, SIDE_BUY, SIDE_SELL, Event
from cext.names cimport Names
from cext.outbox cimport HIGH, MARK_BACKFILL, MARK_ROUNDED, Channel, Outbox
from cext.stream cimport HEARS_TRADES, Stream
from cext.symbols cimport CONTRACT_BASE, CONTRACT_INVERSE, Symbol
from cext.turnover cimport put_notional, put_quantity, put_unit
from cext.units cimport NO_ID, ns_t
from cext.writer cimport Writer, put_bytes, put_decimal, put_int, put_string


cdef class Trades(Stream):
    """`trades`: one event a trade, or a row of trades that the venue folded into one.

    price, quantity (base coins; inverse contracts: rounded half-even to 8 decimals, flag `rounded`), side (the aggressor's) and buyer_is_maker
    (both null where the venue does not say), trade_id (the venue's own text), first_trade_id and last_trade_id (of the fills in it; null where
    they have no numbers), off_book (never stood in the visible book), block (negotiated). Contracts only: contracts, quote_quantity (both
    exact), contract_value, contract_unit.
    """

    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef uint32_t _marks

    def __init__(self, Names names not None, *, str word=""):
        self.names = names
        self.word = word
        self.hears = HEARS_TRADES

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self._marks = MARK_ROUNDED if symbol.contract == CONTRACT_INVERSE else 0
        self.channel = self.names.channel(out, "trades", self.word, HIGH, self)

    cdef void on_trade(self, const Event* event, ns_t ts_recv) noexcept nogil:
        cdef const Symbol* symbol = self.symbol
        cdef Writer* w
        cdef uint32_t marks = self._marks
        if event.flags & EVENT_BACKFILL:
            marks |= MARK_BACKFILL
        w = self.out.open(self.channel, event.ts_event, ts_recv, marks)
        put_bytes(w, b',"price":', 9)
        put_decimal(w, event.px, symbol.px_scale)
        put_bytes(w, b',"quantity":', 12)
        put_quantity(w, symbol, event.px, event.qty)
        if event.side == SIDE_BUY:
            put_bytes(w, b',"side":"buy","buyer_is_maker":false', 36)
        elif event.side == SIDE_SELL:
            put_bytes(w, b',"side":"sell","buyer_is_maker":true', 36)
        else:
            put_bytes(w, b',"side":null,"buyer_is_maker":null', 34)
        put_bytes(w, b',"trade_id":', 12)
        put_string(w, event.trade_id, event.trade_id_size)
        put_bytes(w, b',"first_trade_id":', 18)
        if event.first_id == NO_ID:
            put_bytes(w, b"null", 4)
        else:
            put_int(w, event.first_id)
        put_bytes(w, b',"last_trade_id":', 17)
        if event.last_id == NO_ID:
            put_bytes(w, b"null", 4)
        else:
            put_int(w, event.last_id)
        if event.flags & EVENT_BLOCK:
            put_bytes(w, b',"off_book":true,"block":true', 29)
        elif event.flags & EVENT_OFF_BOOK:
            put_bytes(w, b',"off_book":true,"block":false', 30)
        else:
            put_bytes(w, b',"off_book":false,"block":false', 31)
        if symbol.contract != CONTRACT_BASE:
            put_bytes(w, b',"contracts":', 13)
            put_decimal(w, event.qty, symbol.qty_scale)
            put_bytes(w, b',"quote_quantity":', 18)
            put_notional(w, symbol, event.px, event.qty)
            put_unit(w, symbol)
        self.out.close(self.channel)
