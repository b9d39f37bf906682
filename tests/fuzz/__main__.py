"""The command: all targets one after the other, or one of them, or one input again.

    python -m tests.fuzz [--frames N] [--seconds T] [--seed S] [--target NAME ...] [--folder DIR]
    python -m tests.fuzz --target NAME --input FILE

Ends with one line of JSON; exits 1 if anything was found.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from random import Random, SystemRandom

from tests.fuzz.run import run
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=12_000_000, help="in all (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=1500.0, help="in all (default %(default)s)")
    parser.add_argument("--seed", default=str(SystemRandom().randrange(10**9)), help="default: another one every time")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="may be repeated; default: all")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="where inputs that found something are kept (default %(default)s)")
    parser.add_argument("--input", type=Path, help="try this one again")
    options = parser.parse_args()
    names = options.target or list(TARGETS)
    if options.input is not None:
        return again(names, options.input)
    shares = sum(TARGETS[name].share for name in names)
    started_s = time.monotonic()
    done: dict[str, int] = {}
    took: dict[str, float] = {}
    found: list[dict] = []
    for name in names:
        part = TARGETS[name].share / shares
        began_s = time.monotonic()
        # frames that a target leaves are for those after it; so is the time
        left = sum(TARGETS[other].share for other in names[names.index(name) :])
        seconds = (options.seconds - (began_s - started_s)) * TARGETS[name].share / left
        done[name], rows = run(name, options.seed, max(1, round(options.frames * part)), seconds, options.folder)
        took[name] = round(time.monotonic() - began_s, 1)
        found += rows
        print(f"{name}: {done[name]:,} in {took[name]:.0f} s, {len(rows)} findings", file=sys.stderr, flush=True)
    print(
        json.dumps(
            {
                "seed": options.seed, "frames": done, "frames_total": sum(done.values()), "seconds": round(time.monotonic() - started_s, 1),
                "seconds_each": took, "found": found,
            }
        )
    )  # fmt: skip
    return 1 if found else 0


def again(names: list[str], path: Path) -> int:
    if len(names) != 1:
        sys.exit("--input goes with one --target")
    target = TARGETS[names[0]].make(Random(0))
    if hasattr(target, "share"):
        target.share = 1.0
    target.check(path.read_bytes())
    print(f"{names[0]}: nothing wrong with {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
