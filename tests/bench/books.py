"""CPU of parse + normalise + sequence + book, with no stream attached: the part of the road that other libraries have too."""

from collections.abc import Sequence
from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from tests.bench.market_stream import SHAPES, Frames, generate
from tests.bench.progress import progress
from tests.bench.rig import NOW_NS, check_taken, cpu_us, pipeline_of

KINDS = ("depth", "trade", "ticker")
MIXES = {**{kind: (kind,) for kind in KINDS}, "mixed": KINDS}
FEW, MANY = 4, 60  # levels a depth frame: what a level costs is the slope between them


def run(frames: Frames, kinds: Sequence[str], rounds: int) -> tuple[float, Pipeline]:
    """Least CPU of `rounds` runs over the frames of `kinds`, taken in turn, µs a message; and the last pipeline."""
    messages, least = frames.of(kinds), float("inf")
    for _ in range(rounds):
        clock = Clock(NOW_NS)
        pipeline = pipeline_of(frames, Outbox(clock, epoch=1), clock, streams=())
        least = min(least, cpu_us(lambda p=pipeline: p.feed_all(messages, NOW_NS), len(messages)))
        check_taken(frames, pipeline, len(messages))
    return least, pipeline


def levels(frames: Frames) -> float:
    """Levels of a depth frame, on average."""
    return sum(frame.count(b'["') for frame in frames.depth) / len(frames.depth)


def level_ns(venue: str, n: int, rounds: int) -> float:
    """ns of CPU for one more level in a depth frame."""
    few, many = (generate(venue, n, changes=changes) for changes in (FEW, MANY))
    return (run(many, ("depth",), rounds)[0] - run(few, ("depth",), rounds)[0]) / (levels(many) - levels(few)) * 1e3


def measure(n: int, rounds: int) -> dict[str, Any]:
    """{venue: {"depth", "trade", "ticker", "mixed": µs a message, "levels": of a depth message, "level_ns": of one more level}}"""
    report = {}
    for venue in SHAPES:
        progress(venue)
        frames = generate(venue, n)
        report[venue] = {mix: round(run(frames, kinds, rounds)[0], 3) for mix, kinds in MIXES.items()}
        report[venue].update(levels=round(levels(frames), 1), level_ns=round(level_ns(venue, min(n, 4000), rounds), 1))
    return report
