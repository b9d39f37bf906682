"""Streams to measure on: frames in the venues' true shapes, with valid sequences, around one seeded random walk.

A side has about 1000 levels at any time; a depth frame changes 15 of them on average (the geometric mean of quiet and busy moments), six in
ten of these near the touch; one frame in four moves the best price. Trades hit the best price. This is a middling spot market of 2026; real
perpetuals at their fastest speed change four times as many levels a frame.
"""

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

LEVELS = 1000
CHANGES = 15
START_MS = 1_717_000_000_000


@dataclass
class Shape:
    """How one venue writes. `px` and `qty` are decimals; prices are counted in ticks of 10**-px."""

    venue: str
    market: str
    symbol: str
    px: int
    qty: int
    mid: int

    @property
    def rest_seeded(self) -> bool:
        """The book comes from REST, not as the first frame."""
        return self.venue.startswith("binance")


SHAPES = {
    shape.venue: shape
    for shape in (
        Shape("binance", "binance_spot", "BTCUSDT", 2, 5, 6_723_400),
        Shape("binance_futures", "binance_usdm", "BTCUSDT", 1, 3, 672_340),
        Shape("bybit", "bybit_linear", "BTCUSDT", 1, 3, 672_340),
        Shape("okx", "okx_spot", "BTC-USDT", 1, 8, 672_340),
    )
}


@dataclass
class Frames:
    """What was generated. `snapshot` is a REST body where the venue seeds by REST, else the first frame."""

    shape: Shape
    snapshot: bytes
    depth: list[bytes] = field(default_factory=list)
    trade: list[bytes] = field(default_factory=list)
    ticker: list[bytes] = field(default_factory=list)
    span_ms: int = 0  # from the image to the last frame, by their own times

    def of(self, kinds: Sequence[str]) -> list[bytes]:
        """The frames of these kinds, taken in turn: depth, trade, ticker, depth, ..."""
        return [frame for row in zip(*(getattr(self, kind) for kind in kinds), strict=True) for frame in row]


def _decimal(value: int, places: int) -> str:
    if places == 0:
        return str(value)
    text = str(value).rjust(places + 1, "0")
    return f"{text[:-places]}.{text[-places:]}"


class _Side:
    """One side of a ladder of ticks; `sign` is -1 for bids."""

    def __init__(self, rng: random.Random, best: int, sign: int):
        self.rng, self.sign, self.best = rng, sign, best
        self.levels: dict[int, int] = {}
        while len(self.levels) < LEVELS:
            self.levels[best + sign * self._distance()] = self.quantity()
        self.levels[best] = self.quantity()

    def quantity(self) -> int:
        return 1 + int(self.rng.lognormvariate(4, 1.5))

    def _distance(self) -> int:
        near = self.rng.random() < 0.6
        return int(self.rng.expovariate(1 / 12)) if near else int(3000 * self.rng.random() ** 1.3)

    def change(self) -> tuple[int, int]:
        """One change away from the touch or at it: (tick, quantity; 0 removes)."""
        tick = self.best + self.sign * self._distance()
        known = tick in self.levels
        if known and tick != self.best and (len(self.levels) > LEVELS or self.rng.random() < 0.42):
            del self.levels[tick]
            return tick, 0
        self.levels[tick] = self.quantity()
        return tick, self.levels[tick]

    def step_back(self) -> tuple[int, int]:
        """The best level is gone; the next one is best."""
        gone = self.best
        del self.levels[gone]
        self.best = max(self.levels) if self.sign < 0 else min(self.levels)
        return gone, 0

    def step_forward(self, tick: int) -> tuple[int, int]:
        self.best = tick
        self.levels[tick] = self.quantity()
        return tick, self.levels[tick]


