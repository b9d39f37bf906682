"""How fast counters grow, over the last few looks."""

from collections import deque


class Rates:
    """`of(name, value, now_s)`: growth a second over about `over_s`; None at the first look. What is not asked for in a while is forgotten."""

    def __init__(self, over_s: float = 3.0):
        self._over_s = over_s
        self._seen: dict[str, deque[tuple[float, float]]] = {}

    def of(self, name: str, value: float, now_s: float) -> float | None:
        seen = self._seen.setdefault(name, deque(maxlen=64))
        while len(seen) > 1 and now_s - seen[1][0] >= self._over_s:
            seen.popleft()
        seen.append((now_s, value))
        then_s, before = seen[0]
        span_s = now_s - then_s
        if span_s <= 0:
            return None
        return max(0.0, (value - before) / span_s)


def brief(value: float | None, digits: int = 3) -> float | int | None:
    """A figure for the eye: `digits` significant ones, so that what looks the same is not sent again."""
    if value is None:
        return None
    if value == 0 or abs(value) >= 10**digits:
        return round(value)
    return float(f"{value:.{digits}g}")
