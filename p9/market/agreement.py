"""Whether two sources of one figure agree: what a poll said, held against what the stream said around that time.

The two are never of the same moment. So a polled figure waits until the stream has gone on for `within_s` behind its time, and agrees if it lies
between the least and the greatest that the stream said in that span (and the value that stood when it began), give or take a tolerance. Once may be
a cache that lags: only `in_a_row` disagreements are a finding.
"""

from collections import deque
from decimal import Decimal

import msgspec

from p9.samples import Samples

KEPT = 256  # values of the stream


class Tolerance(msgspec.Struct, frozen=True):
    """`share` of the value and `absolute` together; both 0: it must be one of the stream's values."""

    within_s: float
    share: Decimal = Decimal(0)
    absolute: Decimal = Decimal(0)


class Agreement:
    """One figure of one instrument."""

    def __init__(self, tolerance: Tolerance, in_a_row: int):
        self.tolerance, self.in_a_row = tolerance, in_a_row
        self.agreed = self.differed = self.row = 0
        self._within_ns = round(tolerance.within_s * 1e9)
        self._streamed = Samples(KEPT)
        self._polled: deque[tuple[int, Decimal]] = deque(maxlen=KEPT)  # not judged yet: some seconds' or a minute's

    def streamed(self, value: Decimal, at_ns: int) -> None:
        self._streamed.append(at_ns, value)

    def polled(self, value: Decimal, at_ns: int) -> None:
        self._polled.append((at_ns, value))

    def interrupted(self) -> None:
        """The stream was lost: what it said before proves nothing of now."""
        self._streamed.clear()
        self._polled.clear()

    def judge(self, now_ns: int) -> str:
        """What the polled values that can be judged come to: "" or, `in_a_row` times in a row, how they differ."""
        finding = ""
        while self._polled and self._polled[0][0] + self._within_ns <= now_ns:
            at_ns, value = self._polled.popleft()
            around = self._around(at_ns - self._within_ns, at_ns + self._within_ns)
            if not around:
                continue
            slack = abs(value) * self.tolerance.share + self.tolerance.absolute
            if min(around) - slack <= value <= max(around) + slack:
                self.agreed += 1
                self.row = 0
                continue
            self.differed += 1
            self.row += 1
            if self.row % self.in_a_row == 0:
                finding = f"{value:f} by poll, {min(around):f} to {max(around):f} by stream"
        return finding

    def _around(self, first_ns: int, last_ns: int) -> list[Decimal]:
        """What the stream said in that span, and what stood when it began."""
        stood, within = -1, []
        for n, at_ns in enumerate(self._streamed.times()):
            if at_ns < first_ns:
                stood = n
            elif at_ns <= last_ns:
                within.append(n)
        return [self._streamed.value(n) for n in ([stood] if stood >= 0 else []) + within]
