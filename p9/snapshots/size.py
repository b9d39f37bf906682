"""How much stored snapshots will take, before there are any. Measured: docs/performance.md."""

import math

SNAPSHOT_BYTES = 650  # a record, at one a second: the busiest books recorded have 530 to 800, quiet ones 130
MOST_BYTES = 4200  # a whole frame
REDIS_KEY_BYTES = 230  # a key beside its value
LASTS_BYTES = 120_000  # newest values of one instrument: its snapshot is most of it


def snapshot_bytes(interval_s: float) -> int:
    """Of one record: the longer since the last one, the more has changed."""
    return round(min(MOST_BYTES, SNAPSHOT_BYTES * math.sqrt(interval_s)))


def disk_bytes(books: int, *, interval_s: float, keep_s: float) -> int:
    """With the hour that is kept until its file is of no use."""
    return round(books * (keep_s + 3600) / interval_s * snapshot_bytes(interval_s))


def redis_bytes(books: int, *, interval_s: float, keep_s: float, key_s: float) -> int:
    """Of the keys of snapshots; 0 for none."""
    return round(books * (keep_s + key_s) / interval_s * (snapshot_bytes(interval_s) + REDIS_KEY_BYTES)) if keep_s else 0


def words(n: float) -> str:
    """A size for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1024 or unit == "GB":
            return f"{n:.0f} {unit}" if n >= 10 or unit == "B" else f"{n:.1f} {unit}"
        n /= 1024
    raise AssertionError
