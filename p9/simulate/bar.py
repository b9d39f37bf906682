"""One bar of a candle chart in whole ticks and lots, and how long bars are."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

DAY_MS = 86_400_000


@dataclass(slots=True)
class Bar:
    """Prices in ticks, `lots` in lots; `value` is the quote amount (the coin amount of an inverse contract)."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    value: Decimal
    count: int
    buy_lots: int
    buy_value: Decimal
    first_id: int
    last_id: int

    def take(self, other: "Bar") -> None:
        """Add a later bar of the same period to this one."""
        if not other.count:
            self.close = other.close if not self.count else self.close
            return
        if not self.count:
            self.open, self.high, self.low, self.first_id = other.open, other.high, other.low, other.first_id
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        self.close, self.last_id = other.close, other.last_id
        self.lots += other.lots
        self.value += other.value
        self.count += other.count
        self.buy_lots += other.buy_lots
        self.buy_value += other.buy_value


def flat(open_ms: int, tick: int) -> Bar:
    return Bar(open_ms, tick, tick, tick, tick, 0, Decimal(0), 0, 0, Decimal(0), -1, -1)


@dataclass(frozen=True, slots=True)
class Period:
    """The length of a bar; `offset_ms` moves its edges (weeks open on Monday, one venue's days at 16:00 UTC).
    `months` stands for calendar months, and then the length is nominal."""

    ms: int
    offset_ms: int = 0
    months: int = 0

    def opens(self, at_ms: int) -> int:
        if not self.months:
            return (at_ms - self.offset_ms) // self.ms * self.ms + self.offset_ms
        day = datetime.fromtimestamp((at_ms - self.offset_ms) / 1000, UTC)
        first = (day.month - 1) // self.months * self.months + 1
        return int(datetime(day.year, first, 1, tzinfo=UTC).timestamp() * 1000) + self.offset_ms

    def closes(self, open_ms: int) -> int:
        """The opening of the next bar."""
        if not self.months:
            return open_ms + self.ms
        return self.opens(open_ms + self.ms * 31 // 30 + 3 * DAY_MS)
