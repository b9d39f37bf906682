"""Depth, profile, slippage, the shift of depth, and walls, from their formulas. Levels are [(price in ticks, size)], best first; `worth` turns a level
into coins: worth(ticks, size) -> (base, quote)."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from tests.reference.book import distances, within

Worth = Callable[[int, float], tuple[float, float]]


def amounts(levels, worth: Worth) -> np.ndarray:
    """Rows of (base, quote)."""
    return np.array([worth(px, size) for px, size in levels]).reshape(-1, 2)


def depth(levels, best: tuple[int, int], edges: Iterable[int], worth: Worth) -> np.ndarray:
    """Quote coins within each of these distances from the mid."""
    away, quote = distances([px for px, _ in levels], *best), amounts(levels, worth)[:, 1]
    return np.array([quote[away <= bps].sum() for bps in edges])


def profile(levels, best: tuple[int, int], edges: Iterable[int], worth: Worth) -> np.ndarray:
    """Quote coins between one edge and the next."""
    away, quote = distances([px for px, _ in levels], *best), amounts(levels, worth)[:, 1]
    places = np.searchsorted(list(edges), away)
    return np.array([quote[places == n].sum() for n in range(len(list(edges)))])


def slippage(levels, mid: float, order: float, worth: Worth, *, buy: bool) -> float | None:
    """Distance of a market order's mean price from the mid, in basis points; None where the levels do not suffice. `mid` in quote coins."""
    rows = amounts(levels, worth)
    before = np.concatenate([[0.0], rows[:, 1].cumsum()])
    if before[-1] < order * (1 - 1e-12):  # levels that are worth just the order suffice, whatever the last bit of their sum
        return None
    taken = np.clip(order - before[:-1], 0.0, rows[:, 1]) / rows[:, 1]  # of each level
    mean = order / (taken * rows[:, 0]).sum()
    return (mean / mid - 1) * 1e4 * (1 if buy else -1)


def w1(now: np.ndarray, usual: np.ndarray, edges: list[int]) -> float | None:
    """integral of |F - G| over basis points: both are shares of their own total by distance."""
    if now.sum() <= 0 or usual.sum() <= 0:
        return None
    return float((np.abs(now.cumsum() / now.sum() - usual.cumsum() / usual.sum()) * np.diff([0, *edges])).sum())


def exponential_mean(rows: list[tuple[float, np.ndarray]], tau_s: float) -> np.ndarray:
    """Of (seconds, values) rows: m <- m + (1 - exp(-dt / tau)) (x - m), from the first one on."""
    at, mean = rows[0]
    for now, values in rows[1:]:
        mean = mean + (1 - math.exp(-(now - at) / tau_s)) * (values - mean)
        at = now
    return mean


@dataclass
class Wall:
    """One level that is a wall or may become one."""

    side: int
    px: int
    size: float
    since_s: float
    peak: float = 0.0
    told: float = 0.0
    traded: float = 0.0
    state: str = "forming"
    state_s: float = 0.0
    gone_s: float | None = None


@dataclass
class Walls:
    """The definition of 4.10, survey by survey. `large(side, sizes)` says which sizes belong to the day's largest."""

    times: float = 8.0
    neighbours: int = 25
    max_bps: int = 200
    looked_at_bps: int = 200
    persist_s: float = 10.0
    gone_share: float = 0.5
    absorbed_share: float = 0.5
    grow_share: float = 0.25
    settle_s: float = 1.0
    keep_s: float = 10.0
    rows: list[Wall] = field(default_factory=list)

    def trade(self, side: int, px: int, size: float) -> None:
        for wall in self.rows:
            if (wall.side, wall.px) == (side, px) and wall.state not in ("absorb", "pull"):
                wall.traded += size

    def _stands_out(self, levels, place: int) -> bool:
        around = [size for n, (_, size) in enumerate(levels) if n != place and abs(n - place) <= self.neighbours]
        return len(around) >= self.neighbours and levels[place][1] >= self.times * np.median(around)

    def survey(self, bids, asks, threshold: float | None, now_s: float, *, fresh: bool = True) -> None:
        """`fresh`: the book has changed since the last one; only then are levels looked at anew."""
        best = bids[0][0], asks[0][0]
        sides = [
            [level for level, near in zip(levels, within([px for px, _ in levels], *best, self.looked_at_bps), strict=True) if near]
            for levels in (bids, asks)
        ]  # fmt: skip
        self.rows = [wall for wall in self.rows if wall.state not in ("absorb", "pull") or now_s - wall.state_s < self.keep_s]
        for wall in list(self.rows):
            if wall.state in ("absorb", "pull"):
                continue
            self._follow(wall, dict(bids if wall.side == 0 else asks), best, now_s)
        if not fresh:
            for wall in self.rows:
                if wall.state == "forming" and now_s - wall.since_s >= self.persist_s:
                    wall.state, wall.state_s, wall.told = "appear", now_s, wall.size
        if threshold is None or not fresh:
            return
        for number, levels in enumerate(sides):
            for place, (px, size) in enumerate(levels):
                known = next((wall for wall in self.rows if (wall.side, wall.px) == (number, px) and wall.state not in ("absorb", "pull")), None)
                is_wall = size >= threshold and within([px], *best, self.max_bps)[0] and self._stands_out(levels, place)
                if known is None and is_wall:
                    self.rows.append(Wall(number, px, size, now_s, peak=size, told=size, state_s=now_s))
                elif known is not None and known.state == "forming":
                    if not is_wall:
                        self.rows.remove(known)
                    elif now_s - known.since_s >= self.persist_s:
                        known.state, known.state_s, known.told = "appear", now_s, known.size

    def _follow(self, wall: Wall, levels: dict[int, float], best: tuple[int, int], now_s: float) -> None:
        wall.size = levels.get(wall.px, 0.0)
        wall.peak = max(wall.peak, wall.size)
        if not within([wall.px], *best, self.max_bps)[0]:
            self.rows.remove(wall)
        elif wall.size >= self.gone_share * wall.peak:
            wall.gone_s = None
            if wall.state != "forming" and wall.size >= (1 + self.grow_share) * wall.told:
                wall.state, wall.state_s, wall.told = "grow", now_s, wall.size
            elif wall.state in ("appear", "grow") and now_s - wall.state_s >= 1.0:
                wall.state, wall.state_s = "persist", now_s
        elif wall.state == "forming":
            self.rows.remove(wall)
        elif wall.gone_s is None:
            wall.gone_s = now_s
        elif now_s - wall.gone_s >= self.settle_s:
            wall.state = "absorb" if wall.traded >= self.absorbed_share * (wall.peak - wall.size) else "pull"
            wall.state_s = now_s
