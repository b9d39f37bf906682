"""The score of an order that was posted near the touch and withdrawn (analytics page, 4.8), from its evidence and formula alone."""

import math

import numpy as np

from tests.reference.book import imbalance, within

WEIGHTS = {"size": 1.5, "near": 1.5, "briefly": 0.5, "unexecuted": 0.5, "opposite": 2.0, "tilt": 2.0, "reverted": 1.0, "repeated": 1.5}
BIAS = -4.0


def near_depth(levels, best: tuple[int, int], bps: int) -> float:
    """All sizes within `bps` of the mid."""
    sizes = np.array([size for _, size in levels], dtype=float)
    return float(sizes[within([px for px, _ in levels], *best, bps)].sum())


def rho(bids, asks, bps: int) -> float | None:
    best = bids[0][0], asks[0][0]
    return imbalance(near_depth(bids, best, bps), near_depth(asks, best, bps))


def features(
    *, added: float, threshold: float, distance_bps: float, life_s: float, executed_share: float, opposite: float, typical: float,
    rho_before: float, rho_posted: float, rho_withdrawn: float, repeats: int, max_bps: int = 20, most_life_s: float = 5.0, most_executed: float = 0.05,
) -> dict[str, float]:  # fmt: skip
    tilt = rho_posted - rho_before
    raw = {
        "size": math.log2(added / threshold) / 3, "near": 1 - distance_bps / max_bps, "briefly": 1 - life_s / most_life_s,
        "unexecuted": 1 - executed_share / most_executed, "opposite": 0.0 if opposite <= 0 else math.inf if typical <= 0 else opposite / typical / 2,
        "tilt": abs(tilt) / 0.4, "reverted": (rho_posted - rho_withdrawn) / tilt if tilt else 0.0, "repeated": repeats / 5,
    }  # fmt: skip
    return {name: min(max(value, 0.0), 1.0) for name, value in raw.items()}


def score(found: dict[str, float]) -> float:
    return 1 / (1 + math.exp(-BIAS - sum(WEIGHTS[name] * value for name, value in found.items())))
