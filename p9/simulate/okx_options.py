"""The third venue's options, two families a coin: settled in the coin, with premiums in coins, and in dollars.

opt-summary comes once a second in two pushes; prices, sizes and open interest are told by REST alone.
"""

import math
import time
from datetime import UTC, datetime

from p9.simulate import okx_streams as streams
from p9.simulate.option_chain import Mark, Option, OptionChain
from p9.simulate.rest import dumps

RATE = 0.01  # its Black-Scholes greeks are discounted at that
CONTRACT = "0.01"  # coins
FIRST_CODE = 263_600


class Family:
    """`BTC-USD` or `BTC-USD_UM`. It stands where a channel has its instrument."""

    market = "okx_option"

    def __init__(self, name: str, chain: OptionChain):
        self.symbol = name
        self.chain = chain
        self.in_coin = not name.endswith("_UM")
        self.tick = 0.0001 if self.in_coin else 1.0 if chain.coin == "BTC" else 0.1

    def name_of(self, option: Option) -> str:
        day = datetime.fromtimestamp(option.expiry_ms / 1000, UTC)
        return f"{self.symbol}-{day:%y%m%d}-{option.strike_text}-{'C' if option.call else 'P'}"

    def quoted(self, now_ms: int) -> list["Quoted"]:
        return [Quoted(self, mark, now_ms) for mark in self.chain.marks(now_ms)]


class Quoted:
    """An option's texts: sizes in contracts, premiums of a family in coins are coins, both sets of greeks."""

    def __init__(self, family: Family, mark: Mark, now_ms: int):
        unit, discount = (mark.forward if family.in_coin else 1.0), math.exp(-RATE * mark.years)
        bid, ask = math.floor((mark.bid or 0.0) / unit / family.tick), math.ceil((mark.ask or 0.0) / unit / family.tick)
        self.name, self.at = family.name_of(mark.option), str(now_ms)
        self.forward, self.vol = f"{mark.forward:.10f}", f"{mark.vol:.10f}"
        self.bid_vol = f"{mark.bid_vol:.10f}" if mark.bid_vol is not None and bid else "0" if mark.bid_lots % 2 else ""
        self.ask_vol = f"{mark.ask_vol:.10f}" if mark.ask_vol is not None and ask else "5" if mark.bid_lots % 2 else ""
        self.mark = f"{mark.price / unit:.16f}"
        self.bid, self.bid_size = (f"{bid * family.tick:.4f}".rstrip("0").rstrip("."), str(mark.bid_lots)) if bid else ("", "")
        self.ask, self.ask_size = (f"{ask * family.tick:.4f}".rstrip("0").rstrip("."), str(mark.ask_lots)) if ask else ("", "")
        self.interest = str(mark.interest_lots)
        greeks = (mark.delta * discount, mark.gamma * discount, mark.vega * discount, mark.theta * discount)
        self.delta, self.gamma, self.vega, self.theta = (f"{value:.10f}" for value in greeks)
        coin = mark.price / mark.forward
        adjusted = (mark.delta - coin, mark.gamma * mark.forward - 2 * mark.delta + 2 * coin, mark.vega / mark.forward, mark.theta / mark.forward)
        self.delta_coin, self.gamma_coin, self.vega_coin, self.theta_coin = (f"{value:.10f}" for value in adjusted)

    def summary(self, family: Family) -> str:
        return (
            f'{{"instType":"OPTION","instId":"{self.name}","uly":"{family.chain.coin}-USD","delta":"{self.delta_coin}","gamma":"{self.gamma_coin}",'
            f'"vega":"{self.vega_coin}","theta":"{self.theta_coin}","lever":"8.46","markVol":"{self.vol}","bidVol":"{self.bid_vol}","askVol":"{self.ask_vol}",'
            f'"realVol":"","deltaBS":"{self.delta}","gammaBS":"{self.gamma}","thetaBS":"{self.theta}","vegaBS":"{self.vega}","ts":"{self.at}",'
            f'"fwdPx":"{self.forward}","volLv":"0.5"}}'
        )


