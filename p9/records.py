"""The newest rows of what happens now and then, for who looks at them later: as JSON, in memory that is all there before the first one comes.

Some thousand dicts that fill for a day are a day's growth of the process, and nobody can tell it from a leak.
"""

import json
import threading
from array import array
from collections.abc import Iterator
from typing import Any


class Records:
    """Oldest first. At most `most` of them and `room` bytes: one more pushes out the oldest; a row longer than all the room is not kept. What JSON has no word
    for is kept as its text. Rows may come from any thread."""

    def __init__(self, most: int, room: int):
        self.most, self.room = most, room
        self._bytes = bytearray(room)  # a ring, and the rows' lengths in another
        self._lengths = array("q", bytes(8 * most))
        self._begin = self._used = self._first = self._n = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.newest(self._n))

    def append(self, row: dict[str, Any]) -> None:
        line = json.dumps(row, default=str, separators=(",", ":")).encode()
        if len(line) <= self.room:
            with self._lock:
                self._put(line)

    def _put(self, line: bytes) -> None:
        while self._n == self.most or self._used + len(line) > self.room:
            self._drop()
        at = (self._begin + self._used) % self.room
        ahead = min(len(line), self.room - at)
        self._bytes[at : at + ahead] = line[:ahead]
        self._bytes[: len(line) - ahead] = line[ahead:]
        self._lengths[(self._first + self._n) % self.most] = len(line)
        self._used += len(line)
        self._n += 1

    def newest(self, n: int) -> list[dict[str, Any]]:
        """As many as there are of the newest `n`, oldest first."""
        lines = []
        with self._lock:
            at = self._begin + self._used
            for back in range(1, min(n, self._n) + 1):
                length = self._lengths[(self._first + self._n - back) % self.most]
                at -= length
                lines.append(self._cut(at % self.room, length))
        return [json.loads(line) for line in reversed(lines)]

    def clear(self) -> None:
        with self._lock:
            self._begin = self._used = self._first = self._n = 0

    def _cut(self, at: int, length: int) -> bytearray:
        return self._bytes[at : at + length] + self._bytes[: max(0, at + length - self.room)]

    def _drop(self) -> None:
        length = self._lengths[self._first]
        self._begin = (self._begin + length) % self.room
        self._used -= length
        self._first = (self._first + 1) % self.most
        self._n -= 1
