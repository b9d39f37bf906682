"""The first venue's options: one frame a second for a whole chain, open interest a minute, reference data and marks by REST."""

import math
import time
from datetime import UTC, datetime

from aiohttp import web

from p9.simulate import binance_streams as streams
from p9.simulate.binance import BinanceMarket
from p9.simulate.binance_weights import Weights, error
from p9.simulate.faults import Faults
from p9.simulate.option_chain import Mark, Option, OptionChain
from p9.simulate.rest import Refusal, dumps, json_response
from p9.simulate.schedule import Schedule

MARKET = "binance_option"
TICKS = {"BTC": "5.000", "ETH": "0.200"}
TICK_ELSEWHERE = "0.001"


def name_of(coin: str, option: Option) -> str:
    day = datetime.fromtimestamp(option.expiry_ms / 1000, UTC)
    return f"{coin}-{day:%y%m%d}-{option.strike_text}-{'C' if option.call else 'P'}"


class Quoted:
    """An option's texts, as this venue rounds and pads them: premiums discounted at the rate that it tells."""

    def __init__(self, chain: OptionChain, mark: Mark, now_ms: int):
        tick = float(TICKS.get(chain.coin, TICK_ELSEWHERE))
        self.discount = math.exp(-chain.rate * mark.years)
        self.name, self.index = name_of(chain.coin, mark.option), f"{chain.spot(now_ms):.8f}"
        self.rate, self.mark = f"{chain.rate:.4f}", f"{mark.price * self.discount:.3f}"
        bid = math.floor((mark.bid or 0.0) * self.discount / tick) * tick
        ask = math.ceil((mark.ask or 0.0) * self.discount / tick) * tick
        self.bid, self.ask = f"{bid:.3f}", f"{ask:.3f}"
        self.bid_size, self.ask_size = (f"{mark.bid_lots / 100:.2f}" if bid else "0.0000"), (f"{mark.ask_lots / 100:.2f}" if ask else "0.0000")
        self.vol = f"{mark.vol:.3f}"
        self.bid_vol = f"{mark.bid_vol:.8f}" if mark.bid_vol is not None and bid else "-1.0"
        self.ask_vol = f"{mark.ask_vol:.8f}" if mark.ask_vol is not None and ask else "-1.0"
        self.delta, self.gamma = f"{mark.delta:.8f}", f"{mark.gamma:.8f}"
        self.vega, self.theta = f"{mark.vega * self.discount:.8f}", f"{mark.theta * self.discount:.8f}"
        self.high, self.low = f"{mark.price * 2:.3f}", f"{mark.price / 5:.3f}"

    def text(self, now_ms: int) -> str:
        return (
            f'{{"s":"{self.name}","mp":"{self.mark}","E":{now_ms},"e":"markPrice","i":"{self.index}","P":"0.000","bo":"{self.bid}","ao":"{self.ask}",'
            f'"bq":"{self.bid_size}","aq":"{self.ask_size}","b":"{self.bid_vol}","a":"{self.ask_vol}","hl":"{self.high}","ll":"{self.low}",'
            f'"vo":"{self.vol}","rf":"{self.rate}","d":"{self.delta}","t":"{self.theta}","g":"{self.gamma}","v":"{self.vega}"}}'
        )


class MarkPrices(streams.Stream):
    """`<underlying>@optionMarkPrice`"""

    period_ms = 1000

    def __init__(self, name: str, chain: OptionChain):
        super().__init__(name, None)
        self._chain = chain

    def flush(self, now_ms: int) -> None:
        self.publish("[" + ",".join(Quoted(self._chain, mark, now_ms).text(now_ms) for mark in self._chain.marks(now_ms)) + "]")


class OpenInterest(streams.Stream):
    """`<underlying>@openInterest@<YYMMDD>`: the contracts of one expiry, and what they are worth."""

    period_ms = 60_000

    def __init__(self, name: str, chain: OptionChain, date: str):
        super().__init__(name, None)
        self._chain, self._date = chain, date
        self.period_ms = 5_000  # a minute at the venue: too long for who watches a simulation

    def flush(self, now_ms: int) -> None:
        rows = [
            f'{{"e":"openInterest","E":{now_ms},"s":"{name}","o":"{mark.interest_lots / 100:.2f}","h":"{mark.interest_lots / 100 * mark.forward:.8f}"}}'
            for mark in self._chain.marks(now_ms)
            if (name := name_of(self._chain.coin, mark.option)).split("-")[1] == self._date
        ]
        if rows:
            self.publish("[" + ",".join(rows) + "]")


class BinanceOptions(BinanceMarket):
    """`chains` by coin."""

    def __init__(self, chains: dict[str, OptionChain], schedule: Schedule, faults: Faults):
        super().__init__(MARKET, [], schedule, faults)
        self.chains = chains

    def _make(self, name: str) -> streams.Stream | None:
        pair, _, kind = name.partition("@")
        chain = self.chains.get(pair.upper().removesuffix("USDT")) if pair == pair.lower() and pair.endswith("usdt") else None
        if chain is None:
            return None
        if kind == "optionMarkPrice":
            return MarkPrices(name, chain)
        if kind.startswith("openInterest@"):
            return OpenInterest(name, chain, kind.partition("@")[2])
        return None

    def texts(self, coin: str, now_ms: int) -> dict[str, dict[str, str]]:
        """For the oracle: every option's texts, as they were or would have been sent at `now_ms`."""
        chain = self.chains[coin]
        return {quoted.name: vars(quoted) for quoted in (Quoted(chain, mark, now_ms) for mark in chain.marks(now_ms))}


