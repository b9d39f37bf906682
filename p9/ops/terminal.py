"""One live line at the foot of a terminal; where there is no terminal, nothing (the logs say it)."""

import shutil
import sys
from typing import Any


class StatusLine:
    """Rewrites itself in place once a second. `clear()` before anything else is printed."""

    def __init__(self) -> None:
        self.shown = sys.stderr.isatty()
        self._frames = 0
        self._confirmed = 0
        self._at_s = 0.0

    def show(self, status: dict[str, Any]) -> None:
        """Write the line from the appliance's status."""
        frames = sum(market["frames"]["received"] for market in status["markets"].values())
        confirmed = sum(counts["confirmed"] for counts in status["delivery"]["classes"].values())
        span_s = max(status["uptime_s"] - self._at_s, 1e-3)
        frame_rate, event_rate = (frames - self._frames) / span_s, (confirmed - self._confirmed) / span_s
        self._frames, self._confirmed, self._at_s = frames, confirmed, status["uptime_s"]
        if not self.shown:
            return
        states: dict[str, int] = {}
        for market in status["markets"].values():
            for state, n in market["books"].items():
                states[state] = states.get(state, 0) + n
        gaps = sum(market["counters"]["gaps"] for market in status["markets"].values())
        waiting = sum(counts["waiting"] for counts in status["delivery"]["classes"].values())
        line = (
            f"books {states.get('synced', 0)}/{sum(states.values())} · {frame_rate:,.0f} frames/s · {event_rate:,.0f} events/s confirmed · "
            f"{waiting} waiting · {gaps} gaps"
        )
        sys.stderr.write("\r\x1b[2K" + line[: shutil.get_terminal_size().columns - 1])
        sys.stderr.flush()

    def clear(self) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
