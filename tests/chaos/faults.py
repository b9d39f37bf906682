"""The phases: each a kind of fault, planted again and again while events are accepted."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from tests.chaos.arena import Arena, Counts
from tests.chaos.proxy import Proxy

AOF = ("--appendonly", "yes", "--appendfsync", "everysec")
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


async def redis_kills(folder: Path, name: str, n: int, *options: str, seed: int = 1, **orders: Any) -> Counts:
    """kill -9 of redis-server at random points, and a start in the same place after up to 0.4 s."""
    async with Arena(name, folder, *options, seed=seed, **orders) as arena:
        for _ in range(n):
            await arena.pause(0.2, 0.8)
            await arena.kill_redis(arena.random.uniform(0, 0.4))
            await arena.recovered()
    return arena.counts


async def appliance_kills(folder: Path, n: int, seed: int = 2, **more: Any) -> Counts:
    """kill -9 of the driver; a third of them while Redis is frozen, a third just after it was killed, so that what waits is on disk alone.

    Redis forgets nothing here: with `everysec` it may lose up to two seconds that it confirmed, and what would send them again dies with the driver.
    """
    async with Arena("appliance_kills", folder, *DURABLE, seed=seed, **more) as arena:
        for turn in range(n):
            await arena.pause(0.15, 0.5)
            if turn % 3 == 1:
                arena.redis.freeze()
                await arena.pause(0.05, 0.6)
            elif turn % 3 == 2:
                await asyncio.to_thread(arena.redis.kill)
                await arena.pause(0.0, 0.5)
            await arena.kill_driver()
            if turn % 3 == 1:
                arena.redis.thaw()
            elif turn % 3 == 2:
                await asyncio.to_thread(arena.redis.start)
            began_ns = time.time_ns()
            await arena.start_driver()
            await arena.recovered(began_ns)
    return arena.counts


async def frozen(folder: Path, n: int) -> Counts:
    """SIGSTOP and SIGCONT."""
    async with Arena("frozen", folder, *AOF) as arena:
        for _ in range(n):
            await arena.pause(0.2, 0.6)
            arena.redis.freeze()
            await arena.pause(0.3, 2.5)
            arena.redis.thaw()
            await arena.recovered()
    return arena.counts


@contextlib.asynccontextmanager
async def _refusing(arena: Arena, on: list[str], off: list[str]) -> AsyncIterator[None]:
    client = arena.redis.client()
    await asyncio.to_thread(client.execute_command, *on)
    yield
    while True:
        with contextlib.suppress(RedisError):
            await asyncio.to_thread(client.execute_command, *off)
            break
        await asyncio.sleep(0.05)
    client.close()


async def out_of_memory(folder: Path, n: int) -> Counts:
    """maxmemory below what is used, noeviction: -OOM in the middle of batches."""
    async with Arena("out_of_memory", folder, *AOF) as arena:
        for _ in range(n):
            await arena.pause(0.2, 0.5)
            async with _refusing(arena, ["CONFIG", "SET", "maxmemory", "1mb"], ["CONFIG", "SET", "maxmemory", "0"]):
                await arena.pause(0.2, 1.5)
            await arena.recovered()
    if not arena.counts.notes["errors"].get("OOM"):
        arena.counts.notes["wrong"].append("Redis never said OOM")
    return arena.counts


async def read_only(folder: Path, n: int) -> Counts:
    """The server becomes a replica of nobody who answers, and a master again."""
    async with Arena("read_only", folder, *AOF) as arena:
        for _ in range(n):
            await arena.pause(0.2, 0.5)
            async with _refusing(arena, ["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]):
                await arena.pause(0.2, 1.5)
            await arena.recovered()
    if not arena.counts.notes["errors"].get("READONLY"):
        arena.counts.notes["wrong"].append("Redis never said READONLY")
    return arena.counts


async def cut_connections(folder: Path, n: int) -> Counts:
    """A proxy cuts the driver's connections after a random number of bytes: inside a command, inside an answer."""
    arena = Arena("cut_connections", folder, *AOF)
    async with Proxy(arena.redis.port) as proxy:
        arena._port = proxy.port
        async with arena:
            await arena.pause(0.3, 0.5)
            proxy.cut_after = (100, 200_000)
            for _ in range(300):
                if proxy.n_cut >= n:
                    break
                await asyncio.sleep(0.1)
            proxy.cut_after = None
            await arena.recovered()
    arena.counts.notes["cut"] = proxy.n_cut
    if proxy.n_cut < n:
        arena.counts.notes["wrong"].append(f"only {proxy.n_cut} connections were cut")
    return arena.counts


async def latency(folder: Path, seconds: float) -> Counts:
    """20 ms each way, then 150 ms, then none."""
    arena = Arena("latency", folder, *AOF)
    async with Proxy(arena.redis.port) as proxy:
        arena._port = proxy.port
        async with arena:
            for delay_s in (0.02, 0.15, 0.0):
                proxy.delay_s = delay_s
                await asyncio.sleep(seconds / 3)
            await arena.recovered()
    return arena.counts


def _small_disk(folder: Path, size: str) -> bool:
    """A file system of that size at `folder`; False where this user may not mount one."""
    folder.mkdir(parents=True)
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True).returncode == 0


async def disk_full(folder: Path, n: int) -> Counts:
    """Redis is away, and the spool's disk is full after half a megabyte: what memory holds must still arrive. A file system of that size where that
    is allowed, else a limit on the size of files."""
    state = folder / "disk_full" / "state"
    arena = Arena("disk_full", folder, *AOF)
    mounted = _small_disk(state, "512k")
    if not mounted:
        arena.order(max_file_bytes=512 << 10)
    try:
        async with arena:
            for _ in range(n):
                await arena.pause(0.3, 0.6)
                await asyncio.to_thread(arena.redis.kill)
                await asyncio.sleep(3)
                await asyncio.to_thread(arena.redis.start)
                await arena.recovered()
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(state)], check=True)
    arena.counts.notes["mounted"] = mounted
    if not arena.counts.notes.get("disk_errors"):
        arena.counts.notes["wrong"].append("the disk never refused")
    return arena.counts
