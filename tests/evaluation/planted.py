"""Tracks of known worth: a price that walks at random, and signals that know something of it, or nothing."""

from array import array

import numpy as np

from p9.evaluation.samples import SIGNALS, Episode, Track

START_S = 1_700_000_000


def walk(rng: np.random.Generator, n: int, step: float = 1e-4) -> np.ndarray:
    return 100.0 * np.exp(np.cumsum(rng.normal(0, step, n)))


def persistent(rng: np.random.Generator, n: int, keep: float) -> np.ndarray:
    """Autoregressive noise within -1 to 1 that knows nothing."""
    out, noise = np.zeros(n), rng.normal(0, 1, n)
    for i in range(1, n):
        out[i] = keep * out[i - 1] + noise[i]
    return np.tanh(out * np.sqrt(1 - keep * keep))


def track(mid: np.ndarray, *, name: str = "market A", first: int = START_S, episodes: list[Episode] | None = None, **signals: np.ndarray) -> Track:
    """One sample a step of a second; signals that are not given are not known."""
    n = len(mid)
    unknown = np.full(n, np.nan)
    strengths = {signal: array("d", signals.get(signal, unknown)) for signal in SIGNALS}
    return Track(name, array("q", range(first, first + n)), array("d", mid), strengths, episodes or [])
