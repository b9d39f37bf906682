"""A process with the real outbox and publisher, fed at a steady rate: what it accepts stands in a ledger. `python -m tests.chaos.driver '{…}'`

It prints one line of JSON when it stands and one when it has stopped (SIGTERM: drain, then spool the rest).
"""

import asyncio
import itertools
import json
import logging
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import structlog
from cext.clock import Clock
from cext.outbox import Outbox

from p9 import loop
from p9.delivery.bus import Bus
from p9.delivery.disk import Disk
from p9.delivery.epoch import next_epoch
from p9.delivery.publisher import Confirmer, Publisher
from p9.delivery.spool import Spool, SpoolSettings
from tests.chaos.ledger import MARK, Accepted, Ledger
from tests.chaos.plan import CHANNELS, HIGH, LOW, PAYLOADS

TURN_S = 0.002
DRAIN_S = 10.0


class Orders(msgspec.Struct):
    url: str
    folder: str  # epoch and spool
    ledger: str
    rate: int  # events a second, of CRITICAL and HIGH
    replay_tail: bool = True
    confirm_timeout_s: float = 1.0
    retry_delay_s: float = 0.05
    max_file_bytes: int = 0  # RLIMIT_FSIZE; 0: none
    spool_bytes: int = 2 << 30


class MarkedSpool(Spool):
    """Writes down from when on nothing is safe yet. A flush puts on disk what has waited since the flush before it."""

    ledger: Ledger
    epoch = 0
    _before_ns = 0

    async def flush(self, everything: bool = False) -> bool:
        began_ns = time.time_ns()
        written = await super().flush(everything)
        if written:
            self.ledger.write([Accepted(MARK, self.epoch, 0, 0, began_ns if everything else self._before_ns)])
            self._before_ns = began_ns
        return written


async def run(orders: Orders) -> None:
    folder = Path(orders.folder)
    clock = Clock()
    bus = Bus(orders.url)
    spool = MarkedSpool(Disk(folder / "spool"), SpoolSettings(max_bytes=orders.spool_bytes))
    await spool.recover()
    epoch = await next_epoch(max(time.time_ns() // 1_000_000, spool.newest_epoch + 1), folder / "epoch", bus.client)
    outbox = Outbox(clock, epoch=epoch, journals=spool.journals)
    settings = Confirmer(retry_delay_s=orders.retry_delay_s, confirm_timeout_s=orders.confirm_timeout_s, replay_tail=orders.replay_tail)
    publisher = Publisher(outbox, bus, settings, spool=spool)
    channels = [
        outbox.channel(kind, "venue", symbol, "venue_spot", symbol, cls, keeps_last=cls == LOW) for kind, symbol, cls in CHANNELS
    ]
    ledger = spool.ledger = Ledger(Path(orders.ledger))
    spool.epoch = epoch
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await publisher.start()
    say({"epoch": epoch})
    await feed(outbox, channels, ledger, orders.rate, stopping)
    await publisher.drain(DRAIN_S)
    left = await publisher.put_by()
    stats = publisher.stats()
    await publisher.stop()
    await bus.close()
    say({"left": left.lost, "spooled": left.spooled, "stats": stats, "sums": sums(stats)})


def sums(stats: dict[str, Any]) -> dict[str, int]:
    """What each class accepted beyond its ends: 0."""
    ends = ("confirmed", "conflated", "shed", "quarantined", "waiting")
    return {name: row["accepted"] - sum(row[end] for end in ends) for name, row in stats["classes"].items()}


async def feed(outbox: Outbox, channels: list[Any], ledger: Ledger, rate: int, stopping: asyncio.Event) -> None:
    """An eighth CRITICAL, the rest HIGH; MEDIUM and LOW beside them."""
    durable = [n for n, (_, _, cls) in enumerate(CHANNELS) if cls <= HIGH]
    others = [n for n, (_, _, cls) in enumerate(CHANNELS) if cls > HIGH]
    turns = itertools.cycle(durable)
    payloads = [PAYLOADS[kind] for kind, _, _ in CHANNELS]
    began_s, n = time.monotonic(), 0
    while not stopping.is_set():
        due = int((time.monotonic() - began_s) * rate) - n
        rows: dict[int, Accepted] = {}
        for _ in range(min(due, rate // 10)):
            ix = next(turns)
            n += 1
            seq = outbox.emit(channels[ix], payloads[ix] % n)
            if seq is None:
                continue
            row = rows.get(ix)
            rows[ix] = Accepted(ix, outbox.epoch, row.first if row else seq, seq, time.time_ns())
        if due > rate // 10:
            began_s, n = time.monotonic(), 0  # we were held up: what was not produced then is not produced now
        for ix in others:
            outbox.emit(channels[ix], payloads[ix] % n)
        if rows:
            ledger.write(list(rows.values()))
        await asyncio.sleep(TURN_S)


def say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING), logger_factory=structlog.PrintLoggerFactory(file=sys.stderr)
    )
    orders = msgspec.json.decode(sys.argv[1], type=Orders)
    if orders.max_file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (orders.max_file_bytes, orders.max_file_bytes))
    loop.run(run(orders))


if __name__ == "__main__":
    main()
