"""What one instrument traded before the simulator started: every order is a function of its number, so that weeks of them cost nothing until asked for.

Four orders a minute, one in each cell of 15 seconds of its coin's path; the numbers of orders count those cells since 1970, and the ids of fills
follow from them. Its last order is the last one before the start, and the live market numbers on from there.
"""

import math
from decimal import Decimal

from p9.simulate.bar import DAY_MS, Bar, flat
from p9.simulate.market import Fill
from p9.simulate.path import CELL_MS, Path, mixed, number_of

HOUR_MS = 3_600_000
DAYS = 40  # whole UTC days before the start: what is older was not listed yet
FILLS = (1, 1, 2, 1, 1, 3, 1, 1, 1, 1)  # of ten orders after another
BEFORE = tuple(sum(FILLS[:i]) for i in range(len(FILLS)))
OF_TEN = sum(FILLS)
HOURS_KEPT = 1_500
# Sizes as multiples of the median order, and distances from the path in ticks' worth of the spread: quantiles of the live market's draws.
SIZES = tuple(math.exp(1.1 * z) for z in (-1.86, -1.32, -1.0, -0.78, -0.58, -0.4, -0.24, -0.08, 0.08, 0.24, 0.4, 0.58, 0.78, 1.0, 1.32, 1.86))


