"""The second venue's topics: each turns an instrument's changes into that topic's frames."""

import functools
import uuid
from decimal import Decimal

from p9.simulate.binance_streams import PERIODS as _NAMED
from p9.simulate.blocks import Block
from p9.simulate.connection import Connection
from p9.simulate.figures import funding
from p9.simulate.incidents import Link
from p9.simulate.instrument import Instrument
from p9.simulate.market import Fill, Turn
from p9.simulate.scale import plain
from p9.simulate.window import Window

PERIODS = {
    **{str(n): _NAMED[name] for n, name in ((1, "1m"), (3, "3m"), (5, "5m"), (15, "15m"), (30, "30m"))},
    **{str(n): _NAMED[name] for n, name in ((60, "1h"), (120, "2h"), (240, "4h"), (360, "6h"), (720, "12h"))},
    **{letter: _NAMED[name] for letter, name in (("D", "1d"), ("W", "1w"), ("M", "1M"))},
}
DEPTH_MS = {1: 10, 50: 20, 200: 100, 1000: 200}
MOST_TRADES = 1024
IDLE_RESEND_MS = 3_000


class Topic:
    """`first_frame` is what a new subscriber gets at once, if anything."""

    period_ms = 0
    kind = "other"

    def __init__(self, name: str, instrument: Instrument):
        self.name, self.instrument = name, instrument
        self.subscribers: set[Connection] = set()

    def publish(self, text: str, link: Link | None = None) -> None:
        frame, one = text.encode(), self.instrument
        for connection in tuple(self.subscribers):
            connection.deliver(frame, self.name, one.market, one.symbol, self.kind, link, len(self.subscribers))

    def first_frame(self, now_ms: int) -> str | None:
        return None

    def on_turns(self, turns: list[Turn]) -> None:
        pass

    def flush(self, now_ms: int) -> None:
        pass


def rows(one: Instrument, levels: list[tuple[int, int]], trimmed: bool = False) -> str:
    """Prices padded to the tick, or trimmed as on level 1 and in REST; a deleted level's size is "0"."""
    px, qty = (one.px.trim, one.qty.trim) if trimmed else (one.px.pad, one.qty.pad)
    return "[" + ",".join([f'["{px(tick)}","{qty(lots) if lots else "0"}"]' for tick, lots in levels]) + "]"


class Orderbook(Topic):
    """orderbook.50/200/1000: a snapshot, then differences; `u` counts this topic's messages."""

    kind = "book"

    def __init__(self, name: str, instrument: Instrument, depth: int, first_u: int):
        super().__init__(name, instrument)
        self.period_ms, self.depth, self.u = DEPTH_MS[depth], depth, first_u
        self.window = Window(instrument.model, depth)
        instrument.note_top(name, first_u)

    @property
    def told(self) -> int:
        return self.u

    def on_turns(self, turns: list[Turn]) -> None:
        self.window.note(turns)

    def flush(self, now_ms: int) -> None:
        levels = self.window.take()
        if levels is not None:
            self.u += 1
            self.instrument.note_top(self.name, self.u)
            self.publish(self._text("delta", levels, now_ms), Link(self.u - 1, self.u, self.u + 1))

    def first_frame(self, now_ms: int) -> str:
        return self._text("snapshot", self.window.levels(), now_ms)

    def restart(self, now_ms: int) -> None:
        """The service restarts: a fresh book with u = 1."""
        self.window.refill()
        self.u = 1
        self.instrument.note_top(self.name, self.u)
        self.publish(self.first_frame(now_ms))

    def _text(self, form: str, levels, now_ms: int) -> str:
        one, window = self.instrument, self.window
        order = f'"ts":{now_ms},"type":"{form}"' if one.is_spot else f'"type":"{form}","ts":{now_ms}'
        book = f'"s":"{one.symbol}","b":{rows(one, levels[0])},"a":{rows(one, levels[1])}'
        data = f'{{{book},"u":{self.u},"seq":{window.last_id}}}'
        return f'{{"topic":"{self.name}",{order},"data":{data},"cts":{window.at_ns // 1_000_000}}}'


