"""The common price of one coin, which all its instruments follow: a seeded path on a 100 ms grid."""

import random

GRID_NS = 100_000_000
KEPT = 4096


class Index:
    """`at(now_ns)` depends on the seed and the time alone, not on who asks or how often."""

    def __init__(self, seed: str, start_ns: int, value: float, sigma: float = 2.0e-5):
        self._random = random.Random(seed)
        self._anchor = value
        self._sigma = sigma  # of the relative move per square root of a second
        self._first = start_ns // GRID_NS
        self._path = [value]

    def at(self, now_ns: int) -> float:
        """The price at `now_ns`; a time older than the kept path answers with its oldest point."""
        wanted = now_ns // GRID_NS - self._first
        while wanted >= len(self._path):
            last = self._path[-1]
            pull = (self._anchor / last - 1.0) * 1e-4
            self._path.append(last * (1.0 + pull + self._random.gauss(0.0, self._sigma * 0.316)))
            if len(self._path) > 2 * KEPT:
                del self._path[:KEPT]
                self._first += KEPT
                wanted -= KEPT
        return self._path[max(0, wanted)]
