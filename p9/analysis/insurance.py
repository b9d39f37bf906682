"""insurance_fund and insurance_alerts: how well a venue's insurance pools are, by how their balances changed.

`stress` goes by the change over 24 h in percent, as the configuration's thresholds have it; an asset's is that of its worst pool. `score` is how near a pool is
to what lets venues deleverage: a drawdown of 30 % in 8 h (one venue's published rule), a tenth lost within an hour, or liquidations of an hour as large as
itself; 1 is there, bands are 0.33, 0.66 and 1. A pool whose balance the venue has not told anew for long is stale: it raises no stress.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from cext.channel import CLASS_NAMES
from cext.outbox import Outbox

from p9.analysis.balances import Balances, Past
from p9.fact import InsurancePool
from p9.number import EXACT, exact, plain
from p9.samples import Samples

CRITICAL, MEDIUM = CLASS_NAMES.index("CRITICAL"), CLASS_NAMES.index("MEDIUM")
LEVELS = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
MINUTE_NS, MINUTES = 60 * 10**9, 61  # what an hour of liquidations is remembered by
HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
DRAWDOWN_LIMIT = Decimal("0.30")  # of the pool's greatest balance of 8 h: then contracts are deleveraged
DECLINE_LIMIT = Decimal("0.10")  # of the balance within an hour
ABSENT_POLLS = 3  # a pool that is in none of so many answers is gone


class InsuranceSettings(msgspec.Struct, frozen=True):
    """Percents over 24 h, negative; `fast_decline` within one hour, from the hour's greatest balance."""

    medium: float = -1.0
    high: float = -5.0
    critical: float = -10.0
    fast_decline: float = -3.0
    recovery: float = 0.9  # a level that was told is left when the change is above so much of its threshold
    tolerance_s: float = 2400.0  # how far from 24 h ago a sample may be
    stale_s: float = 50 * 3600.0  # a balance that the venue told longer ago is stale
    poll_s: float = 300.0


class Judgement(msgspec.Struct, frozen=True):
    """One pool's. None: not known (yet)."""

    change_24h: Decimal | None  # percent
    decline_1h: Decimal  # share of the hour's greatest balance, 0 to 1 and beyond
    score: float
    level: int | None


def judge(balance: Decimal, past: Past, now_ns: int, liquidated: Decimal, settings: InsuranceSettings) -> Judgement:
    """`liquidated`: of this pool's contracts within the last hour, in its asset."""
    before = past.at(now_ns - DAY_NS, round(settings.tolerance_s * 1e9))
    change = None if before is None or before <= 0 else EXACT.divide((balance - before) * 100, before)
    top_8h, top_1h = past.greatest(now_ns - 8 * HOUR_NS), past.greatest(now_ns - HOUR_NS)
    decline = _fall(balance, top_1h)
    if balance <= 0:
        score = Decimal(1)
    else:
        lost = max(Decimal(0), (top_1h if top_1h is not None else balance) - balance)
        score = max(
            EXACT.divide(_fall(balance, top_8h), DRAWDOWN_LIMIT), EXACT.divide(lost, DECLINE_LIMIT * balance), EXACT.divide(liquidated, balance),
            Decimal(0),
        )  # fmt: skip
    level = None if change is None else level_of(change, settings)
    return Judgement(change, decline, round(float(score), 4), 3 if balance <= 0 and level is not None else level)


def _fall(balance: Decimal, top: Decimal | None) -> Decimal:
    if top is None or top <= balance:
        return Decimal(0)
    return EXACT.divide(top - balance, top) if top > 0 else Decimal(1)


def level_of(change: Decimal, settings: InsuranceSettings, ease: float = 1.0) -> int:
    """0 LOW to 3 CRITICAL. `ease`: share of each threshold that is applied."""
    thresholds = (settings.medium, settings.high, settings.critical)
    return sum(change <= Decimal(str(threshold)) * Decimal(str(ease)) for threshold in thresholds)


class _Pool(msgspec.Struct):
    """One pool as last told."""

    fact: InsurancePool
    balance: Decimal
    seen_ns: int
    told_ns: int  # by a poll
    falling: bool = False  # a fast decline was told


class _Fund(msgspec.Struct):
    """One asset of one venue."""

    exchange: str
    asset: str
    pools: dict[str, _Pool] = {}
    told: int | None = None  # the level that consumers know
    channels: tuple[Any, Any] | None = None
    fields: dict[str, Any] = {}  # as last published


