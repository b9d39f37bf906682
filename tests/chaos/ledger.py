"""What was accepted, written down outside of the product: rows appended with one write each, so that they survive a kill of the writer."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_ROW = struct.Struct("<HqIIq")


class Accepted(NamedTuple):
    """Events `first` to `last` of `epoch` of a channel (its number in the plan) were accepted at `at_ns`."""

    channel: int
    epoch: int
    first: int
    last: int
    at_ns: int


MARK = 65535  # the channel of a row that says: of `epoch` all that was accepted before `at_ns` is confirmed or on disk


class Ledger:
    """The writing side."""

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, rows: list[Accepted]) -> None:
        os.write(self._file, b"".join(_ROW.pack(*row) for row in rows))


def read(path: Path) -> Iterator[Accepted]:
    """All whole rows; a torn last one was accepted by nobody."""
    data = path.read_bytes() if path.exists() else b""
    for row in _ROW.iter_unpack(data[: len(data) // _ROW.size * _ROW.size]):
        yield Accepted(*row)
