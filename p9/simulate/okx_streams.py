"""The third venue's channels: each turns an instrument's changes into the data of its pushes."""

from p9.simulate.bar import DAY_MS, Period
from p9.simulate.binance_streams import PERIODS as _NAMED
from p9.simulate.blocks import Block
from p9.simulate.candles import MINUTE_MS
from p9.simulate.connection import Connection
from p9.simulate.figures import funding
from p9.simulate.history import settled_rate
from p9.simulate.incidents import Link
from p9.simulate.instrument import Instrument
from p9.simulate.market import Fill, Turn
from p9.simulate.scale import plain
from p9.simulate.window import Window

KEEPALIVE_MS = 60_000
UTC8_MS = -8 * 60 * MINUTE_MS
PERIODS = {
    **{name: _NAMED[name] for name in ("1s", "1m", "3m", "5m", "15m", "30m")},
    **{f"{n}H": _NAMED[f"{n}h"] for n in (1, 2, 4)},
    **{f"{n}H": Period(n * 60 * MINUTE_MS, UTC8_MS) for n in (6, 12)},
    **{f"{n}Hutc": _NAMED[f"{n}h"] for n in (6, 12)},
    "1D": Period(DAY_MS, UTC8_MS),
    "1Dutc": Period(DAY_MS),
    "1W": Period(7 * DAY_MS, 4 * DAY_MS + UTC8_MS),
    "1Wutc": Period(7 * DAY_MS, 4 * DAY_MS),
    "1M": Period(30 * DAY_MS, UTC8_MS, months=1),
    "1Mutc": Period(30 * DAY_MS, months=1),
}


class Channel:
    """`arg` is the canonical arg as JSON text; a push to a subscriber echoes the arg that it sent."""

    period_ms = 0
    kind = "other"

    def __init__(self, instruments: list[Instrument]):
        self.instruments = instruments
        self.instrument = instruments[0]
        self.subscribers: dict[Connection, str] = {}

    def publish(self, tail: str, one: Instrument | None = None, link: Link | None = None) -> None:
        """`tail` is what follows the arg in the push."""
        one = one or self.instrument
        frames: dict[str, bytes] = {}
        for connection, arg in tuple(self.subscribers.items()):
            frame = frames.get(arg)
            if frame is None:
                frame = frames[arg] = f'{{"arg":{arg},{tail}'.encode()
            connection.deliver(frame, arg, one.market, one.symbol, self.kind, link, len(self.subscribers))

    def first_tail(self, now_ms: int) -> str | None:
        """What a new subscriber gets at once, if anything."""
        return None

    def on_turns(self, turns: list[Turn]) -> None:
        pass

    def flush(self, now_ms: int) -> None:
        pass


def rows(one: Instrument, side: int, levels: list[tuple[int, int]]) -> str:
    px, qty, orders = one.px.trim, one.qty.trim, one.model.sides[side].orders
    return (
        "["
        + ",".join(
            [
                f'["{px(tick)}","{qty(lots)}","0","{orders.get(tick, 1)}"]' if lots else f'["{px(tick)}","0","0","0"]'
                for tick, lots in levels
            ]
        )
        + "]"
    )


class Books(Channel):
    """books: 400 levels, a snapshot and then differences chained by prevSeqId; a keepalive after a quiet minute."""

    kind = "book"
    period_ms = 100
    depth = 400

    def __init__(self, instruments: list[Instrument]):
        super().__init__(instruments)
        self.window = Window(self.instrument.model, self.depth, phantoms=True)
        self.seq_id = self.window.last_id
        self.instrument.note_top("books", self.seq_id)
        self._sent_ms = 0

    @property
    def told(self) -> int:
        return self.seq_id

    def on_turns(self, turns: list[Turn]) -> None:
        self.window.note(turns)

    def flush(self, now_ms: int) -> None:
        levels = self.window.take()
        before = self.seq_id
        if levels is None:
            if self._sent_ms and now_ms - self._sent_ms >= KEEPALIVE_MS:
                self._push([[], []], now_ms, before)
            self._sent_ms = self._sent_ms or now_ms
            return
        self.seq_id = self.window.last_id
        self.instrument.note_top("books", self.seq_id)
        self._push(levels, now_ms, before)

    def _push(self, levels, now_ms: int, before: int) -> None:
        self._sent_ms = now_ms
        self.publish(self._tail("update", levels, now_ms, before), link=Link(before, before, self.seq_id))

    def first_tail(self, now_ms: int) -> str:
        return self._tail("snapshot", self.window.levels(), now_ms, -1)

    def _tail(self, action: str, levels, now_ms: int, before: int) -> str:
        one = self.instrument
        book = f'"asks":{rows(one, 1, levels[1])},"bids":{rows(one, 0, levels[0])},"ts":"{now_ms}"'
        ids = f'"checksum":0,"seqId":{self.seq_id},"prevSeqId":{before}'
        return f'"action":"{action}","data":[{{{book},{ids}}}]}}'


