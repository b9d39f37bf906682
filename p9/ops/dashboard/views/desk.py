"""One instrument: its book with a heat map over time, tape, candles, and what is derived from them."""

import asyncio
import time
from typing import Any, ClassVar

from cext.channel import Channel

from p9.capture.capture import Capture
from p9.instrument import Instrument
from p9.ops.dashboard.heat import LEVELS, Heat
from p9.ops.dashboard.payload import at_ms, measures, number, own_fields
from p9.ops.dashboard.rates import Rates, brief
from p9.ops.dashboard.sources import Sources
from p9.ops.dashboard.view import View

LADDER = 22  # levels a side
HEAT_S = 0.5
TAPE_ROWS = 14  # trades of one update; of more the newest and the largest are shown
NEWEST = ("book_ticker", "mark_price", "funding", "open_interest")  # the last value of each
TIMED = ("cvd", "flow", "momentum", "liquidity")  # the same, of the chosen timeframe where they have one
MARKED = ("block_trades", "liquidations", "adl")  # trades that the tape marks
BEFORE = {"trades": 80, "candles": 500}  # events that are fetched at first
TOLD = ("signals", "spoofing", "stop_triggers", "integrity", "gaps", "audits")  # what the list of events tells


class Desk(View):
    """`timeframe`: of the candles, and of what is measured by them."""

    every_s = 0.1
    kept: ClassVar[dict[str, int]] = {"tape": 80, "heat": 360, "candles": 500, "events": 60}

    def __init__(self, sources: Sources, capture: Capture, ix: int, instrument: Instrument, timeframe: str):
        super().__init__()
        self._sources, self._capture, self._ix, self._instrument, self._timeframe = sources, capture, ix, instrument, timeframe
        self._heat, self._heat_due_s = Heat(), 0.0
        self._rates = Rates()
        self._newest: dict[str, dict[str, Any]] = {}
        self._forming: list[Any] | None = None
        self._trades: list[list[Any]] = []
        self._n_unshown = 0
        self._held: dict[Channel, None] = {}
        self._sought_s = float("-inf")
        self._counters: dict[str, Any] = {}
        self._opening: list[dict[str, Any]] | None = []  # what is heard while we ask for what was before
        self._last: dict[tuple[str, str], tuple[int, int]] = {}  # epoch and number of the last event shown, by type and exchange

    # ---- channels

    def _wanted(self) -> list[Channel]:
        watch, exchange, symbol = self._sources.watch, self._instrument.exchange, self._instrument.symbol
        wanted = [channel for type in (*NEWEST, *MARKED, *TOLD, "trades") for channel in watch.channels(type, exchange, symbol)]
        wanted += [channel for type in ("candles", "candles_open") for channel in watch.channels(type, exchange, symbol, self._timeframe)]
        wanted += [channel for type in TIMED for channel in watch.channels(type, exchange, symbol) if channel.timeframe in ("", self._timeframe)]
        return wanted + watch.channels("signals", "all", symbol) + watch.channels("book_ticker", "all", symbol)

    def _hold_new(self, now_s: float) -> None:
        """Channels may come later than we: a market starts, a stream is switched on."""
        if now_s - self._sought_s < 2.0:
            return
        self._sought_s = now_s
        for channel in self._wanted():
            if channel not in self._held:
                self._sources.watch.hold(channel, self._hear)
                self._held[channel] = None

    async def open(self) -> None:
        """Begin to hear, then fetch what was before; what was heard meanwhile follows it, without what both have."""
        self._hold_new(0.0)
        asked = [channel for channel in self._held if channel.type not in MARKED]
        before = await asyncio.gather(*(self._sources.history.recent(channel, BEFORE.get(channel.type, 20)) for channel in asked))
        heard, self._opening = self._opening or [], None
        told = [event for events in before for event in events if event["type"] in TOLD]
        for event in [event for events in before for event in events if event["type"] not in TOLD] + sorted(told, key=lambda event: at_ms(event) or 0):
            self._take(event)
        self.add("tape", *self._trades)
        self._trades = []
        for event in heard:
            self._hear(event)

    def close(self) -> None:
        for channel in self._held:
            self._sources.watch.release(channel, self._hear)
        self._held = {}

    # ---- what is heard

    def _hear(self, event: dict[str, Any]) -> None:
        if self._opening is not None:
            self._opening.append(event)
        elif (event["epoch"], event["seq"]) > self._last.get((event["type"], event["exchange"]), (0, 0)):
            self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        type = event["type"]
        self._last[type, event["exchange"]] = max((event["epoch"], event["seq"]), self._last.get((type, event["exchange"]), (0, 0)))
        if type == "trades":
            self._trades.append(trade_row(event))
        elif type in MARKED:
            self._trades.append(trade_row(event, type))
        elif type == "candles":
            self.add("candles", candle_row(event))
        elif type == "candles_open":
            self._forming = candle_row(event)
        elif type in TOLD:
            self.add("events", {"type": type, "exchange": event["exchange"], **own_fields(event)})
        else:
            self._newest[type if event["exchange"] != "all" else "all_venues"] = measures(event)

    # ---- what is shown

    def look(self, now_s: float) -> dict[str, Any]:
        self._hold_new(now_s)
        deep = now_s >= self._heat_due_s
        book = self._capture.pipeline.book(self._ix, LEVELS if deep else LADDER)
        if deep:
            self._heat_due_s = max(self._heat_due_s + HEAT_S, now_s + HEAT_S / 2)
            column = self._heat.column(book)
            if column is not None:
                self.add("heat", [int(time.time() * 1000), *column])
            self._counters = self._capture.pipeline.instrument_counters(self._ix)
        self._show_trades()
        row = self._instrument
        return {
            "instrument": {
                "exchange": row.exchange, "symbol": row.symbol, "market": row.market, "venue_symbol": row.venue_symbol, "kind": row.kind,
                "base": row.base, "quote": row.quote, "tick": row.tick, "step": row.step, "contract": row.contract, "contract_value": row.contract_value,
            },
            "book": {
                "state": book["state"], "reason": book["reason"], "valid_bid": book["valid_bid"], "valid_ask": book["valid_ask"],
                "bids": dict(book["bids"][:LADDER]), "asks": dict(book["asks"][:LADDER]),
            },
            "newest": self._newest, "forming": self._forming, "timeframe": self._timeframe, "unshown": self._n_unshown,
            "trades_s": brief(self._rates.of("trades", self._counters["trades"], now_s), 2),
            "depth_s": brief(self._rates.of("depth", self._counters["depth_frames"], now_s), 2),
            "gaps": self._counters["gaps"] + self._counters["trade_gaps"],
        }  # fmt: skip

    def _show_trades(self) -> None:
        """The newest of a burst, its largest, and whatever is marked; the rest is counted."""
        trades, self._trades = self._trades, []
        if len(trades) > TAPE_ROWS:
            marked = [row for row in trades if row[5]]
            largest = sorted(trades[: -TAPE_ROWS // 2], key=lambda row: row[4] or 0.0)[-TAPE_ROWS // 2 :]
            chosen = {id(row) for row in (*trades[-TAPE_ROWS // 2 :], *largest, *marked[-TAPE_ROWS:])}
            self._n_unshown += len(trades) - len(chosen)
            trades = [row for row in trades if id(row) in chosen]
        if trades:
            self.add("tape", *trades)


def trade_row(event: dict[str, Any], mark: str = "") -> list[Any]:
    """[when in ms, price, quantity, side, money, mark]"""
    price, quantity = number(event.get("price")), number(event.get("quantity"))
    money = number(event.get("quote_quantity"))
    if money is None and price is not None and quantity is not None:
        money = price * quantity
    return [at_ms(event), event.get("price"), event.get("quantity"), event.get("side"), brief(money, 6), mark or ("backfill" if "backfill" in event.get("flags", ()) else "")]


def candle_row(event: dict[str, Any]) -> list[Any]:
    """[open time in s, open, high, low, close, volume, buy volume, trades, whether trades of it may be missing]"""
    return [
        event["open_time"] // 1_000_000_000, *(number(event.get(name)) for name in ("open", "high", "low", "close", "volume", "buy_volume")),
        event.get("trades"), event.get("complete") is False,
    ]  # fmt: skip