class BinanceOptionsRest:
    def __init__(self, market: BinanceOptions, weights: Weights):
        self.market, self.weights = market, weights
        self._routes = {
            "/ping": (1, lambda query, now_ms: "{}"),
            "/time": (1, lambda query, now_ms: f'{{"serverTime":{now_ms}}}'),
            "/exchangeInfo": (1, self._exchange_info),
            "/mark": (5, self._mark),
            "/index": (1, self._index),
            "/openInterest": (0, self._open_interest),
        }

    async def answer(self, path: str, query) -> web.Response:
        """`path` is the venue's whole path. Never raises."""
        now_ms = int(time.time() * 1000)
        try:
            weight, route = self._routes.get(path.removeprefix("/eapi/v1"), (0, None)) if path.startswith("/eapi/v1/") else (0, None)
            if route is None:
                raise Refusal(404, "<html><body><h2>404 Not found</h2></body></html>", content_type="text/html")
            fault, patience_s = self.market.faults.of_rest(MARKET, query.get("symbol", "*"), False)
            if fault in ("http_429", "http_418"):
                raise self.weights.too_much(patience_s) if fault == "http_429" else self.weights.ban(patience_s)
            if fault == "http_500":
                raise Refusal(503, dumps({"code": -1008, "msg": "Server is currently overloaded with other requests."}))
            self.weights.spend(weight)
            return json_response(route(query, now_ms), self.weights.header())
        except Refusal as refusal:
            return refusal.response()

    def _exchange_info(self, query, now_ms: int) -> str:
        rows = []
        for coin, chain in self.market.chains.items():
            for option in chain.options(now_ms):
                filters = [
                    {"filterType": "PRICE_FILTER", "minPrice": "0.001", "maxPrice": "100000.000", "tickSize": TICKS.get(coin, TICK_ELSEWHERE)},
                    {"filterType": "LOT_SIZE", "minQty": "0.01", "maxQty": "1000", "stepSize": "0.01"},
                ]
                rows.append({
                    "expiryDate": option.expiry_ms, "filters": filters, "symbol": name_of(coin, option), "side": "CALL" if option.call else "PUT",
                    "strikePrice": f"{option.strike:.3f}", "underlying": f"{coin}USDT", "unit": 1, "liquidationFeeRate": "0.0019000", "minQty": "0.01",
                    "maxQty": "1000", "priceScale": 3, "quantityScale": 2, "quoteAsset": "USDT", "contractType": "CRYPTO_OPTIONS",
                    "underlyingType": "CRYPTO", "nakedSell": False, "status": "TRADING",
                })  # fmt: skip
        contracts = [{"baseAsset": coin, "quoteAsset": "USDT", "underlying": f"{coin}USDT", "settleAsset": "USDT"} for coin in self.market.chains]
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 400}]
        return dumps({
            "timezone": "UTC", "serverTime": now_ms - 36_000_000, "optionContracts": contracts, "optionAssets": [{"name": "USDT"}], "optionSymbols": rows,
            "rateLimits": limits,
        })  # fmt: skip

    def _mark(self, query, now_ms: int) -> str:
        rows = [
            {
                "symbol": one.name, "markPrice": one.mark, "bidIV": one.bid_vol, "askIV": one.ask_vol, "markIV": one.vol, "delta": one.delta, "theta": one.theta,
                "gamma": one.gamma, "vega": one.vega, "highPriceLimit": one.high, "lowPriceLimit": one.low, "riskFreeInterest": one.rate,
            }
            for chain in self.market.chains.values()
            for one in (Quoted(chain, mark, now_ms) for mark in chain.marks(now_ms))
            if query.get("symbol", one.name) == one.name
        ]  # fmt: skip
        if not rows:
            raise error(-1121, "Invalid symbol.")
        return dumps(rows)

    def _index(self, query, now_ms: int) -> str:
        chain = self.market.chains.get(query.get("underlying", "").removesuffix("USDT"))
        if chain is None:
            raise error(-1121, "Invalid symbol.")
        return f'{{"time":{now_ms},"indexPrice":"{chain.spot(now_ms):.8f}"}}'

    def _open_interest(self, query, now_ms: int) -> str:
        chain = self.market.chains.get(query.get("underlyingAsset", ""))
        if chain is None or not query.get("expiration"):
            raise error(-1102, "Mandatory parameter 'underlyingAsset' was not sent, was empty/null, or malformed.")
        return dumps([
            {
                "symbol": name, "sumOpenInterest": f"{mark.interest_lots / 100:.2f}", "sumOpenInterestUsd": f"{mark.interest_lots / 100 * mark.forward:.10f}",
                "timestamp": str(now_ms),
            }
            for mark in chain.marks(now_ms)
            if (name := name_of(chain.coin, mark.option)).split("-")[1] == query["expiration"]
        ])  # fmt: skip
