"""Faults on request: what a bad day at a venue looks like, seeded, limited to where it is wanted, and counted.

A spec is a comma list of `name:value[@scope]`:

    drop:0.01  duplicate:0.005  reorder:0.005  malformed:0.001   a share of the data frames of each subscriber
    disconnect:30s                 each socket is cut after about 30 s (between half and one and a half times that)
    mute:60s/5s                    about every 60 s each socket falls silent for 5 s (data is lost, pongs go on)
    stale_snapshot:0.2             a share of REST books is an older one (of some seconds ago)
    http_429:0.1  http_418:0.01  http_500:0.01    a share of REST answers; http_429:0.1/2s asks for 2 s of patience instead of the venue's own

`scope` is `market[/symbol[/kind]]`, each part may be `*`, a market may be a whole venue; kind is book, touch, trade or
other. Without a scope all are meant. Times are written 500ms, 5s or 2m.
"""

import difflib
import math
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from p9.simulate.catalogue import MARKETS, OPTION_MARKETS, listings
from p9.simulate.incidents import Incidents

FRAME_FAULTS = ("drop", "duplicate", "reorder", "malformed")
REST_FAULTS = ("stale_snapshot", "http_429", "http_500", "http_418")
SOCKET_FAULTS = ("disconnect", "mute")
KINDS = ("book", "touch", "trade", "other")
PATIENCE = ("http_429", "http_418")  # answers that say how long to be silent
VENUES = tuple(dict.fromkeys(market.split("_")[0] for market in MARKETS))


class FaultSpecError(ValueError):
    """A fault spec that cannot be read; the text says which item and what was expected."""


@dataclass(frozen=True)
class Scope:
    """`market`: a market, a venue or `*`."""

    market: str = "*"
    symbol: str = "*"
    kind: str = "*"

    def covers_market(self, market: str) -> bool:
        """`market` may be a bare venue where its sockets serve all of its markets."""
        return self.market in ("*", market, market.split("_")[0]) or ("_" not in market and self.market.split("_")[0] == market)

    def covers(self, market: str, symbol: str, kind: str) -> bool:
        return self.covers_market(market) and self.symbol in ("*", symbol) and self.kind in ("*", kind)

    def check(self, item: str, instruments: int = 0) -> None:
        """Is there what it names? With `instruments` a market, the symbols are looked at too. Raises FaultSpecError; `item` is what it says was wrong."""
        _one_of(self.market, (*MARKETS, *OPTION_MARKETS, *VENUES), "market", item)
        if instruments and self.symbol != "*":
            now_ms = time.time_ns() // 1_000_000
            listed = [row.symbol for market in MARKETS if self.covers_market(market) for row in listings(market, instruments, now_ms)]
            _one_of(self.symbol, tuple(dict.fromkeys(listed)), "symbol", item)
        _one_of(self.kind, KINDS, "kind", item)


@dataclass(frozen=True)
class Rule:
    """`value` is a share, or seconds between two; `for_s` is how long a mute lasts, or the patience that a refusal asks for (0: the venue's own)."""

    name: str
    value: float
    for_s: float
    scope: Scope


def _seconds(text: str, item: str) -> float:
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
        if text.endswith(unit):
            try:
                seconds = float(text[: -len(unit)]) * factor
            except ValueError:
                break
            if math.isfinite(seconds) and seconds >= 0.001:
                return seconds
            break
    raise FaultSpecError(f"fault {item!r}: {text!r} is not a time; write 500ms, 5s or 2m")


