"""Storage of snapshots as the configuration says: what keeps them, where they are looked up, and whether there is room for them."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import RedisError

from p9.client.film import Snapshot, SnapshotMissing
from p9.client.stored import stored_snapshot, stored_spans
from p9.config import Config
from p9.config.streams import Snapshots
from p9.delivery import embedded
from p9.delivery.bus import Bus
from p9.errors import BusAway, ConfigError
from p9.ops import logs
from p9.snapshots import library, size
from p9.snapshots.folder import book_folder, files_of
from p9.snapshots.keeper import Keeper, KeeperSettings
from p9.snapshots.shelf import Shelf
from p9.venue import market

WHERE = "analytics.periodic_snapshots"
BOOKS_A_PATTERN = 100  # *-USDT-PERP: how many there are only the venue knows
BOOKS_A_DATE = 6  # BTC-USDT-2*: one base
FILL = 0.9  # of maxmemory: beyond it Redis has no room to breathe

log = logs.get("snapshots")


def folder_of(data_folder: Path, *, simulated: bool) -> Path:
    """Made-up books have a place of their own."""
    return data_folder / ("snapshots-simulated" if simulated else "snapshots")


def keeper_of(config: Config, data_folder: Path, bus: Bus, *, epoch: int, now_ns: Callable[[], int], simulated: bool) -> Keeper | None:
    """None where nothing is to be stored. What an earlier simulation stored is removed."""
    wanted = config.analytics.periodic_snapshots
    if wanted.storage == "none":
        return None
    settings, shelf = keeping_of(wanted), None
    if wanted.storage == "disk":
        shelf = Shelf(
            folder_of(data_folder, simulated=simulated), epoch=epoch, max_bytes=int(wanted.max_bytes), min_free=int(wanted.min_free), keep_ms=settings.keep_ms
        )  # fmt: skip
        if simulated:
            shelf.empty()
    return Keeper(epoch=epoch, settings=settings, shelf=shelf, redis=bus.client, now_ns=now_ns)


def keeping_of(wanted: Snapshots) -> KeeperSettings:
    keep_ms, disk = round(wanted.storage_duration * 1e3), wanted.storage == "disk"
    return KeeperSettings(
        interval_ms=round(wanted.interval * 1e3), key_ms=round(wanted.key_interval * 1e3), keep_ms=keep_ms, waiting_bytes=int(wanted.waiting_bytes),
        redis_keep_ms=round(wanted.redis_newest * 1e3) if disk else keep_ms, retries=not disk,
    )  # fmt: skip


async def look_up(wanted: Snapshots, data_folder: Path, redis: Any, exchange: str, symbol: str, at_ns: int | None, *, simulated: bool) -> Snapshot:
    """One stored book; `at_ns` None: the newest. `redis` may be None where the storage is the disk.

    Raises SnapshotMissing, SnapshotDamaged, OSError, and where the storage is Redis, what redis-py raises.
    """
    if wanted.storage != "redis":
        try:
            return await asyncio.to_thread(library.find, folder_of(data_folder, simulated=simulated), exchange, symbol, at_ns)
        except SnapshotMissing as error:
            why, made_up = "", book_folder(folder_of(data_folder, simulated=True), exchange, symbol)
            if wanted.storage == "none" or not wanted.enabled:
                why = f"; none are being stored: {WHERE}.{'storage is none' if wanted.enabled else 'enabled is false'}"
            elif not simulated and made_up is not None and files_of(made_up):
                why = "; what the simulation stored is shown with --simulate"
            raise SnapshotMissing(f"{error}{why}", error.spans) from None
    if book_folder(Path(), exchange, symbol) is None:
        raise SnapshotMissing(f"{exchange} {symbol!r:.80} cannot be the name of a book")
    interval_ms, now_ns = round(wanted.interval * 1e3), time.time_ns()
    try:
        return await stored_snapshot(redis, exchange, symbol, now_ns if at_ns is None else at_ns, interval_ms=interval_ms)
    except SnapshotMissing as error:
        since_ns = now_ns - round(wanted.storage_duration * 1e9)
        raise SnapshotMissing(str(error), await stored_spans(redis, exchange, symbol, since_ns, now_ns, interval_ms=interval_ms)) from None


# ---- is there room?


class Need(NamedTuple):
    """Bytes; `guessed` of the books are those that patterns may stand for."""

    books: int
    guessed: int
    disk: int
    redis: int


def _some(symbol: str) -> tuple[int, bool]:
    """How many instruments a name stands for, and whether that is a guess."""
    pattern = re.search(r"[*?\[]", symbol)
    return (1, False) if pattern is None else (BOOKS_A_DATE if "-" in symbol[: pattern.start()] else BOOKS_A_PATTERN, True)


def names_of(symbols: Iterable[str]) -> list[str]:
    """As many names as the configured ones stand for."""
    return [re.sub(r"[*?\[\]]+", str(n) if guessed else "", symbol) for symbol in symbols for some, guessed in (_some(symbol),) for n in range(some)]


def need_of(config: Config) -> Need:
    """What this configuration will take when it has run for as long as it keeps anything."""
    wanted = config.analytics.periodic_snapshots
    books = guessed = 0
    for name, section in config.venues.markets().items():
        for symbol in section.symbols or market(name).default_symbols:
            some, pattern = _some(symbol)
            books += some
            guessed += some if pattern else 0
    interval_s, keep_s = float(wanted.interval), float(wanted.storage_duration)
    stored = wanted.storage if wanted.enabled else "none"
    disk = size.disk_bytes(books, interval_s=interval_s, keep_s=keep_s) if stored == "disk" else 0
    in_redis_s = {"disk": float(wanted.redis_newest), "redis": keep_s, "none": 0.0}[stored]
    redis = size.redis_bytes(books, interval_s=interval_s, keep_s=in_redis_s, key_s=float(wanted.key_interval))
    return Need(books, guessed, disk, redis + int(config.redis.max_stream_bytes) + books * size.LASTS_BYTES)


def room_report(config: Config, need: Need) -> list[str]:
    """For people: how much it will be."""
    wanted = config.analytics.periodic_snapshots
    guess = f", {need.guessed} of them a guess for what patterns stand for" if need.guessed else ""
    lines = [f"expected: {need.books} books{guess}; in Redis {size.words(need.redis)} (streams at most {config.redis.max_stream_bytes})"]
    if need.disk:
        lines[0] += f"; snapshots on disk {size.words(need.disk)}"
        if need.disk > wanted.max_bytes:
            hours = float(wanted.storage_duration) / 3600 * int(wanted.max_bytes) / need.disk
            lines.append(f"warning: {WHERE}.max_bytes ({wanted.max_bytes}) holds about {hours:.1f} hours of them, not {wanted.storage_duration}")
    return lines


def check_room(config: Config, need: Need, max_memory: int, whose: str) -> None:
    """Raises ConfigError where a Redis of so much memory (0: no limit) cannot hold it."""
    if not max_memory or need.redis <= max_memory * FILL:
        return
    wanted = config.analytics.periodic_snapshots
    stored = wanted.storage == "redis" and wanted.enabled
    hint = f"set {WHERE}.storage to disk, or a shorter storage_duration" if stored else "lower redis.max_stream_bytes, or give Redis more"
    raise ConfigError(
        f"{need.books} books need about {size.words(need.redis)} in Redis, {whose} may use {size.words(max_memory)} (maxmemory)",
        where=f"{WHERE}.storage" if stored else "redis.max_stream_bytes", hint=hint,
    )  # fmt: skip


async def check_start(config: Config, bus: Bus, whose: str) -> None:
    """Before anything is published. Raises ConfigError where the storage is Redis and it cannot hold it; else that is only said."""
    wanted = config.analytics.periodic_snapshots
    try:
        check_room(config, need_of(config), await max_memory_of(bus) or 0, whose)
    except ConfigError as error:
        if wanted.enabled and wanted.storage == "redis":
            raise
        log.warning("Redis may become full", reason=str(error))


async def max_memory_of(bus: Bus) -> int | None:
    """What Redis may use, of a Cluster all masters together; 0: no limit, None: it does not tell (who may not ask may publish all the same)."""
    try:
        # of a Cluster, of every master: {node: what it says}
        info = await bus.client.info("memory", **({"target_nodes": RedisCluster.PRIMARIES} if bus.sharded else {}))
    except (RedisError, OSError, TimeoutError):
        return None
    nodes = [each for each in info.values() if isinstance(each, dict)] or [info]
    limits = [int(each.get("maxmemory", 0)) for each in nodes]
    return sum(limits) if all(limits) else 0


async def room_of(config: Config, server: Callable[[], Awaitable[embedded.RedisServer]]) -> tuple[int | None, str]:
    """(maxmemory, whose) of the Redis that a start would use. `server()` finds the user's, without starting one. Raises P9Error: BusAway where it must
    be there and is not."""
    if config.redis.mode != "embedded":
        try:
            found = await server()
        except BusAway:
            if config.redis.mode == "external":
                raise
        else:
            bus = found.bus()
            try:
                return await max_memory_of(bus), f"the one at {found.status()['url']}"
            finally:
                await bus.close()
    return embedded.MAX_MEMORY_BYTES, "the embedded one"
