"""The venues' insurance pools: what they hold, how it drifts, and declines that are planted by the oracle's door."""

import zlib
from dataclasses import dataclass, field
from decimal import Decimal

from p9.simulate.bybit_streams import Topic
from p9.simulate.instrument import Instrument
from p9.simulate.rest import dumps
from p9.simulate.scale import plain

MINUTE_MS = 60_000
PLACES = Decimal("0.00000001")


@dataclass
class Decline:
    """`share` of the balance is lost over `for_ms` from `begin_ms` on."""

    begin_ms: int
    for_ms: int
    share: Decimal

    def left(self, now_ms: int) -> Decimal:
        gone = min(1, max(0, Decimal(now_ms - self.begin_ms) / max(1, self.for_ms)))
        return 1 - self.share * gone


@dataclass
class Pool:
    """`isolated`: of one symbol alone. `declines` are planted."""

    venue: str
    name: str
    asset: str
    base: Decimal
    symbols: list[str]
    isolated: bool = False
    declines: list[Decline] = field(default_factory=list)

    def balance(self, now_ms: int) -> Decimal:
        """It drifts each minute by some millionths, and declines as planted: by the second."""
        minute = now_ms // MINUTE_MS
        wander = Decimal(zlib.crc32(f"{self.venue} {self.name} {self.asset} {minute}".encode()) % 2001 - 1000).scaleb(-8)
        amount = self.base * (1 + wander)
        for decline in self.declines:
            amount *= decline.left(now_ms // 1000 * 1000)
        return amount.quantize(PLACES)


class Insurance:
    """`markets`: the instruments by market."""

    def __init__(self, markets: dict[str, list[Instrument]]):
        self.pools: list[Pool] = []
        dollars = [one.symbol for one in markets["binance_usdm"]]
        for asset, base in (("USDT", "793930579.315848"), ("BTC", "61.73143554")):
            self._add("binance", min(dollars), asset, base, dollars)
        linear = [one.symbol for one in markets["bybit_linear"]]
        if len(linear) > 1:  # the last one stands alone
            self._add("bybit", linear[-1], "USDT", "25614.92972633", linear[-1:], isolated=True)
        shared = linear[:-1] or linear
        self._add("bybit", min(shared), "USDT", "902178.57602476", shared)
        for coin in dict.fromkeys(one.listing.settle for one in markets["bybit_inverse"]):
            some = [one.symbol for one in markets["bybit_inverse"] if one.listing.settle == coin]
            self._add("bybit", min(some), coin, "1221.63143554", some)
        for market, kind in (("okx_swap", "SWAP"), ("okx_futures", "FUTURES")):
            for family in dict.fromkeys(one.listing.pair for one in markets[market]):
                some = [one for one in markets[market] if one.listing.pair == family]
                base = "3858.499" if some[0].is_inverse else "13431308.25"
                self._add("okx", f"{family} {kind}", some[0].listing.settle, base, [one.symbol for one in some])

    def _add(self, venue: str, name: str, asset: str, base: str, symbols: list[str], isolated: bool = False) -> None:
        self.pools.append(Pool(venue, name, asset, Decimal(base), symbols, isolated))

    def of(self, venue: str, **wanted: str) -> list[Pool]:
        return [pool for pool in self.pools if pool.venue == venue and all(getattr(pool, key) == value for key, value in wanted.items())]

    def plant(self, now_ms: int, percent: Decimal, for_ms: int, **wanted: str) -> int:
        """These pools lose so much from now on; how many there are."""
        hit = [pool for pool in self.pools if all(getattr(pool, key) == value for key, value in wanted.items())]
        for pool in hit:
            pool.declines.append(Decline(now_ms, for_ms, percent / 100))
        return len(hit)

    def truth(self, now_ms: int) -> list[dict]:
        return [
            {
                "venue": pool.venue, "pool": pool.name, "asset": pool.asset, "balance": plain(pool.balance(now_ms)), "had": plain(pool.base), "symbols": pool.symbols,
            }
            for pool in self.pools
        ]

    # ------------------------------------------------------------------ the venues' shapes

    def first(self, symbol: str | None, now_ms: int) -> str:
        """One object for each group of symbols, or the one that a symbol is in."""
        pools = self.of("binance")
        at_ms = now_ms // 1000 * 1000
        assets = [{"asset": pool.asset, "marginBalance": plain(pool.balance(now_ms)), "updateTime": at_ms} for pool in pools]
        group = {"symbols": pools[0].symbols, "assets": assets}
        return dumps(group if symbol else [group])

    def second(self, coin: str | None, now_ms: int) -> str:
        rows = [
            {"coin": pool.asset, "symbols": ",".join(pool.symbols), "balance": (amount := plain(pool.balance(now_ms))), "value": amount}
            for pool in self.of("bybit")
            if coin in (None, pool.asset)
        ]
        return dumps({"updatedTime": str(now_ms // 1000 * 1000), "list": rows})

    def third(self, family: str, kind: str, limit: int, now_ms: int) -> str:
        """The newest balances of a family, newest first."""
        pools, details = self.of("okx", name=f"{family} {kind}"), []
        for pool in pools:
            for back in range(limit):
                at_ms = now_ms // 1000 * 1000 - back * MINUTE_MS
                details.append(
                    {
                        "adlType": "", "amt": "1" if back % 5 == 0 else "0", "balance": plain(pool.balance(at_ms)), "ccy": pool.asset, "maxBal": "",
                        "maxBalTs": "", "ts": str(at_ms), "type": "liquidation_balance_deposit" if back % 5 == 0 else "regular_update",
                    }
                )  # fmt: skip
        return dumps({"details": details, "instFamily": family, "instType": kind, "total": "2580357003.5972"})


class InsuranceTopic(Topic):
    """insurance.USDT|USDC|inverse: isolated pools, each second that one of them changed."""

    period_ms = 1_000

    def __init__(self, name: str, instrument: Instrument, insurance: Insurance):
        super().__init__(name, instrument)
        coin = name.partition(".")[2]
        self._pools = [pool for pool in insurance.of("bybit") if pool.isolated and coin in (pool.asset, "inverse" if pool.asset != "USDT" else "")]
        self._sent: dict[str, Decimal] = {}

    def flush(self, now_ms: int) -> None:
        self._publish("delta", [pool for pool in self._pools if self._sent.get(pool.name) != pool.balance(now_ms)], now_ms)

    def first_frame(self, now_ms: int) -> str | None:
        return self._text("snapshot", self._pools, now_ms) if self._pools else None

    def _publish(self, form: str, pools: list[Pool], now_ms: int) -> None:
        if pools:
            self.publish(self._text(form, pools, now_ms))

    def _text(self, form: str, pools: list[Pool], now_ms: int) -> str:
        rows = []
        for pool in pools:
            self._sent[pool.name] = amount = pool.balance(now_ms)
            rows.append(
                f'{{"coin":"{pool.asset}","symbols":"{",".join(pool.symbols)}","balance":"{plain(amount)}","updateTime":"{now_ms // 1000 * 1000}"}}'
            )
        return f'{{"topic":"{self.name}","type":"{form}","ts":{now_ms},"data":[{",".join(rows)}]}}'
