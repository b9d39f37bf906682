"""CPU per message, by venue and kind, and end to end into Redis.  `make bench`  [--n 20000] [--rounds 5] [--json-only]

    book      parse + normalise + sequence + book, no stream attached
    streams   the same with every stream on and its messages written, the outbox emptied without a bus
    redis     the same into a real server on this machine, every event confirmed

Figures are medians over the rounds, of this process's CPU time (user + system). The last line is one JSON object. A bound that is missed makes
the exit code 1; bounds are wide, as machines are noisy: what is compared closely is the ratio to the peers (bench-peers) and instruction counts.
"""

import argparse
import gc
import json
import statistics
import sys
import time

from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from p9.venue import market
from tests.bench.market_stream import SHAPES, Frames, generate

KINDS = ("depth", "trade", "ticker", "mixed")
BOUNDS_US = {"book": 1.5, "streams": 6.0}  # of a mixed message, on a machine of 2022 or younger


def pipeline_for(frames: Frames, outbox: Outbox, clock: Clock, streams: tuple = ()) -> Pipeline:
    """A pipeline with its book synced on the stream's own image."""
    shape = frames.shape
    row = market(shape.market)
    pipeline = Pipeline(
        market=shape.market, exchange=row.exchange, normalizer=row.venue.normalizer(row), outbox=outbox, clock=clock, link=shape.link,
        rest_seeded=shape.rest_seeded, repeats_are_stale=shape.repeats_are_stale, restart_id=shape.restart_id, prune=False,
    )  # fmt: skip
    symbol = shape.symbol.encode()
    ix = pipeline.add(
        venue_symbol=symbol, symbol="BTC-USDT", px_scale=shape.px + 2, qty_scale=shape.qty + 2, tick=100, depth=0,
        aliases=() if symbol.lower() == symbol else (symbol.lower(),), streams=streams,
    )  # fmt: skip
    if shape.rest_seeded:
        pipeline.image(ix, frames.snapshot, clock.now())
    else:
        pipeline.feed_bytes(frames.snapshot, clock.now())
    return pipeline


def cpu_us(work: object, n: int) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return (time.process_time() - began) / n * 1e6


def measure_books(frames: Frames, rounds: int) -> dict[str, float]:
    """{kind: median µs of CPU a message}"""
    figures: dict[str, list[float]] = {kind: [] for kind in KINDS}
    work = {kind: frames.mixed() if kind == "mixed" else getattr(frames, kind) for kind in KINDS}
    for _ in range(rounds):
        for kind, messages in work.items():
            clock = Clock(1_717_000_000_000_000_000)
            pipeline = pipeline_for(frames, Outbox(clock, epoch=1), clock)
            figures[kind].append(cpu_us(lambda p=pipeline, m=messages: p.feed_all(m, 1_717_000_000_000_000_000), len(messages)))
            counters = pipeline.instrument_counters(0)
            good = counters["applied"] == (len(frames.depth) if kind in ("depth", "mixed") else 0)
            if not good or counters["gaps"] or counters["crossed"] or pipeline.counters()["events"] != len(messages) + (not frames.shape.rest_seeded):
                raise SystemExit(f"{frames.shape.venue}/{kind}: not every message was taken: {counters} {pipeline.counters()}")
    return {kind: round(statistics.median(values), 4) for kind, values in figures.items()}


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
