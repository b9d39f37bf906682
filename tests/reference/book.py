"""The depth of a book by distance, level by level and from the formula alone. Prices are whole numbers (ticks): whether a level lies on an edge is exact.

A side is two arrays, best first: prices (of Python's own unbounded integers) and sizes.
"""

import numpy as np

Side = tuple[np.ndarray, np.ndarray]


def side(levels) -> Side:
    """[(price, size), ...], best first; prices int, sizes anything."""
    rows = list(levels)
    return np.array([px for px, _ in rows], dtype=object), np.array([float(size) for _, size in rows])


def distances(prices, best_bid: int, best_ask: int) -> np.ndarray:
    """The whole basis points that a price is within: the least n with |2 price - (bid + ask)| * 10^4 <= n * (bid + ask)."""
    double_mid = best_bid + best_ask
    return np.array([-(-abs(2 * px - double_mid) * 10_000 // double_mid) for px in prices], dtype=float)


def within(prices, best_bid: int, best_ask: int, bps: int) -> np.ndarray:
    """Which prices are no further than `bps` from the mid."""
    return distances(prices, best_bid, best_ask) <= bps


def imbalance(bids: float, asks: float) -> float | None:
    """rho = (B - A) / (B + A)"""
    return (bids - asks) / (bids + asks) if bids + asks > 0 else None


def imbalance_of_levels(bids: Side, asks: Side, n: int) -> float | None:
    return imbalance(bids[1][:n].sum(), asks[1][:n].sum())


def imbalance_weighted(bids: Side, asks: Side, n: int, decay: float) -> float | None:
    """w_i = exp(-decay (i - 1)), i = 1 at the touch"""
    sums = [(sizes[:n] * np.exp(-decay * np.arange(len(sizes[:n])))).sum() for _, sizes in (bids, asks)]
    return imbalance(*sums)


def imbalance_within(bids: Side, asks: Side, bps: int) -> float | None:
    if not len(bids[0]) or not len(asks[0]):
        return None
    best = bids[0][0], asks[0][0]
    return imbalance(*(sizes[within(prices, *best, bps)].sum() for prices, sizes in (bids, asks)))
