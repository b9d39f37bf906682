"""What went wrong, and what became of it."""

import msgspec

from p9.client.event.envelope import Event


class Integrity(Event, kw_only=True):
    """What became of a book (`kind` is `book_state`), what delivery says of itself, and other findings (`detail`)."""

    streamed = True
    kind: str
    state: str | None = None
    previous: str | None = None
    reason: str | None = None
    expected_id: int | None = None
    got_id: int | None = None
    last_good_id: int | None = None
    last_good_time: int | None = None
    duration_ns: int | None = None
    count: int | None = None
    detail: str | None = None
    lane: str | None = None
    probes: int | None = None
    shed: int | None = None
    quarantined: str | None = msgspec.field(default=None, name="channel")
    channels: int | None = None
    events: int | None = None
    source: str | None = None
    topic: str | None = None
    step_ns: int | None = None


class Gap(Event, kw_only=True):
    """Trades that are missing (`state` open), came after all (filled), or never will (lost; `left` says which); and when liquidations or one's
    own stop orders, which have no ids, could not be heard (`kind`)."""

    streamed = True
    kind: str
    gap: int
    state: str
    reason: str
    first_id: int | None
    last_id: int | None
    missing: int | None
    since: int | None
    until: int | None
    fetched: int
    left: list[tuple[int, int]] | None
    duration_ns: int


class Audit(Event, kw_only=True):
    """A book, a candle or a figure differs from what the venue made apart from its streams; `watermark` is no difference."""

    streamed = True
    kind: str
    update_id: int | None = None
    levels: int | None = None
    open_time: int | None = None
    field: str | None = None
    timeframe: str | None = None
    what: str | None = None
    source: str | None = None
    whole_since: dict[str, int] | None = None
    detail: str
