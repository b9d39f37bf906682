"""What befell single frames and sockets, one by one and with the ids that whoever missed them must find: the truth for whoever has to tell of losses.

GET /oracle/incidents?since=MS tells the newest 10,000, oldest first: each `at_ns` and `fault`, and

    drop, duplicate, reorder, malformed   `market`, `symbol`, `kind`, `topic`, the number of the `connection`, how many `copies` were sent, and of a book's difference
                                          `before` (the id of the one before it), `expects` (what fits to that) and `finds` (what comes instead if this one is missed)
    disconnect, close, mute               `market`, `connection`, and which `books` it carried: `market`, `symbol`, `told` (the id they were told to), `copies`
    skew, restart, announce, listing, maintenance   as they were asked for
    late                                  the simulator itself was `for_s` behind its own time
"""

import time
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

KEPT = 10_000


class Link(NamedTuple):
    """Of a book's difference, in its venue's ids."""

    before: int
    expects: int
    finds: int


class Incidents:
    def __init__(self) -> None:
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def note(self, fault: str, **more: Any) -> None:
        self._kept.append({"at_ns": time.time_ns(), "fault": fault, **more})

    def note_socket(self, fault: str, market: str, connection: int, topics: Iterable[Any]) -> None:
        """`topics`: what it has subscribed; a book among them says up to which id it was `told`."""
        books = [
            {"market": topic.instrument.market, "symbol": topic.instrument.symbol, "told": topic.told, "copies": len(topic.subscribers)}
            for topic in topics if hasattr(topic, "told")
        ]  # fmt: skip
        self.note(fault, market=market, connection=connection, books=books)

    def since(self, ns: int) -> list[dict[str, Any]]:
        return [each for each in self._kept if each["at_ns"] >= ns]
