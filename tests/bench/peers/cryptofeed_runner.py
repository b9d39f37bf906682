"""cryptofeed on our frames: its own Feed.message_handler, from JSON text to the user's callback, books kept and checked as it does by itself.

It has no topic for the best bid and ask of Bybit and OKX but their `tickers`, so these frames are left out there, for both sides. The REST
book comes through its own snapshot code, from a stand-in for the HTTP connection; that is not timed.
"""

import asyncio
from decimal import Decimal
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import timing
from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import OKX, Binance, BinanceFutures, Bybit
from cryptofeed.symbols import Symbols

ALL = ("depth", "trade", "ticker")
VENUES = {
    "binance": (Binance, "BTC-USDT", "BTCUSDT", "spot", "wss://stream.binance.com:9443/stream", ALL),
    "binance_futures": (BinanceFutures, "BTC-USDT-PERP", "BTCUSDT", "perpetual", "wss://fstream.binance.com/stream", ALL),
    "bybit": (Bybit, "BTC-USDT-PERP", "BTCUSDT", "perpetual", "wss://stream.bybit.com/v5/public/linear", ALL[:2]),
    "okx": (OKX, "BTC-USDT", "BTC-USDT", "spot", "wss://ws.okx.com:8443/ws/v5/public", ALL[:2]),
}
RECEIVED_S = 1_717_000_000.0


class Heard:
    """The user's callbacks: what they were told last, and how often."""

    def __init__(self) -> None:
        self.n = dict.fromkeys(ALL, 0)
        self.trade: Any = None
        self.ticker: Any = None

    async def on_book(self, book: Any, receipt_s: float) -> None:
        self.n["depth"] += 1

    async def on_trade(self, trade: Any, receipt_s: float) -> None:
        self.n["trade"] += 1
        self.trade = trade

    async def on_ticker(self, ticker: Any, receipt_s: float) -> None:
        self.n["ticker"] += 1
        self.ticker = ticker


def measure(stream: timing.Stream, rounds: int) -> dict[str, Any]:
    """One venue; see timing.main for what becomes of it."""
    loop = asyncio.new_event_loop()
    kind_of, name, venue_symbol, instrument_type, url, kinds = VENUES[stream.venue]
    Symbols.set(kind_of.id, {name: venue_symbol}, {"instrument_type": {name: instrument_type}, "tick_size": {name: Decimal("0.01")}})
    connection = SimpleNamespace(address=url, uuid="bench", subscription={})

    async def snapshot(*_: Any, **__: Any) -> str:
        return stream.snapshot

    def prepare() -> tuple[Any, Heard]:
        heard = Heard()
        feed = kind_of(
            symbols=[name], channels=[L2_BOOK, TRADES, TICKER],
            callbacks={L2_BOOK: heard.on_book, TRADES: heard.on_trade, TICKER: heard.on_ticker},
        )  # fmt: skip
        if stream.venue.startswith("binance"):
            feed.http_conn = SimpleNamespace(read=snapshot)
            loop.run_until_complete(feed._snapshot(venue_symbol))
        else:
            loop.run_until_complete(feed.message_handler(stream.snapshot, connection, RECEIVED_S))
        heard.n["depth"] = 0
        return feed, heard

    def run(made: tuple[Any, Heard], frames: list[str]) -> None:
        async def feed_all() -> None:
            handler = made[0].message_handler
            for frame in frames:
                await handler(frame, connection, RECEIVED_S)

        loop.run_until_complete(feed_all())

    us = {}
    for chosen in (*((kind,) for kind in kinds), kinds):
        us["+".join(chosen)], (feed, heard) = timing.cpu_us(prepare, run, stream.of(chosen), rounds)
        expected = {each: len(stream.frames[each]) if each in chosen else 0 for each in ALL}
        if heard.n != expected:
            raise SystemExit(f"cryptofeed, {stream.venue}/{'+'.join(chosen)}: the callbacks heard {heard.n}, {expected} was sent")
    book = feed._l2_book[name].book
    sides = {
        side: [[str(px), str(levels[px])] for px in (levels.index(i)[0] for i in range(timing.TOP))]
        for side, levels in (("bids", book.bids), ("asks", book.asks))
    }
    return {
        "us": us, **sides, "levels": [len(book.bids), len(book.asks)], "trade": str(heard.trade.price),
        "ticker": str(heard.ticker.bid) if "ticker" in kinds else None,
    }  # fmt: skip


if __name__ == "__main__":
    timing.main("cryptofeed", version("cryptofeed"), measure)
