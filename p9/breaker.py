"""A state with levels that is entered at once and left late: the hysteresis of every monitor that judges a figure."""

from collections.abc import Sequence


class Breaker:
    """`levels`: (name, limit) from mild to severe; below the first limit the state is "normal".

    A figure over a limit trips that level at once (after `over_times` figures in a row); a level is left when every figure of `calm_s` seconds stayed
    below `share` of its limit.
    """

    def __init__(self, levels: Sequence[tuple[str, float]], *, calm_s: float = 30.0, share: float = 0.7, over_times: int = 1):
        self.levels = tuple(levels)
        self.calm_s, self.share, self.over_times = calm_s, share, over_times
        self.height = 0  # 0: normal; n: the n-th level
        self.trips = 0
        self._over = 0
        self._calm_since_s: float | None = None

    def tune(self, limits: Sequence[float], calm_s: float, over_times: int = 1) -> None:
        """Other limits for the same levels."""
        self.levels = tuple((name, limit) for (name, _), limit in zip(self.levels, limits, strict=True))
        self.calm_s, self.over_times = calm_s, over_times

    @property
    def state(self) -> str:
        return self.levels[self.height - 1][0] if self.height else "normal"

    def judge(self, figure: float, now_s: float) -> bool:
        """Take a figure; True if the state changed."""
        height = sum(figure > limit for _, limit in self.levels)
        if height > self.height:
            self._calm_since_s = None
            self._over += 1
            if self._over < self.over_times:
                return False
            self._over, self.height = 0, height
            self.trips += 1
            return True
        self._over = 0
        if self.height == 0:
            return False
        if figure >= self.share * self.levels[self.height - 1][1]:
            self._calm_since_s = None
            return False
        if self._calm_since_s is None:
            self._calm_since_s = now_s
        if now_s - self._calm_since_s < self.calm_s:
            return False
        self.height -= 1
        self._calm_since_s = now_s if self.height else None
        return True
