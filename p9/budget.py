"""How much a venue lets us ask for in a span of time, and how much of that is used."""

from collections import deque

import msgspec


class Budget(msgspec.Struct, frozen=True):
    """A venue's limit: `limit` units in any `span_s` seconds. Questions that share a `name` share the limit.

    `used_header`: the answer's header that tells what this address has used since the last full minute.
    """

    name: str
    limit: int
    span_s: float
    used_header: str = ""


class Window:
    """What was used in the last `span_s` seconds: a log, not a bucket, so that no span of that length ever holds more than `limit`."""

    def __init__(self, limit: float, span_s: float):
        self.limit, self.span_s = limit, span_s
        self._log: deque[tuple[float, float]] = deque()
        self._used = 0.0

    def used(self, now_s: float) -> float:
        log = self._log
        while log and log[0][0] <= now_s - self.span_s:
            self._used -= log.popleft()[1]
        return self._used

    def used_since(self, at_s: float) -> float:
        return sum(n for when_s, n in self._log if when_s >= at_s)

    def wait_s(self, n: float, now_s: float, share: float = 1.0) -> float:
        """How long until `n` more fit into `share` of the limit; 0: now. A question larger than the share fits into an empty window."""
        excess = self.used(now_s) + n - self.limit * share
        free_s = now_s
        for at_s, size in self._log:
            if excess <= 0:
                break
            excess -= size
            free_s = at_s + self.span_s
        return free_s - now_s

    def take(self, n: float, now_s: float) -> None:
        self._log.append((now_s, n))
        self._used += n
