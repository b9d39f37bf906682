"""The writer's epoch: milliseconds at its start, greater than every epoch that was ever given here or on this bus."""

import contextlib
import os
from pathlib import Path

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, WatchError

log = structlog.get_logger(__name__)

KEY = "p9:epoch"


def _in_file(path: Path) -> int:
    try:
        return int(path.read_text("ascii").strip() or 0)
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        log.warning("the epoch's state file cannot be read, and is written anew", file=str(path), error=str(error))
        return 0


def _into_file(path: Path, epoch: int) -> None:
    """Whole or not at all, and on the disk before the epoch is used."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with open(fresh, "w", encoding="ascii") as file:
        file.write(f"{epoch}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


async def _in_redis(client: Redis, at_least: int) -> int:
    """An epoch of at least `at_least`, greater than the bus's own, which it replaces there."""
    while True:
        async with client.pipeline(transaction=True) as pipe:
            try:
                await pipe.watch(KEY)
                known = await pipe.get(KEY)
                epoch = max(at_least, int(known or 0) + 1)
                pipe.multi()
                pipe.set(KEY, epoch)
                await pipe.execute()
                return epoch
            except WatchError:
                continue


async def hold(client: Redis, epoch: int) -> bool:
    """Claim another bus for a writer that has its epoch already. False: that bus has seen a greater one."""
    while True:
        async with client.pipeline(transaction=True) as pipe:
            try:
                await pipe.watch(KEY)
                if int(await pipe.get(KEY) or 0) > epoch:
                    return False
                pipe.multi()
                pipe.set(KEY, epoch)
                await pipe.execute()
                return True
            except WatchError:
                continue


async def next_epoch(now_ms: int, path: Path, client: Redis | None = None) -> int:
    """The epoch of this start. A bus that is away leaves the file, and the clock, to decide; a disk that refuses leaves the bus."""
    epoch = max(now_ms, _in_file(path) + 1)
    if client is not None:
        try:
            epoch = await _in_redis(client, epoch)
        except (RedisError, OSError, ValueError) as error:
            log.warning("the epoch could not be held against the bus", key=KEY, error=str(error))
    try:
        _into_file(path, epoch)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.with_suffix(".new").unlink()
        log.warning("the epoch's state file cannot be written", file=str(path), error=str(error))
    return epoch
