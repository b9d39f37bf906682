"""Deleveraging as the venues tell it, from what their insurance pools hold: a pool that is empty, or lost too much of what it had."""

import time
from decimal import Decimal

from p9.simulate.bybit_streams import Topic
from p9.simulate.instrument import Instrument
from p9.simulate.insurance import Insurance, Pool
from p9.simulate.okx_streams import Channel
from p9.simulate.rest import dumps
from p9.simulate.scale import plain

TRIGGER, STOP = Decimal("-0.3"), Decimal("-0.25")  # of what a pool had
WARNED = Decimal("-0.1")


def lost(pool: Pool, now_ms: int) -> Decimal:
    """The share that is gone, below 0."""
    return min(Decimal(0), (pool.balance(now_ms) / pool.base - 1).quantize(Decimal("0.0001")))


def risk(insurance: Insurance, symbol: str) -> str:
    """The first venue's word for how likely it is, from the worst pool that a symbol is in."""
    now_ms = int(time.time() * 1000)
    worst = min((lost(pool, now_ms) for pool in insurance.of("binance") if symbol in pool.symbols), default=Decimal(0))
    return "high" if worst <= TRIGGER else "medium" if worst <= WARNED else "low"


def second(insurance: Insurance, symbol: str | None, now_ms: int) -> str:
    """adlAlert by REST."""
    rows = [
        {
            "coin": pool.asset, "symbol": name, "balance": plain(pool.balance(now_ms)), "maxBalance": "", "insurancePnlRatio": plain(TRIGGER),
            "pnlRatio": plain(lost(pool, now_ms)), "adlTriggerThreshold": plain(pool.base / 10), "adlStopRatio": plain(STOP),
        }
        for pool in insurance.of("bybit") for name in pool.symbols if symbol in (None, name)
    ]  # fmt: skip
    return dumps({"updatedTime": str(now_ms // 1000 * 1000), "list": rows})


class AdlTopic(Topic):
    """adlAlert.USDT|USDC|inverse: all its contracts, each second. Its figures are JSON numbers."""

    period_ms = 1_000

    def __init__(self, name: str, instrument: Instrument, insurance: Insurance):
        super().__init__(name, instrument)
        coin = name.partition(".")[2]
        dollars = ("USDT", "USDC")
        self._pools = [pool for pool in insurance.of("bybit") if pool.asset == coin or (coin == "inverse" and pool.asset not in dollars)]

    def flush(self, now_ms: int) -> None:
        self.publish(self.first_frame(now_ms))

    def first_frame(self, now_ms: int) -> str:
        rows = [
            f'{{"c":"{pool.asset}","s":"{name}","b":{plain(pool.balance(now_ms))},"mb":"","i_pr":{plain(TRIGGER)},"pr":{plain(lost(pool, now_ms))},'
            f'"adl_tt":{plain(pool.base / 10)},"adl_sr":{plain(STOP)}}}'
            for pool in self._pools for name in pool.symbols
        ]  # fmt: skip
        return f'{{"topic":"{self.name}","type":"snapshot","ts":{now_ms},"data":[{",".join(rows)}]}}'


class AdlWarnings(Channel):
    """adl-warning of one instType: each second a push for every family that is warned of or deleveraged, and nothing of the others."""

    period_ms = 1_000

    def __init__(self, instruments: list[Instrument], kind: str, insurance: Insurance):
        super().__init__(instruments)
        self._kind, self._insurance = kind, insurance

    def flush(self, now_ms: int) -> None:
        for pool in self._insurance.of("okx"):
            family, _, kind = pool.name.rpartition(" ")
            state = "adl" if lost(pool, now_ms) <= TRIGGER else "warning" if lost(pool, now_ms) <= WARNED else ""
            if kind == self._kind and state:
                self.publish(
                    f'"data":[{{"instType":"{kind}","instFamily":"{family}","state":"{state}","bal":"{plain(pool.balance(now_ms))}","ccy":"","maxBal":"",'
                    f'"maxBalTs":"","adlType":"","adlBal":"","adlRecBal":"","ts":"{now_ms}","decRate":"","adlRate":"","adlRecRate":""}}]}}'
                )