class Touch(Topic):
    """orderbook.1: always the whole touch, and again after three quiet seconds with the same `u`."""

    kind = "touch"
    period_ms = DEPTH_MS[1]

    def __init__(self, name: str, instrument: Instrument, first_u: int):
        super().__init__(name, instrument)
        self.u, self._sent = first_u, instrument.model.best
        self._id, self._at_ns, self._sent_ms = instrument.model.last_id, instrument.model.last_ns, 0

    def flush(self, now_ms: int) -> None:
        model = self.instrument.model
        if model.best != self._sent:
            self._sent, self._id, self._at_ns = model.best, model.last_id, model.last_ns
            self.u += 1
        elif now_ms - self._sent_ms < IDLE_RESEND_MS:
            return
        self._sent_ms = now_ms
        self.publish(self.first_frame(now_ms))

    def first_frame(self, now_ms: int) -> str:
        one = self.instrument
        bid, bid_lots, ask, ask_lots = self._sent
        book = f'"b":{rows(one, [(bid, bid_lots)], True)},"a":{rows(one, [(ask, ask_lots)], True)}'
        data = f'{{"s":"{one.symbol}",{book},"u":{self.u},"seq":{self._id}}}'
        return (
            f'{{"topic":"{self.name}","ts":{now_ms},"type":"snapshot","data":{data},"cts":{self._at_ns // 1_000_000}}}'
        )


def trade_id(one: Instrument, fill: Fill) -> str:
    """Numbers on spot, UUIDs without order on derivatives."""
    if one.is_spot:
        return str(2_290_000_000_000_000_000 + fill.id)
    return _uuid(one.symbol, fill.id)