def generate(venue: str, n: int, seed: int = 1, *, changes: int = CHANGES, start_ms: int = START_MS) -> Frames:
    """`n` frames of each kind for `venue` (a key of SHAPES); the same for the same seed. `changes`: levels of a depth frame, on average."""
    shape = SHAPES[venue]
    rng = random.Random(f"{seed}/{venue}")
    bids, asks = _Side(rng, shape.mid - 1, -1), _Side(rng, shape.mid + 1, 1)
    ms, last_id, cross_id, trade_id = start_ms, 48_000_000_000, 7_961_638_724, 3_600_000_000

    def level(tick: int, quantity: int) -> str:
        price, amount = _decimal(tick, shape.px), _decimal(quantity * 10 ** max(shape.qty - 5, 0), shape.qty) if quantity else "0"
        if venue == "okx":
            return f'["{price.rstrip("0").rstrip(".")}","{amount.rstrip("0").rstrip(".") or "0"}","0","{int(quantity > 0)}"]'
        if venue == "binance":  # spot writes eight decimals, whatever tick and step are
            price, amount = price + "0" * (8 - shape.px), (amount if quantity else "0.00000") + "0" * (8 - shape.qty)
        return f'["{price}","{amount}"]'

    def levels(side: dict[int, int], sign: int) -> str:
        return "[" + ",".join(level(tick, side[tick]) for tick in sorted(side, reverse=sign < 0)) + "]"

    snapshot = _snapshot(shape, ms, last_id, cross_id, levels(bids.levels, -1), levels(asks.levels, 1))
    frames = Frames(shape, snapshot.encode())
    for _ in range(n):
        ms += rng.choice((1, 2, 3, 7))
        bid_changes: dict[int, int] = {}
        ask_changes: dict[int, int] = {}
        wanted = min(1 + int(rng.expovariate(1 / (changes - 1))), 500)
        if rng.random() < 0.25:
            up = rng.random() < (0.5 if abs(bids.best + asks.best - 2 * shape.mid) < 400 else float(bids.best + asks.best < 2 * shape.mid))
            retreating, advancing = (asks, bids) if up else (bids, asks)
            changed_of = {id(bids): bid_changes, id(asks): ask_changes}
            tick, quantity = retreating.step_back()
            changed_of[id(retreating)][tick] = quantity
            forward = retreating.best + (-1 if up else 1)
            if (forward > bids.best) if up else (forward < asks.best):
                tick, quantity = advancing.step_forward(forward)
                changed_of[id(advancing)][tick] = quantity
        while len(bid_changes) + len(ask_changes) < wanted:
            side, changed = (bids, bid_changes) if rng.random() < 0.5 else (asks, ask_changes)
            tick, quantity = side.change()
            if tick in changed:
                wanted -= 1
            changed[tick] = quantity
        first_id, prev_id = last_id + 1, last_id
        last_id += 1 if venue == "bybit" else len(bid_changes) + len(ask_changes) + rng.randint(0, 20)
        cross_id += rng.randint(1, 40)
        frames.depth.append(
            _depth(shape, ms, first_id, last_id, prev_id, cross_id, levels(bid_changes, -1), levels(ask_changes, 1)).encode()
        )
        trade_id += 1
        buy = rng.random() < 0.5
        hit = level(asks.best if buy else bids.best, asks.quantity())
        frames.trade.append(_trade(shape, ms, trade_id, buy, *hit.strip("[]").replace('"', "").split(",")[:2]).encode())
        best_bid, best_ask = level(bids.best, bids.levels[bids.best]), level(asks.best, asks.levels[asks.best])
        frames.ticker.append(_ticker(shape, ms, last_id, cross_id, best_bid, best_ask).encode())
    frames.span_ms = ms - start_ms
    return frames


def _snapshot(shape: Shape, ms: int, last_id: int, cross_id: int, bids: str, asks: str) -> str:
    if shape.venue == "binance":
        return f'{{"lastUpdateId":{last_id},"bids":{bids},"asks":{asks}}}'
    if shape.venue == "binance_futures":
        return f'{{"lastUpdateId":{last_id},"E":{ms},"T":{ms - 7},"bids":{bids},"asks":{asks}}}'
    if shape.venue == "bybit":
        return (
            f'{{"topic":"orderbook.1000.{shape.symbol}","type":"snapshot","ts":{ms},"data":{{"s":"{shape.symbol}","b":{bids},"a":{asks},'
            f'"u":{last_id},"seq":{cross_id}}},"cts":{ms - 3}}}'
        )
    return (
        f'{{"arg":{{"channel":"books","instId":"{shape.symbol}"}},"action":"snapshot","data":[{{"asks":{asks},"bids":{bids},"ts":"{ms}",'
        f'"checksum":0,"seqId":{last_id},"prevSeqId":-1}}]}}'
    )


