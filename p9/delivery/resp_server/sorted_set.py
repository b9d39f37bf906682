"""Members by score, then by name."""

from bisect import bisect_left, bisect_right, insort

MEMBER_COST = 260


class SortedSet:
    kind = "zset"

    def __init__(self) -> None:
        self.scores: dict[bytes, float] = {}
        self.order: list[tuple[float, bytes]] = []
        self.n_bytes, self.counted = 450, 0

    def __len__(self) -> int:
        return len(self.order)

    def put(self, member: bytes, score: float) -> None:
        old = self.scores.get(member)
        if old is None:
            self.n_bytes += MEMBER_COST + len(member)
        else:
            del self.order[bisect_left(self.order, (old, member))]
        self.scores[member] = score
        insort(self.order, (score, member))

    def remove(self, member: bytes) -> bool:
        score = self.scores.pop(member, None)
        if score is None:
            return False
        del self.order[bisect_left(self.order, (score, member))]
        self.n_bytes -= MEMBER_COST + len(member)
        return True

    def between(self, low: float, low_open: bool, high: float, high_open: bool) -> list[tuple[float, bytes]]:
        def score(entry: tuple[float, bytes]) -> float:
            return entry[0]

        first = (bisect_right if low_open else bisect_left)(self.order, low, key=score)
        last = (bisect_left if high_open else bisect_right)(self.order, high, key=score)
        return self.order[first:last]
