"""Kyle's lambda (1985) and Amihud's illiquidity (2002) by minutes (analytics.md 4.6)."""

import math

import numpy as np

MINUTE = 60_000_000_000
LEAST = 10


def minutes(at_ns: np.ndarray, price: np.ndarray, base: np.ndarray, quote: np.ndarray, sign: np.ndarray, newest: int, n: int) -> tuple[np.ndarray, ...]:
    """(price changes, signed volumes, quote volumes, prices before) of the last `n` minutes before the `newest`, without the first one of all."""
    index = at_ns // MINUTE
    rows = range(max(int(index[0]) + 1, newest - n), newest)
    order = np.argsort(at_ns, kind="stable")
    at, px = at_ns[order], price[order]

    def close(minute: int) -> float:
        return float(px[np.searchsorted(at, (minute + 1) * MINUTE, side="left") - 1])

    before = np.array([close(minute - 1) for minute in rows])
    moves = np.array([close(minute) for minute in rows]) - before
    net = np.array([(sign * base)[index == minute].sum() for minute in rows])
    money = np.array([quote[index == minute].sum() for minute in rows])
    return moves, net, money, before


def kyle(moves: np.ndarray, net: np.ndarray) -> tuple[float, float, float]:
    """(lambda, its t, R^2) of moves = a + lambda * net by least squares; NaN where there is no answer."""
    if len(moves) < LEAST or np.ptp(net) == 0:
        return math.nan, math.nan, math.nan
    design = np.column_stack([np.ones(len(net)), net])
    solution, *_ = np.linalg.lstsq(design, moves, rcond=None)
    rest = moves - design @ solution
    variance = rest @ rest / (len(moves) - 2) * np.linalg.inv(design.T @ design)[1, 1]
    total = ((moves - moves.mean()) ** 2).sum()
    return float(solution[1]), float(solution[1] / math.sqrt(variance)) if variance > 0 else math.nan, float(1 - rest @ rest / total) if total > 0 else math.nan


def amihud(moves: np.ndarray, money: np.ndarray, before: np.ndarray) -> float:
    """The mean of |r| / quote volume over the minutes with trades."""
    traded = money > 0
    return float(np.mean(np.abs(moves / before)[traded] / money[traded])) if len(moves) >= LEAST and traded.any() else math.nan
