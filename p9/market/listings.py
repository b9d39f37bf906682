"""A market's instruments over time: read again and again, and told by what changed.

One answer is no proof of an end: an instrument is delisted when two answers in a row have not got it, or when its own last day is over. An answer with less than
half of what is known is a mistake of the venue's, and nobody is missed in it. A row that cannot be read this time is no absence.
"""

from collections import Counter
from typing import Any, Literal

import msgspec

from p9.instrument import Instrument, Parsed
from p9.market.instruments import Instruments
from p9.venue import Market

ABSENCES = 2
LEAST_SHARE = 0.5
WATCHED = ("status", "tick", "step", "contract", "contract_value", "multiplier", "settle", "expires_ns")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`number` counts a venue's changes. changed: `field` was `before` and is `after`; renamed: `after` is the new venue symbol."""

    number: int
    at_ns: int
    kind: Literal["listed", "delisted", "renamed", "changed"]
    market: str
    symbol: str
    venue_symbol: str
    field: str | None = None
    before: Any = None
    after: Any = None


class Listings:
    """`known`: where the newest rows go."""

    def __init__(self, market: Market, known: Instruments):
        self.market, self.known = market, known
        self.counts: Counter[str] = Counter()  # reads, partial answers, and changes by kind
        self.rows = {row.venue_symbol: row for row in known.of(market.name)}
        self._absent: Counter[str] = Counter()
        self._over: set[str] = set()  # whose last day is over and was told

    @property
    def missing(self) -> bool:
        """Some were not in the last answer."""
        return bool(self._absent)

    def take(self, parsed: Parsed, now_ns: int) -> list[Change]:
        """One whole answer."""
        self.counts["reads"] += 1
        seen = {row.venue_symbol: row for row in parsed.instruments}
        unreadable = {row.venue_symbol for row in parsed.refused}
        partial = len(seen) + len(unreadable) < LEAST_SHARE * len(self.rows)
        if partial:
            self.counts["partial"] += 1
        found: list[Change] = []
        renamed = self._renamed(seen, now_ns, found)
        for name, row in list(self.rows.items()):
            if name in seen:
                self._absent.pop(name, None)
                found += self._changed(row, seen[name], now_ns)
            elif name in renamed:
                self._drop(row)
            elif name not in unreadable and not partial:
                self._absent[name] += 1
                if self._absent[name] >= ABSENCES:
                    if name not in self._over:
                        found.append(self._change("delisted", row, now_ns))
                    self._drop(row)
        found += [self._change("listed", row, now_ns) for name, row in seen.items() if name not in self.rows and name not in renamed.values()]
        self.known.add(parsed.instruments)
        self.rows |= seen
        for name, row in self.rows.items():
            if row.expires_ns is not None and row.expires_ns <= now_ns and name not in self._over:
                self._over.add(name)
                found.append(self._change("delisted", row, now_ns, field="expires_ns", after=row.expires_ns))
        return found

    def _renamed(self, seen: dict[str, Instrument], now_ns: int, found: list[Change]) -> dict[str, str]:
        """{old venue symbol: new one}: the venue's own number outlives a rename."""
        known = {row.code: row for name, row in self.rows.items() if row.code and name not in seen}
        renamed = {}
        for name, row in seen.items():
            before = known.get(row.code) if row.code and name not in self.rows else None
            if before is not None:
                renamed[before.venue_symbol] = name
                found.append(self._change("renamed", before, now_ns, field="venue_symbol", before=before.venue_symbol, after=name))
        return renamed

    def _changed(self, before: Instrument, after: Instrument, now_ns: int) -> list[Change]:
        return [
            self._change("changed", after, now_ns, field=field, before=getattr(before, field), after=getattr(after, field))
            for field in WATCHED
            if getattr(before, field) != getattr(after, field)
        ]

    def _change(self, kind: Any, row: Instrument, now_ns: int, **more: Any) -> Change:
        self.counts[kind] += 1
        return Change(number=0, at_ns=now_ns, kind=kind, market=row.market, symbol=row.symbol, venue_symbol=row.venue_symbol, **more)

    def _drop(self, row: Instrument) -> None:
        del self.rows[row.venue_symbol]
        self._absent.pop(row.venue_symbol, None)
        self._over.discard(row.venue_symbol)
        self.known.drop(row)
