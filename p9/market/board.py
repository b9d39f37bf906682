"""The board of a venue's slow facts: what streams and polls say of one instrument is merged field by field, checked the one against the other, and
published when it changed.

The later word wins, by the venue's own time: a REST cache may go back. A word is good for some intervals of its poll, or while its stream lives; then
the field is null: unknown. Others in the process listen: `board.listen("funding", hear)` calls hear(instrument, fields) with what is published.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from cext.channel import CLASS_NAMES
from cext.outbox import Outbox
from msgspec import UNSET

from p9.fact import Fact, Roster
from p9.instrument import Instrument
from p9.market.agreement import Agreement
from p9.market.sheet import FOR_EVER_NS, MARKS, POLL, STREAM, Record, Sheet, Statement

MEDIUM = CLASS_NAMES.index("MEDIUM")
AHEAD_NS = 86400 * 10**9  # a fact from so far in the future has no time at all
NUMBERS = (str, int)


class BoardSettings(msgspec.Struct, frozen=True):
    """Seconds."""

    publish_s: float = 0.25  # between two looks at what changed
    look_s: float = 1.0  # between two looks for what is stale or disagrees
    in_a_row: int = 2  # disagreements before they are a finding


class Board:
    """`words`: {kind: another first word of its channel}. `on_finding(instrument, kind, detail, field)` hears that stream and poll disagree."""

    def __init__(
        self, outbox: Outbox, sheets: Iterable[Sheet], *, settings: BoardSettings | None = None, words: Mapping[str, str] | None = None,
        on_finding: Callable[[Instrument, str, str, str], None] | None = None, log: Callable[..., None] | None = None,
    ):  # fmt: skip
        self.change(sheets, settings or BoardSettings(), words or {})
        self.counts: Counter[tuple[str, str]] = Counter()  # (kind, what): taken by source, older, future, published, findings
        self._outbox = outbox
        self._records: dict[tuple[str, str, str], Record] = {}  # (kind, market, venue symbol)
        self._channels: dict[tuple[str, str, str], Any] = {}
        self._listeners: dict[str, list[Callable[[Instrument, Mapping[str, Any]], None]]] = {}
        self._on_finding = on_finding or (lambda one, kind, detail, field: None)
        self._log = log or (lambda *_, **__: None)

    def change(self, sheets: Iterable[Sheet], settings: BoardSettings, words: Mapping[str, str]) -> None:
        """These kinds and thresholds from now on, for instruments that come later."""
        self.sheets = {sheet.kind: sheet for sheet in sheets}
        self.settings, self._words = settings, words
        self._kind_of = {sheet.fact: sheet for sheet in self.sheets.values()}

    # ---- what comes in

    def take(self, roster: Roster, facts: Iterable[Any], source: str, recv_ns: int, keep_s: float | None = None) -> None:
        """`source`: poll or stream. `keep_s`: how long these words are good; None: until `interrupted`."""
        until_ns = FOR_EVER_NS if keep_s is None else recv_ns + round(keep_s * 1e9)
        for fact in facts:
            sheet = self._kind_of.get(type(fact))
            one = roster.by_symbol.get(fact.venue_symbol) if sheet is not None else None
            if one is not None:
                self._take(sheet, one, fact, source, recv_ns, until_ns)

    def _take(self, sheet: Sheet, one: Instrument, fact: Fact, source: str, recv_ns: int, until_ns: int) -> None:
        kind = sheet.kind
        if fact.at_ns is not None and fact.at_ns > recv_ns + AHEAD_NS:
            self.counts[kind, "future"] += 1
            return
        record = self._records.get((kind, one.market, one.venue_symbol))
        if record is None:
            agreements = {field: Agreement(tolerance, self.settings.in_a_row) for field, tolerance in sheet.tolerances.items()}
            record = self._records[kind, one.market, one.venue_symbol] = Record(one, agreements=agreements)
        record.one = one
        self.counts[kind, source] += 1
        at_ns = fact.at_ns if fact.at_ns is not None else recv_ns
        for field in fact.__struct_fields__[2:]:
            value = getattr(fact, field)
            if value is UNSET:
                continue
            agreement, before = record.agreements.get(field), record.said.get(field)
            if agreement is not None and isinstance(value, NUMBERS):
                (agreement.polled if source == POLL else agreement.streamed)(Decimal(value), at_ns)
            if before is not None and at_ns < before.at_ns and before.until_ns > recv_ns:
                self.counts[kind, "older"] += 1
                continue
            record.changed = record.changed or before is None or before.value != value
            record.said[field] = Statement(value, at_ns, recv_ns, source, until_ns)
        record.confirmed = record.confirmed or source == POLL

    def interrupted(self, market: str, kinds: Iterable[str], now_ns: int, keep_s: float) -> None:
        """The streams of these kinds are lost: what they said is good for `keep_s` more, and is no witness against a poll."""
        kinds = set(kinds)
        for (kind, name, _), record in self._records.items():
            if name == market and kind in kinds:
                for statement in record.said.values():
                    if statement.source == STREAM:
                        statement.until_ns = min(statement.until_ns, now_ns + round(keep_s * 1e9))
                for agreement in record.agreements.values():
                    agreement.interrupted()

    def forget(self, market: str, venue_symbol: str) -> None:
        """An instrument is gone: its channels fall silent and can be taken again."""
        for key in [key for key in self._records if key[1:] == (market, venue_symbol)]:
            del self._records[key]
        for key in [key for key in self._channels if key[1:] == (market, venue_symbol)]:
            self._outbox.leave(self._channels.pop(key))

    # ---- what goes out

    def listen(self, kind: str, hear: Callable[[Instrument, Mapping[str, Any]], None]) -> None:
        self._listeners.setdefault(kind, []).append(hear)

    def fields(self, kind: str, one: Instrument) -> Mapping[str, Any] | None:
        """What was last published of an instrument; None: nothing yet."""
        record = self._records.get((kind, one.market, one.venue_symbol))
        return record.fields if record is not None else None

    async def run(self) -> None:
        """For ever, until cancelled."""
        loop = asyncio.get_running_loop()
        look_at_s = 0.0
        while True:
            await asyncio.sleep(self.settings.publish_s)
            now_ns = self._outbox.clock.now()
            if loop.time() >= look_at_s:
                look_at_s = loop.time() + self.settings.look_s
                self.look(now_ns)
            self.publish(now_ns)

    def look(self, now_ns: int) -> None:
        """Forget what is stale, and hold the sources against each other."""
        for (kind, _, _), record in self._records.items():
            for field in [field for field, statement in record.said.items() if statement.until_ns <= now_ns]:
                del record.said[field]
                record.changed = True
                self.counts[kind, "stale"] += 1
            for field, agreement in record.agreements.items():
                finding = agreement.judge(now_ns)
                doubted = any(each.row >= each.in_a_row for each in record.agreements.values())
                if doubted != record.doubted:
                    record.doubted, record.changed = doubted, True
                if finding:
                    self.counts[kind, "findings"] += 1
                    self._on_finding(record.one, kind, f"{field} {finding}", field)

    def publish(self, now_ns: int) -> None:
        for (kind, _, _), record in self._records.items():
            if not record.changed and not record.confirmed:
                continue
            written = self.sheets[kind].write(record, self.fields, now_ns)
            if written is None:
                record.changed = record.confirmed = False
                continue
            fields, marks = written
            if record.confirmed or record.doubted or fields != record.fields:
                self._emit(kind, record, fields, marks | (MARKS["maybe_bad"] if record.doubted else 0))
            record.changed = record.confirmed = False

    def _emit(self, kind: str, record: Record, fields: dict[str, Any], marks: int) -> None:
        one = record.one
        key = (kind, one.market, one.venue_symbol)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = self._outbox.channel(
                kind, one.exchange, one.symbol, one.market, one.venue_symbol, MEDIUM, None, "", self._words.get(kind, "")
            )
        record.fields = fields
        times = {"flags": marks}
        if record.said:
            times |= {"ts_event": max(each.at_ns for each in record.said.values()), "ts_recv": max(each.recv_ns for each in record.said.values())}
        self._outbox.emit(channel, msgspec.json.encode(fields), **times)
        self.counts[kind, "published"] += 1
        for hear in self._listeners.get(kind, ()):
            hear(one, fields)

    def status(self) -> dict[str, Any]:
        kinds = {*self.sheets, *(kind for kind, _ in self.counts)}
        found: dict[str, Any] = {kind: {"instruments": 0, "agreed": 0, "differed": 0, "counts": {}} for kind in sorted(kinds)}
        for (kind, _, _), record in self._records.items():
            found[kind]["instruments"] += 1
            found[kind]["agreed"] += sum(each.agreed for each in record.agreements.values())
            found[kind]["differed"] += sum(each.differed for each in record.agreements.values())
        for (kind, what), n in self.counts.items():
            found[kind]["counts"][what] = n
        return found
