"""The common price of one coin, which all its instruments follow: a seeded path on a 100 ms grid, which goes on where the coin's past ends."""

import random

from p9.simulate.path import CELL_MS, Path

GRID_NS = 100_000_000
KEPT = 4096
MINUTE_MS, HOUR_MS = 60_000, 3_600_000

Samples = tuple[float, float, float, float]  # open, high, low, close


class Index:
    """`at(now_ns)` depends on the seed and the time alone, not on who asks or how often. `value`: about where the price is."""

    def __init__(self, seed: str, start_ns: int, value: float, sigma: float = 2.0e-5):
        self._random = random.Random(seed)
        self.path = Path(seed, value)
        self.start_ms = start_ns // 1_000_000
        self._anchor = self.path.at(self.start_ms)
        self._sigma = sigma  # of the relative move per square root of a second
        self._first = start_ns // GRID_NS
        self._path = [self._anchor]
        self._minutes: dict[int, Samples] = {}  # since the start
        self._hours: dict[int, Samples] = {}  # before it
        self._leap = 1.0  # what the next point is further off by
        self._note(self._first, self._anchor)

    def at(self, now_ns: int) -> float:
        """The price at `now_ns`; a time of its life that is not kept any more answers with the oldest point that is."""
        wanted = now_ns // GRID_NS - self._first
        while wanted >= len(self._path):
            last = self._path[-1]
            pull = (self._anchor / last - 1.0) * 1e-4
            self._path.append(last * (1.0 + pull + self._random.gauss(0.0, self._sigma * 0.316)) * self._leap)
            self._leap = 1.0
            self._note(self._first + len(self._path) - 1, self._path[-1])
            if len(self._path) > 2 * KEPT:
                del self._path[:KEPT]
                self._first += KEPT
                wanted -= KEPT
        return self._path[max(0, wanted)]

    def leap(self, share: float) -> None:
        """The next point is so much higher (below 0: lower) than it would have been, and so is what the path is drawn to: it stays there."""
        self._leap *= 1.0 + share
        self._anchor *= 1.0 + share

    def bar(self, open_ms: int, length_ms: int) -> Samples | None:
        """(open, high, low, close) of its samples in this interval of whole minutes: one in 15 s before the start, ten a second since."""
        if length_ms > HOUR_MS and open_ms + length_ms <= self.start_ms:
            found = [self._hour(at) for at in range(open_ms, open_ms + length_ms, HOUR_MS)]
        else:
            found = [self._minute(at) for at in range(open_ms, open_ms + length_ms, MINUTE_MS)]
        bars = [bar for bar in found if bar is not None]
        return _joined(bars) if bars else None

    def _hour(self, open_ms: int) -> Samples | None:
        if open_ms not in self._hours:
            bar = self.bar(open_ms, HOUR_MS)
            if bar is None:
                return None
            self._hours[open_ms] = bar
        return self._hours[open_ms]

    def _minute(self, open_ms: int) -> Samples | None:
        past = [self.path.cell(at // CELL_MS) for at in range(open_ms, min(open_ms + MINUTE_MS, self.start_ms), CELL_MS)]
        bars = [(past[0], max(past), min(past), past[-1])] if past else []
        lived = self._minutes.get(open_ms)
        return _joined([*bars, lived] if lived is not None else bars) if bars or lived else None

    def _note(self, grid: int, value: float) -> None:
        minute = grid * GRID_NS // 1_000_000 // MINUTE_MS * MINUTE_MS
        known = self._minutes.get(minute)
        self._minutes[minute] = (known[0], max(known[1], value), min(known[2], value), value) if known else (value,) * 4


def _joined(bars: list[Samples]) -> Samples:
    return bars[0][0], max(bar[1] for bar in bars), min(bar[2] for bar in bars), bars[-1][3]
