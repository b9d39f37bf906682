"""ccxt.pro as its users run it: markets and candles by REST, books and trades that it keeps itself. Arguments: endpoints, venue, symbols ..."""

import asyncio
import sys
from collections import Counter

import ccxt.pro
from conversation import endpoints, tell, until_frozen

MARKETS = {
    "binance": {"spot": "binance_spot", "linear": "binance_usdm", "inverse": "binance_coinm"},
    "bybit": {"spot": "bybit_spot", "linear": "bybit_linear", "inverse": "bybit_inverse"},
    "okx": {"spot": "okx_spot", "linear": "okx_swap", "inverse": "okx_swap"},
}
UPDATES = 12  # of each book


def bases(venue: str) -> list[tuple[str, str]]:
    """(the venue's own base, the simulator's)"""
    of = endpoints()
    if venue == "binance":
        hosts = [("api", "stream", ":9443", "binance_spot"), ("fapi", "fstream", "", "binance_usdm"), ("dapi", "dstream", "", "binance_coinm")]
        rest = [(f"https://{api}.binance.com", of[market]["rest"]) for api, _, _, market in hosts]
        # ccxt knows spot by "/stream" in the URL: the host's name stands where a user's would
        return rest + [(f"wss://{stream}.binance.com{port}", of[market]["ws"].replace("//", f"//{stream}@")) for _, stream, port, market in hosts]
    if venue == "bybit":
        return [("https://api.{hostname}", of["bybit_spot"]["rest"]), ("wss://stream.{hostname}", of["bybit_spot"]["ws"])]
    return [("https://{hostname}", of["okx_spot"]["rest"]), ("wss://ws.okx.com:443", of["okx_spot"]["ws"])]


def based(urls: object, table: list[tuple[str, str]]) -> object:
    """The same URLs on other bases."""
    if isinstance(urls, dict):
        return {name: based(url, table) for name, url in urls.items()}
    for theirs, ours in table:
        if isinstance(urls, str) and urls.startswith(theirs):
            return ours + urls.removeprefix(theirs)
    return urls


async def main() -> None:
    venue, symbols = sys.argv[2], sys.argv[3:]
    exchange = getattr(ccxt.pro, venue)()
    exchange.urls["api"] = based(exchange.urls["api"], bases(venue))
    await exchange.load_markets()
    updates: Counter[str] = Counter()
    books: dict[str, dict] = {}
    trades: dict[str, dict[str, dict]] = {symbol: {} for symbol in symbols}
    errors: list[str] = []

    async def watch_book(symbol: str) -> None:
        while True:
            try:
                books[symbol] = await exchange.watch_order_book(symbol)
            except ccxt.ChecksumError as error:
                errors.append(f"{symbol}: {error}")
            updates[symbol] += 1

    async def watch_trades(symbol: str) -> None:
        while True:
            for trade in await exchange.watch_trades(symbol):
                trades[symbol][trade["id"]] = trade

    tasks = [asyncio.create_task(watch(symbol)) for symbol in symbols for watch in (watch_book, watch_trades)]

    def ready() -> bool:
        failed = [task for task in tasks if task.done()]
        if failed:
            failed[0].result()
        return all(updates[symbol] >= UPDATES and len(trades[symbol]) >= 3 for symbol in symbols)

    await until_frozen(ready)
    answer = []
    for symbol in symbols:
        market = exchange.market(symbol)
        kind = "spot" if market["spot"] else "linear" if market["linear"] else "inverse"
        rest = await exchange.fetch_order_book(symbol, 50)
        answer.append({
            "market": MARKETS[venue][kind], "venue_symbol": market["id"], "id": books[symbol]["nonce"],
            "bids": [list(row[:2]) for row in books[symbol]["bids"]], "asks": [list(row[:2]) for row in books[symbol]["asks"]],
            "trades": [[row["id"], row["price"], row["amount"], row["side"]] for row in trades[symbol].values()],
            "rest_bids": [row[:2] for row in rest["bids"]], "rest_asks": [row[:2] for row in rest["asks"]],
            "rest_trades": [[row["id"], row["price"], row["amount"], row["side"]] for row in await exchange.fetch_trades(symbol, limit=50)],
            "candles": await exchange.fetch_ohlcv(symbol, "1m", limit=3),
            "ticker": {key: (await exchange.fetch_ticker(symbol))[key] for key in ("last", "high", "low", "open", "baseVolume")},
            "tick": market["precision"]["price"], "lot": market["precision"]["amount"], "contract_size": market["contractSize"],
        })  # fmt: skip
    await tell(version=ccxt.__version__, markets=len(exchange.markets), instruments=answer, errors=errors)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await exchange.close()


asyncio.run(main())
