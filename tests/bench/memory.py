"""Resident memory of many instruments with everything on: books of about 1000 levels a side, all streams, the outbox; Redis apart.

The figure is what the process grew by after its modules were loaded, once every book has taken some messages and its snapshots were sent.
"""

from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox

from p9.ops.memory import resident_bytes
from tests.bench.books import KINDS
from tests.bench.market_stream import LEVELS, generate
from tests.bench.progress import progress
from tests.bench.rig import NOW_NS, named, pipeline_of
from tests.bench.streams import TIMER_NS, Driver

VENUES = ("binance", "bybit", "okx")
INSTRUMENTS = 100  # a venue
FRAMES = 30  # of each kind and instrument


def measure(n: int, rounds: int) -> dict[str, Any]:
    """{"instruments", "levels", "loaded_mb": before there was any book, "resident_mb", "kb_per_instrument", "outbox_mb"}"""
    streams = {venue: generate(venue, FRAMES) for venue in VENUES}
    loaded = resident_bytes()
    clock = Clock(NOW_NS)
    outbox = Outbox(clock, epoch=1)
    kept = []
    for venue, frames in streams.items():
        progress(f"{INSTRUMENTS} books of {venue}")
        pipeline = pipeline_of(frames, outbox, clock, n_instruments=INSTRUMENTS)
        driver = Driver(clock, outbox, pipeline)
        driver.feed([[named(frame, number) for number in range(INSTRUMENTS)] for frame in frames.of(KINDS)], TIMER_NS)
        kept.append((driver, pipeline))
    resident = resident_bytes()
    books = [pipeline.book(ix) for _, pipeline in kept for ix in range(0, INSTRUMENTS, 20)]
    if min(len(book[side]) for book in books for side in ("bids", "asks")) < LEVELS * 0.9:
        raise RuntimeError("the books are not as deep as they should be")
    count = INSTRUMENTS * len(VENUES)
    return {
        "instruments": count, "levels_a_side": LEVELS, "loaded_mb": round(loaded / 2**20, 1), "resident_mb": round(resident / 2**20, 1),
        "kb_per_instrument": round((resident - loaded) / count / 1024, 1),
        "outbox_mb": round(sum(each["memory_bytes"] for each in outbox.stats()["classes"].values()) / 2**20, 1),
    }  # fmt: skip
