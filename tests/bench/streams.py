"""CPU of everything that one market's frames cost with the streams on, and each stream's share of it.

The clock follows the frames' own times (a book of about 900 messages a second), a flush comes after every READ messages, as a read of the
socket brings them on a busy day, the timer runs every 50 ms, and Redis is replaced by the answers that it would give. The same frames make the
same commands, so the answers are written down in a rehearsal and only handed out in the runs that count: CPU is read twice a run, as reading it costs
0.6 µs, which for every step of every flush was a sixth of what it measured. A stream's share is what is saved by switching off this one alone, in turn
with runs of the whole, so that noise hits both alike.
"""

import gc
import re
from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from tests.bench.books import KINDS
from tests.bench.market_stream import SHAPES, Frames, generate
from tests.bench.progress import progress
from tests.bench.rig import NOW_NS, STREAMS, check_taken, cpu_us, pipeline_of

READ = 10
TIMER_NS = 50_000_000
_COMMAND = re.compile(rb"(?:^|\r\n)\*\d+\r\n\$\d+\r\n([A-Z]+)")
_ANSWER = {b"PUBLISH": b":1\r\n", b"SPUBLISH": b":1\r\n", b"XADD": b"$3\r\n1-1\r\n", b"SET": b"+OK\r\n"}


def answers(commands: bytes) -> bytes:
    """What a healthy Redis says to them."""
    names = _COMMAND.findall(commands)
    if names[0] != b"MULTI":
        return b"".join(_ANSWER[name] for name in names)
    inner = names[1:-1]
    return b"+OK\r\n" + b"+QUEUED\r\n" * len(inner) + b"*%d\r\n" % len(inner) + b"".join(_ANSWER[name] for name in inner)


class Driver:
    """Feeds a pipeline and empties its outbox. `answers`: what Redis said to each batch, in their order: of the rehearsal, or made on the way."""

    def __init__(self, clock: Clock, outbox: Outbox, pipeline: Pipeline, answers: list[bytes] | None = None):
        self.clock, self.outbox, self.pipeline = clock, outbox, pipeline
        self.rehearsed = answers is not None
        self.answers: list[bytes] = [] if answers is None else answers
        self.n_batches = self.n_bytes = 0

    def feed(self, reads: list[list[bytes]], read_ns: int) -> None:
        """`reads`, one after the other, `read_ns` apart by the clock."""
        now_ns, due_ns = self.clock.now(), self.clock.now()
        for frames in reads:
            now_ns += read_ns
            self.clock.set(now_ns)
            self.pipeline.feed_all(frames, now_ns)
            if now_ns >= due_ns:
                self.pipeline.on_timer(now_ns)
                due_ns = now_ns + TIMER_NS
            self.outbox.flushed()
            for lane in (0, 1):
                while (commands := self.outbox.take(lane)) is not None:
                    if not self.rehearsed:
                        self.answers.append(answers(commands))
                    self.outbox.replies(lane, self.answers[self.n_batches])
                    self.n_batches += 1
                    self.n_bytes += len(commands)


def run(frames: Frames, messages: list[bytes], streams: tuple[str, ...], answers: list[bytes] | None = None) -> tuple[float, Driver]:
    """µs of CPU a message, and what drove it. Without the `answers` of an earlier one it is a rehearsal, and its figure counts for nothing."""
    clock = Clock(NOW_NS)
    outbox = Outbox(clock, epoch=1)
    pipeline = pipeline_of(frames, outbox, clock, streams=streams)
    reads = [messages[i : i + READ] for i in range(0, len(messages), READ)]
    driver = Driver(clock, outbox, pipeline, answers)
    gc.disable()
    us = cpu_us(lambda: driver.feed(reads, frames.span_ms * 1_000_000 // len(reads)), len(messages))
    gc.enable()
    check_taken(frames, pipeline, len(messages))
    if outbox.waiting() or driver.n_batches != len(driver.answers):
        raise RuntimeError(f"{frames.shape.venue}: {outbox.waiting()} events wait, {driver.n_batches} batches for {len(driver.answers)} answers")
    return us, driver


def confirmed(outbox: Outbox) -> int:
    return sum(counts["confirmed"] for counts in outbox.stats()["classes"].values())


def measure(n: int, rounds: int) -> dict[str, Any]:
    """n / 2 frames of each kind. {venue: {"all", "none": µs a message, "shares": {stream: µs}, "events_per_message", "bytes_per_message"}}"""
    report = {}
    for venue in SHAPES:
        progress(f"{venue}: the frames")
        frames = generate(venue, max(1, n // 2))
        messages = frames.of(KINDS)
        cases = {"all": STREAMS, "none": (), **{name: tuple(each for each in STREAMS if each != name) for name in STREAMS}}
        least = dict.fromkeys(cases, float("inf"))
        said, whole = {}, None
        gc.freeze()  # what is there stays: collecting it before each run would cost more than the run
        progress(f"{venue}: the rehearsal")
        for name, streams in cases.items():
            _, driver = run(frames, messages, streams)
            said[name] = driver.answers
            whole = whole or driver
        for number in range(rounds):
            progress(f"{venue}: round {number + 1} of {rounds}")
            for name, streams in cases.items():
                least[name] = min(least[name], run(frames, messages, streams, said[name])[0])
        gc.unfreeze()
        report[venue] = {
            "all": round(least["all"], 3), "none": round(least["none"], 3),
            "shares": {name: round(least["all"] - least[name], 3) for name in STREAMS},
            "events_per_message": round(confirmed(whole.outbox) / len(messages), 3), "bytes_per_message": round(whole.n_bytes / len(messages)),
        }  # fmt: skip
    return report
