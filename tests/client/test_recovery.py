"""A consumer that is killed and started again has the appliance's books, from the newest snapshot and the changes since: real processes, a real Redis."""

import asyncio
import json
import sys
import time
from pathlib import Path

import aiohttp

from tests.client.consumer import LEVELS
from tests.test_hot_reload import Run

ROOT = Path(__file__).parents[2]
BOOKS = 6


class Patient(Run):
    """On a busy machine the appliance would shed changes for its own lateness: that is told, and another test's business."""

    def write(self, text=None):
        self.tree["monitors"] = {"late_shed_low": "10m", "late_shed_medium": "10m"}
        super().write(text)


class Consumer:
    """The process."""

    async def start(self, url: str) -> float:
        """Seconds until it had every book."""
        command = (sys.executable, "-m", "tests.client.consumer", url)
        self.process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24, cwd=ROOT)
        began_s = time.monotonic()
        async with asyncio.timeout(60):
            while len(books := await self.books()) < BOOKS or not all(book["synced"] for book in books.values()):
                await asyncio.sleep(0.05)
        return time.monotonic() - began_s

    async def books(self) -> dict:
        self.process.stdin.write(b"?\n")
        return json.loads(await self.process.stdout.readline())

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


def depth_seq(appliance) -> dict[str, int]:
    """The number of the last change published of each book."""
    found = {}
    for capture in appliance.captures.values():
        for ix, row in capture.instruments.items():
            depth = next(stream for stream in capture.pipeline.streams(ix) if type(stream).__name__ == "Depth")
            found[f"{row.exchange} {row.symbol}"] = depth.channel.seq
    return found


async def test_a_killed_consumer_comes_back_to_the_appliance_s_books(tmp_path):
    async with Patient(tmp_path) as run:
        consumer = Consumer()
        for _ in range(3):
            await consumer.start(run.redis.url)
            before = await consumer.books()
            await consumer.kill()
        took_s = await consumer.start(run.redis.url)
        try:
            async with aiohttp.ClientSession() as session, session.post(f"{run.simulator.url}/oracle/freeze", json={}) as answer:
                assert answer.status == 200
            async with asyncio.timeout(60):
                while True:
                    appliance, books = depth_seq(run.appliance), await consumer.books()
                    if {name: book["seq"] for name, book in books.items()} == appliance == depth_seq(run.appliance) and not run.appliance.outbox.waiting():
                        break
                    await asyncio.sleep(0.05)
            compared = 0
            for name, book in books.items():
                assert book["synced"] and book["epoch"] == run.appliance.outbox.epoch and book["seq"] >= before[name]["seq"]
                assert book["losses"] <= 1, "once, where changes came between the newest value and the first one heard"
                kept = run.appliance.book(*name.split(" "), LEVELS)
                for ours, theirs in zip(book["sides"], (kept["bids"], kept["asks"]), strict=True):
                    assert len(ours) == LEVELS and ours == [list(level) for level in theirs], name
                    compared += len(ours)
            assert compared == 2 * BOOKS * LEVELS and sum(book["seq"] for book in books.values()) > sum(book["seq"] for book in before.values()) + 10
            print(f"all books again {took_s:.2f} s after the start of the process")
        finally:
            await consumer.kill()
