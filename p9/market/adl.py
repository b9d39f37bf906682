"""adl: whether, and why, a venue deleverages: when its fund can no longer take over the positions that it liquidates, it closes those of the winners.

What a venue tells differs: one its pool's figures and the rule (then the state is worked out here, with the rule's own hysteresis), one a warning that
is repeated for as long as it holds (so its silence means normal), one nothing but how likely it is. An event is published when the state, its
reason or the likelihood changed, and once at first.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from cext.channel import CLASS_NAMES
from cext.outbox import Outbox
from msgspec import UNSET

from p9.fact import Adl, Roster
from p9.instrument import Instrument

LOOK_S = 0.5
CRITICAL = CLASS_NAMES.index("CRITICAL")
FIGURES = ("balance", "pnl_ratio", "trigger_ratio", "stop_ratio", "balance_threshold", "pool")


class _Known(msgspec.Struct):
    """Of one instrument. `until_ns`: a state that is not repeated by then has ended; 0: it stands."""

    one: Instrument
    channel: Any
    state: str | None = None
    reason: str | None = None
    risk: str | None = None
    at_ns: int = 0
    until_ns: int = 0
    told: bool = False


class AdlBoard:
    """`word`: another first word of the channel."""

    def __init__(self, outbox: Outbox, *, word: str = "", log: Callable[..., None] | None = None):
        self.word = word
        self.counts: Counter[str] = Counter()
        self._outbox = outbox
        self._known: dict[tuple[str, str], _Known] = {}  # (market, venue symbol)
        self._log = log or (lambda *_, **__: None)

    def take(self, roster: Roster, facts: Iterable[Any], source: str, recv_ns: int) -> None:
        for fact in facts:
            one = roster.by_symbol.get(fact.venue_symbol) if isinstance(fact, Adl) else None
            if one is not None:
                self._take(one, fact, source, recv_ns)

    def _take(self, one: Instrument, fact: Adl, source: str, recv_ns: int) -> None:
        self.counts[source] += 1
        known = self._known.get((one.market, one.venue_symbol))
        if known is None:
            channel = self._outbox.channel("adl", one.exchange, one.symbol, one.market, one.venue_symbol, CRITICAL, None, "", self.word)
            known = self._known[one.market, one.venue_symbol] = _Known(one, channel)
        at_ns = recv_ns if fact.at_ns is None else fact.at_ns
        if at_ns < known.at_ns:  # a REST cache may go back
            self.counts["older"] += 1
            return
        known.at_ns = at_ns
        state, reason = (known.state, known.reason) if fact.state is UNSET else (fact.state, None if fact.reason is UNSET else fact.reason)
        risk = known.risk if fact.risk is UNSET else fact.risk
        known.until_ns = recv_ns + round(fact.holds_s * 1e9) if fact.holds_s else 0
        if known.told and (state, reason, risk) == (known.state, known.reason, known.risk):
            return
        figures = {name: None if getattr(fact, name) is UNSET else getattr(fact, name) for name in FIGURES}
        self._tell(known, state, reason, risk, source, figures, fact.at_ns, recv_ns)

    async def run(self, now_ns: Callable[[], int]) -> None:
        """For ever, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look(now_ns())

    def look(self, now_ns: int) -> None:
        """What a venue repeats while it holds, and did not repeat, is over."""
        for known in self._known.values():
            if known.until_ns and now_ns >= known.until_ns:
                known.until_ns = 0
                self._tell(known, "normal", "silence", known.risk, "stream", dict.fromkeys(FIGURES), None, now_ns)

    def interrupted(self, market: str, now_ns: int) -> None:
        """Nobody repeats anything on a lost socket: what held is not known any more."""
        for (name, _), known in self._known.items():
            if name == market and known.until_ns:
                known.until_ns = 0
                self._tell(known, None, "disconnect", known.risk, "stream", dict.fromkeys(FIGURES), None, now_ns)

    def forget(self, market: str, venue_symbol: str) -> None:
        """An instrument is gone: its channel falls silent and can be taken again."""
        known = self._known.pop((market, venue_symbol), None)
        if known is not None:
            self._outbox.leave(known.channel)

    def _tell(
        self, known: _Known, state: str | None, reason: str | None, risk: str | None, source: str, figures: dict[str, Any], ts_event: int | None,
        recv_ns: int,
    ) -> None:  # fmt: skip
        fields = {"state": state, "previous": known.state, "reason": reason, "risk": risk, "source": source, **figures}
        if known.told or state != "normal":
            self._log("adl", market=known.one.market, symbol=known.one.symbol, state=state, previous=known.state, reason=reason, risk=risk)
        known.state, known.reason, known.risk, known.told = state, reason, risk, True
        self.counts["published"] += 1
        times = {"ts_recv": recv_ns} if ts_event is None else {"ts_event": ts_event, "ts_recv": recv_ns}
        self._outbox.emit(known.channel, msgspec.json.encode(fields), **times)

    def status(self) -> dict[str, Any]:
        states = Counter(str(known.state) for known in self._known.values())
        return {"instruments": len(self._known), "states": dict(states), "counts": dict(self.counts)}