def _one_of(word: str, known: Sequence[str], what: str, item: str) -> None:
    if word != "*" and word not in known:
        near = difflib.get_close_matches(word, known, 1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise FaultSpecError(f"fault {item!r}: there is no {what} {word!r}{meant}; known are {', '.join(known)}")


def parse(spec: str, instruments: int = 0) -> list[Rule]:
    """The rules of a spec; with `instruments` a market, the symbols are checked too. Raises FaultSpecError."""
    rules = []
    for item in filter(None, (part.strip() for part in spec.split(","))):
        body, _, where = item.partition("@")
        name, colon, value = body.partition(":")
        _one_of(name, (*FRAME_FAULTS, *REST_FAULTS, *SOCKET_FAULTS), "fault", item)
        if name == "*" or not colon or not value:
            raise FaultSpecError(f"fault {item!r}: a value is missing, as in drop:0.01 or disconnect:30s")
        scope = Scope(*where.split("/", 2)) if where else Scope()
        if name in SOCKET_FAULTS and (scope.symbol, scope.kind) != ("*", "*"):
            raise FaultSpecError(f"fault {item!r}: {name} concerns whole sockets, so its scope is a market only")
        scope.check(item, instruments)
        amount, slash, lasts = value.partition("/")
        if slash and name not in ("mute", *PATIENCE):
            raise FaultSpecError(f"fault {item!r}: {name} takes one value")
        if name in SOCKET_FAULTS:
            rules.append(Rule(name, _seconds(amount, item), _seconds(lasts if slash else "5s", item) if name == "mute" else 0.0, scope))
            continue
        try:
            share = float(amount)
        except ValueError:
            share = -1.0
        if not 0.0 <= share <= 1.0:
            raise FaultSpecError(f"fault {item!r}: {amount!r} is not a share between 0 and 1")
        rules.append(Rule(name, share, _seconds(lasts, item) if slash else 0.0, scope))
    return rules


class Faults:
    """Decides and counts. `by_hand` puts one fault before everything else."""

    def __init__(self, spec: str = "", seed: int = 1):
        self._random = random.Random(f"faults {seed}")
        self._by_hand: deque[Rule] = deque()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.incidents = Incidents()
        self.set(spec)

    def set(self, spec: str, instruments: int = 0) -> None:
        """These rules from now on; what was put in by hand is forgotten. Raises FaultSpecError, and then nothing changed."""
        rules = parse(spec, instruments)
        self._frame_rules = [rule for rule in rules if rule.name in FRAME_FAULTS]
        self._rest_rules = [rule for rule in rules if rule.name in REST_FAULTS]
        self.socket_rules = [rule for rule in rules if rule.name in SOCKET_FAULTS]
        self._by_hand.clear()

    @property
    def keeps_old_books(self) -> bool:
        return any(rule.name == "stale_snapshot" for rule in self._rest_rules)

    @property
    def quiet(self) -> bool:
        """No frame is touched at the moment."""
        return not self._frame_rules and not self._by_hand

    def by_hand(self, name: str, scope: Scope, count: int = 1, for_s: float = 0.0) -> None:
        self._by_hand.extend([Rule(name, 1.0, for_s, scope)] * count)

    def of_frame(self, market: str, symbol: str, kind: str) -> str | None:
        """drop, duplicate, reorder, malformed, or None: what happens to this frame."""
        rule = self._decide(self._frame_rules, FRAME_FAULTS, market, symbol, kind)
        return rule.name if rule else None

    def of_rest(self, market: str, symbol: str, is_book: bool) -> tuple[str | None, float]:
        """(stale_snapshot (books only), http_429, http_418, http_500, or None; the seconds of patience to ask for, 0: the venue's own)"""
        kind = "book" if is_book else "other"
        rule = self._decide(self._rest_rules, REST_FAULTS if is_book else REST_FAULTS[1:], market, symbol, kind)
        return (rule.name, rule.for_s) if rule else (None, 0.0)

    def _decide(self, rules: list[Rule], names: Sequence[str], market: str, symbol: str, kind: str) -> Rule | None:
        for place, rule in enumerate(self._by_hand):
            if rule.name in names and rule.scope.covers(market, symbol, kind):
                del self._by_hand[place]
                self.count(rule.name, market)
                return rule
        for rule in rules:
            if rule.name in names and rule.scope.covers(market, symbol, kind) and self._random.random() < rule.value:
                self.count(rule.name, market)
                return rule
        return None

    def pause_s(self, rule: Rule) -> float:
        """How long until the next disconnect or mute of one socket."""
        return rule.value * self._random.uniform(0.5, 1.5)

    def count(self, name: str, market: str) -> None:
        self.counts[name, market] += 1

    def spoil(self, frame: bytes) -> bytes:
        """A frame as no decoder can read it: cut off somewhere behind its first third."""
        return frame[: self._random.randint(len(frame) // 3, max(len(frame) // 3, len(frame) - 2))]

    def report(self) -> dict:
        """{"total": {name: n}, "by_market": {market: {name: n}}}"""
        total: Counter[str] = Counter()
        by_market: dict[str, dict[str, int]] = {}
        for (name, market), n in sorted(self.counts.items()):
            total[name] += n
            by_market.setdefault(market, {})[name] = n
        return {"total": dict(total), "by_market": by_market}
