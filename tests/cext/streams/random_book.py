"""A desk's book that changes at random around a price, and what it must be: levels by price in ticks, trades at the touch."""

import random
from decimal import Decimal

from tests.cext.streams.desk import Desk


class RandomBook:
    """`px_places` decimals of a price (a tick is the last of them), quantities of `qty_places`, `sigma` of their logarithms. `sides`: ({tick: lots}, {tick: lots})."""

    def __init__(self, desk: Desk, rng: random.Random, *, mid=100_000, levels=40, width=300, px_places=2, qty_places=3, last_id=1_000, at_s=0.0,
                 sigma=1.0):
        self.desk, self.rng, self.width, self.places, self.sigma = desk, rng, width, (px_places, qty_places), sigma
        self.last_id = last_id
        self.kept: set[int] = set()  # ticks that chance leaves alone
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for number, sign in ((0, -1), (1, 1)):
            while len(self.sides[number]) < min(levels, width // 2):
                self.sides[number][mid + sign * self._distance()] = self._lots()
        desk.synced(self._rows(0, self.sides[0]), self._rows(1, self.sides[1]), last_id=last_id, at_s=at_s)

    def _distance(self) -> int:
        return 1 + int(self.width * self.rng.random() ** 2)

    def _lots(self) -> int:
        return 1 + int(self.rng.lognormvariate(4, self.sigma))

    def price(self, tick: int) -> str:
        return f"{Decimal(tick).scaleb(-self.places[0]):f}"

    def quantity(self, lots: int) -> str:
        return f"{Decimal(lots).scaleb(-self.places[1]):f}"

    def _rows(self, number: int, changes: dict[int, int]) -> list[list[str]]:
        return [[self.price(tick), self.quantity(lots)] for tick, lots in changes.items()]

    def best(self, number: int) -> int:
        return max(self.sides[0]) if number == 0 else min(self.sides[1])

    def levels(self, number: int) -> list[tuple[int, int]]:
        """(tick, lots), best first."""
        return sorted(self.sides[number].items(), reverse=number == 0)

    def apply(self, bids: dict[int, int], asks: dict[int, int], at_s: float) -> None:
        """One depth frame; 0 lots remove."""
        for side, changes in zip(self.sides, (bids, asks), strict=True):
            for tick, lots in changes.items():
                side.pop(tick, None)
                if lots:
                    side[tick] = lots
        self.last_id += 1
        self.desk.depth(self.last_id, self.last_id, self._rows(0, bids), self._rows(1, asks), at_s=at_s)

    def step(self, at_s: float) -> None:
        """A frame of a few random changes that leave both sides standing and uncrossed."""
        changes: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for _ in range(self.rng.randint(1, 6)):
            number = self.rng.randrange(2)
            sign = -1 if number == 0 else 1
            inner = self.best(1 - number) - 1 if number == 0 else self.best(1 - number) + 1
            if self.rng.random() < 0.4 and len(self.sides[number]) > 5:
                changes[number][self.rng.choice(list(self.sides[number]))] = 0
            else:
                changes[number][inner + sign * (self._distance() - 1)] = self._lots()
        for side_changes in changes:
            for tick in self.kept & set(side_changes):
                del side_changes[tick]
        for number in (0, 1):  # never all of a side, and no side through the other one
            kept = {**self.sides[number], **changes[number]}
            if not any(kept.values()):
                changes[number].clear()
        after = [{tick for tick, lots in {**self.sides[n], **changes[n]}.items() if lots} for n in (0, 1)]
        if max(after[0]) >= min(after[1]):
            changes[1].clear()
            if max(after[0]) >= self.best(1):
                changes[0].clear()
        self.apply(*changes, at_s=at_s)

    def trade(self, at_s: float, *, buy: bool, lots: int | None = None, tick: int | None = None) -> tuple[int, int]:
        """An aggressor takes `lots` (or some) at the touch (or at `tick`); the book's own frame is the caller's. (tick, lots)"""
        tick = self.best(1 if buy else 0) if tick is None else tick
        lots = self._lots() if lots is None else lots
        self.desk.trade(at_s, self.price(tick), self.quantity(lots), buyer_is_maker=not buy)
        return tick, lots
