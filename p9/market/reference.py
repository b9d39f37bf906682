"""reference:{exchange}:-, one document a venue: the captured instruments, what changed in its reference data, risk and fees, status and calendar.

The channel keeps the newest document alone, so what changed stands in it numbered, the newest hundred: who was away for a while misses none.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from cext.channel import CLASS_NAMES
from cext.outbox import Outbox
from msgspec import UNSET

from p9.fact import Maintenance, Risk, Roster, Session
from p9.instrument import Instrument
from p9.market.listings import Change

MEDIUM = CLASS_NAMES.index("MEDIUM")
KEPT_CHANGES = 100
KEPT_MAINTENANCE_NS = 24 * 3600 * 10**9  # after its end
OPEN = ("scheduled", "ongoing")


class Reference:
    """One venue's. `tell(kind, detail, **more)` hears of maintenance that concerns market data, when it begins and ends, and `note(**change)` every change."""

    def __init__(
        self, exchange: str, outbox: Outbox, *, word: str = "", tell: Callable[..., None] | None = None, note: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.exchange = exchange
        self.counts: Counter[str] = Counter()
        self.rosters: dict[str, Roster] = {}  # by market: whose reference data are published
        self.changes: deque[Change] = deque(maxlen=KEPT_CHANGES)
        self.maintenance: dict[str, Maintenance] = {}
        self._over_ns: dict[str, int] = {}  # of maintenance that is: when we heard so
        self._sessions: dict[tuple[str, int], Session] = {}
        self._risk: dict[tuple[str, str], dict[str, Any]] = {}  # (market, venue symbol)
        self._outbox = outbox
        self._channel = outbox.channel("reference", exchange, "-", "-", "-", MEDIUM, None, "", word)
        self._tell, self._note = tell or (lambda kind, detail, **more: None), note or (lambda **change: None)
        self._n = 0
        self._changed = False
        self._at_ns: int | None = None

    # ---- what comes in

    def changed(self, changes: Iterable[Change]) -> list[Change]:
        """The same changes with their numbers."""
        numbered = []
        for change in changes:
            self._n += 1
            numbered.append(msgspec.structs.replace(change, number=self._n))
            self._note(**msgspec.to_builtins(numbered[-1]))
        self.changes.extend(numbered)
        self._changed = self._changed or bool(numbered)
        return numbered

    def take(self, market: str, facts: Iterable[Any], now_ns: int) -> None:
        for fact in facts:
            if isinstance(fact, Maintenance):
                self._maintain(fact, now_ns)
            elif isinstance(fact, Session):
                self._put(self._sessions, (fact.underlying, fact.begins_ns), fact)
            elif isinstance(fact, Risk):
                said = {name: getattr(fact, name) for name in fact.__struct_fields__[1:] if getattr(fact, name) is not UNSET}
                before = self._risk.get((market, fact.venue_symbol), {})
                self._put(self._risk, (market, fact.venue_symbol), before | said)

    def _put(self, where: dict, key: Any, value: Any) -> None:
        if where.get(key) != value:
            where[key] = value
            self._changed = True

    def _maintain(self, fact: Maintenance, now_ns: int) -> None:
        before = self.maintenance.get(fact.id)
        if before is not None and None not in (fact.at_ns, before.at_ns) and fact.at_ns < before.at_ns:
            self.counts["older"] += 1
            return
        if before is None and fact.state not in OPEN:
            return  # over before we heard of it
        self._put(self.maintenance, fact.id, fact)
        if fact.state in OPEN:
            self._over_ns.pop(fact.id, None)
        else:
            self._over_ns.setdefault(fact.id, now_ns)
        state = before.state if before is not None else None
        if fact.data and fact.state != state and (fact.state == "ongoing" or state == "ongoing"):
            self._tell("maintenance", f"{self.exchange}: {fact.title}: {fact.state}", source=self.exchange, state=fact.state, previous=state)

    def touch(self) -> None:
        """The captured instruments are others, or were read again."""
        self._changed = True

    # ---- what goes out

    def under_maintenance(self) -> bool:
        """Market data may be missing because the venue works on it."""
        return any(fact.state == "ongoing" and fact.data for fact in self.maintenance.values())

    def publish(self, now_ns: int) -> None:
        """If something is new."""
        for id, fact in list(self.maintenance.items()):
            if fact.state not in OPEN and (fact.ends_ns or fact.at_ns or self._over_ns[id]) < now_ns - KEPT_MAINTENANCE_NS:
                del self.maintenance[id], self._over_ns[id]
                self._changed = True
        for key in [key for key, session in self._sessions.items() if session.ends_ns < now_ns]:
            del self._sessions[key]
            self._changed = True
        if not self._changed:
            return
        self._changed = False
        rows = [row for roster in self.rosters.values() for row in roster]
        self._outbox.emit(self._channel, msgspec.json.encode(self.document(rows)), ts_recv=now_ns)
        self.counts["published"] += 1

    def document(self, rows: Iterable[Instrument]) -> dict[str, Any]:
        rows = sorted(rows, key=lambda row: (row.market, row.symbol))
        return {
            "instruments": [_instrument(row) for row in rows],
            "changes": list(self.changes),
            "risk": [
                {"market": row.market, "symbol": row.symbol, **_risk(self._risk[row.market, row.venue_symbol])}
                for row in rows
                if (row.market, row.venue_symbol) in self._risk
            ],
            "status": [_maintenance(fact) for fact in sorted(self.maintenance.values(), key=lambda fact: fact.begins_ns or 0)],
            "calendar": [
                *(
                    {"kind": "delisting" if row.kind == "perpetual" else "expiry", "market": row.market, "symbol": row.symbol, "time": row.expires_ns}
                    for row in sorted(rows, key=lambda row: row.expires_ns or 0)
                    if row.expires_ns is not None
                ),
                *(
                    {"kind": "session", "underlying": one.underlying, "session": one.kind, "time": one.begins_ns, "until": one.ends_ns}
                    for one in sorted(self._sessions.values(), key=lambda one: one.begins_ns)
                ),
            ],
        }  # fmt: skip

    def close(self) -> None:
        self._outbox.leave(self._channel)

    def status(self) -> dict[str, Any]:
        return {"changes": self._n, "maintenance": [_maintenance(fact) for fact in self.maintenance.values()], "counts": dict(self.counts)}


def _instrument(row: Instrument) -> dict[str, Any]:
    return {
        "symbol": row.symbol, "market": row.market, "venue_symbol": row.venue_symbol, "kind": row.kind, "base": row.base, "quote": row.quote,
        "settle": row.settle, "status": row.status, "trading": row.trading, "tick": row.tick, "step": row.step, "contract": row.contract,
        "contract_value": row.contract_value, "multiplier": row.multiplier, "listed_time": row.listed_ns, "expires_time": row.expires_ns,
    }  # fmt: skip


def _risk(said: dict[str, Any]) -> dict[str, Any]:
    names = {"tiers": "tiers", "adl_risk": "adl_risk", "highest_bid": "highest_bid", "lowest_ask": "lowest_ask", "fee_group": "fee_group", "at_ns": "as_of"}
    return {name: said.get(field) for field, name in names.items()}


def _maintenance(fact: Maintenance) -> dict[str, Any]:
    return {
        "id": fact.id, "title": fact.title, "state": fact.state, "market_data": fact.data, "planned": fact.planned, "begins": fact.begins_ns,
        "ends": fact.ends_ns,
    }  # fmt: skip
