"""Faults on request: what a bad day at a venue looks like, seeded, limited to where it is wanted, and counted.

A spec is a comma list of `name:value[@scope]`:

    drop:0.01  duplicate:0.005  reorder:0.005  malformed:0.001   a share of the data frames of each subscriber
    disconnect:30s                 each socket is cut after about 30 s (between half and one and a half times that)
    mute:60s/5s                    about every 60 s each socket falls silent for 5 s (data is lost, pongs go on)
    stale_snapshot:0.2             a share of REST books is an older one (of some seconds ago)
    http_429:0.1  http_500:0.01    a share of REST answers

`scope` is `market[/symbol[/kind]]`, each part may be `*`; kind is book, touch, trade or other. Without a scope all
are meant. Times are written 500ms, 5s or 2m.
"""

import random
from collections import Counter, deque
from dataclasses import dataclass

SHARES = ("drop", "duplicate", "reorder", "malformed", "stale_snapshot", "http_429", "http_500")
FRAME_FAULTS = ("drop", "duplicate", "reorder", "malformed")
LONGEST_S = 1e6
REST_FAULTS = ("stale_snapshot", "http_429", "http_500", "http_418")


class FaultSpecError(ValueError):
    """A fault spec that cannot be read; the text says which item and what was expected."""


@dataclass(frozen=True)
class Scope:
    market: str = "*"
    symbol: str = "*"
    kind: str = "*"

    def covers(self, market: str, symbol: str, kind: str) -> bool:
        return self.market in ("*", market) and self.symbol in ("*", symbol) and self.kind in ("*", kind)


@dataclass(frozen=True)
class Rule:
    """`value` is a share, or seconds between two; `for_s` is how long a mute lasts."""

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
            if 0.0 < seconds < LONGEST_S:
                return seconds
            break
    raise FaultSpecError(f"fault {item!r}: {text!r} is not a time above 0; write 500ms, 5s or 2m")


def parse(spec: str) -> list[Rule]:
    """The rules of a spec. Raises FaultSpecError."""
    rules = []
    for item in filter(None, (part.strip() for part in spec.split(","))):
        body, _, where = item.partition("@")
        name, colon, value = body.partition(":")
        scope = Scope(*where.split("/", 2)) if where else Scope()
        if not colon:
            raise FaultSpecError(f"fault {item!r}: a value is missing, as in drop:0.01")
        if name in SHARES:
            try:
                share = float(value)
            except ValueError:
                share = -1.0
            if not 0.0 <= share <= 1.0:
                raise FaultSpecError(f"fault {item!r}: {value!r} is not a share between 0 and 1")
            rules.append(Rule(name, share, 0.0, scope))
        elif name == "disconnect":
            rules.append(Rule(name, _seconds(value, item), 0.0, scope))
        elif name == "mute":
            every, _, lasts = value.partition("/")
            rules.append(Rule(name, _seconds(every, item), _seconds(lasts or "5s", item), scope))
        else:
            known = ", ".join((*SHARES, "disconnect", "mute"))
            raise FaultSpecError(f"fault {item!r}: there is no {name!r}; known are {known}")
    return rules


class Faults:
    """Decides and counts. `by_hand` puts one fault before everything else."""

    def __init__(self, spec: str = "", seed: int = 1):
        rules = parse(spec)
        self._random = random.Random(f"faults {seed}")
        self._frame_rules = [rule for rule in rules if rule.name in FRAME_FAULTS]
        self._rest_rules = [rule for rule in rules if rule.name in REST_FAULTS]
        self.socket_rules = [rule for rule in rules if rule.name in ("disconnect", "mute")]
        self._by_hand: deque[tuple[str, Scope]] = deque()
        self.counts: Counter[tuple[str, str]] = Counter()

    @property
    def keeps_old_books(self) -> bool:
        return any(rule.name == "stale_snapshot" for rule in self._rest_rules)

    @property
    def quiet(self) -> bool:
        """No frame is touched at the moment."""
        return not self._frame_rules and not self._by_hand

    def by_hand(self, name: str, scope: Scope, count: int = 1) -> None:
        self._by_hand.extend([(name, scope)] * count)

    def of_frame(self, market: str, symbol: str, kind: str) -> str | None:
        """drop, duplicate, reorder, malformed, or None: what happens to this frame."""
        return self._decide(self._frame_rules, FRAME_FAULTS, market, symbol, kind)

    def of_rest(self, market: str, symbol: str, is_book: bool) -> str | None:
        """stale_snapshot (books only), http_429, http_418, http_500, or None."""
        kind = "book" if is_book else "other"
        names = REST_FAULTS if is_book else REST_FAULTS[1:]
        return self._decide(self._rest_rules, names, market, symbol, kind)

    def _decide(self, rules: list[Rule], names, market: str, symbol: str, kind: str) -> str | None:
        for place, (name, scope) in enumerate(self._by_hand):
            if name in names and scope.covers(market, symbol, kind):
                del self._by_hand[place]
                return self.count(name, market)
        for rule in rules:
            if rule.name in names and rule.scope.covers(market, symbol, kind) and self._random.random() < rule.value:
                return self.count(rule.name, market)
        return None

    def pause_s(self, rule: Rule) -> float:
        """How long until the next disconnect or mute of one socket."""
        return rule.value * self._random.uniform(0.5, 1.5)

    def count(self, name: str, market: str) -> str:
        self.counts[name, market] += 1
        return name

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