class Top(Channel):
    """books5 and bbo-tbt: a full image of the best levels when they changed."""

    def __init__(self, instruments: list[Instrument], depth: int):
        super().__init__(instruments)
        self.depth, self.period_ms = depth, 10 if depth == 1 else 100
        self.kind = "touch" if depth == 1 else "book"
        self._sent: list = self._levels()

    def _levels(self) -> list:
        return [side.top(self.depth) for side in self.instrument.model.sides]

    def flush(self, now_ms: int) -> None:
        levels = self._levels()
        if levels != self._sent:
            self._sent = levels
            self.publish(self._tail(now_ms))

    def first_tail(self, now_ms: int) -> str:
        self._sent = self._levels()
        return self._tail(now_ms)

    def _tail(self, now_ms: int) -> str:
        one, model = self.instrument, self.instrument.model
        book = f'"asks":{rows(one, 1, self._sent[1])},"bids":{rows(one, 0, self._sent[0])}'
        if self.depth == 1:
            return f'"data":[{{{book},"ts":"{model.last_ns // 1_000_000}","seqId":{model.last_id}}}]}}'
        return f'"data":[{{{book},"instId":"{one.symbol}","ts":"{now_ms}","seqId":{model.last_id}}}]}}'


class Trades(Channel):
    """trades: one row per taker order and price; tradeId is the last of `count` fills."""

    kind = "trade"

    def on_turns(self, turns: list[Turn]) -> None:
        one = self.instrument
        for turn in turns:
            run: list[Fill] = []
            for fill in turn.fills:
                if run and run[-1].tick != fill.tick:
                    self._push(one, run, turn.id)
                    run = []
                run.append(fill)
            if run:
                self._push(one, run, turn.id)

    def _push(self, one: Instrument, run: list[Fill], seq_id: int) -> None:
        last, lots = run[-1], sum(fill.lots for fill in run)
        side = "sell" if last.buyer_is_maker else "buy"
        self.publish(
            f'"data":[{{"instId":"{one.symbol}","tradeId":"{last.id}","px":"{one.px.trim(last.tick)}",'
            f'"sz":"{one.qty.trim(lots)}","side":"{side}","ts":"{last.at_ns // 1_000_000}",'
            f'"count":"{len(run)}","source":"0","seqId":{seq_id}}}]}}'
        )


class BlockTrades(Channel):
    """public-block-trades: what was negotiated apart from the book (the venue tells it a quarter of an hour late, this one at once)."""

    kind = "trade"

    def on_block(self, block: Block) -> None:
        one = block.one
        self.publish(
            f'"data":[{{"instId":"{one.symbol}","tradeId":"{block.id}","px":"{one.px.trim(block.tick)}","sz":"{one.qty.trim(block.lots)}",'
            f'"side":"{"buy" if block.is_buy else "sell"}","ts":"{block.at_ns // 1_000_000}","fillVol":"","fwdPx":"","idxPx":"","markPx":"","groupId":""}}]}}'
        )


class TradesAll(Channel):
    """trades-all: one push per fill."""

    kind = "trade"

    def on_turns(self, turns: list[Turn]) -> None:
        one = self.instrument
        for turn in turns:
            for fill in turn.fills:
                side = "sell" if fill.buyer_is_maker else "buy"
                self.publish(
                    f'"data":[{{"instId":"{one.symbol}","tradeId":"{fill.id}","px":"{one.px.trim(fill.tick)}",'
                    f'"sz":"{one.qty.trim(fill.lots)}","side":"{side}","source":"0","ts":"{fill.at_ns // 1_000_000}"}}]}}'
                )