class Past:
    """`tick`: as a number; `premium`: the instrument's distance from its coin's path as a fraction; `lot`: the median order's size in lots;
    `value_of(tick, lots)`: the money of a trade; `first_turn_id`: what the live market's turns begin with. Its first fill is `next_trade_id`."""

    def __init__(self, seed: str, path: Path, start_ms: int, *, tick: float, premium: float, lot: int, id_offset: int, first_turn_id: int, value_of):
        self._seed, self._path, self.id_offset = number_of(f"{seed} past"), path, id_offset
        self._per_tick, self._lot, self._value_of = (1.0 + premium) / tick, lot, value_of
        self._unit = value_of(1, 1) if value_of(2, 3) == 6 * value_of(1, 1) else None  # where money is in proportion, sums are made of whole numbers
        self._near = max(1.0, path.value * self._per_tick * 1.0e-5)
        self.start_ms, self._first_turn_id = start_ms, first_turn_id
        self.first_ms = start_ms // DAY_MS * DAY_MS - DAYS * DAY_MS
        self.first_order = self.first_ms // CELL_MS
        cell = start_ms // CELL_MS
        self.end = cell + (self.at_ms(cell) < start_ms)  # the first order that is not of the past
        self.next_trade_id = self.first_fill(self.end)
        self._hours: dict[tuple[int, int], Bar | None] = {}
        self._last: list[Fill] = []  # the longest tail that was asked for

    # ---- orders and their fills

    def at_ms(self, order: int) -> int:
        return order * CELL_MS + mixed(self._seed ^ order) % CELL_MS

    def order_at(self, ms: int) -> int:
        """The first order that is not before `ms`; none is older than the past, nor younger."""
        cell = ms // CELL_MS
        return min(self.end, max(self.first_order, cell + (self.at_ms(cell) < ms)))

    def first_fill(self, order: int) -> int:
        """The id of its first fill."""
        return self.id_offset + order // len(FILLS) * OF_TEN + BEFORE[order % len(FILLS)]

    def order_of(self, fill_id: int) -> int:
        """The order that this fill belongs to."""
        tens, rest = divmod(fill_id - self.id_offset, OF_TEN)
        place = len(FILLS) - 1
        while BEFORE[place] > rest:
            place -= 1
        return tens * len(FILLS) + place

    def order(self, number: int) -> tuple[int, int, int, bool]:
        """(time in ms, tick, lots, whether the buyer was resting)"""
        bits = mixed(self._seed ^ number)
        within, bits = bits % CELL_MS, mixed(bits)
        block = self._path.block(number // 256)
        before, after = block[number % 256], block[number % 256 + 1]
        price = (before + (after - before) * within / CELL_MS) * self._per_tick
        sells = bool(bits & 1)
        away = self._near * ((bits >> 1) % 256 / 128.0 - 1.0)
        lots = int(self._lot * SIZES[(bits >> 9) % 16] * (0.8 + (bits >> 13) % 1024 / 2560.0))
        return number * CELL_MS + within, max(1, round(price + away)), max(FILLS[number % len(FILLS)], lots), sells

    def fills_of(self, number: int) -> list[Fill]:
        """All of one order's: one price, one moment."""
        at_ms, tick, lots, sells = self.order(number)
        n, first_id = FILLS[number % len(FILLS)], self.first_fill(number)
        turn_id = self._first_turn_id + number - self.end
        part = lots // n
        return [Fill(first_id + i, tick, part if i else lots - part * (n - 1), sells, at_ms * 1_000_000, turn_id) for i in range(n)]

    def fills(self, first_id: int, limit: int) -> list[Fill]:
        """Up to `limit` fills with ids from `first_id` on, ascending; none where the past is over."""
        number = max(self.first_order, self.order_of(first_id))
        found: list[Fill] = []
        while number < self.end and len(found) < limit:
            found += [fill for fill in self.fills_of(number) if fill.id >= first_id]
            number += 1
        return found[:limit]

    def newest(self, limit: int, before_order: int | None = None) -> list[Fill]:
        """The last `limit` fills of orders before this one, ascending."""
        if before_order is None and limit <= len(self._last):
            return self._last[len(self._last) - limit :]
        number = self.end if before_order is None else min(self.end, before_order)
        found: list[list[Fill]] = []
        n = 0
        while number > self.first_order and n < limit:
            number -= 1
            found.append(self.fills_of(number))
            n += len(found[-1])
        tail = [fill for fills in reversed(found) for fill in fills][-limit:]
        if before_order is None:
            self._last = tail
        return tail

    # ---- bars

    def bar(self, open_ms: int, length_ms: int) -> Bar | None:
        """What was traded of the past in this interval; None if nothing was. Not to be changed by the caller: whole hours are remembered."""
        end_ms = open_ms + length_ms
        if length_ms < HOUR_MS:
            return self._fold(open_ms, end_ms)
        made = flat(open_ms, 0)
        for at in range(open_ms, end_ms, HOUR_MS):
            part = self._remembered(at, min(at + HOUR_MS, end_ms))
            if part is not None:
                made.take(part)
        return made if made.count else None

    def _remembered(self, open_ms: int, end_ms: int) -> Bar | None:
        key = (open_ms, end_ms)
        if key not in self._hours:
            if len(self._hours) >= HOURS_KEPT:
                del self._hours[next(iter(self._hours))]
            self._hours[key] = self._fold(open_ms, end_ms)
        return self._hours[key]

    def _fold(self, open_ms: int, end_ms: int) -> Bar | None:
        first, end = self.order_at(open_ms), self.order_at(end_ms)
        if first >= end:
            return None
        opened = self.order(first)[1]
        made = Bar(open_ms, opened, opened, opened, opened, 0, Decimal(0), 0, 0, Decimal(0), self.first_fill(first), self.first_fill(end) - 1)
        made.count = made.last_id - made.first_id + 1
        units = bought_units = 0
        for number in range(first, end):
            _, tick, lots, sells = self.order(number)
            if tick > made.high:
                made.high = tick
            elif tick < made.low:
                made.low = tick
            made.close = tick
            made.lots += lots
            if not sells:
                made.buy_lots += lots
            if self._unit is not None:
                units += tick * lots
                if not sells:
                    bought_units += tick * lots
            else:  # rounded fill by fill
                value = sum((self._value_of(fill.tick, fill.lots) for fill in self.fills_of(number)), Decimal(0))
                made.value += value
                if not sells:
                    made.buy_value += value
        if self._unit is not None:
            made.value, made.buy_value = self._unit * units, self._unit * bought_units
        return made
