"""What stood best in a book whenever its venue told something of it: by stream and by the id that it was told with. For whoever measures a flow from the frames."""

import time
from array import array
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

LEVELS = 10
KEPT = 2_000  # of one instrument: some three minutes


class Top(NamedTuple):
    """`levels`: tick and lots of the best bids, best first, then of the best asks."""

    stream: str
    id: int
    at_ms: int
    levels: array


class Tops:
    def __init__(self) -> None:
        self._kept: deque[Top] = deque(maxlen=KEPT)

    def note(self, stream: str, id: int, sides: tuple[Any, Any]) -> None:
        """`sides` as they are told now: bids and asks of a market, or of what it was."""
        flat = array("q", [value for side in sides for level in side.top(LEVELS) for value in level])
        self._kept.append(Top(stream, id, time.time_ns() // 1_000_000, flat))

    def since(self, ms: int) -> Iterator[Top]:
        return (top for top in self._kept if top.at_ms >= ms)
