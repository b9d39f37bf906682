"""The venues' markets on virtual time, and a log of each true book at each of its update ids.

Order flow, instruments and wire formats are those of p9.simulate, which share no code with the decoders; only the driver is another: it
does not look every 10 ms, it jumps from one order to the next, so that a quiet market costs nothing.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

from p9.simulate import (
    binance,
    binance_history,
    binance_reference,
    binance_rest,
    binance_weights,
    bybit,
    bybit_history,
    bybit_rest,
    market,
    okx,
    okx_history,
    okx_rest,
)
from p9.simulate import connection as simulated_connection
from p9.simulate.binance import BinanceMarket
from p9.simulate.binance_rest import BinanceRest
from p9.simulate.binance_weights import Weights
from p9.simulate.bybit import Bybit
from p9.simulate.bybit_rest import BybitRest
from p9.simulate.bybit_streams import Orderbook, Touch, trade_id
from p9.simulate.catalogue import COINS, listings
from p9.simulate.faults import Faults
from p9.simulate.index import Index
from p9.simulate.instrument import Instrument
from p9.simulate.market import Turn
from p9.simulate.okx import Okx
from p9.simulate.okx_rest import OkxRest
from p9.simulate.scale import Scale
from p9.simulate.server import FIRST_IDS, ID_STEPS
from tests.sim.loop import VirtualLoop, VirtualTime

MARKETS = ("binance_spot", "binance_usdm", "bybit_linear", "okx_swap")
INSTRUMENTS = 2
FEWEST_LEVELS, MOST_LEVELS = 70, 95  # a side: more than the smallest image, fewer than the largest, so that windows matter on some markets
KEPT = 700  # true books an instrument
PHOTO_S, IDLE_S = 4.0, 1.0
FINER = "0037"  # behind each price after a tick size change: finer than the appliance's slack


def own_time(time: VirtualTime) -> None:
    """The venues' code reads `time` where it needs it; here it is the world's."""
    histories = (binance_history, bybit_history, okx_history)
    for module in (binance, binance_reference, binance_rest, binance_weights, bybit, bybit_rest, okx, okx_rest, *histories, simulated_connection):
        module.time = time
    market.FEWEST_LEVELS, market.MOST_LEVELS = FEWEST_LEVELS, MOST_LEVELS


class FinerScale(Scale):
    """As if the tick became finer: every price is a fraction higher than it was."""

    __slots__ = ()

    def _write(self, units: int) -> str:
        text, decimals = super()._write(units), len(f"{self.step.normalize():f}".partition(".")[2])
        whole, _, fraction = text.partition(".")
        return f"{whole}.{fraction[:decimals]}{FINER}".ljust(len(text), "0")

    def trim(self, count: int) -> str:
        return self.pad(count).rstrip("0")

    def value(self, count: int) -> Decimal:
        return Decimal(self.pad(count))


class Texts(dict[int, str]):
    """{count of a scale's steps: how it is written}: of the few thousand that a market ever has."""

    def __init__(self, scale: Scale):
        super().__init__()
        self._trim = scale.trim

    def __missing__(self, count: int) -> str:
        text = self[count] = self._trim(count)
        return text

    def of(self, counts: Iterable[int]) -> Iterator[str]:
        return map(self.__getitem__, counts)


class Truth:
    """One instrument as it was: books by update id, as {price text: quantity text} a side, and best prices. Newest first where an id came twice."""

    def __init__(self, one: Instrument):
        self.one = one
        self.by_u = one.market.startswith("bybit")  # ids are those of its topic, and so is the book: a window of the whole
        self.books: dict[int, list[tuple[dict[str, str], dict[str, str]]]] = {}
        self.touches: dict[int, list[tuple[str, str, str, str]]] = {}
        self.last_id = -1
        self.trades: dict[str, int] = {}  # id, as the venue's streams or its REST tell it: when it was, ns
        self.order: dict[str, int] = {}  # and which it was
        self._order: deque[int] = deque()
        self._touch_order: deque[int] = deque()
        self._sides: list[dict[str, str]] = [{}, {}]
        self.relay()

    def relay(self) -> None:
        """Take the whole book anew."""
        self._px, self._qty = Texts(self.one.px), Texts(self.one.qty)
        self._sides = [self._side(side.lots) for side in self.one.model.sides]
        self._images = [side.copy() for side in self._sides]
        if not self.by_u:
            self._log(self.one.model.last_id, *self._images)
            self._log_touch(self.one.model.last_id, self.one.model.best)

    def _side(self, lots: dict[int, int]) -> dict[str, str]:
        return dict(zip(self._px.of(lots), self._qty.of(lots.values()), strict=True))

    def on_turns(self, turns: list[Turn]) -> None:
        model, px, qty = self.one.model, self._px, self._qty
        for turn in turns:
            for fill in turn.fills:
                id = trade_id(self.one, fill) if self.by_u else str(fill.id)
                self.trades[id] = fill.at_ns
                self.order[id] = len(self.order)
            for number, tick in turn.touched:
                lots = model.sides[number].lots.get(tick)
                if lots:
                    self._sides[number][px[tick]] = qty[lots]
                else:
                    self._sides[number].pop(px[tick], None)
        if not self.by_u:
            for number in {number for turn in turns for number, _ in turn.touched}:
                self._images[number] = self._sides[number].copy()
            self._log(turns[-1].id, *self._images)
            self._log_touch(turns[-1].id, model.best)

    def note_topic(self, stream: Orderbook | Touch) -> None:
        """What a topic with its own numbering has just said."""
        if isinstance(stream, Touch):
            self._log_touch(stream.u, stream._sent)
            return
        self._log(stream.u, *map(self._side, stream.window.sent))
        bids, asks = stream.window.sent
        if bids and asks:
            bid, ask = max(bids), min(asks)
            self._log_touch(stream.u, (bid, bids[bid], ask, asks[ask]))

    def _log(self, id: int, bids: dict[str, str], asks: dict[str, str]) -> None:
        self.last_id = id
        self.books.setdefault(id, []).insert(0, (bids, asks))
        self._order.append(id)
        if len(self._order) > KEPT:
            _forget(self.books, self._order.popleft())

    def _log_touch(self, id: int, best: tuple[int, int, int, int]) -> None:
        px, qty = self._px, self._qty
        self.touches.setdefault(id, []).insert(0, (px[best[0]], qty[best[1]], px[best[2]], qty[best[3]]))
        self._touch_order.append(id)
        if len(self._touch_order) > 2 * KEPT:
            _forget(self.touches, self._touch_order.popleft())


def _forget(log: dict[int, list[Any]], id: int) -> None:
    kept = log[id]
    kept.pop()
    if not kept:
        del log[id]


class Schedule:
    """Streams that are flushed on a period: at their next boundary after something changed, and now and then without a change."""

    def __init__(self, loop: VirtualLoop, time: VirtualTime, exchange: "Exchange"):
        self._loop, self._time, self._exchange = loop, time, exchange
        self._periods: defaultdict[Instrument, dict[Any, int]] = defaultdict(dict)  # of the streams of each
        self._due: set[Any] = set()
        self._at: dict[float, list[Any]] = {}  # boundary in ms: those that are due then

    def add(self, stream: Any, period_ms: int) -> None:
        self._periods[stream.instrument][stream] = period_ms

    def remove(self, stream: Any) -> None:
        self._periods[stream.instrument].pop(stream, None)

    def touched(self, one: Instrument) -> None:
        now_ms = self._loop.now_s * 1000
        for stream, period_ms in self._periods[one].items():
            if stream not in self._due:
                self._due.add(stream)
                boundary_ms = (now_ms // period_ms + 1) * period_ms
                if boundary_ms not in self._at:
                    self._at[boundary_ms] = []
                    self._loop.call_at(boundary_ms / 1000, self._flush_due, boundary_ms)
                self._at[boundary_ms].append(stream)

    def idle(self) -> None:
        for streams in self._periods.values():
            for stream in tuple(streams):
                if stream not in self._due:
                    self._flush(stream)

    def _flush_due(self, boundary_ms: float) -> None:
        for stream in self._at.pop(boundary_ms):
            self._flush(stream)

    def _flush(self, stream: Any) -> None:
        self._due.discard(stream)
        if stream in self._periods[stream.instrument] and not self._exchange.is_delisted(stream.instrument):
            stream.flush(self._time.time_ns() // 1_000_000)
            self._exchange.note(stream)


class Exchange:
    """`rate`: orders a second and instrument."""

    def __init__(self, seed: int, loop: VirtualLoop, time: VirtualTime, random: Random, rate: float):
        self._loop, self._time, self._random = loop, time, random
        self.schedule = Schedule(loop, time, self)
        self.faults = Faults("", seed)
        self.delisted: set[tuple[str, str]] = set()  # (market, symbol)
        self.frozen = False
        self.restarts = 0
        self.instruments: dict[tuple[str, str], Instrument] = {}
        self.truths: dict[tuple[str, str], Truth] = {}
        self._noted: dict[Any, int] = {}
        self._start_ns = time.time_ns() - int(loop.now_s * 1e9)
        markets = self._list(seed, time.time_ns(), rate)
        self.binance = {name: BinanceMarket(name, markets[name], self.schedule, self.faults) for name in MARKETS if name.startswith("binance")}
        self.bybit = Bybit({name.removeprefix("bybit_"): markets[name] for name in MARKETS if name.startswith("bybit")}, self.schedule, self.faults)
        self.okx = Okx({name: markets[name] for name in MARKETS if name.startswith("okx")}, self.schedule, self.faults)
        self.weights = {"spot": Weights(6000), "futures": Weights(2400)}
        self.rests: dict[str, Any] = {
            name: BinanceRest(row, self.weights["futures" if row.futures else "spot"]) for name, row in self.binance.items()
        }
        self.rests |= {name: BybitRest(self.bybit) for name in MARKETS if name.startswith("bybit")}
        self.rests |= {name: OkxRest(self.okx) for name in MARKETS if name.startswith("okx")}

    def _list(self, seed: int, start_ns: int, rate: float) -> dict[str, list[Instrument]]:
        indices: dict[str, Index] = {}
        markets: dict[str, list[Instrument]] = {}
        for name in MARKETS:
            venue = name.split("_")[0]
            for place, listing in enumerate(listings(name, INSTRUMENTS, start_ns // 1_000_000)):
                if listing.base not in indices:
                    indices[listing.base] = Index(f"{seed} index {listing.base}", start_ns, float(COINS[listing.base][0]))
                one = Instrument(
                    listing, indices[listing.base], f"{seed} {name} {listing.symbol}", start_ns, rate,
                    ID_STEPS.get(name) or ID_STEPS[venue], FIRST_IDS[venue] + place * 1_000_000_007,
                )  # fmt: skip
                markets.setdefault(name, []).append(one)
                truth = self.truths[name, listing.symbol] = Truth(one)
                one.streams.append(truth)
                self.instruments[name, listing.symbol] = one
        return markets

    def is_delisted(self, one: Instrument) -> bool:
        return (one.market, one.symbol) in self.delisted

    def start(self) -> None:
        for one in self.instruments.values():
            self._await_turn(one)
        self._idle()
        self._photograph()

    def _await_turn(self, one: Instrument) -> None:
        self._loop.call_at(max(self._loop.now_s, (one.model.next_ns - self._start_ns) / 1e9), self._turn, one)

    def _turn(self, one: Instrument) -> None:
        if self.frozen:
            return
        if self.is_delisted(one):
            one.model.skip(self._time.time_ns() + 1_000_000_000)
        else:
            if one.model.next_ns <= self._time.time_ns() + 2_000:  # a burst may have moved it on
                one.step(one.model.next_ns)
                self.schedule.touched(one)
        self._await_turn(one)

    def resume(self) -> None:
        """The markets go on after a rest."""
        self.frozen = False
        for one in self.instruments.values():
            one.model.skip(self._time.time_ns())
            self._await_turn(one)

    def burst(self, one: Instrument, orders: int) -> None:
        """Orders that follow each other at once."""
        now_ns = self._time.time_ns()
        for _ in range(orders):
            if not self.is_delisted(one) and not self.frozen:
                one.model.hurry(now_ns)
                one.step(now_ns)
        self.schedule.touched(one)

    def _idle(self) -> None:
        self.schedule.idle()
        self._loop.call_later(IDLE_S, self._idle)

    def _photograph(self) -> None:
        for one in self.instruments.values():
            one.photograph()
        self._loop.call_later(PHOTO_S, self._photograph)

    def is_trade(self, market: str, symbol: str, id: str) -> bool:
        """The venue has told this trade, on a stream or by REST. One market tells aggregates, which have numbers of their own."""
        if market == "binance_usdm":
            return any(str(row.id) == id for row in reversed(self.binance[market].aggregates[symbol].tape))
        return id in self.truths[market, symbol].trades

    def order_of(self, market: str, symbol: str, id: str) -> int:
        """Which trade of the instrument it was; -1 for one that is not from the book."""
        return self.truths[market, symbol].order.get(id, -1)

    def note(self, stream: Any) -> None:
        """Log what a topic that numbers for itself says under its newest number."""
        if isinstance(stream, Orderbook | Touch) and self._noted.get(stream) != stream.u:
            self._noted[stream] = stream.u
            self.truths[stream.instrument.market, stream.instrument.symbol].note_topic(stream)

    def note_all(self) -> None:
        for category in self.bybit.categories.values():
            for topic in category.topics.values():
                self.note(topic)

    def restart(self, one: Instrument) -> None:
        """The venue's service began anew, and so did its numbers."""
        self.restarts += 1
        if one.market.startswith("bybit"):
            for topic in list(self.bybit.categories[one.market.removeprefix("bybit_")].topics.values()):
                if topic.instrument is one and isinstance(topic, Orderbook):
                    topic.restart(self._time.time_ns() // 1_000_000)
                    self.note(topic)
        elif one.market.startswith("okx"):
            one.model.last_id = 3 + 10_000_000 * self.restarts
            self.truths[one.market, one.symbol].relay()

    def change_tick(self, one: Instrument) -> None:
        """Quotes become finer; the caller ends every socket of the market, as the venue does for its maintenance."""
        if isinstance(one.px, FinerScale):
            return
        one.px = FinerScale(one.listing.tick)
        one.listing = replace(one.listing, tick=FinerScale(one.listing.tick).pad(0)[:-1] + "1")
        self.truths[one.market, one.symbol].relay()

