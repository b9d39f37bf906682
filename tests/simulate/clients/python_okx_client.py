"""python-okx as its users run it, by REST alone: its socket takes no address without TLS. Arguments: endpoints."""

import asyncio
from importlib.metadata import version

from conversation import endpoints, tell, until_frozen
from okx.MarketData import MarketAPI
from okx.PublicData import PublicAPI


async def main() -> None:
    base = endpoints()["okx_swap"]["rest"]
    market, public = MarketAPI(domain=base, flag="0"), PublicAPI(domain=base, flag="0")
    dated = next(row["instId"] for row in public.get_instruments(instType="FUTURES")["data"] if row["instFamily"] == "BTC-USDT")
    symbols = {"BTC-USDT": ("okx_spot", "SPOT"), "ETH-USDT-SWAP": ("okx_swap", "SWAP"), dated: ("okx_futures", "FUTURES")}
    await until_frozen(lambda: all(len(market.get_trades(symbol)["data"]) >= 20 for symbol in symbols))
    answer = []
    for symbol, (name, kind) in symbols.items():
        rest = market.get_orderbook(symbol, sz="400")["data"][0]
        about = public.get_instruments(instType=kind, instId=symbol)["data"][0]
        day = market.get_ticker(symbol)["data"][0]
        answer.append({
            "market": name, "venue_symbol": symbol, "rest_id": rest["seqId"],
            "rest_bids": [row[:2] for row in rest["bids"]], "rest_asks": [row[:2] for row in rest["asks"]],
            "rest_trades": [[row["tradeId"], row["px"], row["sz"], row["side"]] for row in reversed(market.get_trades(symbol, limit="50")["data"])],
            "candles": [[int(row[0]), *row[1:6]] for row in reversed(market.get_candlesticks(symbol, bar="1m", limit="3")["data"])],
            "ticker": {"last": day["last"], "high": day["high24h"], "low": day["low24h"], "open": day["open24h"]},
            "tick": about["tickSz"], "lot": about["lotSz"],
        })  # fmt: skip
    await tell(version=version("python-okx"), instruments=answer)


asyncio.run(main())
