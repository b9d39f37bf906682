"""When an account's private stream is lost, what is triggered meanwhile is not heard, and that is said.

From the last frame of a stream that was live until it is live again, a gap of kind `stop_triggers` is open in every instrument that it tells of; then it
is settled: filled where the venue, asked for it, told all of it, else lost. A socket that was replaced before it closed leaves none, and neither does a key that was refused from the start.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from cext.streams.gaps import Gaps

from p9.capture.ledger import Gap, Ledger
from p9.instrument import Instrument


class Concerned(NamedTuple):
    """An instrument that the stream tells of, and who publishes its gaps, if anybody does."""

    one: Instrument
    gaps: Gaps | None


class Absence:
    """`concerned()`: the instruments that are captured now."""

    def __init__(self, ledger: Ledger, concerned: Callable[[], Iterable[Concerned]]):
        self._ledger, self._concerned = ledger, concerned
        self._open: dict[tuple[str, str], tuple[Gap, int]] = {}  # {(market, symbol): (gap, its number)}
        self._numbers: Counter[tuple[str, str]] = Counter()

    def begin(self, since_ns: int, now_ns: int, reason: str = "disconnect") -> None:
        for one, gaps in self._concerned():
            key = (one.market, one.symbol)
            if key in self._open:
                continue
            self._numbers[key] += 1
            gap = self._ledger.begin(
                kind="stop_triggers", exchange=one.exchange, market=one.market, symbol=one.symbol, reason=reason, noticed_ns=now_ns,
                since_ns=min(since_ns, now_ns),
            )  # fmt: skip
            self._open[key] = (gap, self._numbers[key])
            _publish(gaps, gap, self._numbers[key], now_ns)

    def end(
        self, now_ns: int, state: Literal["filled", "lost"] = "lost", *, until_ns: int | None = None, fetched: Mapping[tuple[str, str], int] | None = None
    ) -> None:
        """`until_ns`: when it was live again. `fetched`: how many were told afterwards, by (market, symbol)."""
        streams = {(one.market, one.symbol): gaps for one, gaps in self._concerned()}
        for key, (gap, number) in self._open.items():
            gap.until_ns, gap.fetched = now_ns if until_ns is None else until_ns, (fetched or {}).get(key, 0)
            self._ledger.settle(gap, state, now_ns)
            _publish(streams.get(key), gap, number, now_ns)
        self._open.clear()

    def instruments(self) -> list[Instrument]:
        return [one for one, _ in self._concerned()]

    @property
    def open(self) -> int:
        return len(self._open)


def _publish(gaps: Gaps | None, gap: Gap, number: int, now_ns: int) -> None:
    if gaps is not None:
        gaps.report(
            kind=gap.kind, gap=number, state=gap.state, reason=gap.reason, first_id=None, last_id=None, since_ns=gap.since_ns,
            until_ns=-1 if gap.until_ns is None else gap.until_ns, fetched=gap.fetched, left=None, noticed_ns=gap.noticed_ns, now_ns=now_ns,
        )  # fmt: skip
