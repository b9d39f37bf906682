"""ccxt.pro on our frames: its client's handle_text_or_binary_message (orjson is installed, so it uses that), which calls the exchange class's
handle_message: books kept and sequence checked as it does by itself.

On Bybit it keeps one book for all depths of `orderbook`, so the frames of depth 1 are left out there, for both sides. The market table is one
row; the REST book of Binance is put in by its own OrderBook.reset, not timed.
"""

import asyncio
import json
from typing import Any

import ccxt
import ccxt.pro
import timing

ALL = ("depth", "trade", "ticker")
VENUES = {
    "binance": ("binance", "BTC/USDT", "BTCUSDT", "wss://stream.binance.com:9443/stream", ALL),
    "binance_futures": ("binance", "BTC/USDT:USDT", "BTCUSDT", "wss://fstream.binance.com/ws", ALL),
    "bybit": ("bybit", "BTC/USDT:USDT", "BTCUSDT", "wss://stream.bybit.com/v5/public/linear", ALL[:2]),
    "okx": ("okx", "BTC/USDT", "BTC-USDT", "wss://ws.okx.com:8443/ws/v5/public", ALL),
}


def measure(stream: timing.Stream, rounds: int) -> dict[str, Any]:
    """One venue; see timing.main for what becomes of it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    exchange_name, symbol, venue_symbol, url, kinds = VENUES[stream.venue]
    swap = symbol.endswith(":USDT")
    row = {
        "id": venue_symbol, "symbol": symbol, "base": "BTC", "quote": "USDT", "settle": "USDT" if swap else None,
        "type": "swap" if swap else "spot", "spot": not swap, "swap": swap, "contract": swap, "linear": True if swap else None,
        "contractSize": 1 if swap else None, "active": True, "precision": {"price": 0.01, "amount": 0.00001},
    }  # fmt: skip

    made: list[Any] = []

    def prepare() -> tuple[Any, Any]:
        exchange = getattr(ccxt.pro, exchange_name)({"newUpdates": True})
        exchange.set_markets([exchange.safe_market_structure(row)])

        async def client_in_loop() -> Any:
            return exchange.client(url)

        made.append(exchange)
        client = loop.run_until_complete(client_in_loop())
        if exchange_name == "binance":
            image = json.loads(stream.snapshot)
            sides = {side: [[float(px), float(qty)] for px, qty in image[side]] for side in ("bids", "asks")}
            exchange.orderbooks[symbol] = exchange.order_book({}, 1000)
            exchange.orderbooks[symbol].reset({**sides, "nonce": image["lastUpdateId"], "timestamp": None, "symbol": symbol})
        else:
            client.subscriptions["books:" + symbol] = "books"
            client.handle_text_or_binary_message(stream.snapshot)
        return exchange, client

    def run(pair: tuple[Any, Any], frames: list[str]) -> None:
        async def feed_all() -> None:
            handler = pair[1].handle_text_or_binary_message
            for frame in frames:
                handler(frame)

        loop.run_until_complete(feed_all())

    us = {}
    for chosen in (*((kind,) for kind in kinds), kinds):
        us["+".join(chosen)], (exchange, _) = timing.cpu_us(prepare, run, stream.of(chosen), rounds)
        if symbol not in exchange.orderbooks:
            raise SystemExit(f"ccxt, {stream.venue}/{'+'.join(chosen)}: it dropped its book")
    book = exchange.orderbooks[symbol]
    loop.run_until_complete(asyncio.gather(*(each.close() for each in made)))
    return {
        "us": us, **{side: [level[:2] for level in book[side][: timing.TOP]] for side in ("bids", "asks")},
        "levels": [len(book["bids"]), len(book["asks"])], "trade": exchange.trades[symbol][-1]["price"],
        "ticker": exchange.bidsasks[symbol]["bid"] if "ticker" in kinds else None,
    }  # fmt: skip


if __name__ == "__main__":
    timing.main("ccxt.pro", ccxt.__version__, measure)