@functools.lru_cache(8192)  # the newest thousand are told again with every answer of the tape
def _uuid(symbol: str, number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{symbol} {number}"))


class PublicTrade(Topic):
    """All fills of one taker order share `seq` and `T`."""

    kind = "trade"

    def __init__(self, name: str, instrument: Instrument):
        super().__init__(name, instrument)
        self._last_tick, self._last_move = 0, "PlusTick"

    def on_turns(self, turns: list[Turn]) -> None:
        for turn in turns:
            for start in range(0, len(turn.fills), MOST_TRADES):
                rows_of = ",".join([self._row(fill, turn.id) for fill in turn.fills[start : start + MOST_TRADES]])
                at_ms = turn.at_ns // 1_000_000 + 1
                order = (
                    f'"ts":{at_ms},"type":"snapshot"' if self.instrument.is_spot else f'"type":"snapshot","ts":{at_ms}'
                )
                self.publish(f'{{"topic":"{self.name}",{order},"data":[{rows_of}]}}')

    def on_block(self, block: Block) -> None:
        """It stands among the trades, marked, and in no candle."""
        one, at_ms = block.one, block.at_ns // 1_000_000
        side = "Buy" if block.is_buy else "Sell"
        row = (
            f'{{"T":{at_ms},"s":"{one.symbol}","S":"{side}","v":"{one.qty.pad(block.lots)}","p":"{one.px.pad(block.tick)}",'
            + ("" if one.is_spot else '"L":"ZeroPlusTick",') + f'"i":"{block.id}","BT":true,"RPI":false,"seq":{one.model.last_id}}}'
        )  # fmt: skip
        self.publish(f'{{"topic":"{self.name}","type":"snapshot","ts":{at_ms + 1},"data":[{row}]}}')

    def _row(self, fill: Fill, seq: int) -> str:
        one = self.instrument
        side, at_ms = ("Sell" if fill.buyer_is_maker else "Buy"), fill.at_ns // 1_000_000
        price, size, name = one.px.pad(fill.tick), one.qty.pad(fill.lots), trade_id(one, fill)
        if one.is_spot:
            return (
                f'{{"i":"{name}","T":{at_ms},"p":"{one.px.trim(fill.tick)}","v":"{one.qty.trim(fill.lots)}",'
                f'"S":"{side}","seq":{seq},"s":"{one.symbol}","BT":false,"RPI":false}}'
            )
        if fill.tick != self._last_tick:
            move = "PlusTick" if fill.tick > self._last_tick else "MinusTick"
            self._last_move = "Zero" + move
        else:
            move = self._last_move
        self._last_tick = fill.tick
        return (
            f'{{"T":{at_ms},"s":"{one.symbol}","S":"{side}","v":"{size}","p":"{price}","L":"{move}",'
            f'"i":"{name}","BT":false,"RPI":false,"seq":{seq}}}'
        )


def ticker_fields(one: Instrument, now_ms: int) -> dict[str, str]:
    """The derivatives ticker, all fields; spot has its own."""
    of, now_ns = one.day.at(now_ms), now_ms * 1_000_000
    px, qty, listing = one.px.pad, one.qty.pad, one.listing
    change = plain(Decimal(of.close - of.open) / of.open, 6)
    if one.is_spot:
        return {
            "symbol": one.symbol,
            "lastPrice": one.px.trim(of.close),
            "highPrice24h": one.px.trim(of.high),
            "lowPrice24h": one.px.trim(of.low),
            "prevPrice24h": one.px.trim(of.open),
            "volume24h": one.qty.trim(of.lots),
            "turnover24h": plain(of.value),
            "price24hPcnt": plain(Decimal(change), 4),
            "usdIndexPrice": plain(one.index_price(now_ns)),
        }
    mark, index = one.mark_price(now_ns), one.index_price(now_ns)
    lots = one.open_interest_lots
    worth = one.coins(2 * lots) if one.is_inverse else one.coins(2 * lots) * mark
    bid, bid_lots, ask, ask_lots = one.model.best
    dated, forecast = listing.expiry_ms is not None, funding(one, now_ms)
    fields = {
        "symbol": one.symbol,
        "tickDirection": "ZeroPlusTick",
        "price24hPcnt": change,
        "lastPrice": px(of.close),
        "prevPrice24h": px(of.open),
        "highPrice24h": px(of.high),
        "lowPrice24h": px(of.low),
        "prevPrice1h": px(one.candles.price_at(now_ms - 3_600_000)),
        "markPrice": f"{mark:.{one.px.decimals}f}",
        "indexPrice": f"{index:.{one.px.decimals}f}",
        "openInterest": one.qty.trim(2 * lots),
        "openInterestValue": f"{worth:.2f}",
        "turnover24h": f"{of.value:.4f}",
        "volume24h": f"{one.qty.value(of.lots):.4f}",
        "fundingIntervalHour": "" if dated else str(forecast.interval_ms // 3_600_000),
        "fundingCap": "" if dated else "0.00333",
        "singleOpenInterest": one.qty.trim(lots),
        "singleOpenInterestValue": f"{worth / 2:.2f}",
        "nextFundingTime": "" if dated else str(forecast.next_ms),
        "fundingRate": "" if dated else plain(forecast.rate),
        "bid1Price": px(bid),
        "bid1Size": qty(bid_lots),
        "ask1Price": px(ask),
        "ask1Size": qty(ask_lots),
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
    }
    if dated:
        fields |= {
            "deliveryTime": iso(listing.expiry_ms),
            "basis": f"{mark - index:.2f}",
            "basisRate": f"{(mark - index) / index:.6f}",
            "basisRateYear": f"{(mark - index) / index * 4:.6f}",
            "deliveryFeeRate": "",
            "predictedDeliveryPrice": "",
        }
    return fields


def iso(at_ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def object_text(fields: dict[str, str]) -> str:
    return "{" + ",".join([f'"{name}":"{value}"' for name, value in fields.items()]) + "}"


class Ticker(Topic):
    """tickers: on spot always whole, on derivatives a snapshot and then the fields that changed."""

    def __init__(self, name: str, instrument: Instrument):
        super().__init__(name, instrument)
        self.period_ms = 50 if instrument.is_spot else 100
        self._sent: dict[str, str] = {}
        self._seen = -1

    def flush(self, now_ms: int) -> None:
        one = self.instrument
        if one.model.last_id == self._seen:
            return
        self._seen = one.model.last_id
        if one.is_spot:
            last = one.candles.last_tick
            if self._sent.get("last") != last:
                self._sent = {"last": last}
                self.publish(self.first_frame(now_ms))
            return
        fields = ticker_fields(one, now_ms)
        changed = {name: value for name, value in fields.items() if self._sent.get(name) != value}
        for side in ("bid1", "ask1"):  # price and size travel together
            if f"{side}Price" in changed or f"{side}Size" in changed:
                changed |= {f"{side}Price": fields[f"{side}Price"], f"{side}Size": fields[f"{side}Size"]}
        self._sent = fields
        if changed:
            self.publish(self._text("delta", {"symbol": one.symbol} | changed, now_ms))

    def first_frame(self, now_ms: int) -> str:
        one = self.instrument
        if one.is_spot:
            data = object_text(ticker_fields(one, now_ms))
            return f'{{"topic":"{self.name}","ts":{now_ms},"type":"snapshot","cs":{one.model.last_id},"data":{data}}}'
        if not self._sent:
            self._sent = ticker_fields(one, now_ms)
        return self._text("snapshot", self._sent, now_ms)

    def _text(self, form: str, fields: dict[str, str], now_ms: int) -> str:
        last = self.instrument.model.last_id
        return f'{{"topic":"{self.name}","type":"{form}","data":{object_text(fields)},"cs":{last},"ts":{now_ms}}}'


class Kline(Topic):
    period_ms = 1_000

    def __init__(self, name: str, instrument: Instrument, interval: str):
        super().__init__(name, instrument)
        self._interval, self._period = interval, PERIODS[interval]
        self._open_ms: int | None = None
        self._count = -1

    def flush(self, now_ms: int) -> None:
        candles, open_ms = self.instrument.candles, self._period.opens(now_ms)
        bars = []
        if self._open_ms is not None and open_ms != self._open_ms:
            bars = [(bar, True) for bar in candles.between(self._period, self._open_ms, open_ms - 1)]
            self._count = -1
        self._open_ms = open_ms
        bar = candles.current(self._period, now_ms)
        if bar.count != self._count:
            self._count = bar.count
            bars.append((bar, False))
        if bars:
            body = ",".join(self._row(bar, final, now_ms) for bar, final in bars)
            self.publish(f'{{"topic":"{self.name}","data":[{body}],"ts":{now_ms},"type":"snapshot"}}')

    def _row(self, bar, final: bool, now_ms: int) -> str:
        px, end = self.instrument.px.trim, self._period.closes(bar.open_ms) - 1
        prices = f'"open":"{px(bar.open)}","close":"{px(bar.close)}","high":"{px(bar.high)}","low":"{px(bar.low)}"'
        volume = f'"volume":"{self.instrument.qty.trim(bar.lots)}","turnover":"{plain(bar.value)}"'
        head = f'"start":{bar.open_ms},"end":{end},"interval":"{self._interval}"'
        final_text = "true" if final else "false"
        return f'{{{head},{prices},{volume},"confirm":{final_text},"timestamp":{min(now_ms, end)}}}'


class AllLiquidation(Topic):
    """`S` is the side of the position, not of the order: a liquidated long is "Buy"."""

    period_ms = 500

    def __init__(self, name: str, instrument: Instrument):
        super().__init__(name, instrument)
        self._rows: list[str] = []

    def on_turns(self, turns: list[Turn]) -> None:
        one = self.instrument
        for turn in turns:
            forced = turn.liquidation
            if forced:
                position = "Buy" if forced.is_sell else "Sell"
                self._rows.append(
                    f'{{"T":{forced.at_ns // 1_000_000},"s":"{one.symbol}","S":"{position}",'
                    f'"v":"{one.qty.trim(forced.lots)}","p":"{one.px.trim(forced.tick)}"}}'
                )

    def flush(self, now_ms: int) -> None:
        if self._rows:
            data = ",".join(self._rows)
            self._rows.clear()
            self.publish(f'{{"topic":"{self.name}","type":"snapshot","ts":{now_ms},"data":[{data}]}}')
