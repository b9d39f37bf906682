"""What one instrument is called, on the bus and by its venue."""

from cext.outbox cimport Channel, DeliveryClass, Outbox, Source


cdef class Names:
    """`Names(exchange=..., symbol="BTC-USDT-PERP", market=..., venue_symbol="BTCUSDT")`: the words of channels and envelopes."""

    def __init__(self, *, str exchange not None, str symbol not None, str market not None, str venue_symbol not None, str base="", str quote=""):
        self.exchange = exchange
        self.symbol = symbol
        self.market = market
        self.venue_symbol = venue_symbol
        self.base = base
        self.quote = quote

    cdef Channel channel(self, Outbox out, str type, str word, DeliveryClass cls, Source source, bint keeps_last=False, bint queued=False,
                         str timeframe=""):
        """This instrument's channel of `type` (`word` is the name that config gives the type; empty: its own)."""
        return out.channel(type, self.exchange, self.symbol, self.market, self.venue_symbol, cls, source, timeframe, word, queued, keeps_last)
