"""The first venue's streams: each turns an instrument's changes into that stream's payload text."""

from collections import deque
from typing import NamedTuple

from p9.simulate.bar import DAY_MS, Period
from p9.simulate.blocks import Block
from p9.simulate.candles import MINUTE_MS
from p9.simulate.connection import Connection
from p9.simulate.figures import funding
from p9.simulate.incidents import Link
from p9.simulate.instrument import Instrument
from p9.simulate.market import Fill, Turn
from p9.simulate.scale import plain
from p9.simulate.window import Changes

HOUR_MS = 60 * MINUTE_MS
PERIODS = {
    "1s": Period(1_000),
    **{f"{n}m": Period(n * MINUTE_MS) for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": Period(n * HOUR_MS) for n in (1, 2, 4, 6, 8, 12)},
    "1d": Period(DAY_MS),
    "3d": Period(3 * DAY_MS),
    "1w": Period(7 * DAY_MS, offset_ms=4 * DAY_MS),
    "1M": Period(30 * DAY_MS, months=1),
}


class Stream:
    """A named stream with its subscribers. Subclasses hear turns (`on_turns`) or are flushed on a period, or both."""

    period_ms = 0
    kind = "other"

    def __init__(self, name: str, instrument: Instrument | None):
        self.name, self.instrument = name, instrument
        self.subscribers: set[Connection] = set()

    def publish(self, payload: str, link: Link | None = None) -> None:
        raw = wrapped = None
        one = self.instrument
        symbol, market = (one.symbol, one.market) if one else ("*", "*")
        for connection in tuple(self.subscribers):
            if connection.combined:
                frame = wrapped = wrapped or f'{{"stream":"{self.name}","data":{payload}}}'.encode()
            else:
                frame = raw = raw or payload.encode()
            connection.deliver(frame, self.name, market if one else connection.market, symbol, self.kind, link, len(self.subscribers))

    def on_turns(self, turns: list[Turn]) -> None:
        pass

    def flush(self, now_ms: int) -> None:
        pass


def suffix(instrument: Instrument) -> str:
    """What the futures engine adds behind its payloads."""
    return f',"st":{2 if instrument.is_inverse else 1}}}'


def pair(instrument: Instrument) -> str:
    return instrument.listing.pair


def rows(instrument: Instrument, levels: list[tuple[int, int]]) -> str:
    px, qty = instrument.px.pad, instrument.qty.pad
    return "[" + ",".join([f'["{px(tick)}","{qty(lots)}"]' for tick, lots in levels]) + "]"


class DiffDepth(Stream):
    """`<s>@depth[@speed]`: all levels that changed. Futures chain by `pu`; spot ids have no holes."""

    kind = "book"

    def __init__(self, name: str, instrument: Instrument, period_ms: int):
        super().__init__(name, instrument)
        self.period_ms = period_ms
        self._changes = Changes(instrument.model)
        self.told = instrument.model.last_id

    def on_turns(self, turns: list[Turn]) -> None:
        self._changes.note(turns)
        if not self.period_ms:
            self.flush(turns[-1].at_ns // 1_000_000)

    def flush(self, now_ms: int) -> None:
        one, changes = self.instrument, self._changes
        first, last, at_ms = changes.first_id, changes.last_id, changes.at_ns // 1_000_000
        levels = changes.take()
        if levels is None:
            return
        one.note_top(self.name, last)
        bids, asks = levels
        if one.is_spot:
            # A venue numbers single level changes; a turn of ours is one id, so the ids stay without holes.
            head = f'{{"e":"depthUpdate","E":{now_ms},"s":"{one.symbol}","U":{self.told + 1},"u":{last}'
            self.publish(f'{head},"b":{rows(one, bids[::-1])},"a":{rows(one, asks)}}}', Link(self.told, self.told + 1, last + 1))
        else:
            head = f'{{"e":"depthUpdate","E":{now_ms},"T":{at_ms},"s":"{one.symbol}","ps":"{pair(one)}"'
            ids = f'"U":{first},"u":{last},"pu":{self.told}'
            self.publish(f'{head},{ids},"b":{rows(one, bids)},"a":{rows(one, asks)}{suffix(one)}', Link(self.told, self.told, last))
        self.told = last


class PartialDepth(Stream):
    """`<s>@depth<5|10|20>`: a full image of the top."""

    kind = "book"

    def __init__(self, name: str, instrument: Instrument, depth: int, period_ms: int):
        super().__init__(name, instrument)
        self.period_ms, self._depth, self._previous = period_ms, depth, instrument.model.last_id

    def flush(self, now_ms: int) -> None:
        one, model = self.instrument, self.instrument.model
        if model.last_id == self._previous:
            return
        bids, asks = (rows(one, side.top(self._depth)) for side in model.sides)
        if one.is_spot:
            self.publish(f'{{"lastUpdateId":{model.last_id},"bids":{bids},"asks":{asks}}}')
        else:
            at_ms = model.last_ns // 1_000_000
            head = f'{{"e":"depthUpdate","E":{now_ms},"T":{at_ms},"s":"{one.symbol}","ps":"{pair(one)}"'
            ids = f'"U":{self._previous + 1},"u":{model.last_id},"pu":{self._previous}'
            self.publish(f'{head},{ids},"b":{bids},"a":{asks}{suffix(one)}')
        self._previous = model.last_id


class BookTicker(Stream):
    """`<s>@bookTicker`: each change of the touch, with the id of the change."""

    kind = "touch"

    def on_turns(self, turns: list[Turn]) -> None:
        one = self.instrument
        px, qty = one.px.pad, one.qty.pad
        for turn in turns:
            if turn.best is None:
                continue
            bid, bid_lots, ask, ask_lots = turn.best
            touch = f'"b":"{px(bid)}","B":"{qty(bid_lots)}","a":"{px(ask)}","A":"{qty(ask_lots)}"'
            if one.is_spot:
                self.publish(f'{{"u":{turn.id},"s":"{one.symbol}",{touch}}}')
                continue
            at_ms = turn.at_ns // 1_000_000
            head = f'{{"e":"bookTicker","u":{turn.id},"s":"{one.symbol}","ps":"{pair(one)}"'
            self.publish(f'{head},{touch},"T":{at_ms},"E":{at_ms}{suffix(one)}')


class Trade(Stream):
    """`<s>@trade`: one frame per fill."""

    kind = "trade"

    def on_turns(self, turns: list[Turn]) -> None:
        one = self.instrument
        for turn in turns:
            for fill in turn.fills:
                at_ms, maker = fill.at_ns // 1_000_000, "true" if fill.buyer_is_maker else "false"
                price = f'"t":{fill.id},"p":"{one.px.pad(fill.tick)}","q":"{one.qty.pad(fill.lots)}"'
                if one.is_spot:
                    self.publish(
                        f'{{"e":"trade","E":{at_ms + 1},"s":"{one.symbol}",{price},"T":{at_ms},"m":{maker},"M":true}}'
                    )
                else:
                    head = f'{{"e":"trade","E":{at_ms + 1},"T":{at_ms},"s":"{one.symbol}",{price}'
                    self.publish(f'{head},"X":"MARKET","m":{maker}{suffix(one)}')


class BlockTrade(Stream):
    """`<s>@blockTrade`, spot: what was negotiated apart from the book, with ids of its own."""

    kind = "trade"

    def on_block(self, block: Block) -> None:
        one, at_ms = block.one, block.at_ns // 1_000_000
        self.publish(
            f'{{"e":"blockTrade","E":{at_ms + 1},"s":"{one.symbol}","t":{block.id},"p":"{one.px.pad(block.tick)}","q":"{one.qty.pad(block.lots)}",'
            f'"T":{at_ms},"m":{"false" if block.is_buy else "true"}}}'
        )


class Aggregate(NamedTuple):
    id: int
    tick: int
    lots: int
    first_id: int
    last_id: int
    at_ns: int
    buyer_is_maker: bool


def aggregate_id(one: Instrument, order: int) -> int:
    """Of an order before the start: each is one aggregate."""
    return order + one.past.id_offset // 2


class Aggregates:
    """The aggregate tape of one instrument: runs of fills of one price and taker side; on spot of one taker order,
    on futures of one 100 ms window. It runs always, so that ids do not depend on who listens."""

    period_ms = 100

    def __init__(self, instrument: Instrument):
        self.instrument = instrument
        self.tape: deque[Aggregate] = deque(maxlen=20_000)
        self.streams: list[AggTrade] = []
        self._next_id = aggregate_id(instrument, instrument.past.end)
        self._open: list[Fill] = []

    def on_turns(self, turns: list[Turn]) -> None:
        for turn in turns:
            for fill in turn.fills:
                last = self._open[-1] if self._open else None
                if last and (last.tick != fill.tick or last.buyer_is_maker != fill.buyer_is_maker):
                    self._close(fill.at_ns // 1_000_000)
                self._open.append(fill)
            if self.instrument.is_spot and self._open:
                self._close(turn.at_ns // 1_000_000)

    def flush(self, now_ms: int) -> None:
        if self._open:
            self._close(now_ms)

    def _close(self, now_ms: int) -> None:
        first, last = self._open[0], self._open[-1]
        lots = sum(fill.lots for fill in self._open)
        made = Aggregate(self._next_id, last.tick, lots, first.id, last.id, last.at_ns, last.buyer_is_maker)
        self._next_id += 1
        self._open.clear()
        self.tape.append(made)
        for stream in self.streams:
            stream.send(made, now_ms)


def aggregate_text(one: Instrument, made: Aggregate, is_stream_of: int | None = None) -> str:
    """The body that the stream and REST share; with a time, the stream's head goes before it."""
    maker = "true" if made.buyer_is_maker else "false"
    price, size = one.px.pad(made.tick), one.qty.pad(made.lots)
    ids, at_ms = f'"f":{made.first_id},"l":{made.last_id}', made.at_ns // 1_000_000
    if one.is_spot:
        head = f'"e":"aggTrade","E":{is_stream_of},"s":"{one.symbol}",' if is_stream_of else ""
        return f'{{{head}"a":{made.id},"p":"{price}","q":"{size}",{ids},"T":{at_ms},"m":{maker},"M":true}}'
    if is_stream_of:
        head = f'"e":"aggTrade","E":{is_stream_of},"a":{made.id},"s":"{one.symbol}"'
        return f'{{{head},"p":"{price}","q":"{size}","nq":"{size}",{ids},"T":{at_ms},"m":{maker}{suffix(one)}'
    return f'{{"a":{made.id},"p":"{price}","q":"{size}","nq":"{size}",{ids},"T":{at_ms},"m":{maker}}}'


class AggTrade(Stream):
    kind = "trade"

    def send(self, made: Aggregate, now_ms: int) -> None:
        self.publish(aggregate_text(self.instrument, made, now_ms))


def kline_volumes(one: Instrument, bar) -> tuple[str, str, str, str]:
    """(volume, quote volume, taker-buy volume, taker-buy quote volume) as text; on inverse contracts coin amounts
    stand where the quote amounts are elsewhere."""
    places = 8 if one.is_spot or one.is_inverse else one.px.decimals + one.qty.decimals
    return (
        one.qty.pad(bar.lots),
        plain(bar.value, places),
        one.qty.pad(bar.buy_lots),
        plain(bar.buy_value, places),
    )


class Kline(Stream):
    """`<s>@kline_<i>`: the forming bar when it changed, and once more with `x` when it is over."""

    def __init__(self, name: str, instrument: Instrument, interval: str):
        super().__init__(name, instrument)
        self._interval, self._period = interval, PERIODS[interval]
        self.period_ms = 250 if not instrument.is_spot else 1000 if interval == "1s" else 2000
        self._open_ms: int | None = None
        self._count = -1

    def flush(self, now_ms: int) -> None:
        open_ms = self._period.opens(now_ms)
        candles = self.instrument.candles
        if self._open_ms is not None and open_ms != self._open_ms:
            for bar in candles.between(self._period, self._open_ms, open_ms - 1):
                self._send(bar, now_ms, True)
            self._count = -1
        self._open_ms = open_ms
        bar = candles.current(self._period, now_ms)
        if bar.count != self._count:
            self._count = bar.count
            self._send(bar, now_ms, False)

    def _send(self, bar, now_ms: int, final: bool) -> None:
        one, px = self.instrument, self.instrument.px.pad
        volume, quote, bought, spent = kline_volumes(one, bar)
        gap = "," if one.is_spot else ", "  # the futures host writes a space inside `k`
        body = [
            f'"t":{bar.open_ms}',
            f'"T":{self._period.closes(bar.open_ms) - 1}',
            f'"s":"{one.symbol}"',
            f'"i":"{self._interval}"',
            f'"f":{bar.first_id}',
            f'"L":{bar.last_id}',
            f'"o":"{px(bar.open)}"',
            f'"c":"{px(bar.close)}"',
            f'"h":"{px(bar.high)}"',
            f'"l":"{px(bar.low)}"',
            f'"v":"{volume}"',
            f'"n":{bar.count}',
            f'"x":{"true" if final else "false"}',
            f'"q":"{quote}"',
            f'"V":"{bought}"',
            f'"Q":"{spent}"',
            '"B":"0"',
        ]
        self.publish(f'{{"e":"kline","E":{now_ms},"s":"{one.symbol}","k":{{{gap.join(body)}}}}}')


def mark_text(one: Instrument, now_ms: int) -> str:
    mark, index = one.mark_price(now_ms * 1_000_000), one.index_price(now_ms * 1_000_000)
    dated = one.listing.expiry_ms is not None
    forecast = funding(one, now_ms)
    rate, next_ms = ("", 0) if dated else (plain(forecast.rate, 8), forecast.next_ms)
    prices = f'"p":"{mark:.8f}","ap":"{mark:.8f}","P":"{(mark + index) / 2:.8f}","i":"{index:.8f}"'
    head = f'{{"e":"markPriceUpdate","E":{now_ms},"s":"{one.symbol}"'
    return f'{head},{prices},"r":"{rate}","T":{next_ms}{suffix(one)}'


class MarkPrice(Stream):
    def __init__(self, name: str, instrument: Instrument, period_ms: int):
        super().__init__(name, instrument)
        self.period_ms = period_ms

    def flush(self, now_ms: int) -> None:
        self.publish(mark_text(self.instrument, now_ms))


class ManyMarkPrices(Stream):
    """`!markPrice@arr` and the pair streams of coin-margined markets: several arrays, none of them complete."""

    def __init__(self, name: str, instruments: list[Instrument], period_ms: int, shards: int):
        super().__init__(name, None)
        self.period_ms, self._instruments, self._shards = period_ms, instruments, shards

    def flush(self, now_ms: int) -> None:
        size = -(-len(self._instruments) // self._shards)
        for start in range(0, len(self._instruments), size):
            part = self._instruments[start : start + size]
            self.publish("[" + ",".join(mark_text(one, now_ms) for one in part) + "]")


class IndexPrice(Stream):
    def __init__(self, name: str, instrument: Instrument, period_ms: int):
        super().__init__(name, instrument)
        self.period_ms = period_ms

    def flush(self, now_ms: int) -> None:
        index = self.instrument.index_price(now_ms * 1_000_000)
        self.publish(f'{{"e":"indexPriceUpdate","E":{now_ms},"s":"{pair(self.instrument)}","p":"{index:.8f}"}}')


class ForceOrders(Stream):
    """`<s>@forceOrder` and `!forceOrder@arr`: of each symbol the largest liquidation of a second."""

    period_ms = 1000

    def __init__(self, name: str, instruments: list[Instrument]):
        super().__init__(name, instruments[0] if len(instruments) == 1 else None)
        self.instruments = instruments
        self._largest: dict[str, tuple] = {}
        self._of = {one.symbol: one for one in instruments}
        self.ears = [_Ear(self, one) for one in instruments]

    def hear(self, one: Instrument, turns: list[Turn]) -> None:
        for turn in turns:
            forced = turn.liquidation
            if forced and forced.lots > self._largest.get(one.symbol, (0,))[0]:
                self._largest[one.symbol] = (forced.lots, forced, turn.fills[-1].lots)

    def flush(self, now_ms: int) -> None:
        for symbol, (lots, forced, last) in self._largest.items():
            one = self._of[symbol]
            px, qty = one.px.pad, one.qty.pad
            body = (
                f'"s":"{symbol}","S":"{"SELL" if forced.is_sell else "BUY"}","o":"LIMIT","f":"IOC",'
                f'"q":"{qty(lots)}","p":"{px(forced.tick)}","ap":"{plain(one.average_price(forced))}","X":"FILLED",'
                f'"l":"{qty(last)}","z":"{qty(lots)}","T":{forced.at_ns // 1_000_000},"ps":"{pair(one)}"{suffix(one)}'
            )
            self.publish(f'{{"e":"forceOrder","E":{now_ms},"o":{{{body}}}')
        self._largest.clear()


class _Ear:
    """Tells a stream of many instruments which one is speaking."""

    def __init__(self, stream: ForceOrders, instrument: Instrument):
        self.instrument, self._stream = instrument, stream

    def on_turns(self, turns: list[Turn]) -> None:
        self._stream.hear(self.instrument, turns)


class DayTicker(Stream):
    """`<s>@ticker` and `<s>@miniTicker`."""

    def __init__(self, name: str, instrument: Instrument, mini: bool):
        super().__init__(name, instrument)
        self.period_ms, self._mini = (1000 if instrument.is_spot else 2000), mini

    def flush(self, now_ms: int) -> None:
        self.publish((mini_text if self._mini else day_text)(self.instrument, now_ms))


class ManyDayTickers(Stream):
    """`!ticker@arr`, `!miniTicker@arr`."""

    period_ms = 1000

    def __init__(self, name: str, instruments: list[Instrument], mini: bool):
        super().__init__(name, None)
        self._instruments, self._text = instruments, mini_text if mini else day_text

    def flush(self, now_ms: int) -> None:
        self.publish("[" + ",".join(self._text(one, now_ms) for one in self._instruments) + "]")


def mini_text(one: Instrument, now_ms: int) -> str:
    px, of = one.px.pad, one.day.at(now_ms)
    prices = f'"c":"{px(of.close)}","o":"{px(of.open)}","h":"{px(of.high)}","l":"{px(of.low)}"'
    volume = f'"v":"{one.qty.pad(of.lots)}","q":"{plain(of.value, 8 if one.is_spot else 2)}"'
    return f'{{"e":"24hrMiniTicker","E":{now_ms},"s":"{one.symbol}",{prices},{volume}}}'


def day_text(one: Instrument, now_ms: int) -> str:
    px, qty, of = one.px.pad, one.qty.pad, one.day.at(now_ms)
    change = 100 * (of.close - of.open) / of.open
    last = one.last_fill()
    mean = of.value / one.qty.value(of.lots) if of.lots and not one.is_inverse else one.px.value(of.close)
    bid, bid_lots, ask, ask_lots = one.model.best
    fields = [f'"e":"24hrTicker","E":{now_ms},"s":"{one.symbol}"']
    if not one.is_spot:
        fields.append(f'"ps":"{pair(one)}"')
    fields.append(f'"p":"{px(of.close - of.open)}","P":"{change:.3f}","w":"{mean:.{one.px.decimals}f}"')
    if one.is_spot:
        fields.append(f'"x":"{px(of.open)}"')
    fields.append(f'"c":"{px(of.close)}","Q":"{qty(last.lots if last else 0)}"')
    if one.is_spot:
        fields.append(f'"b":"{px(bid)}","B":"{qty(bid_lots)}","a":"{px(ask)}","A":"{qty(ask_lots)}"')
    fields.append(f'"o":"{px(of.open)}","h":"{px(of.high)}","l":"{px(of.low)}","v":"{qty(of.lots)}"')
    fields.append(f'"q":"{plain(of.value, 8 if one.is_spot else 2)}","O":{of.open_ms},"C":{now_ms}')
    fields.append(f'"F":{of.first_id},"L":{of.last_id},"n":{of.count}')
    return "{" + ",".join(fields) + ("}" if one.is_spot else suffix(one))


class Silent(Stream):
    """A stream that is accepted and never says anything: an unknown name, or one of another route."""
