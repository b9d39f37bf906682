"""Our book against cryptofeed and ccxt.pro, on the same frames, in one run.  `make bench-peers`  [--n 5000] [--rounds 5]

Each library runs in its own process and environment, its frames in memory: no sockets, no output, only what every one of them does: parse,
normalise, check the sequence, keep the book, read its top. The order is ours, peers, ours again: how far our two figures are apart is the
machine's noise, and the ratio is taken from the worse one. A library whose book does not end as ours does is an error, not a figure.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench import books
from tests.bench.market_stream import SHAPES, Frames, generate

KINDS = (("depth",), ("trade",), ("ticker",), ("depth", "trade"), ("depth", "trade", "ticker"))
RUNNERS = Path(__file__).parent / "peers"
GOALS = {"cryptofeed": 50.0, "ccxt.pro": 60.0}  # times less CPU than theirs on a depth message: what the design aims at
BOUND = 10.0  # fewer times than that on any venue and the command fails: not noise any more


def write_frames(streams: dict[str, Frames], folder: Path) -> None:
    for venue, frames in streams.items():
        kinds = {kind: [frame.decode() for frame in getattr(frames, kind)] for kind in books.KINDS}
        (folder / f"{venue}.json").write_text(json.dumps({"snapshot": frames.snapshot.decode(), "frames": kinds}))


def run_peer(python: Path, runner: str, folder: Path, rounds: int) -> dict[str, Any]:
    """One peer's report (timing.main). Raises RuntimeError with its last words."""
    done = subprocess.run([python, RUNNERS / f"{runner}_runner.py", folder, "--rounds", str(rounds)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{runner} failed: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure_ours(frames: Frames, rounds: int) -> tuple[dict[str, float], dict[str, Any]]:
    """{kinds: µs of CPU a message}, and the book that the last run ended with."""
    us = {}
    for kinds in KINDS:
        us["+".join(kinds)], pipeline = books.run(frames, kinds, rounds)
    return us, pipeline.book(0)


def check_book(peer: str, theirs: dict[str, Any], ours: dict[str, Any], frames: Frames) -> None:
    """Theirs must be the book that ours is, and they must have understood the last trade and ticker. Raises RuntimeError."""
    for side in ("bids", "asks"):
        mine = [[float(px), float(qty)] for px, qty in ours[side][: len(theirs[side])]]
        if [[float(px), float(qty)] for px, qty in theirs[side]] != mine:
            raise RuntimeError(f"{peer}, {frames.shape.venue}: the {side} are not ours: {theirs[side][:3]} but {mine[:3]}")
    for kind in ("trade", "ticker"):
        sent = getattr(frames, kind)[-1].decode()
        if theirs[kind] is not None and float(theirs[kind]) not in {float(text) for text in re.findall(r'"(\d+(?:\.\d+)?)"', sent)}:
            raise RuntimeError(f"{peer}, {frames.shape.venue}: its last {kind} has the price {theirs[kind]}, sent was {sent}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=5_000, help="frames of each kind and venue")
    parser.add_argument("--rounds", type=int, default=5, help="the least of so many runs counts")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="a runner of peers/ and the interpreter that has it")
    options = parser.parse_args()
    streams = {venue: generate(venue, options.n) for venue in SHAPES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_frames(streams, folder)
        before = {venue: measure_ours(frames, options.rounds)[0] for venue, frames in streams.items()}
        peers = [run_peer(Path(python), runner, folder, options.rounds) for runner, python in (each.split("=", 1) for each in options.peer)]
        after = {venue: measure_ours(frames, options.rounds) for venue, frames in streams.items()}
    report: dict[str, Any] = {"n": options.n, "rounds": options.rounds, "peers": {}, "ours_us": {}, "goals": GOALS, "bound": BOUND}
    missed, ok = [], bool(peers)
    for venue, (us, _) in after.items():
        report["ours_us"][venue] = {kinds: [round(before[venue][kinds], 3), round(us[kinds], 3)] for kinds in us}
    for peer in peers:
        label = peer["peer"]
        report["peers"][label] = {"version": peer["version"], "python": peer["python"], "us": {}, "ratio": {}}
        print(f"\n{label} {peer['version']} on Python {peer['python']}: µs of CPU a message, theirs / ours before / ours after = times less")
        for venue, theirs in peer["venues"].items():
            us, book = after[venue]
            check_book(label, theirs, book, streams[venue])
            ratios = {}
            for kinds, their_us in theirs["us"].items():
                ratios[kinds] = round(their_us / max(before[venue][kinds], us[kinds]), 1)
                print(f"  {venue:16}{kinds:20}{their_us:9.2f} /{before[venue][kinds]:7.3f} /{us[kinds]:7.3f} = {ratios[kinds]:6.1f}x")
            report["peers"][label]["ratio"][venue] = ratios
            report["peers"][label]["us"][venue] = {kinds: round(their_us, 3) for kinds, their_us in theirs["us"].items()}
            if ratios["depth"] < GOALS[label]:
                missed.append(f"{label} {venue} depth {ratios['depth']}x")
            ok = ok and ratios["depth"] >= BOUND
    report.update(goals_missed=missed, ok=ok)
    print(json.dumps(report))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
