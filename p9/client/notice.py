"""What a subscription says between events: never an exception, never silence."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Missed:
    """Events `first_seq` to `last_seq` (None: nobody knows how many) of `epoch` cannot be had any more.

    reason: `no_stream` (a LOW or MEDIUM channel: what was not heard is gone), `not_in_stream` (trimmed, or Redis lost it). Should one of them
    come after all, it is delivered, marked `late`.
    """

    channel: str
    epoch: int
    first_seq: int
    last_seq: int | None
    reason: Literal["no_stream", "not_in_stream"]


@dataclass(frozen=True, slots=True)
class NewEpoch:
    """The channel's writer was started anew: `seq` begins at 1 again."""

    channel: str
    epoch: int
    previous: int


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The connection was lost and is there again; what the streams hold of the time between follows. LOW channels tell what they missed."""

    away_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Overflow:
    """The reader is too slow: the queue was full. `dropped` events of channels without a stream are gone (each such channel says `Missed`
    with its next event); `deferred` channels are read from their streams, nothing of them is lost."""

    dropped: int
    deferred: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something on the channel that is no event of this contract."""

    channel: str
    payload: bytes
    error: str


Notice = Missed | NewEpoch | Reconnected | Overflow | Unreadable
