"""When a valid book was lost, and when it was back, as a consumer reads it in `integrity`."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from p9.quicktest.trial import Trial

Event = dict[str, Any]


class Episode(NamedTuple):
    """`back` is None while it lasts."""

    lost: Event
    back: Event | None


def episodes(events: Iterable[Event]) -> Iterator[Episode]:
    """Of one book's states."""
    lost: Event | None = None
    for event in events:
        if event["state"] == "synced":
            if lost is not None:
                yield Episode(lost, event)
            lost = None
        elif event["previous"] == "synced":
            lost = event
    if lost is not None:
        yield Episode(lost, None)


async def told_of(trial: Trial, exchange: str, symbol: str) -> list[Event]:
    return await trial.stream(f"{trial.word('integrity')}:{exchange}:{symbol}")


def states(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if event["kind"] == "book_state"]
