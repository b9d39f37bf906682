"""Momentum and jumps (analytics.md 4.9) of prices sampled on a grid of time."""

import math

import numpy as np

SAMPLES = 10  # a horizon
LEAST_RETURNS = 100


def sampled(at_ns: np.ndarray, price: np.ndarray, step_ns: int, begin_ns: int, until_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """(grid times, price in force at each) of the grid times from `begin_ns` on and before `until_ns`."""
    grid = np.arange(-(-begin_ns // step_ns), -(-until_ns // step_ns)) * step_ns
    return grid, price[np.searchsorted(at_ns, grid, side="right") - 1] if len(grid) else price[:0]


def trend(log_prices: np.ndarray, memory: float = 60) -> tuple[float, float]:
    """(return of a horizon, z) by the weights of the exponential means; NaN where not known yet."""
    r = np.diff(log_prices)
    n = len(r)
    if n < LEAST_RETURNS:
        return math.nan, math.nan
    a, b = 1 - math.exp(-1 / SAMPLES), 1 - math.exp(-1 / (SAMPLES * memory))
    age = np.arange(n)[::-1]
    slow = (1 - b) ** age
    weights = a * (1 - a) ** age
    mean, variance = weights @ r, slow @ r**2 / slow.sum()
    z = mean / math.sqrt(variance * (weights**2).sum()) if variance > 0 else math.nan
    return float(SAMPLES * mean / weights.sum()), float(z)


def limit(n: float, significance: float = 0.01) -> float:
    """Lee and Mykland's threshold of |L| for n returns a day."""
    c, ln = math.sqrt(2 / math.pi), math.log(n)
    big = math.sqrt(2 * ln) / c - (math.log(math.pi) + math.log(ln)) / (2 * c * math.sqrt(2 * ln))
    return big - math.log(-math.log(1 - significance)) / (c * math.sqrt(2 * ln))


def statistics(r: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """(L, sigma) of each return, by the bipower variation of the window - 1 returns before it; NaN where not known."""
    sigmas = np.full(len(r), np.nan)
    if len(r) >= window:
        products = np.abs(r[1:]) * np.abs(r[:-1])
        variance = np.lib.stride_tricks.sliding_window_view(products, window - 2).sum(axis=1)[: len(r) - window + 1] / (window - 2)
        sigmas[window - 1 :] = np.where(variance > 0, np.sqrt(variance), np.nan)
    return r / sigmas, sigmas


def volume_z(volumes: np.ndarray, i: int, window: int) -> float:
    """How far the i-th volume lies above those of the window - 1 steps before it."""
    before = volumes[i - window + 1 : i]
    spread = before.std(ddof=1)
    return float((volumes[i] - before.mean()) / spread) if spread > 0 else math.nan
