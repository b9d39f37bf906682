"""An event's own fields, without the envelope that every event has."""

from typing import Any

MOST_VALUES = 6  # of a list within a measure
ENVELOPE = frozenset({"v", "type", "exchange", "symbol", "market", "venue_symbol", "epoch", "seq", "conflated", "ts_event", "ts_recv", "ts_pub"})


def own_fields(event: dict[str, Any]) -> dict[str, Any]:
    """And `at`, when it was, in ms."""
    fields = {name: value for name, value in event.items() if name not in ENVELOPE}
    fields["at"] = at_ms(event)
    return fields


def measures(event: dict[str, Any]) -> dict[str, Any]:
    """`own_fields` without rows of figures that no panel shows: they come four times a second."""
    return without_rows(own_fields(event))


def without_rows(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_rows(each) for name, each in value.items() if not (isinstance(each, list) and len(each) > MOST_VALUES)}
    return value


def at_ms(event: dict[str, Any]) -> int | None:
    """The venue's time, else ours."""
    at_ns = event.get("ts_event") or event.get("ts_recv") or event.get("ts_pub")
    return None if at_ns is None else at_ns // 1_000_000


def number(text: Any) -> float | None:
    """A published decimal for a chart; None where there is none."""
    try:
        return None if text is None else float(text)
    except (TypeError, ValueError):
        return None
