"""python-binance as its users run it: its depth caches, trades, candles and reference data. Arguments: endpoints."""

import asyncio
from importlib.metadata import version

from binance import AsyncClient, BinanceSocketManager
from binance.ws.depthcache import DepthCacheManager, FuturesDepthCacheManager
from conversation import endpoints, tell, until_frozen

SPOT, FUTURES, COIN = "BTCUSDT", "ETHUSDT", "BTCUSD_PERP"
UPDATES = 12


def filters(row: dict) -> dict:
    """Tick and lot of a listed symbol."""
    of = {one["filterType"]: one for one in row["filters"]}
    return {"tick": of["PRICE_FILTER"]["tickSize"], "lot": of["LOT_SIZE"]["stepSize"]}


async def main() -> None:
    bases = endpoints()
    AsyncClient.API_URL = bases["binance_spot"]["rest"] + "/api"
    AsyncClient.FUTURES_URL = bases["binance_usdm"]["rest"] + "/fapi"
    AsyncClient.FUTURES_COIN_URL = bases["binance_coinm"]["rest"] + "/dapi"
    BinanceSocketManager.STREAM_URL = bases["binance_spot"]["ws"] + "/"
    BinanceSocketManager.FSTREAM_URL = bases["binance_usdm"]["ws"] + "/"
    BinanceSocketManager.DSTREAM_URL = bases["binance_coinm"]["ws"] + "/"
    client = await AsyncClient.create()
    manager = BinanceSocketManager(client)
    spot = DepthCacheManager(client, SPOT, bm=manager, limit=1000, ws_interval=100)
    futures = FuturesDepthCacheManager(client, FUTURES, bm=manager)
    caches: dict[str, object] = {}
    updates = {SPOT: 0, FUTURES: 0}
    trades: dict[str, list] = {SPOT: [], FUTURES: [], COIN: []}

    async def keep(name: str, depth: object) -> None:
        async with depth:
            while True:
                caches[name] = await depth.recv()
                updates[name] += 1

    async def hear(name: str, socket: object) -> None:
        async with socket:
            while True:
                event = await socket.recv()
                event = event.get("data", event)
                if event["e"] in ("trade", "aggTrade"):
                    trades[name].append([event.get("t") or event["a"], event["p"], event["q"], "sell" if event["m"] else "buy"])

    tasks = [asyncio.create_task(job) for job in (
        keep(SPOT, spot), keep(FUTURES, futures), hear(SPOT, manager.trade_socket(SPOT)), hear(FUTURES, manager.aggtrade_futures_socket(FUTURES)),
    )]  # fmt: skip

    def ready() -> bool:
        for task in tasks:
            if task.done():
                task.result()
        return all(n >= UPDATES for n in updates.values()) and all(len(trades[name]) >= 3 for name in (SPOT, FUTURES))

    await until_frozen(ready)
    answer = []
    asked = [
        ("binance_spot", SPOT, client.get_order_book, client.get_aggregate_trades, client.get_klines, client.get_ticker, client.get_exchange_info),
        ("binance_usdm", FUTURES, client.futures_order_book, client.futures_aggregate_trades, client.futures_klines, client.futures_ticker,
         client.futures_exchange_info),
        ("binance_coinm", COIN, client.futures_coin_order_book, client.futures_coin_aggregate_trades, client.futures_coin_klines,
         client.futures_coin_ticker, client.futures_coin_exchange_info),
    ]  # fmt: skip
    for market, symbol, order_book, recent, klines, ticker, info in asked:
        rest = await order_book(symbol=symbol, limit=50)
        day = await ticker(symbol=symbol)
        day = day[0] if isinstance(day, list) else day
        row = {
            "market": market, "venue_symbol": symbol, "rest_id": rest["lastUpdateId"], "rest_bids": rest["bids"], "rest_asks": rest["asks"],
            "trades": trades[symbol],
            "rest_aggregates": [[one["a"], one["p"], one["q"], "sell" if one["m"] else "buy"] for one in await recent(symbol=symbol, limit=50)],
            "candles": [row[:6] for row in await klines(symbol=symbol, interval="1m", limit=3)],
            "ticker": {"last": day["lastPrice"], "high": day["highPrice"], "low": day["lowPrice"], "open": day["openPrice"]},
            **filters(next(one for one in (await info())["symbols"] if one["symbol"] == symbol)),
        }  # fmt: skip
        if market == "binance_spot":
            row |= {"id": spot._last_update_id, "bids": caches[symbol].get_bids(), "asks": caches[symbol].get_asks()}
        elif market == "binance_usdm":
            row |= {"bids": caches[symbol]._bids, "asks": caches[symbol]._asks}
        answer.append(row)
    await tell(version=version("python-binance"), instruments=answer)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.close_connection()


asyncio.run(main())