def inst_type(one: Instrument) -> str:
    return {"okx_spot": "SPOT", "okx_swap": "SWAP", "okx_futures": "FUTURES"}[one.market]


def days_opened(one: Instrument, now_ms: int) -> tuple[int, int]:
    """The prices, in ticks, with which this day began: by UTC and by UTC+8."""
    of_utc8_ms = (now_ms - UTC8_MS) // DAY_MS * DAY_MS + UTC8_MS
    return one.candles.price_at(now_ms // DAY_MS * DAY_MS), one.candles.price_at(of_utc8_ms)


def ticker_row(one: Instrument, now_ms: int) -> str:
    of, px, qty = one.day.at(now_ms), one.px.trim, one.qty.trim
    last = one.last_fill()
    at_utc0, at_utc8 = days_opened(one, now_ms)
    bid, bid_lots, ask, ask_lots = one.model.best
    in_coin = plain(of.value, 8) if one.is_spot else plain(one.coins(of.lots), 4)
    return (
        f'{{"instType":"{inst_type(one)}","instId":"{one.symbol}","last":"{px(of.close)}","lastSz":"{qty(last.lots if last else 0)}",'
        f'"askPx":"{px(ask)}","askSz":"{qty(ask_lots)}","bidPx":"{px(bid)}","bidSz":"{qty(bid_lots)}",'
        f'"open24h":"{px(of.open)}","high24h":"{px(of.high)}","low24h":"{px(of.low)}","sodUtc0":"{px(at_utc0)}",'
        f'"sodUtc8":"{px(at_utc8)}","volCcy24h":"{in_coin}","vol24h":"{qty(of.lots)}","ts":"{now_ms}"}}'
    )


class Tickers(Channel):
    period_ms = 100
    kind = "other"

    def __init__(self, instruments: list[Instrument]):
        super().__init__(instruments)
        self._sent: tuple = ()

    def flush(self, now_ms: int) -> None:
        state = (self.instrument.model.best, self.instrument.last_fill())
        if state != self._sent:
            self._sent = state
            self.publish(self.first_tail(now_ms))

    def first_tail(self, now_ms: int) -> str:
        return f'"data":[{ticker_row(self.instrument, now_ms)}]}}'


def mark_row(one: Instrument, now_ms: int) -> str:
    mark = plain(one.mark_price(now_ms * 1_000_000), one.px.decimals)
    return f'{{"instId":"{one.symbol}","instType":"{inst_type(one)}","markPx":"{mark}","ts":"{now_ms}"}}'


def index_row(one: Instrument, name: str, now_ms: int) -> str:
    of, index = one.day.at(now_ms), plain(one.index_price(now_ms * 1_000_000), one.px.decimals)
    px = one.px.trim
    at_utc0, at_utc8 = days_opened(one, now_ms)
    return (
        f'{{"instId":"{name}","idxPx":"{index}","open24h":"{px(of.open)}","high24h":"{px(of.high)}",'
        f'"low24h":"{px(of.low)}","sodUtc0":"{px(at_utc0)}","sodUtc8":"{px(at_utc8)}","ts":"{now_ms}"}}'
    )


def funding_row(one: Instrument, now_ms: int) -> str:
    forecast = funding(one, now_ms)
    next_ms, rate = forecast.next_ms, f"{forecast.rate:.16f}"
    last = f"{settled_rate(one, next_ms - forecast.interval_ms):.16f}"
    return (
        f'{{"formulaType":"withRate","fundingRate":"{rate}","fundingTime":"{next_ms}","impactValue":"10000.0000000000000000",'
        f'"instId":"{one.symbol}","instType":"SWAP","interestRate":"0.0001000000000000","maxFundingRate":"0.015",'
        f'"method":"current_period","minFundingRate":"-0.015","nextFundingRate":"","nextFundingTime":"{next_ms + forecast.interval_ms}",'
        f'"premium":"-0.0004021053670636","settFundingRate":"{last}","settState":"settled","ts":"{now_ms}"}}'
    )


def interest_row(one: Instrument, now_ms: int) -> str:
    lots = one.open_interest_lots
    coins = one.coins(lots)
    dollars = coins * one.px.value(one.candles.last_tick)
    noise = "000000309"  # the venue's figures carry the dust of binary fractions
    contracts = plain(one.qty.value(lots), 2) + "00" + noise
    return (
        f'{{"instId":"{one.symbol}","instType":"{inst_type(one)}","oi":"{contracts}",'
        f'"oiCcy":"{plain(coins, 8)}","oiUsd":"{plain(dollars, 8)}","ts":"{now_ms}"}}'
    )


class Quoted(Channel):
    """A channel whose whole row is made anew and sent when it changed: mark-price, index-tickers, funding-rate,
    open-interest. `row(instrument, now_ms)` is its text, of which the time is not compared."""

    def __init__(self, instruments: list[Instrument], row, period_ms: int, idle_ms: int):
        super().__init__(instruments)
        self._row, self.period_ms, self._idle_ms = row, period_ms, idle_ms
        self._sent, self._sent_ms = "", 0

    def flush(self, now_ms: int) -> None:
        row = self._row(self.instrument, now_ms)
        body = row.rpartition('"ts"')[0]
        if body != self._sent or now_ms - self._sent_ms >= self._idle_ms:
            self._sent, self._sent_ms = body, now_ms
            self.publish(f'"data":[{row}]}}')

    def first_tail(self, now_ms: int) -> str:
        return f'"data":[{self._row(self.instrument, now_ms)}]}}'


def candle_row(one: Instrument, period: Period, bar, now_ms: int) -> str:
    px, qty = one.px.trim, one.qty.trim
    final = 1 if period.closes(bar.open_ms) <= now_ms else 0
    if one.is_spot:
        in_coin, in_quote = plain(bar.value), plain(bar.value)
    elif one.is_inverse:
        in_coin, in_quote = plain(bar.value), plain(one.qty.value(bar.lots) * one.listing.contract_value)
    else:
        in_coin, in_quote = plain(one.qty.value(bar.lots) * one.listing.contract_value), plain(bar.value)
    return (
        f'["{bar.open_ms}","{px(bar.open)}","{px(bar.high)}","{px(bar.low)}","{px(bar.close)}",'
        f'"{qty(bar.lots)}","{in_coin}","{in_quote}","{final}"]'
    )


class Candle(Channel):
    period_ms = 1_000

    def __init__(self, instruments: list[Instrument], bar: str):
        super().__init__(instruments)
        self._period = PERIODS[bar]
        self._open_ms: int | None = None
        self._count = -1

    def flush(self, now_ms: int) -> None:
        one, open_ms = self.instrument, self._period.opens(now_ms)
        if self._open_ms is not None and open_ms != self._open_ms:
            for bar in one.candles.between(self._period, self._open_ms, open_ms - 1):
                self.publish(f'"data":[{candle_row(one, self._period, bar, now_ms)}]}}')
            self._count = -1
        self._open_ms = open_ms
        bar = one.candles.current(self._period, now_ms)
        if bar.count != self._count:
            self._count = bar.count
            self.publish(f'"data":[{candle_row(one, self._period, bar, now_ms)}]}}')


class Liquidations(Channel):
    """liquidation-orders of one instrument type: pushed as they happen."""

    def __init__(self, instruments: list[Instrument]):
        super().__init__(instruments)
        self.ears = [_Ear(self, one) for one in instruments]

    def hear(self, one: Instrument, turns: list[Turn]) -> None:
        for turn in turns:
            forced = turn.liquidation
            if forced is None:
                continue
            side, position = ("sell", "long") if forced.is_sell else ("buy", "short")
            detail = (
                f'{{"bkLoss":"0","bkPx":"{one.px.trim(forced.tick)}","ccy":"{one.listing.base if one.is_spot else ""}","posSide":"{position}","side":"{side}",'
                f'"sz":"{one.qty.trim(forced.lots)}","ts":"{forced.at_ns // 1_000_000}"}}'
            )
            family = one.listing.pair
            self.publish(
                f'"data":[{{"details":[{detail}],"instFamily":"{family}","instId":"{one.symbol}",'
                f'"instType":"{"MARGIN" if one.is_spot else inst_type(one)}","uly":"{family}"}}]}}',
                one,
            )


class _Ear:
    """Tells a channel of many instruments which one is speaking."""

    def __init__(self, channel: Liquidations, instrument: Instrument):
        self.instrument, self._channel = instrument, channel

    def on_turns(self, turns: list[Turn]) -> None:
        self._channel.hear(self.instrument, turns)


class Quiet(Channel):
    """A channel that is known and has nothing to say."""
