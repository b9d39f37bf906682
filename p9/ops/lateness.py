"""The appliance's own lateness: how long its loop keeps what has come waiting. Late, it sheds LOW, then MEDIUM, never CRITICAL or HIGH.

A Redis that is slow is not our lateness (delivery has its own bounds), nor is a venue that is late (capture judges that).
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from cext.outbox import Outbox

from p9.breaker import Breaker

TICK_S = 0.05
MEDIUM, LOW, NOTHING = 2, 3, 4  # classes as cext.outbox numbers them
SHEDS_FROM = {"normal": NOTHING, "sheds_low": LOW, "sheds_medium": MEDIUM}


class LatenessSettings(msgspec.Struct, frozen=True):
    """Seconds."""

    low_s: float = 0.25
    medium_s: float = 1.0
    calm_s: float = 30.0
    over_times: int = 2  # turns in a row: a single pause is none


class Lateness:
    """`tell(kind, detail, **more)` publishes."""

    def __init__(self, outbox: Outbox, *, settings: LatenessSettings | None = None, tell: Callable[..., None] | None = None):
        settings = settings or LatenessSettings()
        self.worst_s = self.last_s = 0.0
        self._outbox = outbox
        self._tell = tell or (lambda kind, detail, **more: None)
        self.breaker = Breaker(
            (("sheds_low", settings.low_s), ("sheds_medium", settings.medium_s)), calm_s=settings.calm_s, over_times=settings.over_times
        )

    def tune(self, settings: LatenessSettings) -> None:
        """Other limits from now on."""
        self.breaker.tune((settings.low_s, settings.medium_s), settings.calm_s, settings.over_times)

    async def run(self) -> None:
        """For ever, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            self.judge(loop.time() - due_s, loop.time())

    def judge(self, late_s: float, now_s: float) -> None:
        """A turn of the loop that came so much later than it was due."""
        self.last_s, self.worst_s = late_s, max(self.worst_s, late_s)
        before = self.breaker.state
        if self.breaker.judge(late_s, now_s):
            self._outbox.shed_from(SHEDS_FROM[self.breaker.state])
            detail = f"the loop is {late_s * 1e3:.0f} ms late: {before} -> {self.breaker.state}"
            self._tell("lateness", detail, source="self", state=self.breaker.state, previous=before)

    def status(self) -> dict[str, Any]:
        return {
            "state": self.breaker.state, "late_ms": round(self.last_s * 1e3, 3), "worst_ms": round(self.worst_s * 1e3, 3), "trips": self.breaker.trips,
        }  # fmt: skip
