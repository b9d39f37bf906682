"""Snapshots that are kept in Redis, one key a turn: snapshot:{exchange}:{symbol}:{turn in ms}, each a record of docs/snapshots.md."""

from collections.abc import Iterable
from typing import Any

from p9.client.film import END, STALE, Projector, Snapshot, SnapshotDamaged, SnapshotMissing, read_record

NS = 1_000_000
MOST_TURNS = 100_000  # from a key frame to its last change: more is none of ours
AT_ONCE = 500  # keys of one question


def key_of(exchange: str, symbol: str, at_ms: int) -> str:
    return f"snapshot:{exchange}:{symbol}:{at_ms}"


async def stored_snapshot(redis: Any, exchange: str, symbol: str, at_ns: int, *, interval_ms: int = 1000) -> Snapshot:
    """The book at `at_ns` (ns since 1970): its newest snapshot that is not younger. `redis`: redis-py's asyncio client, of any form.

    Raises SnapshotMissing, SnapshotDamaged, and what redis-py raises.
    """
    turn = at_ns // NS // interval_ms + 1  # books take turns within the interval: a turn's snapshot may be taken before it begins
    wanted = [(turn - n) * interval_ms for n in range(4)]
    record = None
    for payload in await _read(redis, exchange, symbol, wanted):
        if payload is not None and (found := read_record(payload)).taken_ns <= at_ns:
            record = found
            break
    if record is None or at_ns - record.taken_ns > STALE * interval_ms * NS:
        raise SnapshotMissing(f"Redis holds nothing of {exchange} {symbol} at that time")
    if record.kind == END:
        raise SnapshotMissing(f"{exchange} {symbol} was not valid at that time ({record.body().decode('utf-8', 'replace')})")
    if not 0 <= record.at_ms - record.key_ms <= MOST_TURNS * interval_ms:
        raise SnapshotDamaged("a record names no key frame")
    turns = range(record.key_ms, record.at_ms, interval_ms)
    projector = Projector()
    for payload in await _read(redis, exchange, symbol, turns):
        if payload is not None:
            projector.show(read_record(payload))
    projector.show(record)
    return projector.snapshot()


async def stored_spans(redis: Any, exchange: str, symbol: str, from_ns: int, to_ns: int, *, interval_ms: int = 1000) -> list[tuple[int, int]]:
    """(first, last) time in ns of what Redis holds between, to the minute: a question for every key would be one for every second of a day."""
    step = max(1, 60_000 // interval_ms) * interval_ms
    turns = range(from_ns // NS // step * step, to_ns // NS + 1, step)
    found: list[list[int]] = []
    for at_ms, there in zip(turns, await _ask(redis, "EXISTS", exchange, symbol, turns), strict=True):
        if there and found and at_ms - found[-1][1] == step:
            found[-1][1] = at_ms
        elif there:
            found.append([at_ms, at_ms])
    return [(first * NS, last * NS) for first, last in found]


async def _read(redis: Any, exchange: str, symbol: str, turns: Iterable[int]) -> list[bytes | None]:
    return await _ask(redis, "GET", exchange, symbol, turns)


async def _ask(redis: Any, command: str, exchange: str, symbol: str, turns: Iterable[int]) -> list[Any]:
    answers: list[Any] = []
    keys = [key_of(exchange, symbol, at_ms) for at_ms in turns]
    for n in range(0, len(keys), AT_ONCE):
        async with redis.pipeline(transaction=False) as pipe:  # and no MGET: in a Cluster each key has a slot of its own
            for key in keys[n : n + AT_ONCE]:
                pipe.execute_command(command, key)
            answers += await pipe.execute()
    return answers
