"""`make chaos-long`: Redis is away for ten minutes at 10,000 events a second. The process stays under its memory bound, and when Redis is back it drains
at five times the live rate at least, with nothing lost and each channel in order. Ends with one line of JSON; exits 1 when a bound fails.

The listener is a socket and a parser: p9.client would be the slowest part here.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import hiredis
import msgspec

from tests.chaos import ledger
from tests.chaos.driver import Orders
from tests.chaos.ledger import MARK
from tests.chaos.plan import DURABLE, NAMES
from tests.delivery.redis_process import RedisProcess

ROOT = Path(__file__).parents[2]
MAX_RSS_MB = 512
LEAST_RATIO = 5.0
CAUGHT_UP_S = 1.0  # what is heard is not older than this
PLACE = re.compile(rb'"epoch":(\d+),"seq":(\d+),.*?"ts_pub":(\d+)')


class Listener(asyncio.Protocol):
    """Counts the durable events; repeats are dropped, holes and disorder are counted."""

    def __init__(self) -> None:
        self.reader = hiredis.Reader()
        self.n = self.repeats = self.holes = 0
        self.seq = {NAMES[n].encode(): 0 for n in DURABLE}
        self.newest_ns = dict.fromkeys(self.seq, 0)
        self.lost_connection = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        transport.write(hiredis.pack_command(("PSUBSCRIBE", "trades:*", "integrity:*")))

    def data_received(self, data: bytes) -> None:
        self.reader.feed(data)
        while (message := self.reader.gets()) is not False:
            if message[0] != b"pmessage" or message[2] not in self.seq:
                continue
            match = PLACE.search(message[3])
            seq, last = int(match[2]), self.seq[message[2]]
            if seq <= last:
                self.repeats += 1
                continue
            self.holes += seq - last - 1
            self.seq[message[2]] = seq
            self.newest_ns[message[2]] = int(match[3])
            self.n += 1

    def connection_lost(self, error: Exception | None) -> None:
        self.lost_connection.set()

    @property
    def lag_s(self) -> float:
        """Of the channel that is furthest behind: the CRITICAL ones are drained long before the others."""
        return time.time() - min(self.newest_ns.values()) / 1e9


def resident_mb(pid: int, field: str) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) / 1000
    return 0.0


async def listen(port: int) -> Listener:
    _, protocol = await asyncio.get_running_loop().create_connection(Listener, "127.0.0.1", port)
    return protocol


async def run(folder: Path, away_s: float, rate: int) -> dict[str, Any]:
    # without a disk of its own; a listener that lags is not cut
    redis = RedisProcess(folder / "redis", "--client-output-buffer-limit", "pubsub", "0", "0", "0")
    await asyncio.to_thread(redis.start)
    orders = Orders(
        url=redis.url, folder=str(folder / "state"), ledger=str(folder / "ledger"), rate=rate, spool_bytes=16 << 30, confirm_timeout_s=5.0,
        retry_delay_s=0.5,
    )  # fmt: skip
    driver = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.driver", msgspec.json.encode(orders).decode(), stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=(folder / "driver.log").open("ab"),
    )  # fmt: skip
    assert driver.stdout is not None
    try:
        before = await listen(redis.port)
        await driver.stdout.readline()
        await asyncio.sleep(3)
        rss_before_mb = resident_mb(driver.pid, "VmRSS:")
        await asyncio.to_thread(redis.kill)
        for _ in range(max(1, round(away_s / 10))):
            await asyncio.sleep(min(10.0, away_s))
            spooled_mb = sum(path.stat().st_size for path in (folder / "state" / "spool").iterdir()) / 1e6
            print(f"{resident_mb(driver.pid, 'VmRSS:'):6.0f} MB resident, {spooled_mb:7.0f} MB spooled", file=sys.stderr, flush=True)
        rss_away_mb = resident_mb(driver.pid, "VmHWM:")
        await asyncio.to_thread(redis.start)
        after, healed_s = await listen(redis.port), time.monotonic()
        after.seq, first = before.seq, before.n
        while after.lag_s > CAUGHT_UP_S:
            await asyncio.sleep(0.02)
            if driver.returncode is not None or time.monotonic() - healed_s > 5 * away_s + 60:
                raise RuntimeError(f"it does not drain: {(folder / 'driver.log').read_text()[-2000:]}")
        drain_s = time.monotonic() - healed_s
        drained, rss_mb = after.n, resident_mb(driver.pid, "VmHWM:")
        driver.send_signal(signal.SIGTERM)
        said = json.loads(await asyncio.wait_for(driver.stdout.readline(), 60))
        await driver.wait()
        await asyncio.sleep(1)
        accepted = sum(row.last - row.first + 1 for row in ledger.read(folder / "ledger") if row.channel != MARK)
        delivered = first + after.n
        report = {
            "away_s": away_s, "rate": rate, "accepted": accepted, "delivered": delivered, "lost": accepted - delivered, "holes": after.holes,
            "repeats": after.repeats, "left": said["left"], "spooled": said["spooled"], "rss_before_mb": round(rss_before_mb), "rss_away_mb": round(rss_away_mb), "rss_mb": round(rss_mb),
            "drain_s": round(drain_s, 2), "drain_rate": round(drained / drain_s), "ratio": round(drained / drain_s / rate, 2),
        }  # fmt: skip
    finally:
        if driver.returncode is None:
            driver.kill()
            await driver.wait()
        redis.__exit__()
    bounds = {
        "nothing lost": report["lost"] == report["left"] == report["spooled"] == 0, "no hole": report["holes"] == 0, f"under {MAX_RSS_MB} MB": report["rss_mb"] < MAX_RSS_MB,
        f"drains at {LEAST_RATIO:g} times the live rate": report["ratio"] >= LEAST_RATIO,
    }  # fmt: skip
    return {"ok": all(bounds.values()), "failed": [name for name, held in bounds.items() if not held], **report}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="without Redis")
    parser.add_argument("--rate", type=int, default=10_000, help="events a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="p9-outage-") as folder:
        report = asyncio.run(run(Path(folder), options.seconds, options.rate))
    print(json.dumps(report))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
