"""Trades that were too large for the tape, or too large to be overlooked in it."""

from libc.math cimport NAN
from libc.stdint cimport uint32_t

from cext.book cimport Book
from cext.events cimport EVENT_BACKFILL, SIDE_BUY, SIDE_SELL, Event, Side
from cext.names cimport Names
from cext.outbox cimport HIGH, MARK_BACKFILL, MARK_ROUNDED, Channel, Outbox
from cext.prints cimport Print
from cext.quantiles cimport Quantiles, quantiles_at
from cext.stream cimport HEARS_BLOCKS, HEARS_PRINTS, Stream
from cext.symbols cimport CONTRACT_INVERSE, Symbol
from cext.turnover cimport put_amount, put_amounts, put_vwap
from cext.units cimport NO_ID, ns_t
from cext.writer cimport Writer, put_bytes, put_decimal, put_double, put_int, put_string


cdef class BlockTrades(Stream):
    """`block_trades`: one event a trade. `kind` is venue (negotiated, told by the venue as such, never in the book) or print (one taker's burst in
    the tape, larger than the threshold).

    side (the taker's), price (a print's: its mean), quantity (base coins; inverse contracts: rounded half-even to 8 decimals, flag `rounded`),
    quote_quantity. Contracts only: contracts, contract_value, contract_unit. trade_id (of a block: the venue's own text; numbers of their own
    where the venue has a feed of them), first_trade_id and last_trade_id, first_price and last_price, rows (events of the tape merged): of a print.
    threshold (quote coins) and threshold_reason, of a print: quantile (of the instrument's own prints of the last day), or floor (the
    configuration's least, which is more; or too few prints were seen). What is not told of a kind is null.
    """

    cdef readonly Names names
    cdef readonly str word
    cdef readonly Channel channel
    cdef readonly double floor          # quote coins; 0: there is none
    cdef readonly double share          # the quantile
    cdef uint32_t _marks

    def __init__(self, Names names not None, *, str word="", double floor=0.0, double share=0.999):
        self.names = names
        self.word = word
        self.hears = HEARS_PRINTS | HEARS_BLOCKS
        self.configure(floor=floor, share=share)

    def configure(self, *, double floor, double share):
        """Other thresholds from now on."""
        if not 0.0 <= floor or not 0.0 < share < 1.0:
            raise ValueError(f"a floor of {floor} or a quantile of {share}")
        self.floor = floor
        self.share = share

    cdef void attach(self, Book book, Outbox out, const Symbol* symbol):
        Stream.attach(self, book, out, symbol)
        self._marks = MARK_ROUNDED if symbol.contract == CONTRACT_INVERSE else 0
        self.channel = self.names.channel(out, "block_trades", self.word, HIGH, self)

    cdef Writer* _open(self, ns_t ts_event, ns_t ts_recv, uint32_t event_flags) noexcept nogil:
        return self.out.open(self.channel, ts_event, ts_recv, self._marks | (MARK_BACKFILL if event_flags & EVENT_BACKFILL else 0))

    cdef void on_block(self, const Event* event, ns_t ts_recv) noexcept nogil:
        cdef const Symbol* symbol = self.symbol
        cdef Writer* w = self._open(event.ts_event, ts_recv, event.flags)
        put_bytes(w, b',"kind":"venue"', 15)
        _put_side(w, event.side)
        put_bytes(w, b',"price":', 9)
        put_decimal(w, event.px, symbol.px_scale)
        put_amount(w, symbol, event.px, event.qty)
        put_bytes(w, b',"trade_id":', 12)
        put_string(w, event.trade_id, event.trade_id_size)
        put_bytes(w, b',"first_trade_id":null,"last_trade_id":null,"first_price":null,"last_price":null,"rows":null,"threshold":null,"threshold_reason":null', 133)
        self.out.close(self.channel)

    cdef void on_print(self, const Print* print, const Quantiles* sizes, ns_t now_ns) noexcept nogil:
        cdef const Symbol* symbol = self.symbol
        cdef double threshold = self.floor
        cdef double usual = NAN
        cdef bint known
        cdef Writer* w
        if print.size < self.floor:  # nearly every print: whatever the quantile is
            return
        known = quantiles_at(sizes, self.share, &usual)
        if known and usual > threshold:
            threshold = usual
        if threshold <= 0.0 or print.size < threshold:
            return
        w = self._open(print.ts_event, print.ts_recv, print.flags)
        put_bytes(w, b',"kind":"print"', 15)
        _put_side(w, print.side)
        put_bytes(w, b',"price":', 9)
        put_vwap(w, symbol, &print.turnover)
        put_amounts(w, symbol, &print.turnover)
        put_bytes(w, b',"trade_id":null,"first_trade_id":', 34)
        if print.first_id == NO_ID:
            put_bytes(w, b'null,"last_trade_id":null', 25)
        else:
            put_int(w, print.first_id)
            put_bytes(w, b',"last_trade_id":', 17)
            put_int(w, print.last_id)
        put_bytes(w, b',"first_price":', 15)
        put_decimal(w, print.first_px, symbol.px_scale)
        put_bytes(w, b',"last_price":', 14)
        put_decimal(w, print.last_px, symbol.px_scale)
        put_bytes(w, b',"rows":', 8)
        put_int(w, print.n_rows)
        put_bytes(w, b',"threshold":', 13)
        put_double(w, threshold, 9)
        if known and usual >= threshold:
            put_bytes(w, b',"threshold_reason":"quantile"', 30)
        else:
            put_bytes(w, b',"threshold_reason":"floor"', 27)
        self.out.close(self.channel)


cdef inline void _put_side(Writer* w, Side side) noexcept nogil:
    if side == SIDE_BUY:
        put_bytes(w, b',"side":"buy"', 13)
    elif side == SIDE_SELL:
        put_bytes(w, b',"side":"sell"', 14)
    else:
        put_bytes(w, b',"side":null', 12)
