"""The figures of a signal: rank correlation with what came after and its interval, hits, how often and how long it is in force."""

import math
from collections.abc import Iterable

import msgspec
import numpy as np

from p9.evaluation.samples import Episode

Z_95 = 1.959963984540054  # of the normal distribution, two-sided 95 %
BLOCKS = 3  # a block of the bootstrap is so many horizons long: returns overlap within one
DRAWS = 2000
MOST_BLOCKS = 500  # of one draw: longer blocks lose nothing then


class Interval(msgspec.Struct, frozen=True):
    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


class Hits(msgspec.Struct, frozen=True):
    """Begins whose direction the price took over the horizon. Only those at least a horizon after the one before: others tell of the same move."""

    n: int
    hits: int
    unchanged: int  # the price stood still: neither
    overlapping: int  # left out
    rate: float | None
    interval: Interval | None  # Wilson's
    chance: float | None  # the rate of the same directions at any time


class Turnover(msgspec.Struct, frozen=True):
    begins: int
    begins_an_hour: float | None
    share_in_force: float | None
    mean_life_s: float | None  # of those that ended
    lives_s: list[float]


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks among what is known of one row, ties sharing their mean, spread over -1/2 to 1/2; not a number stays."""
    out = np.full(values.shape, np.nan)
    known = np.isfinite(values)
    if known.any():
        _, place, counts = np.unique(values[known], return_inverse=True, return_counts=True)
        last = np.cumsum(counts)
        out[known] = ((last - (counts - 1) / 2.0)[place] - 0.5) / known.sum() - 0.5
    return out


def paired_ranks(strength: np.ndarray, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both by rank within each instrument, where both are known; not a number elsewhere. An instrument where one never varies is left out."""
    a, b = np.full_like(strength, np.nan), np.full_like(returns, np.nan)
    for row in range(len(strength)):
        both = np.isfinite(strength[row]) & np.isfinite(returns[row])
        x, y = ranks(np.where(both, strength[row], np.nan)), ranks(np.where(both, returns[row], np.nan))
        if both.any() and np.ptp(x[both]) > 0 and np.ptp(y[both]) > 0:
            a[row], b[row] = x, y
    return a, b


def correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Of centred ranks: Spearman's. None: nothing varies."""
    both = np.isfinite(a)
    size = math.sqrt(float((a[both] ** 2).sum()) * float((b[both] ** 2).sum()))
    return float((a[both] * b[both]).sum()) / size if size > 0 else None


def bootstrap(a: np.ndarray, b: np.ndarray, horizon_steps: int, rng: np.random.Generator, draws: int = DRAWS) -> Interval | None:
    """The middle 95 % of the correlation over circular blocks of time, drawn for all instruments at once: they move together."""
    both = np.isfinite(a)
    x, y = np.where(both, a, 0.0), np.where(both, b, 0.0)
    sums = np.stack([part.sum(axis=0) for part in (both.astype(float), x, y, x * x, y * y, x * y)])
    used = np.flatnonzero(sums[0])
    if not len(used):
        return None
    sums = sums[:, used]
    length = len(used)
    block = min(length, max(BLOCKS * horizon_steps, round(length ** (1 / 3)), -(-length // MOST_BLOCKS)))
    so_far = np.concatenate([np.zeros((6, 1)), np.cumsum(np.concatenate([sums, sums[:, :block]], axis=1), axis=1)], axis=1)
    of_block = so_far[:, block : block + length] - so_far[:, :length]
    blocks = max(1, round(length / block))
    values = np.concatenate([_correlations(of_block, rng.integers(0, length, (min(500, draws - done), blocks))) for done in range(0, draws, 500)])
    values = values[np.isfinite(values)]
    return Interval(*(float(value) for value in np.quantile(values, (0.025, 0.975)))) if len(values) >= draws // 2 else None


def _correlations(of_block: np.ndarray, starts: np.ndarray) -> np.ndarray:
    n, x, y, xx, yy, xy = of_block[:, starts].sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (xy - x * y / n) / np.sqrt((xx - x * x / n) * (yy - y * y / n))


def wilson(hits: int, n: int) -> Interval | None:
    """Of a share, 95 %."""
    if n == 0:
        return None
    share, z2 = hits / n, Z_95 * Z_95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def hits(begins: Iterable[tuple[int, int, int]], returns: np.ndarray, horizon_steps: int) -> Hits:
    """`begins`: (row, column, direction), by row in the order of time; `returns` over that horizon."""
    right = wrong = unchanged = overlapping = ups = 0
    last: dict[int, int] = {}
    for row, column, direction in begins:
        if not math.isfinite(returns[row, column]):
            continue
        if column - last.get(row, -horizon_steps) < horizon_steps:
            overlapping += 1
            continue
        last[row] = column
        moved = float(returns[row, column]) * direction
        right, wrong, unchanged = right + (moved > 0), wrong + (moved < 0), unchanged + (moved == 0)
        ups += moved != 0 and direction > 0
    n = right + wrong
    rose, fell = int((returns > 0).sum()), int((returns < 0).sum())
    chance = (ups * rose + (n - ups) * fell) / (n * (rose + fell)) if n and rose + fell else None
    return Hits(n, right, unchanged, overlapping, right / n if n else None, wilson(right, n), chance)


def turnover(episodes: Iterable[Episode], known_s: float, until_ns: int) -> Turnover:
    """`known_s`: how long the signal's strength was known; `until_ns`: where the recording ends what is still in force."""
    episodes = list(episodes)
    lives = [episode.life_ns / 1e9 for episode in episodes if episode.life_ns is not None]
    still = sum(max(0, until_ns - episode.since_ns) / 1e9 for episode in episodes if episode.life_ns is None)
    return Turnover(
        len(episodes), len(episodes) / known_s * 3600.0 if known_s > 0 else None, min(1.0, (sum(lives) + still) / known_s) if known_s > 0 else None,
        sum(lives) / len(lives) if lives else None, lives,
    )  # fmt: skip
