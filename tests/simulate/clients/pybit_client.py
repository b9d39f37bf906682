"""pybit as its users run it: its own book of each depth, trades, candles and reference data. Arguments: endpoints."""

import asyncio
import copy
from collections import Counter
from importlib.metadata import version

import pybit.unified_trading as unified
from conversation import endpoints, tell, until_frozen

# category, symbol, depth of the book
WATCHED = [("spot", "BTCUSDT", 50), ("spot", "ETHUSDT", 200), ("linear", "BTCUSDT", 200), ("linear", "ETHUSDT", 1000), ("inverse", "BTCUSD", 50)]
UPDATES = 12


async def main() -> None:
    bases = endpoints()["bybit_linear"]
    unified.PUBLIC_WSS = f"{bases['ws']}/v5/public/{{CHANNEL_TYPE}}"
    session = unified.HTTP()
    session.endpoint = bases["rest"]
    books: dict[str, dict] = {}
    trades: dict[str, dict[str, dict]] = {}
    updates: Counter[str] = Counter()
    sockets = {}
    for category, symbol, depth in WATCHED:
        if category not in sockets:
            sockets[category] = unified.WebSocket(testnet=False, channel_type=category)
        name = f"{category} {symbol}"
        trades[name] = {}

        def on_book(message: dict, name: str = name) -> None:
            books[name] = message["data"]
            updates[name] += 1

        def on_trades(message: dict, name: str = name) -> None:
            trades[name] |= {row["i"]: row for row in message["data"]}

        sockets[category].orderbook_stream(depth, symbol, on_book)
        sockets[category].trade_stream(symbol, on_trades)
    await until_frozen(lambda: all(updates[name] >= UPDATES and len(rows) >= 3 for name, rows in trades.items()))
    answer = []
    for category, symbol, depth in WATCHED:
        book, rows = copy.deepcopy(books[f"{category} {symbol}"]), trades[f"{category} {symbol}"].values()
        rest = session.get_orderbook(category=category, symbol=symbol, limit=50)["result"]
        recent = session.get_public_trade_history(category=category, symbol=symbol, limit=50)["result"]["list"]
        listed = session.get_instruments_info(category=category, symbol=symbol)["result"]["list"][0]
        lots = listed["lotSizeFilter"]
        candles = session.get_kline(category=category, symbol=symbol, interval=1, limit=3)["result"]["list"]
        day = session.get_tickers(category=category, symbol=symbol)["result"]["list"][0]
        answer.append({
            "market": f"bybit_{category}", "venue_symbol": symbol, "id": book["u"], "depth": depth,
            "bids": sorted(book["b"], key=lambda row: -float(row[0])), "asks": sorted(book["a"], key=lambda row: float(row[0])),
            "trades": [[row["i"], row["p"], row["v"], row["S"].lower()] for row in rows],
            "rest_bids": rest["b"], "rest_asks": rest["a"],
            "rest_trades": [[row["execId"], row["price"], row["size"], row["side"].lower()] for row in reversed(recent)],
            "candles": [[int(row[0]), *row[1:6]] for row in reversed(candles)],
            "ticker": {"last": day["lastPrice"], "high": day["highPrice24h"], "low": day["lowPrice24h"], "open": day["prevPrice24h"]},
            "tick": listed["priceFilter"]["tickSize"], "lot": lots.get("qtyStep") or lots["basePrecision"],
        })  # fmt: skip
    await tell(version=version("pybit"), instruments=answer)
    for socket in sockets.values():
        socket.exit()


asyncio.run(main())
