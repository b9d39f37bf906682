"""The order flow of one instrument: limit, cancel and market orders around a moving price, in whole ticks and lots.

No clock and no input or output: `step(now_ns)` plays every order that is due. The times and contents of the orders
come from the seed alone, so it makes no difference how often one steps.
"""

import math
import random
from bisect import bisect_left, insort
from typing import NamedTuple

from p9.simulate.index import Index

BID, ASK = 0, 1
FEWEST_LEVELS = 1_050
MOST_LEVELS = 1_350
WIDEST_SWEEP = 25
WIDEST_LEAP = 800


class Fill(NamedTuple):
    """One match of a taker order with one resting order."""

    id: int
    tick: int
    lots: int
    buyer_is_maker: bool
    at_ns: int
    turn_id: int


class Liquidation(NamedTuple):
    """A forced order: `is_sell` closes a long; `tick` is the price of the takeover, `last_tick` that of its last fill, `worth` the sum of tick times
    lots of its fills."""

    is_sell: bool
    tick: int
    last_tick: int
    lots: int
    at_ns: int
    worth: int


class Resting:
    """A limit order that somebody asked for, `bps` from the mid; `tick` once it is there. Nobody else cancels it; the flow may take it. `alone`: it stands at a
    price of its own, so that what is seen there is this order."""

    __slots__ = ("alone", "bps", "tick")

    def __init__(self, bps: float, alone: bool = False):
        self.bps, self.alone = bps, alone
        self.tick: int | None = None


class Planned(NamedTuple):
    """A market order that somebody asked for. `forced`: of a position that is liquidated; `closes`: it ends positions, so the open interest falls by
    it (as by a forced one). What became of it is appended to `played`. `leap`: before it the price that everybody follows moves by this fraction, and
    the order takes what stands between. `rests`: it is no market order, but that one; `pulls`: or what is left of that is taken back."""

    at_ns: int
    is_buy: bool
    lots: int
    forced: bool
    closes: bool
    played: list["Turn"]
    leap: float = 0.0
    rests: Resting | None = None
    pulls: bool = False


class Turn(NamedTuple):
    """What one order did. `touched` holds (side, tick) of every level that changed, `best` the new touch if it moved
    or changed its size: (bid tick, bid lots, ask tick, ask lots)."""

    id: int
    at_ns: int
    touched: list[tuple[int, int]]
    fills: list[Fill]
    best: tuple[int, int, int, int] | None
    liquidation: Liquidation | None
    closes: bool = False


class Side:
    """One side's levels. `ranks` ascends with the best last: the tick for bids, its negative for asks."""

    __slots__ = ("lots", "orders", "ranks", "sign")

    def __init__(self, sign: int):
        self.sign = sign
        self.ranks: list[int] = []
        self.lots: dict[int, int] = {}
        self.orders: dict[int, int] = {}

    @property
    def best(self) -> int:
        return self.ranks[-1] * self.sign

    def add(self, tick: int, lots: int) -> None:
        if tick in self.lots:
            self.lots[tick] += lots
            self.orders[tick] += 1
        else:
            insort(self.ranks, tick * self.sign)
            self.lots[tick] = lots
            self.orders[tick] = 1

    def remove(self, tick: int) -> None:
        del self.lots[tick]
        del self.orders[tick]
        rank = tick * self.sign
        if self.ranks[-1] == rank:
            self.ranks.pop()
        else:
            del self.ranks[bisect_left(self.ranks, rank)]

    def top(self, n: int) -> list[tuple[int, int]]:
        """(tick, lots) of the best `n` levels, best first."""
        sign, lots = self.sign, self.lots
        return [(rank * sign, lots[rank * sign]) for rank in self.ranks[: -n - 1 : -1]]


