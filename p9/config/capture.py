"""Sockets, books, clocks."""

from typing import Annotated

from p9.config.section import Bytes, Seconds, Section, between, text


class Capture(Section):
    """Sockets and books."""

    max_held_frames: Annotated[int, between(10, 1_000_000, "depth frames kept for a book that waits for its image")] = 2000
    max_held_bytes: Annotated[Bytes, text("the same bound in bytes")] = Bytes("8MB")
    timer: Annotated[Seconds, text("tick of what is published by the clock")] = Seconds("50ms")
    backfill: Annotated[bool, text("fetch trades that are missing by REST; false: every gap is told as lost")] = True
    history: Annotated[bool, text("fetch by REST what the first candles lack; false: they stay incomplete until their intervals are over")] = True
    rest_share: Annotated[float, between(0.05, 0.95, "share of a venue's REST budget that we allow ourselves")] = 0.5

    _bounds = {"max_held_bytes": (Bytes("64kB"), Bytes("1GB")), "timer": (Seconds("10ms"), Seconds("1s"))}


class Monitors(Section):
    """When data, clocks or the appliance itself are late. A state is left after `calm` below 70 % of its limit."""

    venue_delay_degraded: Annotated[Seconds, text("a topic so much over its own median of ten minutes is degraded")] = Seconds("250ms")
    venue_delay_stale: Annotated[Seconds, text("and so much over it stale, and the appliance not ready")] = Seconds("2s")
    clock_suspect: Annotated[Seconds, text("our clock so far from the venue's: its events are flagged suspect_time")] = Seconds("250ms")
    clock_suspended: Annotated[Seconds, text("and so far: no delay is judged by it")] = Seconds("2s")
    clock_interval: Annotated[Seconds, text("between two questions for a venue's time")] = Seconds("60s")
    late_shed_low: Annotated[Seconds, text("our own loop so late: LOW events are shed")] = Seconds("250ms")
    late_shed_medium: Annotated[Seconds, text("and so late: MEDIUM too; CRITICAL and HIGH never are")] = Seconds("1s")
    calm: Annotated[Seconds, text("before a state is left")] = Seconds("30s")

    _bounds = {
        **dict.fromkeys(
            ("venue_delay_degraded", "venue_delay_stale", "clock_suspect", "clock_suspended", "late_shed_low", "late_shed_medium"),
            (Seconds("10ms"), Seconds("10m")),
        ),
        "clock_interval": (Seconds("1s"), Seconds("1h")), "calm": (Seconds("1s"), Seconds("1h")),
    }  # fmt: skip
