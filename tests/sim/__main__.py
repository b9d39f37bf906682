"""`python -m tests.sim`: many seeds of the simulated world, or one; or the planted faults that show that each invariant can fail.

    --seeds N --minutes M     N fresh seeds (printed), M virtual minutes each, over all cores
    --seed S                  this one, twice, with its findings in full: what a failure's message tells you to run
    --plants                  the table of planted faults and of the invariant that caught each
    --kinds a,b               these kinds of fault alone (with --seed)

Ends with one line of JSON; the exit code is 1 if an invariant failed, two runs of a seed differed, or a plant was not caught.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter

from tests.sim.invariants import INVARIANTS
from tests.sim.plants import show
from tests.sim.seeds import spread, twice
from tests.sim.world import Result

TWICE_EVERY = 20  # one seed in so many is run twice, and both runs must be the same
MINUTES = 10.0
EVERY = 100  # seeds: a line of progress where there is no terminal


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--first", type=int, help="the first of --seeds seeds in a row; else they are fresh")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--kinds", type=lambda text: tuple(text.split(",")))
    parser.add_argument("--plants", action="store_true")
    asked = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of texts are walked in the order of their hashes
        os.execve(sys.executable, [sys.executable, "-m", "tests.sim", *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})
    if asked.plants:
        return show(asked.jobs)
    if asked.seed is not None:
        return run_one(asked.seed, asked.minutes, asked.kinds)
    first = asked.first if asked.first is not None else int.from_bytes(os.urandom(4), "big")
    return run_many(first, asked.seeds, asked.minutes, asked.jobs)


def run_one(seed: int, minutes: float, kinds: tuple[str, ...] | None) -> int:
    began_s = time.monotonic()
    result = twice(seed, minutes, kinds)
    print(f"seed {seed}: {result.digest}; faults: {', '.join(f'{n} {kind}' for kind, n in result.faults.items())}")
    tell(result)
    return end([result], minutes, time.monotonic() - began_s)


def run_many(first: int, n: int, minutes: float, jobs: int) -> int:
    began_s = time.monotonic()
    print(f"{n} seeds from {first} on, {minutes:g} virtual minutes each, {jobs} at a time", flush=True)
    work = [(first + i, minutes, i % TWICE_EVERY == 0) for i in range(n)]
    results = []
    for result in spread(work, jobs):
        results.append(result)
        if result.failures:
            _clear()
            tell(result)
            print(f"  reproduce it: make sim SEED={result.seed} MINUTES={minutes:g}", flush=True)
        if sys.stderr.isatty():
            print(f"\r{len(results)} of {n} seeds, {time.monotonic() - began_s:.0f} s", end="", file=sys.stderr, flush=True)
        elif len(results) % EVERY == 0:
            print(f"{len(results)} of {n} seeds, {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
    _clear()
    return end(results, minutes, time.monotonic() - began_s)


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


def tell(result: Result) -> None:
    for invariant, n in result.failures.items():
        print(f"seed {result.seed}: {invariant} ({INVARIANTS[invariant]}) failed {n} times")
        for text in result.examples.get(invariant, []):
            print(f"    {text}")


def end(results: list[Result], minutes: float, wall_s: float) -> int:
    failures: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for result in results:
        failures.update({name: 1 for name in result.failures})
        faults.update(result.faults)
    figures = {
        "seeds": len(results), "virtual_minutes": round(len(results) * minutes, 1), "wall_s": round(wall_s, 1), "cpu_s": round(sum(row.cpu_s for row in results), 1), "frames": sum(row.frames for row in results),
        "events": sum(row.published for row in results), "books_compared": sum(row.books_compared for row in results),
        "books_lost": sum(row.losses for row in results), "repairs": sum(row.repairs for row in results), "faults": faults.total(),
        "fault_kinds": len(faults), "worst_convergence_s": max((row.converged_s for row in results), default=0.0),
        "failed_seeds": sum(bool(row.failures) for row in results), "failures": dict(failures),
    }  # fmt: skip
    print(json.dumps(figures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
