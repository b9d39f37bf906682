"""What a signal without any knowledge would reach: the same signal, the same prices, their time turned against each other.

Turning keeps how long a signal lasts, how returns overlap and how instruments move together, and takes only what is asked about: that the one comes
before the other. All turns are tried (a product of Fourier transforms), so nothing is drawn by lot:

    p = turns (with none among them) that reach at least as far from 0 / all turns

Turns by less than the signal's memory resemble no turn at all; they count like any other, which is why a short recording cannot give a small p.
"""

import msgspec
import numpy as np

from p9.evaluation.score import Interval

LEAST_PAIRS = 0.5  # a turn that leaves fewer of the pairs (holes meet data) is not asked


class Null(msgspec.Struct, frozen=True):
    p: float
    band: Interval  # the middle 95 % of the turns
    turns: int


def turned(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The correlation of `a`, turned by 0, 1, 2 … columns, with `b`, where both are known; not a number for turns that leave too few pairs."""
    n = a.shape[1]
    known = np.isfinite(a), np.isfinite(b)
    x, y = np.where(known[0], a, 0.0), np.where(known[1], b, 0.0)

    def across(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.fft.irfft((np.conj(np.fft.rfft(left, axis=1)) * np.fft.rfft(right, axis=1)).sum(axis=0), n)

    pairs = across(known[0].astype(float), known[1].astype(float))
    size = across(x * x, known[1].astype(float)) * across(known[0].astype(float), y * y)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = across(x, y) / np.sqrt(size)
    return np.where((pairs >= LEAST_PAIRS * pairs[0]) & (size > 1e-12), values, np.nan)


def rotation(a: np.ndarray, b: np.ndarray) -> Null | None:
    """None: nothing to turn."""
    values = turned(a, b)
    if not len(values) or not np.isfinite(values[0]):
        return None
    values = values[np.isfinite(values)]
    reached = int((np.abs(values) >= abs(values[0]) - 1e-9).sum())
    return Null(reached / len(values), Interval(*(float(value) for value in np.quantile(values, (0.025, 0.975)))), len(values))


def holm(ps: list[float]) -> list[float]:
    """The same p, each raised so that the chance of one wrong word among all of them stays what it says (Holm 1979)."""
    out, so_far = [0.0] * len(ps), 0.0
    for place, i in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        so_far = max(so_far, min(1.0, (len(ps) - place) * ps[i]))
        out[i] = so_far
    return out
