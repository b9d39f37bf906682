"""Our own wall clock against the machine's steady one: a step of it is told, as every time after it means something else."""

import asyncio
from collections.abc import Callable
from typing import Any

STEP_S = 0.1
TICK_S = 1.0


class LocalClock:
    """`now_ns`: the wall clock. `tell(kind, detail, **more)` publishes."""

    def __init__(self, now_ns: Callable[[], int], tell: Callable[..., None], *, step_s: float = STEP_S):
        self.steps = 0
        self.last_step_s = 0.0
        self._now_ns, self._tell, self._step_s = now_ns, tell, step_s
        self._ahead_s: float | None = None

    async def run(self) -> None:
        """For ever, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self.look(loop.time())
            await asyncio.sleep(TICK_S)

    def look(self, steady_s: float) -> None:
        """Compare the two clocks with the last time."""
        ahead_s = self._now_ns() / 1e9 - steady_s
        before, self._ahead_s = self._ahead_s, ahead_s
        if before is None or abs(ahead_s - before) < self._step_s:
            return
        self.steps += 1
        self.last_step_s = ahead_s - before
        way = "forward" if self.last_step_s > 0 else "back"
        self._tell("clock_step", f"our clock was set {way} by {abs(self.last_step_s):.3f} s", source="local", step_ns=round(self.last_step_s * 1e9))

    def status(self) -> dict[str, Any]:
        return {"steps": self.steps, "last_step_s": round(self.last_step_s, 3)}
