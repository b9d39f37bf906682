"""Flow by class of size (analytics.md 4.7): sums by sliding windows, exactly."""

from fractions import Fraction

import numpy as np

SECOND = 1_000_000_000
CLASSES = ("retail", "mid", "large", "whale")


def classes(money: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """0 retail, 1 mid, 2 large, 3 whale of each print, by its own row of (mid, large, whale, mega) thresholds; NaN: not known yet."""
    reached = np.array(money, dtype=float)[:, None] >= np.nan_to_num(thresholds, nan=np.inf)
    tier = np.where(reached.any(axis=1), 4 - np.argmax(reached[:, ::-1], axis=1), 0)
    return np.minimum(tier, 3)


def window(at_ns: np.ndarray, money: np.ndarray, sign: np.ndarray, cls: np.ndarray, step_s: int, now_ns: int) -> dict[str, tuple[Fraction, Fraction, int]]:
    """{class: (net, volume, prints)} of the sixty steps that end with the one of now."""
    step = at_ns // (step_s * SECOND)
    newest = now_ns // (step_s * SECOND)
    inside = (step > newest - 60) & (step <= newest)
    return {
        name: (
            sum((money * sign)[inside & (cls == n)], Fraction()), sum(money[inside & (cls == n)], Fraction()), int((inside & (cls == n)).sum()),
        )
        for n, name in enumerate(CLASSES)
    }  # fmt: skip


def quantile(sizes: list[float], share: float) -> float | None:
    """The size at rank ceil(share * n) of all sorted; None where not one is expected above it."""
    rank = int(np.ceil(share * len(sizes)))
    return float(np.sort(sizes)[rank - 1]) if 1 <= rank < len(sizes) else None
