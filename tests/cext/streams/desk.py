"""One instrument at work: frames in, published events out, the clock by hand."""

import json
from decimal import Decimal

from cext.clock import Clock
from cext.names import Names
from cext.outbox import Outbox
from cext.pipeline import Pipeline
from cext.venues.binance.normalizer import BinanceNormalizer

from tests.cext.streams.published import published

MS = 1_000_000
S = 1_000_000_000
START_S = 1_786_233_600  # a midnight in UTC: every timeframe begins there
START = START_S * S
NAMES = {"exchange": "venue", "symbol": "BTC-USDT", "market": "venue_spot", "venue_symbol": "BTCUSDT"}


def names() -> Names:
    return Names(**NAMES)


class Desk:
    """`streams`: functions of Names to Stream. Times given to its methods are seconds since START; those of events are ns as published.
    `numbered`: ids of trades have no holes (else they may come in any order). `beside`: another desk whose clock and outbox are used, for an
    instrument of another `exchange`. `outbox`: settings of the Outbox."""

    def __init__(self, *streams, px_scale=4, qty_scale=5, tick=100, contract="base", contract_value="1", recv_lag_s=0.0, others=0,
                 numbered=False, exchange="venue", beside=None, **outbox):
        self.clock = beside.clock if beside is not None else Clock(START)
        self.outbox = beside.outbox if beside is not None else Outbox(self.clock, epoch=7, **outbox)
        self.pipeline = Pipeline(
            market="venue_spot", exchange=exchange, normalizer=BinanceNormalizer(), outbox=self.outbox, clock=self.clock, link="next",
            rest_seeded=True, repeats_are_stale=True, trades_numbered=numbered,
        )  # fmt: skip
        for i in range(others):
            self.pipeline.add(venue_symbol=f"OTHER{i}".encode(), symbol=f"OTHER{i}-USDT", px_scale=2, qty_scale=2)
        called = Names(**{**NAMES, "exchange": exchange})
        self.streams = [stream(called) for stream in streams]
        self.ix = self.pipeline.add(
            venue_symbol=b"BTCUSDT", symbol="BTC-USDT", px_scale=px_scale, qty_scale=qty_scale, tick=tick, contract=contract,
            contract_value=contract_value, depth=1000, aliases=[b"btcusdt"], streams=self.streams,
        )  # fmt: skip
        self.recv_lag_s = recv_lag_s
        self.own = 0

    def feed(self, stream: str, data: dict, recv_s: float) -> None:
        frame = json.dumps({"stream": f"btcusdt@{stream}", "data": data}).encode()
        outcome = self.pipeline.feed_bytes(frame, START + round(recv_s * S))
        assert outcome == "events", (outcome, frame)

    def trade(self, at_s, price, qty, *, buyer_is_maker=False, first=None, last=None, own=None, recv_s=None) -> None:
        """A fill, or the fills first..last of one order; without `own`, the next id."""
        self.own = own = self.own + 1 if own is None else own
        data = {"e": "trade", "E": 0, "s": "BTCUSDT", "p": str(price), "q": str(qty), "T": START_S * 1000 + round(at_s * 1000), "m": buyer_is_maker}
        data |= {"t": own} if first is None else {"e": "aggTrade", "a": own, "f": first, "l": last}
        self.feed("trade" if first is None else "aggTrade", data, at_s + self.recv_lag_s if recv_s is None else recv_s)

    def depth(self, first, last, bids=(), asks=(), at_s=0.0) -> None:
        data = {"e": "depthUpdate", "E": START_S * 1000 + round(at_s * 1000), "s": "BTCUSDT", "U": first, "u": last, "b": bids, "a": asks}
        self.feed("depth@100ms", data, at_s)

    def bbo(self, update_id, bid, bid_qty, ask, ask_qty, at_s=0.0) -> None:
        self.feed("bookTicker", {"u": update_id, "s": "BTCUSDT", "b": bid, "B": bid_qty, "a": ask, "A": ask_qty}, at_s)

    def image(self, last_id, bids, asks, at_s=0.0) -> str:
        """A REST image, and one change after it so that it is proved to belong."""
        body = json.dumps({"lastUpdateId": last_id, "bids": bids, "asks": asks}).encode()
        return self.pipeline.image(self.ix, body, START + round(at_s * S))

    def synced(self, bids, asks, last_id=100, at_s=0.0) -> None:
        """A valid book with id `last_id`."""
        self.image(last_id - 1, bids, asks, at_s)
        self.depth(last_id, last_id, at_s=at_s)
        assert self.pipeline.states()[self.ix] == "synced"

    def tick(self, to_s, step_s=0.05, from_s=None) -> None:
        """The timer every `step_s` from where the clock stands (or `from_s`) to `to_s`."""
        at = self.clock.now() if from_s is None else START + round(from_s * S)
        to = START + round(to_s * S)
        while at < to:
            at = min(at + round(step_s * S), to)
            self.clock.set(at)
            self.pipeline.on_timer(at)

    def published(self, channel: str | None = None) -> list[dict]:
        """What came out since the last call, in order; of one channel, by its full name."""
        events = published(self.outbox)
        return [event for event in events if channel in (None, event["channel"])]


def number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
