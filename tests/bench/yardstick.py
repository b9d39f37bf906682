"""How fast the machine is now, by work that is none of ours: what a bound of microseconds is held against, so that it means the same on a slower machine
and beside others' work.

`Speed.cpu`: how much more CPU than on the machine that the bounds were set on it takes msgspec to decode a depth frame (bytes, branches, small objects: what we
do). `Speed.wall`: the same by the clock on the wall, so with the turns of others in it. `Speed.late_us`: how late a sleeper wakes up, by percentile; it is a
process of its own that sleeps beside the section: the machine before and after it may be another.

    python -m tests.bench.yardstick     sleeps until its input ends, then says how late it woke up
"""

import json
import select
import subprocess
import sys
import time
from typing import NamedTuple

import msgspec

from tests.bench.market_stream import generate

SET_US = 1.6  # CPU of one frame there: an AMD EPYC of the Zen 4 generation, two virtual cores
FRAMES = 200
BATCHES = 40
NAP_S = 0.002
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}


class Speed(NamedTuple):
    """1: as it was when the bounds were set; 2: half as fast."""

    cpu: float
    wall: float
    late_us: dict[str, float]

    def worse(self, other: "Speed") -> "Speed":
        return Speed(max(self.cpu, other.cpu), max(self.wall, other.wall), {name: max(late, other.late_us[name]) for name, late in self.late_us.items()})


class Sleeper:
    """Beside what it is a context of: `late_us` afterwards."""

    def __enter__(self) -> "Sleeper":
        self._process = subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.late_us: dict[str, float] = {}
        return self

    def __exit__(self, *what: object) -> None:
        said, _ = self._process.communicate()
        self.late_us = json.loads(said)


def sleep() -> dict[str, float]:
    """Naps until the input ends."""
    late: list[float] = []
    while True:
        due_s = time.perf_counter() + NAP_S
        if select.select([sys.stdin], [], [], NAP_S)[0]:
            break
        late.append(time.perf_counter() - due_s)
    late = sorted(late) or [0.0]
    return {name: round(max(0.0, late[int(share * (len(late) - 1))]) * 1e6) for name, share in PERCENTILES.items()}


def measure() -> Speed:
    """The least CPU of the batches, as our figures are the best of their rounds; the mean time of all of them."""
    frames, decode = generate("binance", FRAMES).depth, msgspec.json.Decoder().decode
    costs = []
    with Sleeper() as sleeper:
        began_s = time.perf_counter()
        for _ in range(BATCHES):
            cpu_s = time.process_time()
            for frame in frames:
                decode(frame)
            costs.append(time.process_time() - cpu_s)
        wall_s = (time.perf_counter() - began_s) / BATCHES
    of = SET_US * FRAMES / 1e6
    return Speed(max(1.0, round(min(costs) / of, 2)), max(1.0, round(wall_s / of, 2)), sleeper.late_us)


if __name__ == "__main__":
    print(json.dumps(sleep()))
