"""Who is flushed when: streams in rings of 10 ms slots, spread so that a period's streams do not all fall on one slot."""

SLOT_MS = 10


class Schedule:
    def __init__(self) -> None:
        self._rings: dict[int, list[list]] = {}
        self._next: dict[int, int] = {}

    def add(self, stream, period_ms: int) -> None:
        """`stream.flush(now_ms)` is called once in each period."""
        slots = max(1, period_ms // SLOT_MS)
        ring = self._rings.setdefault(slots, [[] for _ in range(slots)])
        place = self._next[slots] = (self._next.get(slots, -1) + 7) % slots
        ring[place].append(stream)

    def remove(self, stream) -> None:
        for ring in self._rings.values():
            for slot in ring:
                if stream in slot:
                    slot.remove(stream)

    def run(self, slot_number: int, now_ms: int) -> None:
        for slots, ring in self._rings.items():
            for stream in tuple(ring[slot_number % slots]):
                stream.flush(now_ms)
