"""CPU per message, by venue and kind.  `make bench`  [--n 20000] [--rounds 5] [--json-only]

    book      parse + normalise + sequence + book, no stream attached
Figures are the least of the rounds, of this process's CPU time (user + system). The last line is one JSON object. A bound that is missed makes
the exit code 1; bounds are wide, as machines are noisy: what is compared closely is the ratio to the peers (bench-peers) and instruction counts.
"""

import argparse
import json
import sys

from tests.bench import books
from tests.bench.market_stream import SHAPES, Frames, generate

KINDS = (*books.KINDS, "mixed")
BOUNDS_US = {"book": 1.5, "streams": 6.0}  # of a mixed message, on a machine of 2022 or younger


def measure_books(frames: Frames, rounds: int) -> dict[str, float]:
    """{kind: least µs of CPU a message}"""
    return {kind: round(books.measure(frames, books.KINDS if kind == "mixed" else (kind,), rounds)[0], 4) for kind in KINDS}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=20_000, help="frames of each kind")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json-only", action="store_true")
    options = parser.parse_args()
    say = (lambda *_: None) if options.json_only else (lambda *words: print(*words, file=sys.stderr, flush=True))
    report: dict[str, object] = {"n": options.n, "rounds": options.rounds, "book_us": {}}
    say(f"{'venue':16}" + "".join(f"{kind:>10}" for kind in KINDS) + "   µs of CPU a message: parse + normalise + sequence + book")
    for venue in SHAPES:
        frames = generate(venue, options.n)
        figures = measure_books(frames, options.rounds)
        report["book_us"][venue] = figures
        report.setdefault("levels_per_depth", {})[venue] = round(sum(f.count(b'["') for f in frames.depth) / len(frames.depth), 1)
        say(f"{venue:16}" + "".join(f"{figures[kind]:10.3f}" for kind in KINDS))
    report["ok"] = all(figures["mixed"] <= BOUNDS_US["book"] for figures in report["book_us"].values())
    print(json.dumps(report))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