class InsuranceFunds:
    """`take` hears what polls and streams say of one venue. `words`: other first words of (insurance_fund, insurance_alerts)."""

    def __init__(
        self, outbox: Outbox, balances: Balances, *, settings: InsuranceSettings | None = None, words: tuple[str, str] = ("", ""),
        log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.balances, self.settings, self.words = balances, settings or InsuranceSettings(), words
        self.counts: Counter[str] = Counter()
        self._outbox = outbox
        self._funds: dict[tuple[str, str], _Fund] = {}
        self._liquidated: dict[tuple[str, str, str], Samples] = {}  # (exchange, asset, venue symbol): minutes of an hour
        self._listeners: list[Callable[[str, str | None, Mapping[str, Any]], None]] = []
        self._log = log or (lambda *_, **__: None)

    def listen(self, hear: Callable[[str, str | None, Mapping[str, Any]], None]) -> None:
        """`hear(exchange, stress, fields)`: of a venue's worst asset, with what was published of it; None: not known. At each poll, changed or not."""
        self._listeners.append(hear)

    def take(self, exchange: str, pools: Iterable[InsurancePool], recv_ns: int, *, polled: bool) -> None:
        changed: dict[str, _Fund] = {}
        for fact in pools:
            fund = self._funds.setdefault((exchange, fact.asset), _Fund(exchange, fact.asset))
            known = fund.pools.get(fact.name)
            if known is not None and fact.at_ns is not None and known.fact.at_ns is not None and fact.at_ns < known.fact.at_ns:
                self.counts["older"] += 1
                known.told_ns = recv_ns if polled else known.told_ns
                continue
            balance = exact(fact.balance)
            pool = fund.pools[fact.name] = known or _Pool(fact, balance, recv_ns, recv_ns)
            pool.fact, pool.balance, pool.seen_ns = fact, balance, recv_ns
            if polled:
                pool.told_ns = recv_ns
            self.balances.add(exchange, fact.asset, fact.name, recv_ns, balance)
            changed[fact.asset] = fund
        for fund in changed.values():
            self._publish(fund, recv_ns)
        if changed:
            self._hand_on(exchange)

    def liquidated(self, exchange: str, asset: str, venue_symbol: str, amount: Decimal, at_ns: int) -> None:
        """A position of so much was liquidated."""
        minutes = self._liquidated.get((exchange, asset, venue_symbol))
        if minutes is None:
            hour_ns = at_ns - HOUR_NS  # contracts come and go: whose last one is so long ago is forgotten
            self._liquidated = {key: one for key, one in self._liquidated.items() if one.time(len(one) - 1) >= hour_ns}
            minutes = self._liquidated[exchange, asset, venue_symbol] = Samples(MINUTES)
        newest = len(minutes) - 1
        if newest >= 0 and at_ns - minutes.time(newest) < MINUTE_NS:
            minutes.amend(EXACT.add(minutes.value(newest), amount))
        else:
            minutes.append(at_ns, amount)

    def keep(self, exchanges: Collection[str]) -> None:
        """Nobody asks the other venues any more: their channels can be taken again."""
        for key in [key for key in self._funds if key[0] not in exchanges]:
            fund = self._funds.pop(key)
            for channel in fund.channels or ():
                self._outbox.leave(channel)
            self._hand_on(key[0])

    def _hand_on(self, exchange: str) -> None:
        known = [fund.fields for (venue, _), fund in self._funds.items() if venue == exchange and fund.fields.get("stress") is not None]
        worst = max(known, key=lambda fields: LEVELS.index(fields["stress"]), default={})
        for hear in self._listeners:
            hear(exchange, worst.get("stress"), worst)

    def _publish(self, fund: _Fund, now_ns: int) -> None:
        settings = self.settings
        absent_ns = round(ABSENT_POLLS * settings.poll_s * 1e9)
        for name in [name for name, pool in fund.pools.items() if now_ns - max(pool.told_ns, pool.seen_ns) > absent_ns]:
            del fund.pools[name]
            self.counts["gone"] += 1
        rows, levels = [], []
        total = before = Decimal(0)
        known_before = True
        for name, pool in sorted(fund.pools.items()):
            past = self.balances.past(fund.exchange, fund.asset, name)
            judgement = judge(pool.balance, past, now_ns, self._liquidated_of(fund, pool, now_ns), settings)
            as_of_ns = pool.fact.at_ns
            stale = as_of_ns is not None and now_ns - as_of_ns > settings.stale_s * 1e9
            if judgement.level is not None and not stale:
                levels.append((judgement.level, -(judgement.change_24h or 0), name, pool, judgement))
            self._tell_decline(fund, name, pool, judgement, stale, now_ns)
            total += pool.balance
            was = past.at(now_ns - DAY_NS, round(settings.tolerance_s * 1e9))
            known_before = known_before and was is not None
            before += was or 0
            rows.append(
                {
                    "pool": name, "balance": pool.fact.balance, "symbols": pool.fact.symbols, "change_24h_percent": _percent(judgement.change_24h),
                    "stress": None if judgement.level is None or stale else LEVELS[judgement.level], "score": judgement.score, "as_of": as_of_ns,
                    "stale": stale,
                }
            )  # fmt: skip
        worst = max(levels, key=lambda row: row[:2]) if levels else None
        change = EXACT.divide((total - before) * 100, before) if known_before and before > 0 else None
        told = [row["as_of"] for row in rows if row["as_of"] is not None]
        fields = {
            "total": plain(total), "change_24h_percent": _percent(change), "stress": LEVELS[worst[0]] if worst else None,
            "worst_pool": worst[2] if worst else None, "score": max((row["score"] for row in rows if not row["stale"]), default=None),
            "as_of": min(told, default=None), "pools": rows,
        }  # fmt: skip
        fund.fields = fields
        self._outbox.emit(self._channels(fund)[0], msgspec.json.encode(fields), ts_event=max(told, default=now_ns), ts_recv=now_ns)
        self.counts["published"] += 1
        if worst is not None:
            self._tell_level(fund, worst, now_ns)

    def _channels(self, fund: _Fund) -> tuple[Any, Any]:
        if fund.channels is None:
            fund.channels = tuple(
                self._outbox.channel(kind, fund.exchange, fund.asset, "-", fund.asset, cls, None, "", word)
                for kind, cls, word in (("insurance_fund", MEDIUM, self.words[0]), ("insurance_alerts", CRITICAL, self.words[1]))
            )
        return fund.channels

    def _liquidated_of(self, fund: _Fund, pool: _Pool, now_ns: int) -> Decimal:
        total = Decimal(0)
        for key in [(fund.exchange, fund.asset, symbol) for symbol in pool.fact.symbols if (fund.exchange, fund.asset, symbol) in self._liquidated]:
            minutes = self._liquidated[key]
            amounts = [minutes.value(n) for n, at_ns in enumerate(minutes.times()) if at_ns >= now_ns - HOUR_NS]
            total = sum(amounts, total)
        return total

    def _tell_level(self, fund: _Fund, worst: tuple, now_ns: int) -> None:
        """A level is told as soon as it is reached, and left when the change has recovered a bit. The first one known is told if it is not the lowest."""
        level, _, name, pool, judgement = worst
        before = fund.told
        if before is not None and level < before:
            level = min(before, max(level, level_of(judgement.change_24h, self.settings, self.settings.recovery)))
        if level == before:
            return
        fund.told = level
        if before is None and level == 0:
            return
        self._alert(fund, now_ns, "level", name, pool, judgement, stress=LEVELS[level], previous=None if before is None else LEVELS[before])

    def _tell_decline(self, fund: _Fund, name: str, pool: _Pool, judgement: Judgement, stale: bool, now_ns: int) -> None:
        limit = Decimal(str(-self.settings.fast_decline)) / 100
        if judgement.decline_1h < limit / 2:
            pool.falling = False
        if pool.falling or stale or judgement.decline_1h < limit:
            return
        pool.falling = True
        stress = None if judgement.level is None else LEVELS[judgement.level]
        self._alert(fund, now_ns, "fast_decline", name, pool, judgement, stress=stress, previous=stress)

    def _alert(self, fund: _Fund, now_ns: int, kind: str, name: str, pool: _Pool, judgement: Judgement, **more: Any) -> None:
        fields = {
            "kind": kind, "pool": name, "balance": pool.fact.balance, "change_24h_percent": _percent(judgement.change_24h),
            "decline_1h_percent": _percent(judgement.decline_1h * 100), "score": judgement.score, "as_of": pool.fact.at_ns, **more,
        }  # fmt: skip
        self._log("insurance alert", exchange=fund.exchange, asset=fund.asset, **fields)
        ts_event = pool.fact.at_ns if pool.fact.at_ns is not None else now_ns
        self._outbox.emit(self._channels(fund)[1], msgspec.json.encode(fields), ts_event=ts_event, ts_recv=now_ns)
        self.counts[f"alerts_{kind}"] += 1

    def status(self) -> Mapping[str, Any]:
        return {
            "funds": {
                f"{exchange}:{asset}": {"pools": len(fund.pools), "stress": None if fund.told is None else LEVELS[fund.told]}
                for (exchange, asset), fund in self._funds.items()
            },
            "counts": dict(self.counts), "history": dict(self.balances.counts),
        }  # fmt: skip


def _percent(share: Decimal | None) -> float | None:
    return None if share is None else round(float(share), 4)
