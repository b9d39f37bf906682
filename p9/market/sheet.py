"""What a board publishes of one kind: which facts it takes, and how an event is written from what was last said of each field."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from cext.channel import MARK_NAMES

from p9.fact import Fact
from p9.instrument import Instrument
from p9.market.agreement import Agreement, Tolerance
from p9.samples import Samples

MARKS = {name: mark for mark, name in MARK_NAMES.items()}
POLL, STREAM = "poll", "stream"
FOR_EVER_NS = 1 << 62


class Statement(msgspec.Struct):
    """What was last said of one field. After `until_ns` (of our clock) it is not known any more."""

    value: Any
    at_ns: int  # the venue's time of it, or when it was received
    recv_ns: int
    source: str
    until_ns: int


class Record(msgspec.Struct):
    """One instrument's line of a sheet."""

    one: Instrument
    said: dict[str, Statement] = {}
    agreements: dict[str, Agreement] = {}
    fields: dict[str, Any] | None = None  # as last published
    changed: bool = False  # since then
    confirmed: bool = False  # by a poll, since then
    doubted: bool = False  # its sources disagree
    past: Samples | None = None  # of what a sheet compares with

    def value(self, field: str) -> Any:
        statement = self.said.get(field)
        return statement.value if statement is not None else None


Other = Callable[[str, Instrument], Mapping[str, Any] | None]  # (kind, instrument) -> the fields last published of it


class Sheet(Protocol):
    """One kind. `tolerances`: {field that streams and polls say: how far they may be apart}."""

    kind: str
    fact: type[Fact]
    tolerances: Mapping[str, Tolerance]

    def write(self, record: Record, other: Other, now_ns: int) -> tuple[dict[str, Any], int] | None:
        """The event's fields and its marks; None: nothing is known."""
        ...
