"""The price of one coin at any time, as a function of the seed and the time alone: noise on many scales, so that no moment depends on another.

It is piecewise linear between whole cells of 15 seconds. Whoever starts later begins where it then is.
"""

import math

CELL_MS = 15_000
BLOCK_OCTAVE = 8
BLOCK = 1 << BLOCK_OCTAVE  # cells that are laid out at once
OCTAVES = 16  # from 15 s to 11 days, each lasting twice as long as the one before
BLOCKS_KEPT = 160
SIGMA = 1.0e-4  # of the shortest octave; of each longer one, the square root of two times more
MASK = (1 << 64) - 1


def mixed(value: int) -> int:
    """64 bits that look random, from 64 bits that may be a count (the finalizer of splitmix64)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def number_of(seed: str) -> int:
    """The same 64 bits for the same text on every machine."""
    number = 0
    for byte in seed.encode():
        number = mixed(number ^ byte)
    return number


class Path:
    """`value`: what it moves around; it strays a few percent from there."""

    def __init__(self, seed: str, value: float):
        self._seed, self.value = number_of(seed), value
        self._blocks: dict[int, list[float]] = {}

    def at(self, ms: int) -> float:
        cell, within = divmod(ms, CELL_MS)
        before, after = self.cell(cell), self.cell(cell + 1)
        return before + (after - before) * within / CELL_MS

    def cell(self, cell: int) -> float:
        """The price at `cell` * 15 s."""
        return self.block(cell // BLOCK)[cell % BLOCK]

    def block(self, number: int) -> list[float]:
        """The prices at the beginnings of its cells, and at its end."""
        found = self._blocks.get(number)
        if found is None:
            if len(self._blocks) >= BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
            found = self._blocks[number] = self._lay(number)
        return found

    def _lay(self, number: int) -> list[float]:
        first = number * BLOCK
        start = slope = 0.0
        for octave in range(BLOCK_OCTAVE, OCTAVES):  # of these one line is longer than the block
            length, scale = 1 << octave, SIGMA * math.sqrt(1 << octave)
            knot, within = divmod(first, length)
            before, after = self._noise(octave, knot) * scale, self._noise(octave, knot + 1) * scale
            start += before + (after - before) * within / length
            slope += (after - before) / length
        logs = [start + slope * i for i in range(BLOCK + 1)]
        for octave in range(BLOCK_OCTAVE):
            length, scale = 1 << octave, SIGMA * math.sqrt(1 << octave)
            after = self._noise(octave, first // length) * scale
            for at in range(0, BLOCK, length):
                before, after = after, self._noise(octave, (first + at) // length + 1) * scale
                step = (after - before) / length
                for i in range(length):
                    logs[at + i] += before + step * i
            logs[BLOCK] += after
        return [self.value * math.exp(log) for log in logs]

    def _noise(self, octave: int, knot: int) -> float:
        """Of mean 0 and variance 1, between -1.73 and 1.73."""
        return (mixed(self._seed ^ mixed(knot * OCTAVES + octave)) / (MASK / 2) - 1.0) * 1.7320508