class Market:
    """`rate` is orders per second, `lot` the median order's size in lots, `tick` the tick as a number,
    `premium` the instrument's distance from the index as a fraction. `id_steps` are the possible distances between
    two update ids: (1,) where a venue numbers without holes."""

    def __init__(
        self,
        seed: str,
        index: Index,
        start_ns: int,
        *,
        tick: float,
        lot: int,
        rate: float,
        premium: float = 0.0,
        id_steps: tuple[int, ...] = (1,),
        first_id: int = 1_000,
        first_trade_id: int = 1_000,
        liquidations: bool = False,
    ):
        self._random = random.Random(seed)
        self._index, self._tick, self._lot, self._premium = index, tick, lot, premium
        self._rate, self._id_steps, self._liquidations = rate, id_steps, liquidations
        self.sides = (Side(1), Side(-1))
        self.last_id, self.last_ns = first_id, start_ns
        self._turn_id = first_id
        self.first_trade_id = first_trade_id
        self.next_trade_id = first_trade_id
        middle = round(self.fair(start_ns))
        self._near = max(3.0, middle * 1.0e-5)
        self._lay(middle)
        self._best = self._touch()
        self._next_ns = start_ns + self._pause()
        self._planned: list[Planned] = []
        self._asked_for: dict[tuple[int, int], int] = {}  # {(side, tick): lots of it that rest on request}
        self._alone: set[tuple[int, int]] = set()  # (side, tick) where nobody else may stand
        self.calm_until_ns = start_ns  # before then the flow liquidates nobody

    @property
    def next_ns(self) -> int:
        """When the next order is due."""
        return min(self._next_ns, self._planned[0].at_ns) if self._planned else self._next_ns

    def hurry(self, now_ns: int) -> None:
        """The next order of the flow comes now."""
        self._next_ns = now_ns

    def plan(self, orders: list[Planned]) -> None:
        """Play these too, each at its time."""
        self._planned = sorted([*self._planned, *orders], key=lambda order: order.at_ns)

    def fair(self, now_ns: int) -> float:
        """Where the price wants to be, in ticks."""
        return self._index.at(now_ns) * (1.0 + self._premium) / self._tick

    @property
    def best(self) -> tuple[int, int, int, int]:
        return self._best

    def step(self, now_ns: int) -> list[Turn]:
        """Play all orders due until `now_ns`."""
        turns = []
        while self.next_ns <= now_ns:
            planned = self._planned.pop(0) if self._planned and self._planned[0].at_ns <= self._next_ns else None
            turn = self._play(max(planned.at_ns, self.last_ns) if planned else self._next_ns, planned)
            if turn is not None:
                turns.append(turn)
                if planned:
                    planned.played.append(turn)
            if not planned:
                self._next_ns += self._pause()
        return turns

    def skip(self, now_ns: int) -> None:
        """After a halt: what was not played until `now_ns` is never played."""
        self._next_ns = max(self._next_ns, now_ns + self._pause())

    # ------------------------------------------------------------------ one order

    def _pause(self) -> int:
        # Orders come in bursts: most follow at once, some after a long wait; the mean stays 1 / rate.
        share = 0.25 if self._random.random() < 0.7 else 2.75
        return int(self._random.expovariate(1.0) * share * 1e9 / self._rate) + 1

    def _size(self) -> int:
        return max(1, int(self._lot * math.exp(self._random.gauss(0.0, 1.1))))

    def _play(self, at_ns: int, planned: Planned | None = None) -> Turn | None:
        touched: list[tuple[int, int]] = []
        fills: list[Fill] = []
        self._turn_id = self.last_id + self._random.choice(self._id_steps)
        if planned and planned.leap:
            self._premium += planned.leap
            limit = round(self.fair(at_ns)) * self.sides[ASK if planned.is_buy else BID].sign
            liquidation = self._take(planned.is_buy, 1 << 60, limit, at_ns, False, touched, fills, WIDEST_LEAP)
        elif planned and planned.rests:
            liquidation = None
            self._rest(planned, planned.rests, touched)
        elif planned:
            widest = WIDEST_SWEEP if planned.closes else WIDEST_LEAP
            liquidation = self._take(planned.is_buy, planned.lots, None, at_ns, planned.forced, touched, fills, widest)
        else:
            liquidation = self._choose(at_ns, touched, fills)
        for number, side in enumerate(self.sides):
            if len(side.ranks) > MOST_LEVELS and (number, side.ranks[0] * side.sign) not in self._asked_for:
                tick = side.ranks[0] * side.sign
                side.remove(tick)
                touched.append((number, tick))
            while len(side.ranks) < FEWEST_LEVELS:
                self._far(number, touched)
        if not touched:
            return None
        self.last_id = self._turn_id
        self.last_ns = at_ns
        best = self._touch()
        moved = best if best != self._best else None
        self._best = best
        return Turn(self.last_id, at_ns, touched, fills, moved, liquidation, liquidation is not None or bool(planned and planned.closes))

    def _rest(self, planned: Planned, order: Resting, touched: list) -> None:
        """Put it into the book, or take back what is left of it."""
        number = BID if planned.is_buy else ASK
        side = self.sides[number]
        if not planned.pulls:
            bid, _, ask, _ = self._best
            tick = max(1, round((bid + ask) / 2 * (1 - side.sign * order.bps / 1e4)))
            tick = min(tick, bid) if number == BID else max(tick, ask)
            while order.alone and tick in side.lots and tick > 1:
                tick -= side.sign
            if order.alone:
                self._alone.add((number, tick))
            order.tick = tick
            side.add(order.tick, planned.lots)
            self._asked_for[number, order.tick] = planned.lots
        else:
            self._alone.discard((number, order.tick))
            there = side.lots.get(order.tick, 0)
            left = min(there, self._asked_for.pop((number, order.tick), 0))
            if not left:
                return
            if left == there:
                side.remove(order.tick)
            else:
                side.lots[order.tick] = there - left
                side.orders[order.tick] = max(1, side.orders[order.tick] - 1)
        touched.append((number, order.tick))

    def _choose(self, at_ns: int, touched: list, fills: list[Fill]) -> Liquidation | None:
        """One order of the flow."""
        draw = self._random.random
        bid, _, ask, _ = self._best
        lead = (self.fair(at_ns) - (bid + ask) / 2) / self._near
        buy_share = 0.5 + 0.48 * max(-1.0, min(1.0, lead / 3.0))
        is_buy = draw() < buy_share
        kind = draw()
        if kind < 0.07 + min(0.25, abs(lead) / 40.0):
            return self._market(is_buy, at_ns, abs(lead) > 1.0 and is_buy == (lead > 0), touched, fills)
        if kind < 0.56:
            self._limit(BID if is_buy else ASK, touched)
        else:
            self._cancel(ASK if is_buy else BID, touched)
        return None

    def _touch(self) -> tuple[int, int, int, int]:
        bids, asks = self.sides
        return bids.best, bids.lots[bids.best], asks.best, asks.lots[asks.best]

    def _limit(self, number: int, touched: list) -> None:
        side, other = self.sides[number], self.sides[1 - number]
        draw = self._random.random
        room = -other.ranks[-1] - side.ranks[-1] - 1  # ticks strictly inside the spread
        kind = draw()
        if room > 0 and (kind < 0.2 or room > self._near):
            rank = side.ranks[-1] + self._random.randint(1, room)
        elif kind < 0.45:
            rank = side.ranks[-1]
        elif kind < 0.9:
            rank = side.ranks[-1] - int(self._random.expovariate(0.2 / self._near))
        else:
            self._far(number, touched)
            return
        if rank * side.sign > 0 and (number, rank * side.sign) not in self._alone:
            side.add(rank * side.sign, self._size())
            touched.append((number, rank * side.sign))

    def _far(self, number: int, touched: list) -> None:
        side = self.sides[number]
        widest = 0.3 * abs(side.ranks[-1])
        for _ in range(8):
            rank = side.ranks[-1] - int(self._near * (widest / self._near) ** self._random.random())
            if rank * side.sign > 0 and (number, rank * side.sign) not in self._alone:
                side.add(rank * side.sign, self._size())
                touched.append((number, rank * side.sign))
                return

    def _cancel(self, number: int, touched: list) -> None:
        side = self.sides[number]
        n = len(side.ranks)
        place = min(n - 1, int(self._random.expovariate(0.12))) if self._random.random() < 0.75 else self._random.randrange(n)
        tick = side.ranks[-1 - place] * side.sign
        if (number, tick) in self._asked_for:
            return
        orders, lots = side.orders[tick], side.lots[tick]
        if orders == 1 or lots <= orders:
            side.remove(tick)
        else:
            side.lots[tick] = lots - self._random.randint(1, max(1, 2 * lots // orders - 1))
            side.orders[tick] = orders - 1
        touched.append((number, tick))

    def _market(self, is_buy: bool, at_ns: int, sweeps: bool, touched: list, fills: list[Fill]) -> Liquidation | None:
        forced = self._liquidations and self._random.random() < 0.02 and at_ns >= self.calm_until_ns
        left = self._size() * (8 if forced or self._random.random() < 0.05 else 1)
        limit = round(self.fair(at_ns)) * self.sides[ASK if is_buy else BID].sign if sweeps else None
        return self._take(is_buy, 1 << 60 if sweeps else left, limit, at_ns, forced, touched, fills)

    def _take(
        self, is_buy: bool, left: int, limit: int | None, at_ns: int, forced: bool, touched: list, fills: list[Fill], widest: int = WIDEST_SWEEP
    ) -> Liquidation | None:
        """Take up to `left` lots from the other side, of `widest` levels, not beyond `limit` (a rank)."""
        number = ASK if is_buy else BID
        side = self.sides[number]
        first_tick = side.best
        for _ in range(widest):
            tick = side.best
            if left <= 0 or (limit is not None and side.ranks[-1] < limit and fills):
                break
            there, orders = side.lots[tick], side.orders[tick]
            taken = min(left, there)
            matches = orders if taken == there else self._random.randint(1, min(orders, 3))
            self._split(tick, taken, min(matches, taken, 12), not is_buy, at_ns, fills)
            touched.append((number, tick))
            left -= taken
            if taken == there:
                side.remove(tick)
                self._asked_for.pop((number, tick), None)
            else:
                side.lots[tick] = there - taken
                side.orders[tick] = max(1, orders - matches + 1)
        if not forced:
            return None
        lots = sum(fill.lots for fill in fills)
        bankrupt = max(1, first_tick + (1 if is_buy else -1) * max(1, first_tick // 200))
        return Liquidation(not is_buy, bankrupt, fills[-1].tick, lots, at_ns, sum(fill.tick * fill.lots for fill in fills))

    def _split(self, tick: int, lots: int, parts: int, buyer_is_maker: bool, at_ns: int, fills: list[Fill]) -> None:
        while parts:
            size = lots if parts == 1 else self._random.randint(1, lots - parts + 1)
            fills.append(Fill(self.next_trade_id, tick, size, buyer_is_maker, at_ns, self._turn_id))
            self.next_trade_id += 1
            lots -= size
            parts -= 1

    # ------------------------------------------------------------------ the first book

    def _lay(self, middle: int) -> None:
        """Dense at the touch, ever sparser away from it, the last few far out."""
        count = (FEWEST_LEVELS + MOST_LEVELS) // 2
        for side in self.sides:
            rank = (middle if side.sign > 0 else -middle) - (0 if side.sign > 0 else 1)
            for place in range(count):
                width = 0.4 * self._near * (1.0 + (place / 250) ** 2) * (12 if place > count - 25 else 1)
                rank -= 1 + int(self._random.expovariate(1.0 / width))
                if rank * side.sign <= max(1, middle // 20):
                    break
                side.ranks.append(rank)
                tick = rank * side.sign
                side.orders[tick] = self._random.randint(1, 6)
                side.lots[tick] = sum(self._size() for _ in range(side.orders[tick]))
            side.ranks.reverse()
