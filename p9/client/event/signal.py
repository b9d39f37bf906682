"""What all of it says of where the price goes."""

from typing import Any, Literal

import msgspec

from p9.client.event.envelope import Event


class SignalPart(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one signal, or one venue, gives to an aggregate."""

    signal: str | None = None
    exchange: str | None = None
    strength: float
    confidence: float
    weight: float | None = None
    counted: bool | None = None


class Signal(Event, kw_only=True):
    """`kind` base: one signal with its `inputs`; aggregate: what an instrument's, or a symbol's over its venues, come to together."""

    streamed = True
    kind: str
    signal: str | None = None
    state: Literal["begins", "changes", "ends"]
    direction: Literal["up", "down", "none"]
    strength: float
    confidence: float
    since: int
    duration_ns: int | None
    horizon_seconds: int | None = None
    decay_seconds: float | None = None
    inputs: dict[str, Any] | None = None
    parts: list[SignalPart] | None = None
    excluded: list[str] | None = None
    latency_ns: int
