"""Which events of one epoch of one channel were seen."""

from bisect import bisect_left


class Sequence:
    """All from `first` up to `next` were seen, but for the `gaps`: ranges (from, to), both inclusive, that were given up."""

    __slots__ = ("first", "gaps", "next")
    MAX_GAPS = 1000

    def __init__(self, first: int):
        self.first = self.next = first
        self.gaps: list[tuple[int, int]] = []

    def seen(self, seq: int) -> bool:
        """What came before `first` counts as seen: it is not for us."""
        return seq < self.next and (seq < self.first or self._gap_of(seq) is None)

    def skip_to(self, seq: int) -> tuple[int, int] | None:
        """Give up what lies between the newest one and `seq`; the range, if there is one."""
        if seq <= self.next:
            return None
        gap = (self.next, seq - 1)
        self.gaps.append(gap)
        if len(self.gaps) > self.MAX_GAPS:
            del self.gaps[0]
        self.next = seq
        return gap

    def take(self, seq: int) -> None:
        """`seq` is seen now: the next one, or one that was given up."""
        if seq == self.next:
            self.next += 1
            return
        ix = self._gap_of(seq)
        assert ix is not None, "neither the next one nor a missing one"
        low, high = self.gaps[ix]
        self.gaps[ix : ix + 1] = [gap for gap in ((low, seq - 1), (seq + 1, high)) if gap[0] <= gap[1]]

    def _gap_of(self, seq: int) -> int | None:
        ix = bisect_left(self.gaps, seq, key=lambda gap: gap[1])
        return ix if ix < len(self.gaps) and self.gaps[ix][0] <= seq else None
