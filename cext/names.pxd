"""What one instrument is called, on the bus and by its venue. One object an instrument, shared by its streams."""

from cext.outbox cimport Channel, DeliveryClass, Outbox, Source

cdef class Names:
    cdef readonly str exchange
    cdef readonly str symbol        # ours: BTC-USDT-PERP
    cdef readonly str market
    cdef readonly str venue_symbol
    cdef readonly str base          # coins, by the reference data; empty: not known
    cdef readonly str quote

    cdef Channel channel(self, Outbox out, str type, str word, DeliveryClass cls, Source source, bint keeps_last=*, bint queued=*,
                         str timeframe=*)
