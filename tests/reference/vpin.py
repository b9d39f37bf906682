"""VPIN (Easley, Lopez de Prado, O'Hara 2012; analytics.md 4.5) of a tape and a bucket volume, without a loop over buckets."""

import math

import numpy as np


def bought_in_buckets(quantity: np.ndarray, bought: np.ndarray, volume: int) -> np.ndarray:
    """VB of each bucket that was filled: the cumulative bought volume, read off at the buckets' edges."""
    edges = np.arange(int(quantity.sum()) // volume + 1) * volume
    passed = np.concatenate([[0], np.cumsum(quantity)])
    ours = np.concatenate([[0], np.cumsum(quantity * bought)])
    return np.diff(np.interp(edges, passed, ours))


def vpin(quantity: np.ndarray, bought: np.ndarray, volume: int, n: int = 50) -> float:
    """NaN while no bucket is full."""
    buy = bought_in_buckets(quantity, bought, volume)[-n:]
    return float(np.abs(2 * buy - volume).sum() / (len(buy) * volume)) if len(buy) else math.nan


def bulk(quantity: np.ndarray, price: np.ndarray, volume: int, n: int = 50) -> float:
    """VB = V * Phi(dP / sd(dP)), dP the change of price from bucket to bucket; the first begins at the first price."""
    passed = np.cumsum(quantity)
    edges = np.arange(1, int(passed[-1]) // volume + 1) * volume
    closes = np.concatenate([[price[0]], price[np.searchsorted(passed, edges)]])
    moves = np.diff(closes)[-n:]
    if not len(moves):
        return math.nan
    spread = moves.std()
    phi = np.array([0.5 * (1 + math.erf(move / spread / math.sqrt(2))) if spread else 0.5 for move in moves])
    return float(np.abs(2 * phi - 1).mean())