class Summary(streams.Channel):
    """opt-summary of a family."""

    period_ms = 1000
    ears = ()  # it hears no order flow

    def __init__(self, family: Family):
        super().__init__([family])
        self.family = family

    def flush(self, now_ms: int) -> None:
        rows = [one.summary(self.family) for one in self.family.quoted(now_ms)]
        half = len(rows) // 2
        for part in (rows[:half], rows[half:]):
            self.publish(f'"data":[{",".join(part)}]}}')

    def first_tail(self, now_ms: int) -> str:
        return f'"data":[{",".join(one.summary(self.family) for one in self.family.quoted(now_ms))}]}}'


class OkxOptions:
    """`chains` by coin. What answers REST gives the rows of `data`."""

    def __init__(self, chains: dict[str, OptionChain]):
        self.families = {f"{coin}-USD{kind}": Family(f"{coin}-USD{kind}", chain) for coin, chain in chains.items() for kind in ("", "_UM")}

    def channel(self, family: str) -> Summary | None:
        return Summary(self.families[family]) if family in self.families else None

    def answer(self, path: str, query) -> list[str] | None:
        """The rows of a question about options; None for any other."""
        if path != "public/opt-summary" and query.get("instType") != "OPTION":
            return None
        routes = {
            "public/opt-summary": self.summary, "public/instruments": self.instruments, "public/mark-price": self.marks,
            "public/open-interest": self.interest, "market/tickers": self.tickers,
        }  # fmt: skip
        return routes[path](query) if path in routes else None

    def _quoted(self, query) -> tuple[Family, list[Quoted]] | None:
        family = self.families.get(query.get("instFamily", ""))
        return (family, family.quoted(int(time.time() * 1000))) if family is not None else None

    def summary(self, query) -> list[str] | None:
        found = self._quoted(query)
        return [one.summary(found[0]) for one in found[1]] if found else None

    def tickers(self, query) -> list[str] | None:
        found = self._quoted(query)
        return [
            dumps({
                "instType": "OPTION", "instId": one.name, "last": "", "lastSz": "0", "askPx": one.ask, "askSz": one.ask_size, "bidPx": one.bid,
                "bidSz": one.bid_size, "open24h": "", "high24h": "", "low24h": "", "sodUtc0": "", "sodUtc8": "", "volCcy24h": "0", "vol24h": "0", "ts": one.at,
            })
            for one in found[1]
        ] if found else None  # fmt: skip

    def marks(self, query) -> list[str] | None:
        found = self._quoted(query)
        return [dumps({"instId": one.name, "instType": "OPTION", "markPx": one.mark, "ts": one.at}) for one in found[1]] if found else None

    def interest(self, query) -> list[str] | None:
        """With the noise of a binary float in the coins, as at the venue."""
        found = self._quoted(query)
        return [
            dumps({
                "instId": one.name, "instType": "OPTION", "oi": f"{one.interest}.00000000000003", "oiCcy": f"{int(one.interest) / 100:.17f}", "oiUsd": "1",
                "ts": one.at,
            })
            for one in found[1]
        ] if found else None  # fmt: skip

    def instruments(self, query) -> list[str] | None:
        family = self.families.get(query.get("instFamily", ""))
        if family is None:
            return None
        coin = family.chain.coin
        return [
            dumps({
                "alias": "", "baseCcy": "", "category": "1", "ctMult": CONTRACT, "ctType": "inverse" if family.in_coin else "linear", "ctVal": "1",
                "ctValCcy": coin, "expTime": str(option.expiry_ms), "instCategory": "1", "instFamily": family.symbol, "instId": family.name_of(option),
                "instIdCode": FIRST_CODE + number, "instType": "OPTION", "lever": "", "listTime": str(option.expiry_ms - 30 * 86_400_000), "lotSz": "1",
                "maxLmtSz": "1000000", "minSz": "1", "optType": "C" if option.call else "P", "quoteCcy": "", "ruleType": "normal",
                "settleCcy": coin if family.in_coin else "USD", "state": "live", "stk": option.strike_text,
                "tickSz": f"{family.tick:.4f}".rstrip("0").rstrip("."), "uly": f"{coin}-USD",
            })
            for number, option in enumerate(family.chain.options(int(time.time() * 1000)))
        ]  # fmt: skip

    def texts(self, family: str, now_ms: int) -> dict[str, dict[str, str]]:
        """For the oracle: every option's texts, as they were or would have been sent at `now_ms`."""
        return {quoted.name: vars(quoted) for quoted in self.families[family].quoted(now_ms)}
