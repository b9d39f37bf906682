"""A circuit breaker: after too many failures in a row nothing is tried but one probe at a time, until one succeeds.

    closed --more than max_failures in a row--> open --probe--> half_open --success--> closed
                                                  <--failure--
"""

from collections.abc import Callable

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"


class Circuit:
    """`on_change(circuit, previous)` hears of every change but the failed probes between the first one and the success: they are counted."""

    def __init__(self, name: str, *, max_failures: int, now_s: Callable[[], float], on_change: Callable[["Circuit", str], None]):
        self.name, self.max_failures = name, max_failures
        self.state = CLOSED
        self.reason = ""  # of the newest failure
        self.n_failures = 0  # in a row
        self.n_opened = 0
        self.n_probes = 0  # since it opened
        self.open_s = 0.0  # how long it was last not closed
        self._opened_at_s = 0.0
        self._now_s, self._on_change = now_s, on_change

    @property
    def lets_through(self) -> bool:
        return self.state != OPEN

    def failed(self, reason: str) -> None:
        self.n_failures += 1
        self.reason = reason
        if self.state == HALF_OPEN:
            self.state = OPEN  # told at its first opening
        elif self.state == CLOSED and self.n_failures > self.max_failures:
            self.n_opened += 1
            self.n_probes = 0
            self._opened_at_s = self._now_s()
            self._change(OPEN)

    def probe(self) -> None:
        """Time for one try."""
        if self.state != OPEN:
            return
        self.n_probes += 1
        if self.n_probes == 1:
            self._change(HALF_OPEN)
        else:
            self.state = HALF_OPEN

    def succeeded(self) -> None:
        self.n_failures = 0
        if self.state == CLOSED:
            return
        self.open_s = self._now_s() - self._opened_at_s
        self._change(CLOSED)

    def _change(self, state: str) -> None:
        previous, self.state = self.state, state
        self._on_change(self, previous)

    def stats(self) -> dict[str, str | int | float]:
        open_for_s = self._now_s() - self._opened_at_s if self.state != CLOSED else 0.0
        return {"state": self.state, "reason": self.reason, "opened": self.n_opened, "probes": self.n_probes, "open_s": round(open_for_s, 3)}