def _depth(shape: Shape, ms: int, first_id: int, last_id: int, prev_id: int, cross_id: int, bids: str, asks: str) -> str:
    if shape.venue == "binance":
        return (
            f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{ms},"s":"{shape.symbol}","U":{first_id},"u":{last_id},'
            f'"b":{bids},"a":{asks}}}}}'
        )
    if shape.venue == "binance_futures":
        return (
            f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{ms},"T":{ms - 8},"s":"{shape.symbol}","ps":"{shape.symbol}",'
            f'"U":{first_id},"u":{last_id},"pu":{prev_id},"b":{bids},"a":{asks},"st":1}}}}'
        )
    if shape.venue == "bybit":
        return (
            f'{{"topic":"orderbook.1000.{shape.symbol}","type":"delta","ts":{ms},"data":{{"s":"{shape.symbol}","b":{bids},"a":{asks},'
            f'"u":{last_id},"seq":{cross_id}}},"cts":{ms - 3}}}'
        )
    return (
        f'{{"arg":{{"channel":"books","instId":"{shape.symbol}"}},"action":"update","data":[{{"asks":{asks},"bids":{bids},"ts":"{ms}",'
        f'"checksum":0,"seqId":{last_id},"prevSeqId":{prev_id}}}]}}'
    )


def _trade(shape: Shape, ms: int, trade_id: int, buy: bool, price: str, quantity: str) -> str:
    maker = "false" if buy else "true"
    if shape.venue == "binance":
        return (
            f'{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{ms},"s":"{shape.symbol}","a":{trade_id},"p":"{price}",'
            f'"q":"{quantity}","f":{trade_id},"l":{trade_id},"T":{ms - 1},"m":{maker},"M":true}}}}'
        )
    if shape.venue == "binance_futures":
        return (
            f'{{"stream":"btcusdt@aggTrade","data":{{"e":"aggTrade","E":{ms},"a":{trade_id},"s":"{shape.symbol}","p":"{price}",'
            f'"q":"{quantity}","nq":"{quantity}","f":{trade_id},"l":{trade_id},"T":{ms - 150},"m":{maker},"st":1}}}}'
        )
    if shape.venue == "bybit":
        unique = f"{zlib.crc32(str(trade_id).encode()):08x}-d8dd-5b31-9112-{trade_id:012x}"
        return (
            f'{{"topic":"publicTrade.{shape.symbol}","type":"snapshot","ts":{ms},"data":[{{"T":{ms - 2},"s":"{shape.symbol}",'
            f'"S":"{"Buy" if buy else "Sell"}","v":"{quantity}","p":"{price}","L":"PlusTick","i":"{unique}","BT":false,"RPI":false,'
            f'"seq":{trade_id}}}]}}'
        )
    return (
        f'{{"arg":{{"channel":"trades","instId":"{shape.symbol}"}},"data":[{{"instId":"{shape.symbol}","tradeId":"{trade_id}","px":"{price}",'
        f'"sz":"{quantity}","side":"{"buy" if buy else "sell"}","ts":"{ms - 2}","count":"1","source":"0","seqId":{trade_id}}}]}}'
    )


def _ticker(shape: Shape, ms: int, last_id: int, cross_id: int, bid: str, ask: str) -> str:
    bid_px, bid_qty = bid.strip("[]").replace('"', "").split(",")[:2]
    ask_px, ask_qty = ask.strip("[]").replace('"', "").split(",")[:2]
    if shape.venue == "binance":
        return (
            f'{{"stream":"btcusdt@bookTicker","data":{{"u":{last_id},"s":"{shape.symbol}","b":"{bid_px}","B":"{bid_qty}","a":"{ask_px}",'
            f'"A":"{ask_qty}"}}}}'
        )
    if shape.venue == "binance_futures":
        return (
            f'{{"stream":"btcusdt@bookTicker","data":{{"e":"bookTicker","u":{last_id},"s":"{shape.symbol}","ps":"{shape.symbol}","b":"{bid_px}",'
            f'"B":"{bid_qty}","a":"{ask_px}","A":"{ask_qty}","T":{ms - 5},"E":{ms},"st":1}}}}'
        )
    if shape.venue == "bybit":
        return (
            f'{{"topic":"orderbook.1.{shape.symbol}","ts":{ms},"type":"snapshot","data":{{"s":"{shape.symbol}","b":[{bid}],"a":[{ask}],'
            f'"u":{last_id},"seq":{cross_id}}},"cts":{ms - 2}}}'
        )
    return f'{{"arg":{{"channel":"bbo-tbt","instId":"{shape.symbol}"}},"data":[{{"asks":[{ask}],"bids":[{bid}],"ts":"{ms}","seqId":{last_id}}}]}}'
