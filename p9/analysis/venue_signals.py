"""What one symbol's signals come to over all venues that have it, and the signals that polled figures make: funding, basis, insurance, skew.

    total of a symbol = mean of its venues' totals, by confidence      told with the same hysteresis as an instrument's own

It looks ten times a second; a venue of which nothing is known counts for nothing.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
from cext.outbox import Outbox

CRITICAL = 0
LOOK_S = 0.1
DIGITS = 6


class VenueSignalsSettings(msgspec.Struct, frozen=True):
    """Strengths from 0 to 1; what a figure must be for a strength of about three quarters."""

    enter: float = 0.3
    leave: float = 0.15
    step: float = 0.2
    pause_s: float = 1.0
    funding_annualised: float = 0.5  # as a share: half of the position a year
    basis_bps: float = 30.0
    skew_shift: float = 0.05  # of the risk reversal, in volatility
    skew_half_life_s: float = 86_400.0


class Told(msgspec.Struct):
    """What was published of one symbol last."""

    channel: Any
    strength: float = 0.0  # 0: not in force
    since_ns: int = 0
    at_s: float = 0.0
    begun: int = 0


class VenueSignals:
    """`sources()` are the (exchange, symbol, its cext Signals) there are now; `seconds` counts the time from the first look at a change to its event."""

    def __init__(
        self, outbox: Outbox, sources: Callable[[], Iterable[tuple[str, str, Any]]], settings: VenueSignalsSettings | None = None, *, word: str = ""
    ):
        self.settings = settings or VenueSignalsSettings()
        self.looked_s: list[float] = []  # how long each of the last looks took
        self._outbox, self._sources, self._word = outbox, sources, word
        self._told: dict[str, Told] = {}
        self._streams: dict[tuple[str, str], Any] = {}
        self._stresses: dict[str, tuple[float | None, dict[str, Any]]] = {}  # {exchange: (strength, inputs)}
        self._skews: dict[tuple[str, str], tuple[float, float]] = {}  # {(exchange, underlying): (mean, when it was last told)}

    async def run(self) -> None:
        """For ever, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            began_s = time.perf_counter()
            self.look(asyncio.get_running_loop().time(), self._outbox.clock.now())
            self.looked_s = [*self.looked_s[-99:], time.perf_counter() - began_s]

    def look(self, now_s: float, now_ns: int) -> None:
        """Take every instrument's total, and tell what changed."""
        by_symbol: dict[str, dict[str, tuple[float, float]]] = {}
        before, self._streams = self._streams, {}
        for exchange, symbol, stream in self._sources():
            self._streams[exchange, symbol] = stream
            total = stream.total_now()
            by_symbol.setdefault(symbol, {})
            if total is not None:
                by_symbol[symbol][exchange] = total
            if before.get((exchange, symbol)) is not stream:
                self._tell_stress(exchange, symbol)
        for symbol, venues in by_symbol.items():
            if sum(key[1] == symbol for key in self._streams) > 1:
                self._judge(symbol, venues, now_s, now_ns)

    def _judge(self, symbol: str, venues: Mapping[str, tuple[float, float]], now_s: float, now_ns: int) -> None:
        told = self._told.get(symbol)
        if told is None:
            channel = self._outbox.channel("signals", "all", symbol, "-", "-", CRITICAL, None, "", self._word)
            told = self._told[symbol] = Told(channel)
        strength, confidence = combined(venues.values())
        news = self._news(told, strength, now_s)
        if not news:
            return
        if news == "begins":
            told.since_ns, told.begun = now_ns, told.begun + 1
        told.strength = 0.0 if news == "ends" else strength
        told.at_s = now_s
        parts = [{"exchange": name, "strength": _short(value), "confidence": _short(sure)} for name, (value, sure) in sorted(venues.items())]
        excluded = sorted({exchange for exchange, symbol_ in self._streams if symbol_ == symbol} - venues.keys())
        payload = {
            "kind": "aggregate", "state": news, "direction": "none" if news == "ends" else "up" if strength > 0 else "down", "strength": _short(told.strength),
            "confidence": _short(confidence), "since": told.since_ns, "duration_ns": now_ns - told.since_ns if news == "ends" else None, "parts": parts,
            "excluded": excluded, "latency_ns": max(0, self._outbox.clock.now() - now_ns),
        }  # fmt: skip
        self._outbox.emit(told.channel, msgspec.json.encode(payload), ts_recv=now_ns)

    def _news(self, told: Told, strength: float, now_s: float) -> str:
        """begins, changes, ends, or nothing: the rule of cext/measures/signal.pxd."""
        rules = self.settings
        size = abs(strength)
        if told.strength == 0.0:
            return "begins" if size >= rules.enter else ""
        turned = strength * told.strength < 0
        if math.isnan(strength) or size < rules.leave or (turned and size < rules.enter):
            return "ends"
        return "changes" if (turned or abs(strength - told.strength) >= rules.step) and now_s - told.at_s >= rules.pause_s else ""

    # ---- what polled figures say; each is told to the instrument's own stream

    def on_funding(self, exchange: str, symbol: str, fields: Mapping[str, Any]) -> None:
        """Holders of longs pay much: too many are long, the price tends down; and the reverse."""
        yearly = _number(fields.get("annualised"))
        self._outside(exchange, symbol, "funding", _extreme(yearly, self.settings.funding_annualised), {"annualised": fields.get("annualised")})

    def on_mark_price(self, exchange: str, symbol: str, fields: Mapping[str, Any]) -> None:
        """A contract far above its index tends back to it."""
        basis = _number(fields.get("basis_bps"))
        self._outside(exchange, symbol, "basis", _extreme(basis, self.settings.basis_bps), {"basis_bps": fields.get("basis_bps")})

    def on_insurance(self, exchange: str, stress: str | None, fields: Mapping[str, Any]) -> None:
        """A fund that pays for bankruptcies: forced selling is under way, on the whole venue."""
        level = {"LOW": 0.0, "MEDIUM": 1 / 3, "HIGH": 2 / 3, "CRITICAL": 1.0}.get(stress or "")
        inputs = {"stress": stress, "change_24h_percent": fields.get("change_24h_percent")}
        self._stresses[exchange] = (None if level is None else -level, inputs)
        for venue, symbol in self._streams:
            if venue == exchange:
                self._tell_stress(exchange, symbol)

    def _tell_stress(self, exchange: str, symbol: str) -> None:
        """Funds are polled so seldom that an instrument which comes between two polls is told at once what the last one said."""
        if exchange in self._stresses:
            self._outside(exchange, symbol, "insurance", *self._stresses[exchange])

    def on_skew(self, exchange: str, base: str, risk_reversal: float | None, now_s: float) -> None:
        """25-delta calls dearer than puts by more than they were of late: the direction is theirs. Told to every instrument of that base."""
        mean, at_s = self._skews.get((exchange, base), (risk_reversal, now_s))
        shift = None
        if risk_reversal is not None and mean is not None:
            keep = 0.5 ** ((now_s - at_s) / self.settings.skew_half_life_s)
            shift = risk_reversal - mean
            self._skews[exchange, base] = (keep * mean + (1 - keep) * risk_reversal, now_s)
        strength = None if shift is None else math.tanh(shift / self.settings.skew_shift)
        for venue, symbol in self._streams:
            if venue == exchange and symbol.split("-", 1)[0] == base:
                self._outside(exchange, symbol, "iv_skew", strength, {"risk_reversal_25": risk_reversal, "shift": None if shift is None else _short(shift)})

    def _outside(self, exchange: str, symbol: str, signal: str, strength: float | None, inputs: Mapping[str, Any]) -> None:
        stream = self._streams.get((exchange, symbol))
        if stream is not None:
            stream.outside(signal, math.nan if strength is None else strength, 1.0, self._outbox.clock.now(), msgspec.json.encode(inputs))

    def status(self) -> dict[str, Any]:
        slow = sorted(self.looked_s)
        return {
            "symbols": len(self._told), "in_force": sum(told.strength != 0.0 for told in self._told.values()), "begun": sum(told.begun for told in self._told.values()),
            "look_ms": {"median": round(1e3 * slow[len(slow) // 2], 3), "worst": round(1e3 * slow[-1], 3)} if slow else None,
        }  # fmt: skip


def combined(venues: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """(mean strength by confidence, how far the venues agree); not a number where nothing is known."""
    rows = list(venues)
    weight = sum(sure for _, sure in rows)
    if not rows:
        return math.nan, 0.0
    if weight <= 0.0:
        return 0.0, 0.0
    strength = sum(value * sure for value, sure in rows) / weight
    size = sum(abs(value) * sure for value, sure in rows) / weight
    return strength, abs(strength) / size if size else 0.0


def _extreme(figure: float | None, scale: float) -> float | None:
    """Against the crowd: -tanh."""
    return None if figure is None else -math.tanh(figure / scale)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
