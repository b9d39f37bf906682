"""CPU a message with every stream on: book, analytics, JSON, the outbox's commands and confirmations; only the sockets are missing.

The clock follows the frames' own times (a book of about 900 messages a second), a flush comes after every READ messages, as a read of the
socket brings them on a busy day, the timer runs every 50 ms, and Redis is replaced by the answers that it would give, made outside the timed
parts. A stream's share is what is saved by switching off this one alone, in turn with runs of the whole, so that noise hits both alike.
"""

import gc
import re
import time
from typing import Any

from cext.clock import Clock
from cext.outbox import Outbox
from cext.pipeline import Pipeline

from tests.bench.books import KINDS
from tests.bench.market_stream import SHAPES, Frames, generate
from tests.bench.rig import NOW_NS, STREAMS, check_taken, pipeline_of

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
    """Feeds a pipeline and empties its outbox; `cpu_s` counts the product's work only."""

    def __init__(self, clock: Clock, outbox: Outbox, pipeline: Pipeline):
        self.clock, self.outbox, self.pipeline = clock, outbox, pipeline
        self.cpu_s = 0.0
        self.n_bytes = self.n_commands = 0

    def feed(self, reads: list[list[bytes]], read_ns: int) -> None:
        """`reads`, one after the other, `read_ns` apart by the clock."""
        now_ns, due_ns = self.clock.now(), self.clock.now()
        for frames in reads:
            now_ns += read_ns
            self.clock.set(now_ns)
            began = time.process_time()
            self.pipeline.feed_all(frames, now_ns)
            if now_ns >= due_ns:
                self.pipeline.on_timer(now_ns)
                due_ns = now_ns + TIMER_NS
            self.outbox.flushed()
            self.cpu_s += time.process_time() - began
            for lane in (0, 1):
                self._flush(lane)

    def _flush(self, lane: int) -> None:
        while True:
            began = time.process_time()
            commands = self.outbox.take(lane)
            self.cpu_s += time.process_time() - began
            if commands is None:
                return
            said = answers(commands)
            self.n_bytes += len(commands)
            self.n_commands += len(_COMMAND.findall(commands))
            began = time.process_time()
            self.outbox.replies(lane, said)
            self.cpu_s += time.process_time() - began


def run(frames: Frames, messages: list[bytes], streams: tuple[str, ...]) -> tuple[float, Driver]:
    """µs of CPU a message, and what drove it."""
    clock = Clock(NOW_NS)
    outbox = Outbox(clock, epoch=1)
    pipeline = pipeline_of(frames, outbox, clock, streams=streams)
    reads = [messages[i : i + READ] for i in range(0, len(messages), READ)]
    driver = Driver(clock, outbox, pipeline)
    gc.collect()
    gc.disable()
    driver.feed(reads, frames.span_ms * 1_000_000 // len(reads))
    gc.enable()
    check_taken(frames, pipeline, len(messages))
    return driver.cpu_s / len(messages) * 1e6, driver


def confirmed(outbox: Outbox) -> int:
    return sum(counts["confirmed"] for counts in outbox.stats()["classes"].values())


def measure(n: int, rounds: int) -> dict[str, Any]:
    """{venue: {"all", "none": µs a message, "shares": {stream: µs}, "events_per_message", "bytes_per_message"}}"""
    report = {}
    for venue in SHAPES:
        frames = generate(venue, n)
        messages = frames.of(KINDS)
        cases = {"all": STREAMS, "none": (), **{name: tuple(each for each in STREAMS if each != name) for name in STREAMS}}
        least = dict.fromkeys(cases, float("inf"))
        for _ in range(rounds):
            for name, streams in cases.items():
                us, driver = run(frames, messages, streams)
                least[name] = min(least[name], us)
                if name == "all":
                    whole = driver
        report[venue] = {
            "all": round(least["all"], 3), "none": round(least["none"], 3),
            "shares": {name: round(least["all"] - least[name], 3) for name in STREAMS},
            "events_per_message": round(confirmed(whole.outbox) / len(messages), 3), "bytes_per_message": round(whole.n_bytes / len(messages)),
        }  # fmt: skip
    return report
